"""The command that the view shows is the restoration that it shows."""

import pytest

from metalens.app.restored_results import Restoration


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "--alpha 0.75"),
        ({"alpha": "opened/map.png"}, "--alpha-map opened/map.png"),
        ({"place": (168, 160)}, "--alpha 0.75 --place 168,160"),
        ({"psf": "lens.h5"}, "--alpha 0.75 --psf lens.h5 --any-lens"),
        ({"consistent": True, "uncertainty": True}, "--alpha 0.75 --consistent --uncertainty"),
    ],
)
def test_the_command_has_the_options_of_the_picture(options, shown):
    given = {"capture": "one.png", "place": None, "adapter": "metacamera", "alpha": 0.75}
    name, *arguments = Restoration(**{**given, **options}).arguments()
    assert name == "restore"
    assert " ".join(arguments) == f"one.png -o restored/ --adapter metacamera {shown}"
    assert arguments.count("--alpha") + arguments.count("--alpha-map") == 1
