"""The steps of one lens: bank, pairs, captures, edge chart, baselines, restorer, tolerances."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.formats.psf.lateral_colour import white_level
from metalens.restore.adapter.adapter_file import adapter_folder
from metalens.restore.adapter.lens_transfer import adapter_config
from metalens.restore.bench.folder import runs_of
from metalens.restore.bench.plan import BenchPlan, claim
from metalens.restore.bench.run import judge_all, restore_with_all
from metalens.restore.metrics.edge_chart import SMALLEST_SIDE, edge_chart
from metalens.workflows.compare.lenses import ComparedLens
from metalens.workflows.compare.photographs import ComparedPhotographs, HashedPhotograph
from metalens.workflows.compare.step import LOG, Step, hash_of_file, run_logged, step_in
from metalens.workflows.compare.terms import BASELINES, METRICS, VARIANTS, ComparisonTerms

Tell = Callable[[str, float], None]
"""Progress callback: name of a step, share of it that is done, 0 to 1."""


@dataclass
class LensWork:
    """One lens of a comparison and its steps.

    Attributes:
        folder: folder of the lens in the comparison.
        lens: the lens.
        terms: the terms.
        photographs: the photographs.
        tell: progress callback.
        steps: name → step, of those that were reached.
        failures: name of a step → why it failed.
        bank: point spread functions, when they are simulated.
        light: light on the sensor relative to the first lens, when both are simulated.
    """

    folder: Path
    lens: ComparedLens
    terms: ComparisonTerms
    photographs: ComparedPhotographs
    tell: Tell = lambda name, share: None
    steps: dict[str, Step] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    bank: PsfBank | None = None
    light: float | None = None

    def names(self) -> list[str]:
        """All steps, in their order."""
        chart = ["chart"] if min(self.lens.camera.sensor.pixels) >= SMALLEST_SIDE else []
        exposed = ["exposed"] if self.terms.exposure == "time" else []
        restorer = ["restorer"] if self.terms.trains else []
        tolerance = ["tolerance"] if self.terms.draws else []
        return ["psf", *exposed, "pairs", "test", *chart, "baselines", *restorer, *tolerance]

    def look(self) -> None:
        """Find the steps that are done, as far as their results are known from those before."""
        psf = self._psf()
        tolerance = self._tolerance()
        if psf.done and self.terms.exposure == "white":
            self._found(psf.output)
        if self.terms.draws:
            self.steps["tolerance"] = tolerance

    def simulate(self) -> None:
        """Simulate the point spread functions, unless they are there."""
        step = self._psf()
        with self._guarded("psf"):
            fields = "x".join(map(str, self.terms.fields))
            options = ["--fields", fields, *_given("--wavelengths", self.terms.wavelengths)]
            step.do(lambda: self._run("psf", self.lens.source, step.output, options))
            self.bank = read_psf_bank(step.output)
            if self.bank.camera.hash != self.lens.camera.hash:
                raise InputError(f"{self.lens.source}: was changed during the comparison; begin again with --resume.")

    def compare(self) -> None:
        """All further steps; none if the simulation failed."""
        if self.bank is None or self.light is None:
            return
        psf = self.steps["psf"].output
        if self.terms.draws:
            self._draw()
        if self.terms.exposure == "time" and "exposed" not in self.failures:
            with self._guarded("exposed"):
                psf = self._expose(psf, self.light)
        if "exposed" in self.failures:
            return
        self._found(psf)
        with self._guarded("pairs"):
            count = ["--count", str(self.terms.pairs)]
            self._synth("pairs", self.photographs.arguments, psf, count)
            self._synth("test", [str(each.path) for each in self.photographs.test], psf, ["--whole", "--seed", "1"])
            if "chart" in self.names():
                self._synth("chart", [str(self._chart())], psf, ["--whole", "--seed", "2"])
        if self.failures.keys() & {"pairs", "test", "chart"}:
            return
        for name in ("baselines", "restorer"):
            if name in self.names():
                with self._guarded(name):
                    self._bench(name, psf)

    @contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Keep the sentence of a step that fails."""
        self.tell(name, 0.0)
        try:
            yield
        except InputError as error:
            self.failures[name] = str(error)

    def _found(self, psf: Path) -> None:
        """The steps that depend on this bank."""
        bank = hash_of_file(psf)
        training, test = (_hashes(each) for each in (self.photographs.training, self.photographs.test))
        pairs = step_in(self.folder, "pairs", "", bank, training, self.terms.pairs)
        captures = step_in(self.folder, "test", "", bank, test)
        found = [pairs, captures]
        if "chart" in self.names():
            found.append(step_in(self.folder, "chart", "", bank))
        together = [step.output.name for step in found]
        found.append(step_in(self.folder, "baselines", "", together, BASELINES, METRICS))
        if self.terms.trains:
            learning = {
                key: getattr(self.terms, key) for key in ("prior", "minutes", "steps", "batch", "crop", "precision")
            }
            adapter = _hash_of_adapter(self.terms.initial)
            found.append(step_in(self.folder, "restorer", "", together, adapter, learning, VARIANTS, METRICS))
        self.steps |= {step.name: step for step in found}

    def _psf(self) -> Step:
        lens, terms = self.lens.camera.hash, self.terms
        step = step_in(self.folder, "psf", ".h5", lens, terms.fields, terms.wavelengths)
        return self.steps.setdefault("psf", step)

    def _tolerance(self) -> Step:
        return step_in(self.folder, "tolerance", "", self.lens.camera.hash, self.terms.draws)

    def _draw(self) -> None:
        step = self.steps["tolerance"] = self._tolerance()
        with self._guarded("tolerance"):
            options = ["--draws", str(self.terms.draws), *_resumed(step.output)]
            step.do(lambda: self._run("tolerance", self.lens.source, step.output, options))

    def _expose(self, psf: Path, light: float) -> Path:
        camera = exposed_camera(self.lens.camera, light)
        step = self.steps["exposed"] = step_in(self.folder, "exposed", ".h5", hash_of_file(psf), camera.hash)
        assert self.bank is not None
        bank = replace(self.bank, camera=camera)
        step.do(lambda: write_psf_bank(step.output, bank))
        return step.output

    def _synth(self, name: str, photographs: Sequence[str], psf: Path, options: Sequence[str]) -> None:
        step = self.steps[name]
        resume = _resumed(step.output)
        step.do(
            lambda: self._run("synth", *photographs, step.output, ["--psf", str(psf), *options, *resume], name=name)
        )

    def _chart(self) -> Path:
        rows, columns = self.lens.camera.sensor.pixels
        path = self.folder.parent.parent / f"chart-{rows}x{columns}.png"
        if not path.is_file():
            write_picture(path, edge_chart((rows, columns)))
        return path

    def _bench(self, name: str, psf: Path) -> None:
        step = self.steps[name]
        methods = BASELINES if name == "baselines" else (f"dmdiff-{adapter_config(self.terms.initial).form}",)
        chart = self.steps.get("chart")
        plan = BenchPlan(
            pairs=str(self.steps["pairs"].output.resolve()),
            test=(str(self.steps["test"].output.resolve()),),
            psf=str(psf.resolve()),
            lens_hash=read_psf_bank(psf).camera.hash,
            prior=self.terms.prior,
            methods=methods,
            # A benchmark has a limit and a crop even where nothing learns.
            minutes=self.terms.minutes if name == "restorer" else None,
            steps=self.terms.steps if name == "restorer" else 1,
            batch=self.terms.batch,
            crop=min(self.terms.crop, *self.lens.camera.sensor.pixels),
            precision=self.terms.precision,
            device=self.terms.device,
            chart=None if chart is None else str(chart.output.resolve()),
            initial=self.terms.initial if name == "restorer" else None,
            variants=VARIANTS,
            metrics=METRICS,
        )
        step.do(lambda: self._fit_and_judge(name, step.output, plan))

    def _fit_and_judge(self, name: str, folder: Path, plan: BenchPlan) -> None:
        with claim(folder, plan, resume=True):
            restore_with_all(folder, resume=True, report=lambda share, text: self.tell(name, 0.8 * share))
            judge_all(folder, plan.device, report=lambda share, text: self.tell(name, 0.8 + 0.2 * share))
            failed = [f"{run.method}: {run.failure()}" for run in runs_of(folder, plan) if not run.finished]
        if failed:
            raise InputError("; ".join(failed))

    def _run(self, command: str, *given: Any, name: str = "") -> None:
        *inputs, output, options = given
        self.tell(name or command, 0.0)
        run_logged([command, *inputs, "-o", str(output), *options], self.folder / LOG)


