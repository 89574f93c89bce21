"""The view *Lens* in a real browser, Debian's chromium: what is shown is the bank's and the layout's."""

import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request

import gdstk
import pytest
from driven_app import (
    choose,
    open_view,
    press,
    resize,
    turn_slider,
    until,
    until_text,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from metalens.app.psf_picture import psf_picture
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.optics.layout.chosen import choice_for, structure_of_camera

from .app_in_browser import address, browser, folder, switch

__all__ = ["address", "browser", "folder"]

CAMERA = read_camera("metacamera")

pytestmark = pytest.mark.long  # a browser


def test_the_function_under_the_mouse_is_the_bank_s(browser, address, folder):
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    bank = read_psf_bank(folder / "metalens-app/psf/metacamera.h5")
    area = browser.find_element(By.CSS_SELECTOR, "div.metalens-square:not(.q-img) img")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
    # The corner at the top left is the first node.
    half = area.size["width"] // 2 - 3, area.size["height"] // 2 - 3
    ActionChains(browser).move_to_element_with_offset(area, -half[0], -half[1]).perform()
    expected = psf_picture(bank.intensity[0], "log")
    sources = "return [...document.querySelectorAll('.q-img img')].map(e => e.src)"
    until(lambda: expected in browser.execute_script(sources), "the function of the corner")


def test_a_second_lens_stands_beside_the_first_and_its_bank_is_computed_on_demand_and_kept(browser, address, folder):
    camera = CAMERA.model_copy(
        update={"lens": CAMERA.lens.model_copy(update={"aperture_um": 60.0, "focal_length_um": 500.0})}
    )
    (folder / "small.toml").write_text(dump_camera(camera), encoding="utf-8")
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    switch(browser, "Compare with a second lens")
    # Until another one is chosen, the second is the same lens.
    until(lambda: len(places_of_functions(browser)) == 2, "two functions")
    choose(browser, "Preset, or lens.toml of the project", "small.toml", 1)
    press(browser, "Compute its point spread functions")
    until_text(browser, "simulating point spread functions")
    until(lambda: len(places_of_functions(browser)) == 2, "the functions of both")
    (x, y), (beside, level) = places_of_functions(browser)
    assert beside > x + 300
    assert level == y
    read = read_camera(folder / "small.toml")
    bank = read_psf_bank(folder / f"metalens-app/psf/{read.hash[:16]}.h5")
    assert bank.camera.hash == read.hash
    middle = psf_picture(bank.intensity[len(bank.position) // 2], "log")
    sources = "return [...document.querySelectorAll('.q-img img')].map(e => e.src)"
    until(lambda: middle in browser.execute_script(sources), "the function of the second lens")
    resize(browser, 390)
    try:
        (x, y), (below, level) = until(lambda: places_of_functions(browser), "the same on a telephone")
        assert (below, level > y) == (x, True)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        resize(browser, 1280)
    # Kept by the hash of the lens: nothing is computed again.
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    switch(browser, "Compare with a second lens")
    until(lambda: len(places_of_functions(browser)) == 2, "the functions of both")


def places_of_functions(driver):
    """Left and top of the pictures of point spread functions that can be seen, in whole pixels."""
    shown = driver.find_elements(By.CSS_SELECTOR, ".q-img.metalens-square")
    return [(round(each.rect["x"]), round(each.rect["y"])) for each in shown if each.is_displayed()]


def drawn_layout(driver):
    """The picture of the layout, once it is drawn another time, and what is said of it."""
    return driver.execute_script(
        "const shown = document.querySelector('.q-img[aria-label=\"Layout of the lens\"] img');"
        "return shown?.complete && shown.naturalWidth ? shown.src : null"
    )


def said_window(driver):
    """Meta-atoms and width of the window in µm, as the page tells them; None before it does."""
    found = re.search(r"(\d+) meta-atoms in a window of ([\d.]+) µm\.", driver.find_element(By.TAG_NAME, "main").text)
    return None if found is None else (int(found[1]), float(found[2]))


def test_the_layout_is_zoomed_down_to_single_meta_atoms(browser, address):
    """From the aperture, 110 µm, to 2 µm; each step of twenty by the same factor."""
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    press(browser, "Draw")
    atoms, width = until(lambda: said_window(browser), "the whole lens")
    assert width == 110
    before = until(lambda: drawn_layout(browser), "the picture of the whole lens")
    turn_slider(browser, "Zoom into the layout", Keys.PAGE_UP)
    half = until(lambda: (said_window(browser) or (0, 110))[1] < 110 and said_window(browser), "half of the way")
    assert half[1] == pytest.approx((110 * 2) ** 0.5, rel=0.01)
    turn_slider(browser, "Zoom into the layout", Keys.PAGE_UP)
    few, least = until(lambda: said_window(browser) != half and said_window(browser), "the last step")
    assert least == 2
    assert atoms > half[0] > few > 0
    # As many as the lattice has sites in 2 µm × 2 µm.
    pitch = 1e6 * structure_of_camera(CAMERA, choice_for(CAMERA)).pitch
    assert few == pytest.approx((2 / pitch) ** 2, rel=0.5)
    after = until(lambda: drawn_layout(browser) not in (None, before) and drawn_layout(browser), "single meta-atoms")
    address_of_picture = after.partition("?")[0]
    assert address_of_picture == before.partition("?")[0]


def test_a_slider_of_the_layout_takes_a_click(browser, address):
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    slider = browser.find_element(By.CSS_SELECTOR, "[aria-label='Zoom into the layout']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    # A quarter of the track from its middle to the right.
    ActionChains(browser).move_to_element_with_offset(slider, slider.size["width"] // 4, 0).click().perform()
    _, width = until(lambda: said_window(browser), "the window")
    assert width == pytest.approx(110 * (2 / 110) ** 0.75, rel=0.01)


def test_the_layout_is_written_as_gdsii_by_the_shown_command(browser, address, folder, tmp_path):
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    press(browser, "Write as GDSII")
    link = until(lambda: browser.find_elements(By.LINK_TEXT, "Download the layout (GDSII)"), "the link")[0]
    commands = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".metalens-command")]
    (command,) = (each for each in commands if each.startswith("metalens export"))
    words = shlex.split(command)[1:]
    written = folder / words[words.index("--gds") + 1]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(address).read()
    downloaded = opener.open(link.get_attribute("href")).read()
    assert downloaded == written.read_bytes()
    words[words.index("--gds") + 1] = str(tmp_path / "again.gds")
    subprocess.run([sys.executable, "-m", "metalens.cli", *words], cwd=folder, check=True, capture_output=True)
    assert polygons_of(tmp_path / "again.gds") == polygons_of(written)


def polygons_of(path):
    """How many polygons a layout has, and what they cover, in µm and µm²."""
    library = gdstk.read_gds(path)
    (top,) = library.top_level()
    found = top.get_polygons()
    return len(found), sum(each.area() for each in found), top.bounding_box()


def test_the_sensor_is_moved_out_of_focus_by_the_slider(browser, address):
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    turn_slider(browser, "Defocus of the sensor in micrometres", Keys.PAGE_UP, Keys.ARROW_LEFT)
    # Ten steps of 4 µm and one back.
    until_text(browser, "simulated, defocus 36 µm")
    press(browser, "Move through the focus")
    until_text(browser, "µm. Positive: the sensor is farther from the lens.")
    curves = "return document.querySelectorAll('[aria-label=\"Modulation by defocus of the sensor\"] svg path').length"
    assert until(lambda: browser.execute_script(curves), "the curves") > 6
