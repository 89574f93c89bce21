"""Banks of point spread functions: symmetry, energy, window, file."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError, InputWarning
from metalens.formats.pages.builder import number
from metalens.formats.psf.bank import PsfBank, sum_subpixels
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.optics import metalens_of
from metalens.psf import measures, simulate_bank
from metalens.psf.bank_plan import plan_bank
from metalens.psf.bank_request import BankRequest
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.rays import direction_to
from metalens.psf.simulate import simulate_psf
from metalens.psf.window import check_share


@pytest.fixture(scope="module")
def camera() -> Camera:
    """A smaller sibling of the metacamera with a sensor that is not square."""
    base = read_camera("metacamera")
    lens = base.lens.model_copy(
        update={
            "aperture_um": 60.0,
            "focal_length_um": 150.0,
            "phase": read_camera("hyperbolic").lens.phase,
        }
    )
    sensor = base.sensor.model_copy(update={"pixels": (32, 48)})
    return base.model_copy(update={"lens": lens, "sensor": sensor})


@pytest.fixture(scope="module")
def bank(camera: Camera) -> PsfBank:
    return simulate_bank(camera, fields=(3, 5), wavelengths_per_channel=2)


def test_nodes_span_the_sensor_from_edge_to_edge(bank: PsfBank):
    np.testing.assert_allclose(bank.field_y, 1.75e-6 * np.array([-16, 0, 16]))
    np.testing.assert_allclose(bank.field_x, 1.75e-6 * np.array([-24, -12, 0, 12, 24]))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_nodes_mirror_exactly(count: int):
    nodes = nodes_across(count, 1.0)
    assert len(nodes) == count
    np.testing.assert_array_equal(nodes, -nodes[::-1])
    if count > 1:
        np.testing.assert_allclose(nodes, np.linspace(-0.5, 0.5, count), atol=1e-15)


def test_every_node_equals_direct_evaluation(bank: PsfBank, camera: Camera):
    """The mirror images that fill the grid are what the reference engine gives at their own place."""
    lens = metalens_of(camera)
    window = bank.intensity.shape[-2:]
    for row, y in enumerate(bank.field_y):
        for column, x in enumerate(bank.field_x):
            q, p = direction_to(lens, float(np.median(bank.wavelength)), y, x)
            angle = (float(np.arcsin(np.hypot(q, p))), float(np.arctan2(q, p)))
            weights = bank.channel_weight[0]
            red = sum(
                weight
                * simulate_psf(
                    lens,
                    wavelength,
                    angle,
                    window=window,
                    pixel_pitch=bank.pixel_pitch,
                    engine="rayleigh_sommerfeld",
                    integrate_pixels=True,
                )
                for wavelength, weight in zip(bank.wavelength, weights, strict=True)
                if weight > 0
            )
            found = bank.as_grid(bank.intensity)[row, column, 0]
            assert np.linalg.norm(found - red) < 3e-3 * np.linalg.norm(red)


def test_the_default_window_holds_the_light(bank: PsfBank):
    share = bank.intensity.sum(axis=(-2, -1))
    assert share.min() >= 0.97
    assert share.max() <= 1.001
    assert float(bank.provenance["captured_share_lowest"]) == pytest.approx(share.min(), abs=1e-4)


def test_modulation_refers_to_all_light_of_the_image(bank: PsfBank):
    for figures in (bank.by_channel, bank.by_wavelength):
        np.testing.assert_allclose(figures.modulation[..., 0, 0], np.minimum(figures.window_share, 1), rtol=1e-6)


def test_a_window_that_holds_less_than_most_light_is_told(camera: Camera):
    with pytest.warns(InputWarning, match=r"a window of 9 × 9 samples \(15.8 × 15.8 µm\) holds 94.*use a larger"):
        simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1, window=(9, 9))


@pytest.mark.parametrize("group", ["by_channel", "by_wavelength"])
def test_figures_are_mirrored_with_the_fields(bank: PsfBank, group: str):
    for name, figure in getattr(bank, group).arrays().items():
        if name in ("frequency", "centroid"):
            continue
        values = bank.as_grid(figure)
        np.testing.assert_array_equal(values, values[::-1])
        np.testing.assert_array_equal(values, values[:, ::-1])
    y, x = np.moveaxis(bank.as_grid(getattr(bank, group).centroid), -1, 0)
    np.testing.assert_array_equal(y, y[:, ::-1])
    np.testing.assert_allclose(y, -y[::-1], atol=1e-3 * bank.pixel_pitch)
    # In the column on the axis a node is its own mirror image, to rounding.
    np.testing.assert_allclose(x, -x[:, ::-1], atol=1e-3 * bank.pixel_pitch)


def test_centroids_are_those_of_the_functions_they_belong_to(bank: PsfBank):
    """Also where a transpose and flips made the function."""
    for node, images in enumerate(bank.intensity):
        expected = measures.centroid(images, bank.pixel_pitch)
        np.testing.assert_allclose(bank.by_channel.centroid[node], expected, atol=1e-3 * bank.pixel_pitch)


def test_pixels_are_sums_of_their_subpixels(bank: PsfBank):
    """At every node that was simulated in its own place; the record's own check holds the same."""
    assert bank.subpixels % 2 == 1
    sums = sum_subpixels(bank.subpixel_intensity, bank.subpixels)
    met = 0
    for place, image in zip(bank.simulated_position, sums, strict=True):
        for node in np.flatnonzero((bank.position == place).all(axis=1)):
            np.testing.assert_array_equal(bank.intensity[node], image)
            met += 1
    assert met > 0


