"""Captures of a pinhole become the bank that they were made of: whole, centred, with lateral colour, or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import erf

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.captures.pinhole_captures import read_capture_set
from metalens.formats.files.errors import InputError, InputWarning
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.captured.captures import bank_of_captures
from metalens.psf.rays import direction_to

PITCH = 1e-6
POSITION_UM = np.array([[-20.0, -30.0], [-20.0, 30.0], [20.0, -30.0], [20.0, 30.0]])
LATERAL = np.array([[0.0, 0.8], [0.0, 0.0], [0.5, -0.6]])
"""(y, x) in pixels of red, green and blue from the chief ray."""


@pytest.fixture(scope="module")
def camera() -> Camera:
    base = read_camera("hyperbolic")
    sensor = base.sensor.model_copy(update={"pixels": (96, 96), "pixel_pitch_um": 1.0})
    return base.model_copy(update={"sensor": sensor})


def spots(place: np.ndarray, side: int | tuple[int, int] = 49) -> np.ndarray:
    """Exact pixels ``[..., 3, y, x]`` of sum 1 of a core and a halo, the chief ray at ``[..., (y, x)]`` samples."""
    height, width = (side, side) if isinstance(side, int) else side
    found = 0.0
    for share, sigma in ((0.7, np.array([1.6, 1.3, 1.9])), (0.3, np.array([4.0, 4.0, 5.0]))):
        centre = np.asarray(place)[..., None, :] + LATERAL
        along = []
        for axis, length in enumerate((height, width)):
            edge = np.arange(length + 1) - 0.5 - centre[..., axis, None]
            along.append(np.diff(0.5 * erf(edge / (np.sqrt(2) * sigma[:, None]))))
        found = found + share * along[0][..., :, None] * along[1][..., None, :]
    return found


@pytest.fixture(scope="module")
def captures(write_captures) -> Callable[..., Path]:
    """A folder of captures of the spots at all positions."""

    def capture(
        folder: Path, *, repeats: int = 16, jitter: float = 0.4, offset: float = 0.0, gain: float = 30_000.0, **options
    ) -> Path:
        random = np.random.default_rng(5)
        moved = jitter * random.normal(size=(len(POSITION_UM), repeats, 2))
        moved -= moved.mean(axis=1, keepdims=True)
        return write_captures(folder, POSITION_UM, gain * spots(24 + offset + moved), **options)

    return capture


@pytest.fixture(scope="module")
def bank(camera: Camera, captures, tmp_path_factory) -> PsfBank:
    folder = captures(tmp_path_factory.mktemp("captures"))
    return bank_of_captures(read_capture_set(folder), camera, window=33)


def truth() -> np.ndarray:
    window = spots(np.array([16.0, 16.0]), 33)
    return np.broadcast_to(window / window.sum((-2, -1), keepdims=True), (4, 3, 33, 33))


def test_noisy_jittered_captures_become_the_functions_that_they_were_made_of(bank: PsfBank):
    difference = np.linalg.norm(bank.intensity - truth(), axis=(-2, -1)) / np.linalg.norm(truth(), axis=(-2, -1))
    # Shot noise alone leaves √(Σ I / 16) / √(Σ I²) ≈ 1 %; the rest is registration and undersampling of the core.
    assert difference.max() < 0.03


def test_lateral_colour_and_the_chief_ray_survive(bank: PsfBank):
    np.testing.assert_allclose(bank.by_channel.centroid / PITCH, np.broadcast_to(LATERAL, (4, 3, 2)), atol=0.1)


def test_widths_and_energy_are_those_of_the_functions(bank: PsfBank):
    exact = np.sqrt(2 * (0.7 * np.array([1.6, 1.3, 1.9]) ** 2 + 0.3 * np.array([4.0, 4.0, 5.0]) ** 2 + 1 / 12))
    np.testing.assert_allclose(bank.by_channel.rms_width / PITCH, np.broadcast_to(exact, (4, 3)), rtol=0.05)
    np.testing.assert_allclose(bank.by_channel.window_share, 1.0, rtol=1e-6)


def test_full_positions_are_a_grid_and_the_bank_says_where_it_is_from(bank: PsfBank, tmp_path):
    assert bank.layout == "grid"
    np.testing.assert_allclose(bank.position, POSITION_UM * 1e-6)
    assert bank.by_wavelength is None
    assert bank.subpixel_intensity is None
    said = {"measured": "captures", "captures": "64", "positions": "4", "centring": "index", "background": "darks"}
    assert said.items() <= bank.provenance.items()
    assert float(bank.provenance["jitter_um"]) == pytest.approx(0.4 * np.sqrt(2), rel=0.2)
    write_psf_bank(tmp_path / "psf.h5", bank)
    np.testing.assert_array_equal(read_psf_bank(tmp_path / "psf.h5").intensity, bank.intensity)


def test_positions_without_a_grid_are_scattered_in_the_order_of_the_index(camera, captures, tmp_path):
    folder = captures(tmp_path, repeats=1)
    index = folder / "captures.toml"
    index.write_text(index.read_text().replace("x_um = 30.0", "x_um = 31.0", 1))
    bank = bank_of_captures(read_capture_set(folder), camera)
    assert bank.layout == "scattered"
    assert bank.position[1, 1] == pytest.approx(31e-6)


def test_centring_by_the_centroid_takes_the_green_one_and_moves_all_colours_alike(camera, captures, tmp_path):
    folder = captures(tmp_path, repeats=4, offset=2.3, keys='area = "window"\ncentring = "centroid"\n')
    bank = bank_of_captures(read_capture_set(folder), camera, window=27)
    np.testing.assert_allclose(bank.by_channel.centroid[:, 1] / PITCH, 0, atol=0.1)
    np.testing.assert_allclose(bank.lateral_colour / PITCH, np.broadcast_to(LATERAL, (4, 3, 2)), atol=0.15)


def test_windows_are_cut_from_whole_frames_at_fractions_of_a_pixel(camera, write_captures, tmp_path):
    """The middle of 96 pixels lies between two of them, so that every position has half a pixel left over."""
    middle = 47.5 + POSITION_UM[:, None]
    write_captures(tmp_path, POSITION_UM, 30_000 * spots(middle, 96), keys="", darks=True)
    bank = bank_of_captures(read_capture_set(tmp_path), camera, window=27)
    np.testing.assert_allclose(bank.by_channel.centroid / PITCH, np.broadcast_to(LATERAL, (4, 3, 2)), atol=0.1)
    with pytest.raises(InputError, match=r"pinhole_0.npy: a window of 45 × 45 pixels .* reaches beyond the frame"):
        bank_of_captures(read_capture_set(tmp_path), camera, window=45)


def test_without_darks_the_border_is_the_background(camera, captures, tmp_path):
    bank = bank_of_captures(read_capture_set(captures(tmp_path, darks=False)), camera, window=33)
    assert bank.provenance["background"] == "border"
    assert np.linalg.norm(bank.intensity - truth()) < 0.03 * np.linalg.norm(truth())


GLASS = {"radius_of_curvature_um": 900.0, "index": 1.5, "thickness_um": 200.0, "clear_diameter_um": 650.0}


@pytest.mark.parametrize("surfaces", [None, [GLASS]], ids=["metasurface", "behind glass"])
def test_a_field_angle_stands_for_the_place_where_its_chief_ray_lands(camera, captures, tmp_path, surfaces):
    folder = captures(tmp_path, repeats=1)
    index = folder / "captures.toml"
    index.write_text(index.read_text().replace("y_um = -20.0\nx_um = -30.0", "field_deg = 2.0\nazimuth_deg = 90.0"))
    camera = camera.with_(lens={"surfaces": surfaces, "decentre_um": (1.0, -2.0)})
    landing = bank_of_captures(read_capture_set(folder), camera).position[0] - camera.lens.decentre_m
    if surfaces is None:
        np.testing.assert_allclose(landing, [camera.lens.focal_length_m * np.tan(np.radians(2.0)), 0], atol=2e-9)
    direction = direction_to(metalens_of(camera), 530e-9, *landing)
    np.testing.assert_allclose(direction, [np.sin(np.radians(2.0)), 0], atol=1e-5)


def test_grey_files_of_each_channel_make_the_same_bank(camera, tmp_path):
    light = 20_000 * spots(np.array([24.0, 24.0]))
    text = 'schema = "metalens.captures"\nversion = 1\ncolour = "grey"\nfull_scale_dn = 65535\narea = "window"\n'
    for name, plane in zip(("red", "green", "blue"), light, strict=True):
        Image.fromarray(np.rint(10 * plane).astype(np.uint16)).save(tmp_path / f"{name}.png")
        text += f'[[captures]]\nfile = "{name}.png"\nchannel = "{name}"\ny_um = 0\nx_um = 0\n'
    (tmp_path / "captures.toml").write_text(text)
    bank = bank_of_captures(read_capture_set(tmp_path), camera, window=33)
    assert np.linalg.norm(bank.intensity - truth()[:1]) < 0.01 * np.linalg.norm(truth()[:1])
    (tmp_path / "captures.toml").write_text(text.rpartition("[[captures]]")[0])
    with pytest.raises(InputError, match=r"no blue capture at \(0.0, 0.0\) µm"):
        bank_of_captures(read_capture_set(tmp_path), camera)


def test_a_saturated_capture_is_refused_with_its_name_its_share_and_what_to_do(camera, captures, tmp_path):
    folder = captures(tmp_path, repeats=2, jitter=0.0, gain=120_000)
    with pytest.raises(InputError, match=r"pinhole_0.npy: saturated: \d+ of the 3267 samples .*%.* 4095 DN") as error:
        bank_of_captures(read_capture_set(folder), camera, window=33)
    assert "shorten the exposure" in str(error.value)


def test_a_peak_that_is_cut_off_below_the_full_scale_that_is_said_is_refused(camera, captures, tmp_path):
    folder = captures(tmp_path, repeats=2, jitter=0.0, gain=120_000)
    index = folder / "captures.toml"
    index.write_text(index.read_text().replace("full_scale_dn = 4095", "full_scale_dn = 65535"))
    with pytest.raises(InputError, match="its peak is flat: 3 × 3 samples are all at its largest number, 4095 DN"):
        bank_of_captures(read_capture_set(folder), camera, window=33)


def test_repeats_that_are_not_of_one_place_are_refused(camera, write_captures, tmp_path):
    light = 30_000.0 * spots(np.array([[[24.0, 18.0], [24.0, 30.0]]]))
    folder = write_captures(tmp_path, POSITION_UM[:1], light)
    with pytest.raises(
        InputError, match=r"the repeats at \(-20.0, -30.0\) µm lie up to 12\.0 samples apart, at most 8"
    ):
        bank_of_captures(read_capture_set(folder), camera)


def test_a_window_that_cuts_the_function_off_is_told(camera, captures, tmp_path):
    folder = captures(tmp_path, repeats=1)
    with pytest.warns(InputWarning, match="the border of the window of 11 × 11 pixels still has .* larger --window"):
        bank_of_captures(read_capture_set(folder), camera, window=11)


def test_a_position_without_light_is_refused(camera, captures, tmp_path):
    with pytest.raises(InputError, match=r"no red light at \(-20.0, -30.0\) µm"):
        bank_of_captures(read_capture_set(captures(tmp_path, gain=0.0)), camera)


@pytest.mark.parametrize("window", [32, 7])
def test_a_window_without_a_middle_or_a_border_is_refused(camera, captures, tmp_path, window):
    with pytest.raises(InputError, match="must be odd and at least 9"):
        bank_of_captures(read_capture_set(captures(tmp_path, repeats=1)), camera, window=window)


def test_frames_of_another_size_are_refused(camera, captures, tmp_path):
    whole = captures(tmp_path, repeats=1, keys="")
    with pytest.raises(InputError, match="its frames are 49 × 49, the sensor 96 × 96"):
        bank_of_captures(read_capture_set(whole), camera)
    smaller = captures(tmp_path, repeats=1)
    with pytest.raises(InputError, match="49 × 49, smaller than the window of 51 × 51"):
        bank_of_captures(read_capture_set(smaller), camera, window=51)
    np.save(tmp_path / "dark.npy", np.zeros((48, 48, 3)))
    with pytest.raises(InputError, match="49 × 49, the darks 48 × 48"):
        bank_of_captures(read_capture_set(smaller), camera)
