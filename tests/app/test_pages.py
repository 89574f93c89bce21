"""The pages, without a browser: NiceGUI's own simulation of a user."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from nicegui.testing import user_simulation

from metalens.app.embedded import embedded_bank
from metalens.app.photographs import add_upload
from metalens.app.psf_picture import psf_picture
from metalens.app.server import page, pages
from metalens.formats.psf.bank_file import read_psf_bank


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


def element_of(user, marker):
    (element,) = user.find(marker=marker).elements
    return element


def test_the_function_under_the_mouse_is_the_bank_s(studio, project):
    bank = read_psf_bank(embedded_bank(project))

    async def visit():
        async with visited(studio, "/lens") as user:
            await user.should_see("node of the bank", retries=100)
            # The map is 420 pixels wide; its corner at the bottom right is the last node.
            user.find(marker="lens map").trigger(
                "mouse", {"mouse_event_type": "mousemove", "image_x": 418, "image_y": 418}
            )
            await user.should_see("y 350.0 µm, x 350.0 µm", retries=50)
            shown = [element_of(user, "lens function").source]
            element_of(user, "lens scale").set_value("linear")
            element_of(user, "lens channel").set_value("green")
            shown.append(element_of(user, "lens function").source)
            return shown

    assert asyncio.run(visit()) == [
        psf_picture(bank.intensity[-1], "log"),
        psf_picture(bank.intensity[-1, 1], "linear"),
    ]


def test_a_place_of_the_bank_is_simulated_alike(studio, project):
    bank = read_psf_bank(embedded_bank(project))
    path = project.relative(embedded_bank(project))

    async def ask(defocus):
        request = {"do": "point", "bank": path, "place_um": (1e6 * bank.position[0]).tolist(), "defocus_um": defocus}
        return np.load(project.folder / (await studio.simulating.ask(request))["functions"])

    found = np.tensordot(bank.channel_weight, asyncio.run(ask(0.0)), axes=1)
    # Single precision, and another order of sums than in the bank's batch.
    np.testing.assert_allclose(found, bank.intensity[0], rtol=1e-3, atol=1e-4 * bank.intensity[0].max())
    moved = np.tensordot(bank.channel_weight, asyncio.run(ask(30.0)), axes=1)
    assert np.abs(moved - bank.intensity[0]).max() > 0.05 * bank.intensity[0].max()


def test_a_specification_is_checked_while_it_is_typed(studio, project):
    async def visit():
        async with visited(studio, "/design") as user:
            await user.should_see(marker="sampling.window_pixels", retries=50)
            element_of(user, "sampling.window_pixels").set_value(24)
            await user.should_see("window_pixels 24 is even", retries=20)
            assert not element_of(user, "start").enabled
            element_of(user, "sampling.window_pixels").set_value(27)
            await user.should_not_see("is even")
            assert element_of(user, "start").enabled
            element_of(user, "name").set_value("../x")
            await user.should_see("The name takes letters", retries=20)
            assert not element_of(user, "start").enabled

    asyncio.run(visit())


@pytest.mark.usefixtures("pairs")
def test_pairs_are_filtered_and_told(studio):
    async def visit():
        async with visited(studio, "/data") as user:
            await user.should_see("2 simulated pairs of 64 × 64 pixels.", retries=50)
            await user.should_see("1 to 2 of 2 pairs")
            element_of(user, "photograph-name").set_value("other")
            await user.should_see("No pair passes.")

    asyncio.run(visit())
