"""Files over HTTP: only those of the app, and maps of α only of the photograph's size."""

import io

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from metalens.app.files import routes, url_of
from metalens.app.photographs import add_upload
from metalens.formats.pictures.pictures import read_picture

RESTORER = "01234567-89abcdef"


@pytest.fixture
def client(project):
    application = FastAPI()
    application.include_router(routes(project))
    return TestClient(application)


def grey(rows, columns):
    file = io.BytesIO()
    Image.fromarray(np.full((rows, columns), 77, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_file_of_the_app_is_served(client, project, scene_png):
    given = add_upload(project, scene_png, "scene.png")
    answer = client.get(url_of(project.relative(given.capture)))
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == given.capture.read_bytes()


def test_a_layout_is_downloaded_unchanged(client, project):
    written = project.part("layouts") / "lens.gds"
    written.write_bytes(bytes(range(256)))
    answer = client.get(url_of(project.relative(written)))
    assert (answer.status_code, answer.content) == (200, written.read_bytes())


@pytest.mark.parametrize(
    "path", ["secret.png", "metalens-app/../secret.png", "metalens-app/state.json", "metalens-app/x.png"]
)
def test_no_other_file_is_served(client, project, path):
    (project.folder / "secret.png").write_bytes(b"secret")
    project.remember(scheme="dark")
    answer = client.get(f"/file/{path.replace('..', '%2e%2e')}")
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_no_file_outside_the_project_is_served(client, project):
    project.part()
    (project.own / "link.png").symlink_to("/etc/hostname")
    answer = client.get("/file/metalens-app/link.png")
    assert (answer.status_code, "lies outside the project folder" in answer.text) == (403, True)


def test_a_map_is_kept_under_its_content(client, project, scene_png):
    given = add_upload(project, scene_png, "scene.png")
    (given.folder / RESTORER).mkdir()
    answer = client.post(f"/alpha-map/{given.key}/{RESTORER}", content=grey(64, 80))
    kept = read_picture(given.folder / RESTORER / answer.json()["map"])
    assert kept.shape == (64, 80, 3)
    assert (kept == 77).all()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (grey(80, 64), "the map of α has 80 × 64 pixels, the photograph 64 × 80"),
        (b"no picture", "the map of α: not a picture that can be read"),
    ],
)
def test_a_wrong_map_is_answered_with_a_sentence(client, project, scene_png, content, sentence):
    given = add_upload(project, scene_png, "scene.png")
    (given.folder / RESTORER).mkdir()
    answer = client.post(f"/alpha-map/{given.key}/{RESTORER}", content=content)
    assert answer.status_code == 400
    assert sentence in answer.text


@pytest.mark.parametrize("place", ["../../x", "0123456789abcdef/..", f"0123456789abcdef/{RESTORER}"])
def test_a_map_goes_nowhere_else(client, place):
    assert client.post(f"/alpha-map/{place}", content=grey(64, 80)).status_code in (400, 404, 405, 422)
