"""Text of other programs: one way in, which bears with what they write and refuses the same in the same words."""

import contextlib
import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalens.formats.camera.phase_map import read_phase_map
from metalens.formats.camera.spectral_table import parse_spectral_table
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.text_file import cells_of, header_of, numbered_lines, numbers_of, text_lines
from metalens.formats.meta_atoms.samples import read_samples
from metalens.optics.layout.ray_tracing import read_radial_phase
from metalens.optics.layout.recognition import Made
from metalens.optics.layout.sites_table import read_sites_table
from metalens.optics.layout.width_map import read_width_map

HEADS = {
    "sites": "x_um,y_um,diameter_nm",
    "samples": "diameter_nm,wavelength_nm,t_re,t_im",
    "radial": "r_mm,phase_rad",
    "spectrum": "wavelength_nm,power",
    "phase": "",
    "widths": "",
}
ROWS = {
    "sites": [f"{0.35 * column:.2f},{0.35 * row:.2f},120" for row in range(3) for column in range(3)],
    "samples": ["100,500,0.8,0.1", "100,600,0.7,0.2"],
    "radial": ["0,0", "0.1,-1", "0.2,-4", "0.3,-9"],
    "spectrum": ["400,1", "500,2", "600,1"],
    "phase": ["0,1,2", "3,4,5", "6,7,8.5"],
    "widths": ["60,70,60", "70,60,70", "60,70,60"],
}


def read(kind, path):
    """What a reader makes of a file, as numbers."""
    if kind == "sites":
        found = read_sites_table(path, Made(700e-9)).structure
        return [*found.geometry.ravel(), found.pitch, *found.site_index.ravel()]
    if kind == "samples":
        found = read_samples(path, ("diameter",))
        return [*found.transmission, *found.wavelength, *found.geometry.ravel()]
    if kind == "radial":
        found = read_radial_phase(path)
        return [*found.coefficients, found.radius]
    if kind == "spectrum":
        found = parse_spectral_table(path.read_bytes(), "source", origin="table")
        return [*found.wavelength, *found.values.ravel()]
    if kind == "phase":
        return list(read_phase_map(path).ravel())
    found = read_width_map(path, Made(700e-9), pitch=350e-9, quantity="radius").structure
    return [*found.geometry.ravel(), *found.site_index.ravel()]


def lines_of(kind):
    return [*([HEADS[kind]] if HEADS[kind] else []), *ROWS[kind]]


def quoted(line):
    return ",".join(f'"{cell}"' for cell in line.split(","))


WAYS = {
    "mark": lambda lines: b"\xef\xbb\xbf" + "\n".join(lines).encode(),
    "remark first": lambda lines: "\n".join(["# by a script", "", *lines]).encode(),
    "remark behind a number": lambda lines: "\n".join([*lines[:-1], lines[-1] + "  # the last"]).encode(),
    "Latin-1 remark": lambda lines: "\n".join(["# 21 °C, Müller", *lines]).encode("latin-1"),
    "quoted header": lambda lines: "\n".join([quoted(lines[0]), *lines[1:]]).encode(),
    "all quoted": lambda lines: "\n".join(map(quoted, lines)).encode(),
    "spaces": lambda lines: "\n".join(f"  {line.replace(',', ' , ')} " for line in lines).encode(),
    "other line ends": lambda lines: "\r\n".join([*lines, "", ""]).encode(),
    "old line ends": lambda lines: "\r".join(lines).encode(),
    "capitals": lambda lines: "\n".join([lines[0].upper(), *lines[1:]]).encode(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", HEADS)
def test_every_reader_bears_with_what_programs_write(tmp_path, kind, way):
    plain, other = tmp_path / "plain.csv", tmp_path / "other.csv"
    plain.write_text("\n".join(lines_of(kind)), encoding="ascii")
    other.write_bytes(WAYS[way](lines_of(kind)))
    assert read(kind, other) == read(kind, plain)


@pytest.mark.parametrize("kind", HEADS)
def test_every_reader_tells_decimal_commas_and_utf_16(tmp_path, kind):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(line.replace(",", ";").replace(".", ",") for line in lines_of(kind)), encoding="ascii")
    with pytest.raises(InputError, match=r"numbers between semicolons.*decimal points"):
        read(kind, path)
    path.write_text("\n".join(lines_of(kind)).replace(",", "\t"), encoding="ascii")
    with pytest.raises(InputError, match="numbers between tabs"):
        read(kind, path)
    path.write_bytes("\n".join(lines_of(kind)).encode("utf-16"))
    with pytest.raises(InputError, match="is UTF-16 text; save it as UTF-8"):
        read(kind, path)


@pytest.mark.parametrize("kind", HEADS)
def test_a_cell_between_quotation_marks_may_be_long(tmp_path, kind):
    """Python's reader of cells raises an error of its own above 131072 characters, unless it is told."""
    path = tmp_path / "table.csv"
    for text in ('"' + "1" * 200_000, '"' + "1," * 200_000 + '"', HEADS[kind] + '\n"' + "1" * 200_000 + '"'):
        path.write_text(text, encoding="ascii")
        with pytest.raises(InputError):
            read(kind, path)


@pytest.mark.parametrize("kind", HEADS)
@given(content=st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail_otherwise_than_with_a_sentence(tmp_path_factory, kind, content):
    path = tmp_path_factory.mktemp("any") / "table.csv"
    head = HEADS[kind].encode()
    for begin in (b"", head + b"\n" if head else b"1,2,3\n"):
        path.write_bytes(begin + content)
        with contextlib.suppress(InputError):
            read(kind, path)


@given(values=arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements={"allow_nan": False}))
def test_numbers_are_read_as_they_were_written(values):
    lines = [",".join(map(repr, row)) for row in values.tolist()]
    np.testing.assert_array_equal(numbers_of(lines), values)
    np.testing.assert_array_equal(numbers_of(map(quoted, lines), columns=values.shape[1]), values)


def test_a_line_of_twice_as_many_numbers_is_asked_for_its_decimals():
    with pytest.raises(ValueError, match="4 numbers, 2 were expected; are its decimals commas"):
        numbers_of(["1,5,2,5"], columns=2)


def test_lines_keep_their_numbers_and_names_their_order():
    text = b'\xef\xbb\xbf# \xb0C\n\n a , "b" \n1,2\n'
    assert list(numbered_lines(io.BytesIO(text), "here")) == [(3, 'a , "b"'), (4, "1,2")]
    assert cells_of('a , "b"') == ["a", "b"]
    assert header_of(iter(["B,a"])) == ["b", "a"]
    with pytest.raises(ValueError, match="the columns are 'a,A'; names were expected, none of them twice"):
        header_of(iter(["a,A"]))


def test_bytes_of_another_kind_are_no_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"1,2\n\0\0\0\n")
    with pytest.raises(InputError, match="line 2 is no line of text"):
        list(text_lines(path, "table", largest=100))


def test_folders_pipes_devices_and_links_to_themselves_are_no_input(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "big").write_bytes(b"123456789")
    for name, said in {
        "": "is a folder, a table is a file",
        "loop": "could not be read .*; give the path of a table",
        "pipe": "is a pipe, a table is an ordinary file; save it as one first",
        "/dev/zero": "is a device, a table is",
        "x" * 300: "could not be read",
        "a\0b": "could not be read",
        "gone": "no such table",
        "big": "9 bytes is no table; at most 8 bytes are read",
    }.items():
        with pytest.raises(InputError, match=said):
            input_file(tmp_path / name, "table", largest=8, missing="no such table")
