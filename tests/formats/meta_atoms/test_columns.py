"""A table with names of its own is the same table as one with the names of the documents."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.table import import_library

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
COLUMNS = """
[columns]
geometry.diameter = {column = "Radius", unit = "um", times = 2}
frequency = {column = "f (THz)"}
"""
SAMPLES = [
    (d, w, 0.9 * np.exp(1j * (d / 50 + w / 300)), 0.8 * np.exp(-1j * d / 90)) for d in (100, 150) for w in (500, 600)
]
QUANTITIES = {
    "power": (lambda t: abs(t) ** 2, 'power = "{0}", phase = "{1}", phase_unit = "deg"', np.degrees),
    "power_db": (lambda t: 20 * np.log10(abs(t)), 'power_db = "{0}", phase = "{1}"', np.asarray),
    "amplitude": (abs, 'amplitude = "{0}", phase = "{1}", phase_unit = "turns"', lambda phase: phase / 2 / np.pi),
}


def written(tmp_path, columns, lines, head):
    (tmp_path / "about.toml").write_text(ABOUT + columns, encoding="utf-8")
    (tmp_path / "table.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
    return tmp_path / "about.toml", tmp_path / "table.csv"


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_radii_frequencies_powers_and_two_polarisations(tmp_path, quantity):
    size, template, of_phase = QUANTITIES[quantity]
    both = ", ".join(
        f'{{polarisation = "{name}", {template.format(f"T_{mode}", f"phi_{mode}")}}}'
        for name, mode in (("s", "TE"), ("p", "TM"))
    )
    lines = [
        ",".join(
            repr(float(each))
            for each in (d / 2000, 299792.458 / w, *(x for t in (s, p) for x in (size(t), of_phase(np.angle(t)))))
        )
        for d, w, s, p in SAMPLES
    ]
    files = written(tmp_path, COLUMNS + f"transmission = [{both}]\n", lines, "Radius,f (THz),T_TE,phi_TE,T_TM,phi_TM")
    found = import_library(*files)
    np.testing.assert_allclose(found.geometry[:, 0], [100e-9, 150e-9])
    np.testing.assert_allclose(found.wavelength, [500e-9, 600e-9])
    assert found.polarisations == ("s", "p")
    wanted = np.array([[s, p] for *_, s, p in SAMPLES]).T.reshape(2, 1, 2, 2)
    np.testing.assert_allclose(found.transmission, wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('transmission = [{power = "T"}]\n', "a transmission is real and imaginary, or one of"),
        ('transmission = [{power = "T", phase = "gone"}]\n', "has no column 'gone'; its columns are radius"),
        (
            'transmission = [{power = "T", phase = "T"}, {power = "T", phase = "T"}]\n',
            "one of polarisation s and one of p",
        ),
        ('transmission = [{power = "minus", phase = "T"}]\n', "'minus' holds -1; a share of power is 0 or more"),
        (
            'wavelength = {column = "w"}\ntransmission = [{power = "T", phase = "T"}]\n',
            "either wavelength or frequency",
        ),
        ('geometry.width = {column = "w"}\ntransmission = [{power = "T", phase = "T"}]\n', "diameter was expected"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_sentence(tmp_path, columns, message):
    files = written(tmp_path, COLUMNS + columns, ["0.05,500,0.5,-1"], "Radius,f (THz),T,minus")
    with pytest.raises(InputError, match=message):
        import_library(*files)
