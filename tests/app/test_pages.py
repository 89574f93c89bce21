"""The pages, without a browser: NiceGUI's own simulation of a user."""

import asyncio
from contextlib import asynccontextmanager

from nicegui.testing import user_simulation

from metalens.app.photographs import add_upload
from metalens.app.server import page, pages


@asynccontextmanager
async def visited(studio, path="/"):
    """A user who has opened a page."""
    async with user_simulation(page(studio)) as user:
        pages(studio)
        await user.open(path)
        yield user


def text_of(user, marker):
    (element,) = user.find(marker=marker).elements
    return element.text


def test_a_capture_of_an_unknown_camera_is_restored_after_a_click_with_a_loud_warning(studio, project, scene_png):
    add_upload(project, scene_png, "<b>scene</b>.png")

    async def visit():
        async with visited(studio) as user:
            await user.should_see("is not of this adapter's camera", retries=100)
            assert "<b>scene</b>.png" in text_of(user, "sentence")
            await user.should_not_see("metalens restore")
            user.find(marker="all-the-same").click()
            await user.should_see("WARNING: made for another lens", retries=200)
            await user.should_see("metalens restore", retries=200)
            return text_of(user, "command")

    command = asyncio.run(visit())
    assert command.endswith("--adapter metacamera --alpha 0.75 --place 168,160")


def test_the_picture_of_a_released_slider_is_shown_and_remembered(studio, project, scene_png):
    add_upload(project, scene_png, "scene.png")

    async def visit():
        async with visited(studio) as user:
            await user.should_see(marker="all-the-same", retries=100)
            user.find(marker="all-the-same").click()
            await user.should_see("The clean picture is not known.", retries=300)
            panes = user.find(marker="panes")
            panes.trigger("alpha", 0.33)
            await user.should_see("--alpha 0.33", retries=100)
            (element,) = panes.elements
            return element.shown["pictures"]

    pictures = asyncio.run(visit())
    assert pictures[-1]["alpha"] == 0.33
    assert pictures[-1]["url"].endswith("/alpha0.33.png")
    assert {each["alpha"] for each in pictures} >= {0.0, 0.5, 0.75, 1.0}
    assert project.state()["alpha"] == 0.33
