"""What belongs to a restored picture: its figures against the clean one, its files, and the command that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nicegui import ui

from metalens.app.files import url_of
from metalens.app.frame import CommandBox, card, faint, figures_table
from metalens.app.job import shown_command

_ZONES = ("whole", "centre", "middle", "edge")
METRICS = (("psnr", "PSNR (dB)", 2), ("ssim", "SSIM", 3), ("st_lpips", "ST-LPIPS", 3))
"""Key, heading and digits of each metric in the table."""


@dataclass(frozen=True)
class Restoration:
    """How the picture that is shown was restored.

    Attributes:
        capture: the captured picture, relative to the project folder.
        place: row and column of its corner on the sensor; None: in the middle.
        adapter: folder or name of the adapter.
        alpha: fidelity 0 to detail 1, or the painted map of it as a file of the project.
        psf: ``psf.h5`` of the camera; None: that of the adapter.
        consistent: made consistent with the capture.
        uncertainty: with a map of its expected error.
    """

    capture: str
    place: tuple[int, int] | None
    adapter: str
    alpha: float | str
    psf: str | None = None
    consistent: bool = False
    uncertainty: bool = False

    def arguments(self) -> list[str]:
        """Arguments of ``metalens`` that restore the same picture."""
        found = ["restore", self.capture, "-o", "restored/", "--adapter", self.adapter]
        if isinstance(self.alpha, str):
            found += ["--alpha-map", self.alpha]
        else:
            found += ["--alpha", f"{self.alpha:g}"]
        if self.place is not None:
            found += ["--place", ",".join(map(str, self.place))]
        if self.psf is not None:
            found += ["--psf", self.psf, "--any-lens"]
        found += ["--consistent"] * self.consistent
        return found + ["--uncertainty"] * self.uncertainty


class RestoredResults:
    """The cards with figures, downloads and command."""

    def __init__(self) -> None:
        with card("Against the clean picture"):
            self.table = ui.column().classes("w-full")
        with card("Results"):
            self.downloads = ui.row().classes("w-full gap-3")
            self.command = CommandBox()

    def forget(self) -> None:
        """Another photograph was chosen: nothing of the one before stays."""
        if not self.table.is_deleted:
            self.table.clear()
            self.downloads.clear()
            self.command.show("")

    def show_figures(self, rows: dict[str, Any] | None) -> None:
        """Fill the table.

        Args:
            rows: metrics by zone of each picture, by its name; None: the clean picture is not known.
        """
        if self.table.is_deleted:
            return
        self.table.clear()
        with self.table:
            if rows is None:
                faint("The clean picture is not known.")
                return
            cells = [
                [name, *(_number(each, key, zone, digits) for key, _, digits in METRICS for zone in _ZONES)]
                for name, each in rows.items()
            ]
            groups = [("", 1), *((heading, len(_ZONES)) for _, heading, _ in METRICS)]
            figures_table(["", *_ZONES * len(METRICS)], cells, groups)

    def show_files(self, picture: str, latents: str, restoration: Restoration) -> None:
        """Show the downloads and the command.

        Args:
            picture: the restored picture, relative to the project folder.
            latents: its latents, in the same way.
            restoration: how it was made.
        """
        if self.downloads.is_deleted:
            return
        self.downloads.clear()
        with self.downloads:
            ui.link("Download the picture (PNG)", url_of(picture)).props("download")
            ui.link("Download the latents", url_of(latents)).props("download")
        self.command.show(shown_command(restoration.arguments()))


def _number(figures: dict[str, dict[str, float]], key: str, zone: str, digits: int) -> str:
    value = figures.get(key, {}).get(zone)
    return "" if value is None else f"{value:.{digits}f}"
