"""A folder of drawn lenses: what it names is what is read, and nothing else."""

import json
import shutil

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.linked_file import file_sha256
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.formats.psf.ensemble import (
    EnsembleManifest,
    EnsembleMember,
    read_psf_ensemble,
    write_ensemble_manifest,
)
from metalens.formats.psf.figures import PsfFigures

CAMERA = """
schema = "metalens.camera"
version = 1
name = "small"
lens = {{ aperture_um = 40.0, focal_length_um = 100.0, defocus_um = {defocus}, phase = {{ family = "hyperbolic", wavelength_nm = 530.0 }} }}
sensor = {{ pixels = [32, 32], pixel_pitch_um = 1.0, bit_depth = 10, full_well_e = 5000.0, read_noise_e = 3.0 }}

[spectrum]
channels = [
  {{ name = "red", centre_nm = 610.0, fwhm_nm = 10.0 }},
  {{ name = "green", centre_nm = 530.0, fwhm_nm = 10.0 }},
  {{ name = "blue", centre_nm = 460.0, fwhm_nm = 10.0 }},
]
"""  # noqa: E501 a TOML table stands on one line


def camera(defocus: float) -> Camera:
    return parse_camera(CAMERA.format(defocus=defocus))


def bank(defocus: float) -> PsfBank:
    ones, shape = np.ones((1, 3)), (1, 3)
    figures = PsfFigures(
        ones, ones, ones, ones, ones, ones, np.zeros((1, 3, 2)), ones, np.array([0.0]), np.ones((1, 3, 2, 1)),
        np.ones((1, 3, 2)),
    )  # fmt: skip
    return PsfBank(
        camera=camera(defocus),
        layout="grid",
        position=np.zeros((1, 2)),
        intensity=np.full((*shape, 3, 3), 1 / 9 + defocus, dtype=np.float32),
        wavelength=np.array([460e-9, 530e-9, 610e-9]),
        channel_weight=np.eye(3)[::-1],
        by_channel=figures,
        phase_radius=np.zeros(1),
        phase=np.zeros(1),
        provenance={},
    )


@pytest.fixture
def folder(tmp_path):
    members = []
    for number, defocus in enumerate((0.5, 1.0)):
        path = tmp_path / f"{number:03d}.h5"
        write_psf_bank(path, bank(defocus))
        members.append(
            EnsembleMember(
                file=path.name,
                sha256=file_sha256(path),
                lens_hash=camera(defocus).hash,
                draw=number,
                errors={"defocus_um": defocus},
            )
        )
    manifest = EnsembleManifest(camera_name="small", lens_hash=camera(0.0).hash, seed=3, members=tuple(members))
    write_ensemble_manifest(tmp_path, manifest)
    return tmp_path


def changed(folder, **values):
    content = json.loads((folder / "ensemble.json").read_text())
    (folder / "ensemble.json").write_text(json.dumps({**content, **values}))


def test_an_ensemble_comes_back(folder):
    ensemble = read_psf_ensemble(folder)
    assert len(ensemble) == 2
    assert ensemble.manifest.members[1].errors == {"defocus_um": 1.0}
    assert ensemble.bank(1).camera == camera(1.0)
    np.testing.assert_array_equal(ensemble.bank(0).intensity, bank(0.5).intensity)


def test_the_digest_covers_every_bank_and_not_the_files_layout(folder):
    digest = read_psf_ensemble(folder).digest
    content = json.loads((folder / "ensemble.json").read_text())
    (folder / "ensemble.json").write_text(json.dumps(content, indent=4))
    assert read_psf_ensemble(folder).digest == digest
    content["members"][0]["sha256"] = "0" * 64
    (folder / "ensemble.json").write_text(json.dumps(content))
    assert read_psf_ensemble(folder).digest != digest


def test_a_bank_that_was_exchanged_is_refused(folder):
    shutil.copy(folder / "001.h5", folder / "000.h5")
    with pytest.raises(InputError, match=r"000\.h5: is not the file that ensemble\.json names"):
        read_psf_ensemble(folder).bank(0)


def test_a_bank_of_another_lens_is_refused(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    content["members"][0] |= {"file": "001.h5", "sha256": content["members"][1]["sha256"]}
    content["members"][1]["file"] = "000.h5"
    (folder / "ensemble.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="holds another lens"):
        read_psf_ensemble(folder).bank(0)


def test_a_missing_or_linked_bank_is_refused(folder):
    (folder / "000.h5").unlink()
    with pytest.raises(InputError, match="is missing"):
        read_psf_ensemble(folder).bank(0)
    (folder / "000.h5").symlink_to(folder / "001.h5")
    with pytest.raises(InputError, match="is missing or no plain file"):
        read_psf_ensemble(folder).bank(0)


@pytest.mark.parametrize("name", ["../000.h5", "/etc/passwd", "a/b.h5", ".h5", "000.txt", "000.h5\n"])
def test_a_member_lies_in_the_folder(folder, name):
    content = json.loads((folder / "ensemble.json").read_text())
    content["members"][0]["file"] = name
    changed(folder, members=content["members"])
    with pytest.raises(InputError, match=r"ensemble\.json: .*members\.0.*no plain name"):
        read_psf_ensemble(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": 2}, "version"),
        ({"schema": "metalens.psf"}, "schema"),
        ({"members": []}, "members"),
        ({"seed": -1}, "seed"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_damaged_manifest_is_refused(folder, values, message):
    changed(folder, **values)
    with pytest.raises(InputError, match=message):
        read_psf_ensemble(folder)


def test_two_members_do_not_share_a_file(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    changed(folder, members=[content["members"][0]] * 2)
    with pytest.raises(InputError, match="two members share one file"):
        read_psf_ensemble(folder)


def test_a_folder_without_manifest_is_not_finished(tmp_path):
    with pytest.raises(InputError, match=r"has no ensemble\.json"):
        read_psf_ensemble(tmp_path)
