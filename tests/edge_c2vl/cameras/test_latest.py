"""The reader thread, with scripted sources."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edge_c2vl.cameras.base import Picture, PictureSource
from edge_c2vl.cameras.live import Latest
from edge_c2vl.errors import CameraError

BLACK = np.zeros((16, 16, 3), np.uint8)


class Scripted(PictureSource):
    """Gives a picture whenever the test lets it; records which thread did what to it."""

    live = True

    def __init__(self, count=None, error=None):
        self.turns = threading.Semaphore(0)
        self.count, self.error, self.given = count, error, 0
        self.threads = {}

    def read(self):
        self.threads["read"] = threading.get_ident()
        self.turns.acquire()
        if self.count is not None and self.given >= self.count:
            if self.error:
                raise self.error
            return None
        self.given += 1
        return Picture(BLACK, float(self.given), 0.0)

    def give(self, count=1):
        """Lets it give `count` pictures and waits until the reader has come back for more."""
        for _ in range(count):
            target = self.given + 1
            self.turns.release()
            while self.given < target:
                time.sleep(0.001)
        time.sleep(0.02)

    def close(self):
        self.threads["close"] = threading.get_ident()

    def reopen(self):
        raise NotImplementedError


def stalled():
    threading.Event().wait(30)


class TestLatest:
    def test_the_newest_is_kept_and_the_others_are_counted(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, 1)
        source.give(5)
        assert camera.read().timestamp_s == 5
        source.give()
        assert camera.read().timestamp_s == 6
        assert camera.dropped == 4
        source.turns.release()
        camera.close()

    def test_a_picture_is_given_once(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, read_timeout_s=0.1)
        source.give()
        camera.read()
        with pytest.raises(CameraError, match=r"test delivered no picture for 0\.1 s"):
            camera.read()
        source.turns.release()
        camera.close()

    def test_one_thread_opens_reads_and_closes(self):
        source, opened_by = Scripted(), []

        def open_source():
            opened_by.append(threading.get_ident())
            return source

        camera = Latest("test", open_source, 1, 1)
        source.give()
        source.turns.release()
        camera.close()
        assert opened_by == [source.threads["read"]] == [source.threads["close"]]
        assert opened_by[0] != threading.get_ident()

    def test_what_came_before_the_end_is_still_given(self):
        source = Scripted(1, CameraError("unplugged"))
        camera = Latest("test", lambda: source, 1, 1)
        source.turns.release(2)
        time.sleep(0.05)
        assert camera.read().timestamp_s == 1
        with pytest.raises(CameraError, match="unplugged"):
            camera.read()

    def test_the_end_of_a_file_is_none(self):
        source = Scripted(1)
        camera = Latest("test", lambda: source, 1, 1)
        source.turns.release(2)
        assert camera.read().timestamp_s == 1
        assert camera.read() is None

    def test_an_error_while_opening_is_raised(self):
        def fail():
            raise CameraError("no such camera")

        with pytest.raises(CameraError, match="no such camera"):
            Latest("test", fail, 1, 1)

    def test_an_opening_that_hangs_is_given_up(self):
        with pytest.raises(CameraError, match=r"cannot open test: no answer within 0\.1 s"):
            Latest("test", stalled, 0.1, 1)

    def test_interrupt_wakes_a_waiting_reader(self):
        source = Scripted()
        camera = Latest("test", lambda: source, 1, 20)
        threading.Timer(0.05, camera.interrupt).start()
        assert camera.read() is None
        source.turns.release()
        camera.close()

    def test_reopen_connects_anew_and_keeps_the_count(self):
        sources = [Scripted(3, CameraError("ended")), Scripted()]
        opened = list(sources)
        camera = Latest("test", lambda: opened.pop(0), 1, 1)
        sources[0].give(3)
        sources[0].turns.release()
        camera.read()
        with pytest.raises(CameraError):
            camera.read()
        camera.reopen()
        sources[1].give(2)
        assert camera.read().timestamp_s == 2
        assert camera.dropped == 2 + 1
        sources[1].turns.release()
        camera.close()

    def test_a_reader_that_is_stuck_does_not_block_closing_nor_the_next_one(self, monkeypatch):
        monkeypatch.setattr("edge_c2vl.cameras.live.JOIN_TIMEOUT_S", 0.05)
        stuck, fresh = Scripted(), Scripted()
        opened = [stuck, fresh]
        camera = Latest("test", lambda: opened.pop(0), 1, 0.1)
        camera.reopen()
        fresh.give(7)
        stuck.give(1)  # comes back to life: its picture must not appear
        assert camera.read().timestamp_s == 7
        fresh.turns.release()
        camera.close()
