"""Pictures of banks of every layout, simulated or measured."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.drawing import style
from metalens.formats.drawing.field import EMPTY, sheet_of_nodes, spread_indices
from metalens.formats.drawing.field_map import field_figure
from metalens.formats.drawing.psf_map import DECADES, psf_figure
from metalens.formats.drawing.scale import round_length
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank, grid_positions
from metalens.psf.external_bank import bank_of_functions
from metalens.psf.measures import psf_figures
from metalens.psf.pictures import by_wavelength, displacement, folder, modulation, phase_profile, places, write_pictures
from metalens.psf.pictures.channel_spectrum import spectrum_figure

PITCH = 1.75e-6
SIDE = 15

POSITIONS = {
    "grid": grid_positions(np.array([-20e-6, 20e-6]), np.array([-40e-6, 0, 40e-6])),
    "radial": np.array([[0, 0], [0, 20e-6], [0, 50e-6]]),
    "scattered": np.array([[0, 30e-6], [-10e-6, 4e-6], [-25e-6, -31e-6], [12e-6, 9e-6], [40e-6, 0]]),
}


@pytest.fixture(scope="module")
def camera() -> Camera:
    return read_camera("hyperbolic")


def bank_of(camera: Camera, layout: str, *, simulated: bool = True) -> PsfBank:
    """Gaussians that grow away from the axis, and whose red light lies one pixel further outwards than the green."""
    position = POSITIONS[layout]
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    outwards = position / np.maximum(np.linalg.norm(position, axis=1, keepdims=True), 1e-12)
    width = 1 + np.linalg.norm(position, axis=1) / 50e-6
    away_y, away_x = (
        grid - outwards[:, axis, None, None, None] * np.array([1.0, 0.0, -0.5])[:, None, None]
        for axis, grid in enumerate((y, x))
    )
    light = np.exp(-(away_y**2 + away_x**2) / (2 * width[:, None, None, None] ** 2))
    light /= light.sum(axis=(-2, -1), keepdims=True)
    bank = bank_of_functions(camera, light, position, layout=layout, provenance={})
    if not simulated:
        return bank
    # The coarsest quadrature has one wavelength a channel: blue, green, red.
    mixed = psf_figures(light[:, ::-1], PITCH, position[:, None], unaberrated_peak=np.array(1e12))
    return replace(bank, by_wavelength=mixed)


@pytest.fixture(scope="module", params=sorted(POSITIONS))
def bank(request: pytest.FixtureRequest, camera: Camera) -> PsfBank:
    return bank_of(camera, request.param)


def test_a_folder_of_pictures_is_complete(camera: Camera, tmp_path: Path):
    paths = write_pictures(bank_of(camera, "radial"), tmp_path / "pictures")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(path.name for path in paths)
    names = {path.stem for path in paths}
    assert names >= {f"psf-{colour}" for colour in ("colour", "red", "green", "blue")}
    assert names >= {"fwhm", "tangential-sagittal-width", "rms-width", "half-energy-radius", "window-share"}
    assert names >= {"eighty-percent-energy-radius", "nyquist-modulation", "centroid", "lateral-colour", "phase"}
    assert names >= {"modulation-by-channel", "modulation-by-wavelength", "figures-by-wavelength", "strehl-ratio"}
    for path in paths:
        with Image.open(path) as picture:
            assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.parametrize(("ending", "head"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_second_format_is_for_print(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: Literal["pdf", "svg"], head: bytes
):
    bank = bank_of(camera, "radial")
    monkeypatch.setattr(folder, "pictures_of", lambda bank: {"spectrum": lambda: spectrum_figure(bank)})
    first, second = (write_pictures(bank, tmp_path / name, vector=ending) for name in ("first", "second"))
    assert [path.name for path in first] == ["spectrum.png", f"spectrum.{ending}"]
    assert first[1].read_bytes().startswith(head)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_layout_has_the_same_pictures(bank: PsfBank, tmp_path: Path):
    names = set(folder.pictures_of(bank))
    assert names == set(folder.pictures_of(bank_of(bank.camera, "grid")))
    for draw in folder.pictures_of(bank).values():
        assert draw().axes


def test_a_measured_bank_has_no_pictures_by_wavelength(camera: Camera):
    measured = set(folder.pictures_of(bank_of(camera, "scattered", simulated=False)))
    simulated = set(folder.pictures_of(bank_of(camera, "scattered")))
    assert simulated - measured == {"modulation-by-wavelength", "figures-by-wavelength", "strehl-ratio"}
    assert measured < simulated


def test_a_folder_that_holds_something_is_left_alone(camera: Camera, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="the output folder is not empty"):
        write_pictures(bank_of(camera, "grid"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_picture_that_fails_leaves_no_folder(camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bank = bank_of(camera, "grid")

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "pictures_of", lambda bank: {"spectrum": lambda: spectrum_figure(bank), "x": interrupt})
    with pytest.raises(KeyboardInterrupt):
        write_pictures(bank, tmp_path / "pictures")
    assert list(tmp_path.iterdir()) == []


def test_a_single_node_is_drawn(camera: Camera):
    light = np.zeros((1, 3, SIDE, SIDE))
    light[..., SIDE // 2, SIDE // 2] = 1
    one = bank_of_functions(camera, light, np.zeros((1, 2)), layout="grid", provenance={})
    for draw in folder.pictures_of(one).values():
        assert draw().axes


@pytest.mark.parametrize("count", [1, 2, 7, 8, 129])
def test_shown_nodes_reach_from_the_first_to_the_last(count: int):
    shown = spread_indices(count)
    assert shown[0] == 0
    assert shown[-1] == count - 1
    assert len(shown) == min(count, 7)


def test_a_sheet_shows_each_node_once(bank: PsfBank):
    sheet = sheet_of_nodes(bank)
    assert sorted(sheet[sheet != EMPTY]) == list(range(len(bank.position)))
    distance = np.linalg.norm(bank.position, axis=1)[sheet[sheet != EMPTY]]
    assert bank.layout == "grid" or (np.diff(distance) >= 0).all()


def test_all_maps_of_a_bank_have_one_logarithmic_scale(bank: PsfBank):
    limits = [psf_figure(bank, channel).axes[0].images[0].get_clim() for channel in range(3)]
    brightest = np.log10(bank.intensity.max())
    np.testing.assert_allclose(limits, [[brightest - DECADES, brightest]] * 3)


def test_a_map_shows_a_window_as_the_sensor_sees_it(camera: Camera):
    """Row 0 at the top and no window mirrored: the brightest pixel of every window is the brightest of its node."""
    bank = bank_of(camera, "grid")
    image = psf_figure(bank, 0).axes[0].images[0].get_array()
    for row, column in np.ndindex(2, 3):
        window = image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        assert window.argmax() == bank.as_grid(bank.intensity)[row, column, 0].argmax()


def test_compared_maps_share_a_scale(camera: Camera):
    bank = bank_of(camera, "scattered")
    low, high = np.ones((5, 3)), np.full((5, 3), 4.0)
    drawn = field_figure(bank, {"low": low, "high": high}, "something (µm)").axes[:6]
    assert {axes.collections[0].get_clim() for axes in drawn} == {(1.0, 4.0)}
    assert all(axes.yaxis_inverted() for axes in drawn)


def test_a_radius_is_drawn_as_lines_that_print_in_grey(camera: Camera):
    bank = bank_of(camera, "radial")
    lines = field_figure(bank, {"": bank.by_channel.rms_width * 1e6}, "RMS width (µm)").axes[0].lines
    assert len({line.get_marker() for line in lines}) == 3
    np.testing.assert_allclose(lines[0].get_xdata(), [0, 20, 50])
    np.testing.assert_allclose(lines[2].get_ydata(), 1e6 * bank.by_channel.rms_width[:, 2])


def test_arrows_show_the_lateral_colour(camera: Camera):
    bank = bank_of(camera, "grid")
    red, blue = displacement.lateral_colour_figure(bank).axes
    for axes, channel in ((red, 0), (blue, 2)):
        arrows = axes.collections[0]
        np.testing.assert_allclose(np.stack([arrows.V, arrows.U], axis=-1), bank.lateral_colour[:, channel])
        assert axes.yaxis_inverted()
    assert red.collections[0].scale == blue.collections[0].scale


def test_curves_show_the_lateral_colour_of_a_radius(camera: Camera):
    red = displacement.lateral_colour_figure(bank_of(camera, "radial")).axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(red, [0, 1.75, 1.75], atol=0.05)


def test_the_limit_of_diffraction_is_the_closed_form():
    """1 at no frequency, 0 from the cutoff on, 2/π (π/3 − √3/4) half-way."""
    share = np.array([0, 0.5, 1, 2])
    expected = [1, 2 / np.pi * (np.pi / 3 - np.sqrt(3) / 4), 0, 0]
    np.testing.assert_allclose(modulation._limit(share), expected, atol=1e-12)


def test_modulation_is_drawn_up_to_the_nyquist_frequency(bank: PsfBank):
    figure = modulation.channel_modulation_figure(bank)
    assert all(axes.get_xlim()[1] >= 0.5e-3 / PITCH for axes in figure.axes)
    assert all(line.get_ydata()[0] == pytest.approx(1) for line in figure.axes[0].lines if len(line.get_ydata()) > 2)


def test_places_are_the_nodes_next_to_axis_zone_and_edge(camera: Camera):
    assert places.chosen_places(bank_of(camera, "radial")) == {"axis, 0 µm": 0, "zone, 20 µm": 1, "edge, 50 µm": 2}


def test_nodes_of_equal_distance_count_with_their_mean(camera: Camera):
    bank = bank_of(camera, "grid")
    values = np.arange(18.0).reshape(6, 3)
    distance, means = by_wavelength._over_distance(bank, values)
    np.testing.assert_allclose(distance, [20e-6, np.hypot(20e-6, 40e-6)])
    np.testing.assert_allclose(means, [values[[1, 4]].mean(axis=0), values[[0, 2, 3, 5]].mean(axis=0)])


def test_no_cell_reaches_across_a_gap_between_bands():
    wavelength = np.array([450, 455, 460, 520, 525, 530, 600]) * 1e-9
    assert by_wavelength._groups(wavelength) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    np.testing.assert_allclose(by_wavelength._edges(np.array([450.0, 455, 462])), [447.5, 452.5, 458.5, 465.5])


def test_the_local_period_is_that_of_the_slope(camera: Camera):
    """A hyperbolic lens bends the light of its own wavelength to the focus: period = λ / sin(arctan(r / f))."""
    bank = bank_of(camera, "radial")
    radius, period = phase_profile.phase_figure(bank).axes[1].lines[0].get_data()
    inside = slice(10, -10)
    expected = 0.532 / np.sin(np.arctan(radius[inside] / 1000))
    np.testing.assert_allclose(period[inside], expected, rtol=1e-3)


def test_every_wavelength_of_a_channel_is_marked(bank: PsfBank):
    marks = spectrum_figure(bank).axes[0].lines
    assert [len(line.get_xdata()) for line in marks] == [int((row > 0).sum()) for row in bank.channel_weight]


@pytest.mark.parametrize(("length", "expected"), [(1.0, 1.0), (9.9, 5.0), (0.034, 0.02), (2.5e-7, 2e-7)])
def test_scale_bars_have_round_lengths(length: float, expected: float):
    assert round_length(length) == pytest.approx(expected)


def test_drawing_leaves_the_settings_of_matplotlib_alone(camera: Camera, tmp_path: Path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    style.save_figure(tmp_path, "spectrum", lambda: spectrum_figure(bank_of(camera, "radial")), {"png": 40})
    assert dict(mpl.rcParams) == before
