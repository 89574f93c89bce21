"""The view *Design*: a specification in a form, its search while it runs, and its results side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import run, ui

from metalens.app.chart import INK, Chart, Options, axis, curves
from metalens.app.design_form import FormField, build_form, changed, form_fields
from metalens.app.design_results import FIGURES, DesignResult, results_in
from metalens.app.frame import CommandBox, Progress, Sentence, card, faint, figures_table
from metalens.app.psf_picture import psf_picture
from metalens.app.studio import Studio
from metalens.app.watching import watch
from metalens.formats.design.spec import DesignSpec, design_names, dump_design, read_design
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
_TOLD = re.compile(r"(\d+)/\d+ \[[^\]\r\n]*loss (-?\d+\.\d+)")
_STEPS_BETWEEN = 20
"""Between two drawings of the lens."""

_POINT = "#4a7fb8"


class DesignView:
    """The view's elements and the specification that is edited.

    Args:
        studio: of the app.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.project = studio.project
        self.spec: DesignSpec | None = None
        self.wrong: dict[str, str] = {}
        self.seen = 0
        self.drawing = False
        with ui.element("div").classes("metalens-columns metalens-columns-wide"):
            with ui.column().classes("w-full gap-3"), card("Specification"):
                specs = [*design_names(), *self._own_specs()]
                self.begin = ui.select(specs, label="Begin with", on_change=self.choose).classes("w-full").mark("spec")
                self.name = ui.input("Name of the design", value=self._new_name(), on_change=self.check)
                self.name.classes("w-full").mark("name")
                self.form = ui.column().classes("w-full gap-1")
            with ui.column().classes("w-full gap-3"):
                with card("Search"):
                    self.sentence = Sentence()
                    with ui.row().classes("w-full gap-3 items-end"):
                        self.start_button = ui.button("Start", on_click=self.start).props("no-caps").mark("start")
                        self.resume_button = (
                            ui.button("Resume", on_click=self.resume).props("no-caps outline").mark("resume")
                        )
                        self.minutes = (
                            ui.number("At most, minutes", min=0.01, value=None).classes("w-36").mark("minutes")
                        )
                    self.progress = Progress(self.stop)
                    self.told = (
                        ui.label("").props("role=status aria-live=polite").classes("text-sm").mark("design-told")
                    )
                    self.note = faint("").props("role=status aria-live=polite")
                    self.loss = Chart("Loss by step", _loss_chart([])).classes("w-full h-56")
                    self.lens = ui.row().classes("w-full gap-3")
                    self.command = CommandBox()
                with card("Results"):
                    self.results = ui.column().classes("w-full")
        ui.timer(0.05, self.first, once=True)

    def _own_specs(self) -> list[str]:
        return [each for each in self.project.listed("*.toml") if Path(each).parent.name == "specifications"]

    def _new_name(self) -> str:
        folder = self.project.part("designs")
        return next(f"design-{number}" for number in range(1, 10_000) if not self._files(folder, f"design-{number}"))

    @staticmethod
    def _files(folder: Path, name: str) -> list[Path]:
        return [path for path in (folder / f"{name}.toml", folder / f"{name}.checkpoint.npz") if path.exists()]

    async def first(self) -> None:
        """Show the last specification and the results; go on watching a search that runs."""
        chosen = self.project.state()
        last, begun = chosen.get("design"), chosen.get("spec")
        if isinstance(last, str) and _NAME.fullmatch(last):
            self.name.set_value(last)
            # What is shown beside the form is this design's.
            begun = self._specification(last)
        self.begin.set_value(begun if begun in (self.begin.options or []) else "held")
        self.show_results()
        state = self._job().state()
        if state == "running":
            await self._watch()
        elif state != "new":
            self.show_loss(str(self.name.value))
            await self.show_lens(str(self.name.value))

    # The form

    async def choose(self, event: Any) -> None:
        """Begin with another specification."""
        chosen = str(event.value)
        source = chosen if chosen in design_names() else str(self.project.inside(chosen))
        spec = await self.sentence.guarded(lambda: run.io_bound(read_design, source))
        if spec is None or self.form.is_deleted:
            return
        self.project.remember(spec=chosen)
        self.spec = spec.model_copy(update={"explore": None})
        self.wrong.clear()
        self.form.clear()
        with self.form:
            faint(spec.description)
            build_form(form_fields(spec), self.typed)
        self.check()

    def typed(self, field: FormField, value: Any) -> None:
        """A key was changed.

        Args:
            field: the key.
            value: what was typed.
        """
        if self.spec is None:
            return
        place = f"{field.table}.{field.key}"
        try:
            self.spec = changed(self.spec, field, value)
            self.wrong.pop(place, None)
        except InputError as error:
            self.wrong[place] = str(error)
        self.check()

    def check(self) -> None:
        """Say what is wrong, and what can be done."""
        if self.spec is None:
            return
        name = str(self.name.value or "")
        problem = next(iter(self.wrong.values()), "")
        if not _NAME.fullmatch(name):
            problem = (
                "The name takes letters, digits, dots, hyphens and underscores, and begins with a letter or a digit."
            )
        self.sentence.show(problem)
        folder = self.project.part("designs")
        state = self._job().state()
        running = state == "running"
        kept = (folder / f"{name}.checkpoint.npz").exists()
        self.start_button.set_enabled(not problem and not running and not self._files(folder, name))
        self.resume_button.set_enabled(not running and kept)
        if _NAME.fullmatch(name):
            self.command.show("metalens " + " ".join(self._arguments(resume=kept)[:-1]))
        note = ""
        if kept:
            note = f"The search of {name} was stopped; it can be resumed."
        elif self._files(folder, name):
            note = f"{name} is designed already; give another name to start again."
        elif state == "stopped":
            note = f"The search of {name} was stopped before its first step; start it again."
        self.note.set_text("" if running else note)

    # The search

    def _arguments(self, *, resume: bool) -> list[str]:
        name = self.name.value
        found = ["design", self._specification(str(name))]
        found += ["-o", f"{self.project.own.name}/designs/{name}.toml"]
        if resume:
            found.append("--resume")
        if self.minutes.value:
            found += ["--minutes", f"{self.minutes.value:g}"]
        return [*found, "--json"]

    def _specification(self, name: str) -> str:
        """Its file, relative to the project folder."""
        return f"{self.project.own.name}/specifications/{name}.toml"

    def _job(self) -> Any:
        return self.studio.jobs.job(f"design-{self.name.value}")

    async def start(self) -> None:
        """Write the specification and begin."""
        if self.spec is None:
            return
        spec = self.spec.model_copy(update={"name": str(self.name.value)})
        target = self.project.part("specifications") / f"{self.name.value}.toml"
        with atomic_file(target) as part:
            part.write_text(dump_design(spec), encoding="utf-8")
        self.loss.draw(_loss_chart([]))
        await self._run(resume=False)

    async def resume(self) -> None:
        """Go on with a search that was stopped."""
        await self._run(resume=True)

    async def _run(self, *, resume: bool) -> None:
        self.project.remember(design=self.name.value)
        self._job().start(self._arguments(resume=resume))
        self.check()
        await self._watch()

    async def _watch(self) -> None:
        job, name = self._job(), str(self.name.value)
        self.seen = 0

        def look() -> None:
            self.show_loss(name)

        done = await watch(job, self.progress, f"designing {name}", look)
        if self.told.is_deleted:
            return
        if done:
            found = job.answer()
            self.told.set_text(f"{name}: loss {found.get('loss', 0):.4f} after {found.get('steps')} steps.")
        self.check()
        if job.state() == "failed":
            self.sentence.show(job.sentence())
        self.show_results()
        await self.show_lens(name)

    def stop(self) -> None:
        """Stop; what is found so far is kept."""
        self._job().stop()

    def show_loss(self, name: str) -> None:
        """Draw the best loss by step, as the progress bar of the search tells it."""
        told = [(int(step), float(loss)) for step, loss in self._job().told(_TOLD)]
        steps = list(dict(told).items())
        if not steps or len(steps) == self.seen or self.loss.is_deleted:
            return
        before, self.seen = self.seen, len(steps)
        self.loss.draw(_loss_chart(steps))
        self.told.set_text(f"Step {steps[-1][0]}, best loss {steps[-1][1]:.4f}.")
        if self.seen // _STEPS_BETWEEN > before // _STEPS_BETWEEN and not self.drawing:
            ui.timer(0.01, lambda: self.show_lens(name), once=True)

    async def show_lens(self, name: str) -> None:
        """Draw the best lens so far: its phase, and its point spread functions on the axis and at the edge."""
        specification = self._specification(name)
        if not (self.project.folder / specification).is_file():
            return
        request = {"do": "design", "spec": specification, "output": f"{self.project.own.name}/designs/{name}.toml"}
        self.drawing = True
        found = await self.sentence.guarded(lambda: self.studio.simulating.ask(request))
        self.drawing = False
        if found is None or self.lens.is_deleted:
            return
        with np.load(self.project.inside(found["arrays"]), allow_pickle=False) as arrays:
            radius, phase, functions = (arrays[key] for key in ("radius", "phase", "functions"))
        self.lens.clear()
        with self.lens:
            Chart("Phase along the radius", _phase_chart(radius, phase)).classes("w-64 grow h-48")
            for title, function in zip(("axis", "edge"), functions, strict=True):
                with ui.column().classes("gap-0 w-40"):
                    picture = ui.image(psf_picture(function, "log")).props("no-transition no-spinner ratio=1")
                    picture.props(f'alt="Point spread function, {title}"')
                    faint(f"PSF, {title}, log")

    # Results

    def show_results(self) -> None:
        """The table and the chart of all results."""
        if self.results.is_deleted:
            return
        found = results_in(self.project)
        self.results.clear()
        with self.results:
            if not found:
                faint("No design has ended yet, and there is no comparison of metalens compare in the project.")
                return
            present = [name for name in FIGURES if any(name in each.figures for each in found)]
            rows = [[each.name, *(_shown(each.figures.get(name)) for name in present)] for each in found]
            figures_table(["", *present], rows)
            if len(present) > 1:
                with ui.row().classes("w-full gap-3"):
                    across = ui.select(present, value=present[0], label="Across").classes("w-32 grow")
                    up = ui.select(present, value=present[-1], label="Up").classes("w-32 grow")
                options = _pareto_chart(found, present[0], present[-1])
                chart = Chart("One figure of all results against another", options).classes("w-full h-72")

                def redraw() -> None:
                    chart.draw(_pareto_chart(found, str(across.value), str(up.value)))

                across.on_value_change(redraw)
                up.on_value_change(redraw)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _loss_chart(steps: list[tuple[int, float]]) -> Options:
    return curves(axis("step"), axis("best loss", 42, scale=True), [{"data": [list(each) for each in steps]}])


