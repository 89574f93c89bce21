"""``[spectrum]``: its two forms, the shipped tables and where they are from, and a sentence for every bad table."""

import re
import runpy
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalens.formats.camera.camera import dump_camera, parse_camera, read_camera
from metalens.formats.camera.spectral_table import LARGEST_FILE, parse_spectral_table, read_spectral_table
from metalens.formats.camera.spectrum import Channel, Spectrum, read_tables
from metalens.formats.files.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = [("source", "D65"), ("source", "white_led"), ("source", "display"), ("sensor", "generic_rgb")]
LENS = dump_camera(read_camera("hyperbolic")).partition("[spectrum]")[0]
SENSOR = "# mine\nwavelength_nm,red,green,blue\n400,0,0.1,0.5\n500,0.1,0.6,0.2\n\n700,0.5,0,0\n"


@pytest.fixture(scope="module")
def colour():
    with warnings.catch_warnings():
        # It warns of packages that it could use and of SciPy's renamed functions.
        warnings.simplefilter("ignore")
        import colour
    return colour


def chromaticity(colour, name: str) -> np.ndarray:
    """CIE 1931 (x, y) of a shipped source."""
    table = read_spectral_table(name, "source")
    observer = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]
    functions = [np.interp(1e9 * table.wavelength, observer.wavelengths, column) for column in observer.values.T]
    tristimulus = np.stack(functions) @ table.values.sum(axis=0)
    return tristimulus[:2] / tristimulus.sum()


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_a_shipped_table_covers_the_visible_in_steps_of_5_nm_and_names_its_source_and_licence(kind, name):
    table = read_spectral_table(name, kind)
    np.testing.assert_allclose(1e9 * table.wavelength, np.arange(380, 781, 5), rtol=1e-12)
    header = (
        (ROOT / "formats" / "camera" / "spectra" / f"{name}.csv")
        .read_text(encoding="utf-8")
        .partition("wavelength_nm")[0]
    )
    assert "BSD-3-Clause" in header
    assert "docs/spectra.py" in header


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("D65", "aabbaceca627e57e"),
        ("white_led", "696ec484e8c6f173"),
        ("display", "38d63f15d775e875"),
        ("generic_rgb", "72461bfa149ade1b"),
    ],
)
def test_the_numbers_of_a_shipped_table_never_change(name, beginning):
    """A camera names a shipped table without a checksum, so a better one must get another name."""
    text = (ROOT / "formats" / "camera" / "spectra" / f"{name}.csv").read_text(encoding="utf-8")
    assert sha256(text.partition("wavelength_nm")[2].encode()).hexdigest().startswith(beginning)


def test_the_shipped_tables_are_what_the_script_makes(colour):
    script = runpy.run_path(str(ROOT / "docs" / "spectra.py"))
    made = script["tables"]()
    assert sorted(made) == sorted(path.name for path in (ROOT / "formats" / "camera" / "spectra").glob("*.csv"))
    for name, text in made.items():
        shipped = (ROOT / "formats" / "camera" / "spectra" / name).read_text(encoding="utf-8")
        # The remarks hold the version of the package that the figures came out of.
        assert shipped.partition("wavelength_nm")[2] == text.partition("wavelength_nm")[2]


def test_the_daylight_has_the_chromaticity_of_d65(colour):
    np.testing.assert_allclose(chromaticity(colour, "D65"), [0.3127, 0.3290], atol=1e-4)


def test_the_display_is_driven_to_the_chromaticity_of_d65(colour):
    np.testing.assert_allclose(chromaticity(colour, "display"), [0.3127, 0.3290], atol=2e-4)


def test_the_white_led_has_the_chromaticity_of_led_b3(colour):
    # CIE 15:2018, table 12.1 of illuminants LED: 0.3756, 0.3723.
    np.testing.assert_allclose(chromaticity(colour, "white_led"), [0.3756, 0.3723], atol=3e-4)


def test_the_generic_sensor_peaks_in_blue_then_green_then_red():
    sensor = read_spectral_table("generic_rgb", "sensor")
    red, green, blue = 1e9 * sensor.wavelength[sensor.values.argmax(axis=1)]
    assert 440 <= blue <= 475 < 515 <= green <= 545 < 580 <= red <= 620
    assert sensor.values.max() == 1


