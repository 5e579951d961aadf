"""Fuzzing guided by coverage, for readers whose input has a format of its own: it finds its way past the first check.

    pip install atheris            # CPython 3.11 to 3.13
    python -m tests.fuzz.guided settings|manifest|labels|skeleton|models|broker|camera|crop [-runs=1000000]

What follows the target goes to libFuzzer. A case that raises something other than an error of ours ends it, and is
written to a file.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_c2vl", "train.datasets", "yaml"]):
    from edge_c2vl.bundle.bundle import _read_manifest
    from edge_c2vl.bundle.external_data import external_files
    from edge_c2vl.cameras.options import parse_crop
    from edge_c2vl.cameras.registry import kind_of
    from edge_c2vl.cameras.simulated import parse as parse_simulated
    from edge_c2vl.errors import EdgeC2VLError
    from edge_c2vl.monitoring.policy_file import read_policy
    from edge_c2vl.utils.mqtt_client import parse_broker
    from train.datasets.drive_act_labels import read_labels
    from train.datasets.ntu import read_tracks

from tests.support.fuzz import DEFAULT, LABELS, MANIFEST, SETTINGS, SKELETON

FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def of_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files as one of bytes."""

    def target(content: bytes) -> object:
        (FOLDER / name).write_bytes(content)
        return read(FOLDER / name)

    return target


def of_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: read(content.decode("utf-8", "replace"))


def camera(uri: str) -> None:
    if kind_of(uri) == "simulated":
        parse_simulated(uri)


TARGETS = {
    "settings": of_file("settings.yaml", read_policy),
    "manifest": of_file("manifest.json", lambda path: _read_manifest(path.parent, "")),
    "labels": of_file("labels.csv", read_labels),
    "skeleton": of_file("S001C001P001R001A001.skeleton", read_tracks),
    "models": external_files,
    "broker": of_text(parse_broker),
    "camera": of_text(camera),
    "crop": of_text(parse_crop),
}


# Where it begins.
SEEDS = {
    "settings": SETTINGS,
    "manifest": json.dumps(MANIFEST).encode(),
    "labels": LABELS,
    "skeleton": SKELETON,
    "models": DEFAULT.read_bytes()[:4000],
    "broker": b"mqtts://user:word@host:8883/a/b?ca=file",
    "camera": b"simulated:texting,drinking?camera=kinect_color&look=ir&seed=3&size=64x64&live=no",
    "crop": b"0.5,0,0.5,1",
}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        raise SystemExit(__doc__)
    name = sys.argv.pop(1)
    target = TARGETS[name]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    (corpus / name).write_bytes(SEEDS[name])

    def one(content: bytes) -> None:
        try:
            target(content)
        except EdgeC2VLError:
            pass
        except ValueError:
            if target is not external_files:  # which says so itself
                raise

    atheris.Setup([*sys.argv, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
