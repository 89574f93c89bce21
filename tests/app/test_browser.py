"""The app in a real browser, Debian's chromium: what is shown is what the commands write, to the bit."""

import os
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from struct import pack

import numpy as np
import pytest
from app_pictures import LARGEST, take
from driven_app import (
    move_slider,
    open_view,
    press,
    resize,
    restored,
    served,
    type_number,
    until,
    until_text,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from metalens.formats.camera.camera import read_camera
from metalens.formats.pairs.manifest import read_manifest
from metalens.formats.pairs.reader import is_pairs_folder
from metalens.formats.pictures.pictures import read_picture, write_picture

from .app_in_browser import address, browser, folder, switch, text_of

__all__ = ["address", "browser", "folder"]

CAMERA = read_camera("metacamera")

pytestmark = pytest.mark.long  # a browser, and networks that restore whole photographs


@pytest.fixture(scope="module")
def pairs(browser, address, folder):
    """The further held-out photographs, which the view Restore makes after the first picture."""
    open_view(browser, address)
    marker = folder / "metalens-app/held-out" / read_when_there(folder).shards[-1].marker
    until(marker.is_file, "the held-out photographs")


def read_when_there(folder):
    """The manifest of the held-out photographs, which is there before they are."""
    pairs = folder / "metalens-app/held-out"
    until(lambda: is_pairs_folder(pairs), "their manifest")
    return read_manifest(pairs)


def picture_at(folder, url):
    return read_picture(folder / url.partition("/file/")[2])


def by_command(folder, command):
    """The picture that the shown command writes."""
    arguments = shlex.split(command)[1:]
    shutil.rmtree(folder / "restored", ignore_errors=True)
    run = [sys.executable, "-m", "metalens.cli", *arguments]
    subprocess.run(run, cwd=folder, check=True, capture_output=True, env=dict(os.environ))
    return read_picture(next(path for path in (folder / "restored").glob("*.png") if "uncertainty" not in path.name))


def test_a_dragged_slider_shows_a_near_picture_and_a_released_one_the_command_s(browser, address, folder):
    open_view(browser, address)
    canvas = restored(browser)
    before = canvas.get_attribute("data-url")
    move_slider(browser, 0.22, release=False)
    # In the same turn of the browser, without the server.
    assert canvas.get_attribute("data-alpha") == "0.25"
    assert canvas.get_attribute("data-url") != before
    move_slider(browser, 0.22, release=True)
    until(lambda: canvas.get_attribute("data-alpha") == "0.22", "the exact picture")
    until(lambda: "--alpha 0.22" in text_of(browser, ".metalens-command"), "the command")
    shown = picture_at(folder, canvas.get_attribute("data-url"))
    np.testing.assert_array_equal(shown, by_command(folder, text_of(browser, ".metalens-command")))


def test_a_painted_map_is_applied(browser, address, folder):
    open_view(browser, address)
    canvas = restored(browser)
    switch(browser, "Brush for α")
    until(lambda: browser.find_elements(By.XPATH, "//*[@aria-label='Radius of the brush in pixels']"), "the brush")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    paint = ActionChains(browser).move_to_element(canvas).click_and_hold().move_by_offset(60, 30).release()
    paint.perform()
    until(lambda: "--alpha-map" in text_of(browser, ".metalens-command"), "the command with a map")
    until(lambda: "map-" in canvas.get_attribute("data-url"), "the picture by the map")
    shown = picture_at(folder, canvas.get_attribute("data-url"))
    command = text_of(browser, ".metalens-command")
    words = shlex.split(command)
    brushed = read_picture(folder / words[words.index("--alpha-map") + 1])
    assert len(np.unique(brushed)) > 1
    np.testing.assert_array_equal(shown, by_command(folder, command))


def test_the_curtain_and_the_expected_error(browser, address, folder):
    open_view(browser, address)
    canvas = restored(browser)
    # The adapter makes its pictures consistent by itself.
    assert not browser.find_element(By.XPATH, "//*[text()='Consistent with the capture']").is_displayed()
    shown = picture_at(folder, canvas.get_attribute("data-url"))
    np.testing.assert_array_equal(shown, by_command(folder, text_of(browser, ".metalens-command")))
    switch(browser, "Expected error (orange)")
    until(lambda: list(folder.glob("metalens-app/photographs/*/*/*-uncertainty.png")), "the expected error")
    browser.find_element(By.XPATH, "//*[text()='Curtain']").click()
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "canvas[data-pane=curtain]"), "the curtain")


