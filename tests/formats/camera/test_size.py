"""Light and length of a lens, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.camera.size import entrance_area_um2, f_number, track_length_um

from ...conftest import SMALL_CAMERA


def with_lens(**lens: object) -> Camera:
    return parse_camera(SMALL_CAMERA).with_(lens=lens)


def test_light_and_length_of_a_lens_have_closed_forms():
    disc = with_lens(aperture_um=40.0).lens
    assert entrance_area_um2(disc) == pytest.approx(np.pi * 20**2)
    assert (f_number(disc), track_length_um(disc)) == (2.5, 100.0)
    ring = with_lens(aperture={"shape": "annulus", "inner_diameter_um": 20.0}).lens
    assert entrance_area_um2(ring) == pytest.approx(np.pi * (20**2 - 10**2))
    square = [(-10.0, -10.0), (-10.0, 10.0), (10.0, 10.0), (10.0, -10.0)]
    assert entrance_area_um2(with_lens(aperture={"shape": "polygon", "vertices_um": square}).lens) == pytest.approx(400)
    stopped = with_lens(
        stop={"diameter_um": 20.0, "distance_um": 30.0}, substrate={"thickness_um": 50.0, "index": 1.46}, defocus_um=2.0
    ).lens
    assert entrance_area_um2(stopped) == pytest.approx(np.pi * 10**2)
    assert (f_number(stopped), track_length_um(stopped)) == (5.0, 182.0)
