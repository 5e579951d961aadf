"""What the driver does: long and cumulative distraction, no sight, and the escalation where nobody answers."""

from __future__ import annotations

from collections import deque

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.standing import Level, Reason, loudest_first


class _Spans:
    """How much of the last seconds belongs to something."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque()

    def add(self, begin_s: float, end_s: float) -> None:
        if self._spans and self._spans[-1][1] >= begin_s - 1e-9:
            begin_s = min(begin_s, self._spans.pop()[0])
        self._spans.append((begin_s, end_s))

    def since(self, start_s: float) -> float:
        """Seconds from start_s on; what lies before is forgotten."""
        while self._spans and self._spans[0][1] <= start_s:
            self._spans.popleft()
        return sum(end - max(begin, start_s) for begin, end in self._spans)

    def clear(self) -> None:
        self._spans.clear()


class Standing:
    """Awareness, and the sums of time that alerts follow.

    Time in which the newest window contradicts the state is in doubt: it counts once it is known whether the state
    turned. So a distraction counts from its first window on, and looking up from the first attentive one.
    """

    def __init__(self) -> None:
        self.awareness = 1.0
        self._now_s = 0.0  # the policy's own time, which starts at 0 and never runs backwards
        self._doubt_s = 0.0
        self._distracted, self._blind = _Spans(), _Spans()
        self._long = Level.NONE
        self._cumulative = self._cannot_see = self._unresponsive = False
        # In a row, but for drop-outs: attention, something to judge by, nothing to judge by.
        self._attention_s = self._sight_s = self._lost_s = 0.0
        # How long windows had been attentive when the state turned.
        self._looked_up_s = 0.0
        # How long the driver has been out of view since an alert of distraction stands.
        self._out_of_view_s = 0.0

    def pass_time(
        self, step_s: float, distracted: bool | None, doubted: bool, limit_s: float | None, settings: PolicySettings
    ) -> None:
        """`step_s` went by. distracted: what the driver was, None where nothing could be judged. doubted: the newest
        window says otherwise. limit_s: seconds of distraction until the warning; None while alerts pause."""
        self._now_s += step_s
        if limit_s is None:
            self._pause(step_s, settings)
        elif distracted is None:
            self._pass_unseen(step_s, limit_s, settings)
        else:
            self._lost_s = 0.0
            self._pass_seen(step_s, distracted, doubted, limit_s, settings)
        if self._attention_s >= settings.cumulative_clear_s - 1e-9:
            self._cumulative = False
            self._distracted.clear()
        elif self._distracted.since(self._now_s - settings.cumulative_window_s) >= settings.cumulative_s - 1e-9:
            self._cumulative = True

    def turn(self, distracted: bool, was: bool | None, limit_s: float | None, settings: PolicySettings) -> None:
        """The driver was found distracted or attentive, and before that `was` (None: nothing could be judged)."""
        doubt_s, self._doubt_s = self._doubt_s, 0.0
        self._looked_up_s = 0.0
        if distracted:
            self._attention_s = 0.0
            if limit_s is not None:
                self._fall(doubt_s, limit_s, settings)
                self._distracted.add(self._now_s - doubt_s, self._now_s)
        elif was:
            self._looked_up_s = doubt_s
            self._recover(doubt_s, limit_s, settings)

    def alerts(self, elsewhere: bool, paused: bool) -> dict[Reason, Level]:
        """Every alert that stands now, the loudest first."""
        if paused:
            return {}
        levels = {
            Reason.UNRESPONSIVE: Level.CRITICAL if self._unresponsive else Level.NONE,
            Reason.LONG: self._long,
            Reason.CUMULATIVE: Level.WARNING if self._cumulative else Level.NONE,
            Reason.CANNOT_SEE: Level.NOTICE if self._cannot_see else Level.NONE,
            Reason.ELSEWHERE: Level.NOTICE if elsewhere else Level.NONE,
        }
        return loudest_first({reason: level for reason, level in levels.items() if level > Level.NONE})

    def _pass_seen(
        self, step_s: float, distracted: bool, doubted: bool, limit_s: float, settings: PolicySettings
    ) -> None:
        self._attention_s = 0.0 if distracted else self._attention_s + step_s
        self._doubt_s += step_s
        # What is sure: all of it, or what has been in doubt for too long to be a state that turns.
        sure_s = max(0.0, self._doubt_s - settings.back_date_s) if doubted else self._doubt_s
        self._doubt_s -= sure_s
        if distracted and sure_s > 0:
            end_s = self._now_s - self._doubt_s
            self._distracted.add(end_s - sure_s, end_s)
            self._fall(sure_s, limit_s, settings)
        elif not distracted:
            self._recover(sure_s, limit_s, settings)
        if self._attention_s + self._looked_up_s >= settings.attention_s - 1e-9:
            self._long, self._unresponsive, self._out_of_view_s = Level.NONE, False, 0.0
        self._sight_s += step_s
        if self._sight_s >= settings.cannot_see_clear_s - 1e-9:
            self._cannot_see = False
            self._blind.clear()

    def _pass_unseen(self, step_s: float, limit_s: float, settings: PolicySettings) -> None:
        self._lost_s += step_s
        if self._lost_s > settings.dropout_s + 1e-9:
            # Out of sight is neither attention nor distraction: it interrupts attention and begins no distraction.
            self._attention_s = self._looked_up_s = self._sight_s = self._doubt_s = 0.0
        self._blind.add(self._now_s - step_s, self._now_s)
        window_s = settings.cannot_see_s / settings.cannot_see_share
        if self._blind.since(self._now_s - window_s) >= settings.cannot_see_s - 1e-9:
            self._cannot_see = True
        if self._long > Level.NONE:
            # Hiding does not end what had begun.
            self._fall(step_s, limit_s, settings)
        if self._long > Level.NONE or self._cumulative:
            self._out_of_view_s += step_s
            if self._out_of_view_s >= settings.unresponsive_s - 1e-9:
                self._unresponsive = True

    def _pause(self, step_s: float, settings: PolicySettings) -> None:
        self._attention_s += step_s
        self._sight_s = self._lost_s = self._doubt_s = self._out_of_view_s = 0.0
        self._long, self._cannot_see, self._unresponsive = Level.NONE, False, False
        self._blind.clear()
        self._recover(step_s, None, settings)

    def _fall(self, seconds: float, limit_s: float, settings: PolicySettings) -> None:
        """Awareness falls from 1 to 0 in critical_share times the warning's limit, whatever the limit is. The level of
        an alert that stands never falls."""
        self.awareness = max(0.0, self.awareness - seconds / (settings.critical_share * limit_s))
        fallen = (1 - self.awareness) * settings.critical_share + 1e-9
        shares = {
            Level.CRITICAL: settings.critical_share,
            Level.WARNING: 1.0,
            Level.NOTICE: settings.notice_share,
        }
        reached = next((level for level, share in shares.items() if fallen >= share), Level.NONE)
        self._long = max(self._long, reached)

    def _recover(self, seconds: float, limit_s: float | None, settings: PolicySettings) -> None:
        fall_s = settings.critical_share * (limit_s or settings.warning_slow_s)
        self.awareness = min(1.0, self.awareness + settings.recovery * seconds / fall_s)