def relative_light(bank: PsfBank, lens: ComparedLens) -> float:
    """Light of a white scene on the sensor in a given exposure time, in units that are the same for all lenses.

    Opening area over the square of the focal length, times what arrives. A sensor whose photons are given counts the
    losses of the lens by itself.

    Args:
        bank: point spread functions of the lens.
        lens: the lens.

    Returns:
        Opening area over f², without unit, times the share of a white scene's light that arrives.
    """
    arrives = 1.0 if bank.camera.sensor.white_photons is not None else float(white_level(bank).max())
    return lens.light * arrives


def efficiency(bank: PsfBank) -> np.ndarray:
    """Share of the light through the opening that reaches the point spread functions' windows: ``[channel]``."""
    return np.asarray(bank.intensity.sum(axis=(-2, -1), dtype=np.float64).mean(axis=0))


def exposed_camera(camera: Camera, light: float) -> Camera:
    """The camera, exposed as long as the first lens.

    Args:
        camera: the camera.
        light: light on the sensor relative to the first lens.

    Returns:
        It with another white level, or another number of photons if the sensor names that.

    Raises:
        InputError: a white scene would saturate the sensor.
    """
    sensor = camera.sensor
    if sensor.white_photons is not None:
        return camera.model_copy(
            update={"sensor": sensor.model_copy(update={"white_photons": sensor.white_photons * light})}
        )
    level = sensor.white_level * light
    if level > 1:
        raise InputError(
            f"--exposure time: {camera.name} gathers {light:.3g} times the light of the first lens, with which a white "
            f"scene would fill {level:.3g} of the full well; name the lens with the most light first, or lower "
            "sensor.white_level."
        )
    return camera.model_copy(update={"sensor": sensor.model_copy(update={"white_level": level})})


def _hashes(photographs: Sequence[HashedPhotograph]) -> list[str]:
    return [each.sha256 for each in photographs]


def _hash_of_adapter(initial: str) -> str:
    folder = adapter_folder(initial)
    parts = [hash_of_file(folder / name) for name in ("adapter.json", "adapter.safetensors")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _given(option: str, value: int | None) -> list[str]:
    return [] if value is None else [option, str(value)]


def _resumed(folder: Path) -> list[str]:
    return ["--resume"] if folder.is_dir() else []
