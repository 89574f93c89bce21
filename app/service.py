"""A process that keeps something loaded and answers one request after another, as lines of JSON.

    request   {"do": "decode", …}
    replies   {"progress": [0.5, "encoding"]}, …, then {"answer": {…}} or {"error": "a sentence"}

It can be ended at any time: its results are files that appear whole or not at all. It ends by itself when the app does.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from metalens.app.project import Project
from metalens.formats.files.atomic import remove_unfinished_of
from metalens.formats.files.errors import InputError, sentence_of
from metalens.formats.files.extras import missing_package
from metalens.formats.files.foreign_text import LONGEST_MESSAGE, shown
from metalens.formats.files.interruption import STATUS, terminate_as_interrupt

Tell = Callable[[float, str], None]
"""Progress callback: share done, and what is being done."""

Handler = Callable[..., dict[str, Any]]
_Result = TypeVar("_Result")

STOPPED = "stopped; nothing half-written was left."

_SECONDS_TO_END = 2.0
"""From the request to end until it is killed: while a library loads or compiles, no process hears it."""


class Service:
    """The side of the app.

    Args:
        module: what runs in the process; it calls :func:`answer_requests`.
        project: its first argument and its working directory.
    """

    def __init__(self, module: str, project: Project) -> None:
        self.module = module
        self.project = project
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()
        self._exchanges: set[asyncio.Task[dict[str, Any]]] = set()
        self._stopped = 0

    async def ask(self, request: Mapping[str, Any], tell: Tell = lambda share, text: None) -> dict[str, Any]:
        """Send a request when those before it are answered, and wait for the answer.

        Args:
            request: ``do`` and its arguments.
            tell: progress callback.

        Returns:
            The answer of the process, as its method returned it.

        Raises:
            InputError: the request cannot be fulfilled, or was stopped.
        """
        # A page that goes away takes its question back, but not the answer: the next one would take it for its own.
        exchange = asyncio.create_task(self._exchange(request, tell))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._ended)
        return await asyncio.shield(exchange)

    def _ended(self, exchange: asyncio.Task[dict[str, Any]]) -> None:
        self._exchanges.discard(exchange)
        # Seen, also where nobody waits for it any more.
        if not exchange.cancelled():
            exchange.exception()

    async def _exchange(self, request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        asked = self._stopped
        async with self._turn:
            if asked != self._stopped:
                raise InputError(STOPPED)
            process = self.start()
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            while line := await _in_thread(process.stdout.readline):
                reply = json.loads(line)
                if "progress" in reply:
                    tell(*reply["progress"])
                elif "error" in reply:
                    raise InputError(reply["error"])
                else:
                    found: dict[str, Any] = reply["answer"]
                    return found
            if asked != self._stopped:
                raise InputError(STOPPED)
            self._process = None
            await _in_thread(lambda: _ended(process))
            raise InputError(
                f"the process ended with status {process.returncode}, perhaps for want of memory; "
                f"{self._log()} has its output; try again, with a smaller picture."
            )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the process, unless it runs.

        Args:
            arguments: further ones of the process, such as what it loads before it is asked.
        """
        if self._process is not None and self._process.poll() is not None:
            _ended(self._process)
            self._process = None
        if self._process is None:
            with self._log().open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", self.module, str(self.project.folder), *arguments],
                    cwd=self.project.folder,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        return self._process

    async def stop(self) -> None:
        """End the process and everything that waits for it; the next request starts a new one."""
        await _in_thread(self._leave())

    def end(self) -> None:
        """Stop the process where no event loop runs; otherwise as :meth:`stop`."""
        self._leave()()

    def _leave(self) -> Callable[[], None]:
        """Forget the process; what ends it is returned."""
        self._stopped += 1
        process, self._process = self._process, None

        def end() -> None:
            if process is None:
                return
            # As Ctrl-C: it removes what is half-written.
            process.terminate()
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                remove_unfinished_of(process.pid, self.project.own)
            _ended(process)

        return end

    def _log(self) -> Path:
        return self.project.part("jobs") / f"{self.module.rpartition('.')[2]}.log"


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process, and close its pipes."""
    process.wait()
    for pipe in filter(None, (process.stdin, process.stdout)):
        # What it was to be told is of no use any more.
        with suppress(OSError):
            pipe.close()


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    """Await work in a thread of its own, for which the app does not wait when it ends."""
    found: Future[_Result] = Future()

    def run() -> None:
        found.set_running_or_notify_cancel()
        try:
            found.set_result(work())
        except BaseException as error:
            found.set_exception(error)

    Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(found)


def answer_requests(handlers: Mapping[str, Handler], load: Callable[[], None] = lambda: None) -> None:
    """The side of the process: answer requests on stdin until it ends.

    Args:
        handlers: ``do`` → function of a progress callback and of the request's arguments.
        load: called before the first request; what is wrong is told to the requests that need it.
    """
    terminate_as_interrupt()
    try:
        _answer(handlers, load)
    except KeyboardInterrupt:
        # To take PyTorch or JAX down in order takes seconds on a busy machine, and nothing is left to be done.
        os._exit(STATUS)


def _answer(handlers: Mapping[str, Handler], load: Callable[[], None]) -> None:
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        # What libraries print goes into the log.
        os.dup2(2, 1)

        def reply(content: Mapping[str, Any]) -> None:
            replies.write(json.dumps(content) + "\n")
            replies.flush()

        with suppress(Exception):
            load()
        for line in sys.stdin:
            request = json.loads(line)
            try:
                handler = handlers[request.pop("do")]
                reply({"answer": handler(lambda share, text: reply({"progress": [share, text]}), **request)})
            except InputError as error:
                reply({"error": shown(sentence_of(error), LONGEST_MESSAGE)})
            except ModuleNotFoundError as error:
                reply({"error": _sentence_of(error)})
            except MemoryError:
                reply({"error": "out of memory; take a smaller picture."})
            # The process goes on with the next request; the log has the details.
            except Exception as error:
                reply({"error": _sentence_of(error)})


def _sentence_of(error: Exception) -> str:
    missing = missing_package(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    if missing is not None:
        return f"{missing}."
    traceback.print_exception(error, file=sys.stderr)
    return f"this is a bug in metalens ({type(error).__name__}: {shown(str(error))}); report it with the log."