PANES = """
const panes = [...document.querySelectorAll('canvas[data-pane]')];
return [panes.map(e => e.toDataURL()), [...new Set(panes.map(e => getComputedStyle(e).touchAction))].join()];
"""

WHEEL = """
const pane = document.querySelector('canvas[data-pane=captured]'), event = new WheelEvent('wheel',
  {deltaY: arguments[0], bubbles: true, cancelable: true, clientX: 300, clientY: 300});
pane.dispatchEvent(event);
return event.defaultPrevented;
"""


def test_zoom_and_pan_are_linked_over_all_panes_and_a_whole_picture_lets_the_page_scroll(browser, address):
    open_view(browser, address)
    restored(browser)
    until(lambda: len(browser.execute_script(PANES)[0]) == 4, "four panes")
    whole = browser.execute_script(PANES)
    seen = [whole[0]]
    for key in ("+", Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        browser.find_element(By.CSS_SELECTOR, "canvas[data-pane=captured]").send_keys(key)
        seen.append(browser.execute_script(PANES)[0])
        assert [one == other for one, other in zip(*seen[-2:], strict=True)] == [False] * 4
    assert (whole[1], browser.execute_script(PANES)[1]) == ("pan-y", "none")
    browser.find_element(By.CSS_SELECTOR, "canvas[data-pane=clean]").send_keys("0")
    assert browser.execute_script(PANES) == whole
    assert [browser.execute_script(WHEEL, turned) for turned in (100, -100, 300, 100)] == [False, True, True, False]


def test_hostile_uploads_are_answered_with_a_sentence(browser, tmp_path):
    """In a project of its own: the app shows the last photograph again, and of this one no clean picture is known."""
    (tmp_path / "project").mkdir()
    with served(tmp_path / "project") as address:
        open_view(browser, address)
        restored(browser)
        names = {
            "<img src=x onerror=document.title='caught'>.png": b"<html>no picture</html>",
            "bomb.png": bomb(30_000),
        }
        for name, data in names.items():
            (tmp_path / name.replace("/", "_")).write_bytes(data)
            chooser = browser.find_element(By.CSS_SELECTOR, "input[type=file]")
            chooser.send_keys(str(tmp_path / name.replace("/", "_")))
            part = "not a picture that can be read" if data.startswith(b"<") else "bomb.png: more than 128000000 pixels"
            until(lambda part=part: part in (text_of(browser, ".metalens-warning") or ""), part)
        assert browser.title == "metalens"
        write_picture(tmp_path / "other.png", np.random.default_rng(0).integers(0, 200, (90, 120, 3), dtype=np.uint8))
        browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(tmp_path / "other.png"))
        until(lambda: "not of this adapter's camera" in (text_of(browser, ".metalens-warning") or ""), "the refusal")
        browser.find_element(By.XPATH, "//*[contains(text(), 'Restore it all the same')]").click()
        until(lambda: "made for another lens" in (text_of(browser, ".metalens-warning") or ""), "the warning")
        # Or the page would go on asking the app that ends here.
        browser.get("about:blank")


def bomb(side):
    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("change", ["no token", "wrong token", "foreign host"])
def test_a_request_that_may_not_pass_gets_a_sentence(address, change):
    url = address if change == "foreign host" else address.partition("?")[0]
    request = urllib.request.Request(url + ("?token=wrong" if change == "wrong token" else ""))
    if change == "foreign host":
        request.add_header("Host", "evil.example")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    assert b"metalens app printed" in refused.value.read()


