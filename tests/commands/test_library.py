"""``metalens library``: a small library is built, shown, resumed and imported; what is wrong is told."""

import json
import re

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.files.claim import write_note
from metalens.formats.files.errors import InputError, InputWarning
from metalens.formats.meta_atoms.library import read_atom_library
from metalens.optics.rcwa.build import ASKED, asked_of
from metalens.runners.local import Here

SPEC = """
schema = "metalens.library_spec"
version = 1
name = "two pillars"

[meta_atom]
shape = "round_pillar"
height_nm = 500
diameter_nm = [100, 160]

[array]
lattice = "square"
pitch_nm = 250

[materials]
meta_atom = 2.0
substrate = 1.46

[light]
wavelength_nm = [532, 633]
polarisations = ["s"]

[accuracy]
tolerance = 0.1
most_orders = 40
"""

TABLE = "diameter_nm,wavelength_nm,t_re,t_im\n100,500,0.8,0.1\n100,600,0.7,0.2\n150,500,0.6,0.5\n150,600,0.5,0.5\n"

ABOUT = """
schema = "metalens.library_table"
version = 1
name = "theirs"
shape = "round_pillar"
lattice = "square"
pitch_nm = 300
height_nm = 600
material = "TiO2"
substrate = "SiO2"
time_dependence = "exp(-iwt)"
normalisation = "power"
"""


ABOVE_ONE = (
    r"transmitted and reflected power exceed 1\.005 times the incident one in 1 sample of 4, up to 1\.040 "
    r"\(meta-atom 1 at 633 nm, 0°, s\)"
)


