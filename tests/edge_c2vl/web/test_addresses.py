"""Where the page is found: by IPv6, and behind a proxy with a name and a path of its own."""

from __future__ import annotations

import socket

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from edge_c2vl.errors import UsageError
from edge_c2vl.outputs.page import Page
from edge_c2vl.utils.listen_address import parse_public_url, token_for
from tests.support.hostile import connect, websocket
from tests.support.page_server import ABOUT, TOKEN, get, read, viewer


@pytest.mark.parametrize("address", ["[::1]:0", "::1"])
def test_the_page_is_served_by_ipv6(address, monkeypatch):
    if address == "::1":
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            monkeypatch.setattr("edge_c2vl.web.server.DEFAULT_PORT", probe.getsockname()[1])
    page = Page(address, ABOUT)
    try:
        assert page.url == f"http://[::1]:{page.port}/"
        with connect_websocket(f"ws://[::1]:{page.port}/live", origin=page.url.rstrip("/")) as connection:
            read(connection, "hello")
    finally:
        page.close()


PUBLIC = "https://fleet.example:8443/car-17"


@pytest.fixture
def public(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    opened = Page("127.0.0.1:0", ABOUT, public_url=PUBLIC)
    yield opened
    opened.close()


def test_a_proxys_host_and_path_are_allowed_and_nothing_else(public):
    hosts = ("fleet.example", "fleet.example:8443", "FLEET.example.", "127.0.0.1:1", "evil.example", "x.fleet.example")
    assert [get(public, "/", host)[0] for host in hosts] == [200, 200, 200, 200, 421, 421]
    assert "Edge-C2VL" in get(public, "/car-17/", "fleet.example")[2]
    assert get(public, "/car-17/page.js", "fleet.example")[0] == 200
    status, headers, _ = get(public, "/car-17", "fleet.example")
    assert (status, headers["location"]) == (308, "/car-17/")
    assert get(public, "/car-170/page.js", "fleet.example")[0] == 404
    assert public.url == f"{PUBLIC}/"


@pytest.mark.parametrize(
    ("origin", "host", "welcome"),
    [
        ("https://fleet.example:8443", "fleet.example", True),
        ("https://fleet.example:8443", "127.0.0.1:1", True),
        ("https://fleet.example", "127.0.0.1:1", False),
        ("http://fleet.example:8443", "127.0.0.1:1", False),
        ("https://evil.example", "fleet.example", False),
        ("null", "fleet.example", False),
    ],
)
def test_only_the_proxys_own_page_may_open_the_socket(public, origin, host, welcome):
    with connect(public.port) as client:
        request = websocket(public.port, f"Origin: {origin}\r\n").replace(f"127.0.0.1:{public.port}", host)
        client.sendall(request.encode())
        assert client.recv(1000).split()[1] == (b"101" if welcome else b"403")


def test_a_page_that_a_proxy_shows_to_others_needs_the_token(public, monkeypatch):
    with viewer(public) as connection:
        connection.send("{}")
        with pytest.raises(ConnectionClosed):
            connection.recv(10)
    monkeypatch.delenv("EDGE_C2VL_TOKEN")
    with pytest.raises(UsageError, match=r"--public-url on fleet\.example can be reached .*EDGE_C2VL_TOKEN"):
        token_for("127.0.0.1", "--serve", parse_public_url(PUBLIC))
    assert token_for("127.0.0.1", "--serve", parse_public_url("http://localhost:8000/")) is None
