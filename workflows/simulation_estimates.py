"""Estimates of the simulation: point spread functions, pairs, drawn lenses, libraries, designs, layouts."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.design.tolerance_run import ToleranceRun
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import Bank, write_psf_bank
from metalens.psf.bank_plan import BankPlan, plan_bank
from metalens.psf.bank_request import BankRequest
from metalens.runners.processes import peak_memory
from metalens.synth.generate import PairsOptions, generate_pairs
from metalens.synth.photographs import Photograph
from metalens.workflows.banks import STAND_IN
from metalens.workflows.estimate import Estimate, Timing, folder_bytes, measured, spoken_seconds, timing

if TYPE_CHECKING:
    from metalens.optics.layout.chosen import Choice
    from metalens.optics.layout.mask import MaskOptions
    from metalens.optics.rcwa.plan import LibraryPlan
    from metalens.optics.verification.plan import VerificationPlan
    from metalens.optics.verification.whole_row import Row
    from metalens.psf.design.search import Task

_TIMED_PAIRS = 4
"""Pairs of which each is timed, beside the first."""

_BYTES_OF_ENTRY = 70
"""Bytes of an entry in the five tables of a library: three of complex numbers and two of real ones, and a little
beside them.
"""

_BYTES_OF_ROW = 2.5e3
"""Bytes of a row of a verification: in its JSON, its table and its part."""

_BYTES_OF_FUNCTION = 6e4
"""Bytes of a line spread function in the JSON of a whole row."""

_POWER_OF_ROW = 2.5
"""Exponent of the time over the meta-atoms of a row, towards that of eigenvalues, 3; measured from 14 to 29."""

_MATRICES_OF_ROW = 4.0
"""Complex matrices that are held at once while a row is solved; measured."""

_TIMED_SITES_ACROSS = (40, 80)
"""Sites across of the two lenses on which a layout is measured."""

_TIMED_SENSOR = {"pixels": (16, 16), "pixel_pitch_um": 0.5}
"""A small one, of which the lens sees all."""

_DESIGN_FILES = 3e4
"""Bytes of a designed lens.toml and the checkpoint of its search."""

_COMPILED_GRADIENT = 1.5e8
"""Bytes that compiling the derivative of a design takes at least."""


_EXPLORATION_REPORT = 8e4
"""Bytes of the report and the chart of an exploration."""

_FIGURES_OF_CANDIDATE = 9.5e8
"""Bytes of memory that a candidate's figures and tolerances take beyond its search, for a lens of about 1 mm³."""


@measured
def bank_estimate(camera: Camera, request: BankRequest, plan: BankPlan, engine: Any = "auto") -> Estimate:
    """Cost of a bank: the four corners of its sensor are simulated, which symmetry may make one.

    Args:
        camera: the camera.
        request: what is asked for.
        plan: of the request.
        engine: of :func:`metalens.psf.simulate_psf`.

    Returns:
        The estimate, for the nodes of the plan; finer grids, which may follow, are not in it.
    """
    from metalens.psf.bank import simulate_bank

    small: dict[str, Any] = {
        "fields": (2, 2),
        "window": (plan.side, plan.side),
        "wavelengths_per_channel": request.wavelengths_per_channel,
        "wavelengths": request.wavelengths,
    }
    made: list[Any] = []
    spent = timing(lambda: made.append(simulate_bank(camera, **small, engine=engine)))
    bank = made[-1]
    simulated = 1 if len(plan.octant.position) < len(plan.position) else 4
    each = Timing(spent.first, spent.further / simulated)
    with tempfile.TemporaryDirectory() as folder:
        write_psf_bank(Path(folder) / "psf.h5", bank)
        size = folder_bytes(Path(folder)) / len(bank.position)
    fields, nodes = len(plan.octant.position), len(plan.position)
    kept = bank.intensity[0].nbytes + (0 if bank.subpixel_intensity is None else bank.subpixel_intensity[0].nbytes)
    basis = f"{_fields(simulated)} took {each.further * simulated:.2f} s, after {spent.first:.1f} s of compiling"
    if plan.finer:
        basis += "; finer grids, if they are needed, come in addition"
    return Estimate(nodes * size, each.of(fields), peak_memory() + 3 * nodes * kept, basis)