@pytest.mark.parametrize("path", ["/", "/lens", "/design", "/data"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_and_everything_has_a_name(browser, address, width, scheme, path):
    resize(browser, width)
    try:
        open_view(browser, address, path)
        browser.find_element(By.XPATH, f"//button[@aria-label='Colours: {scheme}']").click()
        until(lambda: browser.execute_script(f"return document.body.classList.contains('body--{scheme}')"), scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        nameless = browser.execute_script(
            "return [...document.querySelectorAll('button, input:not([type=file]), canvas, img')].filter(e =>"
            " e.offsetParent && !(e.ariaLabel || e.getAttribute('aria-label') || e.alt || e.innerText ||"
            " e.labels?.length || e.closest('label') || e.tabIndex < 0)).map(e => e.outerHTML.slice(0, 120))"
        )
        assert nameless == []
    finally:
        resize(browser, 1280)


def test_nothing_is_asked_of_another_machine_and_nothing_fails_in_the_browser(browser, address):
    open_view(browser, address)
    restored(browser)
    urls = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    here = address.partition("/?")[0]
    assert [url for url in urls if not url.startswith((here, "data:", "blob:", here.replace("http", "ws")))] == []
    assert [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []


def test_ending_the_app_leaves_nothing_half_written(tmp_path):
    with served(tmp_path) as address:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"metalens" in opener.open(address).read()
    assert list(tmp_path.rglob("*.part")) == []


def test_an_app_that_was_ended_in_its_first_seconds_begins_where_it_was(browser, tmp_path):
    with served(tmp_path) as address:
        open_view(browser, address)
        # They begin when the first picture is shown.
        last = read_when_there(tmp_path).shards[-1]
        browser.get("about:blank")
    pairs = tmp_path / "metalens-app/held-out"
    assert not (pairs / last.marker).exists()
    assert list(tmp_path.rglob("*.part")) == []
    with served(tmp_path) as address:
        open_view(browser, address)
        # While the photographs are made, the page is loaded again.
        browser.refresh()
        restored(browser)
        until(lambda: len(list((tmp_path / "metalens-app/photographs").iterdir())) == 3, "all photographs")
        assert (pairs / last.marker).exists()
        assert text_of(browser, ".metalens-warning") in (None, "")
        browser.get("about:blank")


READ = """
const light = (text) => {
  const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (!/, 0\\)$|transparent/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const found = [];
const written = 'main svg text, main button:not([disabled]), main a, main label, main h2, main .metalens-faint';
for (const element of document.querySelectorAll(written)) {
  if (!element.getClientRects().length || !element.textContent.trim()) continue;
  const style = getComputedStyle(element), ink = element.tagName === 'text' ? style.fill : style.color;
  const [low, high] = [light(ink), light(behind(element))].sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < 4.5) found.push([element.textContent.trim(), ink, behind(element)]);
}
return found;
"""


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("path", ["/", "/lens", "/design", "/data"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(browser, address, scheme, path):
    """By 4.5 at least, which WCAG 2 asks for (success criterion 1.4.3), on charts, too."""
    open_view(browser, address, path)
    browser.find_element(By.XPATH, f"//button[@aria-label='Colours: {scheme}']").click()
    until(lambda: browser.execute_script(f"return document.body.classList.contains('body--{scheme}')"), scheme)
    if path == "/":
        until_text(browser, "Download the picture")
    else:
        until(lambda: browser.find_elements(By.CSS_SELECTOR, "main svg text"), "a chart")
    browser.execute_script("document.getAnimations().forEach((each) => each instanceof CSSTransition && each.finish())")
    assert browser.execute_script(READ) == []


def test_a_design_is_started_stopped_and_resumed(browser, address, folder):
    open_view(browser, address, "/design")
    until_text(browser, "camera.lens")
    for label, value in (("aperture_um (µm)", "60"), ("focal_length_um (µm)", "150"), ("steps", "300")):
        type_number(browser, label, value)
    checkpoint, lens = (folder / "metalens-app/designs" / name for name in ("design-1.checkpoint.npz", "design-1.toml"))
    press(browser, "Start")
    # Before its first step nothing is kept.
    until_text(browser, ", best loss ")
    press(browser, "Stop")
    until_text(browser, "can be resumed")
    assert checkpoint.exists()
    # Loaded again, the page knows.
    open_view(browser, address, "/design")
    until_text(browser, "can be resumed")
    press(browser, "Resume")
    until_text(browser, "steps.")
    assert lens.exists()
    assert not checkpoint.exists()


@pytest.mark.usefixtures("pairs")
def test_pairs_are_shown_with_their_places(browser, address):
    open_view(browser, address, "/data")
    cells = until(lambda: browser.find_elements(By.CSS_SELECTOR, ".metalens-cell"), "the contact sheet")
    assert len(cells) == 2
    loaded = "return [...document.querySelectorAll('.metalens-cell img')].every(e => e.naturalWidth === 256)"
    until(lambda: browser.execute_script(loaded), "the pictures")
    assert browser.find_elements(By.CSS_SELECTOR, "svg[aria-label='place on the sensor: row 0, column 0']")
    assert "held out, metacamera" in cells[0].text


def test_the_pictures_of_the_documents_are_taken(browser, address, tmp_path):
    resize(browser, 1280)
    take(browser, address, tmp_path)
    pictures = {path.name: read_picture(path) for path in tmp_path.iterdir()}
    assert sorted(pictures) == ["app-data.png", "app-design.png", "app-lens.png", "app-restore.png"]
    for name, picture in pictures.items():
        assert picture.shape[1] == 960
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 30, name
        assert (tmp_path / name).stat().st_size < LARGEST
