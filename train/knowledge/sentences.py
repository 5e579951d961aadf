"""Posecodes in words: the caption of a span as a whole, and one of each part of the body.

A caption is made of clauses, divided by "; " and ". ", so that they can also be embedded one by one (text.py). What
happens throughout comes first, then what begins in each quarter: "At first ...", "Then ...", "After that ...",
"At the end ...".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from train.knowledge.posecodes import SEGMENT_FAMILIES, SEGMENTS, SPAN_FAMILIES, Posecodes, say
from train.knowledge.vocabulary import PARTS, Family

FACTS = 20
WHEN = ("At first", "Then", "After that", "At the end")
QUARTERS = ("first quarter", "second quarter", "third quarter", "last quarter")
NOTHING = "Nothing of the body is seen."
NOTHING_OF_PART = "Nothing is seen of the {part}."
_PLURAL = {
    "hand": "hands",
    "elbow": "elbows",
    "arm": "arms",
    "forearm": "forearms",
    "knee": "knees",
    "thigh": "thighs",
    "foot": "feet",
}


@dataclass(frozen=True)
class Fact:
    """A predicate that holds. `when`: in which of the four segments; empty where it is said of the span as a whole."""

    part: str
    subject: str
    words: str
    weight: float
    when: tuple[bool, ...] = ()
    plural: bool = False

    def __str__(self) -> str:
        return f"{self.subject} {say(self.words, self.plural)}"

    @property
    def throughout(self) -> bool:
        return all(self.when)

    def begins(self, segment: int) -> bool:
        return self.when[segment] and (segment == 0 or not self.when[segment - 1])


def _templates(families: tuple[Family, ...]) -> list[Fact]:
    return [
        Fact(family.part, family.subject, word, weight)
        for family in families
        for word, weight in zip(family.words, family.weights, strict=True)
        if word
    ]


_SEGMENT_FACTS = _templates(SEGMENT_FAMILIES)
_SPAN_FACTS = _templates(SPAN_FAMILIES)
# Who is seen from the hips up only sits at a table or a wheel, and that is how a hand's height is best said.
_LEGS_UNSEEN = [str(fact) for fact in _SEGMENT_FACTS].index("the legs are out of sight")
_BELLY, _WHEEL = "at the height of the belly", "at the height of a steering wheel"


def facts(codes: Posecodes, index: int) -> list[Fact]:
    """What holds of span `index`, in the vocabulary's order; what both sides do at the same time is said of both."""
    segments = codes.segments[index]
    rows = np.flatnonzero(segments.any(axis=1))
    found = [replace(_SEGMENT_FACTS[row], when=tuple(segments[row].tolist())) for row in rows]
    if segments[_LEGS_UNSEEN].all():
        found = [replace(fact, words=fact.words.replace(_BELLY, _WHEEL)) for fact in found]
    found += [_SPAN_FACTS[row] for row in np.flatnonzero(codes.spans[index])]
    return _join_sides(found)


def _join_sides(found: list[Fact]) -> list[Fact]:
    """ "The right hand rises", "the left hand rises", at the same time: "both hands rise"."""
    kept: dict[tuple[str, str, tuple[bool, ...]], Fact] = {}
    for fact in found:
        side, _, noun = fact.subject.removeprefix("the ").partition(" ")
        other = {"right": "left", "left": "right"}.get(side)
        partner = kept.pop((f"the {other} {noun}", _swap_sides(fact.words), fact.when), None) if other else None
        if partner is not None:
            part = "hands" if fact.part.endswith("arm") else fact.part
            words = fact.words.replace(f"the {other}", "the other")
            fact = Fact(part, f"both {_PLURAL[noun]}", words, fact.weight + 0.25, fact.when, plural=True)
        kept[fact.subject, fact.words, fact.when] = fact
    return list(kept.values())


def _swap_sides(words: str) -> str:
    return words.replace("the left", "the \0").replace("the right", "the left").replace("the \0", "the right")


def caption(found: list[Fact], most: int = FACTS) -> str:
    """One caption of the `most` weightiest facts; of equals the vocabulary's first. Nothing seen is said so."""
    told = sorted((fact for fact in found if fact.weight > 0), key=lambda fact: -fact.weight)[:most]
    return _narrate(told or found) or NOTHING


def part_captions(found: list[Fact]) -> list[str]:
    """A caption of all that is known of each of PARTS, in that order."""
    parts = {part: [fact for fact in found if fact.part == part] for part in PARTS}
    return [_narrate(known) or NOTHING_OF_PART.format(part=part) for part, known in parts.items()]


def quarter_captions(codes: Posecodes, index: int) -> list[str]:
    """Five captions: of each quarter, all that holds in it, and of the span, how it goes as a whole. For encoding
    clause by clause rather than for reading: nothing is left out, and each side speaks for itself, so that what two
    clips have in common is said in the same clauses."""
    segments, spans = codes.segments[index], codes.spans[index]
    quarters = [[_SEGMENT_FACTS[row] for row in np.flatnonzero(segments[:, at])] for at in range(SEGMENTS)]
    whole = [_SPAN_FACTS[row] for row in np.flatnonzero(spans)]
    return [_sentence("", told) or NOTHING for told in (*quarters, whole)]


def columns(parts: bool, quarters: bool, told: bool = False) -> list[str]:
    """The subject of each of a span's captions, in their order (see kinematics.captions, BankSettings.told)."""
    of_time = (*QUARTERS, "the course") if quarters else ()
    return ["the whole", *(PARTS if parts else ()), *of_time, *(("what is done",) if told else ())]


def _narrate(told: list[Fact]) -> str:
    sentences = [_sentence("", [fact for fact in told if fact.throughout])]
    for segment, when in enumerate(WHEN):
        now = [fact for fact in told if fact.when and not fact.throughout and fact.begins(segment)]
        sentences.append(_sentence(when, now))
    return " ".join(filter(None, sentences))


def _sentence(when: str, told: list[Fact]) -> str:
    if not told:
        return ""
    text = f"{when} {'; '.join(map(str, told))}.".lstrip()
    return text[0].upper() + text[1:]
