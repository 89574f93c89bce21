"""A command of metalens in a process of its own, whose state lies in files: a page that is loaded again finds it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from metalens.app.project import Project
from metalens.formats.files.atomic import atomic_file, remove_unfinished_of
from metalens.formats.files.claim import remove_left_locks
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json, read_record

if sys.platform != "win32":
    import fcntl

State = Literal["new", "running", "done", "stopped", "failed"]

_SHARE = re.compile(r"(\d+)%\|")
_LARGEST_TAIL = 20_000
_LARGEST_LOG = 1_000_000
_SECONDS_TO_END = 20.0
_STOPPED = 130
_LEAST_PRIORITY = 19


@dataclass
class Job:
    """A command that the app runs in a process of its own.

    Attributes:
        project: the command runs in its folder.
        name: of the job's folder, among the app's own.
        process: while it runs, if this app started it.
        ended: its exit status, where the disk did not take it.
    """

    project: Project
    name: str
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    ended: int | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Where the log, the answer and the exit status lie."""
        return self.project.own / "jobs" / self.name

    def start(self, arguments: Sequence[str], *, patient: bool = False) -> None:
        """Begin; what an earlier run of the same name said is replaced.

        Args:
            arguments: command line after ``metalens``.
            patient: leave the processor to all other processes.

        Raises:
            InputError: the process of an earlier run still works.
        """
        self.project.part("jobs", self.name)
        with (self.folder / "log").open("ab") as log, (self.folder / "answer").open("ab") as answer:
            if sys.platform != "win32":
                # The process inherits the locked file, which stays locked while it lives, whatever becomes of the app.
                try:
                    fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InputError(f"{self.name}: another run of the app has begun it; stop it first.") from None
            self.ended = None
            log.truncate(0)
            answer.truncate(0)
            (self.folder / "status").unlink(missing_ok=True)
            self._write("command.json", json.dumps(list(arguments)))
            self.process = subprocess.Popen(
                [sys.executable, "-m", "metalens.cli", *arguments],
                cwd=self.project.folder,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=log,
                # Ctrl-C in the terminal reaches the app alone, which ends its jobs in order.
                start_new_session=True,
                creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0) if patient else 0,
            )
        if patient and sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, self.process.pid, _LEAST_PRIORITY)
        self._write("process", str(self.process.pid))

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does; what can be resumed is kept."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        elif self._is_left():
            # Of an app that was killed. The number is that of its session, which lives while a process of it does.
            with suppress(ProcessLookupError, InputError):
                os.killpg(read_record(self.folder / "process", int, "process", "end it by hand"), signal.SIGTERM)

    def _is_left(self) -> bool:
        """Whether the process of an earlier run of the app, which was killed, still works."""
        if sys.platform == "win32" or self.process is not None or not (self.folder / "log").is_file():
            return False
        with (self.folder / "log").open("rb") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def end(self) -> None:
        """Stop and wait until it has ended."""
        self.stop()
        if self.process is not None:
            try:
                self.process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                remove_unfinished_of(self.process.pid, self.project.folder)
                remove_left_locks(self.project.folder)
                # It was stopped, as was asked for; one that was killed from outside has failed.
                self._keep(_STOPPED)
            self.state()

    def state(self) -> State:
        """Where it stands."""
        status = self.folder / "status"
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return "running"
            self._keep(code)
        if self.ended is not None or status.is_file():
            try:
                code = (
                    self.ended
                    if self.ended is not None
                    else read_record(status, int, "exit status", "run the command again")
                )
            except InputError:  # damaged: the command is run again
                return "failed"
            return "done" if code == 0 else "stopped" if code in (_STOPPED, -signal.SIGTERM) else "failed"
        if not (self.folder / "command.json").is_file():
            return "new"
        if self._is_left():
            return "running"
        # The app was killed before it: nobody knows its status, but only one that has done its work answers.
        return "done" if self.answer() else "stopped"

    def share(self) -> float:
        """How much is done, 0 to 1, as its progress bar says."""
        found = _SHARE.findall(self._tail())
        return min(int(found[-1]) / 100, 1.0) if found else 0.0

    def told(self, pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
        """What its progress bar has said, from the beginning, as the groups of a pattern."""
        return [found.groups() for found in pattern.finditer(self._tail(_LARGEST_LOG))]

    def progress_line(self) -> str:
        """The last state of its progress bar or the last line that it printed."""
        lines = [line.strip() for line in re.split(r"[\r\n]", self._tail()) if line.strip()]
        return lines[-1] if lines else ""

    def sentence(self) -> str:
        """Why it failed."""
        lines = [line for line in re.split(r"[\r\n]", self._tail()) if line.startswith("metalens: ")]
        return lines[-1].partition(": ")[2] if lines else f"the command failed; {self.folder / 'log'} has its output."

    def answer(self) -> dict[str, Any]:
        """What it said with ``--json``; empty before it has ended, and of one that was killed."""
        try:
            content: dict[str, Any] = read_json(self.folder / "answer", "answer", "run the command again")
        except InputError:
            return {}
        return content

    def command(self) -> str:
        """The command, as it is typed in the project folder; empty where none was begun or its note is damaged."""
        try:
            return shown_command(read_record(self.folder / "command.json", list[str], "command", "begin again"))
        except InputError:
            return ""

    def _tail(self, largest: int = _LARGEST_TAIL) -> str:
        path = self.folder / "log"
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - largest))
            return file.read().decode("utf-8", "replace")

    def _keep(self, code: int) -> None:
        """Forget the process, and keep its exit status."""
        self.process = None
        try:
            self._write("status", str(code))
        except InputError:  # the disk is full, or the folder gone
            self.ended = code

    def _write(self, name: str, text: str) -> None:
        with atomic_file(self.folder / name) as part:
            part.write_text(text, encoding="utf-8")


def shown_command(arguments: Sequence[str]) -> str:
    """A command line for people, without ``--json``."""
    return shlex.join(["metalens", *(each for each in arguments if each != "--json")])


@dataclass
class Jobs:
    """The jobs of one run of the app.

    Attributes:
        project: where they run.
        known: by their names.
    """

    project: Project
    known: dict[str, Job] = field(default_factory=dict)

    def job(self, name: str) -> Job:
        """The job of this name, running or not."""
        return self.known.setdefault(name, Job(self.project, name))

    def end_all(self) -> None:
        """Stop all, then wait for each."""
        for job in self.known.values():
            job.stop()
        for job in self.known.values():
            job.end()
