"""The live page: what the run sees and why it alerts, in a browser."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

from edge_c2vl.device.temperature import temperature_c
from edge_c2vl.monitoring.events import Alert, Decision, SeenFrame, SeenSkeleton, StateChange
from edge_c2vl.outputs.base import Run, Sink
from edge_c2vl.web import messages
from edge_c2vl.web.hub import Hub, Viewer
from edge_c2vl.web.messages import RunDescription
from edge_c2vl.web.server import PageServer, first_of

if TYPE_CHECKING:
    from edge_c2vl.face.tracker import Face

SKELETONS_A_SECOND = 30
PICTURES_A_SECOND = 15
HISTORY_S = 60.0
MAX_HISTORY = 1200
MAX_ALERTS = 200
# `/healthz` reports a run that has decided nothing for this long as stalled.
STALL_TIMEOUT_S = 10.0


class Pace:
    """Lets at most `per_second` through, evenly. A camera whose pictures come a little early loses none by it."""

    def __init__(self, per_second: float) -> None:
        self._period_s = 1 / per_second
        self._next_s = 0.0

    def due(self, now_s: float) -> bool:
        if now_s < self._next_s - self._period_s / 2:
            return False
        self._next_s = max(self._next_s, now_s) + self._period_s
        return True


class Page(Sink):
    """Serves the page at `address`. Pictures are sent only with `video`, and only while somebody looks. public_url:
    where a proxy serves it to others."""

    wants_skeletons = True

    def __init__(self, address: str, about: RunDescription, video: bool = False, public_url: str | None = None) -> None:
        self.wants_frames = video
        self._about, self._video = about, video
        self._boot = uuid.uuid4().hex
        self._hub = Hub()
        # These two belong to the server's thread, so that a page gets every record once, in its history or after it.
        self._decisions: deque[tuple[float, str]] = deque(maxlen=MAX_HISTORY)
        self._alerts: deque[str] = deque(maxlen=MAX_ALERTS)
        self._skeletons = Pace(SKELETONS_A_SECOND)
        self._pictures = Pace(PICTURES_A_SECOND)
        self._status = Pace(1)
        self._run: Run | None = None
        self._face: Face | None = None
        self._news_s = time.monotonic()
        self._server = PageServer(address, self._show, self._healthy, public_url, self._calibrate)
        self.url, self.port, self.invitation = self._server.url, self._server.port, self._server.invitation
        self._server.start(self._hub.look_after())

    @property
    def viewers(self) -> int:
        """Pages that are open now."""
        return len(self._hub)

    @property
    def dropped(self) -> int:
        """Pages that were dropped because they were too slow."""
        return self._hub.dropped

    def attach(self, run: Run) -> None:
        self._run = run

    def decision(self, decision: Decision) -> None:
        self._server.call(self._keep_decision, decision.timestamp_s, messages.line(decision.to_json()))
        self._tell_status()

    def state(self, change: StateChange) -> None:
        self._publish(messages.line(change.to_json()))

    def alert(self, alert: Alert) -> None:
        self._server.call(self._keep_alert, messages.line(alert.to_json()))

    def skeleton(self, skeleton: SeenSkeleton) -> None:
        self._tell_status()
        shown_with_picture = self._video and skeleton.size is not None
        if self._hub and not shown_with_picture and self._skeletons.due(time.monotonic()):
            self._publish(messages.seen_skeleton(skeleton), "skeleton")
        if self._hub and skeleton.face is not self._face:
            self._face = skeleton.face
            self._publish(messages.face(skeleton.face, skeleton.timestamp_s), "face")

    def frame(self, frame: SeenFrame) -> None:
        if self._hub and self._pictures.due(time.monotonic()):
            self._publish(messages.picture(frame), "skeleton")

    def close(self) -> None:
        self._publish(messages.ended())
        # What was just published is to leave before the connections are closed.
        time.sleep(0.1 if self._hub else 0.0)
        self._server.close()

    def _publish(self, message: str | bytes, replaces: str | None = None) -> None:
        self._server.call(self._hub.publish, message, replaces)

    def _keep_decision(self, timestamp_s: float, text: str) -> None:
        if self._decisions and timestamp_s < self._decisions[-1][0]:
            # The clock was set back: what is kept lies at another time.
            self._decisions.clear()
        self._decisions.append((timestamp_s, text))
        while self._decisions[0][0] < timestamp_s - HISTORY_S:
            self._decisions.popleft()
        self._hub.publish(text)

    def _keep_alert(self, text: str) -> None:
        self._alerts.append(text)
        self._hub.publish(text)

    def _tell_status(self) -> None:
        self._news_s = time.monotonic()
        if self._hub and self._status.due(self._news_s):
            self._publish(self._status_now(), "status")

    def _status_now(self) -> str:
        return messages.status(self._about.camera(), temperature_c(), self._run)

    def _calibrate(self) -> bool:
        if self._run is None:
            return False
        self._run.calibrate()
        return True

    def _healthy(self) -> bool:
        return time.monotonic() - self._news_s < STALL_TIMEOUT_S

    async def _show(self, socket: Any) -> None:
        async def send(message: str | bytes) -> None:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))

        async def until_closed() -> None:
            # What a page says is of no interest here; that it has gone is.
            while (await socket.receive())["type"] != "websocket.disconnect":
                await asyncio.sleep(0.05)

        viewer = Viewer(send)
        viewer.offer(messages.hello(self._boot, self._about, self._video))
        viewer.offer(messages.history((text for _, text in self._decisions), self._alerts))
        viewer.offer(self._status_now())
        self._hub.add(viewer)
        try:
            await first_of(viewer.pump(), until_closed(), viewer.given_up.wait())
        finally:
            self._hub.remove(viewer)