def test_a_spectrum_of_bands_is_recorded_as_before():
    """Cameras of version 1 keep their hash: new keys appear only where they are set."""
    names = [("red", 620), ("green", 530), ("blue", 455)]
    bands = Spectrum(channels=tuple(Channel(name=name, centre_nm=centre, fwhm_nm=30) for name, centre in names))
    assert bands.model_dump_json(exclude_none=True) == (
        '{"channels":[{"name":"red","centre_nm":620.0,"fwhm_nm":30.0},{"name":"green","centre_nm":530.0,'
        '"fwhm_nm":30.0},{"name":"blue","centre_nm":455.0,"fwhm_nm":30.0}],"wavelengths_per_channel":9}'
    )


def test_a_camera_with_tables_survives_a_round_trip():
    text = LENS + '[spectrum]\nsource = "D65"\nsensor = "generic_rgb"\nrange_nm = [420, 680]\nspectral_tolerance = 0.02'
    camera = parse_camera(text)
    again = parse_camera(dump_camera(camera))
    assert again == camera
    assert again.hash == camera.hash
    assert "channels" not in dump_camera(camera)
    assert parse_camera(text.replace("D65", "display")).hash != camera.hash


def test_a_users_table_is_read_beside_the_lens_and_its_checksum_recorded(tmp_path):
    (tmp_path / "my.csv").write_text(SENSOR, encoding="utf-8")
    spectrum = Spectrum(source="equal_energy", sensor="my.csv").in_folder(tmp_path)
    assert spectrum.sensor_sha256 == sha256(SENSOR.encode()).hexdigest()
    sensor = read_tables(spectrum).sensor
    np.testing.assert_allclose(sensor.at(np.array([450e-9, 600e-9])), [[0.05, 0.3], [0.35, 0.3], [0.35, 0.1]])
    again = Spectrum.model_validate(spectrum.model_dump(exclude_none=True)).in_folder(tmp_path)
    assert again == spectrum


def test_a_lens_file_finds_its_tables_beside_it(tmp_path):
    (tmp_path / "my.csv").write_text(SENSOR, encoding="utf-8")
    (tmp_path / "lens.toml").write_text(LENS + '[spectrum]\nsource = "D65"\nsensor = "my.csv"\n', encoding="utf-8")
    camera = read_camera(tmp_path / "lens.toml")
    assert read_tables(camera.spectrum).sensor.columns == ("red", "green", "blue")
    # A bank carries the camera as text: the same camera by its hash, with or without the files.
    assert parse_camera(dump_camera(camera)).hash == camera.hash
    (tmp_path / "my.csv").write_text(SENSOR.replace("0.6", "0.7"), encoding="utf-8")
    assert read_camera(tmp_path / "lens.toml").hash != camera.hash


def test_another_table_under_the_same_name_is_refused(tmp_path):
    (tmp_path / "my.csv").write_text(SENSOR, encoding="utf-8")
    spectrum = Spectrum(source="equal_energy", sensor="my.csv").in_folder(tmp_path)
    (tmp_path / "my.csv").write_text(SENSOR.replace("0.6", "0.7"), encoding="utf-8")
    for read in (lambda: read_tables(spectrum), lambda: spectrum.in_folder(tmp_path)):
        with pytest.raises(InputError, match=r"my\.csv: its SHA-256 is .* bring back that file"):
            read()


def test_a_table_of_unknown_place_is_said_to_be_so(tmp_path):
    with pytest.raises(InputError, match="not known where that lies; read the camera from its file"):
        read_tables(Spectrum(source="D65", sensor="my.csv"))
    with pytest.raises(InputError, match=r"no such file; spectrum\.sensor = 'my\.csv' is taken relative"):
        Spectrum(source="D65", sensor="my.csv").in_folder(tmp_path)


