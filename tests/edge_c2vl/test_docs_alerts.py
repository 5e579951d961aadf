"""docs/alerts.md names every setting with its default."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from edge_c2vl.policy import PolicySettings


def test_every_setting_stands_in_the_docs_with_its_default():
    text = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()
    documented = {}
    for names, values in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d., ]+) \|", text, re.MULTILINE):
        documented |= dict(zip(re.findall(r"`(\w+)`", names), map(float, values.split(", ")), strict=True))
    assert documented == {entry.name: entry.default for entry in fields(PolicySettings)}
