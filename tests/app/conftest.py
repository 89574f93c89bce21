"""A project, and the restoring process' work in this process, which spares each test its start."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from metalens.app.lens_service import Simulating
from metalens.app.project import open_project
from metalens.app.restore_service import Restoring
from metalens.app.studio import Studio


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
