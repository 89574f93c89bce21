"""Run command lines one after another, each in a fork of this process, which has imported what they need.

A line of JSON on stdin is a request, ``{"words": […], "largest": bytes of a file or null, "temporary": folder}``, and a
line on stdout its answer, ``{"status": …, "said": what stood on stderr}``. A process of its own for each command would
import for seconds before it writes its first byte.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback
from importlib import import_module
from typing import Any

IMPORTED = (
    "metalens.cli",
    "metalens.optics.layout.mask",
    "metalens.psf.bank",
    "metalens.psf.captured",
    "metalens.psf.design.exploration",
    "metalens.psf.design.run",
    "metalens.psf.pictures",
    "metalens.psf.tolerance.monte_carlo",
    "metalens.restore.bench.run",
    "metalens.restore.inference.restored_files",
    "metalens.restore.pretraining.pretrain",
    "metalens.restore.report.report",
    "metalens.restore.training.train",
    "metalens.synth.alignment.captured_pairs",
    "metalens.synth.generate",
)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run a command line in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(run(**request))
    os.close(writing)
    with os.fdopen(reading, "rb") as stderr:
        said = stderr.read().decode()
    return {"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "said": said}


def run(words: list[str], largest: int | None, temporary: str) -> int:
    """Run a command line in this process, and give its status."""
    from metalens.cli import main

    os.environ["TMPDIR"], tempfile.tempdir = temporary, None
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    sys.argv = ["metalens", *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    for name in IMPORTED:
        import_module(name)
    from jax._src import xla_bridge

    # Its threads would be missing in a fork; so fmmax, which starts it, is left to the commands that need it.
    assert not xla_bridge.backends_are_initialized()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