def test_a_square_sensor_needs_an_octant_of_fields_only(camera: Camera):
    square = camera.model_copy(update={"sensor": camera.sensor.model_copy(update={"pixels": (32, 32)})})
    calls: list[tuple[int, int]] = []
    bank = simulate_bank(
        square,
        fields=(3, 3),
        window=(31, 31),
        wavelengths_per_channel=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    # Exact where a transpose made it, to rounding on the diagonal, which is its own mirror image.
    images = bank.as_grid(bank.intensity)
    np.testing.assert_allclose(images, images.transpose(1, 0, 2, 4, 3), atol=1e-6)


def test_a_single_field_lies_on_the_axis(camera: Camera):
    bank = simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1)
    assert bank.field_y.tolist() == [0.0]
    image = bank.intensity[0, 1]
    np.testing.assert_allclose(image, image[::-1], atol=1e-6)


def test_a_bank_survives_its_file(bank: PsfBank, tmp_path):
    path = tmp_path / "psf.h5"
    write_psf_bank(path, bank)
    found = read_psf_bank(path)
    np.testing.assert_array_equal(found.intensity, bank.intensity)
    np.testing.assert_array_equal(found.by_wavelength.strehl_ratio, bank.by_wavelength.strehl_ratio)
    assert found.camera == bank.camera
    assert found.provenance == bank.provenance


def test_a_window_that_loses_the_light_is_refused(camera: Camera):
    with pytest.raises(InputError, match="ask for a larger window"):
        simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1, window=(5, 5))


def test_a_place_that_rounds_to_zero_has_no_sign(camera: Camera):
    with pytest.raises(InputError, match=r"field at \(0, 0\) µm"):
        check_share(np.zeros((1, 3)), camera, np.array([[-1e-9, -0.0]]), 5)
    assert number(-0.001, 2) == "0.00"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lens": {"defocus_um": 1000.0}}, r"lens.defocus_um 1000"),
        ({"lens": {"decentre_um": (0.0, 400.0)}}, r"lens.decentre_um \[0.0, 400.0\]"),
        ({"object_distance_mm": 0.01}, r"object_distance_mm 0.01"),
    ],
)
def test_light_that_no_window_holds_is_told_before_it_is_simulated(camera: Camera, changes: dict, told: str):
    # 1 mm of defocus spreads the light of f/2.5 over 400 µm; the largest window is hardly wider than the focal length.
    with pytest.raises(InputError, match=rf"window is wider than the focal length, .* check {told}\."):
        plan_bank(camera.with_(**changes), BankRequest(fields=(1, 1), wavelengths_per_channel=1))
