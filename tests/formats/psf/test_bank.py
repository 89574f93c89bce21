"""``psf.h5``: round trip, and every way in which a file from elsewhere may be damaged or hostile."""

import dataclasses

import h5py
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank, grid_positions, sum_subpixels
from metalens.formats.psf.bank_file import read_psf_bank, write_psf_bank
from metalens.formats.psf.figures import PsfFigures

FIELD_Y, FIELD_X = np.array([-1e-4, 1e-4]), np.array([-1e-4, 0.0, 1e-4])


def make_figures(*leading: int, strehl: bool = True, **changes: object) -> PsfFigures:
    rng = np.random.default_rng(0)
    single = ("full_width_half_maximum", "tangential_width", "sagittal_width", "rms_width", "half_energy_radius")
    single += ("eighty_percent_energy_radius", "window_share", *(("strehl_ratio",) if strehl else ()))
    arrays = {name: rng.random(leading) for name in single}
    arrays |= {"centroid": rng.random((*leading, 2)) - 0.5, "frequency": np.linspace(0, 1e5, 4)}
    arrays |= {"modulation": rng.random((*leading, 2, 4)), "nyquist_modulation": rng.random((*leading, 2))}
    return PsfFigures(**(arrays | changes))


def make_bank(**changes: object) -> PsfBank:
    """Six nodes, of which two were simulated with 3 × 3 sub-pixels."""
    rng = np.random.default_rng(0)
    intensity = rng.random((6, 3, 5, 5), dtype=np.float32)
    subpixels = rng.random((2, 3, 15, 15), dtype=np.float32)
    intensity[[4, 5]] = sum_subpixels(subpixels, 3)
    position = grid_positions(FIELD_Y, FIELD_X)
    content = {
        "layout": "grid",
        "position": position,
        "intensity": intensity,
        "wavelength": np.array([455e-9, 480e-9, 530e-9, 620e-9]),
        "channel_weight": np.eye(4)[[3, 2, 0]],
        "by_channel": make_figures(6, 3, strehl=False),
        "by_wavelength": make_figures(6, 4),
        "subpixel_intensity": subpixels,
        "simulated_position": position[[4, 5]],
        "phase_radius": np.linspace(0, 1e-4, 8),
        "phase": np.zeros(8),
    }
    return PsfBank(camera=read_camera("hyperbolic"), provenance={"engine": "test"}, **(content | changes))


