"""What comes with the package and needs no computation: adapters, and the point spread functions of one."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from metalens.app.project import Project
from metalens.formats.files.atomic import atomic_file

ADAPTERS = ("metacamera", "metacamera-200um")
"""Names of the embedded adapters, the default first."""


def embedded_bank(project: Project) -> Path:
    """The ``psf.h5`` of the embedded adapter, copied into the project so that commands can name it."""
    target = project.part("psf") / f"{ADAPTERS[0]}.h5"
    if not target.is_file():
        source = resources.files("metalens.restore") / "weights" / "adapters" / ADAPTERS[0] / "psf.h5"
        with atomic_file(target) as part:
            part.write_bytes(source.read_bytes())
    return target
