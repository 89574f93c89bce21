"""``metalens import``: files for fabrication become cameras that ``metalens psf`` simulates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.camera.structure import EMPTY, read_structure
from metalens.formats.files.errors import InputError, InputWarning
from metalens.formats.psf.bank_file import read_psf_bank


def run(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, list(map(str, arguments)))


def answer_of(*arguments: object) -> dict:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with lens.toml, a hyperbolic lens of 16 µm at f/10, and all files of it."""
    folder = tmp_path_factory.mktemp("exported")
    camera = read_camera("hyperbolic")
    lens = camera.lens.model_copy(update={"aperture_um": 16.0, "focal_length_um": 160.0})
    sensor = camera.sensor.model_copy(update={"pixels": (16, 16), "pixel_pitch_um": 2.0})
    small = camera.model_copy(update={"lens": lens, "sensor": sensor, "name": "small"})
    (folder / "lens.toml").write_text(dump_camera(small), encoding="utf-8")
    files = {"gds": "l.gds", "oasis": "l.oas", "csv": "sites.csv", "zemax": "phase.txt", "structure": "s.h5"}
    options = [part for kind, name in files.items() for part in (f"--{kind}", folder / name)]
    answer_of("export", folder / "lens.toml", *options)
    return folder


@pytest.mark.parametrize("name", ["l.gds", "l.oas", "sites.csv"])
def test_a_file_for_fabrication_comes_back_as_the_structure_it_was_made_from(
    exported: Path, tmp_path: Path, name: str
) -> None:
    found = answer_of("import", exported / name, "-o", tmp_path / "made", "--like", exported / "lens.toml")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["lens.toml", "structure.h5"]
    camera = read_camera(tmp_path / "made" / "lens.toml")
    assert found["lens_hash"] == camera.hash
    # That of the choice of meta-atoms, at the proxy's wavelength.
    assert 0 < found["phase_difference_rad"] < 0.3
    assert found["phase_difference_nm"] == pytest.approx(532)
    assert camera.lens.structure is not None
    # The boundary's diameter; a table has none, and its disc is filled: a cell less at most.
    assert 15.2 < camera.lens.aperture_um <= 16.0
    assert name == "sites.csv" or camera.lens.aperture_um == pytest.approx(16.0)
    first, again = read_structure(exported / "s.h5"), read_structure(tmp_path / "made" / "structure.h5")
    rows = (first.site_index.shape[0] - again.site_index.shape[0]) // 2
    inner = first.site_index[rows : len(first.site_index) - rows, rows : first.site_index.shape[1] - rows]
    assert inner.shape == again.site_index.shape
    taken = inner != EMPTY
    assert (taken == (again.site_index != EMPTY)).all()
    difference = again.geometry[again.site_index[taken]] - first.geometry[inner[taken]]
    # A polygon of 32 corners on a grid of 1 nm keeps the diameter to 0.25 nm.
    assert np.abs(difference).max() < 0.3e-9
    assert again.library_name == "nano-optics-proxy"
    assert again.height == pytest.approx(705e-9)


@pytest.mark.long
def test_psf_simulates_what_was_imported(exported: Path, tmp_path: Path) -> None:
    answer_of("import", exported / "l.gds", "-o", tmp_path / "made", "--like", exported / "lens.toml")
    output = tmp_path / "psf.h5"
    lens = tmp_path / "made" / "lens.toml"
    found = answer_of("psf", lens, "-o", output, "--fields", "1x1", "--wavelengths", "532", "--window", "25")
    assert found["engine"] == "angular_spectrum"
    # λf/D is 5.3 µm on pixels of 2 µm; the width of Eq. 2 is √2 times that along an axis.
    assert 5 < found["fwhm_um"]["least"] < 12
    assert read_psf_bank(output).camera.hash == read_camera(lens).hash


def test_another_lens_than_that_of_like_is_a_warning(exported: Path, tmp_path: Path) -> None:
    text = (exported / "lens.toml").read_text(encoding="utf-8")
    (tmp_path / "other.toml").write_text(text.replace("focal_length_um = 160.0", "focal_length_um = 20.0"))
    for name in ("sites.csv", "phase.txt"):
        with pytest.warns(InputWarning, match=r"--like .*toml: .* differs from that of this lens by 1\.\d\d rad"):
            found = answer_of("import", exported / name, "-o", tmp_path / name, "--like", tmp_path / "other.toml")
        assert 1 < found["phase_difference_rad"] < 2


def test_a_radial_phase_becomes_an_even_polynomial(exported: Path, tmp_path: Path) -> None:
    found = answer_of("import", exported / "phase.txt", "-o", tmp_path / "made", "--like", "hyperbolic")
    assert found["aperture_um"] == pytest.approx(16.0)
    phase = read_camera(tmp_path / "made" / "lens.toml").lens.phase
    assert phase.family == "even_polynomial"
    # −πR²/(λf), and a little of the next orders.
    assert phase.coefficients_rad[0] == pytest.approx(-np.pi * 8.0**2 / (0.532 * 160.0), rel=0.01)


def test_a_map_of_radii_becomes_a_lens(exported: Path, tmp_path: Path) -> None:
    radii = np.full((31, 31), 80.0)
    np.save(tmp_path / "radii.npy", radii)
    found = answer_of("import", tmp_path / "radii.npy", "-o", tmp_path / "made", "--like", exported / "lens.toml",
                      "--aperture-um", "10", "--name", "flat")  # fmt: skip
    assert (found["sites"], found["camera"], found["aperture_um"]) == (961, "flat", 10.0)
    assert found["lengths_nm"]["least"] == pytest.approx(160)


def test_a_dry_run_says_what_a_file_holds_and_writes_nothing(exported: Path, tmp_path: Path) -> None:
    result = run("import", exported / "l.gds", "-o", tmp_path / "made", "--like", exported / "lens.toml", "--dry-run")
    assert "round pillars of 1" in result.stdout
    assert "on a square lattice with a pitch of 350 nm, 16 µm across" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_refused_and_leaves_nothing(exported: Path, tmp_path: Path) -> None:
    place = tmp_path / "made"
    damaged = tmp_path / "damaged.gds"
    damaged.write_bytes((exported / "l.gds").read_bytes()[:-200])
    (tmp_path / "words.csv").write_text("these are words\n", encoding="utf-8")
    (tmp_path / "wide.csv").write_text("100,180\n150,100\n", encoding="utf-8")
    like = ("--like", exported / "lens.toml")
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        (("none.gds", *like), "no such file"),
        ((damaged, *like), "damaged GDSII file"),
        ((tmp_path / "words.csv", *like), "neither a map of numbers nor a table of sites or of phase"),
        ((tmp_path / "wide.csv", *like), "up to the pitch of 350 nm"),
        ((tmp_path / "wide.csv", *like, "--map-of", "diameter", "--pitch-nm", "900"), "is none of the library"),
        ((exported / "l.gds", *like, "--atom-layer", "9"), "no polygons on layer 9/0"),
        ((exported / "l.gds", *like, "--library", "unheard-of"), "neither a file nor a library"),
        ((exported / "l.gds", "--like", "nowhere.toml"), "neither a file nor a preset"),
    ):
        assert message in refusal(run("import", *arguments, "-o", place))
    assert sorted(tmp_path.iterdir()) == before
    place.mkdir()
    (place / "something").touch()
    assert "is not empty" in refusal(run("import", exported / "l.gds", *like, "-o", place))
