"""Events that were found against events that took place: precision, recall, F1, delay, false alarms. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Span:
    """From start_s to end_s seconds. `label`: what takes place."""

    start_s: float
    end_s: float
    label: str = ""

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def contains(self, time_s: float) -> bool:
        return self.start_s <= time_s <= self.end_s


def iou(a: Span, b: Span) -> float:
    """Intersection over union of two spans in time."""
    both = max(0.0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s))
    either = a.length_s + b.length_s - both
    return both / either if either > 0 else 0.0


def match(truth: Sequence[Span], found: Sequence[Span], least: float = 0.5) -> list[tuple[int, int]]:
    """Pairs (truth, found) of equal label with an IoU of `least` or more, the best first; each in one pair at most."""
    pairs = [
        (iou(event, answer), number, place)
        for number, event in enumerate(truth)
        for place, answer in enumerate(found)
        if event.label == answer.label
    ]
    taken: list[tuple[int, int]] = []
    for overlap, number, place in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        free = all(number != other and place != answer for other, answer in taken)
        if overlap >= least and overlap > 0 and free:
            taken.append((number, place))
    return sorted(taken)


def merged(spans: Sequence[Span], gap_s: float = 0.0) -> list[Span]:
    """The spans without their labels, in order; those that overlap, or are `gap_s` apart or less, as one."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start_s, span.end_s)):
        if result and span.start_s <= result[-1].end_s + gap_s:
            result[-1] = Span(result[-1].start_s, max(result[-1].end_s, span.end_s))
        else:
            result.append(Span(span.start_s, span.end_s))
    return result


@dataclass(frozen=True)
class Counted:
    """truth, found: numbers of events; matched: of pairs. delays_s: of each event that was noticed while it lasted,
    from its start. noticed: how many were. alerts, false_alerts: numbers. seconds: of recording that were judged."""

    truth: int = 0
    found: int = 0
    matched: int = 0
    delays_s: tuple[float, ...] = ()
    alerts: int = 0
    false_alerts: int = 0
    false_events: int = 0
    seconds: float = 0.0

    def __add__(self, other: Counted) -> Counted:
        return Counted(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def noticed(self) -> int:
        return len(self.delays_s)

    def to_json(self) -> dict[str, Any]:
        """The counts and what follows from them; None where a figure does not exist."""
        hours = self.seconds / 3600
        delays = np.array(self.delays_s)
        return {
            "truth": self.truth,
            "found": self.found,
            "matched": self.matched,
            "precision": self.matched / self.found if self.found else None,
            "recall": self.matched / self.truth if self.truth else None,
            "f1": 2 * self.matched / (self.truth + self.found) if self.truth + self.found else None,
            "noticed": self.noticed,
            "delay_median_s": float(np.median(delays)) if len(delays) else None,
            "delay_p95_s": float(np.percentile(delays, 95)) if len(delays) else None,
            "alerts": self.alerts,
            "false_alerts": self.false_alerts,
            "false_alerts_an_hour": self.false_alerts / hours if hours else None,
            "false_events": self.false_events,
            "false_events_an_hour": self.false_events / hours if hours else None,
            "hours": hours,
            "seconds": self.seconds,
        }


def count(
    truth: Sequence[Span],
    found: Sequence[Span],
    *,
    least_iou: float = 0.5,
    ambiguous: Sequence[Span] = (),
    alerts_s: Sequence[float] = (),
    grace_s: float = 0.0,
    seconds: float = 0.0,
) -> Counted:
    """Compares what took place with what was found in one recording.

    An event's delay runs from its start to the first found event of its label that touches it. An alert is false where
    no event is under way, nor has ended less than `grace_s` before: the window that is judged reaches back that far. A
    found event is false where it touches no event of its label, that grace allowed. Within an ambiguous span, whose
    label does not matter, and that grace behind it, no alert is false, and a found event that matches none is not
    counted.
    """
    late_ambiguous = [Span(span.start_s, span.end_s + grace_s) for span in ambiguous]
    kept = {place for _, place in match(truth, found, least_iou)}
    found = [
        span
        for place, span in enumerate(found)
        if place in kept or not any(_touch(span, unclear) for unclear in late_ambiguous)
    ]
    delays = []
    for event in truth:
        touching = [span.start_s for span in found if span.label == event.label and _touch(event, span)]
        if touching:
            delays.append(max(0.0, min(touching) - event.start_s))
    late = [Span(event.start_s, event.end_s + grace_s, event.label) for event in truth]
    false_events = sum(not any(_touch(event, span) and event.label == span.label for event in late) for span in found)
    return Counted(
        truth=len(truth),
        found=len(found),
        matched=len(match(truth, found, least_iou)),
        delays_s=tuple(delays),
        alerts=len(alerts_s),
        false_alerts=sum(not any(event.contains(time_s) for event in (*late, *late_ambiguous)) for time_s in alerts_s),
        false_events=false_events,
        seconds=seconds,
    )


def _touch(a: Span, b: Span) -> bool:
    return a.start_s <= b.end_s and b.start_s <= a.end_s
