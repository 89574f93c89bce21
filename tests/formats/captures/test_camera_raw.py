"""Raw files of cameras: what the file says of itself, and what it may not say."""

import struct
import sys

import numpy as np
import pytest

from metalens.formats.captures.camera_raw import CameraRaw, read_camera_raw
from metalens.formats.captures.raw_frames import frames_of_raw, read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.bayer import pattern_channels

from .dng import BLACK, NEUTRAL, WHITE, grey_mosaic, write_dng

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
STEP = 1 / (WHITE - BLACK)
"""Of light: one digital number of green."""


@pytest.mark.parametrize("bayer", PATTERNS)
def test_numbers_levels_filters_and_balance_are_those_of_the_file(tmp_path, bayer):
    mosaic = np.random.default_rng(0).integers(BLACK, WHITE, (30, 44), dtype=np.uint16)
    raw = read_camera_raw(write_dng(tmp_path / "a.dng", mosaic, bayer))
    np.testing.assert_array_equal(raw.mosaic, mosaic)
    assert (raw.bayer, raw.black, raw.white) == (bayer, (BLACK,) * 3, WHITE)
    np.testing.assert_allclose(raw.balance, (2, 1, 1.25), rtol=1e-5)


@pytest.mark.parametrize("bayer", PATTERNS)
def test_a_grey_ramp_develops_to_grey_light_of_known_values(tmp_path, bayer):
    ramp = np.tile(np.linspace(0.1, 0.9, 64), (32, 1))
    light = read_camera_raw(write_dng(tmp_path / "a.dng", grey_mosaic(ramp, bayer), bayer)).light()
    # The mosaic is rounded to numbers, of which red's are worth the most; a ramp is interpolated exactly but where
    # the border mirrors it.
    inner = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(
        light[inner], np.repeat(ramp[inner][..., None], 3, axis=-1), atol=1.5 * STEP / NEUTRAL[0]
    )


def test_saturation_is_white_in_all_channels(tmp_path):
    # Blue saturates at 1.25 of green's light, red at 2: without clipping their surroundings would be tinted.
    mosaic = grey_mosaic(np.full((32, 32), 3.0))
    np.testing.assert_array_equal(read_camera_raw(write_dng(tmp_path / "a.dng", mosaic)).light(), 1)


def test_a_file_without_a_balance_is_left_as_the_sensor_saw_it(tmp_path):
    mosaic = np.full((32, 32), (BLACK + WHITE) // 2, np.uint16)
    raw = read_camera_raw(write_dng(tmp_path / "a.dng", mosaic, neutral=(1, 1, 1)))
    assert raw.balance == (1, 1, 1)
    np.testing.assert_allclose(raw.light(), 0.5, atol=STEP)


def test_a_raw_file_is_a_frame_of_one_plane_or_of_three_interpolated_ones(tmp_path):
    mosaic = np.random.default_rng(0).integers(BLACK, WHITE, (30, 44), dtype=np.uint16)
    path = write_dng(tmp_path / "a.dng", mosaic, "GRBG")
    np.testing.assert_array_equal(read_raw_frames(path, planes=1), mosaic[None, None])
    planes = read_raw_frames(path, planes=3)
    assert planes.shape == (1, 3, 30, 44)
    seen = np.take_along_axis(planes[0], pattern_channels("GRBG", mosaic.shape)[None], axis=0)[0]
    np.testing.assert_array_equal(seen, mosaic)


def with_size(data: bytes, rows: int, columns: int) -> bytes:
    """A little-endian TIFF file whose header says another size."""
    changed = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for each in range(count):
        place = start + 2 + 12 * each
        tag, kind = struct.unpack_from("<HH", data, place)
        if tag in (256, 257, 278):
            value = columns if tag == 256 else rows
            struct.pack_into("<I" if kind == 4 else "<HH", changed, place + 8, *([value] if kind == 4 else [value, 0]))
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: with_size(data, 60_000, 50_000), "says that it has 60000 × 50000 pixels, at most"),
        (lambda data: with_size(data, 2000, 3000), "damaged, cut short"),
        (lambda data: data[: len(data) // 2], "damaged, cut short"),
        (lambda data: data[:300], "damaged, cut short"),
        (lambda data: b"a letter, not a photograph" * 40, "no raw file that is read"),
        (lambda data: b"", "no raw file that is read"),
    ],
)
def test_a_file_that_lies_about_its_size_or_is_none_is_refused(tmp_path, damage, said, capfd):
    path = write_dng(tmp_path / "a.dng", np.full((32, 48), 500, np.uint16))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=said):
        read_camera_raw(path)
    # LibRaw prints what it finds.
    assert capfd.readouterr() == ("", "")


def test_levels_and_filters_that_cannot_be_are_refused(tmp_path):
    mosaic = np.full((32, 32), 500, np.uint16)
    for number, (given, said) in enumerate(
        (
            ({"bayer": "RGGG"}, "colour filters is RGGG, one of RGGB"),
            ({"black": 900, "white": 400}, "says that black is 900 and white 400 DN"),
        )
    ):
        with pytest.raises(InputError, match=said):
            read_camera_raw(write_dng(tmp_path / f"{number}.dng", mosaic, **given))
    with pytest.raises(InputError, match="restore the developed picture instead"):
        read_camera_raw(write_dng(tmp_path / "linear.dng", np.full((32, 32, 3), 500, np.uint16), ""))
    with pytest.raises(InputError, match="no such file"):
        read_camera_raw(tmp_path / "nowhere.dng")


def test_without_the_extra_a_raw_file_is_named(tmp_path, monkeypatch):
    path = write_dng(tmp_path / "a.dng", np.full((32, 32), 500, np.uint16))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(InputError, match=r"a\.dng: the package rawpy is not installed; run .*\[raw\]"):
        read_camera_raw(path)


def test_a_sensor_without_filters_has_one_plane():
    mosaic = np.full((32, 32), 500, np.uint16)
    raw = CameraRaw(mosaic, "", (BLACK,) * 3, WHITE, (1, 1, 1))
    np.testing.assert_array_equal(frames_of_raw(raw, "mono.dng", planes=1), mosaic[None, None])
    with pytest.raises(InputError, match=r"mono\.dng: is of a sensor without colour filters"):
        frames_of_raw(raw, "mono.dng", planes=3)
    with pytest.raises(InputError, match="without colour filters"):
        raw.light()
