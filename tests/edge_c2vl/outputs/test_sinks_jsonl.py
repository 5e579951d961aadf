"""JSON lines that rotate and outlive a power cut."""

from __future__ import annotations

import json
import sys

import pytest

from edge_c2vl.errors import OutputError, UsageError
from edge_c2vl.outputs.jsonl import JsonLines
from tests.support.fleet import alert


def test_json_lines_rotate_and_lose_nothing(tmp_path):
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), "state", rotate_bytes=1000, keep=3)
    for number in range(1, 11):
        sink.alert(alert(number))
    sink.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: file.name, reverse=True)
    assert [file.name for file in files] == [
        "events.jsonl.3",
        "events.jsonl.2",
        "events.jsonl.1",
        "events.jsonl",
    ]
    numbers = [json.loads(line)["number"] for file in files for line in file.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 11))
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_line_that_a_power_cut_left_unfinished_is_removed(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"number": 1}\n{"numb')
    sink = JsonLines(str(path), "state")
    sink.alert(alert(2))
    sink.close()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 2]


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(OutputError, match="holds no JSON lines"):
        JsonLines(str(path), "state")
    assert path.read_text() == "dear diary"


def test_what_a_power_cut_filled_with_zeros_is_set_aside_where_that_is_asked_for(tmp_path, caplog):
    path = tmp_path / "events.jsonl"
    for content in (b"\0" * 5000, b'{"number": 1}\n' + b"\0" * 100_000):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="holds no JSON lines"):
            JsonLines(str(path), "state")
        assert path.read_bytes() == content
        sink = JsonLines(str(path), "state", replace_damaged=True)
        sink.alert(alert(2))
        sink.close()
        assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [2]
    assert (tmp_path / "events.jsonl.damaged").read_bytes() == b"\0" * 5000
    assert (tmp_path / "events.jsonl.damaged-2").read_bytes() == content
    assert "events.jsonl.damaged" in caplog.text


def test_a_short_tail_of_zeros_is_an_unfinished_line(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"number": 1}\n' + b"\0" * 5000)
    JsonLines(str(path), "state").close()
    assert path.read_bytes() == b'{"number": 1}\n'


@pytest.mark.parametrize("rotate_bytes", [None, 1000])
def test_one_run_at_a_time_writes_to_a_file(tmp_path, rotate_bytes):
    path = tmp_path / "events.jsonl"
    (tmp_path / "link").symlink_to(path)
    first = JsonLines(str(path), "state", rotate_bytes)
    for number in range(1, 11):
        for name in (path, tmp_path / "link"):
            with pytest.raises(UsageError, match="in use by another run"):
                JsonLines(str(name), "state", rotate_bytes)
        first.alert(alert(number))
    first.close()
    JsonLines(str(path), "state").close()


def test_files_are_for_this_user_alone_unless_the_user_opened_them(tmp_path):
    path = tmp_path / "events.jsonl"
    sink = JsonLines(str(path), "state", rotate_bytes=500)
    for number in range(1, 5):
        sink.alert(alert(number))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    path.chmod(0o640)
    for number in range(5, 9):
        sink.alert(alert(number))
    sink.close()
    assert path.stat().st_mode & 0o777 == 0o640


def test_standard_output_that_is_closed_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output is closed"):
        JsonLines("-", "decision")
