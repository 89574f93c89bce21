"""A worker: a process that does jobs which arrive as lines of JSON, and answers in lines of JSON.

    {"job": "shard", "spec": {…}}  →  {"made": 1}, {"made": 2}, …, {"result": {…}} or {"error": "…"}

It starts afresh and inherits nothing: JAX does not survive a fork. When the process that gives it work is gone,
however that ended, it stops at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, TextIO

from metalens.formats.files.errors import InputError
from metalens.synth.dataset.photograph_survey import inspect_photographs
from metalens.synth.dataset.shard import Progress, run_shard

Job = Callable[[Mapping[str, Any], Progress], Any]

JOBS: dict[str, Job] = {"shard": run_shard, "inspect": lambda spec, progress: inspect_photographs(spec)}

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NPROC": "1"}
"""One thread a worker: as many workers as cores keep them busy, and more threads would wait for each other."""

_XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false"


def environment() -> dict[str, str]:
    """The variables of the environment that a worker is started with, beside those that there are."""
    return ONE_THREAD | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {_XLA_FLAGS}".strip()}


def do_job(job: str, spec: Mapping[str, Any], progress: Progress = lambda made: None) -> dict[str, Any]:
    """Do a job; what the user has to hear is part of the answer, so that it can cross any border.

    Returns:
        ``result``, or ``error``, the sentence of an :class:`InputError`, or ``failure``, a traceback.
    """
    try:
        return {"result": JOBS[job](spec, progress)}
    except InputError as error:
        return {"error": str(error)}
    except Exception:
        return {"failure": traceback.format_exc()}


def answer_of(reply: Mapping[str, Any]) -> Any:
    """The result in a reply.

    Raises:
        InputError: the job raised one.
        RuntimeError: it failed otherwise; holds the worker's traceback.
    """
    if "error" in reply:
        raise InputError(reply["error"])
    if "failure" in reply:
        raise RuntimeError(f"a worker failed:\n{reply['failure']}")
    return reply["result"]


def main() -> None:
    """Do the jobs that come in on stdin until it ends."""
    # What libraries print to stdout must not get between the answers.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()
    while True:
        message = json.loads(jobs.get())
        reply = do_job(message["job"], message["spec"], lambda made: _send(replies, {"made": made}))
        _send(replies, reply)


def _listen(stdin: TextIO, jobs: SimpleQueue[str]) -> None:
    for line in stdin:
        jobs.put(line)
    # Whoever gave the work is done, or was killed: what is half made is of no use.
    os._exit(0)


def _send(replies: TextIO, reply: dict[str, Any]) -> None:
    try:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    except BrokenPipeError:
        os._exit(0)
