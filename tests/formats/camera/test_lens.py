"""Everything a lens may have in ``lens.toml``: read, written, refused with a sentence; and hashes that last."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.camera import TAGS, Camera, dump_camera, parse_camera, read_camera
from metalens.formats.camera.phase import FreeformPhase, SumPhase
from metalens.formats.files.errors import InputError
from metalens.formats.files.record import Record

BASE = read_camera("hyperbolic")
TEXT = dump_camera(BASE)
PHASE = '[lens.phase]\nfamily = "hyperbolic"\nwavelength_nm = 532.0\n'


def with_phase(table: str) -> str:
    assert PHASE in TEXT
    return TEXT.replace(PHASE, f"[lens.phase]\n{table}\n")


def with_tables(tables: str) -> str:
    return TEXT.replace("[sensor]\n", f"{tables}\n[sensor]\n")


FAMILIES = {
    "quadratic": 'family = "quadratic"\nwavelength_nm = 532',
    "log_asphere": 'family = "log_asphere"\nwavelength_nm = 532\ncentre_focus_um = 950\nrim_focus_um = 1050\n'
    "radius_um = 250",
    "cubic": 'family = "cubic"\nstrength_rad = 60\nradius_um = 250',
    "zernike": 'family = "zernike"\nindices = [4, 12]\ncoefficients_rad = [-1.5, 0.25]\nradius_um = 250',
    "freeform": 'family = "freeform"\nfile = "map.npy"\npitch_um = 0.35\ninterpolation = "nearest"',
    "sum": 'family = "sum"\n[[lens.phase.terms]]\nfamily = "hyperbolic"\nwavelength_nm = 532\n'
    '[[lens.phase.terms]]\nfamily = "zernike"\nindices = [7]\ncoefficients_rad = [2]\nradius_um = 250',
}

TABLES = {
    "circle": '[lens.aperture]\nshape = "circle"',
    "annulus": '[lens.aperture]\nshape = "annulus"\ninner_diameter_um = 100',
    "polygon": '[lens.aperture]\nshape = "polygon"\nvertices_um = [[-200, 0], [100, 150], [100, -150]]',
    "stop": '[lens.stop]\ndiameter_um = 200\ndistance_um = 300\n[lens.stop.aperture]\nshape = "annulus"\n'
    "inner_diameter_um = 50",
    "plates": "[lens.substrate]\nthickness_um = 500\nindex = 1.4607\n"
    "[lens.cover_glass]\nthickness_um = 300\nindex = 1.52",
    "ideal": '[lens.response]\nkind = "ideal"',
    "kinoform": '[lens.response]\nkind = "kinoform"\nwavelength_nm = 532\norders = [0, 1, 2]',
    "proxy": '[lens.response]\nkind = "nano_optics_proxy"\nwavelength_nm = 511\nduty_error = 0.03',
}


@pytest.mark.parametrize("text", [*map(with_phase, FAMILIES.values()), *map(with_tables, TABLES.values())])
def test_a_new_key_survives_a_round_trip_and_changes_the_hash(text):
    camera = parse_camera(text)
    assert camera.hash != BASE.hash
    again = parse_camera(dump_camera(camera))
    assert again == camera
    assert again.hash == camera.hash


def test_the_hashes_of_older_cameras_stay(older_camera_text):
    """Banks, pairs and adapters carry them: a key that is not set leaves no trace."""
    assert parse_camera(older_camera_text).hash.startswith("7ee553ad0270")
    assert read_camera("metacamera-200um").hash.startswith("cee7c34583fe")
    assert read_camera("nano-optics").hash.startswith("f670d1dd0f9e")
    assert BASE.hash.startswith("4d0567b22569")


def test_defocus_tilt_and_distance_are_read_in_their_units():
    text = TEXT.replace("focal_length_um = 1000.0", "focal_length_um = 1000.0\ndefocus_um = -12.5")
    text = text.replace("pixels = [400, 400]", "pixels = [400, 400]\ntilt_deg = [0.5, -2]")
    camera = parse_camera(text.replace('name = "hyperbolic"', 'name = "hyperbolic"\nobject_distance_mm = 40', 1))
    assert camera.lens.defocus_m == pytest.approx(-12.5e-6)
    assert camera.sensor.tilt == pytest.approx(np.radians([0.5, -2]))
    assert camera.object_distance_m == pytest.approx(0.04)
    assert parse_camera(dump_camera(camera)) == camera
    assert (BASE.lens.defocus_m, BASE.sensor.tilt, BASE.object_distance_m) == (0, (0, 0), np.inf)


def records_within(kind: type[Record]) -> set[type[Record]]:
    """A record and those that its keys may hold."""
    found = {kind}
    waiting: list[object] = [field.annotation for field in kind.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, Record):
            found |= records_within(annotation)
        waiting += get_args(annotation)
    return found


def test_the_reference_names_every_key():
    reference = (Path(__file__).resolve().parents[3] / "docs" / "lens-toml.md").read_text(encoding="utf-8")
    records = records_within(Camera)
    assert {SumPhase, FreeformPhase} < records
    keys = {key for record in records for key in record.model_fields} | TAGS
    missing = [key for key in sorted(keys) if not re.search(rf"`{key}`|[\[.]{key}\]", reference)]
    assert missing == []


finite = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-3, 1e6)
wavelength = st.floats(200, 20_000)
hyperbolic = st.fixed_dictionaries({"family": st.just("hyperbolic"), "wavelength_nm": wavelength})
log_asphere = st.fixed_dictionaries(
    {"family": st.just("log_asphere"), "wavelength_nm": wavelength}
    | dict.fromkeys(("centre_focus_um", "rim_focus_um", "radius_um"), positive)
)
cubic = st.fixed_dictionaries({"family": st.just("cubic"), "strength_rad": finite, "radius_um": positive})
zernike = st.dictionaries(st.integers(0, 230), finite, min_size=1, max_size=6).map(
    lambda terms: {
        "family": "zernike",
        "indices": list(terms),
        "coefficients_rad": list(terms.values()),
        "radius_um": 1.0,
    }
)
terms = st.one_of(hyperbolic, log_asphere, cubic, zernike)
phases = st.one_of(terms, st.lists(terms, min_size=2, max_size=4).map(lambda each: {"family": "sum", "terms": each}))
plates = st.none() | st.fixed_dictionaries({"thickness_um": st.floats(0.1, 900), "index": st.floats(1, 4.5)})
apertures = st.one_of(
    st.none(),
    st.just({"shape": "circle"}),
    st.floats(0.1, 150).map(lambda inner: {"shape": "annulus", "inner_diameter_um": inner}),
    st.floats(1, 65).map(
        lambda side: {"shape": "polygon", "vertices_um": [[-side, 0], [side, 0.5 * side], [0, -side]]}
    ),
)
orders = st.sets(st.integers(-20, 20), min_size=1).map(sorted)
responses = st.one_of(
    st.none(),
    st.fixed_dictionaries({"kind": st.just("kinoform"), "wavelength_nm": wavelength, "orders": orders}),
    st.fixed_dictionaries({"kind": st.just("nano_optics_proxy"), "wavelength_nm": st.floats(400, 700)}),
)
lenses = st.fixed_dictionaries(
    {
        "aperture_um": st.floats(200, 1000),
        "focal_length_um": st.floats(950, 5000),
        "phase": phases,
        "aperture": apertures,
        "stop": st.none()
        | st.fixed_dictionaries({"diameter_um": st.floats(151, 500), "distance_um": positive, "aperture": apertures}),
        "substrate": plates,
        "cover_glass": plates,
        "response": responses,
        "defocus_um": st.none() | st.floats(-40, 40),
    }
)


@given(lenses, st.none() | positive, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_camera_survives_a_round_trip_through_its_file(lens, distance, description):
    camera = Camera.model_validate(
        BASE.model_dump() | {"lens": lens, "object_distance_mm": distance, "description": description}
    )
    again = parse_camera(dump_camera(camera))
    assert again == camera
    assert again.hash == camera.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_phase('family = "bessel"'), "lens.phase: 'bessel' is none of 'hyperbolic', "),
        (with_phase("wavelength_nm = 532"), "lens.phase: the key 'family' is missing"),
        (with_phase(FAMILIES["cubic"] + "\nstrength = 1"), "unknown key lens.phase.strength; check its spelling"),
        (with_phase(FAMILIES["zernike"].replace("12]", "400]")), "lens.phase.indices.1: expected"),
        (with_phase(FAMILIES["zernike"].replace("12]", "4]")), "lens.phase: indices [4, 4] hold one index twice"),
        (with_phase(FAMILIES["zernike"].replace(", 0.25", "")), "2 indices with 1 coefficients_rad; give one coeff"),
        (with_phase(FAMILIES["sum"].replace("radius_um = 250", "")), "missing key lens.phase.terms.1.radius_um"),
        (with_phase('family = "sum"\nterms = []'), "lens.phase.terms: expected at least 2 values, found []"),
        (with_phase(FAMILIES["freeform"].replace("map.npy", "../map.npy")), "must lie in the folder of the file"),
        (with_phase(FAMILIES["freeform"].replace("map.npy", "/map.npy")), "must lie in the folder of the file"),
        (with_phase(FAMILIES["freeform"].replace("nearest", "linear")), "lens.phase.interpolation: expected"),
        (with_tables(TABLES["annulus"].replace("100", "500")), "inner_diameter_um 500 must be less than the disc's"),
        (with_tables(TABLES["polygon"].replace("-200", "-300")), "reaches 300 from the centre, more than the disc's"),
        (
            with_tables('[lens.aperture]\nshape = "polygon"\nvertices_um = [[0, 0], [9, 9], [0, 9], [9, 0]]'),
            "the edges of vertices_um from vertex 0 and from vertex 2 cross or touch each other",
        ),
        (
            with_tables('[lens.aperture]\nshape = "polygon"\nvertices_um = [[0, 0], [0, 0], [9, 0]]'),
            "holds one vertex twice in a row",
        ),
        (
            with_tables('[lens.aperture]\nshape = "polygon"\nvertices_um = [[0, 0], [5, 5], [9, 9]]'),
            "enclose no area",
        ),
        (with_tables(TABLES["stop"].replace("50", "200")), "lens.stop: aperture.inner_diameter_um 200 must be less"),
        (with_tables(TABLES["plates"].replace("1.4607", "0.9")), "lens.substrate.index: expected 1 or more"),
        (with_tables(TABLES["plates"].replace("300", "1200")), "cover_glass.thickness_um 1200 does not fit between"),
        (with_tables(TABLES["kinoform"].replace("0, 1, 2", "1, 0")), "orders [1, 0] must ascend, each once; sort them"),
        (with_tables(TABLES["proxy"].replace("511", "1550")), "lens.response.wavelength_nm: expected"),
        (TEXT.replace("aperture_um", "defocus_um = -1e3\naperture_um"), "puts the sensor in front of the lens"),
        (TEXT.replace("[sensor]", "[sensor]\ntilt_deg = [0, 25]"), "sensor.tilt_deg.1: expected"),
        (TEXT.replace("version = 1", "version = 1\nobject_distance_mm = 0"), "object_distance_mm: expected"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(text, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_camera(text)
    assert "\n" not in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """A lens.toml with a map beside it."""
    np.save(tmp_path / "map.npy", np.zeros((1500, 1500), dtype=np.float32))
    (tmp_path / "lens.toml").write_text(with_phase(FAMILIES["freeform"]), encoding="utf-8")
    return tmp_path


def test_the_hash_of_a_camera_covers_the_bytes_of_its_map(folder):
    before = read_camera(folder / "lens.toml")
    assert before == read_camera(folder / "lens.toml")
    np.save(folder / "map.npy", np.ones((1500, 1500), dtype=np.float32))
    after = read_camera(folder / "lens.toml")
    assert isinstance(before.lens.phase, FreeformPhase)
    assert len(before.lens.phase.sha256) == 64
    assert before.hash != after.hash


def test_a_map_that_is_not_the_one_written_for_is_refused(folder):
    camera = read_camera(folder / "lens.toml")
    (folder / "lens.toml").write_text(dump_camera(camera), encoding="utf-8")
    again = read_camera(folder / "lens.toml")
    assert again == camera
    assert again.hash == camera.hash
    np.save(folder / "map.npy", np.ones((1500, 1500), dtype=np.float32))
    with pytest.raises(
        InputError, match=r"but lens\.phase\.sha256 is .*; bring back that file, or delete the recorded"
    ):
        read_camera(folder / "lens.toml")
    with pytest.raises(InputError, match="bring back that file"):
        camera.lens.phase.samples()


def test_a_missing_map_is_named(folder):
    (folder / "map.npy").unlink()
    with pytest.raises(InputError, match=r"map\.npy: no such file; a phase map lies beside its lens\.toml"):
        read_camera(folder / "lens.toml")


def test_a_map_in_a_sum_is_found_too(folder):
    text = FAMILIES["sum"] + "\n[[lens.phase.terms]]\n" + FAMILIES["freeform"]
    (folder / "lens.toml").write_text(with_phase(text), encoding="utf-8")
    phase = read_camera(folder / "lens.toml").lens.phase
    assert isinstance(phase, SumPhase)
    assert phase.terms[2].sha256 is not None
    assert phase.terms[2].samples().shape == (1500, 1500)


def test_a_camera_without_its_folder_says_what_to_do():
    phase = parse_camera(with_phase(FAMILIES["freeform"])).lens.phase
    with pytest.raises(InputError, match=r"not read from a file; put its lens\.toml beside it and read that"):
        phase.samples()
