"""Touchstone 1 as its standard has it, and a sentence for everything else."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.touchstone import read_touchstone

FREQUENCY = np.array([428274.94e9, 499654.097e9, 666205.462e9])
FORWARD = np.array([0.9, 0.8, 0.7]) * np.exp(1j * np.radians([-42.0, 77.0, 170.0]))
UNITS = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9, "THZ": 1e12, "": 1e9}


def pair(value, kind):
    if kind == "RI":
        return f"{value.real!r} {value.imag!r}"
    size = abs(value) if kind in ("MA", "") else 20 * np.log10(abs(value))
    return f"{float(size)!r} {float(np.degrees(np.angle(value)))!r}"


def lines(unit="GHZ", kind="MA"):
    """Every S-parameter another one, so that a wrong column shows."""
    for frequency, value in zip((FREQUENCY / UNITS[unit]).tolist(), FORWARD, strict=True):
        others = (0.1 + 0j, value, 0.5j, 0.2 + 0j)
        yield " ".join([repr(frequency), *(pair(complex(each), kind) for each in others)])


def written(tmp_path, text):
    path = tmp_path / "atom.s2p"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def assert_read(path):
    frequency, forward = read_touchstone(path)
    np.testing.assert_allclose(frequency, FREQUENCY, rtol=1e-12)
    np.testing.assert_allclose(forward, FORWARD, atol=1e-12)


@pytest.mark.parametrize("kind", ["MA", "RI", "DB", ""])
@pytest.mark.parametrize("unit", UNITS)
def test_options_stand_in_any_order_and_have_defaults(tmp_path, unit, kind):
    body = "\n".join(lines(unit, kind))
    for order in itertools.permutations([word for word in (unit, "S", kind, "R 50") if word]):
        for option in (" ".join(order), " ".join(order).lower()):
            assert_read(written(tmp_path, f"# {option}\n{body}\n"))
    without = " ".join(word for word in (unit, kind) if word)
    assert_read(written(tmp_path, f"#{without}\n{body}\n"))


def test_marks_remarks_of_any_bytes_and_noise_change_nothing(tmp_path):
    body = "\n".join(lines())
    assert_read(written(tmp_path, b"\xef\xbb\xbf# GHZ S MA R 50\n" + body.encode()))
    assert_read(written(tmp_path, b"! 21 \xb0C # [x]\n# GHZ S MA R 50 ! \xff\n" + body.encode() + b" ! \xfe\n"))
    noise = "\n! noise\n428274.94 0.7 0.64 69 19\n470000 2.7 0.46 -33 20\n"
    assert_read(written(tmp_path, f"# GHZ S MA R 50\n{body}{noise}"))
    assert_read(written(tmp_path, f"# GHZ S MA R 50\n# HZ Z RI R 1\n{body}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[Version] 2.0\n# GHZ S MA R 50\n1 1 1 1 1 1 1 1 1\n", "is of version 2, .* export version 1"),
        ("# GHZ Z MA R 50\n1 1 1 1 1 1 1 1 1\n", "holds Z-parameters; export S-parameters"),
        ("# GHZ S MA R fifty\n", "'fifty' stands where a number was expected"),
        ("# GHZ S MA R\n", "'' stands where a number was expected"),
        ("# FURLONGS\n", "its option line holds 'furlongs'"),
        ("# GHZ\n", "has no line of numbers"),
        ("", "has no option line"),
        ("# GHZ\n1 0.5 3\n", "a line holds 3 numbers; nine were expected"),
        ("# GHZ\n2 1 1 1 1 1 1 1 1\n1 1 1 1 1 1 1 1 1\n", "its frequency 1 follows 2; frequencies ascend"),
        ("# GHZ\n1 1 1 1 1,5 1 1 1 1\n", "'1,5' stands where a number was expected"),
    ],
)
def test_everything_else_is_one_sentence_of_ours(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_touchstone(written(tmp_path, text))


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "atom.s2p"
    path.write_bytes(b"# GHZ\n1 1 1 1 1 1 1 1 1\n" + content)
    try:
        frequency, forward = read_touchstone(path)
        assert len(frequency) == len(forward) >= 1
    except InputError:
        pass
