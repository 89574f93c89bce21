"""The command line: parse, convert units, call, report.

Every command takes ``--json`` (one object on stdout and nothing else there), shows progress on stderr, and ends with
0 (done), 1 (failed, with one sentence that says why) or 2 (wrong use). Heavy packages are imported by the command
that needs them, so that every ``--help`` is instant.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens import __version__
from metalens.formats.errors import InputError

if TYPE_CHECKING:
    from metalens.synth.photographs import Photograph

OUTPUT = click.Path(path_type=Path)
EMBEDDED = {"embedded": None, "embedded:train": "train", "embedded:held-out": "held_out"}


class _Group(click.Group):
    """Commands in the order of the road, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="metalens")
def metalens() -> None:
    """Simulate metalens cameras, make training sets from them, restore their photographs.

    \b
    Design a variant          metalens psf my-lens.toml -o psf.h5
    Make a training set       metalens synth photos/ -o pairs/ --psf psf.h5
    Retrain the restorer      metalens train pairs/ -o adapter/ --psf psf.h5 --minutes 30
    Restore photographs       metalens restore captures/ --adapter adapter/ -o restored/
    """


def main() -> None:
    """Run the command line; every failure becomes one sentence and an exit status."""
    try:
        status = metalens.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InputError as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; nothing half-written was left. Commands with --resume go on where they were.", 130)
    except MemoryError:
        _fail("out of memory; ask for less at once (a smaller --batch, --crop or --window).", 1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}; nothing half-written was left.", 1)


def _fail(message: str, status: int) -> None:
    click.echo(f"metalens: {message}", err=True)
    sys.exit(status)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(command)


