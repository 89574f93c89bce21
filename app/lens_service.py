"""The process that simulates single point spread functions and draws a bank's figures."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metalens.app.layout_picture import draw_layout
from metalens.app.project import Project
from metalens.app.service import Tell, answer_requests
from metalens.formats.camera.camera import Camera
from metalens.formats.camera.size import focus_range_um
from metalens.formats.camera.structure import Structure
from metalens.formats.files.atomic import atomic_directory, atomic_file
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank

DRAWN = ("phase", "modulation-by-channel", "strehl-ratio", "lateral-colour", "psf-colour")
"""Names of the pictures of :func:`metalens.psf.pictures.folder.pictures_of` that the view shows."""

FOCUS_STEPS = 41
"""Positions of the sensor through the focus, odd: one is in focus."""

_WATCHED_WINDOW = 33

_RESOLUTION = {"png": 110}


@dataclass
class Simulating:
    """What the process holds.

    Attributes:
        project: where files are.
        banks: that were read, by path.
        structures: the last layout, by lens and library.
        tasks: of the design that is watched, by the hash of its specification.
    """

    project: Project
    banks: dict[str, PsfBank] = field(default_factory=dict)
    structures: dict[str, Structure] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)

    def draw(self, tell: Tell, bank: str) -> dict[str, Any]:
        """Draw a bank's figures, unless they are there.

        Args:
            tell: progress callback.
            bank: its ``psf.h5``.

        Returns:
            ``pictures``: name → file; and ``field_deg``, the field angle of each node.
        """
        tell(0.1, "drawing")
        from metalens.formats.drawing.style import save_figure
        from metalens.psf.camera_fields import view_of
        from metalens.psf.pictures.folder import pictures_of

        found = self._bank(bank)
        folder = self.project.part("figures") / found.camera.hash[:16]
        drawings = pictures_of(found)
        names = [name for name in DRAWN if name in drawings]
        if not folder.is_dir():
            with atomic_directory(folder) as part:
                for number, name in enumerate(names):
                    tell(number / len(names), f"drawing {name}")
                    save_figure(part, name, drawings[name], _RESOLUTION)
        angle = view_of(found.camera, found.position, float(np.median(found.wavelength))).field_angle
        pictures = {name: self.project.relative(folder / f"{name}.png") for name in names}
        return {"pictures": pictures, "field_deg": np.degrees(angle).tolist()}

    def point(self, tell: Tell, bank: str, place_um: tuple[float, float], defocus_um: float) -> dict[str, Any]:
        """Point spread functions at one place of the sensor, for every wavelength of a bank.

        Args:
            tell: progress callback.
            bank: its ``psf.h5``.
            place_um: (y, x) on the sensor from its centre, in micrometres.
            defocus_um: further displacement of the sensor away from the lens, in micrometres.

        Returns:
            ``arrays``: an ``.npz`` file with ``functions`` ``[wavelength, y, x]`` energy per pixel, ``field_deg``, and
            of the channels ``width`` ``[channel]`` in metres, ``share`` ``[channel]`` of the light in the window, and
            ``modulation`` ``[channel, (tangential, sagittal), frequency]``.
        """
        tell(0.2, "simulating")
        from metalens.psf.through_focus import functions_at

        found = functions_at(self._bank(bank), _metres(place_um), 1e-6 * defocus_um)
        figures = found.figures
        return self._kept(
            "point",
            functions=found.by_wavelength,
            field_deg=np.degrees(found.field_angle),
            width=figures.full_width_half_maximum,
            share=figures.window_share,
            modulation=figures.modulation,
        )

    def focus(self, tell: Tell, bank: str, place_um: tuple[float, float]) -> dict[str, Any]:
        """Modulation at one place of the sensor while the sensor moves through the focus.

        Args:
            tell: progress callback.
            bank: its ``psf.h5``.
            place_um: (y, x) on the sensor from its centre, in micrometres.

        Returns:
            ``arrays``: an ``.npz`` file with ``defocus`` ``[defocus]`` in metres, and ``modulation``
            ``[defocus, channel, (tangential, sagittal), frequency]``.
        """
        from metalens.psf.through_focus import through_focus

        found = self._bank(bank)
        half = 1e-6 * focus_range_um(found.camera.lens, float(np.median(found.wavelength)))
        defocus = np.linspace(-half, half, FOCUS_STEPS)
        modulation = through_focus(
            found, _metres(place_um), defocus, lambda done, total: tell(done / total, "moving through the focus")
        )
        return self._kept("focus", defocus=defocus, modulation=modulation)

    def _kept(self, name: str, **arrays: np.ndarray) -> dict[str, Any]:
        target = self.project.part("psf") / f"{name}.npz"
        with atomic_file(target) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        return {"arrays": self.project.relative(target)}

    def design(self, tell: Tell, spec: str, output: str) -> dict[str, Any]:
        """The best lens of a search, as far as it has come.

        Args:
            tell: progress callback.
            spec: the ``design.toml``.
            output: the ``lens.toml`` that the search writes.

        Returns:
            ``arrays``: an ``.npz`` file with ``radius``, ``phase`` along it, and ``functions`` ``[2, 3, y, x]`` on the
            axis and at the sensor's edge.
        """
        tell(0.1, "drawing the lens")
        from metalens.formats.camera.camera import read_camera
        from metalens.formats.design.spec import read_design
        from metalens.optics.from_lens_toml import metalens_of
        from metalens.psf.bank import phase_profile
        from metalens.psf.design.run import designed_camera, state_of, task_of

        place = self.project.inside(output)
        if place.is_file():
            camera = read_camera(place)
        else:
            asked = read_design(self.project.inside(spec))
            if asked.hash not in self.tasks:
                self.tasks = {asked.hash: task_of(asked)}
            task = self.tasks[asked.hash]
            # Files that a lens names are written beside it.
            camera = designed_camera(task, state_of(task, place), self.project.part("watched") / place.name)
        radius, phase = phase_profile(metalens_of(camera))
        target = self.project.part("watched") / f"{place.stem}.npz"
        with atomic_file(target) as part, part.open("wb") as file:
            np.savez(file, radius=radius, phase=phase, functions=_axis_and_edge(camera))
        return {"arrays": self.project.relative(target)}

    def layout(
        self, tell: Tell, lens: str, library: str | None, centre_um: tuple[float, float], width_um: float
    ) -> dict[str, Any]:
        """Draw a window of a lens' layout.

        Args:
            tell: progress callback.
            lens: a preset, or a ``lens.toml`` of the project.
            library: of meta-atoms; None for the lens' own.
            centre_um: (y, x) from the lens' centre in micrometres.
            width_um: of the window in micrometres.

        Returns:
            ``picture``, and how many ``atoms`` lie in it.
        """
        from metalens.formats.camera.camera import preset_names, read_camera
        from metalens.optics.layout.chosen import choice_for, structure_of_camera

        tell(0.05, "choosing the meta-atoms")
        camera = read_camera(lens if lens in preset_names() else self.project.inside(lens))
        key = f"{camera.hash} {library}"
        if key not in self.structures:
            choice = choice_for(camera, library=library)
            found = structure_of_camera(
                camera, choice, lambda done, total: tell(done / total, "choosing the meta-atoms")
            )
            self.structures = {key: found}
        centre = 1e-6 * centre_um[0], 1e-6 * centre_um[1]
        target = self.project.part("layouts") / f"{camera.hash[:16]}.png"
        with atomic_file(target) as part:
            atoms = draw_layout(part, self.structures[key], centre, 1e-6 * width_um)
        return {"picture": self.project.relative(target), "atoms": atoms}

    def _bank(self, path: str) -> PsfBank:
        place = self.project.inside(path)
        key = f"{place}:{place.stat().st_mtime_ns}" if place.is_file() else str(place)
        if key not in self.banks:
            self.banks = {key: read_psf_bank(place)}
        return self.banks[key]


def _metres(place_um: tuple[float, float]) -> tuple[float, float]:
    return 1e-6 * place_um[0], 1e-6 * place_um[1]


def _axis_and_edge(camera: Camera) -> np.ndarray:
    """Functions ``[2, 3, y, x]`` on the axis and at the right edge, at one wavelength of each channel.

    A lens that is being designed may be bad: no share of the light in the window is asked for.
    """
    from metalens.psf.camera_fields import view_of
    from metalens.psf.spectra.spectrum import spectral_quadrature

    wavelength, weight = spectral_quadrature(camera.spectrum, 1)
    sensor = camera.sensor
    edge = 0.5 * sensor.pixel_pitch_m * (sensor.pixels[1] - 1)
    view = view_of(camera, np.array([[0.0, 0.0], [0.0, edge]]), float(np.median(wavelength)))
    window = (_WATCHED_WINDOW, _WATCHED_WINDOW)
    simulator = view.simulator(wavelength, window=window, pixel_pitch=sensor.pixel_pitch_m, engine="auto")
    functions = np.stack([simulator.of_field(view.lens, field) for field in range(2)])
    return np.asarray(np.einsum("cw,fwyx->fcyx", weight, functions), dtype=np.float32)


def main() -> None:
    """Run the process: ``python -m metalens.app.lens_service PROJECT``."""
    state = Simulating(Project(Path(sys.argv[1])))
    answer_requests({name: getattr(state, name) for name in ("draw", "point", "focus", "design", "layout")})


if __name__ == "__main__":
    main()