@pytest.mark.parametrize(
    ("spectrum", "message"),
    [
        ("", "has neither channels nor tables; give three Gaussian channels, or source and sensor"),
        ('source = "D65"', "has source; give three Gaussian channels, or source and sensor"),
        ('sensor = "generic_rgb"\nfilter = "cut.csv"', "has sensor and filter; give"),
        ('source = "D66"\nsensor = "generic_rgb"', "source 'D66' is no table; expected equal_energy, D65, white_led"),
        ('source = "D65"\nsensor = "generic"', "sensor 'generic' is no table; expected generic_rgb, a file that ends"),
        ('source = "D65"\nsensor = "generic_rgb"\nrange_nm = [700, 400]', "range_nm [700.0, 400.0] must ascend"),
        ('source = "D65"\nsensor = "generic_rgb"\nrange_nm = [0.4, 0.7]', "range_nm.0: expected"),
        ('source = "D65"\nsensor = "generic_rgb"\nspectral_tolerance = 0', "spectral_tolerance: expected"),
        ('source = "D65"\nsensor = "generic_rgb"\nsource_sha256 = "' + 64 * "0" + '"', "is for a file of your own"),
        ('source = "D65"\nsensor = "generic_rgb"\nfilters = "cut.csv"', "unknown key spectrum.filters"),
    ],
)
def test_a_mistake_in_the_table_is_told_in_one_sentence(spectrum, message):
    with pytest.raises(InputError, match=re.escape(message)):
        parse_camera(LENS + "[spectrum]\n" + spectrum)


def test_both_forms_at_once_are_refused():
    text = dump_camera(read_camera("hyperbolic")).replace("[spectrum]", '[spectrum]\nsource = "D65"')
    with pytest.raises(InputError, match="has both channels and source"):
        parse_camera(text)


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("sensor", "", "0 lines of values; one line that names the columns and 2 to 10000 lines"),
        ("sensor", "wavelength_nm,red,green,blue\n400,1,1,1\n", "1 lines of values"),
        ("source", "wavelength_nm,power\n" + "\n".join(f"{200 + 0.1 * i},1" for i in range(10_001)), "10001 lines"),
        (
            "sensor",
            "wavelength_nm,red,green\n400,1,1\n500,1,1\n",
            "columns wavelength_nm, red, green; a sensor's table",
        ),
        ("source", "400,1\n500,1\n600,1\n", "columns 400, 1; a source's table has the columns wavelength_nm, power or"),
        ("filter", "wavelength_nm,power\n400,1\n500,1\n", "columns wavelength_nm, transmission, in this order"),
        ("source", "wavelength_nm,power\n400,1\n500,nan\n", "line 3: power is nan; a finite number of 0 or more"),
        ("source", "wavelength_nm,power\n400,1\n500,inf\n", "line 3: power is inf"),
        ("source", "wavelength_nm,power\n400,1\n500,-1e-9\n", "line 3: power is -1e-09"),
        ("source", "wavelength_nm,power\n400,1\n500,one\n", "line 3: could not convert string to float: 'one'"),
        ("source", "wavelength_nm;power\n400;1\n500;1\n", "numbers between semicolons; write them"),
        ("source", "wavelength_nm,power\n400,1\n500,1,2\n", "line 3: 3 cells, 2 were expected"),
        ("source", "wavelength_nm,power\n500,1\n\n400,1\n", "line 4: wavelength 400 nm after 500 nm; sort the lines"),
        ("source", "wavelength_nm,power\n400,1\n400,1\n", "wavelength 400 nm after 400 nm"),
        ("source", "wavelength_nm,power\n0.4,1\n0.5,1\n", "line 2: wavelength 0.4 is out of range; 200 to 20000"),
        ("source", "wavelength_nm,power\nnan,1\n500,1\n", "line 2: wavelength nan is out of range"),
        (
            "filter",
            "wavelength_nm,transmission\n400,90\n500,95\n",
            "transmission is 90; 0 to 1 was expected, so divide",
        ),
        ("sensor", "wavelength_nm,red,green,blue\n400,1,1,0\n500,1,1,0\n", "blue is zero at every wavelength"),
        ("source", b"wavelength_nm,power\n\xff\xfe", "1 lines of values"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(kind, content, message):
    content = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_spectral_table(content, kind, origin="my.csv")
    assert str(caught.value).startswith("my.csv")


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(InputError, match="1048577 bytes is no table over wavelength; at most 1 MiB is read"):
        read_spectral_table("huge.csv", "source", tmp_path)


@given(st.one_of(st.binary(max_size=200), st.text("0123456789.,-+einfax_\n", max_size=200)))
def test_whatever_a_file_holds_it_is_a_table_or_refused(content):
    body = content if isinstance(content, bytes) else content.encode()
    for text in (body, b"wavelength_nm,power\n" + body):
        try:
            table = parse_spectral_table(text, "source", origin="my.csv")
        except InputError:
            continue
        assert np.isfinite(table.values).all()
        assert (np.diff(table.wavelength) > 0).all()
