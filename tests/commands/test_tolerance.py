"""metalens tolerance: a folder of figures, an ensemble that synth draws from, and sentences for what cannot be."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from metalens.cli import metalens
from metalens.formats.camera.camera import parse_camera
from metalens.formats.camera.structure import write_structure
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_manifest
from metalens.formats.psf.ensemble import read_psf_ensemble
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.structure import StructureOptions, choose_structure

SPEC = """
schema = "metalens.tolerance"
version = 1

[errors]
defocus_um = { distribution = "normal", sigma = 3.0 }
decentre_x_um = { distribution = "uniform", plus_minus = 2.0 }
"""


def of_few_wavelengths(camera: str) -> str:
    """The camera with one wavelength in each channel, which are 1 nm wide."""
    return camera.replace("[spectrum]", "[spectrum]\nwavelengths_per_channel = 1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_camera_text) -> Path:
    place = tmp_path_factory.mktemp("tolerance")
    (place / "lens.toml").write_text(of_few_wavelengths(small_camera_text))
    (place / "tolerances.toml").write_text(SPEC)
    return place


def call(folder: Path, *arguments: str) -> Result:
    spec = ["--spec", str(folder / "tolerances.toml")]
    return CliRunner().invoke(
        metalens, ["tolerance", str(folder / "lens.toml"), *spec, *arguments], catch_exceptions=True
    )


@pytest.fixture(scope="module")
def made(folder) -> dict:
    options = ["--draws", "20", "--fields", "2x2", "--window", "15", "--ensemble", "2", "--seed", "7", "--json"]
    result = call(folder, "-o", str(folder / "made"), *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_answer_tells_distributions_ranking_and_the_worst_lens(made):
    assert made["camera"] == "small"
    assert made["draws"] == 20
    assert made["not_applied"] == {}
    assert made["sensitivity"]["strehl_ratio"]["mean_over_field_and_colour"]["ranking"][0]["error"] == "defocus_um"
    assert set(made["worst_draw"]["errors"]) == {"defocus_um", "decentre_x_um"}


def test_the_ensemble_holds_the_first_draws(made, folder):
    ensemble = read_psf_ensemble(folder / "made" / "ensemble")
    assert made["ensemble"] == {"folder": str(ensemble.folder), "members": 2, "digest": ensemble.digest}
    lines = (folder / "made" / "tolerance.csv").read_text().splitlines()
    for number in range(2):
        errors = ensemble.manifest.members[number].errors
        assert lines[1 + number].split(",")[1:3] == [repr(errors["defocus_um"]), repr(errors["decentre_x_um"])]
        bank = ensemble.bank(number)
        assert bank.camera.lens.defocus_um == pytest.approx(errors["defocus_um"])
        assert bank.intensity.shape == (4, 3, 15, 15)


def test_synth_takes_a_drawn_lens_for_each_pair(made, folder):
    Image.new("RGB", (64, 64), (90, 120, 60)).save(folder / "photograph.png")
    ensemble = folder / "made" / "ensemble"
    options = ["--psf-ensemble", str(ensemble), "--count", "2", "--whole"]
    result = CliRunner().invoke(
        metalens,
        ["synth", str(folder / "photograph.png"), "-o", str(folder / "pairs"), *options],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    members = read_psf_ensemble(ensemble).manifest.members
    assert [camera.lens_hash for camera in read_manifest(folder / "pairs").cameras] == [
        each.lens_hash for each in members
    ]


@pytest.mark.long
def test_a_resumed_ensemble_makes_only_what_is_missing(made, folder):
    ensemble = folder / "made" / "ensemble"
    before = {path.name: path.read_bytes() for path in ensemble.iterdir()}
    kept = (ensemble / "000.h5").stat().st_mtime_ns
    (ensemble / "001.h5").unlink()
    (ensemble / "ensemble.json").unlink()
    options = ["--draws", "20", "--fields", "2x2", "--window", "15", "--ensemble", "2", "--seed", "7", "--resume"]
    result = call(folder, "-o", str(folder / "made"), *options)
    assert result.exit_code == 0, result.output
    assert (ensemble / "000.h5").stat().st_mtime_ns == kept
    assert {path.name: path.read_bytes() for path in ensemble.iterdir()} == before
    other = call(folder, "-o", str(folder / "made"), *options[:7], "3", *options[8:])
    assert isinstance(other.exception, InputError)
    assert "cannot be resumed, count was 2 and is now 3" in str(other.exception)


def test_an_ensemble_that_is_not_finished_is_not_drawn_from(tmp_path, folder):
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "000.h5").write_bytes(b"")
    arguments = ["synth", "-o", str(tmp_path / "pairs"), "--psf-ensemble", str(tmp_path)]
    result = CliRunner().invoke(metalens, arguments)
    assert "has no ensemble.json" in str(result.exception)


# test_dry_runs.py has it of every command, and below its errors are told without a specification.
@pytest.mark.long
def test_a_dry_run_writes_nothing(folder):
    result = call(folder, "-o", str(folder / "dry"), "--dry-run", "--json")
    assert json.loads(result.stdout)["errors"] == ["defocus_um", "decentre_x_um"]
    assert not (folder / "dry").exists()


def test_without_a_spec_what_does_not_apply_is_named(folder):
    arguments = ["tolerance", str(folder / "lens.toml"), "-o", str(folder / "dry"), "--dry-run", "--json"]
    told = json.loads(CliRunner().invoke(metalens, arguments).stdout)
    assert "without meta-atoms" in told["not_applied"]["width_error_nm"]
    assert told["errors"][0] == "pitch_error_percent"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fields", "26x2"], "fields 26x2 must lie between 1 and 25"),
        (["--window", "8"], "window 8 must be odd"),
        (["--workers", "512"], "--workers 512: at least 1 and at most 256"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(folder, tmp_path, options, message):
    result = call(folder, "-o", str(tmp_path / "out"), "--fields", "1x1", *options)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_camera_text: str) -> Path:
    """A folder with a lens of 8 µm that is built of the proxy's pillars, and tolerances of their widths."""
    place = tmp_path_factory.mktemp("built")
    text = (
        of_few_wavelengths(small_camera_text)
        .replace("aperture_um = 40.0", "aperture_um = 8.0")
        .replace("100.0", "30.0")
    )
    structure = choose_structure(
        metalens_of(parse_camera(text)), "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[530e-9])
    )
    write_structure(place / "structure.h5", structure)
    digest = hashlib.sha256((place / "structure.h5").read_bytes()).hexdigest()
    named = f'wavelength_nm = 530.0 }}, structure = {{ file = "structure.h5", sha256 = "{digest}" }} }}'
    (place / "lens.toml").write_text(text.replace("wavelength_nm = 530.0 } }", named))
    width = '{ distribution = "uniform", nominal = 40.0, plus_minus = 1.0 }'
    (place / "tolerances.toml").write_text(f"{SPEC.partition('defocus_um')[0]}width_error_nm = {width}\n")
    return place


@pytest.mark.long
def test_a_lens_of_sites_is_drawn_with_the_pitch_of_its_own_structure(built: Path) -> None:
    options = ["--draws", "3", "--fields", "1x1", "--window", "21", "--ensemble", "1", "--json"]
    result = call(built, "-o", str(built / "made"), *options)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert set(answer["sensitivity"]["strehl_ratio"]["mean_over_field_and_colour"]) >= {"ranking"}
    (member,) = read_psf_ensemble(built / "made" / "ensemble").manifest.members
    assert 39 < member.errors["width_error_nm"] < 41
    assert read_psf_ensemble(built / "made" / "ensemble").bank(0).camera.lens.structure is not None
