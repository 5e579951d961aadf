"""A thread that reads a live source and keeps only its newest picture."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.errors import CameraError
from edge_c2vl.names import printable

if TYPE_CHECKING:
    from edge_c2vl.cameras.options import CameraOptions

# How long closing waits for a reader that is inside a blocking read. It is then left to end by itself.
JOIN_TIMEOUT_S = 2.0
# The longest time between two pictures of a file that is played at its own speed. What lies farther apart is a gap
# in the recording: a dash camera that was parked, two files joined.
MAX_WAIT_S = 10.0

log = logging.getLogger("edge_c2vl")


class _Reader:
    """One opening of the source. The thread that opens it also reads and closes it, because releasing a capture while
    another thread is inside its `read` crashes. A reader that is stuck shares nothing with the one that follows it."""

    def __init__(self, name: str, open_source: Callable[[], PictureSource]) -> None:
        self._open_source = open_source
        self.changed = threading.Condition()
        self.source: PictureSource | None = None
        self.newest: Picture | None = None
        self.error: Exception | None = None
        self.ended = False
        self.stopping = False
        self.dropped = 0
        self.thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        source = None
        try:
            source = self._open_source()
            with self.changed:
                self.source = source
                self.changed.notify_all()
            while not self.stopping and (picture := source.read()) is not None:
                with self.changed:
                    self.dropped += self.newest is not None
                    self.newest = picture
                    self.changed.notify_all()
        except Exception as error:  # `read` raises it
            self.error = error
        finally:
            if source is not None:
                source.close()
            with self.changed:
                self.ended = True
                self.changed.notify_all()


class Latest(PictureSource):
    """Reads `open_source()` in a thread. A live source that delivers nothing for `read_timeout_s` (None: may take its
    time) has failed. Pictures that nobody took before the next one came are counted in `dropped`."""

    live = True

    def __init__(
        self, name: str, open_source: Callable[[], PictureSource], open_timeout_s: float, read_timeout_s: float | None
    ) -> None:
        self._name, self._open_source = name, open_source
        self._open_timeout_s, self._read_timeout_s = open_timeout_s, read_timeout_s
        self._dropped_before = self._damaged_before = 0
        self._interrupted = False
        self._reader = self._start()

    def _start(self) -> _Reader:
        reader = _Reader(self._name, self._open_source)
        with reader.changed:
            reader.changed.wait_for(lambda: reader.source is not None or reader.ended, self._open_timeout_s)
            if reader.error is not None and reader.newest is None:
                raise reader.error
            if reader.source is None:
                reader.stopping = True
                raise CameraError(f"cannot open {self._name}: no answer within {self._open_timeout_s:g} s")
            self.fps = reader.source.fps
        return reader

    @property
    def dropped(self) -> int:
        return self._dropped_before + self._reader.dropped

    @property
    def damaged(self) -> int:
        source = self._reader.source
        return self._damaged_before + (source.damaged if source is not None else 0)

    def read(self) -> Picture | None:
        """Waits for a picture newer than the last one read. None at the end of a file, and once interrupted."""
        reader = self._reader
        with reader.changed:
            reader.changed.wait_for(
                lambda: reader.newest is not None or reader.ended or self._interrupted, self._read_timeout_s
            )
            picture, reader.newest = reader.newest, None
            if picture is not None or self._interrupted:
                return picture
            if reader.error is not None:
                raise reader.error
            if reader.ended:
                return None
            raise CameraError(f"{self._name} delivered no picture for {self._read_timeout_s:g} s")

    def interrupt(self) -> None:
        self._interrupted = True
        with self._reader.changed:
            self._reader.changed.notify_all()

    def close(self) -> None:
        self._reader.stopping = True
        self._reader.thread.join(JOIN_TIMEOUT_S)

    def reopen(self) -> None:
        self.close()
        self._dropped_before, self._damaged_before = self.dropped, self.damaged
        self._reader = self._start()
        self._interrupted = False


class Paced(PictureSource):
    """A file at its own speed: each picture is held back until its time has come. Used inside `Latest`, so that a slow
    reader misses pictures as it would with a camera."""

    live = True

    def __init__(self, name: str, file: PictureSource) -> None:
        self._name, self._file = name, file
        self.fps = file.fps
        self._started_s: float | None = None
        self._last_s = 0.0
        self._told = False

    @property
    def damaged(self) -> int:
        return self._file.damaged

    def read(self) -> Picture | None:
        picture = self._file.read()
        if picture is None:
            return None
        timestamp_s = picture.timestamp_s
        if self._started_s is None or not self._last_s <= timestamp_s <= self._last_s + MAX_WAIT_S:
            # Nothing was recorded in between, or the recording's clock was set: its time goes on from here.
            self._tell(timestamp_s)
            self._started_s = time.monotonic() - timestamp_s
        self._last_s = timestamp_s
        time.sleep(max(0.0, self._started_s + timestamp_s - time.monotonic()))
        return replace(picture, captured_s=time.monotonic())

    def _tell(self, timestamp_s: float) -> None:
        if self._started_s is not None and not self._told:
            self._told = True
            jump_s = timestamp_s - self._last_s
            log.warning("%s: its time jumps by %.0f s; such gaps are not waited for", printable(self._name), jump_s)

    def close(self) -> None:
        self._file.close()

    def reopen(self) -> None:
        raise NotImplementedError("Latest opens a new file instead")


def at_own_speed(open_file: Callable[[], PictureSource], name: str, options: CameraOptions) -> PictureSource:
    """The file; with `options.realtime` as a live source that plays it at the speed of its timestamps."""
    if not options.realtime:
        return open_file()
    return Latest(name, lambda: Paced(name, open_file()), options.open_timeout_s, read_timeout_s=None)
