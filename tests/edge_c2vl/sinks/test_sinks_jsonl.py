"""JSON lines that rotate and outlive a power cut."""

from __future__ import annotations

import json

import pytest

from edge_c2vl.errors import UsageError
from edge_c2vl.sinks.jsonl import JsonLines
from tests.edge_c2vl.fleet import alert


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
    with pytest.raises(UsageError, match="holds no JSON lines"):
        JsonLines(str(path), "state")
    assert path.read_text() == "dear diary"
