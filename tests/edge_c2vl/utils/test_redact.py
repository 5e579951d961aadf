"""Secrets in addresses: in no message, whatever characters a password holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.cameras.registry import kind_of
from edge_c2vl.cameras.stream import why_unreachable
from edge_c2vl.errors import EdgeC2VLError, UsageError
from edge_c2vl.outputs.webhook import Webhook
from edge_c2vl.speed import open_speed
from edge_c2vl.utils.mqtt_client import parse_broker
from edge_c2vl.utils.redact import is_ambiguous, redact, secret_from

SECRET = "geheim"
PASSWORDS = ("12/geheim", "geheim/12", "geheim@teil/x", "a:geheim", "a?geheim", "12?a=geheim", "a#geheim", "geheim@a:b")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://adm:hunter@teil/x@127.0.0.1:554/cam", "rtsp://***@127.0.0.1:554/cam"),
        ("http://cam/live#geheim", "http://cam/live#***"),
        ("rtsp:adm:geheim@cam/live", "***@cam/live"),
        ("adm:geheim@cam/live?x", "***@cam/live?***"),
        ("adm:ge/heim@cam", "***@cam"),
        ("C:\\films\\a@b.mp4", "C:\\films\\a@b.mp4"),
        ("films/me@home.mp4", "films/me@home.mp4"),
        ("simulated:story?fps=10", "simulated:story?fps=10"),
    ],
)
def test_what_is_shown_of_an_address(uri, shown):
    assert redact(uri) == shown


def told(function, *arguments):
    with pytest.raises(EdgeC2VLError) as error:
        function(*arguments)
    return str(error.value)


def shown_of(uri):
    """What messages show of a broker, or why it is refused."""
    try:
        return str(parse_broker(uri, "edge-c2vl"))
    except UsageError as error:
        return str(error)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_with_odd_characters_is_in_no_message(password):
    for scheme in ("mqtt", "mqtts"):
        uri = f"{scheme}://fleet:{password}@127.0.0.1:1/car"
        assert SECRET not in shown_of(uri)
        assert "%2F" in shown_of(uri) or parse_broker(uri).host == "127.0.0.1"
    assert SECRET not in told(Webhook, f"https://fleet:{password}@host/x")
    assert SECRET not in told(open_speed, None, f"ftp://fleet:{password}@host/x")
    assert SECRET not in told(open_speed, None, f"fleet:{password}@host/x")
    assert SECRET not in told(kind_of, f"x://fleet:{password}@host/x")
    assert SECRET not in why_unreachable(f"rtsp://fleet:{password}@127.0.0.1:1/x")


@given(st.text("ab/?#@:%=&", max_size=12), st.text("ab/?#@:%=&", max_size=12), st.sampled_from(["mqtt", "mqtts"]))
def test_a_broker_never_shows_what_stands_before_the_last_at(before, behind, scheme):
    assert SECRET not in shown_of(f"{scheme}://u:{before}{SECRET}{behind}@127.0.0.1/car")


def test_an_at_behind_the_host_is_noticed():
    assert is_ambiguous("rtsp://adm:12/geheim@host/x")
    assert not is_ambiguous("rtsp://adm:ge@heim@host/x")
    assert not is_ambiguous("films/me@home.mp4")


def test_a_secret_that_no_header_can_hold_is_told_without_it(monkeypatch):
    monkeypatch.setenv("EDGE_C2VL_SOME_TOKEN", " geheim\n")
    assert secret_from("EDGE_C2VL_SOME_TOKEN") == SECRET
    for bad in ("geheim\nX: 1", "geheim b", "geheimß"):
        monkeypatch.setenv("EDGE_C2VL_SOME_TOKEN", bad)
        assert SECRET not in told(secret_from, "EDGE_C2VL_SOME_TOKEN")
