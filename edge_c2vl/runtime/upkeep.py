"""How a live run looks after itself: stages that hang, heat and lateness, and what systemd is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from edge_c2vl.device.systemd import Notifier
from edge_c2vl.device.temperature import temperature_c
from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.monitoring.stats import Timings
from edge_c2vl.runtime.throttle import Throttle
from edge_c2vl.utils.once import Once

CHECK_INTERVAL_S = 1.0
# Fewer ages of frames say nothing of lateness.
MIN_AGES = 10


class Stuck(EdgeC2VLError):
    """A stage has made no progress for too long. Its thread cannot be ended, so the process has to be."""


class Upkeep:
    """From the start of a run to its end; `check` is called often and looks once in CHECK_INTERVAL_S.

    watchdog_s: a stage without progress for so long is stuck. throttle: takes steps by the temperature, and by how old
    the frames behind decisions are (`timings`).
    """

    def __init__(self, throttle: Throttle, timings: Timings, once: Once, watchdog_s: float) -> None:
        self._throttle, self._timings, self._once, self._watchdog_s = throttle, timings, once, watchdog_s
        self._notifier = Notifier()
        self._notifier.send("READY=1")
        self._checked_s = time.monotonic()

    def check(self, progress_s: Mapping[str, float], status: Callable[[], str]) -> None:
        """progress_s: stage -> the monotonic time of its last progress; infinity where it has nothing to do. status:
        what systemd shows of the run. Raises Stuck; anything else that fails is told once."""
        now_s = time.monotonic()
        if now_s - self._checked_s < CHECK_INTERVAL_S:
            return
        self._checked_s = now_s
        for stage, last_s in progress_s.items():
            if now_s - last_s > self._watchdog_s:
                raise Stuck(f"no progress of {stage} for {self._watchdog_s:.0f} s; start the process again")
        hottest_c = None
        with self._once.guard("reading the temperature"):
            hottest_c = temperature_c()
        with self._once.guard("adapting the work to heat and load"):
            ages = self._timings.newest("frame age", 40)
            age_ms = float(np.percentile(ages, 95)) if len(ages) >= MIN_AGES else None
            self._throttle.update(now_s, hottest_c, age_ms)
        with self._once.guard("telling systemd"):
            self._notifier.send("WATCHDOG=1", f"STATUS={status()}")

    def close(self) -> None:
        self._notifier.send("STOPPING=1")
        self._notifier.close()