def _answer(figures: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result: as JSON, or as a sentence."""
    click.echo(json.dumps(figures) if as_json else text)


@contextmanager
def _progress(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr that is told (done, total)."""
    from tqdm import tqdm

    with tqdm(desc=label, unit=unit, file=sys.stderr, dynamic_ncols=True, total=1) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        yield tell


@contextmanager
def _share_progress(label: str) -> Iterator[Callable[[float, dict[str, float]], None]]:
    """A progress bar on stderr that is told (share done, figures)."""
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    with tqdm(desc=label, total=1.0, file=sys.stderr, dynamic_ncols=True, bar_format=layout) as bar:

        def tell(share: float, figures: dict[str, float]) -> None:
            bar.n = min(share, 1.0)
            bar.set_postfix({name: f"{value:.4f}" for name, value in figures.items()}, refresh=False)
            bar.refresh()

        yield tell


def _photographs(sources: Sequence[str]) -> list[Photograph]:
    """Photographs of files, folders, and the embedded ones by name."""
    from metalens.synth.embedded_photographs import embedded_photographs
    from metalens.synth.photographs import find_photographs

    found: list[Photograph] = []
    for source in sources:
        if source in EMBEDDED:
            found += embedded_photographs(EMBEDDED[source])  # type: ignore[arg-type]
        else:
            found += find_photographs([source])
    return found


def _grid(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Parse ROWSxCOLUMNS."""
    del ctx, parameter
    parts = value.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not ROWSxCOLUMNS, such as 7x7.")
    return int(parts[0]), int(parts[1])


def _alphas(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[float, ...]:
    """Parse a comma-separated list of numbers."""
    del ctx, parameter
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a number or a list such as 0,0.5,1.") from error


@metalens.command(short_help="PSFs of a lens over field and colour")
@click.argument("lens")
@click.option("-o", "--output", type=OUTPUT, required=True, help="The psf.h5 to write.")
@click.option("--fields", default="7x7", show_default=True, callback=_grid, help="Field nodes, ROWSxCOLUMNS.")
@click.option("--window", type=int, help="Side of each PSF in pixels, odd. [default: holds 97 % of the light]")
@click.option("--wavelengths", type=int, help="Wavelengths a colour channel. [default: the lens file's]")
@click.option("--dry-run", is_flag=True, help="Check the lens file and say what would be simulated.")
@_json_option
def psf(
    lens: str,
    output: Path,
    fields: tuple[int, int],
    window: int | None,
    wavelengths: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Simulate the point spread functions of LENS, a lens.toml or the name of a preset.

    Presets: metacamera, nano-optics, hyperbolic. Writes the PSFs over field and colour with their FWHM map.
    """
    from metalens.formats.camera import read_camera

    camera = read_camera(lens)
    if dry_run:
        plan = {
            "camera": camera.name,
            "lens_hash": camera.hash,
            "fields": list(fields),
            "wavelengths_per_channel": wavelengths or camera.spectrum.wavelengths_per_channel,
            "output": str(output),
        }
        _answer(plan, as_json, f"would simulate {camera.name} on {fields[0]}×{fields[1]} fields into {output}")
        return
    from metalens.formats.psf_bank import write_psf_bank
    from metalens.psf.bank import simulate_bank

    _require_folder(output)
    with _progress("PSF", "field") as tell:
        bank = simulate_bank(
            camera,
            fields=fields,
            window=None if window is None else (window, window),
            wavelengths_per_channel=wavelengths,
            progress=tell,
        )
    write_psf_bank(output, bank)
    width = bank.full_width_half_maximum * 1e6
    figures = {
        "output": str(output),
        "camera": camera.name,
        "lens_hash": camera.hash,
        "window": list(bank.intensity.shape[-2:]),
        "fwhm_um": {"least": float(width.min()), "most": float(width.max())},
        **bank.provenance,
    }
    text = f"{output}: {camera.name}, FWHM (Eq. 2) {width.min():.1f} to {width.max():.1f} µm over field and colour"
    _answer(figures, as_json, text)


def _require_folder(output: Path) -> None:
    """Refuse an output file before hours of work, not after."""
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder {output.parent} does not exist; make it first.")
    if output.is_dir():
        raise InputError(f"{output}: is a folder, a file was expected; choose another place with -o.")


@metalens.command(short_help="pairs of clean and captured pictures")
@click.argument("photos", nargs=-1)
@click.option("-o", "--output", type=OUTPUT, required=True, help="The folder of pairs to make.")
@click.option("--psf", "psf_path", type=OUTPUT, required=True, help="The camera's psf.h5.")
@click.option("--count", type=int, help="Pairs in all; photographs take turns. [default: one a photograph]")
@click.option("--whole", is_flag=True, help="The centre of each photograph as it is, for a test set.")
@click.option("--seed", default=0, show_default=True, help="Of crops and noise.")
@click.option("--shard-size", default=64, show_default=True, help="Pairs a file.")
@click.option("--strict", is_flag=True, help="Fail on a photograph that cannot be read instead of skipping it.")
@click.option("--resume", is_flag=True, help="Go on where an equal run was stopped.")
@click.option("--dry-run", is_flag=True, help="List what would be made.")
@_json_option
def synth(
    photos: tuple[str, ...],
    output: Path,
    psf_path: Path,
    count: int | None,
    whole: bool,
    seed: int,
    shard_size: int,
    strict: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Photograph clean PHOTOS through a simulated camera: pairs of clean and captured pictures.

    PHOTOS are files or folders, or 'embedded:train' (the default) and 'embedded:held-out', the photographs that come
    with the installed packages. Shift-variant blur, Bayer mosaic, shot and read noise, quantisation, demosaic.
    """
    from metalens.formats.psf_bank import read_psf_bank

    bank = read_psf_bank(psf_path)
    found = _photographs(photos or ("embedded:train",))
    if dry_run:
        plan = {"photographs": len(found), "count": count or len(found), "camera": bank.camera.name}
        _answer(plan, as_json, f"would make {plan['count']} pairs of {len(found)} photographs in {output}")
        return
    from metalens.synth.generate import generate_pairs

    with _progress("pairs", "pair") as tell:
        report = generate_pairs(
            found,
            bank,
            output,
            count=count,
            cropping="centre" if whole else "random",
            seed=seed,
            shard_size=shard_size,
            resume=resume,
            strict=strict,
            progress=tell,
        )
    skipped = [{"name": each.name, "reason": each.reason} for each in report.skipped]
    for each in skipped:
        click.echo(f"skipped {each['name']}: {each['reason']}", err=True)
    figures = {"output": str(output), "count": report.count, "made": report.made, "skipped": skipped}
    _answer(figures, as_json, f"{output}: {report.count} pairs ({report.made} made now, {len(skipped)} skipped)")


@metalens.command(short_help="the restorer of one camera")
@click.argument("pairs", nargs=-1, required=True, type=OUTPUT)
@click.option("-o", "--output", type=OUTPUT, required=True, help="The adapter's folder.")
@click.option("--psf", "psf_path", type=OUTPUT, required=True, help="The psf.h5 the pairs were made with.")
@click.option("--prior", default="embedded", show_default=True, help="A diffusers folder or hub id.")
@click.option("--pseudo", multiple=True, type=OUTPUT, help="A folder of pseudo pairs to mix in; repeatable.")
@click.option("--init", "initial", help="An adapter to start from, of any lens ('metacamera' is embedded).")
@click.option("--steps", type=int, help="How many steps; or --minutes, or whichever comes first.")
@click.option("--minutes", type=float, help="How long.")
@click.option("--batch", default=4, show_default=True, help="Crops a step.")
@click.option("--crop", default=96, show_default=True, help="Side of a crop in pixels.")
@click.option("--learning-rate", default=5e-4, show_default=True, help="At its peak.")
@click.option(
    "--q",
    "form",
    type=click.Choice(["local", "global"]),
    default="local",
    show_default=True,
    help="One Q for each place in the picture, or one a picture (as published).",
)
@click.option(
    "--quality",
    type=click.Choice(["auto", "piqe", "musiq"]),
    default="auto",
    show_default=True,
    help="The no-reference quality metric.",
)
@click.option("--seed", default=0, show_default=True, help="Of crops, paths and initial weights.")
@click.option("--device", default="cpu", show_default=True, help="A torch device.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be trained.")
@_json_option
def train(
    pairs: tuple[Path, ...],
    output: Path,
    psf_path: Path,
    prior: str,
    pseudo: tuple[Path, ...],
    initial: str | None,
    steps: int | None,
    minutes: float | None,
    batch: int,
    crop: int,
    learning_rate: float,
    form: str,
    quality: str,
    seed: int,
    device: str,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the restorer for one camera on PAIRS that metalens synth made.

    LoRA with A·Q·B on the prior, Q from the FWHM map and a quality map; positive, neutral and negative paths.
    """
    from metalens.formats.pairs import read_pairs, require_same_camera
    from metalens.formats.psf_bank import read_psf_bank

    bank = read_psf_bank(psf_path)
    opened = [read_pairs(folder) for folder in pairs]
    opened_pseudo = [read_pairs(folder) for folder in pseudo]
    for each in (*opened, *opened_pseudo):
        require_same_camera(each, bank)
    total = sum(len(each) for each in opened)
    if dry_run:
        plan = {"pairs": total, "pseudo": sum(map(len, opened_pseudo)), "camera": bank.camera.name}
        _answer(plan, as_json, f"would train on {total} pairs of {bank.camera.name} into {output}")
        return
    import torch

    from metalens.restore.optimisation import Budget
    from metalens.restore.prior import load_prior
    from metalens.restore.restorer import AdapterConfig
    from metalens.restore.train import TrainConfig
    from metalens.restore.train import train as train_adapter

    budget = Budget(steps=steps, minutes=minutes)
    torch.manual_seed(seed)
    config = TrainConfig(
        adapter=AdapterConfig(form=form),  # type: ignore[arg-type]
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        seed=seed,
    )
    with _share_progress("train") as tell:
        summary = train_adapter(
            opened,
            output,
            bank=bank,
            prior=load_prior(prior),
            quality_metric=quality,
            budget=budget,
            config=config,
            pseudo=opened_pseudo,
            initial=initial,
            device=device,
            resume=resume,
            report=tell,
        )
    before, after = summary["validation_before"]["positive"], summary["validation_after"]["positive"]
    text = (
        f"{output}: {summary['steps']} steps; validation loss of the positive path {before['loss']:.4f} → "
        f"{after['loss']:.4f}, PSNR {before['psnr']:.2f} → {after['psnr']:.2f} dB"
    )
    _answer({"output": str(output), **summary}, as_json, text)


@metalens.command(short_help="more pairs, by the negative path")
@click.argument("photos", nargs=-1)
@click.option("-o", "--output", type=OUTPUT, required=True, help="The folder of pseudo pairs to make.")
@click.option("--adapter", required=True, help="An adapter's folder, or 'metacamera', the embedded one.")
@click.option("--prior", help="Where the adapter's prior is, if not where it was on training.")
@click.option("--count", type=int, help="Pairs in all. [default: one a photograph]")
@click.option("--seed", default=0, show_default=True, help="Of the crops.")
@click.option("--device", default="cpu", show_default=True, help="A torch device.")
@click.option("--resume", is_flag=True, help="Go on where an equal run was stopped.")
@_json_option
def pseudo(
    photos: tuple[str, ...],
    output: Path,
    adapter: str,
    prior: str | None,
    count: int | None,
    seed: int,
    device: str,
    resume: bool,
    as_json: bool,
) -> None:
    """Make pseudo pairs from clean PHOTOS by the adapter's negative path.

    They have the format of metalens synth and can be mixed into training: metalens train … --pseudo OUTPUT.
    """
    from metalens.restore.pseudo import make_pseudo_pairs
    from metalens.restore.restorer import load_restorer

    found = _photographs(photos or ("embedded:train",))
    restorer = load_restorer(adapter, prior=prior).to(device)
    with _progress("pseudo pairs", "pair") as tell:
        manifest = make_pseudo_pairs(
            restorer,
            [each.path for each in found],
            output,
            count=len(found) if count is None else count,
            seed=seed,
            resume=resume,
            report=tell,
        )
    for each in manifest.skipped:
        click.echo(f"skipped {each.name}: {each.reason}", err=True)
    figures = {"output": str(output), "count": manifest.count, "skipped": len(manifest.skipped)}
    _answer(figures, as_json, f"{output}: {manifest.count} pseudo pairs for {manifest.camera_name}")


@metalens.command(short_help="captures to photographs")
@click.argument("captures", nargs=-1, required=True)
@click.option("-o", "--output", type=OUTPUT, required=True, help="The folder of pictures to make.")
@click.option("--adapter", default="metacamera", show_default=True, help="An adapter's folder, or the embedded one.")
@click.option("--prior", help="Where the adapter's prior is, if not where it was on training.")
@click.option(
    "--alpha",
    "alphas",
    default="0.75",
    show_default=True,
    callback=_alphas,
    help="0 is faithful, 1 detailed, beyond 1 sharper still; a list such as 0,0.5,1 costs one decode each.",
)
@click.option("--device", default="cpu", show_default=True, help="A torch device.")
@_json_option
def restore(
    captures: tuple[str, ...],
    output: Path,
    adapter: str,
    prior: str | None,
    alphas: tuple[float, ...],
    device: str,
    as_json: bool,
) -> None:
    """Restore CAPTURES: whole frames of the adapter's camera, as files or folders of pictures, or pairs.

    One diffusion step a picture, then one decode for every α.
    """
    from metalens.restore.restoration import captures_of, check_alphas, restore_files
    from metalens.restore.restorer import load_restorer

    alphas = check_alphas(alphas)
    found = captures_of(captures)
    restorer = load_restorer(adapter, prior=prior).to(device)
    with _progress("restore", "picture") as tell:
        rows = restore_files(restorer, found, alphas, output, report=tell)
    figures = {"output": str(output), "camera": restorer.camera.name, "restored": rows}
    _answer(figures, as_json, f"{output}: {len(rows)} pictures from {len(found)} captures")


@metalens.command(short_help="a page that compares them")
@click.option("-o", "--output", type=OUTPUT, required=True, help="The report's folder.")
@click.option("--psf", "psf_path", type=OUTPUT, required=True, help="The camera's psf.h5.")
@click.option("--pairs", type=OUTPUT, required=True, help="Pairs to judge on, not trained on.")
@click.option("--restored", type=OUTPUT, required=True, help="What metalens restore made of those pairs.")
@click.option("--adapter", required=True, help="The adapter that restored them.")
@click.option("--tune", type=OUTPUT, required=True, help="Pairs on which Wiener's regulariser is chosen.")
@click.option("--curve", "curves", multiple=True, help="A further adapter whose loss is drawn; repeatable.")
@click.option("--stages", type=OUTPUT, help="stages.json with seconds and memory, as metalens demo writes it.")
@_json_option
def report(
    output: Path,
    psf_path: Path,
    pairs: Path,
    restored: Path,
    adapter: str,
    tune: Path,
    curves: tuple[str, ...],
    stages: Path | None,
    as_json: bool,
) -> None:
    """Compare clean, captured, Wiener and restored pictures: report.html with figures, and report.json."""
    from metalens.restore.evaluation import evaluate

    with _progress("report", "picture") as tell:
        figures = evaluate(output, psf_path, pairs, restored, adapter, tune, stages, curves, tell)
    _answer(figures, as_json, f"{output / 'report.html'}")


@metalens.command(short_help="a small prior of your own")
@click.argument("photos", nargs=-1, required=True)
@click.option("-o", "--output", type=OUTPUT, required=True, help="The prior's folder.")
@click.option("--work", type=OUTPUT, required=True, help="Folder for checkpoints.")
@click.option("--autoencoder-minutes", type=float, help="How long the autoencoder trains.")
@click.option("--denoiser-minutes", type=float, help="How long the denoiser trains.")
@click.option("--autoencoder-steps", type=int, help="Or how many steps.")
@click.option("--denoiser-steps", type=int, help="Or how many steps.")
@click.option("--seed", default=0, show_default=True, help="Of weights and crops.")
@click.option("--device", default="cpu", show_default=True, help="A torch device.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoints in --work.")
@_json_option
def pretrain(
    photos: tuple[str, ...],
    output: Path,
    work: Path,
    autoencoder_minutes: float | None,
    denoiser_minutes: float | None,
    autoencoder_steps: int | None,
    denoiser_steps: int | None,
    seed: int,
    device: str,
    resume: bool,
    as_json: bool,
) -> None:
    """Make a small latent diffusion prior from clean PHOTOS, as the embedded one was made.

    Writes a diffusers folder: vae/, unet/, scheduler/ and a prompt bank.
    """
    from metalens.restore.optimisation import Budget
    from metalens.restore.pretrain import PretrainConfig
    from metalens.restore.pretrain import pretrain as pretrain_prior

    budgets = (
        Budget(steps=autoencoder_steps, minutes=autoencoder_minutes),
        Budget(steps=denoiser_steps, minutes=denoiser_minutes),
    )
    found = _photographs(photos)
    with _share_progress("pretrain") as tell:
        figures = pretrain_prior(
            [each.path for each in found],
            output,
            work,
            config=PretrainConfig(seed=seed),
            autoencoder_budget=budgets[0],
            denoiser_budget=budgets[1],
            device=device,
            resume=resume,
            report=lambda stage, share, latest: tell(share, {f"{stage[:4]}_{k}": v for k, v in latest.items()}),
        )
    _answer({"output": str(output), **figures}, as_json, f"{output}: prior from {len(found)} photographs")


@metalens.command(short_help="the whole road once")
@click.option("-o", "--output", type=OUTPUT, default=Path("demo"), show_default=True, help="The demo's folder.")
@click.option("--quick", is_flag=True, help="A few steps and pictures only: shows that it runs, not how well.")
@_json_option
def demo(output: Path, quick: bool, as_json: bool) -> None:
    """Go the whole road once on embedded defaults, stage by stage, and write a report.

    Runs the same commands a user calls and prints each before it runs.
    """
    from metalens.restore.demo import run_demo

    page = run_demo(output, quick=quick, say=lambda line: click.echo(line, err=True))
    _answer({"report": str(page), "figures": str(page.with_name("report.json"))}, as_json, str(page))


if __name__ == "__main__":
    main()