def with_simulations(found: Estimate, banks: Sequence[Bank]) -> Estimate:
    """The cost of a run with that of the point spread functions that it has to simulate first.

    Args:
        found: cost of the run.
        banks: what :func:`metalens.workflows.banks.planned_bank` gave it.

    Returns:
        The estimate with time and disk space added, and the larger of the memories.
    """
    for bank in banks:
        if not isinstance(bank, PsfBank) or STAND_IN not in bank.provenance:
            continue
        request = BankRequest()
        first = bank_estimate(bank.camera, request, plan_bank(bank.camera, request))
        told = f"simulating the PSFs of {bank.camera.name} first takes {spoken_seconds(first.seconds)}"
        found = replace(
            found,
            disk_bytes=found.disk_bytes + first.disk_bytes,
            seconds=found.seconds + first.seconds,
            memory_bytes=max(found.memory_bytes, first.memory_bytes),
            basis=f"{found.basis}; {told}",
            measuring=None if found.measuring is None else found.measuring + (first.measuring or 0.0),
        )
    return found


def _fields(count: int) -> str:
    return "one field" if count == 1 else f"{count} fields"


@measured
def pairs_estimate(
    photographs: Sequence[Photograph], banks: Sequence[Bank], options: PairsOptions, *, count: int, workers: int
) -> Estimate:
    """Cost of pairs: some are made of the first photograph, in a folder that is removed.

    Args:
        photographs: the scenes; the first can be used.
        banks: point spread functions of each camera, or their files.
        options: of the pairs.
        count: pairs in all.
        workers: processes.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    sizes: list[int] = []

    def make(pairs: int) -> None:
        few = replace(options, count=pairs, shard_size=pairs)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "pairs"
            generate_pairs(photographs[:1], banks[0], target, few)
            sizes.append(sum(path.stat().st_size for path in target.glob("*.h5")))

    one, begun = timing(lambda: make(1)), time.perf_counter()
    make(1 + _TIMED_PAIRS)
    several = time.perf_counter() - begun
    # What a run does once, such as dividing the frame for the blur, is in both.
    pair = (several - one.further) / _TIMED_PAIRS if several > one.further else several / (1 + _TIMED_PAIRS)
    each = Timing(one.first, pair)
    basis = f"a pair was made in {pair:.2f} s, after {one.first:.1f} s for the first"
    seconds = each.of(count, workers) + each.first * (len(banks) - 1 if workers == 1 else 0)
    return Estimate(sizes[-1] / (1 + _TIMED_PAIRS) * count, seconds, peak_memory() * workers, basis)


@measured
def tolerance_estimate(camera: Camera, run: ToleranceRun, *, ensemble: int | None, workers: int) -> Estimate:
    """Cost of a Monte Carlo run: the lens as drawn is evaluated twice, and a report of such lenses is written.

    Args:
        camera: the camera.
        run: settings of the run.
        ensemble: banks of drawn lenses that are kept; None for none.
        workers: processes.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    from metalens.psf.tolerance.draws import draw_of
    from metalens.psf.tolerance.evaluation import evaluation_of
    from metalens.psf.tolerance.monte_carlo import MonteCarlo, applied_errors
    from metalens.psf.tolerance.report import write_report

    applied = applied_errors(run)
    errors = applied.terms
    lenses = run.draws + 2 + 2 * len(errors)
    evaluation = evaluation_of(
        camera, fields=run.fields, wavelengths_per_channel=run.wavelengths_per_channel, window=run.window
    )
    made: list[Any] = []
    spent = timing(lambda: made.append(evaluation.figures(draw_of(dict.fromkeys(errors, 0.0), 1.0))))
    basis = f"one lens was evaluated in {spent.further:.2f} s, after {spent.first:.1f} s of compiling"
    drawn, rng, begun = made[-1], np.random.default_rng(0), time.perf_counter()

    def varied(*shape: int) -> np.ndarray:
        return np.asarray(drawn * (1 + 0.01 * rng.standard_normal((*shape, *drawn.shape))))

    numbers = rng.standard_normal((run.draws, len(errors)))
    steps, figures = varied(len(errors), 2), varied(run.draws)
    with tempfile.TemporaryDirectory() as folder:
        write_report(
            MonteCarlo(run, applied, tuple(errors), numbers, figures, drawn, drawn, steps), camera.name, folder
        )
    reported = time.perf_counter() - begun
    basis += f"; the report took {reported:.1f} s"
    size, seconds = lenses * (20 * drawn.size + 200) + 3e5, spent.of(lenses, workers) + reported
    if ensemble is not None:
        from metalens.psf.bank_plan import plan_bank

        bank = bank_estimate(camera, BankRequest(), plan_bank(camera, BankRequest()))
        size += ensemble * bank.disk_bytes
        seconds += ensemble * bank.seconds / workers
        basis += f"; for the ensemble {bank.basis}"
    return Estimate(size, seconds, peak_memory() * workers, basis)


