"""Start the app: pages, guard and server."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from nicegui import app, background_tasks, ui
from starlette.middleware import Middleware

from metalens.app.data_view import DataView
from metalens.app.design_view import DesignView
from metalens.app.files import routes
from metalens.app.frame import frame
from metalens.app.guard import Guard
from metalens.app.lens_view import LensView
from metalens.app.photographs import LARGEST_UPLOAD, MOST_AT_ONCE
from metalens.app.project import Project
from metalens.app.restore_view import RestoreView
from metalens.app.studio import Studio
from metalens.formats.files.errors import InputError

LOCAL = "127.0.0.1"

_MOMENT = 0.02
"""Seconds."""

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="none" '
    'stroke="#2f5f94" stroke-width="3"/><circle cx="16" cy="16" r="7.5" fill="none" stroke="#2f5f94" '
    'stroke-width="2.5"/><circle cx="16" cy="16" r="2.5" fill="#b4501e"/></svg>'
)

_LARGEST_BODY = MOST_AT_ONCE * LARGEST_UPLOAD
_PAGES: dict[str, Callable[[Studio], object]] = {
    "/": RestoreView,
    "/lens": LensView,
    "/design": DesignView,
    "/data": DataView,
}


@dataclass(frozen=True)
class Address:
    """Where the app answers.

    Attributes:
        host: that it binds to.
        port: of TCP.
        token: the secret in the address.
        names: further host names under which it may be asked for.
    """

    host: str
    port: int
    token: str
    names: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """What is opened in a browser."""
        return f"http://{_bracketed(self.host)}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> list[str]:
        """Values of ``Host`` that are let through."""
        local = ("localhost",) if self.host == LOCAL else ()
        return [f"{_bracketed(name)}:{self.port}" for name in (self.host, *local, *self.names)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def free_address(host: str, port: int, names: tuple[str, ...] = ()) -> Address:
    """An address with a new token.

    Args:
        host: to bind to.
        port: of TCP; 0 for any free one.
        names: further host names under which it may be asked for.

    Raises:
        InputError: the port is taken, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
    except OSError as error:
        raise InputError(
            f"metalens app: cannot listen on {host}, port {port} ({error.strerror or error}); choose another --port or "
            "--host."
        ) from error
    return Address(host, port, secrets.token_urlsafe(24), names)


def pages(studio: Studio) -> None:
    """Register the addresses of files and the end of the studio; the pages are built by :func:`page`."""
    app.include_router(routes(studio.project))
    app.on_shutdown(studio.end)


def page(studio: Studio) -> Callable[[], None]:
    """The function that builds each page.

    Args:
        studio: of the app.
    """

    def view(build: Callable[[Studio], object]) -> Callable[[], None]:
        def built() -> None:
            build(studio)

        return built

    return lambda: frame(studio.project, {path: view(build) for path, build in _PAGES.items()})


def serve(project: Project, address: Address, *, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the app until it is interrupted.

    Args:
        project: the folder that it works in.
        address: where it answers.
        browser: open the address in a browser.
        say: called with the address when it answers.
    """
    studio = Studio(project)
    pages(studio)

    async def tell() -> None:
        # NiceGUI begins before the port is open.
        while not await _answers(address):
            await asyncio.sleep(_MOMENT)
        say(address.url)
        if browser:
            webbrowser.open(address.url)

    app.on_startup(lambda: background_tasks.create(tell()))
    # Outermost: before pages, files and web sockets.
    app.user_middleware.insert(
        0, Middleware(Guard, token=address.token, hosts=address.hosts, largest_body=_LARGEST_BODY)
    )
    # An app is ended by Ctrl-C: that is no failure, and leaves no traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _run(studio, address)


async def _answers(address: Address) -> bool:
    try:
        _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:
        return False
    writer.close()
    return True


def _run(studio: Studio, address: Address) -> None:
    ui.run(
        page(studio),
        host=address.host,
        port=address.port,
        title="metalens",
        language="en-GB",
        show=False,
        reload=False,
        show_welcome_message=False,
        reconnect_timeout=30.0,
        favicon=_ICON,
    )
