"""Modulation at a place while the sensor moves through the focus: a card of the view *Lens*."""

from __future__ import annotations

import numpy as np
from nicegui import ui

from metalens.app.chart import Chart, axis, channel_curves, curves
from metalens.app.frame import Progress, Sentence, card, faint
from metalens.app.studio import Studio
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.psf.bank import PsfBank

_HEIGHT = axis("modulation", 34, min=0, max=1)
_SHARES = {0.5: "half of Nyquist", 0.25: "a quarter of Nyquist", 0.125: "an eighth of Nyquist"}


class FocusCard:
    """The through-focus curves of a place.

    Args:
        studio: of the app.
        name: of the panel that it belongs to.
    """

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio = studio
        self.project = studio.project
        self.bank: PsfBank | None = None
        self.path = ""
        self.place = self.at = (0.0, 0.0)
        self.defocus = np.zeros(0)
        self.modulation = np.zeros(0)
        with card("Through focus"):
            self.sentence = Sentence()
            with ui.row().classes("w-full gap-3 items-end"):
                self.share = ui.select(_SHARES, value=0.25, label="Modulation at", on_change=self.draw)
                self.share.classes("grow").mark(f"{name} focus-frequency")
                self.button = ui.button("Move through the focus", on_click=self.compute).props("no-caps outline")
                self.button.mark(f"{name} focus")
            self.progress = Progress(studio.simulating.stop)
            self.chart = Chart("Modulation by defocus of the sensor", curves(axis("defocus (µm)"), _HEIGHT, []))
            self.chart.classes("w-full h-72").set_visibility(False)
            self.told = faint("The sensor moves along the axis; the modulation at the marked place is drawn.")
            self.told.props("role=status aria-live=polite").mark(f"{name} focus-told")

    def show(self, bank: PsfBank, path: str) -> None:
        """Another lens was chosen.

        Args:
            bank: its point spread functions.
            path: of their file, relative to the project folder.
        """
        self.bank, self.path = bank, path
        self.sentence.show("")
        self.chart.set_visibility(False)
        self.told.set_text("The sensor moves along the axis; the modulation at the marked place is drawn.")

    async def compute(self) -> None:
        """Move the sensor through the focus at the marked place."""
        bank, place = self.bank, self.place
        if bank is None:
            return
        self.sentence.show("")
        request = {"do": "focus", "bank": self.path, "place_um": [1e6 * each for each in place]}
        found = await self.sentence.guarded(
            lambda: self.studio.simulating.ask(request, self.progress.show), self.progress
        )
        self.progress.hide()
        if found is None or self.chart.is_deleted or bank is not self.bank:
            return
        with np.load(self.project.inside(found["arrays"]), allow_pickle=False) as arrays:
            self.defocus, self.modulation = arrays["defocus"], arrays["modulation"]
        self.at = place
        self.chart.set_visibility(True)
        self.draw()

    def draw(self) -> None:
        """Draw the curves at the chosen frequency."""
        if self.bank is None or not len(self.defocus):
            return
        wanted = float(self.share.value) * 0.5 / self.bank.pixel_pitch
        frequencies = self.bank.by_channel.frequency
        shown = int(np.abs(frequencies - wanted).argmin())
        values = self.modulation[..., shown]
        data = np.moveaxis(values, 0, -1)
        low, high = (round(1e6 * each, 3) for each in (self.defocus[0], self.defocus[-1]))
        across = axis("defocus (µm)", min=low, max=high, axisLabel={"showMinLabel": False, "showMaxLabel": False})
        self.chart.draw(channel_curves(across, _HEIGHT, 1e6 * self.defocus, data))
        best = values.mean(axis=-1).argmax(axis=0)
        self.told.set_text(
            f"At y {1e6 * self.at[0]:z.1f} µm, x {1e6 * self.at[1]:z.1f} µm and "
            f"{1e-3 * frequencies[shown]:.0f} cycles/mm; sharpest at "
            + ", ".join(f"{name} {self._told(int(each))}" for name, each in zip(CHANNEL_NAMES, best, strict=True))
            + " µm. Positive: the sensor is farther from the lens."
        )

    def _told(self, position: int) -> str:
        """The defocus in micrometres; of the first and the last position it is not known."""
        inside = 0 < position < len(self.defocus) - 1
        value = f"{1e6 * self.defocus[position]:+z.3g}".replace("-", "−")
        return value if inside else f"beyond {value}"
