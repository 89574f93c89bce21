"""The card of pairs on the hub: cameras, licence of each photograph, seeds, versions; and an example sheet."""

from __future__ import annotations

from pathlib import Path

from metalens.formats.camera.camera import known_as
from metalens.formats.drawing.contact_sheet import draw_contact_sheet
from metalens.formats.drawing.style import save_figure
from metalens.formats.pages.builder import Table, listing, render
from metalens.formats.pairs.reader import Pairs
from metalens.formats.psf.bank import PsfBank

_ROWS = 6
_LICENCES = {
    "CC0": "cc0-1.0",
    "CC0-1.0": "cc0-1.0",
    "CC-BY-2.0": "cc-by-2.0",
    "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-3.0": "cc-by-sa-3.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "MIT": "mit",
}
"""Licences that the hub has a name for."""


def dataset_card(pairs: Pairs, address: str, bank: PsfBank | None = None) -> str:
    """The card of pairs, as Markdown with the hub's front matter.

    Args:
        pairs: the pairs.
        address: of the repository.
        bank: the point spread functions that go with them.

    Returns:
        The text of README.md.
    """
    manifest = pairs.manifest
    licences = {source.licence for source in manifest.sources}
    only = licences.pop() if len(licences) == 1 else ""
    return render(
        "dataset_card.md",
        manifest=manifest,
        address=address,
        front={"license": _LICENCES.get(only, "other")},
        training=len(pairs.of_split("train")),
        validation=len(pairs.of_split("validation")),
        psf=bank is not None,
        psf_camera="" if bank is None else known_as(bank.camera.name, bank.camera.hash),
        cameras=Table(
            ("name", "lens hash", "sensor", "SHA-256 of its functions"),
            [
                (
                    known_as(each.name, each.lens_hash),
                    f"`{each.lens_hash[:16]}`",
                    f"{each.sensor[0]} × {each.sensor[1]}",
                    each.psf_hash[:16] or None,
                )
                for each in manifest.cameras
            ],
        ),
        photographs=Table(
            ("photograph", "licence", "credit", "split", "SHA-256"),
            [
                (each.name, each.licence or "unknown", each.credit or "unknown", each.split, each.sha256[:16])
                for each in manifest.sources
            ],
        ),
        skipped=len(manifest.skipped),
        settings=listing({"seed": manifest.seed, **manifest.config}),
    )


def write_example_sheet(pairs: Pairs, folder: Path) -> Path:
    """Draw some of the pairs.

    Args:
        pairs: the pairs.
        folder: where ``sheet.png`` is written.

    Returns:
        The picture.
    """
    (drawn,) = save_figure(folder, "sheet", lambda: draw_contact_sheet(pairs, count=_ROWS), {"png": 110})
    return drawn
