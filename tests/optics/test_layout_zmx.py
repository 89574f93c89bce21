"""Lens files of OpticStudio: a Binary 2 surface is a radial phase; other layouts get a sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.layout.as_made import ImportOptions, import_lens, write_imported
from metalens.optics.layout.ray_tracing import binary_2, radial_phase_table
from metalens.optics.layout.reading import refuse_other_layouts
from metalens.optics.layout.zmx import is_zmx, read_zmx
from metalens.optics.phase import Hyperbolic

HEAD = (
    "VERS 230101 0 123457 L123457\nMODE SEQ\nUNIT {unit} X W X CM MR CPMM\nSURF 0\n  TYPE STANDARD\n  DISZ INFINITY\n"
)
TAIL = "SURF 2\n  TYPE STANDARD\n  CURV 0.0\n  DISZ 0\n"


def lens(coefficients, *, radius=0.25, rim=0.25, order=1.0, unit="MM", curvature="0.0", extra=""):
    numbers = "".join(f"  XDAT {3 + term} {value!r} 0 0\n" for term, value in enumerate(coefficients))
    surface = f"SURF 1\n  STOP\n  TYPE BINARY_2\n  CURV {curvature}\n  PARM 0 {order}\n{extra}  DISZ 1.0\n"
    terms = f'  DIAM {rim!r} 1 0 0 1 ""\n  XDAT 1 {len(coefficients)} 0 0\n  XDAT 2 {radius!r} 0 0\n'
    return HEAD.format(unit=unit) + surface + terms + numbers + TAIL


@settings(max_examples=30)
@given(
    coefficients=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12),
    order=st.sampled_from([-1.0, 1.0, 2.0]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    unit=st.sampled_from([("MM", 1e-3), ("IN", 25.4e-3), ("CM", 1e-2)]),
)
def test_every_coefficient_order_unit_and_encoding_is_read(tmp_path_factory, coefficients, order, encoding, unit):
    path = tmp_path_factory.mktemp("zmx") / "lens.txt"
    path.write_bytes(lens(coefficients, order=order, unit=unit[0]).encode(encoding))
    assert is_zmx(path)
    found = read_zmx(path).phase
    np.testing.assert_allclose(found.coefficients, order * np.array(coefficients))
    assert found.radius == pytest.approx(0.25 * unit[1])
    assert found.semi_diameter == pytest.approx(0.25 * unit[1])


def test_a_phase_that_was_exported_comes_back(tmp_path):
    wanted = radial_phase_table(Hyperbolic(1e-3, 532e-9), 500e-6)
    path = tmp_path / "lens.zmx"
    path.write_text(lens(wanted.coefficients.tolist()), encoding="utf-8")
    found = read_zmx(path).phase
    np.testing.assert_allclose(
        binary_2(found.coefficients, found.radius, wanted.table[:, 0]), wanted.table[:, 1], atol=0.02
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("VERS 1\nSURF 0\n", "0 Binary 2 surfaces; exactly one was expected"),
        (lens([1.0]) + lens([1.0]), "2 Binary 2 surfaces"),
        (lens([1.0], curvature="0.01"), "is no plane, CURV is not 0"),
        (lens([1.0], radius=1e-300), "its phase is too large for a number"),
        (lens([1.0], extra="  PARM 2 0.5\n"), "is no plane, PARM 2 is not 0"),
        (lens([1.0], rim=0.0), "semi-diameter .* set both"),
        (lens([]), "XDAT 1 tells 0 terms"),
        (lens([1.0]).replace("XDAT 3 1.0", "XDAT 3 x"), "XDAT 3 is 'x', a number was expected"),
        (lens([1.0]).replace("XDAT 3 1.0", "XDAT 3 nan"), "a finite number was expected"),
        (lens([1.0], unit="PARSEC"), "lens units 'PARSEC"),
    ],
)
def test_other_lenses_are_one_sentence(tmp_path, text, message):
    path = tmp_path / "lens.zmx"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_zmx(path)


BACK = "SURF {number}\n  TYPE STANDARD\n  CURV {curvature}\n  DISZ 0.1\n  DIAM 0.5\n"


def hybrid(front, *, stop="", catalogue="GCAT SCHOTT\n", behind=""):
    """A lens file with surfaces in front of its Binary 2 surface, and with others behind it."""
    plain = lens([-10.0, 0.5])
    begin, end = plain.index("SURF 1"), plain.index("SURF 2")
    metasurface = plain[begin:end] if not stop else plain[begin:end].replace("  STOP\n", "")
    return plain[:begin].replace("SURF 0", catalogue + "SURF 0") + front + stop + metasurface + behind + plain[end:]


def glass(name, *, kind="STANDARD", curvature=1.5, conic=-0.5, extra=""):
    return (
        f'SURF 1\n  TYPE {kind}\n  CURV {curvature} 0 0 0 0 ""\n  CONI {conic}\n{extra}  DISZ 0.2\n  GLAS {name}\n'
        '  DIAM 0.3 1 0 0 1 ""\n'
    )


def read(tmp_path, text):
    path = tmp_path / "hybrid.zmx"
    path.write_text(text, encoding="utf-8")
    return read_zmx(path)


def test_a_lens_in_front_of_the_phase_is_read_with_its_glass(tmp_path):
    extra = "".join(f"  PARM {term} {value}\n" for term, value in ((1, 0.0), (2, 0.04), (3, -0.5)))
    found = read(tmp_path, hybrid(glass("N-BK7 0 0 1.5168 64.17 0 0", kind="EVENASPH", extra=extra)))
    (surface,) = found.surfaces.surfaces
    assert surface.material == "specs/SCHOTT-optical/N-BK7"
    assert surface.radius_of_curvature_um == pytest.approx(1e3 / 1.5)
    assert (surface.conic, surface.thickness_um, surface.clear_diameter_um) == (-0.5, 200.0, 600.0)
    # The height of an even asphere by OpticStudio's own sum, in mm.
    r = np.linspace(0, 0.3, 5)
    height = 1.5 * r**2 / (1 + np.sqrt(1 - 0.5 * (1.5 * r) ** 2)) + 0.04 * r**4 - 0.5 * r**6
    np.testing.assert_allclose(surface.sag_um(1e3 * r), 1e3 * height, rtol=1e-9)
    assert found.surfaces.stop is None
    assert found.surfaces.distance_um == 1000.0
    np.testing.assert_allclose(found.phase.coefficients, [-10.0, 0.5])


def test_a_model_glass_and_a_stop_behind_the_lens_are_read(tmp_path):
    model = glass("___BLANK 1 0 1.62 36.4 0 1 1 0 0 0")
    stop = "SURF 3\n  STOP\n  TYPE STANDARD\n  CURV 0.0\n  DISZ 0.05\n  DIAM 0.2\n"
    found = read(tmp_path, hybrid(model + BACK.format(number=2, curvature=-0.7), stop=stop)).surfaces
    assert [each.index for each in found.surfaces] == [1.62, None]
    assert found.surfaces[0].abbe_number == 36.4
    assert found.surfaces[1].thickness_um == 100.0
    assert (found.stop.diameter_um, found.stop.distance_um) == (400.0, 50.0)


def test_a_lens_behind_the_phase_is_read_with_the_glass_between(tmp_path):
    dummy = "SURF 2\n  TYPE STANDARD\n  CURV 0.0\n  DISZ 0.03\n  DIAM 0.5\n"
    behind = dummy + glass("___BLANK 1 0 1.62 36.4 0 1 1 0 0 0") + BACK.format(number=4, curvature=-0.7)
    found = read(tmp_path, hybrid("", behind=behind)).surfaces
    mark, first, last = found.surfaces
    assert (mark.metasurface, mark.thickness_um, mark.index) == (True, pytest.approx(1030.0), None)
    assert (first.thickness_um, first.index) == (pytest.approx(200.0), 1.62)
    assert (last.thickness_um, last.index) == (None, None)
    assert last.radius_of_curvature_um == pytest.approx(-1e3 / 0.7)
    assert found.distance_um == pytest.approx(1330.0)


def test_the_camera_of_such_a_file_has_its_surfaces_and_focuses_on_its_sensor(tmp_path):
    path = tmp_path / "hybrid.zmx"
    path.write_text(hybrid(glass("N-BK7", conic=0.0)), encoding="utf-8")
    made = import_lens(path, read_camera("hyperbolic"), ImportOptions())
    (tmp_path / "made").mkdir()
    camera = write_imported(tmp_path / "made", made, None)
    assert camera.lens.surfaces == made.camera.lens.surfaces
    assert (camera.lens.aperture_um, camera.lens.focal_length_um) == (500.0, 1000.0)
    (surface,) = metalens_of(camera).surfaces
    # N-BK7 at its line d, in Schott's data sheet.
    assert float(surface.medium.index(587.56e-9)) == pytest.approx(1.51680, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (hybrid(glass("UNOBTAINIUM 0 0")), "glass 'UNOBTAINIUM': .* no manufacturer has it"),
        (hybrid(glass("SF11 0 0"), catalogue=""), "SCHOTT, HIKARI have it: name one"),
        (hybrid(glass("MIRROR 0 0")), "surface 1 is a mirror"),
        (hybrid(glass("___BLANK 1 0")), "a model glass without index and Abbe number"),
        (hybrid(glass("N-BK7", kind="TOROIDAL")), "surface 1 is of the type TOROIDAL; STANDARD and EVENASPH are read"),
        (hybrid(glass("N-BK7", curvature=9.0)), "surface 1: clear_diameter_um 600 reaches beyond the end"),
        (hybrid(glass("N-BK7").replace("DIAM 0.3", "DIAM 0")), "surface 1 has no semi-diameter"),
        (
            hybrid("", behind=BACK.format(number=2, curvature=1.0)),
            "surface 2 of surfaces is curved, with air on both sides",
        ),
        (hybrid(glass("N-BK7").replace("SURF 1", "SURF 1\n  STOP"), stop=" "), "surface 1 is the stop"),
        (hybrid(glass("N-BK7").replace("DISZ 0.2", "DISZ 0.01")), "reaches 5.* µm into the plane of the stop or lens"),
    ],
)
def test_lenses_that_cannot_be_described_are_one_sentence(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "lens.zmx"
    path.write_bytes(b"VERS 1\nSURF 0\n  TYPE BINARY_2\n  XDAT 1 " + content)
    with pytest.raises(InputError):
        read_zmx(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("lens.gds.gz", b"\x1f\x8b\x08", "is packed; unpack it first"),
        ("lens.zip", b"PK\x03\x04", "is packed"),
        ("lens.dxf", b"", "is a DXF drawing, which is not read; export the layout as GDSII or OASIS"),
        ("lens.txt", b"  0\r\nSECTION\r\n  2\r\nHEADER", "is a DXF drawing"),
        ("lens.cif", b"", "is a CIF layout, which is not read"),
        ("lens.txt", b"( by a tool );\nDS 1 1 1;\n", "is a CIF layout"),
        ("lens.oas", b"nothing", "does not begin as a GDSII or OASIS file does"),
    ],
)
def test_layouts_of_other_kinds_have_their_own_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        refuse_other_layouts(tmp_path / name)
