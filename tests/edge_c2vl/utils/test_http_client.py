"""POST against servers that drip, redirect and never stop."""

from __future__ import annotations

import http.client

import pytest

from edge_c2vl.utils.http_client import post
from tests.support.hostile import DRIPS, HEAD, dripping, server


def read(client):
    """A whole request, whose body ends with a bracket."""
    text = b""
    while not text.endswith(b"}"):
        text += client.recv(65536)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", DRIPS)
def test_a_dripping_server_is_left_at_the_deadline(kind):
    with server(dripping(kind)) as port, pytest.raises(TimeoutError, match="no whole answer within 0.3 s"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, 0.3, max_bytes=1000)


def test_a_tls_handshake_that_never_ends_is_left_too():
    with server(dripping("silence")) as port, pytest.raises(TimeoutError):
        post(f"https://127.0.0.1:{port}/", b"{}", {}, 0.3)


def test_an_answer_is_taken_up_to_its_bound():
    def answer(client):
        read(client)
        client.sendall(HEAD + b"\r\n" + b"y" * 5000)
        client.close()

    with server(answer) as port:
        got = post(f"http://127.0.0.1:{port}/", b"{}", {}, 10, max_bytes=1000)
        assert (got.status, got.body, got.cut) == (200, b"y" * 1000, True)
        got = post(f"http://127.0.0.1:{port}/", b"{}", {}, 10, max_bytes=5000)
        assert (len(got.body), got.cut) == (5000, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status):
    asked = []

    def elsewhere(client):
        asked.append(client.recv(65536))

    with server(elsewhere) as other:

        def answer(client):
            read(client)
            where = f"Location: http://localhost:{other}/\r\nContent-Length: 0\r\n\r\n"
            client.sendall(f"HTTP/1.1 {status} Elsewhere\r\n{where}".encode())

        with server(answer) as port:
            got = post(f"http://127.0.0.1:{port}/", b"{}", {"Authorization": "Bearer s3cret"}, 10)
    assert got.status == status
    assert not asked


def test_what_is_no_http_or_nobody_is_an_error():
    def answer(client):
        read(client)
        client.sendall(b"hello\r\n\r\n")
        client.close()

    with server(answer) as port, pytest.raises(http.client.HTTPException):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, 10)
    with pytest.raises(ConnectionRefusedError):
        post("http://127.0.0.1:1/", b"{}", {}, 10)
