"""The view *Data*: a folder of pairs as a contact sheet with places on the sensor, filters and statistics."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from nicegui import run, ui

from metalens.app.chart import Chart, Options, axis, curves
from metalens.app.files import url_of_pair
from metalens.app.frame import CommandBox, Progress, Sentence, card, faint, figures_table
from metalens.app.held_out import held_out_folder
from metalens.app.job import shown_command
from metalens.app.pairs_statistics import PairsStatistics, PairStatistics, pairs_statistics
from metalens.app.studio import Studio
from metalens.app.watching import watch
from metalens.formats.files.errors import InputError

A_PAGE = 24
"""Pairs on one page of the sheet."""

ALL = "all"
"""Choice of the split that leaves nothing out."""

ORDERS: dict[str, Callable[[PairStatistics], float]] = {
    "as stored": lambda pair: pair.index,
    "least sharp first": lambda pair: pair.sharpness,
    "sharpest first": lambda pair: -pair.sharpness,
    "darkest first": lambda pair: pair.brightness,
    "brightest first": lambda pair: -pair.brightness,
    "most saturated first": lambda pair: -pair.saturated,
}


class DataView:
    """The view's elements and the folder that is shown.

    Args:
        studio: of the app.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.project = studio.project
        self.found: PairsStatistics | None = None
        self.page = 0
        folders = self.project.pairs_folders()
        with ui.element("div").classes("metalens-columns"):
            with ui.column().classes("w-full gap-3"):
                with card("Pairs"):
                    if not folders:
                        faint(
                            "The project has no folder of pairs; metalens synth makes one. That of the held-out "
                            "photographs appears seconds after the view Restore has shown its first picture; load this "
                            "page again."
                        )
                    self.folder = ui.select(folders, label="Folder of pairs", on_change=self.choose).classes("w-full")
                    self.folder.mark("pairs")
                    self.sentence = Sentence()
                    self.verify_button = (
                        ui.button("Verify", on_click=self.verify).props("no-caps outline").mark("verify")
                    )
                    self.progress = Progress(self.stop)
                    self.verified = (
                        ui.label("").props("role=status aria-live=polite").classes("text-sm").mark("verified")
                    )
                    self.command = CommandBox()
                with card("Filter"):
                    self.split = ui.select([ALL], value=ALL, label="Split", on_change=self.filter)
                    self.split.classes("w-full").mark("split")
                    self.name = ui.input("Part of the photograph's name", on_change=self.filter).props("debounce=300")
                    self.name.classes("w-full").mark("photograph-name")
                    self.order = ui.select(list(ORDERS), value="as stored", label="Order", on_change=self.filter)
                    self.order.classes("w-full").mark("order")
            with ui.column().classes("w-full gap-3"):
                with card("Statistics"):
                    self.statistics = ui.column().classes("w-full")
                with card("Contact sheet"):
                    self.told = ui.label("").props("role=status aria-live=polite").classes("metalens-faint")
                    self.sheet = ui.element("div").classes("metalens-sheet")
                    with ui.row().classes("w-full justify-center gap-3"):
                        self.back = ui.button("Back", on_click=lambda: self.turn(-1)).props("outline no-caps")
                        self.onward = (
                            ui.button("Next", on_click=lambda: self.turn(1)).props("outline no-caps").mark("onward")
                        )
        last = self.project.state().get("pairs")
        if folders:
            ui.timer(0.05, lambda: self.folder.set_value(last if last in folders else folders[0]), once=True)

    async def choose(self) -> None:
        """Look at a folder."""
        self.sentence.show("")
        self.verified.set_text("")
        folder = str(self.folder.value)
        self.command.show(shown_command(["data", "show", folder]))
        self.progress.show(0.5, "looking at the pairs")
        try:
            place = self.project.inside(folder)
            held_out = place == held_out_folder(self.project)
            self.found = await run.io_bound(pairs_statistics, place, held_out=held_out)
        except InputError as error:
            self.found = None
            self.sentence.show(str(error))
        self.progress.hide()
        if self.found is not None and not self.sheet.is_deleted:
            self.project.remember(pairs=folder)
            self.show_statistics(self.found)
            self.split.set_options([ALL, *sorted({each.split for each in self.found.pairs})], value=ALL)
            self.filter()

    def show_statistics(self, found: PairsStatistics) -> None:
        """The figures of the folder."""
        self.statistics.clear()
        with self.statistics:
            seen = "" if len(found.pairs) == found.count else f", {len(found.pairs)} of them looked at"
            ui.label(f"{found.count} {found.kind} pairs of {found.pixels[0]} × {found.pixels[1]} pixels{seen}.")
            rows = [
                _row("brightness of the captures", [each.brightness for each in found.pairs]),
                _row("saturated pixels, share", [each.saturated for each in found.pairs]),
                _row("sharpness of the clean pictures", [each.sharpness for each in found.pairs]),
                _row("sharpness of the captures", [each.captured_sharpness for each in found.pairs]),
            ]
            figures_table(["", "least", "median", "most"], rows)
            with ui.element("div").classes("metalens-pair"):
                for title, values in (
                    ("sharpness of the clean pictures", [each.sharpness for each in found.pairs]),
                    ("brightness of the captures", [each.brightness for each in found.pairs]),
                ):
                    Chart(f"Histogram: {title}", _histogram(values, title)).classes("w-full h-48")
            if found.skipped:
                with ui.expansion(f"{len(found.skipped)} photographs were skipped", value=True).classes("w-full"):
                    figures_table(["photograph", "reason"], [list(each) for each in found.skipped])

    def chosen(self) -> list[PairStatistics]:
        """The pairs that pass the filter, in order."""
        if self.found is None:
            return []
        part = str(self.name.value or "").lower()
        kept = [
            each
            for each in self.found.pairs
            if self.split.value in (ALL, each.split) and part in each.photograph.lower()
        ]
        return sorted(kept, key=ORDERS[str(self.order.value)])

    def filter(self) -> None:
        """Filter or order was changed."""
        self.page = 0
        self.show_sheet()

    def turn(self, pages: int) -> None:
        """Turn the page."""
        self.page = max(0, self.page + pages)
        self.show_sheet()

    def show_sheet(self) -> None:
        """Show one page."""
        kept = self.chosen()
        shown = kept[self.page * A_PAGE : (self.page + 1) * A_PAGE]
        self.back.set_enabled(self.page > 0)
        self.onward.set_enabled((self.page + 1) * A_PAGE < len(kept))
        first = self.page * A_PAGE + 1
        self.told.set_text(f"{first} to {first + len(shown) - 1} of {len(kept)} pairs" if shown else "No pair passes.")
        self.sheet.clear()
        with self.sheet:
            for pair in shown:
                self._cell(pair)

    def _cell(self, pair: PairStatistics) -> None:
        assert self.found is not None
        folder = str(self.folder.value)
        with ui.element("figure").classes("metalens-cell"):
            with ui.row().classes("w-full gap-1 no-wrap"):
                for which in ("clean", "degraded"):
                    image = (
                        ui.element("img")
                        .classes("w-1/2")
                        .props(f'loading=lazy src="{url_of_pair(folder, pair.index, which)}"')
                    )
                    image.props["alt"] = f"{which}, {pair.photograph}"
            with ui.row().classes("w-full gap-2 no-wrap items-center"):
                ui.html(_place(pair, self.found.pixels), sanitize=False).classes("metalens-place")
                with ui.column().classes("gap-0 min-w-0"):
                    ui.label(f"{pair.index}: {pair.photograph}").classes("text-sm truncate w-full")
                    faint(f"{pair.split}, {pair.camera}, sharpness {pair.sharpness:.1f}, mean {pair.brightness:.2f}")

    # Verifying

    async def verify(self) -> None:
        """Check every shard, as a command."""
        job = self.studio.jobs.job("verify")
        arguments = ["data", "verify", str(self.folder.value), "--json"]
        if job.state() != "running":
            job.start(arguments)
        self.command.show(shown_command(arguments))
        if await watch(job, self.progress, "verifying"):
            self.verified.set_text("Every shard is what was written.")
        elif job.state() == "failed":
            self.sentence.show(job.sentence())

    def stop(self) -> None:
        """Stop what runs."""
        self.studio.jobs.job("verify").stop()


