"""The command line's entry: the overview, commands loaded by name, errors as a sentence and an exit status.

Every command (``metalens.commands``) takes ``--json`` (one object on stdout and nothing else there), shows progress on
stderr, and ends with 0 (done), 1 (failed, with one sentence that says why) or 2 (wrong use). A command's module is
imported when the command is asked for, and heavy packages when it runs, so that every ``--help`` is instant.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from metalens import __version__
from metalens.commands.misuse import misuse_sentence
from metalens.commands.plan import BEGUN
from metalens.formats.files.atomic import DISK_REFUSES
from metalens.formats.files.errors import InputError, InputWarning, Notice
from metalens.formats.files.extras import missing_package
from metalens.formats.files.foreign_text import LONGEST_MESSAGE, shown
from metalens.formats.files.interruption import STATUS, is_interrupted, terminate_as_interrupt

COMMANDS = (
    "init",
    "library",
    "design",
    "explore",
    "psf",
    "verify",
    "tolerance",
    "export",
    "import",
    "sensor",
    "synth",
    "data",
    "align",
    "train",
    "pseudo",
    "restore",
    "adapter",
    "report",
    "bench",
    "compare",
    "pretrain",
    "app",
    "demo",
    "doctor",
)
"""In the order of the pipeline. Each is an object of this name in the module of this name in ``metalens.commands``; a
Python keyword gets a trailing underscore there.
"""


class _InOrder(click.Group):
    """Commands in the order of the pipeline, each imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # For an unknown name click suggests the nearest of the loaded commands: so load all.
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            attribute = f"{name}_" if iskeyword(name) else name
            self.commands[name] = getattr(import_module(f"metalens.commands.{attribute}"), attribute)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if error.ctx is None:
                # click forgets it where a flag is given a value.
                name = ctx.invoked_subcommand or ""
                command = self.get_command(ctx, name)
                error.ctx = ctx if command is None else click.Context(command, parent=ctx, info_name=name)
            raise


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="metalens")
def metalens() -> None:
    """Simulate metalens cameras, make training sets from them, restore their photographs.

    \b
    Design a variant          metalens psf my-lens.toml -o psf.h5
    Make a training set       metalens synth photos/ -o pairs/ --psf psf.h5
    Retrain the restorer      metalens train pairs/ -o adapter/ --psf psf.h5 --minutes 30
    Restore photographs       metalens restore captures/ --adapter adapter/ -o restored/
    """
    click.get_current_context().meta[BEGUN] = time.perf_counter()


_INTERRUPTED = "interrupted; nothing half-written was left; commands with --resume go on where they were."


def main() -> None:
    """Run the command line; every failure becomes one sentence and an exit status."""
    terminate_as_interrupt()
    # PyTorch's threads spin while they wait for each other. Where other programs use the cores as well, most of the
    # time is lost in that: let them sleep instead. The variable has to be set before PyTorch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    warnings.simplefilter("always", InputWarning)
    warnings.showwarning = partial(_show_warning, warnings.showwarning)
    try:
        status = metalens.main(prog_name="metalens", standalone_mode=False)
        if is_interrupted():
            _fail("interrupted when all was done; what was asked for is there.", STATUS)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(misuse_sentence(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail(_INTERRUPTED, STATUS)
    except Exception as error:
        # Some libraries that call back into Python turn an interruption there into an error of their own, which others
        # take for a damaged file.
        if is_interrupted():
            _fail(_INTERRUPTED, STATUS)
        _fail_of(error)


def _fail_of(error: Exception) -> None:
    """End with the sentence and the status of an error."""
    match error:
        case InputError():
            _fail(str(error), 1)
        case ModuleNotFoundError():
            # Only of packages that an extra brings: that any other one is missing is a fault of this package.
            sentence = missing_package(error.name or "")
            if sentence is None:
                raise error
            _fail(f"{sentence}.", 1)
        case MemoryError():
            _fail("out of memory; ask for less at once (a smaller --batch, --crop or --window).", 1)
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            remedy = "; free some disk space or choose another place with -o" if error.errno in DISK_REFUSES else ""
            _fail(f"{place}{error.strerror or error}; nothing half-written was left{remedy}.", 1)
        case _:
            _fail(_useless_platform() or _reported(error), 1)


def _show_warning(
    otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *place: Any, **told: Any
) -> None:
    """Print a warning about the user's input as a sentence, and any other one as Python does."""
    if issubclass(category, InputWarning):
        from tqdm import tqdm

        # Not onto the line of a progress bar.
        kind = "" if issubclass(category, Notice) else "metalens: warning: "
        tqdm.write(f"{kind}{shown(str(message), LONGEST_MESSAGE)}", file=sys.stderr)
    else:
        otherwise(message, category, *place, **told)


def _useless_platform() -> str | None:
    """What is wrong with JAX_PLATFORMS; JAX tells it late, some platforms by a failed assertion."""
    wanted = os.environ.get("JAX_PLATFORMS")
    if not wanted or "jax" not in sys.modules:
        return None
    try:
        sys.modules["jax"].devices()
    except Exception:  # of whatever kind: the platform's own
        return f"JAX_PLATFORMS={shown(wanted)}: JAX cannot compute on it here; leave it out, or set it to cpu."
    return None


def _reported(error: Exception) -> str:
    """Keep the traceback of an error that nothing foresaw, and say what to do with it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="metalens-error-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(f"metalens {__version__}, Python {sys.version}, {sys.platform}\n\n")
        traceback.print_exception(error, file=file)
    return (
        f"this is a bug in metalens ({type(error).__name__}: {shown(str(error))}); report it with the command that you "
        f"gave and the file {file.name}, which holds the details."
    )


def _fail(message: str, status: int) -> None:
    click.echo(f"metalens: {shown(message, LONGEST_MESSAGE)}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
