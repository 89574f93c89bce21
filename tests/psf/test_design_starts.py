"""Starts with a focus of its own for each colour: independent phases, and zones that belong to the colours in turn."""

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.design.spec import parse_design
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic
from metalens.psf.design.geometry_variables import ZONES
from metalens.psf.design.run import task_of

from .design_examples import design_text

COLOURS = (640.0, 530.0, 450.0)
FOCUS = 200e-6
LENS = """aperture_um = 60.0
focal_length_um = 200.0
[camera.lens.meta_atoms]
material = "Si3N4"
substrate = "SiO2"
pitch_nm = 350.0
height_nm = 705.0
diameter_nm = [100.0, 300.0]"""
SPEC = """
[variables]
family = "radial_geometry"
library = "si3n4-on-sio2"
spacing_nm = 350.0

[start]
families = ["hyperbolic", "independent", "interleaved"]
wavelengths_nm = [640.0, 530.0, 450.0]

[sampling]
fields_deg = [0.0]
window_pixels = 31

[[objectives]]
kind = "strehl"
"""


@pytest.fixture(scope="module")
def task():
    with pytest.MonkeyPatch.context() as patch:
        # The lens has 86 rings: fewer places than of a large lens stand for all where pistons are sought.
        patch.setattr("metalens.optics.structure.choice.SAMPLES", 256)
        yield task_of(parse_design(design_text(SPEC, lens=LENS, wavelengths_nm=COLOURS)))


def amplitudes(task, name: str) -> np.ndarray:
    """|∫ t exp(−iφ_λ) dA| / A at each colour: the root of the share of light that meets in its focus."""
    start = next(each for each in task.starts if each.name.startswith(name))
    lens = task.lens(jnp.asarray(start.numbers))
    radius = jnp.asarray(30e-6 * np.sqrt((np.arange(4000) + 0.5) / 4000))
    found = []
    for wavelength in 1e-9 * np.array(COLOURS):
        wanted = Hyperbolic(FOCUS, wavelength).at(jnp.zeros_like(radius), radius)
        through = lens.transmission(jnp.zeros_like(radius), radius, jnp.asarray(wavelength))
        found.append(float(jnp.abs(jnp.mean(through * jnp.exp(-1j * wanted)))))
    return np.array(found)


@pytest.mark.long
def test_independent_phases_focus_the_weakest_colour_better_than_a_lens_for_one(task):
    independent = amplitudes(task, "independent 640, 530, 450 nm")
    single = np.array([amplitudes(task, f"hyperbolic {each:.0f} nm") for each in COLOURS])
    # Pillars of one parameter cannot hold three phases: what they give is shared more evenly, and not lost.
    assert independent.min() > 1.5 * single.min(axis=1).max()
    assert independent.sum() > 0.9 * single.sum(axis=1).max()


def test_each_colour_has_its_share_of_an_interleaved_lens(task):
    """Zones of equal area in turn: in its third of the area a colour is focused as by the lens for it alone."""
    start = next(each for each in task.starts if each.name.startswith("interleaved"))
    variables, wavelengths = task.variables, 1e-9 * np.array(COLOURS)
    share = (np.arange(variables.count) * variables.spacing / 30e-6) ** 2
    zone = np.minimum((share * 3 * ZONES).astype(int), 3 * ZONES - 1)
    for at, wavelength in enumerate(wavelengths):
        own = zone % 3 == at
        alone = variables.independent([Hyperbolic(FOCUS, wavelength)], wavelengths[[at]])
        np.testing.assert_array_equal(start.numbers[own], alone[own])
        # A ring of the radius r has the area 2πr × spacing.
        area = np.arange(variables.count) / np.arange(variables.count).sum()
        assert area[own].sum() == pytest.approx(1 / 3, abs=0.03)


def test_a_phase_cannot_begin_with_several(task):
    del task
    text = SPEC.replace(
        'family = "radial_geometry"\nlibrary = "si3n4-on-sio2"\nspacing_nm = 350.0', 'family = "zernike"'
    )
    text = text.replace("[0.0]", "[0.0]\nazimuths_deg = [0.0, 120.0, 240.0]")
    with pytest.raises(InputError, match="families has independent, a lens with a phase for each colour, but the"):
        task_of(parse_design(design_text(text, wavelengths_nm=COLOURS)))
