"""``metalens export``: files of a lens for a clean room and for a ray tracer."""

from __future__ import annotations

import json
from pathlib import Path

import gdstk
import pytest
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.camera.phase import CubicPhase, HyperbolicPhase, SumPhase
from metalens.formats.camera.structure import read_structure
from metalens.formats.files.errors import InputError

ALL = ("--gds", "l.gds", "--oasis", "l.oas", "--csv", "l.csv", "--zemax", "l.txt", "--structure", "l.h5")


@pytest.fixture
def lens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hyperbolic lens of 12 µm: about nine hundred sites."""
    camera = read_camera("hyperbolic")
    small = camera.lens.model_copy(update={"aperture_um": 12.0, "focal_length_um": 900.0})
    path = tmp_path / "lens.toml"
    path.write_text(dump_camera(camera.model_copy(update={"lens": small, "name": "small"})), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


def export(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, ["export", *map(str, arguments)], catch_exceptions=True)


def refusal(result: Result) -> str:
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def test_all_files_are_of_one_structure(lens: Path) -> None:
    result = export(lens, *ALL, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    sites = found["sites"]
    # π/4 · 12² µm² over 0.35² µm², and those whose cells reach over the rim.
    assert 920 < sites < 1060
    assert int(read_structure("l.h5").counts().sum()) == sites
    assert len(Path("l.csv").read_text(encoding="ascii").splitlines()) == sites + 1
    assert len(gdstk.read_gds("l.gds")["METALENS"].get_polygons(layer=1, datatype=0)) == sites
    assert len(gdstk.read_oas("l.oas")["METALENS"].get_polygons(layer=1, datatype=0)) == sites
    assert found["terms"] == 1
    assert set(found["outputs"]) == {"gds", "oasis", "csv", "zemax", "structure"}
    assert found["outputs"]["gds"]["largest_width_error_nm"] < 0.3
    assert found["outputs"]["gds"]["bytes"] == Path("l.gds").stat().st_size


def test_a_coarse_grid_is_told_in_words(lens: Path) -> None:
    assert "the grid makes widths wrong by up to" in export(lens, "--gds", "l.gds", "--grid-nm", "20").stdout


def test_layers_label_and_lattice_are_asked_for(lens: Path) -> None:
    options = ("--lattice", "hexagonal", "--atom-layer", "7/1", "--boundary-layer", "8", "--no-marks", "--label", "")
    result = export(lens, "--gds", "l.gds", *options, "--wavelengths-nm", "500,560", "--vertices", "16")
    assert result.exit_code == 0, result.output
    assert "sites on a hexagonal lattice" in result.stdout
    info = gdstk.gds_info("l.gds")
    assert info["layers_and_datatypes"] == {(7, 1), (8, 0)}


def test_a_dry_run_writes_nothing(lens: Path, tmp_path: Path) -> None:
    result = export(lens, *ALL, "--dry-run", "--json")
    plan = json.loads(result.stdout)
    assert plan["library"] == "nano-optics-proxy"
    assert plan["pitch_nm"] == pytest.approx(350)
    assert plan["wavelengths_nm"] == pytest.approx([532])
    assert 900 < plan["sites"] < 950
    assert list(tmp_path.iterdir()) == [lens]


def test_a_lens_with_a_structure_of_its_own_is_drawn_as_it_is(lens: Path, tmp_path: Path) -> None:
    assert export(lens, "--structure", "s.h5").exit_code == 0
    text = lens.read_text(encoding="utf-8")
    built = tmp_path / "built.toml"
    built.write_text(text.replace("\n[sensor]", '\n[lens.structure]\nfile = "s.h5"\n\n[sensor]'), encoding="utf-8")
    assert export(built, "--csv", "again.csv").exit_code == 0
    assert export(lens, "--csv", "first.csv").exit_code == 0
    assert Path("again.csv").read_bytes() == Path("first.csv").read_bytes()
    assert "leave out --library, --pitch-nm" in refusal(export(built, "--csv", "x.csv", "--lattice", "square"))


def test_an_achromatic_structure_tells_its_group_delay(lens: Path) -> None:
    """This lens is slow: (√(R² + f²) − f)/c = 0.07 fs is no delay for pillars of 705 nm."""
    options = ("--wavelengths-nm", "500,532,565", "--dispersion", "1", "--library", "si3n4-on-sio2")
    result = export(lens, "--structure", "s.h5", *options)
    assert result.exit_code == 0, result.output
    assert "group delays over 0.1 fs, the meta-atoms have" in result.stdout
    assert read_structure("s.h5").provenance["design_dispersion"] == "1"
    assert "two design wavelengths or more" in refusal(export(lens, "--csv", "x.csv", "--dispersion", "1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to write; add --gds"),
        (("--gds", "no/l.gds"), "its folder no does not exist"),
        (("--gds", "lens.toml"), "exists already"),
        (("--gds", "l.x", "--csv", "l.x"), "two outputs have one name"),
        (("--gds", "l.gds", "--atom-layer", "a"), "is not LAYER/DATATYPE"),
        (("--gds", "l.gds", "--mark-layer", "1/0"), "give the meta-atoms a layer of their own"),
        (("--gds", "l.gds", "--vertices", "30"), "vertices: expected a multiple of 4, found 30"),
        (("--gds", "l.gds", "--circles"), "--circles: is for OASIS files"),
        (("--gds", "l.gds", "--library", "unheard-of"), "neither a file nor a library"),
        (("--gds", "l.gds", "--wavelengths-nm", "900"), "outside the table"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    lens: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in refusal(export(lens, *arguments))
    assert list(tmp_path.iterdir()) == [lens]


def test_where_one_file_cannot_be_made_none_is(lens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("metalens.workflows.layout_files.write_sites_table", fail)
    result = export(lens, "--gds", "l.gds", "--csv", "l.csv", "--zemax", "l.txt")
    assert isinstance(result.exception, OSError)
    assert list(tmp_path.iterdir()) == [lens]


def test_a_phase_without_symmetry_has_no_file_for_ray_tracers(lens: Path) -> None:
    camera = read_camera(lens)
    terms = (
        HyperbolicPhase(family="hyperbolic", wavelength_nm=532.0),
        CubicPhase(family="cubic", strength_rad=5.0, radius_um=6.0),
    )
    phase = SumPhase(family="sum", terms=terms)
    changed = camera.model_copy(update={"lens": camera.lens.model_copy(update={"phase": phase})})
    lens.write_text(dump_camera(changed), encoding="utf-8")
    assert "is not rotationally symmetric" in refusal(export(lens, "--zemax", "l.txt"))
    assert not Path("l.txt").exists()
