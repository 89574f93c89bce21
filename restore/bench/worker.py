"""One method in a process of its own: ``python -m metalens.restore.bench.worker FOLDER METHOD SEED [--resume]``.

It fits the method, restores the test pictures, and measures time and memory. Progress goes to stdout, one JSON object
per line. A failure is written to ``failure.txt`` and ends this process only.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import terminate_as_interrupt
from metalens.formats.pairs.reader import read_pairs, require_same_camera
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.restore.bench.folder import FAILURE, LOG, RESULT, Run, chart_pictures, run_of
from metalens.restore.bench.judged_sets import Judged, judged_pairs, read_test_sets
from metalens.restore.bench.plan import BenchPlan, read_plan
from metalens.restore.bench.process import Tell, teller
from metalens.restore.inference.capture import Capture
from metalens.restore.methods import load_method
from metalens.restore.methods.method import Fitted, Method, Training
from metalens.restore.training.optimisation import Budget
from metalens.runners.processes import peak_memory

_TIMED = 3
"""Number of pictures on which a single variant is timed, after one warm-up picture."""


def work(folder: Path, run: Run, *, resume: bool, tell: Tell) -> dict[str, Any]:
    """Fit a method, restore the test pictures, and write the results.

    Args:
        folder: folder of the benchmark.
        run: the method and its seed.
        resume: continue from the run's checkpoint.
        tell: progress callback.

    Returns:
        Content of ``result.json``.

    Raises:
        InputError: an input cannot be used; the run then has no result.
    """
    plan = read_plan(folder)
    started = time.monotonic()
    tell("start", 0.0, {})
    method = load_method(run.method)
    bank = read_psf_bank(plan.psf)
    pairs, tests = read_pairs(plan.pairs), read_test_sets(plan.test)
    for each in (pairs, *tests.values()):
        require_same_camera(each, bank)
    run.folder.mkdir(parents=True, exist_ok=True)
    gone_on = resume and any(path.name not in (LOG, FAILURE) for path in run.folder.iterdir())
    trained = False

    def fitting_on(share: float, figures: Mapping[str, float]) -> None:
        nonlocal trained
        trained = True
        tell("fit", share, dict(figures))

    fitted = method.fit(
        Training(
            pairs=pairs,
            bank=bank,
            prior=plan.prior,
            budget=Budget(steps=plan.steps, minutes=plan.minutes),
            folder=run.folder,
            batch=plan.batch,
            crop=plan.crop,
            precision=plan.precision,  # type: ignore[arg-type]
            device=plan.device,
            seed=run.seed,
            resume=resume,
            initial=plan.initial,
            report=fitting_on,
        )
    )
    # A resumed run does not know the cost of the process that was interrupted.
    fitting = None if gone_on else time.monotonic() - started
    costs = _memory(plan.device, "training")
    # Existing pictures belong to these weights only if no training was left to do.
    costs |= _restore_all(method, fitted, list(judged_pairs(tests)), run, plan, tell, keep=resume and not trained)
    _restore_chart(folder, plan.variants_of(method.describe.variants), fitted, run)
    return _write(run, method, fitted, costs | {"fitting_seconds": fitting}, plan)


def _restore_all(
    method: Method, fitted: Fitted, tests: Sequence[Judged], run: Run, plan: BenchPlan, tell: Tell, *, keep: bool
) -> dict[str, Any]:
    """Restore and store every test picture (with ``keep`` only missing ones); returns the cost of one picture."""
    variants = plan.variants_of(method.describe.variants)
    for variant in variants:
        run.pictures(variant).mkdir(parents=True, exist_ok=True)
    spent = []
    for number, each in enumerate(tests):
        files = {variant: run.pictures(variant) / f"{each.name}.png" for variant in variants}
        if not (keep and all(file.is_file() for file in files.values())):
            sample = each.sample()
            capture = Capture(sample.degraded, sample.position)
            started = time.perf_counter()
            restored = fitted.restore(capture, variants)
            spent.append(time.perf_counter() - started)
            for variant, picture in restored.items():
                write_picture(files[variant], picture)
        tell("restore", (number + 1) / len(tests), {})
    memory = _memory(plan.device, "restoring")
    if len(variants) > 1 or len(spent) < 2:
        # Time one picture of one variant, which is what a user computes.
        spent = [_seconds_of_one(fitted, each, variants[-1]) for each in tests[: 1 + _TIMED]]
    warm = spent[1:] or spent
    return {"seconds_per_picture": statistics.median(warm), "timed_pictures": len(warm), **memory}


def _restore_chart(folder: Path, variants: Sequence[str], fitted: Fitted, run: Run) -> None:
    """Restore the edge chart with every wanted variant, if the benchmark has a chart."""
    chart = chart_pictures(folder)
    if chart is None:
        return
    (run.folder / "chart").mkdir(exist_ok=True)
    for variant, picture in fitted.restore(Capture(read_picture(chart[1])), variants).items():
        write_picture(run.chart(variant), picture)


def _seconds_of_one(fitted: Fitted, judged: Judged, variant: str) -> float:
    sample = judged.sample()
    started = time.perf_counter()
    fitted.restore(Capture(sample.degraded, sample.position), (variant,))
    return time.perf_counter() - started


def _write(run: Run, method: Method, fitted: Fitted, costs: dict[str, Any], plan: BenchPlan) -> dict[str, Any]:
    description = method.describe
    result = {
        "title": description.title,
        "reference": description.reference,
        "knows": description.knows,
        "differs": description.differs,
        "learns": description.learns,
        "uses_prior": description.uses_prior,
        "variants": list(plan.variants_of(description.variants)),
        "parameters": fitted.parameters,
        "trainable_parameters": fitted.trainable,
        "steps": fitted.steps,
        "training_seconds": round(fitted.seconds, 2),
        "chosen": fitted.chosen,
        "losses": list(fitted.losses),
        **costs,
        "precision": plan.precision,
        "parallel": plan.parallel,
        **_machine(plan.device),
    }
    write_text(run.folder / RESULT, json.dumps(result, indent=1) + "\n")
    (run.folder / FAILURE).unlink(missing_ok=True)
    return result


def _memory(device: str, what: str) -> dict[str, float]:
    """Peak memory in MB: of the accelerator since the last call, or else of the process since its start."""
    import torch

    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
    else:
        peak = peak_memory() / 2**20
    return {f"{what}_peak_memory_mb": round(peak, 1)}


def _machine(device: str) -> dict[str, Any]:
    import torch

    from metalens.restore.machine import machine_name

    return {"device": device, "machine": machine_name(torch.device(device)), "torch": torch.__version__}


def main(arguments: list[str]) -> int:
    """Run one method; exit status 0 if it finished."""
    folder, method, seed, *more = arguments
    run = run_of(Path(folder), method, int(seed))
    try:
        work(Path(folder), run, resume="--resume" in more, tell=teller())
    except InputError as error:
        return _fail(run, str(error))
    except (KeyboardInterrupt, BrokenPipeError):  # a broken pipe: the benchmark that started this was killed
        return 130
    except Exception as error:  # any failure is reported in the table; the other methods continue
        traceback.print_exc()
        return _fail(run, f"{type(error).__name__}: {error}")
    return 0


def _fail(run: Run, sentence: str) -> int:
    run.folder.mkdir(parents=True, exist_ok=True)
    write_text(run.folder / FAILURE, sentence + "\n")
    return 1


if __name__ == "__main__":
    terminate_as_interrupt()
    sys.exit(main(sys.argv[1:]))
