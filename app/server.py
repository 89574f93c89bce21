"""Start the app: pages, guard and server."""

from __future__ import annotations

import asyncio
import logging
import signal
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from nicegui import Client, app, background_tasks, ui
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metalens.app.address import Address
from metalens.app.files import routes
from metalens.app.frame import Sentence, frame
from metalens.app.guard import Guard
from metalens.app.photographs import LARGEST_UPLOAD, MOST_AT_ONCE
from metalens.app.studio import Studio
from metalens.formats.files.errors import InputError, sentence_of

_MOMENT = 0.02
"""Seconds."""

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="14" fill="none" '
    'stroke="#2f5f94" stroke-width="3"/><circle cx="16" cy="16" r="7.5" fill="none" stroke="#2f5f94" '
    'stroke-width="2.5"/><circle cx="16" cy="16" r="2.5" fill="#b4501e"/></svg>'
)

_LARGEST_BODY = MOST_AT_ONCE * LARGEST_UPLOAD
_VIEWS = {
    "/": "restore_view:RestoreView",
    "/lens": "lens_view:LensView",
    "/design": "design_view:DesignView",
    "/data": "data_view:DataView",
}
"""Path → module and class, imported when it is first opened: SciPy and matplotlib take as long as all else."""


def pages(studio: Studio) -> None:
    """Register the addresses of files and the end of the studio; the pages are built by :func:`page`."""
    app.include_router(routes(studio.project))
    app.on_shutdown(studio.end)


def page(studio: Studio) -> Callable[[], None]:
    """The function that builds each page.

    Args:
        studio: of the app.
    """

    def view(path: str) -> Callable[[], None]:
        def built() -> None:
            module, _, name = _VIEWS[path].partition(":")
            try:
                studio.project.part()
                getattr(import_module(f"metalens.app.{module}"), name)(studio)
            except InputError as error:
                Sentence().show(sentence_of(error))

        return built

    return lambda: frame(studio.project, {path: view(path) for path in _VIEWS})


def serve(studio: Studio, address: Address, *, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the app until it is interrupted.

    Args:
        studio: of the app.
        address: where it answers.
        browser: open the address in a browser.
        say: called with the address when it answers.
    """
    pages(studio)

    async def tell() -> None:
        # NiceGUI begins before the port is open.
        while not await _answers(address):
            await asyncio.sleep(_MOMENT)
        say(address.url)
        if browser:
            webbrowser.open(address.url)

    app.on_startup(lambda: background_tasks.create(tell()))
    app.user_middleware.insert(0, Middleware(PagesEnd))
    # Outermost: before pages, files and web sockets.
    app.user_middleware.insert(
        0, Middleware(Guard, token=address.token, port=address.port, hosts=address.hosts, largest_body=_LARGEST_BODY)
    )
    # Sentences are for the page; what is a bug is logged with its traceback.
    logging.getLogger("nicegui").addFilter(lambda record: not isinstance((record.exc_info or (0, 0))[1], InputError))
    # An app is ended by Ctrl-C: that is no failure, and leaves no traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _run(studio, address)


class PagesEnd:
    """Delete all pages when the server ends, or NiceGUI waits two seconds for the loop of updates of each.

    Args:
        app: the ASGI application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; see the ASGI specification."""

        async def seen() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                for client in tuple(Client.instances.values()):
                    client.delete()
            return message

        await self.app(scope, seen if scope["type"] == "lifespan" else receive, send)


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
