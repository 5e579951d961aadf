"""Plays recordings to one page, which may pause, seek, change the speed and choose another recording."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

import numpy as np

from edge_c2vl.errors import EdgeC2VLError
from edge_c2vl.replay.recording import Drive, ReplayRecording
from edge_c2vl.web import messages
from edge_c2vl.web.hub import HEARTBEAT_INTERVAL_S

TICK_S = 1 / 30
POSITION_INTERVAL_S = 0.1
HISTORY_S = 60.0
SPEEDS = (0.05, 64.0)
# Commands that may wait; a page that sends more than it could mean is not listened to.
MAX_COMMANDS = 64


class Player:
    """send: an async function that takes a message. `command` takes what the page says; `run` plays, for ever."""

    def __init__(self, drive: Drive, send: Callable[[str], Awaitable[None]], first: int = 0) -> None:
        self._drive, self._send, self._index = drive, send, first
        self._commands: deque[tuple[str, float]] = deque(maxlen=MAX_COMMANDS)
        self._wake = asyncio.Event()
        self._playing, self._speed = True, 1.0
        self._recording = ReplayRecording("", 0.0, 0.0)
        self._now_s = 0.0
        self._alert_s: list[float] = []
        self._frame = -1
        self._view: messages.Box = (0.0, 0.0, 1.0, 1.0)

    def command(self, text: str) -> None:
        """{"kind": "play" | "pause"}, or {"kind": "seek" | "speed" | "recording", "value": number}; else ignored."""
        message = messages.parse(text)
        kind, value = message.get("kind"), message.get("value", 0)
        # A number of hundreds of digits is no float.
        if not isinstance(kind, str) or type(value) not in (int, float) or not abs(value) < 1e300:
            return
        # Of several positions in a row only the last one is wanted.
        if kind == "seek" and self._commands and self._commands[-1][0] == "seek":
            self._commands.pop()
        self._commands.append((kind, float(value)))
        self._wake.set()

    async def run(self) -> None:
        await self._load(self._index)
        before_s = told_s = time.monotonic()
        while True:
            while self._commands:
                await self._obey(*self._commands.popleft())
                told_s = 0.0
            now_s = time.monotonic()
            if self._playing:
                # A page that was slow goes on from where it is, instead of jumping.
                await self._advance(self._speed * min(now_s - before_s, 0.25))
            before_s = now_s
            if now_s - told_s >= POSITION_INTERVAL_S or not self._playing:
                told_s = now_s
                await self._tell_position()
            self._wake.clear()
            if not self._playing and not self._commands:
                # A pause is no silence: the page takes that for a lost connection.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), HEARTBEAT_INTERVAL_S)
                before_s = time.monotonic()
            else:
                await asyncio.sleep(TICK_S)

    async def _obey(self, kind: str, value: float) -> None:
        if kind == "play":
            if self._now_s >= self._recording.end_s:
                await self._seek(self._recording.start_s)
            self._playing = True
        elif kind == "pause":
            self._playing = False
        elif kind == "seek":
            await self._seek(value)
        elif kind == "speed":
            self._speed = min(max(value, SPEEDS[0]), SPEEDS[1])
        elif kind == "recording" and 0 <= value < len(self._drive):
            await self._load(int(value))

    async def _load(self, index: int) -> None:
        # Reading and judging take their time, which the other pages must not wait for.
        recording, self._view = await asyncio.to_thread(self._open, index)
        self._index, self._recording = index, recording
        self._alert_s = [alert["timestamp_s"] for alert in recording.alerts]
        seen = recording.skeletons
        layout = None if seen is None else messages.layout_of(seen.layout, max(seen.min_confidence, 1e-6))
        marks = [(a["timestamp_s"], a["level"], a["reason"]) for a in recording.alerts if a["level"] != "none"]
        about = messages.recording(
            index,
            len(self._drive),
            name=recording.name,
            label=recording.label,
            start_s=recording.start_s,
            end_s=recording.end_s,
            spans=recording.spans,
            marks=marks,
            decisions=bool(recording.decisions),
            labels=recording.labels,
            distraction=recording.distraction,
            layout=layout,
        )
        await self._send(about)
        await self._seek(recording.start_s)

    def _open(self, index: int) -> tuple[ReplayRecording, messages.Box]:
        try:
            recording = self._drive.recording(index)
        except EdgeC2VLError as error:
            recording = ReplayRecording(f"cannot be shown: {error}", 0.0, 0.0)
        seen = recording.skeletons
        return recording, (0.0, 0.0, 1.0, 1.0) if seen is None else seen.view()

    async def _seek(self, time_s: float) -> None:
        recording = self._recording
        self._now_s = min(max(time_s, recording.start_s), recording.end_s)
        first, last = np.searchsorted(recording.times_s, (self._now_s - HISTORY_S, self._now_s + 1e-9))
        alerts = [messages.line(alert) for alert in recording.alerts[: self._alerts_until(self._now_s)]]
        await self._send(messages.history(recording.decisions[first:last], alerts))
        self._frame = -1
        await self._show_skeleton()

    def _alerts_until(self, time_s: float) -> int:
        return bisect.bisect_right(self._alert_s, time_s + 1e-9)

    async def _advance(self, step_s: float) -> None:
        recording, before_s = self._recording, self._now_s
        self._now_s = min(before_s + step_s, recording.end_s)
        first, last = np.searchsorted(recording.times_s, (before_s + 1e-9, self._now_s + 1e-9))
        for text in recording.decisions[first:last]:
            await self._send(text)
        for alert in recording.alerts[self._alerts_until(before_s) : self._alerts_until(self._now_s)]:
            await self._send(messages.line(alert))
        await self._show_skeleton()
        self._playing = self._now_s < recording.end_s

    async def _show_skeleton(self) -> None:
        seen = self._recording.skeletons
        if seen is None:
            return
        frame = max(0, int(np.searchsorted(seen.times_s, self._now_s + 1e-9)) - 1)
        if frame == self._frame:
            return
        self._frame = frame
        landmarks = seen.frames[frame] if seen.frames[frame, :, 3].any() else None
        label = None if seen.labels is None else seen.labels[frame]
        await self._send(messages.skeleton(landmarks, float(seen.times_s[frame]), self._view, label))

    async def _tell_position(self) -> None:
        await self._send(messages.position(self._now_s, self._playing, self._speed))
