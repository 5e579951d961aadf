"""The driver's own baseline, learnt in the first minutes of a drive without being asked.

How distracted attentive driving looks differs from driver to driver: with stature, seat, habits and camera. From
windows that are most probably attentive two things are learnt: a low quantile of the log-odds of distraction, which is
taken off as far as it lies above what is usual, and the posture (driver_baseline.py). Nothing is kept on disk, and
nothing is learnt while an alert stands. Whoever sits down anew, or a camera that moved, begins it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_c2vl.monitoring.driver_baseline import MAX_SHIFT, DriverWatch, Learner
from edge_c2vl.skeletons.clip import Clip
from edge_c2vl.utils.scores import log_odds, shift_odds

# So much attentive driving is learnt from.
LEARN_MINUTES = 2.0
# Before so many windows, one a second, a quantile says little.
FIRST_WINDOWS = 15
# Of the learnt windows' log-odds: low, so that a distraction that was learnt from by mistake does not count.
QUANTILE = 0.3
# What that quantile is for a driver who needs no correction: a probability of .27.
CALM = -1.0
# A window of higher log-odds, before any offset, is not learnt from: the policy would call it distracted.
MOST_ODDS = 0.5
# A driver who was not in view for so long may be another one who comes.
GONE_S = 20.0


class SelfCalibration:
    """Learns from windows and moves later ones' probabilities by at most MAX_SHIFT of log-odds.

    usual: the log-odds that attentive windows of most drivers have with this model, at the same quantile. None: not
    known; then log-odds are only lowered, of drivers who look more distracted than CALM.
    """

    def __init__(self, usual: float | None = None, minutes: float = LEARN_MINUTES) -> None:
        self._usual, self._minutes = usual, minutes
        self.begun = 0
        """How often it has begun."""
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self.begun += 1
        self._learner = Learner(self._minutes)
        self._watch: DriverWatch | None = None
        self.offset = 0.0
        self.learnt = 0.0
        """The share of what is to be learnt that has been, 0 to 1."""

    @property
    def learning(self) -> bool:
        return self._watch is None

    def look(
        self, clip: Clip, time_s: float, probabilities: Mapping[str, float], distraction: frozenset[str]
    ) -> dict[str, float]:
        """The probabilities of a window that can be judged, as they are for this driver."""
        calm = log_odds(probabilities, distraction) < self.offset
        if self._watch is not None and self._watch.moved(clip, time_s, calm):
            self.forget()
        return shift_odds(probabilities, distraction, -self.offset)

    def learn(self, clip: Clip, time_s: float, odds: float, attentive: bool) -> None:
        """The same window once it was judged. odds: the classifier's own log-odds of distraction, before any offset.
        attentive: it may be learnt from."""
        if self._watch is not None:
            return
        self._learner.add(clip, time_s, attentive and odds < MOST_ODDS, odds)
        kept = self._learner.odds
        self.learnt = self._learner.progress
        if len(kept) >= FIRST_WINDOWS:
            self.offset = self.learnt * level_offset(kept, self._usual)
        if self._learner.done:
            self._watch = DriverWatch(self._learner.finish())

    def unseen(self, unseen_s: float) -> None:
        """Nobody has been in view for so long."""
        if GONE_S < unseen_s < math.inf:
            self.forget()


def level(odds: Sequence[float] | NDArray[np.float64]) -> float:
    """The log-odds of distraction that attentive windows have, of those that may be learnt from; NaN where none may."""
    calm = np.asarray(odds, np.float64)
    calm = calm[calm < MOST_ODDS]
    return float(np.quantile(calm, QUANTILE)) if len(calm) else math.nan


def level_offset(odds: Sequence[float] | NDArray[np.float64], usual: float | None) -> float:
    """The log-odds to take off for a driver whose attentive windows have `odds`; 0 where none may be learnt from."""
    found = level(odds)
    if math.isnan(found):
        return 0.0
    if usual is None:
        return max(0.0, min(MAX_SHIFT, found - CALM))
    return max(-MAX_SHIFT, min(MAX_SHIFT, found - usual))
