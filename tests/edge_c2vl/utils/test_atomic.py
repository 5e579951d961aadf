"""A file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_c2vl.utils.atomic import PART, whole_file, write_file


def test_text_and_bytes(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "ä\n")
    write_file(tmp_path / "a", b"\x00")
    assert (tmp_path / "a").read_bytes() == b"\x00"
    assert os.listdir(tmp_path) == ["a"]


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_file(path, "old")

    def interrupted() -> None:
        with whole_file(path) as part:
            part.write_text("half")
            assert part.name.endswith(PART)
            assert path.read_text() == "old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_mode_is_that_of_other_files_or_private(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_file(tmp_path / "a", "")
    with whole_file(tmp_path / "b", 0o600):
        pass
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("plain", "a", "b")]
    assert modes[0] == modes[1]
    assert modes[2] == 0o600


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    write_file(tmp_path / ("x" * 255), "long")
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "no folder" / "a", "")
