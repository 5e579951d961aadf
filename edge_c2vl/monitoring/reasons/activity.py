"""What the driver does: long and cumulative distraction, no sight, and the escalation where nobody answers."""

from __future__ import annotations

from edge_c2vl.monitoring.policy_settings import PolicySettings
from edge_c2vl.monitoring.reasons.ladder import Ladder, Rungs, Spans
from edge_c2vl.monitoring.standing import Level, Reason


class Activity:
    """Awareness, and the sums of time that alerts follow.

    Time in which the newest window contradicts the state is in doubt: it counts once it is known whether the state
    turned. So a distraction counts from its first window on, and looking up from the first attentive one.
    """

    def __init__(self) -> None:
        self.ladder = Ladder()
        self._now_s = 0.0  # the policy's own time, which starts at 0 and never runs backwards
        self._doubt_s = 0.0
        self._distracted, self._blind = Spans(), Spans()
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

    def alerts(self) -> dict[Reason, Level]:
        """What stands now, Level.NONE where nothing does; nothing while alerts pause."""
        return {
            Reason.UNRESPONSIVE: Level.CRITICAL if self._unresponsive else Level.NONE,
            Reason.LONG: self.ladder.level,
            Reason.CUMULATIVE: Level.WARNING if self._cumulative else Level.NONE,
            Reason.CANNOT_SEE: Level.NOTICE if self._cannot_see else Level.NONE,
        }

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
            self.ladder.end()
            self._unresponsive, self._out_of_view_s = False, 0.0
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
        if self.ladder.level > Level.NONE:
            # Hiding does not end what had begun.
            self._fall(step_s, limit_s, settings)
        if self.ladder.level > Level.NONE or self._cumulative:
            self._out_of_view_s += step_s
            if self._out_of_view_s >= settings.unresponsive_s - 1e-9:
                self._unresponsive = True

    def _pause(self, step_s: float, settings: PolicySettings) -> None:
        self._attention_s += step_s
        self._sight_s = self._lost_s = self._doubt_s = self._out_of_view_s = 0.0
        self.ladder.end()
        self._cannot_see, self._unresponsive = False, False
        self._blind.clear()
        self._recover(step_s, None, settings)

    def _fall(self, seconds: float, limit_s: float, settings: PolicySettings) -> None:
        self.ladder.fall(seconds, rungs_of(limit_s, settings))

    def _recover(self, seconds: float, limit_s: float | None, settings: PolicySettings) -> None:
        critical_s = rungs_of(limit_s or settings.warning_slow_s, settings).critical_s
        self.ladder.recover(seconds, critical_s, settings.recovery)


def rungs_of(limit_s: float, settings: PolicySettings) -> Rungs:
    """The levels of a distraction whose warning comes after limit_s."""
    return Rungs(settings.notice_share * limit_s, limit_s, settings.critical_share * limit_s)
