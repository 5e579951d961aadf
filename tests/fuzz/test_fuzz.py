"""100,000 cases each of what comes from outside: it is understood, or refused by an error of ours; never another one.

pytest -m slow tests/fuzz
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_c2vl.broker import parse_broker
from edge_c2vl.bundle import _read_manifest
from edge_c2vl.camera import parse_crop
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.listen import parse_address
from edge_c2vl.onnx_files import external_files
from edge_c2vl.settings import read_settings
from edge_c2vl.sources import kind_of, redact
from edge_c2vl.sources.simulated import parse as parse_simulated
from edge_c2vl.speed import open_speed, parse_kmh
from edge_c2vl.speed.unix import UnixSpeed
from train.datasets.drive_act import read_labels
from train.datasets.ntu import read_tracks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
many = settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck))
refused = contextlib.suppress(EdgeC2VLError)

schemes = st.sampled_from(
    ["", "rtsp://", "http://", "csi://", "udp://", "mqtt://", "mqtts://", "can:", "unix:", "/dev/"]
)
endings = st.sampled_from(["", ":80", "@h/", "?a=b", "/x"])
addresses = st.builds(lambda *parts: "".join(parts), schemes, st.text(max_size=20), endings)


def mutated(original: bytes) -> st.SearchStrategy[bytes]:
    """The original with a few stretches replaced, left out or doubled. What to do is read from a few bytes, since
    drawing each number by itself takes several times as long as most readers here."""

    def mutate(edits: bytes) -> bytes:
        content = original
        while len(edits) >= 4:
            at = int.from_bytes(edits[:2], "big") % (len(content) + 1)
            length, count = edits[2] % 31, edits[3] % 13
            new = content[at : at + length] * 2 if edits[3] >= 224 else edits[4 : 4 + count]
            content = content[:at] + new + content[at + length :]
            edits = edits[4 + count :]
        return content

    return st.binary(min_size=4, max_size=60).map(mutate)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "S001C001P001R001A001.skeleton"


@many
@given(addresses)
def test_camera_addresses(text):
    with refused:
        kind_of(text)
    assert isinstance(redact(text), str)


SECRET = "s3cret"


@many
@given(
    st.sampled_from(["rtsp://", "rtsps:/", "HTTP://", "udp://", "mqtts://", "x-y://"]),
    st.sampled_from(["u", "", "a/b", "a?b", "a@b"]),
    st.text(max_size=6),
    st.text(max_size=10),
)
def test_no_message_about_an_address_shows_its_password(scheme, user, around, rest):
    shown = redact(f"{scheme}{user}:{around}{SECRET}{around}@host/{rest}?token={SECRET}")
    assert SECRET not in shown
    messages = []
    for opens in (kind_of, parse_broker, lambda uri: open_speed(None, uri)):
        try:
            if opens is kind_of or not scheme.startswith("mqtt"):  # which it would connect to
                opens(f"{scheme}{user}:{around}{SECRET}@host{rest}")
        except EdgeC2VLError as error:
            messages.append(str(error))
    assert not any(SECRET in message for message in messages)


simulated = st.lists(
    st.tuples(
        st.sampled_from(["driver", "seed", "each", "fps", "size", "live", "camera", "look", "truth", "x"]),
        st.text("0123456789.xeE-+nainfy_o", max_size=8) | st.text(max_size=4),
    ),
    max_size=3,
).map(lambda pairs: "simulated:story?" + "&".join(f"{name}={value}" for name, value in pairs))


@many
@given(simulated)
def test_simulated_cameras(uri):
    with refused:
        parse_simulated(uri)


@many
@given(st.text(max_size=30) | st.lists(st.floats(), max_size=5).map(lambda values: ",".join(map(str, values))))
def test_crops(text):
    with refused:
        parse_crop(text)


@many
@given(addresses)
def test_brokers(text):
    with refused:
        broker = parse_broker(text)
        assert broker.host
        assert 0 <= broker.port <= 65535


@many
@given(st.text(max_size=30))
def test_listening_addresses(text):
    with refused:
        host, port = parse_address(text, 80)
        assert host
        assert 0 <= port <= 65535


@many
@given(st.binary(max_size=80))
def test_speed_lines(line):
    value = parse_kmh(line)
    assert value is None or 0 <= value <= 500


@pytest.fixture(scope="module")
def speed(tmp_path_factory):
    with UnixSpeed(str(tmp_path_factory.mktemp("speed") / "speed.sock")) as listening:
        yield listening


sent = st.lists(
    st.binary(max_size=100) | st.sampled_from([b"87.5\n", b"\n" * 50, b"speed 1e3\n", b"1" * 65]), max_size=4
)


@many
@given(sent)
def test_speed_socket(speed, pieces):
    """The real socket and its thread: whatever a client sends, the next one's speed arrives."""
    before = speed.latest()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(speed._path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was hung up on
            for piece in pieces:
                client.sendall(piece)
    wanted = 100.0 if before[0] != 100.0 else 200.0
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(speed._path))
        client.sendall(f"{wanted}\n".encode())
        end_s = time.monotonic() + 10
        while speed.latest()[0] != wanted and time.monotonic() < end_s:
            time.sleep(0)
    assert speed.latest()[0] == wanted


