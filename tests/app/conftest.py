"""A project, and the restoring process' work in this process, which spares each test its start."""

import asyncio
import io
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from metalens.app.embedded import embedded_bank
from metalens.app.lens_service import Simulating
from metalens.app.project import open_project
from metalens.app.restore_service import Restoring
from metalens.app.studio import Studio
from metalens.cli import metalens
from metalens.formats.pictures.pictures import write_picture


class InThisProcess:
    """Answers as a service does."""

    def __init__(self, handlers):
        self.handlers = handlers

    async def ask(self, request, tell=lambda share, text: None):
        await asyncio.sleep(0)
        arguments = dict(request)
        return getattr(self.handlers, arguments.pop("do"))(tell, **arguments)

    async def stop(self):
        pass


@pytest.fixture
def project(tmp_path):
    return open_project(tmp_path)


@pytest.fixture
def studio(project):
    found = Studio(project)
    found.restoring = InThisProcess(Restoring(project))
    found.simulating = InThisProcess(Simulating(project))
    return found


@pytest.fixture(scope="session")
def scene():
    """A small picture with edges, ``[y, x, 3]`` uint8."""
    rows, columns = np.mgrid[:64, :80]
    waves = 110 + 70 * np.sign(np.sin(rows / 5) * np.cos(columns / 7))
    return np.stack([waves, 0.8 * waves, 255 - waves], axis=-1).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def scene_png(scene):
    file = io.BytesIO()
    Image.fromarray(scene).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def made_pairs(scene, tmp_path_factory):
    """Two pairs of 64 × 64 pixels of the embedded camera, of one photograph; another one is no picture."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "photographs").mkdir()
    write_picture(folder / "photographs" / "good.png", np.tile(scene, (3, 3, 1)))
    (folder / "photographs" / "bad.png").write_bytes(b"no picture")
    words = ["synth", folder / "photographs", "-o", folder / "pairs", "--psf", embedded_bank(open_project(folder))]
    made = CliRunner().invoke(metalens, [*map(str, words), "--count", "2", "--crop", "64x64"], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return folder / "pairs"


@pytest.fixture
def pairs(project, made_pairs):
    """The same in the project's folder."""
    return shutil.copytree(made_pairs, project.folder / "pairs")
