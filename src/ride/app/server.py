"""Serves the page to this machine and to nobody else."""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ride.app.limits import Limits
from ride.errors import ConfigError
from ride.models.files import load

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]
"""What a browser may call this machine; any other name is that of somebody who has put theirs on our address."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        # gradio writes its own scripts into the page and makes functions of templates.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Keeps the browser from asking any other machine for anything."""


def serve(port: int, models: tuple[str, ...], limits: Limits, ready: Callable[[str], None]) -> None:
    """Serve the page until an interrupt; `ready` gets its address once it answers.

    Raises:
        ConfigError: gradio is not installed, or the port is taken.
        ModelError: a model cannot be loaded.
        KeyboardInterrupt: somebody has ended it.
        SystemExit: the system has told it to end, or its terminal was closed.
    """
    if not find_spec("gradio"):
        raise ConfigError("the page needs gradio: pip install 'ride-density[app]'")
    for name in models:
        load(name)
    bound = _bind(port)
    with _told(), bound, tempfile.TemporaryDirectory(prefix="ride-app-", ignore_cleanup_errors=True) as folder:
        # Read by gradio when it is imported, and by what it brings along.
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
        _run(bound, models, limits, ready)


@contextmanager
def _told() -> Iterator[None]:
    """Leave nothing behind where the system tells the process to end: its usual way would be to end there and then."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Whoever ignores one of them, as nohup does, wants the page to stay.
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(bound: socket.socket, models: tuple[str, ...], limits: Limits, ready: Callable[[str], None]) -> None:
    import uvicorn

    from ride.app.parts import Desk

    desk = Desk.of(limits, models)
    logging.getLogger("ride.app").addHandler(logging.StreamHandler())
    settings = uvicorn.Config(application(desk), log_level="warning", timeout_graceful_shutdown=1, lifespan="on")

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(f"http://{HOST}:{bound.getsockname()[1]}/")

        def handle_exit(self, sig: int, frame: Any) -> None:
            desk.close()
            super().handle_exit(sig, frame)

    try:
        Server(settings).run(sockets=[bound])
    finally:
        desk.close()


def application(desk: Any) -> Any:
    """The page as an ASGI application that answers to the names of this machine only."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from ride.app.page import build, css

    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mounted = gr.mount_gradio_app(
        outer,
        build(desk),
        path="",
        footer_links=[],
        run_history=False,
        show_error=False,
        # What is too large is refused with a sentence of its own, up to here.
        max_file_size=2 * desk.limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Base(
            primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ),
        css=css(),
    )
    mounted.add_middleware(_Guarded, most=desk.limits.kept_bytes)
    mounted.add_middleware(TrustedHostMiddleware, allowed_hosts=NAMES, www_redirect=False)
    return mounted


class _Guarded:
    """Keeps the browser from other machines, and what pages of others send from this one; bounds what is kept."""

    def __init__(self, app: Any, most: int) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refused = self._refused(scope)
        if refused:
            from starlette.responses import PlainTextResponse

            await PlainTextResponse(refused[1], refused[0])(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = {
                    "content-security-policy": POLICY,
                    "referrer-policy": "no-referrer",
                    "x-content-type-options": "nosniff",
                }
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in added.items())]
            await send(message)

        await self.app(scope, receive, guarded)

    def _refused(self, scope: Any) -> tuple[int, str] | None:
        """Status and sentence for a request that is not served."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        origin = headers.get("origin")
        # A browser lets any page send a form to this address, and says from where it is.
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return 403, "This page takes nothing from the pages of others."
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/upload"):
            kept = Path(os.environ["GRADIO_TEMP_DIR"])
            if sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) > self.most:
                return 413, "There are too many uploads here: try again in an hour."
        return None


def _bind(port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port must be from 0 (any free one) to 65535, not {port}")
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise ConfigError(f"port {port} cannot be had ({error.strerror}): give another with --port") from error
    return bound
