"""What both ways to restore captures share: the distortion to take out, and the answer of the command."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_line

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.formats.pictures.distortion import Distortion
    from metalens.restore.inference.capture_run import CapturesDone

LEAST_PIXELS = 0.05
"""Displacement that is told as a distortion."""


def distortion_for(camera: Camera) -> Distortion:
    """What ``--undistort`` takes out of the pictures of a camera; a notice tells how much that is.

    Raises:
        InputError: its lens is unknown, or not rotationally symmetric about the sensor's centre.
    """
    from metalens.formats.camera.unknown import is_unknown
    from metalens.formats.files.errors import InputError, Notice
    from metalens.psf.distortion import distortion_of

    if is_unknown(camera):
        raise InputError("--undistort needs the lens of the captures' camera, which is unknown; give its --psf.")
    found = distortion_of(camera)
    told = "its lens has no distortion, the pictures stay as they are"
    if found.largest_pixels >= LEAST_PIXELS:
        told = f"the distortion of {found.at_corner:+.1%} in the corner is taken out"
        if found.cropped > 0:
            told += f"; {found.cropped:.0%} of the pixels at the rim lie outside the frame then"
    warnings.warn(Notice(f"--undistort, {camera.name}: {told}."), stacklevel=2)
    return found


def answer_restored(
    context: click.Context,
    output: Path,
    camera: str,
    done: CapturesDone,
    captures: int,
    more: dict[str, Any],
    as_json: bool,
) -> None:
    """Print what was made and what failed; a failure makes the exit status 1.

    Args:
        context: of the command.
        output: the folder of the pictures.
        camera: name of the camera.
        done: what was made, what was there, what failed.
        captures: number of them.
        more: further entries of the JSON object.
        as_json: whether that is printed instead of a sentence.
    """
    figures = {"output": str(output), "camera": camera, "restored": done.rows, "failed": done.failed, **more}
    figures |= {"already": done.already} | ({"flicker": done.flicker} if done.flicker else {})
    for each in done.failed:
        # Most reasons begin with the capture's name themselves.
        tell_line(f"failed {each['capture']}: {each['reason'].removeprefix(each['capture'] + ': ')}")
    text = f"{output}: {counted(len(done.rows), 'picture')} from {counted(captures, 'capture')}"
    if done.already:
        text += f"; {counted(len(done.already), 'capture')} had been restored"
    if done.failed:
        text += f"; {counted(len(done.failed), 'capture')} failed"
    if done.flicker:
        told = ", ".join(f"{label} {255 * value:.2f}" for label, value in done.flicker.items())
        text += f"; flicker in 1/255: {told}"
    answer(figures, as_json, text)
    if done.failed:
        context.exit(1)
