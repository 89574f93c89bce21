"""Which colours a designed lens gave up."""

import numpy as np
import pytest

from metalens.formats.design.spec import parse_design
from metalens.psf.design.colour_contrast import colour_contrast, colours_given_up
from metalens.psf.design.run import task_of

from .design_examples import design_text

SPEC = """
[variables]
family = "even_polynomial"
terms = 4

[start]
families = ["hyperbolic"]
wavelengths_nm = [511.0]

[sampling]
fields_deg = [0.0]
window_pixels = 41

[[objectives]]
kind = "mtf"
"""


def contrasts(wavelengths_nm: tuple[float, float, float]) -> dict[str, float]:
    lens = "aperture_um = 60.0\nfocal_length_um = 100.0"
    task = task_of(parse_design(design_text(SPEC, lens=lens, wavelengths_nm=wavelengths_nm)))
    return colour_contrast(task, task.starts[0].numbers)


def test_a_lens_for_green_gave_up_red() -> None:
    """511 nm is in focus; 606 nm fills a disc of 11 µm, more than the period of 8 µm, and 462 nm one of 6 µm."""
    found = contrasts((606.0, 511.0, 462.0))
    # In focus: the pixel's own transfer, sinc(1/8), times that of a pupil with the cutoff D/(λf).
    share = 0.125 / (60 / 100 / 0.511)
    circle = 2 / np.pi * (np.arccos(share) - share * np.sqrt(1 - share**2))
    assert found["green"] == pytest.approx(np.sinc(0.125) * circle, abs=0.03)
    assert found["red"] < found["green"] / 3 < found["blue"]
    assert colours_given_up(found).startswith("red was given up: contrast 0.0")
    assert colours_given_up(found).endswith(f"green has {found['green']:.2f}")


def test_three_channels_of_one_colour_give_up_none() -> None:
    assert colours_given_up(contrasts((511.0, 511.0, 511.0))) == ""
