"""100,000 cases each of what comes from outside: it is understood, or refused by an error of ours; never another one.

pytest -m slow tests/fuzz
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import pickle
import random
import socket
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_c2vl.bundle.bundle import Manifest, _read_manifest
from edge_c2vl.bundle.external_data import external_files
from edge_c2vl.cameras.options import parse_crop
from edge_c2vl.cameras.registry import kind_of
from edge_c2vl.cameras.simulated import parse as parse_simulated
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.monitoring.policy_file import read_policy
from edge_c2vl.speed import open_speed
from edge_c2vl.speed.base import parse_kmh
from edge_c2vl.speed.unix import UnixSpeed
from edge_c2vl.utils.arrays import ERRORS, NpzFile
from edge_c2vl.utils.listen_address import parse_address
from edge_c2vl.utils.mqtt_client import parse_broker
from edge_c2vl.utils.redact import redact
from tests.support.fuzz import DEFAULT, LABELS, MANIFEST, SETTINGS, SKELETON
from train.datasets import pku_mmd, pyskl, utd_mhad
from train.datasets.drive_act_labels import read_labels
from train.datasets.ntu import read_tracks
from train.datasets.source import Options
from train.evaluation.live import read_truth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
refused = contextlib.suppress(EdgeC2VLError)

# Hypothesis draws the first case of a block, and shrinks it; the others are drawn from it. Drawing each by itself takes
# ten times as long as most readers here.
BLOCK = 20
blocks = settings(max_examples=100_000 // BLOCK, deadline=None, suppress_health_check=list(HealthCheck))

SPECIAL = "/:@?#&=%.,[]~-+_ 0123456789abcexyz²٣é\0\n\t\u2028\ufeff😀"
SCHEMES = ("", "rtsp://", "http://", "csi://", "udp://", "mqtt://", "mqtts://", "can:", "unix:", "/dev/", "file://")
ENDINGS = ("", ":80", "@h/", "?a=b", "/x", ".mp4")


def texts(alphabet: str = SPECIAL, max_size: int = 30) -> st.SearchStrategy[list[str]]:
    """A block of texts."""

    def block(first: str) -> list[str]:
        generator = random.Random(first)
        sizes = (generator.randint(0, max_size) for _ in range(BLOCK - 1))
        return [first, *("".join(generator.choices(alphabet + first, k=size)) for size in sizes)]

    return st.text(max_size=max_size).map(block)


def addresses() -> st.SearchStrategy[list[str]]:
    """A block of texts that begin and end like addresses."""

    def dress(block: list[str]) -> list[str]:
        generator = random.Random(block[0])
        return [generator.choice(SCHEMES) + text + generator.choice(ENDINGS) for text in block]

    return texts(max_size=20).map(dress)


def mutated(original: bytes) -> st.SearchStrategy[list[bytes]]:
    """A block of originals, each with a few stretches replaced, left out or doubled."""

    def mutate(edits: bytes) -> bytes:
        content = original
        while len(edits) >= 4:
            at = int.from_bytes(edits[:2], "big") % (len(content) + 1)
            length, count = edits[2] % 31, edits[3] % 13
            new = content[at : at + length] * 2 if edits[3] >= 224 else edits[4 : 4 + count]
            content = content[:at] + new + content[at + length :]
            edits = edits[4 + count :]
        return content

    def block(edits: bytes) -> list[bytes]:
        generator = random.Random(edits)
        sizes = (generator.randint(4, 60) for _ in range(BLOCK - 1))
        return [mutate(edits), *(mutate(generator.randbytes(size)) for size in sizes)]

    return st.binary(min_size=4, max_size=60).map(block)


@pytest.fixture(scope="module")
def folder():
    """In memory where there is such a place: a disk takes longer than what is tested."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture(scope="module")
def file(folder):
    return folder / "S001C001P001R001A001.skeleton"


@blocks
@given(addresses())
def test_camera_addresses(block):
    for text in block:
        with refused:
            kind_of(text)
        assert isinstance(redact(text), str)


SECRET = "s3cret"


@blocks
@given(texts(max_size=8))
def test_no_message_about_an_address_shows_its_password(block):
    generator = random.Random(block[0])
    for text in block:
        scheme = generator.choice(["rtsp://", "rtsps:/", "HTTP://", "udp://", "mqtts://", "x-y://", "x://"])
        user = generator.choice(["u", "", "a/b", "a?b", "a@b"])
        assert SECRET not in redact(f"{scheme}{user}:{text}{SECRET}{text}@host/{text}?token={SECRET}")
        messages = []
        for opens in (kind_of, parse_broker, lambda uri: open_speed(None, uri)):
            try:
                if opens is kind_of or not scheme.startswith("mqtt"):  # which it would connect to
                    opens(f"{scheme}{user}:{text}{SECRET}@host{text}")
            except EdgeC2VLError as error:
                messages.append(str(error))
        assert not any(SECRET in message for message in messages)


OPTIONS = ("driver", "seed", "each", "seconds", "fps", "exposure", "size", "live", "camera", "look", "truth", "x", "")


@blocks
@given(texts("0123456789.xXeE-+nainfyeso&=%", max_size=8))
def test_simulated_cameras(block):
    generator = random.Random(block[0])
    for text in block:
        pairs = [f"{generator.choice(OPTIONS)}={text}", f"{generator.choice(OPTIONS)}={generator.choice(block)}"]
        with refused:
            parse_simulated(f"simulated:{generator.choice(['', 'story', text])}?{'&'.join(pairs)}")


NUMBERS = ("0", "-0", "1", "0.5", "1e-9", "640", "1e308", "1e999", "-1", "nan", "inf", "0x1", "1_0", "")


