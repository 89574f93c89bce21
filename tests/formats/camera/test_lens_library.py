"""``[lens.response] kind = "library"``: the library is found, its bytes are held to, and light goes through it."""

import numpy as np
import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, preset_names, read_camera
from metalens.formats.camera.parts import LibraryResponse
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, write_atom_library
from metalens.optics import MetaAtoms, metalens_of

RESPONSE = '\n[lens.response]\nkind = "library"\nlibrary = "library.h5"\nwavelength_nm = 532\norders = [0, 1]\n'


def pillars(phase: float) -> AtomLibrary:
    diameter = np.linspace(100e-9, 300e-9, 21)
    transmission = np.exp(1j * phase * np.linspace(0, 1, 21))[None, None, :, None] * np.ones(2)
    return AtomLibrary(
        name="pillars",
        shape="round_pillar",
        material="2",
        substrate="1.46",
        surrounding="1",
        lattice="square",
        light_from="substrate",
        pitch=350e-9,
        height=705e-9,
        parameter_names=("diameter",),
        geometry=diameter[:, None],
        wavelength=np.array([400e-9, 700e-9]),
        angle=np.zeros(1),
        polarisations=("s",),
        transmission=transmission,
    )


@pytest.fixture
def folder(tmp_path):
    """A lens.toml with its library beside it."""
    write_atom_library(tmp_path / "library.h5", pillars(6.0))
    text = dump_camera(read_camera("hyperbolic"))
    assert "[lens.response]" not in text
    (tmp_path / "lens.toml").write_text(text.replace("\n[sensor]", RESPONSE + "\n[sensor]"), encoding="utf-8")
    return tmp_path


def test_a_lens_is_made_of_the_library_beside_it(folder):
    camera = read_camera(folder / "lens.toml")
    assert isinstance(camera.lens.response, LibraryResponse)
    assert len(camera.lens.response.sha256) == 64
    response = metalens_of(camera).response
    assert isinstance(response, MetaAtoms)
    assert response.orders == (0, 1)
    # Six of 2π radians are covered, so that nearly all light is in the first order.
    assert 0.9 < abs(response.coefficients(np.float32(532e-9))[1]) ** 2 <= 1.0


def test_another_library_makes_another_camera_and_is_refused_for_this_one(folder):
    camera = read_camera(folder / "lens.toml")
    (folder / "lens.toml").write_text(dump_camera(camera), encoding="utf-8")
    assert read_camera(folder / "lens.toml").hash == camera.hash
    write_atom_library(folder / "library.h5", pillars(5.0))
    with pytest.raises(InputError, match=r"but lens\.response\.sha256 is .*; bring back that file, or delete"):
        read_camera(folder / "lens.toml")
    with pytest.raises(InputError, match="bring back that file"):
        metalens_of(camera)


def test_a_library_that_is_missing_or_elsewhere_is_told(folder):
    text = (folder / "lens.toml").read_text(encoding="utf-8")
    (folder / "library.h5").unlink()
    with pytest.raises(InputError, match=r"library\.h5: neither a file nor a library"):
        read_camera(folder / "lens.toml")
    with pytest.raises(InputError, match=r"must lie in the folder of the file that names it"):
        parse_camera(text.replace('"library.h5"', '"../library.h5"'))
    with pytest.raises(InputError, match=r"not read from a file; put its lens\.toml beside it"):
        metalens_of(parse_camera(text))


@pytest.mark.parametrize("name", preset_names())
def test_cameras_without_a_library_keep_their_text(name):
    assert "library" not in dump_camera(read_camera(name))
