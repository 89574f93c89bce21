"""Work shared among processes, in order, that ends when their parent does."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from metalens.formats.files.errors import InputError

Result = TypeVar("Result")

MOST_WORKERS = 256


def check_workers(workers: int) -> None:
    """Refuse a number of processes that makes no sense.

    Raises:
        InputError: it is below 1 or very large.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"tolerance: {workers} workers were asked for, 1 to {MOST_WORKERS} were expected.")


def shared_work(
    work: Callable[[Any], Result],
    tasks: Sequence[Any],
    workers: int,
    prepare: Callable[..., None],
    arguments: tuple[Any, ...],
) -> Iterator[Result]:
    """The results of tasks in their order, by one process or several.

    Args:
        work: a function of a module, from a task to its result.
        tasks: what to do.
        workers: processes; 1 works in this one.
        prepare: called once in each process before its first task.
        arguments: of ``prepare``.

    Raises:
        InputError: a worker died.
    """
    if not tasks:
        return
    if workers == 1:
        prepare(*arguments)
        yield from map(work, tasks)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)),
        # A forked process would inherit the locks of JAX's threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(), prepare, arguments),
    )
    try:
        yield from pool.map(work, tasks)
    except BrokenProcessPool as error:
        raise InputError(
            "tolerance: a worker died, most often for lack of memory; go on with --resume and fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    prepare(*arguments)
