"""The form of a specification says what the schema says, and changes what a file would."""

import pytest

from metalens.app.design_form import changed, form_fields
from metalens.formats.design.spec import design_names, read_design
from metalens.formats.files.errors import InputError


def field(spec, place):
    (found,) = [each for each in form_fields(spec) if f"{each.table}.{each.key}" == place]
    return found


def test_units_bounds_and_help_are_those_of_the_schema():
    found = field(read_design("held"), "sampling.window_pixels")
    assert (found.kind, found.unit) == ("whole", "pixels")
    assert found.help == "side of each point spread function, odd; a whole number from 9 to 401"
    assert field(read_design("held"), "camera.lens.aperture_um").unit == "µm"
    assert field(read_design("held"), "search.learning_rate").help.endswith("a number above 0")


@pytest.mark.parametrize("name", design_names())
def test_setting_every_field_to_what_it_has_changes_nothing(name):
    spec = read_design(name)
    for each in form_fields(spec):
        shown = ", ".join(map(str, each.value or ())) if each.kind in ("numbers", "texts") else each.value
        assert changed(spec, each, each.parsed(shown)) == spec, each


@pytest.mark.parametrize(
    ("place", "given", "expected"),
    [
        ("camera.lens.aperture_um", 250, 250.0),
        ("sampling.fields_deg", "0, 7.5", (0.0, 7.5)),
        ("start.families", "quadratic", ("quadratic",)),
        ("objectives.0.reduction", "mean", "mean"),
        ("sampling.weights", "", None),
        ("search.steps", 12.0, 12),
    ],
)
def test_a_change_arrives(place, given, expected):
    spec = read_design("held")
    wanted = field(spec, place)
    assert field(changed(spec, wanted, wanted.parsed(given)), place).value == expected


@pytest.mark.parametrize(
    ("place", "given", "sentence"),
    [
        ("sampling.window_pixels", 24, "window_pixels 24 is even"),
        ("search.steps", 1.5, "search.steps"),
        ("sampling.fields_deg", "0, x", "sampling.fields_deg"),
        ("camera.lens.aperture_um", -1, "lens.aperture_um"),
    ],
)
def test_a_wrong_value_is_refused_by_name(place, given, sentence):
    spec = read_design("held")
    wanted = field(spec, place)
    with pytest.raises(InputError, match=sentence):
        changed(spec, wanted, wanted.parsed(given))
