"""docs/python.md: every block runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("kept_answers")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
# What each block prints, in their order.
PRINTED = [
    r"(\d+\.\d\d s: (starting|attentive|distracted|cannot see|nobody), distraction \S+\n){10,}",
    r"((over|NOTICE|WARNING|CRITICAL) [\w ]+\n)*\d+ decisions, \d+ alerts\n",
    r"([\w ]+ (None|\{.*'smoking': \d\.\d+.*\})\n){10,}",
    r"\{'starting': \d+.*\}\n",
    r"--hop is .*\n",
    r"(\{'attentive': [\d.]+, .*'smoking': [\d.]+.*\}\n){2}",
]


def test_no_block_is_left_out():
    assert len(BLOCKS) == len(PRINTED) == PAGE.read_text("utf-8").count("```python")


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_a_block_runs_as_it_stands(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], f"{PAGE.name}, block {number}", "exec"), {"__name__": "block"})
    printed = capsys.readouterr()
    assert re.fullmatch(PRINTED[number], printed.out), printed.out
    assert printed.err == ""
