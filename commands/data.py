"""``metalens data``: verify, show, merge, import and export folders of pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_line
from metalens.commands.data_hub import pull, push
from metalens.commands.data_import import import_
from metalens.commands.data_score import score
from metalens.commands.options import PATH, SHARD_SIZE, json_option, output_option, resume_option
from metalens.commands.progress import count_progress
from metalens.formats.files.atomic import require_new_file, require_outside

if TYPE_CHECKING:
    from metalens.formats.pairs.reader import Pairs


@click.group(short_help="verify, show, merge, import and export pairs")
def data() -> None:
    """Verify, show, merge, import, export, score, push and pull folders of pairs. Commands take --json."""


data.add_command(import_)
data.add_command(score)
data.add_command(push)
data.add_command(pull)


@data.command(short_help="recompute every checksum")
@click.argument("pairs", type=PATH)
@click.option("--thorough", is_flag=True, help="Also decode every picture.")
@json_option
def verify(pairs: Path, thorough: bool, as_json: bool) -> None:
    """Recompute the checksum of every shard of PAIRS; ends with status 1 if one is missing or damaged.

    To repair, run the command that made the folder with --resume: it writes damaged shards again, byte for byte.
    """
    from metalens.formats.files.errors import InputError
    from metalens.formats.pairs.example import pairs_folder
    from metalens.formats.pairs.manifest import read_manifest
    from metalens.formats.pairs.verify import verify_pairs

    # Before the bar: a refusal is one sentence.
    read_manifest(pairs_folder(pairs))
    with count_progress("shards", "shard") as tell:
        found = verify_pairs(pairs, thorough=thorough, progress=tell)
    damaged = [{"shard": each.name, "reason": each.reason} for each in found.damaged]
    for each in found.damaged:
        tell_line(f"{pairs / each.name}: {each.reason}")
    for name in found.strangers:
        tell_line(f"{pairs / name}: does not belong to the pairs")
    figures = {"shards": found.shards, "samples": found.samples, "damaged": damaged, "strangers": found.strangers}
    if damaged:
        if as_json:
            answer({"output": str(pairs), "whole": False, **figures}, as_json, [])
        names = ", ".join(each.name for each in found.damaged[:3]) + (" and others" if len(damaged) > 3 else "")
        raise InputError(
            f"{pairs}: {len(damaged)} of {found.shards} shards are missing or damaged ({names}); run the command that "
            "makes it again with --resume."
        )
    text = f"{pairs}: {counted(found.samples, 'pair')} in {counted(found.shards, 'shard')}, all as they were written"
    answer({"output": str(pairs), "whole": True, **figures}, as_json, text)


@data.command(short_help="what a folder holds, and a contact sheet")
@click.argument("pairs", type=PATH)
@click.option("-o", "--output", type=PATH, help="The contact sheet to draw: a .png, .pdf or .svg.")
@click.option(
    "--figures", "rows", type=click.IntRange(1, 1000), default=6, show_default=True, help="Pairs on the contact sheet."
)
@json_option
def show(pairs: Path, output: Path | None, rows: int, as_json: bool) -> None:
    """Describe PAIRS: pictures, cameras, photographs and their licences, and the split.

    With -o, draw some pairs side by side, with their positions on the sensor.
    """
    from metalens.formats.files.errors import InputError
    from metalens.formats.pairs.reader import read_pairs

    if output is not None:
        require_outside(output, [pairs])
        require_new_file(output)
        if output.suffix not in (".png", ".pdf", ".svg"):
            raise InputError(
                f"{output}: a contact sheet cannot be drawn in this format; give a .png, .pdf or .svg file."
            )
    opened = read_pairs(pairs)
    figures = _summary(opened)
    if output is not None:
        _draw(opened, output, rows)
    answer({"output": None if output is None else str(output), **figures}, as_json, _as_text(pairs, figures))


def _summary(pairs: Pairs) -> dict[str, Any]:
    manifest = pairs.manifest
    licences = Counter(source.licence or "unknown" for source in manifest.sources)
    return {
        "kind": manifest.kind,
        "count": manifest.count,
        "pixels": list(manifest.pixels),
        "shards": len(manifest.shards),
        "bytes": sum((pairs.folder / shard.name).stat().st_size for shard in manifest.shards),
        "cameras": [{"name": each.name, "lens_hash": each.lens_hash} for each in manifest.cameras],
        "photographs": len(manifest.sources),
        "train": len(pairs.of_split("train")),
        "validation": len(pairs.of_split("validation")),
        "licences": dict(sorted(licences.items())),
        "skipped": len(manifest.skipped),
        "lost": len(manifest.lost),
        "seed": manifest.seed,
        "config": manifest.config,
        "versions": manifest.versions,
    }


def _as_text(folder: Path, figures: dict[str, Any]) -> list[str]:
    rows, columns = figures["pixels"]
    cameras = dict.fromkeys(camera["name"] for camera in figures["cameras"])
    return [
        f"{folder}: {counted(figures['count'], figures['kind'] + ' pair')} of {rows} × {columns} pixels in "
        f"{counted(figures['shards'], 'shard')} of {figures['bytes'] / 2**20:.1f} MiB together",
        f"  {counted(len(figures['cameras']), 'camera')}: {', '.join(cameras)}",
        f"  {counted(figures['photographs'], 'photograph')}; training {figures['train']}, validation "
        f"{figures['validation']}; skipped {figures['skipped']}, lost {figures['lost']}",
        *(f"  {counted(count, 'photograph')}: {licence}" for licence, count in figures["licences"].items()),
    ]


def _draw(pairs: Pairs, output: Path, rows: int) -> None:
    import tempfile

    from metalens.formats.drawing.contact_sheet import draw_contact_sheet
    from metalens.formats.drawing.style import save_figure
    from metalens.formats.files.atomic import atomic_file

    with tempfile.TemporaryDirectory() as folder, atomic_file(output) as part:
        kind = output.suffix[1:]
        (drawn,) = save_figure(Path(folder), "sheet", lambda: draw_contact_sheet(pairs, count=rows), {kind: 200})
        part.write_bytes(drawn.read_bytes())


@data.command(short_help="join folders of pairs")
@click.argument("folders", nargs=-1, required=True, type=PATH)
@output_option("The folder of pairs to make.")
@click.option("--shard-size", type=SHARD_SIZE, help="Pairs per file. [default: as in the first folder]")
@resume_option
@json_option
def merge(folders: tuple[Path, ...], output: Path, shard_size: int | None, resume: bool, as_json: bool) -> None:
    """Merge two or more FOLDERS with pairs of one size, without re-encoding the pictures.

    The manifest keeps the sources of each folder. A validation photograph of one folder stays one in the result.
    """
    from metalens.formats.pairs.merge import merge_pairs

    require_outside(output, folders)
    with count_progress("pairs", "pair") as tell:
        manifest = merge_pairs(folders, output, shard_size=shard_size, resume=resume, progress=tell)
    figures = {"output": str(output), "count": manifest.count, "cameras": len(manifest.cameras)}
    answer(figures, as_json, f"{output}: {counted(manifest.count, 'pair')} of {counted(len(folders), 'folder')}")


@data.command(short_help="pairs in formats of other tools")
@click.argument("pairs", type=PATH)
@output_option("The folder to make.")
@click.option("--to", "form", type=click.Choice(["webdataset", "hf", "png"]), required=True, help="Output format.")
@click.option(
    "--tar-samples", type=SHARD_SIZE, default=1000, show_default=True, help="Pairs in each tar of a WebDataset."
)
@json_option
def export(pairs: Path, output: Path, form: str, tar_samples: int, as_json: bool) -> None:
    """Write PAIRS as pictures and JSON: WebDataset tars, an imagefolder of Hugging Face's datasets, or plain folders.

    Training and validation are written separately. pairs.json has the licence and credit of every photograph.
    """
    from metalens.formats.pairs.export import export_pairs
    from metalens.formats.pairs.reader import read_pairs

    require_outside(output, [pairs])
    opened = read_pairs(pairs, open_shards=1)
    with count_progress("pairs", "pair") as tell:
        counts = export_pairs(opened, output, form, tar_samples=tar_samples, progress=tell)  # type: ignore[arg-type]
    text = (
        f"{output}: {counted(counts['train'], 'pair')} that train and {counts['validation']} that validate, as {form}"
    )
    answer({"output": str(output), "form": form, **counts}, as_json, text)