SETTINGS = b"policy:\n  warning_fast_s: 3.5\n  cannot_see_s: 20\n  recovery: 2\n"


@many
@given(mutated(SETTINGS) | st.binary(max_size=100))
def test_settings(file, content):
    file.write_bytes(content)
    with refused:
        read_settings(file)


MANIFEST = {
    "format_version": 1,
    "name": "n",
    "labels": ["a", "b"],
    "distraction": ["b"],
    "clip": {"frames": 64, "seconds": 3.0, "joints": ["head"]},
    "embedding_size": 64,
    "files": {"model.fp32.onnx": {"size": 1, "sha256": "0"}},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tmp_path_factory.mktemp("bundle")


def changed(changes: dict[str, object], inside: str) -> bytes:
    values = json.loads(json.dumps(MANIFEST))
    (values[inside] if inside else values).update(changes)
    return json.dumps(values).encode()


some = st.dictionaries(st.sampled_from(sorted([*MANIFEST, *MANIFEST["clip"]])), json_values, max_size=3)


@many
@given(st.builds(changed, some, st.sampled_from(["", "clip"])) | mutated(json.dumps(MANIFEST).encode()))
def test_manifests(bundle, content):
    (bundle / "manifest.json").write_bytes(content)
    with refused:
        _read_manifest(bundle, "")


DEFAULT = Path(__file__).resolve().parents[2] / "edge_c2vl" / "bundles" / "default" / "model.fp32.onnx"


@many
@given(st.binary(max_size=200) | mutated(DEFAULT.read_bytes()[:4000] if DEFAULT.exists() else b"\x08\x01"))
def test_models(content):
    with contextlib.suppress(ValueError):
        external_files(content)


LABELS = (
    b"participant_id,file_id,annotation_id,frame_start,frame_end,activity,chunk_id\n"
    b"1,vp1/run1b_2018-05-29-14-02-47.kinect_color,1,58,82,closing_door_outside,0\n"
)


@many
@given(mutated(LABELS))
def test_label_files(file, content):
    file.write_bytes(content)
    with refused:
        read_labels(file)


BODY = b"72057594037931101 0 1 1 1 1 0 0.02 -0.1 2\n25\n" + b"0.2 0.1 3.7 271 200 1038 520 -0.2 0.03 0.9 -0.07 2\n" * 25
SKELETON = b"2\n" + (b"1\n" + BODY) * 2


@many
@given(mutated(SKELETON))
def test_ntu_files(file, content):
    file.write_bytes(content)
    with refused:
        read_tracks(file)
