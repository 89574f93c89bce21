"""A worker: a process that does jobs which arrive as lines of JSON, and answers in lines of JSON.

    {"job": "module:function", "spec": {…}}  →  {"made": 1}, {"made": 2}, …, {"result": {…}} or {"error": "…"}

It starts afresh and inherits nothing: JAX does not survive a fork. When the process that gives it work is gone,
however that ended, it stops at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from queue import SimpleQueue
from typing import Any, TextIO

from metalens.runners.job import do_job


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