def run(*arguments):
    return CliRunner().invoke(metalens, ["library", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a specification and the library made of it by this process alone."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    found = run("build", folder / "spec.toml", "-o", folder / "library.h5", "--workers", 1, "--json")
    assert found.exit_code == 0
    return folder, json.loads(found.stdout)


def test_a_library_is_built_and_shown(built):
    folder, told = built
    assert told["atoms"] == 2
    assert not (folder / "library.h5.parts").exists()
    library = read_atom_library(folder / "library.h5")
    assert library.provenance["spec"] == SPEC
    np.testing.assert_allclose(library.transmittance + library.reflectance, 1, atol=5e-3)
    shown = run("show", folder / "library.h5", "--figures", folder / "figures", "--json")
    rows = json.loads(shown.stdout)["by_wavelength"]
    assert rows[0]["lowest_amplitude"] == pytest.approx(np.abs(library.transmission[0, 0, :, 0]).min(), rel=1e-6)
    assert {"transmission.png", "coverage.png", "convergence.png"} <= {
        path.name for path in (folder / "figures").iterdir()
    }
    assert "phase range" in run("show", folder / "library.h5").output


@pytest.mark.long
def test_several_families_are_what_each_is_by_itself(built, tmp_path):
    polygon = "shape = 'polygonal_pillar'\nheight_nm = 500\nsize_nm = [120]\nrotation_deg = 20\n"
    polygon += "vertices = [[0, 0], [3, 0], [3, 1], [1, 1], [1, 2], [0, 2]]\n"
    text = SPEC.replace("[meta_atom]", "[[meta_atom]]").replace("[array]", f"[[meta_atom]]\n{polygon}[array]")
    (tmp_path / "spec.toml").write_text(text, encoding="utf-8")
    assert run("build", tmp_path / "spec.toml", "-o", tmp_path / "library.h5", "--json").exit_code == 0
    library, alone = read_atom_library(tmp_path / "library.h5"), read_atom_library(built[0] / "library.h5")
    assert [family.shape for family in library.families] == ["round_pillar", "polygonal_pillar"]
    assert library.families[1].rotation == pytest.approx(np.radians(20))
    np.testing.assert_array_equal(library.transmission[:, :, :2], alone.transmission)
    np.testing.assert_array_equal(library.empty, alone.empty)
    np.testing.assert_allclose(library.transmittance + library.reflectance, 1, atol=5e-3)
    shown = run("show", tmp_path / "library.h5").output
    assert "two pillars: 2 round pillars and 1 polygonal pillars, 500 nm high" in shown
    # A third of 120 nm, and between the wider circles.
    assert "features from 40 nm, gaps from 90 nm" in shown


# Each worker starts, and imports, anew.
@pytest.mark.long
def test_two_workers_make_the_same_bytes_as_one(built):
    folder, _ = built
    assert run("build", folder / "spec.toml", "-o", folder / "two.h5", "--workers", 2).exit_code == 0
    assert (folder / "two.h5").read_bytes() == (folder / "library.h5").read_bytes()


def test_resume_goes_on_with_what_there_is_also_on_a_cluster(tmp_path, monkeypatch):
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    parts = tmp_path / "library.h5.parts"
    parts.mkdir()
    write_note(parts / ASKED, asked_of(SPEC))
    table = np.full((1, 1, 2), 0.5 + 0j)
    flat = {"orders": np.array([21, 21]), "error": np.zeros(2)}
    tables = dict.fromkeys(("transmission", "height_slope", "index_slope"), table)
    shares = {"transmittance": table.real, "reflectance": np.array([[[0.5, 0.504]]])}
    for atom in range(2):
        np.savez(parts / f"{atom:05d}.npz", **tables, **shares, **flat)
        shares["reflectance"] = np.array([[[0.5, 0.54]]])
    with pytest.raises(InputError, match=r"not empty, it holds a run .*; go on with --resume"):
        run("build", tmp_path / "spec.toml", "-o", tmp_path / "library.h5")
    asked = []
    monkeypatch.setattr("metalens.runners.backend.Slurm", lambda *given: asked.append(given) or Here())
    slurm = ("--backend", "slurm", "--workers", 3, "--slurm", "partition=short")
    with pytest.warns(InputWarning, match=ABOVE_ONE):
        assert run("build", tmp_path / "spec.toml", "-o", tmp_path / "library.h5", "--resume", *slurm).exit_code == 0
    assert np.all(read_atom_library(tmp_path / "library.h5").transmission == 0.5)
    assert asked == [(3, tmp_path / "library.h5-slurm", {"partition": "short"})]
    shown = run("show", tmp_path / "library.h5", "--json")
    assert json.loads(shown.stdout)["samples_above_one"] == 1
    assert json.loads(shown.stdout)["most_power"] == pytest.approx(1.04)
    assert re.search(ABOVE_ONE, run("show", tmp_path / "library.h5").output)


def test_meta_atoms_of_another_specification_are_not_taken(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    parts = tmp_path / "library.h5.parts"
    parts.mkdir()
    write_note(parts / ASKED, asked_of(SPEC.replace("two pillars", "three pillars")))
    with pytest.raises(InputError, match=r"specification\.name was 'three pillars' and is now 'two pillars'"):
        run("build", tmp_path / "spec.toml", "-o", tmp_path / "library.h5", "--resume")


def test_a_dry_run_computes_nothing(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    found = run("build", tmp_path / "spec.toml", "-o", tmp_path / "library.h5", "--dry-run")
    assert "would compute two pillars: 2 meta-atoms at 2 wavelengths" in found.output
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def imported(folder, *, table=TABLE, about=ABOUT):
    (folder / "table.csv").write_text(table, encoding="utf-8")
    (folder / "about.toml").write_text(about, encoding="utf-8")
    found = run("import", folder / "table.csv", "--about", folder / "about.toml", "-o", folder / "theirs.h5", "--json")
    assert found.exit_code == 0
    return read_atom_library(folder / "theirs.h5")


def test_a_table_becomes_a_library(tmp_path):
    library = imported(tmp_path)
    expected = [[0.8 + 0.1j, 0.7 + 0.2j], [0.6 + 0.5j, 0.5 + 0.5j]]
    np.testing.assert_allclose(library.transmission[0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(library.geometry[:, 0], [100e-9, 150e-9])


def test_the_first_order_is_that_of_meta_atoms_nearest_to_each_phase(tmp_path):
    """Phases from 0 to π: half of the circle is met, the other half errs by up to a quarter of a turn."""
    lines = ["diameter_nm,wavelength_nm,angle_deg,polarisation,t_abs,t_phase_deg"]
    for number, phase in enumerate(np.linspace(0, 180, 31)):
        for light in (500, 600):
            lines += [f"{100 + number},{light},{angle},s,{1 if angle == 0 else 0.5},{phase}" for angle in (0, 20)]
    imported(tmp_path, table="\n".join(lines) + "\n")
    for angle, power in ((0, 1.0), (20, 0.25)):
        shown = run("show", tmp_path / "theirs.h5", "--angle", angle, "--json")
        rows = json.loads(shown.stdout)["by_wavelength"]
        expected = power * ((np.pi + 2) / (2 * np.pi)) ** 2
        np.testing.assert_allclose([row["first_order"] for row in rows], expected, rtol=2e-3)


def test_the_other_sign_of_time_is_conjugated(tmp_path):
    library = imported(tmp_path, about=ABOUT.replace("exp(-iwt)", "exp(+iwt)"))
    assert library.transmission[0, 0, 0, 0] == pytest.approx(0.8 - 0.1j)


def test_fields_become_roots_of_power_and_planes_come_to_the_meta_atoms(tmp_path):
    extra = "substrate_index = 1.44\nsurrounding_index = 1\nbehind_nm = 125\n"
    library = imported(tmp_path, about=ABOUT.replace('"power"', '"field"') + extra)
    # √(1/1.44) = 1/1.2 in amplitude, and a quarter of a wavelength of 500 nm taken back.
    assert library.transmission[0, 0, 0, 0] == pytest.approx((0.8 + 0.1j) / 1.2 * -1j, rel=1e-6)


def test_frequencies_amplitudes_and_degrees_are_read(tmp_path):
    table = "width_um,frequency_thz,angle_deg,polarisation,t_abs,t_phase_deg\n0.1,600,0,p,0.5,90\n0.1,500,0,p,0.5,0\n"
    library = imported(tmp_path, table=table, about=ABOUT.replace("round_pillar", "square_pillar"))
    assert library.polarisations == ("p",)
    np.testing.assert_allclose(library.wavelength, [299792458 / 600e12, 299792458 / 500e12])
    np.testing.assert_allclose(library.transmission[0, 0, 0], [0.5j, 0.5], atol=1e-7)


def test_a_table_of_turned_ellipses_is_read(tmp_path):
    table = TABLE.replace("diameter_nm", "diameter_x_nm,diameter_y_nm").replace("\n1", "\n90,1")
    about = ABOUT.replace("round_pillar", "elliptical_pillar").replace("lattice", "rotation_deg = 30\nlattice")
    library = imported(tmp_path, table=table, about=about)
    assert library.families[0].rotation == pytest.approx(np.radians(30))
    np.testing.assert_allclose(library.geometry, [[90e-9, 100e-9], [90e-9, 150e-9]])


def test_hdf5_samples_are_read(tmp_path):
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file.attrs["schema"], file.attrs["version"] = "metalens.atom_table", 1
        file["diameter"], file["wavelength"] = [1e-7, 2e-7], [5e-7, 5e-7]
        file["t_re"], file["t_im"] = [0.5, 0.0], [0.0, 0.5]
    (tmp_path / "about.toml").write_text(ABOUT, encoding="utf-8")
    run("import", tmp_path / "table.h5", "--about", tmp_path / "about.toml", "-o", tmp_path / "theirs.h5")
    found = read_atom_library(tmp_path / "theirs.h5").transmission[0, 0, :, 0]
    np.testing.assert_allclose(found, [0.5, 0.5j])


def test_touchstone_files_are_read(tmp_path):
    for name, angle in (("a", 0), ("b", 90)):
        text = f"! S11 S21 S12 S22\n# THZ S MA R 50\n500 0 0 0.5 {angle} 0.5 0 0 0\n600 0 0 0.4 {angle} 0.5 0 0 0\n"
        (tmp_path / f"{name}.s2p").write_text(text, encoding="utf-8")
    files = "".join(
        f'\n[[files]]\nfile = "{name}.s2p"\ngeometry_nm = [{size}]\n' for name, size in (("a", 100), ("b", 200))
    )
    about = ABOUT.replace("exp(-iwt)", "exp(+iwt)") + files
    (tmp_path / "about.toml").write_text(about, encoding="utf-8")
    run("import", "--about", tmp_path / "about.toml", "-o", tmp_path / "theirs.h5")
    found = read_atom_library(tmp_path / "theirs.h5").transmission[0, 0]
    np.testing.assert_allclose(found, [[0.4, 0.5], [-0.4j, -0.5j]], atol=1e-7)


@pytest.mark.parametrize(
    ("table", "about", "message"),
    [
        (TABLE.replace("150,600,0.5,0.5\n", ""), ABOUT, "make 4 combinations; give each of them"),
        (TABLE + "150,600,0.5,0.5\n", ABOUT, "are there twice"),
        (TABLE.replace("0.8", "nan"), ABOUT, "holds NaN or infinity"),
        (TABLE.replace("0.8", "1.8"), ABOUT, "normalise it to the incident power"),
        (TABLE.replace("0.8", "much"), ABOUT, "not a table of numbers between commas"),
        (TABLE.replace("t_im", "im"), ABOUT, "expected a pair of t_re and t_im"),
        (TABLE.replace("diameter_nm", "radius_nm"), ABOUT, "expected diameter with _nm"),
        (TABLE, ABOUT.replace('"power"', '"field"'), "substrate_index and surrounding_index are needed"),
        (TABLE, ABOUT.replace("pitch_nm = 300", "pitch_nm = 120"), "does not fit the pitch"),
        (TABLE, ABOUT.replace('time_dependence = "exp(-iwt)"\n', ""), "missing key time_dependence"),
        ("", ABOUT, "not a table of numbers"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_and_leaves_nothing(tmp_path, table, about, message):
    with pytest.raises(InputError, match=message):
        imported(tmp_path, table=table, about=about)
    assert not (tmp_path / "theirs.h5").exists()
