"""Made-up libraries of rectangles whose transmissions are known in closed form, and cameras of them."""

import numpy as np

from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.meta_atoms.library import AtomLibrary, write_atom_library

LIGHT, PITCH = 532e-9, 300e-9
WAVELENGTHS = np.array([500e-9, LIGHT, 600e-9])


def library(geometry, t_x, t_y, **changes):
    """Equal at all wavelengths; t_x and t_y ``[atom]`` of fields along width_x and width_y."""
    table = np.stack([np.repeat(np.asarray(each, dtype=complex)[:, None], 3, axis=1) for each in (t_y, t_x)])[:, None]
    known = {
        "name": "rectangles", "shape": "rectangular_pillar", "material": "TiO2", "substrate": "SiO2",
        "surrounding": "air", "lattice": "square", "light_from": "substrate", "pitch": PITCH, "height": 600e-9,
        "parameter_names": ("width_x", "width_y"), "geometry": np.array(geometry), "wavelength": WAVELENGTHS,
        "angle": np.zeros(1), "polarisations": ("s", "p"), "transmission": table,
    }  # fmt: skip
    return AtomLibrary(**known | changes)


def independent(levels=8):
    """Every pair of phases, each in so many steps."""
    phase = 2 * np.pi * np.arange(levels) / levels
    width = 1e-9 * (80 + 20 * np.arange(levels))
    geometry = [(a, b) for a in width for b in width]
    return library(geometry, np.exp(1j * np.repeat(phase, levels)), np.exp(1j * np.tile(phase, levels)))


def half_wave_plates(count=16):
    """Plates t_x = −t_y = exp(iψ) of all phases ψ."""
    psi = np.exp(2j * np.pi * np.arange(count) / count)
    return library([(1e-9 * (100 + 190 * number / count), 80e-9) for number in range(count)], psi, -psi)


def fins():
    """One that converts 0.9² of the light and keeps none, and a square."""
    return library([(95e-9, 250e-9), (250e-9, 250e-9)], [0.9, 0.8], [-0.9, 0.8])


def camera_in(folder, made, lens):
    """A camera of 6 µm with tables of ``[lens]`` as text, beside the library ``rectangles.h5``."""
    if not (folder / "rectangles.h5").exists():
        write_atom_library(folder / "rectangles.h5", made)
    phase = {"family": "hyperbolic", "wavelength_nm": 1e9 * LIGHT}
    table = {"aperture_um": 6, "focal_length_um": 10, "phase": phase, "meta_atoms": None}
    base = read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (16, 16), "pixel_pitch_um": 0.5})
    path = folder / "lens.toml"
    path.write_text(dump_camera(base) + lens, encoding="utf-8")
    return read_camera(path)


FINS = '\n[lens.response]\nkind = "nanofins"\nlibrary = "rectangles.h5"\nwavelength_nm = 532.0\nlight = "left"\n'
