"""Lens files of OpticStudio: a Binary 2 surface is a radial phase; other layouts get a sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
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
    found = read_zmx(path)
    np.testing.assert_allclose(found.coefficients, order * np.array(coefficients))
    assert found.radius == pytest.approx(0.25 * unit[1])
    assert found.semi_diameter == pytest.approx(0.25 * unit[1])


def test_a_phase_that_was_exported_comes_back(tmp_path):
    wanted = radial_phase_table(Hyperbolic(1e-3, 532e-9), 500e-6)
    path = tmp_path / "lens.zmx"
    path.write_text(lens(wanted.coefficients.tolist()), encoding="utf-8")
    found = read_zmx(path)
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
