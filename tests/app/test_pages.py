"""The pages, without a browser: NiceGUI's own simulation of a user."""

import asyncio
import io
import shutil
from contextlib import asynccontextmanager

import numpy as np
import pytest
from nicegui.testing import user_simulation
from PIL import Image

from metalens.app.chart import Chart
from metalens.app.embedded import embedded_bank
from metalens.app.frame import VIEWS
from metalens.app.held_out import held_out_folder
from metalens.app.photographs import add_upload
from metalens.app.psf_picture import psf_picture
from metalens.app.server import page, pages
from metalens.formats.camera.size import focus_range_um
from metalens.formats.design.spec import dump_design, read_design
from metalens.formats.psf.bank_file import read_psf_bank


@asynccontextmanager
async def visited(studio, path="/"):
    """A user who has opened a page."""
    async with user_simulation(page(studio)) as user:
        pages(studio)
        await user.open(path)
        yield user
        # A page that has gone, or NiceGUI waits two seconds for its loop of updates.
        user.client.delete()


def text_of(user, marker):
    (element,) = user.find(marker=marker).elements
    return element.text


@pytest.mark.long
def test_a_capture_of_an_unknown_camera_is_restored_after_a_click_with_a_loud_warning(studio, project, scene_png):
    add_upload(project, scene_png, "<b>scene</b>.png")
    other = io.BytesIO()
    Image.fromarray(np.zeros((64, 80, 3), np.uint8)).save(other, "PNG")
    other = add_upload(project, other.getvalue(), "other.png")

    async def visit():
        async with visited(studio) as user:
            await user.should_see("is not of this adapter's camera", retries=100)
            assert "<b>scene</b>.png" in text_of(user, "sentence")
            await user.should_not_see("metalens restore")
            user.find(marker="all-the-same").click()
            await user.should_see("WARNING: made for another lens", retries=200)
            await user.should_see("metalens restore", retries=200)
            found = text_of(user, "command")
            await user.should_see("The clean picture is not known.", retries=300)
            # Of another photograph nothing is known yet.
            element_of(user, "photograph").set_value(other.key)
            await user.should_see("other.png is not of this adapter's camera", retries=100)
            await user.should_not_see("metalens restore")
            await user.should_not_see("The clean picture is not known.")
            return found

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
            # Once the figures are drawn, the field angle is known.
            await user.should_see("µm, 26.3° (node of the bank)", retries=200)
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
        with np.load(project.folder / (await studio.simulating.ask(request))["arrays"]) as arrays:
            return dict(arrays)

    found = asyncio.run(ask(0.0))
    channels = np.tensordot(bank.channel_weight, found["functions"], axes=1)
    # Single precision, and another order of sums than in the bank's batch.
    np.testing.assert_allclose(channels, bank.intensity[0], rtol=1e-3, atol=1e-4 * bank.intensity[0].max())
    np.testing.assert_allclose(found["width"], bank.by_channel.full_width_half_maximum[0], rtol=1e-3)
    # The embedded bank is of version 0.2: its modulation refers to the light in the window.
    relative = found["modulation"] / found["modulation"][..., :1]
    np.testing.assert_allclose(relative, bank.by_channel.modulation[0], atol=1e-3)
    np.testing.assert_allclose(found["modulation"][..., 0], np.stack([found["share"]] * 2, axis=-1), rtol=1e-3)
    moved = np.tensordot(bank.channel_weight, asyncio.run(ask(30.0))["functions"], axes=1)
    assert np.abs(moved - bank.intensity[0]).max() > 0.05 * bank.intensity[0].max()


@pytest.mark.long
def test_the_sensor_moves_through_the_focus(studio, project):
    """Over twice the depth of focus, as the slider does; in focus they are the bank's, but of all light."""
    bank = read_psf_bank(embedded_bank(project))
    reach = focus_range_um(bank.camera.lens, float(np.median(bank.wavelength)))

    async def visit():
        async with visited(studio, "/lens") as user:
            await user.should_see("node of the bank", retries=100)
            slider = element_of(user, "lens defocus")
            user.find(marker="lens focus").click()
            await user.should_see("and 71 cycles/mm; sharpest at red", retries=100)
            element_of(user, "lens focus-frequency").set_value(0.5)
            await user.should_see("and 143 cycles/mm; sharpest at red")
            (chart,) = (
                each for each in user.find(Chart).elements if each.props["aria-label"].startswith("Modulation by d")
            )
            # The event of a released slider comes before its throttled value.
            user.find(marker="lens defocus").trigger("change", 40)
            await user.should_see("simulated, defocus 40 µm", retries=100)
            return float(slider.props["max"]), chart.options["series"]

    most, series = asyncio.run(visit())
    assert 0.9 * reach < most <= reach
    across, values = np.array([each["data"] for each in series]).transpose(2, 1, 0)
    np.testing.assert_allclose(across[[0, 20, 40], 0], [-reach, 0, reach], atol=1e-6)
    centre, frequency = len(bank.position) // 2, int(np.abs(1e-3 * bank.by_channel.frequency - 143).argmin())
    held = bank.by_channel.modulation[centre, ..., frequency] * bank.by_channel.window_share[centre][:, None]
    np.testing.assert_allclose(values[20], held.ravel(), atol=1e-3)


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


def test_the_form_holds_the_specification_of_the_design_that_is_shown(studio, project):
    spec = read_design("held").with_(name="mine", camera={"lens": {"aperture_um": 123}})
    (project.part("specifications") / "mine.toml").write_text(dump_design(spec), encoding="utf-8")
    (project.part("designs") / "mine.toml").write_text("of a finished design", encoding="utf-8")
    project.remember(design="mine", spec="held")

    async def visit():
        async with visited(studio, "/design") as user:
            await user.should_see("mine is designed already; give another name to start again.", retries=50)
            assert element_of(user, "camera.lens.aperture_um").value == 123
            assert not element_of(user, "start").enabled
            element_of(user, "name").set_value("other")
            assert element_of(user, "start").enabled
            await user.should_not_see("is designed already")

    asyncio.run(visit())


@pytest.mark.long
def test_every_view_tells_that_the_folder_is_gone(studio, project):
    shutil.rmtree(project.folder)

    async def visit():
        for path in VIEWS:
            async with visited(studio, path) as user:
                await user.should_see("is gone; end the app, and start it in another folder.")

    asyncio.run(visit())
    assert not project.folder.exists()


def test_pairs_are_filtered_and_told(studio, project, pairs):
    shutil.copytree(pairs, held_out_folder(project))

    async def visit():
        async with visited(studio, "/data") as user:
            await user.should_see("2 simulated pairs of 64 × 64 pixels.", retries=50)
            # Whatever split its manifest gives them, no training may use the photographs that the app begins with.
            await user.should_see("held out, metacamera")
            element_of(user, "pairs").set_value("pairs")
            await user.should_see("train, metacamera", retries=50)
            await user.should_see("1 to 2 of 2 pairs")
            element_of(user, "photograph-name").set_value("other")
            await user.should_see("No pair passes.")

    asyncio.run(visit())
