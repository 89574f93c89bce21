"""Hot and dead pixels are found and filled; what a lens can make is left as it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Development
from metalens.formats.pictures.defective_pixels import defective_pixels, fill_defective
from metalens.synth.sensor import develop, expose, exposure_for

SENSOR = read_camera("metacamera").sensor
FWHM_2 = 0.85
DEFECTS = {(10, 11): 2000.0, (25, 40): 800.0, (26, 24): 2000.0, (41, 52): -np.inf, (0, 20): 1500.0, (63, 79): 1500.0}
"""Additional electrons at pixels of all colours, in the frame, at its border and in its corner; a dead one has none."""


def capture(light, defects=(), seed=0, sensor=SENSOR):
    """A noisy capture of light, with defects in the raw frame."""
    exposure = exposure_for(sensor)
    raw = expose(sensor, light.astype(np.float32), exposure, np.random.default_rng(seed)).astype(float)
    for (row, column), electrons in dict(defects).items():
        raw[row, column] = np.clip(raw[row, column] + sensor.system_gain * electrons, sensor.black_level_dn, 2**14)
    return develop(sensor, np.minimum(raw, 2**sensor.bit_depth - 1), exposure)


@pytest.fixture(scope="module")
def light():
    """A blurred scene ``[y, x, 3]``, in which a dead pixel is seen as well."""
    random = np.random.default_rng(3)
    scene = gaussian_filter(random.uniform(0, 1, (64, 80, 3)), (6, 6, 0))
    return 0.25 + 0.3 * (scene - scene.min()) / np.ptp(scene)


def test_defective_pixels_are_found_where_they_are(light):
    found = defective_pixels(SENSOR, capture(light, DEFECTS))
    assert {(int(y), int(x)) for y, x in np.argwhere(found)} == set(DEFECTS)


def test_they_are_filled_as_if_they_were_sound_and_the_rest_stays(light):
    sound, broken = capture(light), capture(light, DEFECTS)
    filled = fill_defective(SENSOR, broken)
    near = np.zeros(broken.shape[:2], dtype=bool)
    for row, column in DEFECTS:
        near[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = True
    assert np.array_equal(filled[~near], broken[~near])
    errors = [np.abs(each[near].astype(float) - sound[near]).max() for each in (broken, filled)]
    assert errors[0] > 60
    assert errors[1] < 20


def test_a_picture_without_defects_is_returned_as_it_is(light):
    picture = capture(light)
    assert fill_defective(SENSOR, picture) is picture


@pytest.mark.parametrize("seed", range(3))
def test_a_point_of_light_behind_a_lens_is_no_defect(seed):
    scene = np.full((64, 80, 3), 0.02)
    at = np.random.default_rng(seed).integers(4, 60, (6, 2))
    scene[at[:, 0], at[:, 1]] = 6.0
    assert not defective_pixels(SENSOR, capture(gaussian_filter(scene, (FWHM_2, FWHM_2, 0)))).any()


@pytest.mark.parametrize("place", [(3, 4), (4, 5), (5, 7)])
def test_a_part_of_the_frame_has_the_pattern_of_its_place(light, place):
    picture = capture(light, DEFECTS)[place[0] :, place[1] :]
    found = {(int(y) + place[0], int(x) + place[1]) for y, x in np.argwhere(defective_pixels(SENSOR, picture, place))}
    assert found == {each for each in DEFECTS if each[0] >= place[0] and each[1] >= place[1]}


def test_the_light_is_that_of_the_cameras_own_encoding(light):
    matrix = ((1.3, -0.2, -0.1), (-0.1, 1.2, -0.1), (0.0, -0.3, 1.3))
    sensor = SENSOR.model_copy(update={"development": Development(colour_matrix=matrix, gamma=1.8)})
    inner = {(25, 40): 2500.0, (26, 24): 2500.0, (41, 52): -np.inf}
    sound, broken = (capture(light, each, sensor=sensor) for each in ({}, inner))
    found = defective_pixels(sensor, broken)
    assert {(int(y), int(x)) for y, x in np.argwhere(found)} == set(inner)
    assert np.abs(fill_defective(sensor, broken).astype(float) - sound)[24:43].max() < 45


def test_floats_are_filled_as_bytes_are(light):
    picture = capture(light, DEFECTS)
    np.testing.assert_allclose(255 * fill_defective(SENSOR, picture / 255), fill_defective(SENSOR, picture), atol=0.51)


def test_a_picture_too_small_to_have_neighbours_has_no_defects():
    assert not defective_pixels(SENSOR, np.full((4, 80, 3), 200, np.uint8)).any()
