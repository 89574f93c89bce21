"""The view *Restore*: a photograph at any α, beside its capture, with figures and the command that does the same."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from nicegui import background_tasks, run, ui

from metalens.app.embedded import ADAPTERS
from metalens.app.files import url_of
from metalens.app.frame import Progress, Sentence, card, faint
from metalens.app.photo_panes import PhotoPanes
from metalens.app.photograph_list import PhotographList
from metalens.app.photographs import Photograph, photograph
from metalens.app.restored_results import METRICS, Restoration, RestoredResults
from metalens.app.studio import Studio

AHEAD = (0.75, 0.0, 1.0, 0.5, 0.25, 1.2)
"""Values of α that are decoded ahead, the first shown at once; between them the page interpolates."""

OWN_BANK = "of the adapter"

_REST = 0.5
"""Seconds that the slider rests before the picture is measured: the next picture must not wait for figures."""


class RestoreView:
    """The view's elements and what was chosen.

    Args:
        studio: of the app.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.project = studio.project
        self.chosen: Photograph | None = None
        self.opened: dict[str, Any] | None = None
        self.alpha = float(self.project.state().get("alpha", AHEAD[0]))
        self.mapped: str | None = None
        self.filtered: str | None = None
        self.turn = 0
        self.released_at = 0.0
        with ui.element("div").classes("metalens-columns metalens-picture-first"):
            left = ui.column().classes("w-full gap-3")
            with ui.column().classes("w-full gap-3"):
                self.progress = Progress(self.stop)
                self.sentence = Sentence()
                self.all_the_same = ui.button("", on_click=self.open_all_the_same, color="warning").props("no-caps")
                self.all_the_same.mark("all-the-same").set_visibility(False)
                self.panes = PhotoPanes(self.released, self.painted).mark("panes")
                self.results = RestoredResults()
            with left:
                self.photographs = PhotographList(studio, self.choose, self.progress, self.sentence)
                self._controls()
        ui.timer(0.05, self.photographs.begin, once=True)

    def _controls(self) -> None:
        with card("Camera"):
            adapters = [*ADAPTERS, *(str(Path(each).parent) for each in self.project.listed("adapter.json"))]
            self.adapter = ui.select(adapters, label="Adapter", value=ADAPTERS[0], on_change=self.reopen).classes(
                "w-full"
            )
            self.adapter.mark("adapter")
            banks = [OWN_BANK, *(each for each in self.project.listed("*.h5") if "shard-" not in each)]
            self.bank = ui.select(banks, label="Point spread functions", value=OWN_BANK, on_change=self.reopen)
            self.bank.classes("w-full").mark("psf")
        with card("View"):
            self.layout = ui.toggle({False: "Panes", True: "Curtain"}, value=False, on_change=self.arrange)
            self.layout.props('no-caps dense aria-label="Layout"').mark("layout")
            self.other = ui.select({}, label="Left of the curtain", on_change=self.arrange).classes("w-full")
            self.other.bind_visibility_from(self.layout, "value")
            self.consistent = ui.switch("Consistent with the capture", on_change=self.show_again).mark("consistent")
            # Shown once an adapter is open that does not make its pictures consistent by itself.
            self.consistent.set_visibility(False)
            self.uncertain = ui.switch("Expected error (orange)", on_change=self.show_again).mark("uncertainty")
            self.brushing = ui.switch("Brush for α", on_change=self.arrange).mark("brush")
            with ui.column().classes("w-full gap-0").bind_visibility_from(self.brushing, "value"):
                faint("Paint on the restored picture: α of the brush, and its radius in pixels.")
                self.brush_alpha = ui.slider(min=0, max=1, step=0.05, value=1.0, on_change=self.arrange)
                self.brush_alpha.props('label aria-label="α of the brush"')
                self.brush_radius = ui.slider(min=2, max=80, step=1, value=30, on_change=self.arrange)
                self.brush_radius.props('label aria-label="Radius of the brush in pixels"')

    # Choosing

    async def choose(self, key: str | None) -> None:
        """Open a photograph."""
        if key is None or (self.chosen is not None and self.chosen.key == key and self.opened is not None):
            return
        await self._open(key)

    async def reopen(self) -> None:
        """Open the photograph again, for another adapter or bank."""
        if self.chosen is not None:
            await self._open(self.chosen.key)

    async def open_all_the_same(self) -> None:
        """Restore a photograph of an unknown camera, by explicit click."""
        if self.chosen is not None:
            await self._open(self.chosen.key, any_lens=True)

    async def _open(self, key: str, *, any_lens: bool = False) -> None:
        self.turn += 1
        turn = self.turn
        self.all_the_same.set_visibility(False)
        self.sentence.show("")
        self.mapped, self.filtered, self.opened = None, None, None
        self.results.forget()
        given = await self.sentence.guarded(lambda: run.io_bound(photograph, self.project, key), self.progress)
        if given is None:
            return
        self.chosen = given
        self._show_panes()
        self.progress.show(0.0, "loading the adapter")
        request = {"do": "open", "key": key, "adapter": self.adapter.value, "psf": self._psf()}
        opened = await self._asked(request | {"any_lens": any_lens, "cut": any_lens})
        if opened is None or turn != self.turn:
            return
        if "foreign" in opened:
            self.sentence.show(f"{given.about.title} is not of this adapter's camera: {opened['foreign']}.")
            self.all_the_same.set_text("Restore it all the same, as if this camera had taken it")
            self.all_the_same.set_visibility(True)
            return
        self.opened = opened
        self.consistent.set_visibility(not opened["consistent"])
        self.chosen = photograph(self.project, opened["key"])
        self.project.remember(photograph=key)
        if any_lens or self.chosen.about.foreign:
            self.sentence.show(
                "WARNING: made for another lens. The adapter removes the blur of its own camera, which this capture "
                "does not have: what looks like detail may be invented."
            )
        self.panes.show(pictures=[], overlay=None, mapped=None)
        self._show_panes()
        if await self._show_alpha(self.alpha, turn):
            background_tasks.create(self.photographs.add_further())
            await self._ahead(turn)

    async def _ahead(self, turn: int) -> None:
        """Decode the grid of α, filter, and measure; a change in between ends it."""
        assert self.opened is not None
        for number, alpha in enumerate(AHEAD):
            if await self._decoded(alpha, turn) is None:
                return
            self.progress.show((number + 1) / len(AHEAD), "decoding pictures ahead")
        self.progress.hide()
        if self.filtered is None and self.opened["functions"]:
            assert self.chosen is not None
            found = await self._asked({"do": "wiener", "key": self.chosen.key})
            if found is None or turn != self.turn:
                return
            self.filtered = found["picture"]
            self._show_panes()
        await self._measure(turn)

    # The picture

    async def released(self, alpha: float) -> None:
        """The slider was released: show the exact picture."""
        self.alpha, self.mapped = round(alpha, 2), None
        self.project.remember(alpha=self.alpha)
        self.panes.show(mapped=None)
        released = self.released_at = time.monotonic()
        if await self._show_alpha(self.alpha, self.turn):
            await asyncio.sleep(_REST)
            if released == self.released_at:
                await self._measure(self.turn)

    async def show_again(self) -> None:
        """Consistency or the overlay was switched."""
        if self.opened is None:
            return
        self.turn += 1
        turn = self.turn
        if not self.opened["functions"] and (self.consistent.value or self.uncertain.value):
            self.sentence.show("This needs the point spread functions of the camera; choose its psf.h5.")
            return
        self.panes.show(pictures=[])
        if self.mapped is not None:
            await self.painted(self.mapped)
        if await self._show_alpha(self.alpha, turn):
            await self._ahead(turn)

    async def painted(self, name: str) -> None:
        """A map of α was painted: show the picture by it."""
        if self.opened is None:
            return
        self.mapped = name
        request = {"do": "decode", "folder": self.opened["folder"], "alpha": name, "consistent": self.consistent.value}
        found = await self._asked(request, quiet=True)
        if found is not None:
            self.panes.show(mapped=url_of(found["picture"]))
            self._show_results(found["picture"])

    async def _decoded(self, alpha: float, turn: int) -> str | None:
        """Decode one α and hand the picture to the page; None if something else was asked for meanwhile."""
        if self.opened is None or turn != self.turn or self.panes.is_deleted:
            return None
        request = {"do": "decode", "folder": self.opened["folder"], "alpha": alpha, "consistent": self.consistent.value}
        found = await self._asked(request, quiet=True)
        if found is None or turn != self.turn or self.panes.is_deleted:
            return None
        pictures = [each for each in self.panes.shown.get("pictures", []) if each["alpha"] != alpha]
        self.panes.show(pictures=[*pictures, {"alpha": alpha, "url": url_of(found["picture"])}])
        return str(found["picture"])

    async def _show_alpha(self, alpha: float, turn: int) -> bool:
        picture = await self._decoded(alpha, turn)
        if picture is None or self.opened is None:
            return False
        self.progress.hide()
        self.panes.show(alpha=alpha)
        overlay = None
        if self.uncertain.value:
            request = {"do": "uncertainty", "folder": self.opened["folder"], "alpha": alpha}
            found = await self._asked(request | {"consistent": self.consistent.value})
            overlay = None if found is None else url_of(found["picture"])
        self.panes.show(overlay=overlay)
        self._show_results(picture)
        return True

    def arrange(self) -> None:
        """Panes or curtain, and the brush."""
        curtain = [self.other.value or "captured", "restored"] if self.layout.value else None
        brush = {"alpha": self.brush_alpha.value, "radius": self.brush_radius.value} if self.brushing.value else None
        self.panes.show(curtain=curtain, brush=brush)

    def _show_panes(self) -> None:
        given = self.chosen
        if given is None or self.panes.is_deleted:
            return
        panes = [{"name": "captured", "title": "Captured", "url": url_of(self.project.relative(given.capture))}]
        if self.filtered is not None:
            panes.append({"name": "wiener", "title": "Wiener filter, joint", "url": url_of(self.filtered)})
        if self.opened is not None:
            panes.append({"name": "restored", "title": "Restored", "note": self.opened["camera"]})
        if given.clean is not None:
            panes.append({"name": "clean", "title": "Clean", "url": url_of(self.project.relative(given.clean))})
        others = {each["name"]: each["title"] for each in panes if each["name"] != "restored"}
        self.other.set_options(others, value=self.other.value if self.other.value in others else "captured")
        rows, columns = given.about.pixels
        post = None if self.opened is None else f"/alpha-map/{given.key}/{Path(self.opened['folder']).name}"
        self.panes.show(panes=panes, rows=rows, columns=columns, post=post, alpha=self.alpha)

    # Figures and files

    async def _measure(self, turn: int) -> None:
        """Fill the table of figures."""
        if self.chosen is None or self.opened is None:
            return
        if self.chosen.clean is None:
            self.results.show_figures(None)
            return
        pictures = {"captured": self.project.relative(self.chosen.capture)}
        if self.filtered is not None:
            pictures["Wiener filter, joint"] = self.filtered
        shown = await self._decoded(self.alpha, turn)
        if shown is None:
            return
        pictures[f"restored, α = {self.alpha:g}"] = shown
        figures: dict[str, dict[str, Any]] = {name: {} for name in pictures}
        released = self.released_at
        # A request for each: what the slider asks for meanwhile comes between them.
        for metric, _, _ in METRICS:
            request = {"do": "figures", "key": self.chosen.key, "pictures": pictures, "metric": metric}
            found = await self._asked(request, quiet=True)
            if found is None or (turn, released) != (self.turn, self.released_at):
                return
            for name, zones in found["rows"].items():
                figures[name][metric] = zones
        self.results.show_figures(figures)

    def _show_results(self, picture: str) -> None:
        if self.opened is None or self.chosen is None:
            return
        folder = self.opened["folder"]
        restoration = Restoration(
            capture=self.project.relative(self.chosen.capture),
            place=self.chosen.about.place,
            adapter=self.adapter.value,
            alpha=self.alpha if self.mapped is None else f"{folder}/{self.mapped}",
            psf=self._psf(),
            consistent=self.consistent.value and not self.opened["consistent"],
            uncertainty=self.uncertain.value,
        )
        self.results.show_files(picture, f"{folder}/latents.safetensors", restoration)

    def _psf(self) -> str | None:
        return None if self.bank.value == OWN_BANK else str(self.bank.value)

    # Asking the process

    async def stop(self) -> None:
        """Stop what runs."""
        self.turn += 1
        self.photographs.stop()
        await self.studio.restoring.stop()
        self.progress.hide()

    async def _asked(self, request: dict[str, Any], *, quiet: bool = False) -> dict[str, Any] | None:
        def tell(share: float, text: str) -> None:
            if not quiet:
                self.progress.show(share, text)

        found = await self.sentence.guarded(lambda: self.studio.restoring.ask(request, tell), self.progress)
        if not quiet:
            self.progress.hide()
        return found
