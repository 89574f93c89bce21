"""Libraries of several families: the choice from all, each site in its own shape, files, and what is refused."""

import json

import gdstk
import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.camera.structure import EMPTY, Structure, read_structure, write_structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import read_atom_library, write_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics import metalens_of
from metalens.optics.layout.as_made import ImportOptions, import_lens
from metalens.optics.layout.mask import MaskOptions, write_mask
from metalens.optics.layout.matching import ideal_features
from metalens.optics.layout.sites_table import write_sites_table
from metalens.optics.meta_atoms import library_named
from metalens.optics.meta_atoms.named import takes_angles
from metalens.optics.meta_atoms.of_camera import atom_library_of
from metalens.optics.rcwa.supercell import supercell_of
from metalens.optics.structure import StructureOptions, choose_structure, sites_of
from metalens.optics.structure.candidates import best_candidate, best_pistons

from .mixed_examples import FAMILIES, PARTS, PITCH, WAVELENGTHS, mixed

DIAMETER = 6e-6


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A lens of 6 µm that names a mixed library beside it."""
    folder = tmp_path_factory.mktemp("mixed")
    write_atom_library(folder / "mixed.h5", mixed())
    table = {"aperture_um": 6, "focal_length_um": 12, "phase": {"family": "hyperbolic", "wavelength_nm": 532.0}}
    base = read_camera("hyperbolic").with_(
        lens=table | {"meta_atoms": None}, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5}
    )
    (folder / "lens.toml").write_text(dump_camera(base), encoding="utf-8")
    return read_camera(folder / "lens.toml"), folder


@pytest.fixture(scope="module")
def chosen(camera):
    return choose_structure(metalens_of(camera[0]), mixed(), StructureOptions(PITCH, [532e-9]))


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_from_all_families_is_never_worse_than_from_the_best_of_them(seed):
    random = np.random.default_rng(seed)
    family = np.repeat([0, 1, 2], 8)
    offered = random.uniform(0.5, 1, (24, 3)) * np.exp(2j * np.pi * random.uniform(size=(24, 3)))
    phase, weight = random.uniform(0, 2 * np.pi, (400, 3)), random.dirichlet(np.ones(3))

    def worth(table, families=None):
        """Σ w √efficiency, what the choice makes as large as it can."""
        piston = best_pistons(phase, table, weight, families)
        order = table[best_candidate(phase, table, weight, piston)] * np.exp(-1j * phase)
        return weight @ np.abs(order.mean(axis=0))

    singles = [worth(offered[family == each]) for each in range(3)]
    # Choices are made in single precision.
    assert worth(offered, family) >= max(singles) * (1 - 1e-6)


# Of each place: test_the_choice_from_all_families_is_never_worse_than_from_the_best_of_them.
@pytest.mark.long
def test_a_lens_of_all_families_is_better_than_of_any_one(camera):
    lens = metalens_of(camera[0])
    options = StructureOptions(PITCH, WAVELENGTHS, allow_gaps=True)

    def worth(library):
        told = choose_structure(lens, library, options).provenance["design_efficiency"]
        return np.sqrt([float(each) for each in told.split()]).sum()

    singles = []
    whole = mixed()
    for number, family in enumerate(FAMILIES):
        rows = np.flatnonzero(whole.family == number)
        names = ("diameter", "width", "outer_diameter inner_diameter", "length arm_width", "size")[number].split()
        singles.append(
            worth(
                mixed(
                    shape=family.shape, parameter_names=tuple(names), families=(family,), family=None,
                    geometry=whole.geometry[rows, : len(names)], transmission=whole.transmission[:, :, rows],
                )
            )
        )  # fmt: skip
    assert worth(whole) > max(singles)


def test_each_site_has_the_meta_atom_that_is_best_for_it(camera, chosen):
    lens, library = metalens_of(camera[0]), mixed()
    piston = np.array([float(each) for each in chosen.provenance["design_pistons_rad"].split()])
    y, x = np.broadcast_arrays(*chosen.positions())
    phase = np.asarray(lens.phase.at(y, x))[..., None]
    gain = (library.transmission[0, 0, :, 1] * np.exp(-1j * (phase + piston))).real
    there = chosen.site_index != EMPTY
    # The piston of the provenance is of the lens' sites, that of the choice of places that stand for them.
    lost = (
        gain.max(axis=-1)[there]
        - np.take_along_axis(gain[there], chosen.site_index[there][:, None].astype(int), 1)[:, 0]
    )
    assert np.quantile(lost, 0.9) < 0.05
    assert len(np.unique(chosen.family[chosen.site_index[there]])) == len(FAMILIES)


def test_every_site_transmits_like_its_own_meta_atom(chosen):
    library = mixed()
    sites = sites_of(chosen, library)
    y, x = np.broadcast_arrays(*chosen.positions())
    for colour, wavelength in enumerate(WAVELENGTHS):
        found = np.asarray(sites.transmission(y, x, np.asarray(wavelength)))
        known = np.append(library.transmission[0, 0, :, colour], 1.0)
        index = np.where(chosen.site_index == EMPTY, len(known) - 1, chosen.site_index)
        np.testing.assert_allclose(found, known[index], atol=1e-5)


def test_a_circle_and_a_square_of_one_width_are_two_meta_atoms():
    library = mixed()
    same = np.flatnonzero(np.isclose(library.geometry[:, 0], 100e-9))
    assert len(same) == 2
    index = np.array([[same[0], same[1]]], dtype=np.uint16)
    made = Structure(
        lattice="square", pitch=PITCH, site_index=index, geometry=library.geometry, shape="mixed", height=600e-9,
        parameter_names=library.parameter_names, families=library.families, family=library.family,
    )  # fmt: skip
    sites = sites_of(made, library)
    y, x = made.positions()
    found = np.asarray(sites.transmission(np.broadcast_to(y, x.shape), x, np.asarray(532e-9)))
    np.testing.assert_allclose(found[0], library.transmission[0, 0, same, 1], atol=1e-5)


@pytest.mark.parametrize("kind", ["gds", "oasis", "csv"])
def test_what_is_exported_is_read_as_the_same_lens(camera, chosen, tmp_path, kind):
    path = tmp_path / f"lens.{kind}"
    if kind == "csv":
        write_sites_table(path, chosen)
    else:
        assert write_mask(path, chosen, kind, diameter=DIAMETER).width_error < 1e-9
    options = ImportOptions(library=str(camera[1] / "mixed.h5"), diameter=DIAMETER)
    found = import_lens(path, camera[0], options).recognised.structure
    assert found.families == FAMILIES
    margin = (chosen.site_index.shape[0] - found.site_index.shape[0]) // 2
    inner = slice(margin, chosen.site_index.shape[0] - margin)
    wanted = chosen.site_index[inner, inner]
    there = wanted != EMPTY
    np.testing.assert_array_equal(found.site_index != EMPTY, there)
    here = found.site_index[there]
    np.testing.assert_array_equal(found.family[here], chosen.family[wanted[there]])
    np.testing.assert_allclose(found.geometry[here], chosen.geometry[wanted[there]], atol=1e-12)


def test_a_layout_holds_each_shape_as_its_own_outline(chosen, tmp_path):
    write_mask(tmp_path / "lens.gds", chosen, "gds", diameter=DIAMETER, options=MaskOptions(quadrants=False))
    cells = {each.name: each for each in gdstk.read_gds(tmp_path / "lens.gds").cells}
    initials = ("D", "W", "OI", "LA", "S")
    used = np.flatnonzero(chosen.counts())
    # The lens and the marks beside them.
    assert len(cells) == len(used) + 2
    for atom in used:
        number = chosen.family[atom]
        lengths = chosen.geometry[atom, : len(initials[number])]
        name = f"F{number + 1}" + "".join(f"{a}{1e9 * b:.0f}" for a, b in zip(initials[number], lengths, strict=True))
        area = ideal_features(FAMILIES[number], lengths)[0]
        assert cells[name].polygons[0].area() == pytest.approx(1e12 * area, rel=0.02)


def test_a_table_tells_its_families(chosen, tmp_path):
    write_sites_table(tmp_path / "sites.csv", chosen)
    lines = (tmp_path / "sites.csv").read_text(encoding="ascii").splitlines()
    assert lines[0] == "# family 1: round_pillar, length_1_nm is its diameter"
    assert (
        lines[2] == "# family 3: annular_pillar, length_1_nm is its outer_diameter, length_2_nm is its inner_diameter"
    )
    assert lines[6] == "x_um,y_um,family,length_1_nm,length_2_nm,length_3_nm,length_4_nm,rotation_deg"


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("6,160,60,0,0,0", "family is 6, and the library has 5"),
        ("1.5,160,60,0,0,0", r"family is 1\.5, and the library has 5"),
        ("4,160,60,0,0,20", r"turned by 20°, and the library's by 17\.1887°"),
        ("4,166,60,0,0,17.1887", "a meta-atom of 166 × 60 nm is none of the library"),
        # A ring of the lengths of a cross.
        ("3,160,60,0,0,0", "a meta-atom of 160 × 60 nm is none of the library"),
        ("4,160,-60,0,0,17.1887", "lengths that are not positive"),
    ],
)
def test_a_table_of_other_meta_atoms_is_refused(camera, chosen, tmp_path, new, message):
    write_sites_table(tmp_path / "sites.csv", chosen)
    lines = (tmp_path / "sites.csv").read_text(encoding="ascii").splitlines()
    place = lines[-1].split(",")[:2]
    (tmp_path / "sites.csv").write_text("\n".join([*lines[:-1], ",".join([*place, new])]), encoding="ascii")
    options = ImportOptions(library=str(camera[1] / "mixed.h5"), diameter=DIAMETER)
    with pytest.raises(InputError, match=message):
        import_lens(tmp_path / "sites.csv", camera[0], options)


def test_libraries_and_structures_are_read_back(chosen, tmp_path):
    write_atom_library(tmp_path / "library.h5", mixed())
    write_structure(tmp_path / "structure.h5", chosen)
    for found in (read_atom_library(tmp_path / "library.h5"), read_structure(tmp_path / "structure.h5")):
        assert found.families == FAMILIES
        np.testing.assert_array_equal(found.family, mixed().family)
        np.testing.assert_array_equal(found.geometry, mixed().geometry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": None}, "family must hold a whole number for each meta-atom"),
        ({"family": np.full(13, 5)}, "family goes from 5 to 5 of 5 families"),
        ({"families": (Family("round_pillar"), Family("round_hole"))}, "both pillars and holes"),
        ({"families": (Family("round_pillar"),) * 2}, "2 to 16 different ones"),
        ({"geometry": mixed().geometry + 1e-9}, "a round_pillar has 1 lengths, and those beyond must be 0"),
        ({"geometry": np.zeros((13, 4))}, "must be finite and more than 0"),
        ({"geometry": mixed().geometry[[1, 0, *range(2, 13)]]}, "the geometry must ascend"),
        ({"shape": "round_pillar"}, "are not one of round_pillars"),
        ({"parameter_names": ("diameter",)}, "do not fit a mixed geometry"),
    ],
)
def test_a_library_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        mixed(**changes)


def test_a_response_of_several_families_is_refused_with_what_to_do(camera):
    with pytest.raises(InputError, match=r"holds round_pillars and .* choose for each site by `metalens export"):
        library_named(camera[1] / "mixed.h5")


def test_they_respond_by_the_local_angle_where_all_shapes_may():
    def oblique(families, parts):
        upright = mixed(families, parts)
        table = np.tile(upright.transmission, (2, 2, 1, 1))
        angles = {"angle": np.radians([0.0, 20.0]), "polarisations": ("s", "p"), "empty": None}
        return mixed(families, parts, transmission=table, **angles)

    assert takes_angles(oblique(FAMILIES[:3], PARTS[:3]), None)
    # The cross is turned.
    with pytest.raises(InputError, match="whose response depends on the plane of incidence"):
        takes_angles(oblique(FAMILIES[:4], PARTS[:4]), "local")


def test_errors_of_widths_are_refused_and_those_of_missing_meta_atoms_are_not(camera, chosen, tmp_path):
    write_structure(tmp_path / "structure.h5", chosen)
    write_atom_library(tmp_path / "mixed.h5", mixed())
    text = (
        dump_camera(camera[0]) + '\n[lens.structure]\nfile = "structure.h5"\nlibrary = "mixed.h5"\n[lens.fabrication]\n'
    )
    (tmp_path / "lens.toml").write_text(text + "width_error_nm = 5\n", encoding="utf-8")
    with pytest.raises(InputError, match="errors of widths need meta-atoms of one shape with one length"):
        metalens_of(read_camera(tmp_path / "lens.toml"))
    (tmp_path / "lens.toml").write_text(text + "missing_share = 0.5\n", encoding="utf-8")
    made = metalens_of(read_camera(tmp_path / "lens.toml")).structure
    place = np.zeros((1, 1)), np.zeros((1, 1)), np.asarray(532e-9)
    whole = np.asarray(sites_of(chosen, mixed()).transmission(*place))
    # An empty site lets through 1.
    np.testing.assert_allclose(made.transmission(*place), 0.5 * whole + 0.5, atol=1e-4)


def test_supercells_of_them_are_refused():
    with pytest.raises(InputError, match="supercells are of one shape"):
        supercell_of(mixed(), mixed().geometry[:2], 532e-9)


def test_circles_of_oasis_are_of_round_meta_atoms_alone(chosen, tmp_path):
    with pytest.raises(InputError, match="leave out --circles"):
        write_mask(tmp_path / "l.oas", chosen, "oasis", diameter=DIAMETER, options=MaskOptions(circles=True))


@pytest.mark.long
def test_the_commands_export_simulate_and_import_it(camera, tmp_path):
    _, folder = camera

    def run(*arguments):
        found = CliRunner().invoke(metalens, [*map(str, arguments), "--json"], catch_exceptions=False)
        assert found.exit_code == 0
        return json.loads(found.stdout)

    lens, wavelengths = folder / "lens.toml", "500,532,600"
    told = run(
        "export", lens, "--gds", tmp_path / "lens.gds", "--structure", tmp_path / "structure.h5",
        "--library", folder / "mixed.h5", "--wavelengths-nm", wavelengths,
    )  # fmt: skip
    assert [each["shape"] for each in told["families"]] == [family.shape for family in FAMILIES]
    assert sum(each["sites"] for each in told["families"]) == told["sites"]
    run("import", tmp_path / "lens.gds", "-o", tmp_path / "made", "--like", lens, "--library", folder / "mixed.h5")
    imported = read_camera(tmp_path / "made" / "lens.toml")
    with pytest.raises(InputError, match="supercells of one shape are verified"):
        atom_library_of(imported)
    found = metalens_of(imported)
    wanted = sites_of(read_structure(tmp_path / "structure.h5"), mixed())
    y, x = np.meshgrid(*2 * [PITCH * np.arange(-5.0, 6.0)], indexing="ij")
    np.testing.assert_allclose(
        found.structure.transmission(y, x, np.asarray(532e-9)), wanted.transmission(y, x, np.asarray(532e-9)), atol=1e-6
    )
    shown = run("library", "show", folder / "mixed.h5")
    assert [each["atoms"] for each in shown["families"]] == [len(each) for each in PARTS]
    assert shown["families"][3]["rotation_deg"] == pytest.approx(np.degrees(0.3))