MEASURED = {"by_wavelength": None, "subpixel_intensity": None, "simulated_position": None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "psf.h5"
    write_psf_bank(path, make_bank())
    return path


def assert_equal(found: object, expected: object) -> None:
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    elif isinstance(expected, PsfFigures):
        for field in dataclasses.fields(PsfFigures):
            assert_equal(getattr(found, field.name), getattr(expected, field.name))
    else:
        assert found == expected


@pytest.mark.parametrize("changes", [{}, MEASURED], ids=["simulated", "measured"])
def test_a_bank_survives_its_file(tmp_path, changes):
    bank = make_bank(**changes)
    write_psf_bank(tmp_path / "psf.h5", bank)
    found = read_psf_bank(tmp_path / "psf.h5")
    for field in dataclasses.fields(PsfBank):
        assert_equal(getattr(found, field.name), getattr(bank, field.name))
    assert found.pixel_pitch == pytest.approx(1.75e-6)
    assert found.subpixels == (1 if changes else 3)


def test_a_grid_is_read_by_rows_and_columns():
    bank = make_bank()
    assert_equal(bank.field_y, FIELD_Y)
    assert_equal(bank.field_x, FIELD_X)
    assert bank.as_grid(bank.intensity).shape == (2, 3, 3, 5, 5)
    assert_equal(bank.as_grid(bank.position)[1, 2], np.array([1e-4, 1e-4]))


@pytest.mark.parametrize(
    ("layout", "position"),
    [
        ("radial", np.stack([np.zeros(6), np.arange(6) * 1e-5], axis=1)),
        ("scattered", np.random.default_rng(0).random((6, 2))),
    ],
)
def test_only_a_grid_has_rows_and_columns(layout, position):
    bank = make_bank(layout=layout, position=position, **MEASURED)
    for read in (lambda: bank.field_y, lambda: bank.field_x, lambda: bank.as_grid(bank.intensity)):
        with pytest.raises(InputError, match=f"nodes are {layout}, a grid .*`metalens psf --fields"):
            read()


def test_lateral_colour_is_counted_from_green():
    bank = make_bank()
    assert np.all(bank.lateral_colour[:, 1] == 0)
    expected = bank.by_channel.centroid[:, 0] - bank.by_channel.centroid[:, 1]
    np.testing.assert_array_equal(bank.lateral_colour[:, 0], expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": np.zeros((5, 2))}, "position has shape"),
        ({"phase_radius": np.full(8, 1e300)}, "phase_radius must lie within 1 m"),
        ({"wavelength": np.array([455e-9, 480e-9, 530e-9, 0.0])}, "wavelength must lie between 1e-08 and 0.001 m"),
        ({"channel_weight": -np.eye(4)[[3, 2, 0]]}, "channel_weight must not be negative"),
        ({"channel_weight": 0.5 * np.eye(4)[[3, 2, 0]]}, "sum to 1 for each channel"),
        ({"layout": "hexagonal"}, "layout 'hexagonal', expected one of grid, radial, scattered"),
        ({"position": grid_positions(FIELD_Y[::-1], FIELD_X)}, "row by row over ascending y and x"),
        ({"layout": "radial"}, "y = 0 with x ascending from 0"),
        ({"layout": "scattered", "position": np.zeros((6, 2))}, "two nodes share one position"),
        ({"intensity": -np.ones((6, 3, 5, 5))}, "must not be negative"),
        ({"intensity": np.zeros((6, 3, 5, 5))}, "holds no light"),
        ({"intensity": np.ones((6, 2, 5, 5))}, "intensity has shape"),
        ({"by_channel": make_figures(6, 2, strehl=False)}, "by_channel has shape"),
        ({"by_channel": make_figures(6, 3)}, "a mixture of wavelengths does not have"),
        ({"by_wavelength": make_figures(6, 3)}, "by_wavelength has shape"),
        ({"simulated_position": None}, "together or not at all"),
        ({"subpixel_intensity": np.ones((2, 3, 10, 10))}, "with an odd s"),
        ({"subpixel_intensity": np.ones((2, 3, 15, 20))}, "with an odd s"),
        ({"subpixel_intensity": -np.ones((2, 3, 15, 15))}, "subpixel_intensity must not be negative"),
        ({"subpixel_intensity": np.ones((2, 3, 15, 15))}, "do not sum to its pixels"),
    ],
)
def test_a_bank_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        make_bank(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centroid": np.zeros((2, 3))}, "centroid has shape"),
        ({"rms_width": np.full(2, np.nan)}, "rms_width holds NaN or infinity"),
        ({"rms_width": np.full(2, 1e300)}, "rms_width must be 1 m at most"),
        ({"centroid": np.full((2, 2), -1e300)}, "centroid must be 1 m at most"),
        ({"strehl_ratio": np.full(2, -0.1)}, "strehl_ratio must not be negative"),
        ({"frequency": np.array([0.0, 1.0, 3.0, 2.0])}, "frequency must ascend from 0"),
        ({"frequency": np.array([1.0, 2.0, 3.0, 4.0])}, "frequency must ascend from 0"),
    ],
)
def test_figures_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        make_figures(2, **changes)


def replace_intensity(file: h5py.File, **options: object) -> None:
    del file["intensity"]
    file.create_dataset("intensity", **options)


def as_soft_link(file: h5py.File, folder) -> None:
    file.move("phase", "other")
    file["phase"] = h5py.SoftLink("/other")


def as_external_link(file: h5py.File, folder) -> None:
    with h5py.File(folder / "elsewhere.h5", "w") as elsewhere:
        elsewhere["phase"] = np.zeros(8)
    del file["phase"]
    file["phase"] = h5py.ExternalLink("elsewhere.h5", "/phase")


def with_external_storage(file: h5py.File, folder) -> None:
    (folder / "secret").write_bytes(bytes(64))
    del file["phase"]
    file.create_dataset("phase", shape=(8,), dtype="f8", external=[(str(folder / "secret"), 0, 64)])


