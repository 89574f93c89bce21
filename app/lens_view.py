"""The view *Lens*: phase, point spread functions under the mouse, maps over the sensor; two lenses side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nicegui import run, ui
from nicegui.events import GenericEventArguments, MouseEventArguments

from metalens.app.chart import Chart, axis, channel_curves, curves
from metalens.app.embedded import embedded_bank
from metalens.app.files import url_of
from metalens.app.focus_card import FocusCard
from metalens.app.frame import CommandBox, Progress, Sentence, card, faint
from metalens.app.layout_card import LayoutCard
from metalens.app.psf_picture import QUANTITIES, map_over_sensor, map_picture, nearest_node, psf_picture
from metalens.app.studio import Studio
from metalens.app.watching import watch
from metalens.formats.camera.camera import Camera, preset_names, read_camera
from metalens.formats.camera.size import focus_range_um
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank

COLOUR = "all, in colour"
_FIELDS = "7x7"
_FREQUENCY, _MODULATION = axis("cycles/mm"), axis("modulation", 34, min=0, max=1)
_DEFOCUS_STEPS = 40
"""Steps of the slider, to either side."""


class LensView:
    """One lens, or two side by side.

    Args:
        studio: of the app.
    """

    def __init__(self, studio: Studio) -> None:
        second = ui.switch("Compare with a second lens").mark("compare")
        with ui.element("div").classes("metalens-pair"):
            LensPanel(studio, "lens")
            with ui.element("div").classes("metalens-panel").bind_visibility_from(second, "value"):
                LensPanel(studio, "second")


class LensPanel:
    """What is shown of one lens.

    Args:
        studio: of the app.
        name: under which the choice is remembered.
    """

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio = studio
        self.project = studio.project
        self.name = name
        self.bank: PsfBank | None = None
        self.path: Path | None = None
        self.place = (0.0, 0.0)
        self.values = np.zeros((1, 1))
        self.simulated: dict[str, np.ndarray] | None = None
        self.node: int | None = None
        self.field_deg: list[float] | None = None
        with ui.element("div").classes("metalens-panel"):
            with card("Lens"):
                chosen = self.project.state().get(name)
                lenses = [*preset_names(), *self.project.listed("*.toml")]
                self.lens = ui.select(lenses, label="Preset, or lens.toml of the project", on_change=self.choose)
                self.lens.classes("w-full").mark(f"{name} file")
                self.about = faint("")
                self.compute = ui.button("Compute its point spread functions", on_click=self.simulate).props("no-caps")
                self.compute.mark(f"{name} compute").set_visibility(False)
                self.progress = Progress(self.stop)
                self.sentence = Sentence()
                self.command = CommandBox()
            self.shown = ui.column().classes("w-full gap-3")
            self.shown.set_visibility(False)
            with self.shown:
                with ui.element("div").classes("metalens-pair"):
                    self._point_card()
                    self._map_card()
                self.focus = FocusCard(studio, name)
                self.layout = LayoutCard(studio, name)
                with card("Figures of the lens"):
                    self.figures = ui.element("div").classes("metalens-figures")
        ui.timer(0.05, lambda: self.lens.set_value(chosen if chosen in lenses else "metacamera"), once=True)

    def _point_card(self) -> None:
        with card("Point spread function"):
            with ui.row().classes("w-full gap-3 items-end"):
                self.channel = ui.select([COLOUR], label="Channel or wavelength", on_change=self.show_function)
                self.channel.classes("grow").mark(f"{self.name} channel")
                self.scale = ui.toggle({"log": "log", "linear": "linear"}, value="log", on_change=self.show_function)
                self.scale.props('no-caps dense aria-label="Scale"').mark(f"{self.name} scale")
            self.function = (
                ui.image("")
                .classes("w-full")
                .classes("metalens-square")
                .style("image-rendering: pixelated")
                .mark(f"{self.name} function")
            )
            self.told = ui.label("").props("role=status aria-live=polite").classes("text-sm").mark(f"{self.name} told")
            with ui.row().classes("w-full gap-3 items-center no-wrap"):
                self.y = ui.number("y (µm)", value=0.0, format="%.1f").classes("w-24")
                self.x = ui.number("x (µm)", value=0.0, format="%.1f").classes("w-24")
                ui.button("Show there", on_click=self.typed).props("outline no-caps dense").mark(f"{self.name} there")
            with ui.row().classes("w-full gap-3 items-center no-wrap"):
                ui.label("Defocus (µm)").classes("text-sm whitespace-nowrap")
                self.defocus = ui.slider(min=-1, max=1, step=0.05, value=0.0).on("change", self.defocused)
                self.defocus.props('label aria-label="Defocus of the sensor in micrometres"').mark(
                    f"{self.name} defocus"
                )
                ui.button("Simulate here", on_click=self.simulate_point).props("outline no-caps dense").mark(
                    f"{self.name} here"
                )
            faint(
                "Simulate here: exactly this place, at this defocus, for each wavelength. Positive: the sensor is "
                "farther from the lens. The map shows the nodes, in focus."
            )

    def _map_card(self) -> None:
        with card("Over the sensor"):
            self.quantity = ui.select(
                list(QUANTITIES), value=next(iter(QUANTITIES)), label="Quantity", on_change=self.show_map
            )
            self.quantity.classes("w-full")
            self.map = (
                ui.interactive_image("", events=["mousemove", "click"], on_mouse=self.moved, cross=True, sanitize=False)
                .classes("w-full metalens-square")
                .mark(f"{self.name} map")
            )
            self.map.props('alt="Map over the sensor. Move the mouse over it, or type a place above."')
            self.range = faint("")
            self.curves = Chart("Modulation by frequency", curves(_FREQUENCY, _MODULATION, [])).classes("w-full h-64")

    # Choosing and computing

    async def choose(self) -> None:
        """Read the lens, and its bank if there is one."""
        self.sentence.show("")
        self.shown.set_visibility(False)
        self.compute.set_visibility(False)
        self.bank = self.simulated = self.node = self.field_deg = None
        camera = await self.sentence.guarded(lambda: run.io_bound(self._camera), self.progress)
        if camera is None:
            return
        self.project.remember(**{self.name: self.lens.value})
        lens = camera.lens
        self.about.set_text(
            f"{camera.description} {lens.aperture_um:g} µm at {lens.focal_length_um:g} µm, {lens.phase.family}."
        )
        self.layout.show(str(self.lens.value), camera)
        self.path = self._path_of(camera)
        self.command.show(f"metalens psf {self.lens.value} -o {self.project.relative(self.path)} --fields {_FIELDS}")
        if self.path.is_file():
            await self._show(camera)
        else:
            self.compute.set_visibility(True)

    def _camera(self) -> Camera:
        chosen = str(self.lens.value)
        return read_camera(chosen if chosen in preset_names() else self.project.inside(chosen))

    def _path_of(self, camera: Camera) -> Path:
        embedded = embedded_bank(self.project)
        if camera.hash == read_camera("metacamera").hash:
            return embedded
        return self.project.part("psf") / f"{camera.hash[:16]}.h5"

    async def simulate(self) -> None:
        """Compute the bank, as a command, and show it."""
        assert self.path is not None
        self.compute.set_visibility(False)
        job = self.studio.jobs.job(f"psf-{self.path.stem}")
        lens, target = str(self.lens.value), self.project.relative(self.path)
        if job.state() != "running":
            job.start(["psf", lens, "-o", target, "--fields", _FIELDS, "--json"])
        if await watch(job, self.progress, "simulating point spread functions") or self.path.is_file():
            await self.choose()
        else:
            self.sentence.show("Stopped." if job.state() == "stopped" else job.sentence())
            self.compute.set_visibility(True)

    async def stop(self) -> None:
        """Stop what runs."""
        if self.path is not None:
            self.studio.jobs.job(f"psf-{self.path.stem}").stop()
        await self.studio.simulating.stop()

    async def _show(self, camera: Camera) -> None:
        path = self.path
        assert path is not None
        bank = await self.sentence.guarded(lambda: run.io_bound(read_psf_bank, path), self.progress)
        if bank is None or self.shown.is_deleted:
            return
        self.bank = bank
        waves = [f"{1e9 * each:.0f} nm" for each in bank.wavelength]
        self.channel.set_options([COLOUR, *CHANNEL_NAMES, *dict.fromkeys(waves)], value=COLOUR)
        self.focus.show(bank, self.project.relative(path))
        self._show_range(bank)
        self.shown.set_visibility(True)
        self.show_map()
        self.look_at(self.place)
        await self._draw(camera)

    def _show_range(self, bank: PsfBank) -> None:
        """Let the slider of defocus reach twice the depth of focus."""
        half = focus_range_um(bank.camera.lens, float(np.median(bank.wavelength)))
        step = float(f"{half / _DEFOCUS_STEPS:.1g}")
        reach = round(step * int(half / step), 6)
        self.defocus.props(f"min={-reach:g} max={reach:g} step={step:g}").set_value(0.0)

    async def _draw(self, camera: Camera) -> None:
        assert self.path is not None
        bank = self.bank
        request = {"do": "draw", "bank": self.project.relative(self.path)}
        found = await self.sentence.guarded(
            lambda: self.studio.simulating.ask(request, self.progress.show), self.progress
        )
        self.progress.hide()
        if found is None or self.figures.is_deleted or self.bank is not bank:
            return
        self.field_deg = found["field_deg"]
        self.show_function()
        self.figures.clear()
        with self.figures:
            for name, picture in found["pictures"].items():
                shown = ui.element("img").props(f'loading=lazy src="{url_of(picture)}"')
                shown.props["alt"] = f"{name} of the lens {camera.hash[:8]}"

    # Map, mouse and function

    def show_map(self) -> None:
        """Draw the chosen quantity over the sensor."""
        if self.bank is None:
            return
        values = QUANTITIES[self.quantity.value](self.bank).mean(axis=-1)
        if not np.isfinite(values).all():
            self.range.set_text("This bank has no such figure.")
            return
        self.values = map_over_sensor(self.bank, values)
        self.map.set_source(map_picture(self.values))
        self.range.set_text(
            f"{self.quantity.value}, mean of the channels: {values.min():.3g} (dark) to {values.max():.3g}."
        )
        self._mark()

    def moved(self, event: MouseEventArguments) -> None:
        """The mouse lies over the map."""
        if self.bank is None:
            return
        rows, columns = self.values.shape
        pitch, pixels = self.bank.pixel_pitch, self.bank.camera.sensor.pixels
        y = (event.image_y / rows - 0.5) * pixels[0] * pitch
        x = (event.image_x / columns - 0.5) * pixels[1] * pitch
        self.look_at((float(y), float(x)))

    def typed(self) -> None:
        """A place was typed."""
        self.look_at((1e-6 * float(self.y.value or 0), 1e-6 * float(self.x.value or 0)))

    def look_at(self, place: tuple[float, float]) -> None:
        """Show the bank's function nearest to a place (y, x) of the sensor in metres."""
        bank, before = self.bank, self.place
        self.place = self.focus.place = place
        self.y.set_value(round(1e6 * place[0], 1))
        self.x.set_value(round(1e6 * place[1], 1))
        self._mark()
        if bank is None:
            return
        # Most movements of the mouse stay at one node.
        if self.node is None or self.simulated is not None or nearest_node(bank, place) != nearest_node(bank, before):
            self.simulated = None
            self.show_function()

    def show_function(self) -> None:
        """Show the function that was chosen."""
        bank = self.bank
        if bank is None:
            return
        node = self.node = nearest_node(bank, self.place)
        found = self._intensity(bank, node)
        if found is None:
            self.told.set_text("The bank holds channels only; press Simulate here for one wavelength.")
            return
        self.function.set_source(psf_picture(found, self.scale.value))
        figures, simulated = bank.by_channel, self.simulated
        if simulated is None:
            where, kind = bank.position[node], "node of the bank"
            angle = None if self.field_deg is None else self.field_deg[node]
            width, share, modulation = (
                each[node] for each in (figures.full_width_half_maximum, figures.window_share, figures.modulation)
            )
        else:
            where, kind = np.array(self.place), f"simulated, defocus {self.defocus.value:g} µm"
            width, share, modulation = (simulated[name] for name in ("width", "share", "modulation"))
            angle = float(simulated["field_deg"])
        side = bank.intensity.shape[-1]
        self.told.set_text(
            f"y {1e6 * where[0]:z.1f} µm, x {1e6 * where[1]:z.1f} µm, "
            + ("" if angle is None else f"{angle:.1f}° ")
            + f"({kind}); FWHM "
            + ", ".join(f"{name} {value:.2f}" for name, value in zip(CHANNEL_NAMES, 1e6 * width, strict=True))
            + f" µm; {100 * share.mean():.1f} % of the light in the window of {side} × {side} pixels, "
            f"{1e6 * side * bank.pixel_pitch:.3g} µm"
        )
        self.curves.draw(channel_curves(_FREQUENCY, _MODULATION, 1e-3 * figures.frequency, modulation))

    def _intensity(self, bank: PsfBank, node: int) -> np.ndarray | None:
        """``[y, x]`` or ``[3, y, x]`` that is shown; None for one wavelength that is not simulated."""
        chosen = self.channel.value
        if self.simulated is not None:
            channels = np.tensordot(bank.channel_weight, self.simulated["functions"], axes=1)
        else:
            channels = bank.intensity[node]
        if chosen == COLOUR:
            return np.asarray(channels)
        if chosen in CHANNEL_NAMES:
            return np.asarray(channels[CHANNEL_NAMES.index(chosen)])
        if self.simulated is None:
            return None
        wanted = float(str(chosen).partition(" ")[0])
        return np.asarray(self.simulated["functions"][int(np.abs(1e9 * bank.wavelength - wanted).argmin())])

    def _mark(self) -> None:
        """Mark the place on the map."""
        if self.bank is None:
            return
        rows, columns = self.values.shape
        pixels, pitch = self.bank.camera.sensor.pixels, self.bank.pixel_pitch
        y = (self.place[0] / pixels[0] / pitch + 0.5) * rows
        x = (self.place[1] / pixels[1] / pitch + 0.5) * columns
        self.map.set_content(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="#fff" stroke-width="3"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="#b4501e" stroke-width="1.5"/>'
        )

    async def defocused(self, event: GenericEventArguments) -> None:
        """The slider of defocus was released."""
        # The value itself comes later than this, as it is throttled.
        self.defocus.set_value(float(event.args))
        await self.simulate_point()

    async def simulate_point(self) -> None:
        """Simulate exactly this place."""
        if self.bank is None or self.path is None:
            return
        request = {"do": "point", "bank": self.project.relative(self.path), "defocus_um": float(self.defocus.value)}
        request["place_um"] = [1e6 * each for each in self.place]
        found = await self.sentence.guarded(
            lambda: self.studio.simulating.ask(request, self.progress.show), self.progress
        )
        self.progress.hide()
        if found is not None and not self.function.is_deleted:
            with np.load(self.project.inside(found["arrays"]), allow_pickle=False) as arrays:
                self.simulated = dict(arrays)
            self.show_function()
