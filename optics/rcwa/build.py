"""Computes a library from its specification, in parallel processes, one meta-atom per job, resumable."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.formats.meta_atoms.shapes import parameters_of
from metalens.formats.meta_atoms.spec import LibrarySpec, parse_library_spec
from metalens.optics.rcwa.atom import compute_atom
from metalens.optics.rcwa.layer import FORMULATION
from metalens.optics.rcwa.materials import database_version, material_name
from metalens.optics.rcwa.plan import LibraryPlan, plan_library
from metalens.optics.rcwa.slab import slab_transmission
from metalens.runners.job import Progress, Runner

ASKED = "asked.json"
"""File with the settings in the folder of meta-atoms."""

_TABLES = ("transmission", "transmittance", "reflectance", "height_slope", "index_slope")


def build_library(
    text: str,
    parts: Path,
    runner: Runner,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AtomLibrary:
    """Compute a library.

    Every meta-atom is written to a file of its own at once, so that an interrupted run can be resumed. The
    result does not depend on the number of processes, if each has one thread.

    Args:
        text: of the specification.
        parts: a folder for these files; the caller removes it when the library is written.
        runner: where the jobs run.
        resume: use the meta-atoms of an earlier run of the same specification in the folder.
        progress: called with the number of meta-atoms done and their total.

    Returns:
        The library with its tables, refractive indices and estimated errors.

    Raises:
        InputError: the specification cannot be used, or the folder holds another one's meta-atoms.
    """
    plan = plan_library(parse_library_spec(text))
    with claimed_folder(parts, ASKED, asked_of(text), resume=resume):
        paths = [parts / f"{atom:05d}.npz" for atom in range(len(plan.geometry))]
        missing = [atom for atom, path in enumerate(paths) if not path.is_file()]
        progress(len(paths) - len(missing), len(paths))
        specs = [{"text": text, "parts": str(parts.resolve()), "atom": atom} for atom in missing]
        for done, _ in enumerate(runner.run(COMPUTE, specs), start=len(paths) - len(missing) + 1):
            progress(done, len(paths))
        return _assembled(plan, text, [_load(path) for path in paths])


def asked_of(text: str) -> dict[str, Any]:
    """What the results of a run depend on: the specification and the versions of the packages."""
    versions = {name: version(name) for name in ("fmmax", "jax", "numpy", "scipy")}
    return {"specification": tomllib.loads(text), "versions": versions | {"materials": database_version()}}


COMPUTE = "metalens.optics.rcwa.build:compute_part"
"""The job's name."""


def compute_part(spec: Mapping[str, Any], progress: Progress) -> None:
    """Compute one meta-atom and write its file; runs as a job in a worker process.

    Args:
        spec: ``text`` of the library's specification, ``atom``: index of the meta-atom, ``parts``: output folder.
        progress: not used.
    """
    del progress
    # The same bits whether or not the machine has a GPU.
    with jax.default_device(jax.devices("cpu")[0]):
        tables = compute_atom(plan_library(parse_library_spec(spec["text"])), spec["atom"])
    with atomic_file(Path(spec["parts"]) / f"{spec['atom']:05d}.npz") as part, part.open("wb") as file:
        np.savez(file, **tables)  # type: ignore[arg-type]


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: is damaged ({error}); remove it, and --resume computes it again.") from error


def _assembled(plan: LibraryPlan, text: str, atoms: list[dict[str, np.ndarray]]) -> AtomLibrary:
    spec: LibrarySpec = plan.spec
    tables = {name: np.stack([atom[name] for atom in atoms], axis=2) for name in _TABLES}
    return AtomLibrary(
        name=spec.name,
        shape=plan.shape,
        material=material_name(spec.materials.meta_atom),
        substrate=material_name(spec.materials.substrate),
        surrounding=material_name(spec.materials.surrounding),
        lattice=spec.array.lattice,
        light_from=spec.light.comes_from,
        pitch=plan.pitch,
        height=plan.height,
        parameter_names=parameters_of(plan.shape),
        geometry=plan.geometry,
        families=plan.families,
        family=plan.family,
        wavelength=plan.wavelength,
        angle=plan.angle,
        polarisations=spec.light.polarisations,
        empty=empty_cell(plan),
        orders=np.stack([atom["orders"] for atom in atoms]),
        error=np.stack([atom["error"] for atom in atoms]),
        material_index=plan.meta_atom,
        substrate_index=plan.substrate,
        surrounding_index=plan.surrounding,
        provenance={
            "spec": text,
            "solver": f"fmmax {version('fmmax')}, {FORMULATION.value}",
            "materials": f"refractiveindex.info {database_version()}",
            "tolerance": f"{spec.accuracy.tolerance:g}",
        },
        **tables,
    )


def empty_cell(plan: LibraryPlan) -> np.ndarray:
    """``[polarisation, angle, wavelength]`` transmission of a site without meta-atom: a slab, in closed form."""
    filling = plan.meta_atom if plan.families[0].shape.endswith("hole") else plan.surrounding
    return np.array(
        [
            [
                [
                    slab_transmission(
                        before=complex(plan.before[place]),
                        slab=complex(filling[place]),
                        behind=complex(plan.behind[place]),
                        height=plan.height,
                        wavelength=float(plan.wavelength[place]),
                        angle=float(angle),
                        polarisation=polarisation,
                    )
                    for place in range(len(plan.wavelength))
                ]
                for angle in plan.angle
            ]
            for polarisation in plan.spec.light.polarisations
        ]
    )
