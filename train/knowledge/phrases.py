"""Labels in words: from the command line or a YAML file, and how a description is taken apart.

edge-c2vl labels add BUNDLE "reading a newspaper" "on the phone: one hand is at the head; the other arm hangs down"

on the phone:                       a file for --describe: label -> descriptions, of which the mean counts
  - One hand is at the head; the head is bowed.
  - At first one hand rises. Then one hand stays at the head for long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edge_c2vl.errors import UsageError
from edge_c2vl.texts import read_text
from train.knowledge.sentences import WHEN

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ONE = re.compile(r"\bone (hand|arm|elbow|forearm|knee|thigh|foot)\b", re.IGNORECASE)
_OTHER = re.compile(r"\bthe other (hand|arm|elbow|forearm|knee|thigh|foot|shoulder|hip)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Prompt:
    """One reading of a description. clauses: each with the quarter (0 to 3) that it is told of, None where no time is
    told."""

    text: str
    clauses: list[tuple[str, int | None]]


def prompts_of(description: str) -> list[Prompt]:
    """A description's readings: two where it speaks of one hand and the other, for either may be the right one.

    Clauses are divided by "; " and sentence ends; a sentence that begins with "At first", "Then", "After that" or
    "At the end" tells of a quarter, as the kinematic captions do. Raises UsageError where nothing is said.
    """
    text = " ".join(description.split())
    sides = [("right", "left"), ("left", "right")] if _ONE.search(text) or _OTHER.search(text) else [None]
    prompts = []
    for pair in sides:
        said = text
        if pair:
            one, other = pair
            said = _OTHER.sub(lambda found: f"the {other} {found[1]}", said)  # noqa: B023
            said = _ONE.sub(lambda found: f"the {one} {found[1]}", said)  # noqa: B023
        prompts.append(Prompt(said, _clauses(said)))
    if not prompts[0].clauses:
        raise UsageError(f"{description!r} says nothing")
    return prompts


def _clauses(text: str) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for sentence in _SENTENCE_END.split(text):
        when = next((word for word in WHEN if sentence.startswith(f"{word} ")), None)
        for part in sentence.removeprefix(when or "").split(";"):
            clause = part.strip(" .!?")
            if clause:
                # As clauses of captions are written, so that a known one is found again.
                found.append((clause[0].upper() + clause[1:] + ".", None if when is None else WHEN.index(when)))
    return found


def parse_labels(arguments: Sequence[str], file: Path | None = None) -> dict[str, list[str]]:
    """label -> descriptions: of arguments "label" or "label: description", and of the file. Raises UsageError where a
    label is empty or told twice, or the file is anything else."""
    labels: dict[str, list[str]] = {}
    told = [argument.partition(":") for argument in arguments]
    for label, descriptions in [(name, [text] if colon else []) for name, colon, text in told] + _of_file(file):
        name = " ".join(label.split())
        if not name:
            raise UsageError("a label in words needs words: one of them is empty")
        if name in labels:
            raise UsageError(f"the label {name!r} is given twice")
        if any(not text.strip() for text in descriptions):
            raise UsageError(f"a description of {name!r} is empty")
        for text in descriptions or [name]:
            prompts_of(text)
        labels[name] = [" ".join(text.split()) for text in descriptions]
    return labels


def _of_file(path: Path | None) -> list[tuple[str, list[str]]]:
    if path is None:
        return []
    try:
        values: Any = yaml.safe_load(read_text(path))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: --describe takes a YAML file, label -> descriptions") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not values:
        raise UsageError(f"{path} should hold labels, each with a list of descriptions")
    rows = []
    for label, descriptions in values.items():
        texts = [descriptions] if isinstance(descriptions, str) else descriptions or []
        if not isinstance(label, str) or not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise UsageError(f"{path}: {label!r} should have a text or a list of texts")
        rows.append((label, texts))
    return rows