def _phase_chart(radius: np.ndarray, phase: np.ndarray) -> Options:
    points = np.stack([1e6 * radius, phase], axis=-1).tolist()
    return curves(axis("radius (µm)"), axis("phase (rad)", 42), [{"data": points}])


def _pareto_chart(found: list[DesignResult], across: str, up: str) -> Options:
    """Every result as a point; those that no other one beats in both figures are filled."""
    both = [each for each in found if across in each.figures and up in each.figures]

    def beaten(one: DesignResult) -> bool:
        def gain(other: DesignResult, name: str) -> float:
            sign = 1 if FIGURES[name] == "higher" else -1
            return sign * (other.figures[name] - one.figures[name])

        gains = [(gain(other, across), gain(other, up)) for other in both if other is not one]
        return any(min(pair) >= 0 and max(pair) > 0 for pair in gains)

    points = [
        {
            "value": [each.figures[across], each.figures[up]],
            "name": each.name,
            # ECharts' empty circle is filled with white, which in the dark stands out more than the filled one.
            "itemStyle": {"color": "transparent"} if beaten(each) else {},
            "label": {"show": True, "formatter": "{b}", "position": "top", "fontSize": 10, "color": INK},
        }
        for each in both
    ]
    circle = {"color": _POINT, "borderColor": _POINT, "borderWidth": 2, "opacity": 1}
    scatter = {"type": "scatter", "symbolSize": 12, "data": points, "itemStyle": circle}
    x, y = axis(across, scale=True), axis(up, 48, scale=True)
    return curves(x, y, [scatter], grid={"left": 64, "right": 24, "top": 24, "bottom": 44}, tooltip={"trigger": "item"})
