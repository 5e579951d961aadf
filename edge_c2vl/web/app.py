"""The page's addresses: static files, /healthz and the WebSocket /live. Needs the extra `web`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from edge_c2vl.utils.listen_address import allowed
from edge_c2vl.web.guard import admit

STATIC = Path(__file__).parent / "static"
MAX_VIEWERS = 64
TRY_LATER = 1013  # IANA's registry of close codes: overloaded

Session = Callable[[WebSocket], Awaitable[None]]


def make_app(
    token: str | None,
    session: Session,
    healthy: Callable[[], bool],
    max_viewers: int,
    calibrate: Callable[[], bool] | None = None,
) -> FastAPI:
    """An ASGI app. session: shows the run to one page that has shown the token, and returns when that page is done
    with. healthy: asked by /healthz. max_viewers: pages that may be open at a time, MAX_VIEWERS at most. calibrate:
    asked by a POST to /calibrate, False where there is no run yet; None: there is nothing to calibrate."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    viewers = 0

    # It contains nothing about the driver, so a process supervisor needs no token.
    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        well = healthy()
        return JSONResponse({"status": "ok" if well else "stalled"}, 200 if well else 503)

    if calibrate is not None:

        @app.post("/calibrate")
        async def begin_anew(request: Request) -> PlainTextResponse:
            # The guard has refused other sites' pages; beyond this machine it takes the token, as the page does.
            if not allowed(token, request.headers.get("authorization")):
                return PlainTextResponse("the token is missing or wrong\n", 401, {"www-authenticate": "Bearer"})
            if not calibrate():
                return PlainTextResponse("the run has not begun yet\n", 503)
            return PlainTextResponse("calibration begins anew\n", 202)

    @app.websocket("/live")
    async def live(viewer: WebSocket) -> None:
        nonlocal viewers
        # A page may go away at any moment.
        with contextlib.suppress(WebSocketDisconnect):
            if not await admit(viewer, token):
                return
            # Counted only from here on: clients that have not shown the token do not use up the number of pages.
            if viewers >= min(MAX_VIEWERS, max_viewers):
                await viewer.close(TRY_LATER)
                return
            viewers += 1
            viewer.scope["connection"].admitted = True
            try:
                await session(viewer)
            finally:
                viewers -= 1
                viewer.scope["connection"].answered()

    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return app
