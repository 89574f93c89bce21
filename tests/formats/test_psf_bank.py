"""``psf.h5``: round trip, and every way in which a file from elsewhere may be damaged or hostile."""

import dataclasses

import h5py
import numpy as np
import pytest

from metalens.formats.camera import read_camera
from metalens.formats.errors import InputError
from metalens.formats.psf_bank import PsfBank, read_psf_bank, write_psf_bank


def make_bank(**changes: object) -> PsfBank:
    rng = np.random.default_rng(0)
    arrays = {
        "intensity": rng.random((2, 3, 3, 5, 5), dtype=np.float32),
        "field_y": np.array([-1e-4, 1e-4]),
        "field_x": np.array([-1e-4, 0.0, 1e-4]),
        "wavelength": np.array([455e-9, 530e-9, 620e-9]),
        "channel_weight": np.eye(3)[::-1],
        "full_width_half_maximum": rng.random((2, 3, 3)),
        "rms_width": rng.random((2, 3, 3)),
        "half_energy_radius": rng.random((2, 3, 3)),
        "strehl_ratio": rng.random((2, 3, 3)),
        "phase_radius": np.linspace(0, 1e-4, 8),
        "phase": np.zeros(8),
    }
    return PsfBank(camera=read_camera("hyperbolic"), provenance={"engine": "test"}, **(arrays | changes))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "psf.h5"
    write_psf_bank(path, make_bank())
    return path


def test_a_bank_survives_its_file(path):
    bank, found = make_bank(), read_psf_bank(path)
    for field in dataclasses.fields(PsfBank):
        expected = getattr(bank, field.name)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(getattr(found, field.name), expected)
        else:
            assert getattr(found, field.name) == expected
    assert found.pixel_pitch == pytest.approx(1.75e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field_y": np.zeros(3)}, "field_y has shape"),
        ({"field_y": np.array([1e-4, -1e-4])}, "field_y must ascend"),
        ({"intensity": -np.ones((2, 3, 3, 5, 5))}, "must not be negative"),
        ({"intensity": np.zeros((2, 3, 3, 5, 5))}, "holds no light"),
        ({"rms_width": np.zeros((2, 3))}, "rms_width has shape"),
    ],
)
def test_a_bank_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        make_bank(**changes)


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
    replace_intensity(file, shape=(2, 3, 3, 40000, 40000), dtype="f4", chunks=(1, 1, 1, 1000, 1000))


def with_nan(file: h5py.File, folder) -> None:
    file["rms_width"][0, 0, 0] = np.nan


def with_negative_light(file: h5py.File, folder) -> None:
    file["intensity"][0, 0, 0, 0, 0] = -1


def without_a_dataset(file: h5py.File, folder) -> None:
    del file["rms_width"]


def with_a_group_for_a_dataset(file: h5py.File, folder) -> None:
    del file["rms_width"]
    file.create_group("rms_width")


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
        (with_nan, "rms_width holds NaN or infinity"),
        (with_negative_light, "intensity must not be negative"),
        (without_a_dataset, "has no dataset 'rms_width'"),
        (with_a_group_for_a_dataset, "rms_width has shape None"),
        (with_text_for_numbers, "phase"),
        (with_another_rank, "intensity has shape"),
        (of_another_schema, "found schema 'metalens.pairs', expected 'metalens.psf'"),
        (without_schema, "found schema None"),
        (of_another_version, "this metalens reads version 1"),
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
