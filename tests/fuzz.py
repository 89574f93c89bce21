"""Damage a whole file over and over and read it: it reads, or it is refused by an InputError, soon and in bounds.

    python -m tests.fuzz FORMAT --seconds 600    one format (tests/fuzz_targets.py), for so long; JSON on stdout

The file of an input that does anything else is kept, and its path told.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown

from .fuzz_targets import TARGETS, Target

LONGEST = 20
"""Seconds of the processor for one input; a reader takes milliseconds."""

LONGEST_WAIT = 300
"""Seconds for one input by the clock: cores are shared, and other work may come first."""

MEMORY = 2 * 2**30
"""Bytes that all inputs together may add to the address space of the process."""

_TOKEN = re.compile(rb'"[^"\n]*"|[-+]?[0-9][0-9.eE+-]*|true|false|null|[A-Za-z_]+')
_VALUES = (
    b"0", b"-1", b"1e300", b"1e-300", b"-1e300", b"nan", b"inf", b"NaN", b"Infinity", b"true", b"null", b"[]", b"{}",
    b'""', b'"\\u0000"', b"18446744073709551616", b"10000000000", b"0.5", b"[[[[1]]]]", b'{"a": 1}', b'"../../x"',
    b"2147483648", b"1" * 400, b'"' + b"x" * 5000 + b'"', b"9" * 5000, b"\xff", b"1,5", b"'",
)  # fmt: skip
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def damaged(content: bytes, chance: random.Random, *, is_text: bool) -> bytes:
    """The content with one to four changes.

    Args:
        content: of a whole file.
        chance: what draws them.
        is_text: whether words and numbers are exchanged too, so that the damage comes past the parser.
    """
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = _exchanged(content, chance) if is_text and chance.random() < 0.7 else _changed(content, chance)
    return content


def _exchanged(content: bytes, chance: random.Random) -> bytes:
    tokens = list(_TOKEN.finditer(content))
    if not tokens:
        return content
    start, stop = chance.choice(tokens).span()
    value = chance.choice(_VALUES) if chance.random() < 0.7 else chance.choice(tokens).group()
    return content[:start] + value + content[stop:]


def _changed(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    stop = min(len(content), start + chance.choice((1, 2, 4, 8, 64)))
    size = chance.choice((1, 2, 4, 8))
    number = (chance.choice(_NUMBERS) % 256**size).to_bytes(size, chance.choice(("little", "big")))
    return {
        "flip": content[:start]
        + bytes(each ^ (1 << chance.randrange(8)) for each in content[start:stop])
        + content[stop:],
        "truncate": content[:start],
        "insert": content[:start] + chance.randbytes(chance.choice((1, 4, 100))) + content[start:],
        "remove": content[:start] + content[stop:],
        "repeat": content[:stop] + content[start:stop] * chance.choice((1, 2, 100)) + content[stop:],
        "number": content[:start] + number + content[start + size :],
    }[chance.choice(("flip", "flip", "truncate", "insert", "remove", "repeat", "number", "number"))]


class Fault(AssertionError):
    """A reader did something else than to read or to refuse."""


@contextmanager
def _soon() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {LONGEST} s of the processor or {LONGEST_WAIT} s by the clock")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, LONGEST), signal.SIGALRM: (signal.ITIMER_REAL, LONGEST_WAIT)}
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, longest in timers.values():
        signal.setitimer(timer, longest)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def fuzz(target: Target, folder: Path, *, seed: int, count: int | None = None, seconds: float = 1e9) -> Counter[str]:
    """Read damaged files.

    Args:
        target: the format.
        folder: an empty one to work in.
        seed: of the damage.
        count: of inputs.
        seconds: or for how long.

    Returns:
        How many were "read" and how many "refused".

    Raises:
        Fault: an input was neither; its file is ``folder/fault`` and its name.
    """
    whole = folder / "whole"
    whole.mkdir()
    target.write(whole / target.name)
    content = (whole / target.name).read_bytes()
    target.read(whole / target.name)
    place, chance, found = folder / "damaged", random.Random(seed), Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end and (count is None or found.total() < count):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        (place / target.name).write_bytes(damaged(content, chance, is_text=target.is_text))
        found[_outcome(target, place, folder)] += 1
    return found


def _outcome(target: Target, place: Path, folder: Path) -> str:
    # A reader may not leave its errors to Python's warnings either: those are no sentence for a user.
    try:
        with warnings.catch_warnings(), _soon():
            warnings.simplefilter("error")
            target.read(place / target.name)
    except InputError as error:
        if not shown(str(error)).strip():
            raise _kept(place, folder, target, "refused without a word") from error
        return "refused"
    except (Exception, TimeoutError) as error:
        raise _kept(place, folder, target, f"{type(error).__name__}: {error}") from error
    return "read"


def _kept(place: Path, folder: Path, target: Target, why: str) -> Fault:
    kept = folder / "fault" / target.name
    kept.parent.mkdir(exist_ok=True)
    shutil.copy(place / target.name, kept)
    return Fault(f"{kept}: {why}")


def main() -> None:
    """Fuzz one format within a bound of memory, and say how many inputs were read and refused."""
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    target = TARGETS[asked.format]()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        found = fuzz(target, folder, seed=asked.seed, seconds=asked.seconds)
    except Fault as fault:
        sys.exit(f"{asked.format}: {fault}")
    shutil.rmtree(folder)
    print(json.dumps({"format": asked.format, "inputs": found.total(), **found}))


if __name__ == "__main__":
    main()
