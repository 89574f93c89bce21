"""A job: a function by its name, called with JSON, which answers with JSON."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar

from metalens.formats.files.errors import DiskError, InputError

Progress = Callable[[int], None]
"""Is told how much of a job is made."""

Job = Callable[[Mapping[str, Any], Progress], Any]

Specs = Sequence[Mapping[str, Any]]

Tell = Callable[[int, int], None]
"""Is told the place of a spec and how much of it is made, where a runner knows."""

Result = TypeVar("Result")


class Runner(Protocol):
    """Runs jobs; the results come in any order, each with the place of its spec."""

    def run(self, job: str, specs: Specs, tell: Tell = ...) -> Iterator[tuple[int, Any]]:
        """Run one job on many specs.

        Args:
            job: ``module:function``.
            specs: what it is called with.
            tell: is told of progress.

        Returns:
            For each spec its place in ``specs`` and its result, in the order in which they end.

        Raises:
            InputError: a job raised one, or the runner cannot work.
        """
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


def job_of(name: str) -> Job:
    """The function of a name."""
    module, _, function = name.partition(":")
    found: Job = getattr(import_module(module), function)
    return found


def do_job(job: str, spec: Mapping[str, Any], progress: Progress = lambda made: None) -> dict[str, Any]:
    """Do a job; what the user has to hear is part of the answer, so that it can cross any border.

    Args:
        job: its name, ``module:function``.
        spec: of the job, of JSON's types.
        progress: called with what is done so far.

    Returns:
        ``result``, or ``error``, the sentence of an :class:`InputError`, or ``disk``, what a :class:`DiskError` is made
        of, or ``failure``, a traceback.
    """
    try:
        return {"result": job_of(job)(spec, progress)}
    except DiskError as error:
        return {"disk": error.args}
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
    if "disk" in reply:
        raise DiskError(*reply["disk"])
    if "error" in reply:
        raise InputError(reply["error"])
    if "failure" in reply:
        raise RuntimeError(f"a worker failed:\n{reply['failure']}")
    return reply["result"]


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """The results in the order of their specs, each as soon as all before it are there."""
    waiting: dict[int, Result] = {}
    following = 0
    for place, result in results:
        waiting[place] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
