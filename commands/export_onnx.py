"""``metalens export onnx``: a restorer as graphs that run without PyTorch."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import Number, json_option, numbers, output_option


def _pixels(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Parse ROWS,COLUMNS."""
    del ctx, parameter
    if value is None:
        return None
    found = numbers(value, click.IntRange(16, 16_384), count=2)
    if found is None:
        raise click.BadParameter(f"{value!r} is not ROWS,COLUMNS, such as 400,400.")
    return found[0], found[1]


@click.command("onnx", short_help="a restorer as ONNX, for devices without PyTorch")
@click.argument("adapter")
@output_option("The folder of graphs to make.")
@click.option("--prior", help="The adapter's prior, if it has moved since training.")
@click.option(
    "--pixels", callback=_pixels, metavar="ROWS,COLUMNS", help="Size of the frames. [default: the camera's sensor]"
)
@click.option(
    "--quality", type=Number(0, 1), help="Fix Q for this quality of a capture, 0 best. [default: the map is an input]"
)
@click.option(
    "--without-consistency",
    is_flag=True,
    help="Leave out the block of data consistency behind the decoder, which the graphs cannot hold.",
)
@json_option
def onnx(
    adapter: str,
    output: Path,
    prior: str | None,
    pixels: tuple[int, int] | None,
    quality: float | None,
    without_consistency: bool,
    as_json: bool,
) -> None:
    """Write the encoder, the U-Net and the decoder of ADAPTER, a folder or 'metacamera', as ONNX.

    Each graph is compared with PyTorch through onnxruntime. The folder also holds restore.py, which runs them with
    onnxruntime and NumPy alone. See docs/restoration.md.
    """
    from metalens.formats.files.atomic import require_new_directory
    from metalens.formats.files.extras import require
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.inference.onnx_export import export_onnx

    require_new_directory(output)
    require("export onnx", "torch", "onnx", "onnxruntime")
    restorer = load_restorer(adapter, prior=prior)
    about = export_onnx(restorer, output, pixels, quality=quality, without_consistency=without_consistency)
    error = max(each["largest_error"] for each in about["graphs"].values())
    size = sum(each["bytes"] for each in about["graphs"].values()) / 1e6
    frame = " × ".join(map(str, about["pixels"]))
    text = f"{output}: frames of {frame}, {size:.1f} MB, at most {error:.1g} from PyTorch, of the largest output"
    text += "; without the block of data consistency" * without_consistency
    answer({"output": str(output), **about}, as_json, text)