def as_virtual_dataset(file: h5py.File, folder) -> None:
    with h5py.File(folder / "elsewhere.h5", "w") as elsewhere:
        elsewhere["phase"] = np.zeros(8)
    layout = h5py.VirtualLayout(shape=(8,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(folder / "elsewhere.h5"), "phase", shape=(8,))
    del file["phase"]
    file.create_virtual_dataset("phase", layout)


def with_references(file: h5py.File, folder) -> None:
    del file["phase"]
    dataset = file.create_dataset("phase", shape=(8,), dtype=h5py.ref_dtype)
    dataset[0] = file["intensity"].ref


def with_a_named_type(file: h5py.File, folder) -> None:
    file["type"] = np.dtype("f8")


def with_inflated_size(file: h5py.File, folder) -> None:
    replace_intensity(file, shape=(6, 3, 40000, 40000), dtype="f4", chunks=(1, 1, 1000, 1000))


def with_nan(file: h5py.File, folder) -> None:
    file["by_channel/rms_width"][0, 0] = np.nan


def with_negative_light(file: h5py.File, folder) -> None:
    file["intensity"][0, 0, 0, 0] = -1


def without_a_dataset(file: h5py.File, folder) -> None:
    del file["by_channel/rms_width"]


def with_a_group_for_a_dataset(file: h5py.File, folder) -> None:
    del file["by_channel/rms_width"]
    file.create_group("by_channel/rms_width")


def without_a_group(file: h5py.File, folder) -> None:
    del file["by_channel"]


def with_a_dataset_for_a_group(file: h5py.File, folder) -> None:
    del file["by_wavelength"]
    file["by_wavelength"] = np.zeros(3)


def without_the_simulated_positions(file: h5py.File, folder) -> None:
    del file["simulated_position"]


def with_other_subpixels(file: h5py.File, folder) -> None:
    file["subpixel_intensity"][0, 0, 0, 0] += 1


def without_a_layout(file: h5py.File, folder) -> None:
    del file.attrs["layout"]


def of_another_layout(file: h5py.File, folder) -> None:
    file.attrs["layout"] = "hexagonal"


def with_text_for_numbers(file: h5py.File, folder) -> None:
    del file["phase"]
    file["phase"] = np.array([b"one"] * 8)


def with_another_rank(file: h5py.File, folder) -> None:
    replace_intensity(file, data=np.ones((3, 5, 5), dtype=np.float32))


def of_another_schema(file: h5py.File, folder) -> None:
    file.attrs["schema"] = "metalens.pairs"


def without_schema(file: h5py.File, folder) -> None:
    del file.attrs["schema"]


def of_another_version(file: h5py.File, folder) -> None:
    file.attrs["version"] = 99


def of_the_first_version(file: h5py.File, folder) -> None:
    file.attrs["version"] = 1


def with_a_version_of_many_numbers(file: h5py.File, folder) -> None:
    file.attrs["version"] = np.arange(3)


def with_a_changed_lens(file: h5py.File, folder) -> None:
    file.attrs["lens_toml"] = file.attrs["lens_toml"].replace("500.0", "400.0")


def without_a_lens(file: h5py.File, folder) -> None:
    del file.attrs["lens_toml"]


def with_a_broken_lens(file: h5py.File, folder) -> None:
    file.attrs["lens_toml"] = "not a lens"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (as_soft_link, "is a link out of its place"),
        (as_external_link, "is a link out of its place"),
        (with_external_storage, "keeps its data outside the file"),
        (as_virtual_dataset, "keeps its data outside the file"),
        (with_references, "holds references or objects"),
        (with_a_named_type, "neither a group nor a dataset"),
        (with_inflated_size, "refused as hostile"),
        (with_nan, "by_channel/rms_width holds NaN or infinity"),
        (with_negative_light, "intensity must not be negative"),
        (without_a_dataset, "has no dataset 'by_channel/rms_width'"),
        (without_a_group, "has no dataset 'by_channel/"),
        (with_a_dataset_for_a_group, "psf.h5"),
        (without_the_simulated_positions, "has no dataset 'simulated_position'"),
        (with_other_subpixels, "do not sum to its pixels"),
        (without_a_layout, "damaged or not a metalens.psf file"),
        (of_another_layout, "layout 'hexagonal'"),
        (with_a_group_for_a_dataset, "rms_width has shape None"),
        (with_text_for_numbers, "phase"),
        (with_another_rank, "intensity has shape"),
        (of_another_schema, "found schema 'metalens.pairs', expected 'metalens.psf'"),
        (without_schema, "found schema None"),
        (of_another_version, "this metalens reads version 2"),
        (of_the_first_version, r"found metalens.psf version 1, .* run `metalens psf` again"),
        (with_a_version_of_many_numbers, "psf.h5"),
        (with_a_changed_lens, "lens_toml and lens_hash disagree"),
        (without_a_lens, "damaged or not a metalens.psf file"),
        (with_a_broken_lens, "its lens_toml"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused(path, tmp_path, damage, message):
    with h5py.File(path, "r+") as file:
        damage(file, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read_psf_bank(path)
    assert "psf.h5" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"psf\.h5"):
        read_psf_bank(path)


def test_flipped_bytes_never_raise_anything_but_an_input_error(path):
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 60):
        damaged = content.copy()
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_psf_bank(path)
        except InputError as error:
            assert "psf.h5" in str(error)  # noqa: PT017 — a flip in unused space goes unnoticed, so raises() is no fit


def test_a_file_that_is_no_hdf5(tmp_path):
    path = tmp_path / "psf.h5"
    with pytest.raises(InputError, match="no such file"):
        read_psf_bank(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not a readable HDF5 file"):
        read_psf_bank(path)