def _row(name: str, values: list[float]) -> list[str]:
    return [name, *(f"{value:.3g}" for value in (min(values), float(np.median(values)), max(values)))]


def _histogram(values: list[float], title: str) -> Options:
    counts, edges = np.histogram(values, bins=min(20, max(4, len(values) // 4)))
    middles = [f"{0.5 * (low + high):.3g}" for low, high in pairwise(edges)]
    bars = {"type": "bar", "data": counts.tolist(), "itemStyle": {"color": "#4a7fb8"}}
    across = axis(title) | {"type": "category", "data": middles}
    return curves(across, axis("pairs", 34, minInterval=1), [bars])


def _place(pair: PairStatistics, pixels: tuple[int, int]) -> str:
    """Where on the sensor a pair lies, as SVG; it holds numbers alone."""
    rows, columns = pair.sensor
    stroke = max(rows, columns) / 40
    row, column = pair.position
    return (
        f'<svg viewBox="0 0 {columns} {rows}" width="48" height="{48 * rows / columns:.0f}" role="img" '
        f'aria-label="place on the sensor: row {row}, column {column}">'
        f'<rect width="{columns}" height="{rows}" fill="none" stroke="#8a94a3" stroke-width="{stroke:.1f}"/>'
        f'<rect x="{column}" y="{row}" width="{pixels[1]}" height="{pixels[0]}" fill="#b4501e55" stroke="#b4501e" '
        f'stroke-width="{stroke:.1f}"/></svg>'
    )