@blocks
@given(texts("0123456789.,-+e naif"))
def test_crops(block):
    generator = random.Random(block[0])
    for text in block:
        for crop in (text, ",".join(generator.choices(NUMBERS, k=generator.randint(3, 5)))):
            with refused:
                parse_crop(crop)


@blocks
@given(addresses())
def test_brokers(block):
    for text in block:
        with refused:
            broker = parse_broker(text)
            assert broker.host
            assert 0 <= broker.port <= 65535


@blocks
@given(texts())
def test_listening_addresses(block):
    for text in block:
        with refused:
            host, port = parse_address(text, 80)
            assert host
            assert 0 <= port <= 65535


@blocks
@given(mutated(b"speed 87.5"))
def test_speed_lines(block):
    for line in block:
        value = parse_kmh(line)
        assert value is None or 0 <= value <= 500


@pytest.fixture(scope="module")
def speed(folder):
    with UnixSpeed(str(folder / "speed.sock")) as listening:
        yield listening


@blocks
@given(mutated(b"87.5\nspeed 1e3\n\n\n42\n" + b"1" * 70))
def test_speed_socket(speed, block):
    """The real socket and its thread: whatever a client sends in whatever pieces, the next one's speed arrives."""
    generator = random.Random(block[0])
    for content in block:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(speed._path))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was hung up on
                cut = generator.randint(0, len(content))
                client.sendall(content[:cut])
                client.sendall(content[cut:])
        wanted = 100.25 if speed.latest()[0] != 100.25 else 200.25
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(speed._path))
            client.sendall(f"{wanted}\n".encode())
            end_s = time.monotonic() + 10
            while speed.latest()[0] != wanted and time.monotonic() < end_s:
                time.sleep(0)
        assert speed.latest()[0] == wanted


@blocks
@given(mutated(SETTINGS))
def test_settings(file, contents):
    for content in contents:
        file.write_bytes(content)
        with refused:
            read_policy(file)


VALUES = (
    *(None, True, 0, -1, 1.5, 1e400, float("nan"), 10**30, "", "a", "\0", "../x"),
    *([], [None], ["a", 1], [[]], [{}], {}, {"a": {}}, {"a": {"size": "1", "sha256": 1}}),
)
NAMES = (*MANIFEST, *MANIFEST["clip"], "engines", "calibration", "latency", "accuracy", "licences", "dimensions")


@blocks
@given(st.binary(min_size=1, max_size=30))
def test_manifests_with_other_values(seed):
    generator = random.Random(seed)
    for _ in range(BLOCK):
        values = json.loads(json.dumps(MANIFEST))
        for _ in range(generator.randint(1, 3)):
            part = generator.choice([values, values, values["clip"], values["files"]])
            if isinstance(part, dict):
                part[generator.choice(NAMES)] = copy.deepcopy(generator.choice(VALUES))
        with contextlib.suppress(
            ValueError, TypeError, KeyError, AttributeError
        ):  # which _read_manifest turns into one line
            Manifest.from_json(values)


@blocks
@given(mutated(json.dumps(MANIFEST).encode()))
def test_manifest_files(folder, contents):
    for content in contents:
        (folder / "manifest.json").write_bytes(content)
        with refused:
            _read_manifest(folder, "")


@blocks
@given(mutated(DEFAULT.read_bytes()[:4000] if DEFAULT.exists() else b"\x08\x01"))
def test_models(contents):
    for content in contents:
        with contextlib.suppress(ValueError):
            external_files(content)


@blocks
@given(mutated(LABELS))
def test_label_files(file, contents):
    for content in contents:
        file.write_bytes(content)
        with refused:
            read_labels(file)


@blocks
@given(mutated(b"44,1,10,2\n7,15,30,2\n"))
def test_action_rows(file, contents):
    for content in contents:
        file.write_bytes(content)
        with refused:
            pku_mmd.read_labels(file)


@blocks
@given(mutated(b"start,end,label\n0.5,2,distracted\n2,3.25,-\n"))
def test_truth(file, contents):
    for content in contents:
        file.write_bytes(content)
        with refused:
            read_truth(file, ["attentive", "distracted"])


def pickled(protocol: int) -> bytes:
    points = np.ones((1, 2, 17, 2), np.float16)
    entry = {"frame_dir": "a", "label": 1, "keypoint": points, "keypoint_score": points[..., 0]}
    return pickle.dumps({"split": {"xsub_train": ["a"]}, "annotations": [entry]}, protocol)


@blocks
@given(st.integers(0, 5).flatmap(lambda protocol: mutated(pickled(protocol))))
def test_pickles(folder, contents):
    for content in contents:
        (folder / "x.pkl").write_bytes(content)
        with refused:
            pyskl.open_source(folder / "x.pkl", Options())


def saved(save, *values: object, **named: object) -> bytes:
    content = io.BytesIO()
    save(content, *values, **named)
    return content.getvalue()


@blocks
@given(mutated(saved(np.savez_compressed, a=np.arange(6.0).reshape(2, 3), b=np.array("text"))))
def test_npz_files(folder, contents):
    for content in contents:
        (folder / "x.npz").write_bytes(content)
        with contextlib.suppress(*ERRORS), NpzFile(folder / "x.npz") as npz:
            for name in npz.files:
                assert npz[name].nbytes <= 64 << 20


@blocks
@given(mutated(saved(scipy.io.savemat, {"d_skel": np.ones((20, 3, 2))})))
def test_matlab_files(folder, contents):
    for content in contents:
        path = folder / "a1_s1_t1_skeleton.mat"
        path.write_bytes(content)
        with refused:
            utd_mhad.read(path)


@blocks
@given(mutated(SKELETON))
def test_ntu_files(file, contents):
    for content in contents:
        file.write_bytes(content)
        with refused:
            read_tracks(file)
