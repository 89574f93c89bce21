"""``design.toml``: read, merged with a camera, and refused where it is wrong."""

from pathlib import Path

import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, read_camera
from metalens.formats.design.spec import DesignSpec, design_names, dump_design, parse_design, read_design
from metalens.formats.design.tolerance_spec import TYPICAL
from metalens.formats.files.errors import InputError

SPEC = """
schema = "metalens.design"
version = 1
name = "mine"

[camera]
base = "metacamera"

[variables]
family = "even_polynomial"

[sampling]
fields_deg = [0.0, 10.0]
window_pixels = 33

[[objectives]]
kind = "mtf"
"""


def spec(changes: str = "", *, text: str = SPEC) -> DesignSpec:
    return parse_design(text + changes)


@pytest.mark.parametrize("name", design_names())
def test_a_written_specification_is_read_back_equal(name: str) -> None:
    written = read_design(name)
    assert parse_design(dump_design(written)) == written


@pytest.mark.parametrize("name", design_names())
def test_every_shipped_specification_is_read_and_describes_itself(name: str) -> None:
    found = read_design(name)
    assert found.name == name
    assert found.description


def test_a_camera_is_its_base_with_the_changes() -> None:
    base = read_camera("metacamera")
    found = spec("[camera.lens]\naperture_um = 150.0\n[camera.sensor]\nread_noise_e = 5.0\n").camera
    assert found.name == "mine"
    assert (found.lens.aperture_um, found.lens.focal_length_um) == (150.0, base.lens.focal_length_um)
    assert found.sensor == base.sensor.model_copy(update={"read_noise_e": 5.0})
    assert found.spectrum == base.spectrum


def test_a_table_of_another_kind_replaces_its_bases() -> None:
    found = spec('[camera.lens.phase]\nfamily = "quadratic"\nwavelength_nm = 500.0\n').camera
    assert found.lens.phase.family == "quadratic"
    tables = '[camera.spectrum]\nsource = "D65"\nsensor = "generic_rgb"\n'
    assert spec(tables).camera.spectrum.channels == ()


def test_a_whole_camera_needs_no_phase() -> None:
    whole = dump_camera(read_camera("metacamera"))
    head, _, tail = whole.partition("[lens.phase]")
    tail = tail[tail.index("[lens.meta_atoms]") :]
    tables = head[head.index("[lens]") :] + tail
    for table in ("[lens", "[sensor", "[spectrum"):
        tables = tables.replace(table, f"[camera.{table[1:]}")
    found = parse_design(SPEC.replace('[camera]\nbase = "metacamera"\n', "") + tables).camera
    assert found.sensor == parse_camera(whole).sensor
    assert found.lens.aperture_um == read_camera("metacamera").lens.aperture_um


def test_a_base_may_lie_beside_the_specification(tmp_path: Path) -> None:
    camera = read_camera("metacamera")
    camera = camera.model_copy(update={"lens": camera.lens.model_copy(update={"aperture_um": 123.0})})
    (tmp_path / "lens.toml").write_text(dump_camera(camera), encoding="utf-8")
    (tmp_path / "design.toml").write_text(SPEC.replace('"metacamera"', '"lens.toml"'), encoding="utf-8")
    assert read_design(tmp_path / "design.toml").camera.lens.aperture_um == 123.0


def test_what_is_left_out_has_its_default() -> None:
    found = spec("[fabrication]\nsamples = 3\n")
    assert found.start.families == ("hyperbolic", "quadratic", "log_asphere")
    assert found.objectives[0].reduction == "mean"
    assert found.fabrication is not None
    assert found.fabrication.errors == TYPICAL.errors
    assert spec().fabrication is None


def test_the_hash_is_that_of_the_content() -> None:
    same = spec(text=SPEC.replace('name = "mine"', '# a comment\ndescription = "words"\nname = "mine"'))
    assert same.hash == spec().hash
    assert spec("[search]\nseed = 1\n").hash != spec().hash


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("version = 1", "version = 2", 'expected the lines schema = "metalens.design"'),
        ('kind = "mtf"', 'kind = "beauty"', "objectives.0: 'beauty' is none of 'strehl', 'mtf', "),
        ('kind = "mtf"', 'kind = "mtf"\nweigth = 2.0', "unknown key objectives.0.weigth"),
        ('kind = "mtf"', 'kind = "efficiency"', "missing key objectives.0.radius_um"),
        ('kind = "mtf"', 'kind = "mtf"\nfrequencies = [1.5]', "expected 1 or less, found 1.5"),
        ("window_pixels = 33", "window_pixels = 32", "window_pixels 32 is even"),
        ("[0.0, 10.0]", "[10.0, 0.0]", "must ascend"),
        ("[0.0, 10.0]", "[0.0, 10.0]\nweights = [1.0]", "1 weights for 2 fields_deg"),
        ("[0.0, 10.0]", "[0.0, nan]", "fields_deg.1"),
        ('"even_polynomial"', '"even_polynomial"\nterms = 40', "expected 12 or less, found 40"),
        ('base = "metacamera"', 'base = "metacamara"', "neither a file nor a preset"),
        ('base = "metacamera"', "base = 3", "camera.base 3 must be the name"),
        ('base = "metacamera"', "", "missing keys camera.lens, camera.sensor, camera.spectrum."),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, message: str) -> None:
    assert before in SPEC
    with pytest.raises(InputError) as error:
        parse_design(SPEC.replace(before, after))
    assert message in str(error.value)


def test_a_specification_that_is_not_there_is_told_with_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"give a design.toml or one of .*metacamera"):
        read_design(tmp_path / "none.toml")


def test_a_base_whose_name_no_file_can_have_is_no_file(tmp_path):
    (tmp_path / "design.toml").write_text(f'schema = "metalens.design"\nversion = 1\n[camera]\nbase = "{"x" * 5000}"\n')
    with pytest.raises(InputError, match="could not be read"):
        read_design(tmp_path / "design.toml")
