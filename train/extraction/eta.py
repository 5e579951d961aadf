"""How long work on files will still take, and saying so: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from edge_c2vl.utils.progress import PLAIN_INTERVAL_S

# Before this much time and work has passed, a rate would be a guess.
MIN_SECONDS, MIN_SHARE = 3.0, 0.002


class Eta:
    """Remaining time by the bytes that this run has worked through: frame counts are not known before a video is
    opened, and opening 100,000 of them takes longer than reading some.

    Work that an earlier run has done is not in it, so it does not flatter the rate.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = [max(1, size) for size in sizes]
        self._share = [0.0] * len(sizes)
        self.total = sum(self._sizes)

    def move(self, index: int, share: float) -> None:
        """The share (0 to 1) of a file that is done; 0 again if it is restarted."""
        self._share[index] = share

    def finish(self, index: int) -> None:
        self.move(index, 1.0)

    @property
    def done(self) -> float:
        """Bytes worked through."""
        return sum(size * share for size, share in zip(self._sizes, self._share, strict=True))

    def seconds(self, elapsed_s: float) -> float | None:
        """The time left at this run's rate so far; None while that is unknown.

        Never less than the longest file under way needs at the rate of one process: at the end there are fewer files
        than processes.
        """
        done = self.done
        if elapsed_s < MIN_SECONDS or done < MIN_SHARE * self.total:
            return None
        left = [size * (1 - share) for size, share in zip(self._sizes, self._share, strict=True)]
        busy = max(1, sum(0 < share < 1 for share in self._share))
        return max(sum(left), max(left) * busy) * elapsed_s / done


def words(seconds: float | None) -> str:
    """Remaining time as one reads it; rounded as coarsely as it is known."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds / 3600:.1f} h left"


class Progress:
    """Shows on stderr how many of `total` files are done and how long the rest will take. A context manager."""

    def __init__(self, description: str, total: int, done: int, remaining: Eta) -> None:
        self._description, self._total, self._done, self._remaining = description, total, done, remaining
        self._bar: Any = None
        self._task: Any = None
        self._started_s = self._said_s = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self._description, total=self._remaining.total, state="")
        if self._done:
            self.say(f"{self._description}: {self._done} of {self._total} are there from an earlier run")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def finished(self, _name: str) -> None:
        self._done += 1

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def show(self) -> None:
        now_s = time.monotonic()
        state = f"{self._done}/{self._total}, {words(self._remaining.seconds(now_s - self._started_s))}"
        if self._bar is not None:
            self._bar.update(self._task, completed=self._remaining.done, state=state)
        elif now_s - self._said_s >= PLAIN_INTERVAL_S:
            self._said_s = now_s
            print(f"{self._description}: {state}", file=sys.stderr, flush=True)
