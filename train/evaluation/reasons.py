"""Alerts of each reason against when they were due: precision, recall, delay, false alerts an hour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_c2vl.monitoring.events import Alert
from edge_c2vl.monitoring.standing import Level
from train.extraction.label_files import AMBIGUOUS, Span


@dataclass(frozen=True)
class ReasonCounted:
    """due: stretches in which an alert was due. alerts: those that began. right: of these, such as began while one was
    due. delays_s: of each stretch in which an alert began or stood, from its start. seconds: that were judged."""

    due: int = 0
    alerts: int = 0
    right: int = 0
    delays_s: tuple[float, ...] = ()
    false_alerts: int = 0
    seconds: float = 0.0

    def __add__(self, other: ReasonCounted) -> ReasonCounted:
        return ReasonCounted(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def to_json(self) -> dict[str, Any]:
        """The counts and what follows from them; None where a figure does not exist."""
        hours, judged = self.seconds / 3600, self.right + self.false_alerts
        return {
            "due": self.due,
            "alerts": self.alerts,
            "precision": self.right / judged if judged else None,
            "recall": len(self.delays_s) / self.due if self.due else None,
            "delay_median_s": float(np.median(self.delays_s)) if self.delays_s else None,
            "delay_p95_s": float(np.percentile(self.delays_s, 95)) if self.delays_s else None,
            "false_alerts": self.false_alerts,
            "false_alerts_an_hour": self.false_alerts / hours if hours else None,
            "seconds": self.seconds,
        }


def stood(alerts: Sequence[Alert], last_s: float) -> list[Span]:
    """From when to when each reason's alert stood, whatever its level; label: the reason."""
    begun: dict[str, float] = {}
    spans: list[Span] = []
    for alert in alerts:
        reason = alert.reason.value
        if alert.level is not Level.NONE:
            begun.setdefault(reason, alert.timestamp_s)
        elif reason in begun:
            spans.append(Span(begun.pop(reason), alert.timestamp_s, reason))
    spans += [Span(start_s, max(last_s, start_s), reason) for reason, start_s in begun.items()]
    return sorted(spans, key=lambda span: (span.start_s, span.label))


def count_reason(
    reason: str, truth: Sequence[Span], alerts: Sequence[Span], grace_s: float, seconds: float
) -> ReasonCounted:
    """truth: a recording's rows; neighbours that name the reason are one stretch. alerts: of `stood`. An alert is right
    where it begins while it is due or within `grace_s` after that, and neither right nor false where a row that is
    not judged says so."""
    due: list[Span] = []
    for span in sorted(truth, key=lambda span: span.start_s):
        if reason not in (span.reasons or ()):
            continue
        if due and span.start_s <= due[-1].end_s + 1e-6:
            due[-1] = Span(due[-1].start_s, max(due[-1].end_s, span.end_s))
        else:
            due.append(Span(span.start_s, span.end_s))
    unclear = [Span(span.start_s, span.end_s + grace_s) for span in truth if span.label in AMBIGUOUS]
    late = [Span(span.start_s, span.end_s + grace_s) for span in due]
    own = [span for span in alerts if span.label == reason]
    right = [span for span in own if any(stretch.contains(span.start_s) for stretch in late)]
    false = [span for span in own if span not in right and not any(one.contains(span.start_s) for one in unclear)]
    delays = []
    for stretch, until in zip(due, late, strict=True):
        begun = [span.start_s for span in own if span.end_s >= stretch.start_s and span.start_s <= until.end_s]
        if begun:
            delays.append(max(0.0, min(begun) - stretch.start_s))
    return ReasonCounted(len(due), len(own), len(right), tuple(delays), len(false), seconds)
