"""Tables [[lens.surfaces]] that cannot be, and commands that do not know them: each ends with one sentence."""

from __future__ import annotations

import pytest

from .test_design import SPEC
from .test_explore import EXPLORE

SURFACE = "thickness_um = 60.0, clear_diameter_um = 90.0, radius_of_curvature_um = 100.0, index = 1.5"
MARK = "metasurface = true, thickness_um = 30.0, index = 1.5"
LAST = "clear_diameter_um = 60.0, radius_of_curvature_um = -100.0"


def camera_with(text: str, surfaces: str, more: str = "") -> str:
    """A ``lens.toml`` with tables of surfaces, each the inside of its braces, and further keys of [lens]."""
    tables = f"surfaces = [{', '.join(f'{{ {each} }}' for each in surfaces.split(';'))}]"
    return text.replace("focal_length_um = 100.0,", f"focal_length_um = 100.0, {tables}, {more}")


@pytest.mark.parametrize(
    ("surfaces", "more", "word"),
    [
        (SURFACE.replace("60.0", "-1.0"), "", "thickness_um"),
        (SURFACE.replace("60.0", "1.0"), "", "surface 1 of surfaces reaches"),
        (SURFACE.replace("90.0", "201.0"), "", "reaches beyond the end of the surface"),
        (SURFACE.replace("1.5", "0.9"), "", "index"),
        (SURFACE.replace("100.0", "nan"), "", "radius_of_curvature_um"),
        (SURFACE.replace("100.0", "0.0"), "", "is too small; leave it out for a plane"),
        (f"{SURFACE}, material = 'main/SiO2/Malitson'", "", "both tell the medium"),
        (f"{SURFACE}, material = 'x'".replace("index = 1.5, ", ""), "", "no such page"),
        (SURFACE.replace("index = 1.5", "abbe_number = 60.0"), "", "abbe_number needs the index"),
        (SURFACE.replace("index = 1.5", "sellmeier_b = [1.0]"), "", "as many numbers"),
        (SURFACE.replace(", index = 1.5", ""), "", "surface 1 of surfaces is curved, with air on both sides"),
        (f"{SURFACE}; {SURFACE}", "", "surface 2 of surfaces is curved, with the same medium on both sides"),
        (SURFACE.replace("index = 1.5", "sellmeier_b = [0.5], sellmeier_c_um2 = [0.3]"), "", "no refractive index"),
        (SURFACE.replace("index = 1.5", "sellmeier_b = [20.0], sellmeier_c_um2 = [0.01]"), "", "expected 1 to 4.5"),
        (f"{SURFACE}, coefficients_um = [1.0]", "", "need each other"),
        (f"{SURFACE}, radius_um = 1.0", "", "unknown key lens.surfaces.0.radius_um"),
        (f"{SURFACE}; thickness_um = 1.0, clear_diameter_um = 90.0, radius_of_curvature_um = 60.0", "", "surface 2"),
        (SURFACE, "substrate = { thickness_um = 10.0, index = 1.5 },", "leave substrate out"),
        (SURFACE.replace("thickness_um = 60.0, ", ""), "", "surface 1 of surfaces has no thickness_um"),
        (SURFACE.replace("clear_diameter_um = 90.0, ", ""), "", "clear_diameter_um is missing"),
        (f"{MARK}, conic = 1.0; {LAST}", "", "metasurface and conic exclude each other"),
        (f"{MARK.replace('thickness_um = 30.0, ', '')}; {LAST}", "", "thickness_um is missing"),
        (f"{MARK.replace('true', '1')}; {LAST}", "", "metasurface: expected a boolean, found 1"),
        (f"{MARK.replace('true', 'false')}; {LAST}", "", "metasurface = false"),
        (MARK, "", "behind which nothing refracts"),
        (f"{MARK}; {MARK}; {LAST}", "", "two that are marked as the metasurface"),
        (f"{MARK}; {LAST}, thickness_um = 1.0", "", "surface 2 of surfaces is the last one"),
        (f"{MARK}; {LAST}, index = 1.7", "", "surface 2 of surfaces is the last one"),
        (f"{MARK.replace('30.0', '130.0')}; {LAST}", "", "surface 2 of surfaces lies 30 µm behind the sensor"),
        (f"{MARK.replace('30.0', '100.0')}; {LAST}", "", "surface 2 of surfaces lies 0 µm behind the sensor"),
        (f"{MARK}; {LAST.replace('60.0', '2.0')}", "", "blocks more than 97 % of the red light of the field at"),
        (f"{MARK.replace('30.0', '3.0')}; {LAST}", "", "surface 1 of surfaces reaches 1.606 µm into surface 2"),
        (f"{MARK.replace('30.0', '99.0')}; {LAST.replace('-', '')}", "", "into the sensor or cover glass"),
        (f"{MARK.replace(', index = 1.5', '')}; {LAST}", "", "surface 2 of surfaces is curved, with air on both sides"),
        (
            f"{MARK}; {LAST}",
            'response = { kind = "kinoform", wavelength_nm = 540.0, orders = [0, 1] },',
            "diffraction orders at once",
        ),
    ],
)
def test_surfaces_that_cannot_be(refused, small_camera_text, tmp_path, surfaces, more, word):
    lens = tmp_path / "hybrid.toml"
    lens.write_text(camera_with(small_camera_text, surfaces, more))
    refused(f"psf {lens} -o OUT.h5", word)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("psf {hybrid} -o OUT.h5 --engine fresnel", "refractive surfaces"),
        ("verify {hybrid} -o OUT --dry-run", "verify: lens.surfaces"),
        ("psf fit {psf} -o OUT.toml --lens {hybrid} --parameters defocus,tilt", "psf fit: tilt: tilted sensors"),
        ("design {spec} -o OUT.toml --dry-run", "start.families"),
        ("explore {spec} -o OUT --dry-run", "start.families"),
    ],
)
def test_commands_that_do_not_know_surfaces(refused, small_camera_text, tmp_path, line, word):
    hybrid, spec = tmp_path / "hybrid.toml", tmp_path / "spec.toml"
    hybrid.write_text(camera_with(small_camera_text, SURFACE))
    text = SPEC + EXPLORE if line.startswith("explore") else SPEC
    spec.write_text(text.replace("focal_length_um = 60.0", f"focal_length_um = 60.0, surfaces = [{{ {SURFACE} }}]"))
    refused(line.replace("{hybrid}", str(hybrid)).replace("{spec}", str(spec)), word)


def test_a_tilted_sensor_is_refused(refused, small_camera_text, tmp_path):
    lens = tmp_path / "hybrid.toml"
    text = camera_with(small_camera_text, SURFACE)
    lens.write_text(text.replace("pixels = [32, 32],", "pixels = [32, 32], tilt_deg = [1.0, 0.0],"))
    refused(f"psf {lens} -o OUT.h5", "sensor.tilt_deg and lens.surfaces")


@pytest.mark.long
def test_a_field_whose_rays_miss_a_surface_is_refused(refused, small_camera_text, tmp_path):
    lens = tmp_path / "hybrid.toml"
    small = SURFACE.replace("100.0", "19.0").replace("90.0", "30.0").replace("60.0", "25.0")
    lens.write_text(camera_with(small_camera_text, small))
    refused(f"psf {lens} -o OUT.h5", "misses surface 1")
