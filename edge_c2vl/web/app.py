"""The page's addresses: static files, /healthz and the WebSocket /live. Needs the extra `web`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from edge_c2vl.web.guard import Guard, admit

STATIC = Path(__file__).parent / "static"
MAX_VIEWERS = 64
TRY_LATER = 1013  # IANA's registry of close codes: overloaded

Session = Callable[[WebSocket], Awaitable[None]]


def make_app(host: str, token: str | None, session: Session, healthy: Callable[[], bool]) -> Guard:
    """An ASGI app that listens on `host`. session: shows the run to one page that has shown the token, and returns when
    that page is done with. healthy: asked by /healthz."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    viewers = 0

    # It says nothing of the driver, so whoever looks after the process may ask without the token.
    @app.get("/healthz")
    def healthz() -> JSONResponse:
        well = healthy()
        return JSONResponse({"status": "ok" if well else "stalled"}, 200 if well else 503)

    @app.websocket("/live")
    async def live(viewer: WebSocket) -> None:
        nonlocal viewers
        viewers += 1
        try:
            # A page may go away at any moment.
            with contextlib.suppress(WebSocketDisconnect):
                if viewers > MAX_VIEWERS:
                    await viewer.accept()
                    await viewer.close(TRY_LATER)
                elif await admit(viewer, token):
                    await session(viewer)
        finally:
            viewers -= 1

    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return Guard(app, host)
