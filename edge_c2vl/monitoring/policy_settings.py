"""The alert policy's settings."""

from __future__ import annotations

from dataclasses import dataclass

# What no setting is above: a year, in seconds.
LARGEST = 365 * 24 * 3600.0


@dataclass(frozen=True)
class PolicySettings:
    """Every setting, with its unit in its name.

    State. smoothing_s: time constant of the filter over the probability of distraction. distracted_above,
    attentive_below: the two thresholds on it, apart so that the state does not flicker (openpilot's driver monitoring
    uses 0.63 and 0.37). min_fill: a younger window, as a share of its length, is "starting". nobody_after_s: how long
    nobody must have been in view before the state is "nobody". dropout_s: for so long there may be nothing to judge by
    without the state, attention or sight being broken off.

    Long distraction. warning_fast_s from fast_kmh on, warning_slow_s from slow_kmh on; below slow_kmh alerts pause. A
    vehicle that was above a limit counts as above it until it is speed_hysteresis_kmh below. notice_share,
    critical_share: the other two levels, as shares of the warning's time. recovery: how many times faster awareness
    recovers than it falls. back_date_s: at most so much of what was seen before the state turned counts for it.
    attention_s: so much attention ends the alert.

    Cumulative distraction. A warning after cumulative_s of distraction within cumulative_window_s, which only
    cumulative_clear_s of unbroken attention clears.

    Cannot see. A notice where for cannot_see_s there was nothing to judge by, within a time of which that is
    cannot_see_share; cannot_see_clear_s of unbroken sight clear it. unresponsive_s: for so long an alert of distraction
    stands while the driver cannot be seen, before it escalates.

    Time. max_step_s: what lies between two observations counts as attention or distraction for no longer than this;
    for the rest of it nobody looked. speed_stale_s: an older speed is unknown, and an unknown speed counts as fast.
    """

    smoothing_s: float = 0.75
    distracted_above: float = 0.63
    attentive_below: float = 0.37
    min_fill: float = 0.5
    nobody_after_s: float = 0.5
    dropout_s: float = 0.4
    fast_kmh: float = 50.0
    slow_kmh: float = 20.0
    speed_hysteresis_kmh: float = 3.0
    warning_fast_s: float = 3.5
    warning_slow_s: float = 6.0
    notice_share: float = 0.6
    critical_share: float = 2.0
    recovery: float = 2.0
    back_date_s: float = 2.0
    attention_s: float = 1.0
    cumulative_s: float = 10.0
    cumulative_window_s: float = 30.0
    cumulative_clear_s: float = 5.0
    cannot_see_s: float = 10.0
    cannot_see_share: float = 0.7
    cannot_see_clear_s: float = 3.0
    unresponsive_s: float = 10.0
    max_step_s: float = 1.0
    speed_stale_s: float = 5.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            # An integer of hundreds of digits is above 0, and no float.
            if not (number and 0 < value <= LARGEST):
                raise ValueError(f"{name} is a number above 0, not {str(value)[:40]!r}")
        if not self.attentive_below <= self.distracted_above < 1:
            raise ValueError("attentive_below is not above distracted_above, and both are below 1")
        if self.min_fill > 1 or self.cannot_see_share > 1:
            raise ValueError("min_fill and cannot_see_share are at most 1")
        if not self.notice_share <= 1 <= self.critical_share:
            raise ValueError("notice_share is at most 1, critical_share at least 1")
        if self.slow_kmh > self.fast_kmh or self.cumulative_s > self.cumulative_window_s:
            raise ValueError("slow_kmh is at most fast_kmh, cumulative_s at most cumulative_window_s")
        if self.speed_hysteresis_kmh >= self.slow_kmh:
            raise ValueError("speed_hysteresis_kmh is below slow_kmh, or alerts would never pause")

    @property
    def gap_s(self) -> float:
        """Two observations farther apart than this have a time between them in which nobody looked."""
        return self.max_step_s + self.dropout_s
