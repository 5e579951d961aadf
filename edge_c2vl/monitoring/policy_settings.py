"""The alert policy's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_c2vl.settings.fields import own_options, setting

# No time is longer than so many times its default: milliseconds taken for seconds would never alert.
LONGEST = 120


def _limit(default: float, help: str, most: float) -> Any:
    return setting(default, help, above=0, most=most)


def _seconds(default: float, help: str) -> Any:
    return _limit(default, help, LONGEST * default)


def _share(default: float, help: str) -> Any:
    return _limit(default, help, 1)


def _degrees(default: float, help: str) -> Any:
    return _limit(default, help, 180)


def _kmh(default: float, help: str) -> Any:
    return _limit(default, help, 500)


@dataclass(frozen=True)
class PolicySettings:
    """Every setting, with its unit in its name. Raises ValueError where a value cannot be."""

    # State. openpilot's driver monitoring uses thresholds of 0.63 and 0.37: apart, so that the state does not flicker.
    smoothing_s: float = _seconds(0.75, "Time constant of the filter over the probability of distraction.")
    distracted_above: float = _share(0.63, "Filtered probability above which the driver is distracted.")
    attentive_below: float = _share(0.37, "Filtered probability below which the driver is attentive.")
    min_fill: float = _share(0.5, "A younger window, as a share of its length, is `starting`.")
    nobody_after_s: float = _seconds(0.5, "How long nobody must have been in view before the state is `nobody`.")
    dropout_s: float = _seconds(
        0.4, "For so long there may be nothing to judge by without state, attention or sight being broken off."
    )
    # Long distraction.
    fast_kmh: float = _kmh(50.0, "From here on the fast limit counts.")
    slow_kmh: float = _kmh(20.0, "From here on the slow limit counts; below, alerts pause.")
    speed_hysteresis_kmh: float = _kmh(
        3.0, "A vehicle that was above a limit of speed counts as above it until it is so far below."
    )
    warning_fast_s: float = _seconds(3.5, "Distraction until the warning, when fast.")
    warning_slow_s: float = _seconds(6.0, "Distraction until the warning, when slow.")
    notice_share: float = _share(0.6, "The notice, as a share of the warning's time.")
    critical_share: float = _limit(2.0, "The critical alert, as a share of the warning's time.", 100)
    recovery: float = _limit(2.0, "How many times faster awareness recovers than it falls.", 100)
    back_date_s: float = _seconds(2.0, "At most so much of what was seen before the state turned counts for it.")
    attention_s: float = _seconds(1.0, "So much attention ends the alert.")
    # Cumulative distraction.
    cumulative_s: float = _seconds(10.0, "A warning after so much distraction within the window.")
    cumulative_window_s: float = _seconds(30.0, "The window of cumulative distraction.")
    cumulative_clear_s: float = _seconds(
        5.0, "So much unbroken attention clears cumulative distraction, and nothing else."
    )
    # Cannot see.
    cannot_see_s: float = _seconds(10.0, "A notice where for so long there was nothing to judge by.")
    cannot_see_share: float = _share(0.7, "The share of the time looked back on that cannot_see_s is.")
    cannot_see_clear_s: float = _seconds(3.0, "So much unbroken sight clears the notice.")
    unresponsive_s: float = _seconds(
        10.0, "So long an alert of distraction stands while the driver cannot be seen, before it escalates."
    )
    # Looking away. Degrees from the driver's own straight ahead.
    road_yaw_deg: float = _degrees(24.0, "To the side: within it the driver looks at the road.")
    road_up_deg: float = _degrees(22.0, "The same, upwards.")
    road_down_deg: float = _degrees(18.0, "The same, downwards.")
    mirror_yaw_deg: float = _degrees(65.0, "To the side: within it are mirrors; beyond, a look counts at once.")
    mirror_up_deg: float = _degrees(35.0, "The same, upwards.")
    dashboard_down_deg: float = _degrees(35.0, "The same, downwards, for the dashboard.")
    glance_s: float = _seconds(2.0, "So long a look at mirrors or dashboard does not count; a longer one does in full.")
    lost_s: float = _seconds(2.0, "So long a look away that counts goes on where the face is lost, without an alert.")
    learning_factor: float = setting(
        1.5, "Limits of gaze and eyes are so many times wider until the driver's own are learnt.", least=1, most=10
    )
    ahead_odds: float = setting(
        1.5,
        "What looking ahead with both hands on the wheel takes off the log-odds of distraction; 0: nothing.",
        least=0,
        most=10,
    )
    # Eyes closed.
    eyes_notice_s: float = _seconds(1.0, "Closed eyes until the notice.")
    eyes_warning_s: float = _seconds(1.5, "Closed eyes until the warning.")
    eyes_critical_s: float = _seconds(3.0, "Closed eyes until the critical alert.")
    # Drowsy.
    perclos_tired: float = _share(0.08, "From this PERCLOS on, over a minute, it is a sign of tiredness.")
    perclos_drowsy: float = _share(0.15, "From this PERCLOS on the driver is drowsy, without another sign.")
    long_blink_s: float = _seconds(0.5, "Closures of this length and more are long blinks.")
    long_blinks: float = _limit(3.0, "So many long blinks in a minute are a sign.", 100)
    yawns: float = _limit(3.0, "So many yawns in five minutes are a sign.", 100)
    drowsy_clear_s: float = _seconds(60.0, "The level falls once it has been lower for so long.")
    # Unresponsive.
    head_down_deg: float = _degrees(35.0, "A head that hangs lower than this, in degrees, is down.")
    slumped: float = _limit(0.6, "A head so many shoulder breadths below its own place, and still, is slumped.", 10)
    sunk_warning_s: float = _seconds(5.0, "Head down or slumped until the warning.")
    sunk_critical_s: float = _seconds(10.0, "Head down or slumped until the critical alert.")
    # Time.
    max_step_s: float = _seconds(
        1.0,
        "What lies between two observations counts as attention or distraction for no longer than this; for the rest "
        "nobody looked.",
    )
    speed_stale_s: float = _seconds(5.0, "An older speed is unknown, and an unknown speed counts as fast.")

    def __post_init__(self) -> None:
        for option in own_options(PolicySettings):
            try:
                object.__setattr__(self, option.name, option.read(getattr(self, option.name)))
            except ValueError as error:
                raise ValueError(f"{option.name} {error}") from None
        if not self.attentive_below <= self.distracted_above < 1:
            raise ValueError("attentive_below is not above distracted_above, and both are below 1")
        if self.critical_share < 1:
            raise ValueError("critical_share is at least 1")
        if self.slow_kmh > self.fast_kmh or self.cumulative_s > self.cumulative_window_s:
            raise ValueError("slow_kmh is at most fast_kmh, cumulative_s at most cumulative_window_s")
        if not self.eyes_notice_s <= self.eyes_warning_s <= self.eyes_critical_s:
            raise ValueError("eyes_notice_s is at most eyes_warning_s, and that at most eyes_critical_s")
        if self.perclos_tired > self.perclos_drowsy or self.sunk_warning_s > self.sunk_critical_s:
            raise ValueError("perclos_tired is at most perclos_drowsy, sunk_warning_s at most sunk_critical_s")
        road = (self.road_yaw_deg, self.road_up_deg, self.road_down_deg)
        outer = (self.mirror_yaw_deg, self.mirror_up_deg, self.dashboard_down_deg)
        if any(inner > limit for inner, limit in zip(road, outer, strict=True)):
            raise ValueError(
                "road_yaw_deg, road_up_deg, road_down_deg lie within mirror_yaw_deg, mirror_up_deg, dashboard_down_deg"
            )
        if self.speed_hysteresis_kmh >= self.slow_kmh:
            raise ValueError("speed_hysteresis_kmh is below slow_kmh, or alerts would never pause")

    @property
    def gap_s(self) -> float:
        """Two observations farther apart than this have a time between them in which nobody looked."""
        return self.max_step_s + self.dropout_s