@measured
def library_estimate(plan: LibraryPlan, *, workers: int) -> Estimate:
    """Cost of a library: a few of its meta-atoms are computed, each at one wavelength.

    Args:
        plan: the checked specification.
        workers: processes.

    Returns:
        The estimate, if the others take as many Fourier orders; sharp resonances take more.
    """
    from metalens.optics.rcwa.atom import at_wavelength

    atoms, lights = len(plan.geometry), len(plan.wavelength)
    sample = [(atoms // 8, (7 * lights) // 8), (atoms // 2, lights // 2), ((7 * atoms) // 8, lights // 8)]
    # As in the processes of a run.
    with threadpool_limits(limits=1):
        spent = timing(lambda: [at_wavelength(plan, *each) for each in sample])
    each = Timing(spent.first, spent.further / len(sample))
    # A process takes whole meta-atoms.
    seconds = each.first + each.further * lights * -(-atoms // min(workers, atoms))
    entries = atoms * lights * len(plan.angle) * len(plan.spec.light.polarisations)
    kept = entries * _BYTES_OF_ENTRY + 2e4
    parts = entries * _BYTES_OF_ENTRY + atoms * 4e3
    basis = f"a meta-atom took {each.further:.2f} s at a wavelength, after {spent.first:.1f} s of compiling"
    return Estimate(kept + parts, seconds, workers * peak_memory(), basis, kept_bytes=kept)


@measured
def design_estimate(task: Task, minutes: float | None = None) -> Estimate:
    """Cost of a design: the functions of one field are simulated twice.

    Args:
        task: the search.
        minutes: its time limit, if there is one.

    Returns:
        The estimate; a gradient takes about four times as long as the functions, and compiling it ten times as long as
        compiling them.
    """
    problem = task.problem
    lens = problem.view.lens
    simulator = problem.simulator(lens)
    spent = timing(lambda: simulator.of_field(lens, 0))
    samples = 1 if problem.spec.fabrication is None else problem.spec.fabrication.samples
    fields = len(problem.field_weight)
    step = 4 * spent.further * fields * samples
    seconds = 10 * spent.first + task.largest_steps * step
    if minutes is not None:
        seconds = min(seconds, 10 * spent.first + 60 * minutes)
    kept = 8 * len(problem.wavelength) * (problem.window * problem.subpixels) ** 2 * fields * samples
    basis = f"the functions of one field took {spent.further:.2f} s, after {spent.first:.1f} s of compiling"
    return Estimate(_DESIGN_FILES, seconds, peak_memory() + _COMPILED_GRADIENT + 6 * kept, basis)


@measured
def exploration_estimate(first: Task, candidates: int, workers: int) -> Estimate:
    """Cost of an exploration: every candidate as the first one.

    Args:
        first: the search of the first candidate.
        candidates: that are designed.
        workers: processes.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    each = design_estimate(first)
    basis = f"each candidate as the first, of which {each.basis}"
    at_once = min(workers, candidates)
    return Estimate(
        candidates * each.disk_bytes + _EXPLORATION_REPORT,
        candidates * each.seconds / at_once,
        at_once * (each.memory_bytes + _FIGURES_OF_CANDIDATE),
        basis,
    )


@measured
def verification_estimate(plan: VerificationPlan, row: Row | None, *, workers: int) -> Estimate:
    """Cost of a verification: the narrowest zone's Fourier orders are found, and two sizes of supercell solved.

    Args:
        plan: of the verification.
        row: that is computed whole, too; None for zones alone.
        workers: processes.

    Returns:
        The estimate, if all zones converge with as many Fourier orders a meta-atom as the narrowest one.
    """
    from metalens.optics.verification.zone import converged_orders, solve_once

    narrow, wide, least = min(plan.zones), max(plan.zones), plan.orders_per_atom[0]
    # As in the processes of a run.
    with threadpool_limits(limits=1):
        orders = converged_orders(plan, narrow, plan.wavelengths[0])
        small, large = (timing(partial(solve_once, plan, *each)) for each in ((narrow, least), (wide, orders)))
    ratio = wide * orders / (narrow * least)
    power = math.log(max(large.further / small.further, 1.0)) / math.log(ratio)
    seconds = 0.0
    for count in plan.zones:
        solved = plan.solutions(count, orders)
        seconds += len(solved) * max(large.first - large.further, 0.0)
        seconds += sum(number * large.further * (each / (wide * orders)) ** power for each, number in solved.items())
    lights = len(plan.wavelengths)
    at_once = min(workers, lights * len(plan.zones))
    rows = lights * len(plan.zones) * len(plan.incidences) * 2
    basis = (
        f"the zone of {narrow} meta-atoms took {orders} Fourier orders each, and one incidence of that of {wide} "
        f"{large.further:.2g} s with as many"
    )
    disk, took, memory = _BYTES_OF_ROW * rows + 5e4, seconds * lights / at_once, at_once * peak_memory()
    if row is not None:
        functions = 2 * lights * len(plan.fields)
        once, needed = _row_cost(plan, row)
        took += functions * once
        disk, memory = disk + functions * _BYTES_OF_FUNCTION, max(memory, needed)
        basis += f"; the row of {len(row.place)} takes about {once:.2g} s for each of {functions} functions"
    return Estimate(disk, took, memory, basis)


def _row_cost(plan: VerificationPlan, row: Row) -> tuple[float, float]:
    """Seconds for a function of a row, and memory in bytes: by two smaller rows."""
    from metalens.optics.verification.whole_row import Row, solve_row

    sizes = [max(4, len(row.place) // share) for share in (5, 2)]
    parts = [Row(row.place[:size], row.geometry[:size], row.orders) for size in sizes]
    with threadpool_limits(limits=1):
        small, large = (timing(partial(solve_row, plan, each, row.orders[1])).further for each in parts)
    power = math.log(max(large / small, 1.0)) / math.log(sizes[1] / sizes[0])
    grown = len(row.place) / sizes[1]
    fewer = (row.orders[0] / row.orders[1]) ** 3
    matrix = 16.0 * (2 * len(row.place) * row.orders[1]) ** 2
    return large * grown ** max(power, _POWER_OF_ROW) * (1 + fewer), peak_memory() + _MATRICES_OF_ROW * matrix


def done_estimate(disk_bytes: float, begun: float) -> Estimate:
    """Cost of a run whose dry run does all of its work but the writing.

    Args:
        disk_bytes: of what would be written.
        begun: ``time.perf_counter()`` when the dry run began.

    Returns:
        The bytes on disk, the peak memory of this process in bytes, and the seconds since ``begun``.
    """
    spent = time.perf_counter() - begun
    return Estimate(disk_bytes, spent, peak_memory(), "the dry run itself, which does all but the writing", spent)


def layout_estimate(camera: Camera, choice: Choice | None, files: Sequence[str], options: MaskOptions) -> Estimate:
    """Cost of layouts, from small hyperbolic lenses of the same library and pitch, or from the lens' own structure.

    Args:
        camera: whose lens is drawn.
        choice: of its meta-atoms; None where it has a structure of its own.
        files: kinds of the files that are written.
        options: of layouts.

    Returns:
        Disk and memory in bytes, wall-clock time in seconds, and what they are measured on.
    """
    from metalens.optics.layout.chosen import site_estimate, structure_of_camera
    from metalens.workflows.layout_files import write_structure_file

    begun, kinds = time.perf_counter(), [kind for kind in files if kind != "zemax"]
    if not kinds:
        return done_estimate(2e4, begun)
    sizes: list[int] = []

    def write(lens: Camera) -> float:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            structure = structure_of_camera(lens, choice)
            for kind in kinds:
                write_structure_file(kind, Path(folder) / kind, structure, lens, options)
            sizes.append(folder_bytes(Path(folder)))
        return time.perf_counter() - begun

    if choice is None:
        write(camera)
        return done_estimate(sizes[0], begun)
    lenses = []
    for across in _TIMED_SITES_ACROSS:
        aperture = 1e6 * choice.pitch * across
        changed = {"aperture_um": aperture, "focal_length_um": 3 * aperture}
        lenses.append(read_camera("hyperbolic").with_(lens=changed, sensor=_TIMED_SENSOR))
    # The first time includes what is loaded; what a run does once, such as reading the library, is in all.
    first, few, many = write(lenses[1]), write(lenses[0]), write(lenses[1])
    sites = [site_estimate(lens, choice) for lens in lenses]
    further = (site_estimate(camera, choice) - sites[1]) / (sites[1] - sites[0])
    size = sizes[2] + max(further, -1.0) * (sizes[2] - sizes[1])
    seconds = first + max(further, 0.0) * max(many - few, 0.0)
    basis = f"lenses of {' and '.join(map(str, _TIMED_SITES_ACROSS))} meta-atoms across took {few:.2f} and {many:.2f} s"
    memory = peak_memory() + 200 * site_estimate(camera, choice)
    return Estimate(size, seconds, memory, basis, first + few + many)
