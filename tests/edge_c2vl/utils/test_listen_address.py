"""Addresses to listen at, addresses behind a proxy, and how many connections there may be."""

from __future__ import annotations

import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.utils.listen_address import connection_limit, parse_address, parse_public_url


def test_the_limit_leaves_most_of_the_files(monkeypatch):
    for files, expected in ((1024, 100), (256, 32), (64, 8), (8, 2)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert connection_limit(100) == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::1", ("::1", 8480)),
        ("[::1]", ("::1", 8480)),
        ("[::1]:8480", ("::1", 8480)),
        ("[::1]:9000", ("::1", 9000)),
        ("::", ("::", 8480)),
        ("[fe80::1%lo]:80", ("fe80::1%lo", 80)),
        ("::ffff:127.0.0.1", ("::ffff:127.0.0.1", 8480)),
    ],
)
def test_ipv6_addresses(text, address):
    assert parse_address(text, 8480) == address


@pytest.mark.parametrize("text", ["[::1", "::1]", "[host]:80", "[]:80", "[::1]80", "a:b:80", "ho st:80", "host:80:90"])
def test_addresses_that_are_none(text):
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_address(text, 8480)


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("https://Fleet.example", "https://fleet.example", ""),
        ("https://fleet.example:443/", "https://fleet.example", ""),
        ("http://fleet.example:8080/a/b/", "http://fleet.example:8080", "/a/b"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", ""),
    ],
)
def test_public_urls(text, origin, path):
    public = parse_public_url(text)
    assert (public.origin, public.path) == (origin, path)


@pytest.mark.parametrize(
    "text",
    [
        "fleet.example",
        "ftp://h",
        "https://",
        "https://u:s3cret@h/",
        "https://h:port",
        "https://h/?x",
        "https://h/a b",
        "",
    ],
)
def test_public_urls_that_are_none(text):
    with pytest.raises(UsageError, match="--public-url: not the web address") as refused:
        parse_public_url(text)
    assert "s3cret" not in str(refused.value)
