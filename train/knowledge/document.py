"""Lists the vocabulary in docs/vocabulary.md, from the code: python -m train.knowledge.document docs/vocabulary.md"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from train.knowledge.posecodes import SEGMENT_NAMES, SPAN_NAMES, say
from train.knowledge.vocabulary import FAMILIES, HELD_EDGES_S, Family

BEGIN = "<!-- vocabulary: made by python -m train.knowledge.document docs/vocabulary.md -->"
END = "<!-- end of vocabulary -->"
_COURSE = (
    "ends more than {0} higher",
    "ends more than {0} lower",
    "more than {0} up and back",
    "more than {0} down and back",
    "two or more reversals of {0}",
    "less than {0} in all",
)
_TITLES = {
    "state": "States: the measure's mean in a quarter of the span",
    "change": "Changes: how far the measure changes over a quarter of the span",
    "course": "Courses: how the measure goes over the whole span",
    "held": "Held: the longest time that the measure stays between two edges",
    "whole": "One value for the whole span",
}


def vocabulary() -> str:
    """The tables, one a kind: subject, what holds, measure, between which edges. Both sides stand in one row."""
    lines = [
        f"{len(SEGMENT_NAMES) + len(SPAN_NAMES)} predicates: {len(SEGMENT_NAMES)} that hold in a quarter of a span, "
        f"{len(SPAN_NAMES)} that hold of a span as a whole."
    ]
    for kind, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| who | what | measure | where |", "|---|---|---|---|"]
        for family in FAMILIES:
            if family.kind == kind and "left" not in family.subject:
                lines += _rows(family)
    return "\n".join(lines)


def _rows(family: Family) -> list[str]:
    def sides(text: str) -> str:
        # The right side stands for both; what it calls the left is then the other.
        if "right" not in family.subject:
            return text
        return text.replace("left", "other").replace("right", "right/left")

    measure = family.measure.replace("right_", "") if "right" in family.subject else family.measure
    ranges = _ranges(family)
    return [
        f"| {sides(family.subject)} | {sides(say(word))} | {measure} | {where} |"
        for word, where in zip(family.words, ranges, strict=True)
        if word
    ]


def _ranges(family: Family) -> list[str]:
    edges = [f"{edge:g}" for edge in family.edges]
    if family.kind == "course":
        return [text.format(edges[0]) for text in _COURSE]
    if family.kind == "held":
        between = f"{edges[0]} to {edges[1]}"
        short, long = HELD_EDGES_S
        return [f"{between}, under {short:g} s", f"{between}, {short:g} to {long:g} s", f"{between}, over {long:g} s"]
    inner = [f"{a} to {b}" for a, b in pairwise(edges)]
    return [f"under {edges[0]}", *inner, f"from {edges[-1]}"]


def with_vocabulary(page: str) -> str:
    """The page with the tables between its two marks replaced. Raises ValueError where it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{vocabulary()}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_vocabulary(target.read_text("utf-8")), "utf-8")
