"""File names on their way into libraries and into messages."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_c2vl.errors import CameraError
from edge_c2vl.names import for_ffmpeg, printable, short, utf8_name

NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: b"/" not in name and b"\0" not in name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"drive 1.mp4", "drive 1.mp4"), ("Fähre.mp4".encode(), "Fähre.mp4"), (b"f\xe4.mp4", "f\\xe4.mp4"),
     (b"a\nb", "a\\nb"), (b"\x1b[2J", "\\x1b[2J"), ("\u202egpj".encode(), "\\u202egpj")],
)  # fmt: skip
def test_what_a_message_shows(name, shown):
    assert printable(os.fsdecode(name)) == shown
    assert str(CameraError(f"cannot read {os.fsdecode(name)}")) == f"cannot read {shown}"


@given(NAMES)
def test_every_name_can_be_printed_in_one_line(name):
    shown = printable(os.fsdecode(name))
    assert shown.isprintable()
    assert json.loads(json.dumps(shown, ensure_ascii=False).encode("utf-8")) == shown


@given(NAMES.filter(lambda name: name not in (b".", b"..")))
def test_every_file_can_be_told_to_a_library(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(name)
    with utf8_name(path) as told:
        told.encode("utf-8")
        assert os.path.samefile(told, path)
        with open(told, "rb") as file:
            assert file.read() == name
    with for_ffmpeg(path) as told:
        assert told.startswith("file:")


def test_a_new_file_in_a_folder_whose_name_is_no_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"f\xe4")
    folder.mkdir()
    with utf8_name(folder / "new.bin") as told, open(told, "wb") as file:
        file.write(b"there")
    assert (folder / "new.bin").read_bytes() == b"there"


@pytest.mark.parametrize("name", ["drive", "x" * 250, os.fsdecode(b"f\xe4"), "ä" * 120])
def test_names_of_temporary_files_have_room_and_are_utf8(name):
    made = short(name)
    assert len(made.encode("utf-8")) <= 200
    assert (made == name) == (name == "drive")
