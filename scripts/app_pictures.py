"""Pictures of the app's views for the documents.

    python scripts/app_pictures.py docs/images [PROJECT]

Starts the app on an empty project, or on a folder that keeps it for the next time, waits until each view shows
something, and writes app-restore.png, app-lens.png, app-design.png and app-data.png. Needs chromium and chromedriver
(scripts/install_browser.sh).
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from driven_app import chromium, open_view, press, resize, restored, served, type_number, until, until_text
from PIL import Image
from selenium.webdriver.common.by import By

LARGEST = 300_000
"""Bytes of a picture."""

_WIDTH = 960
_DRAWN = 1.5
"""Seconds for charts and pictures to appear."""


def keep(browser: Any, target: Path, height: int) -> None:
    """Take a picture of the top of the page, small enough for the documents.

    Args:
        browser: its driver.
        target: the PNG file.
        height: of the page in pixels.
    """
    resize(browser, 1280, height)
    time.sleep(_DRAWN)
    page = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    page = page.resize((_WIDTH, round(page.height * _WIDTH / page.width)), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    page.save(data, "PNG", optimize=True)
    for colours in (256, 128, 64):
        if data.tell() < LARGEST:
            break
        data = io.BytesIO()
        page.quantize(colours, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    target.write_bytes(data.getvalue())
    print(f"{target}: {data.tell()} bytes")


def design(browser: Any, address: str) -> None:
    """Design a small lens, to its end."""
    open_view(browser, address, "/design")
    until_text(browser, "camera.lens")
    # A name of its own: the project may have designs already.
    type_number(browser, "Name of the design", "small")
    for label, value in (("aperture_um (µm)", "120"), ("focal_length_um (µm)", "300"), ("steps", "80")):
        type_number(browser, label, value)
    press(browser, "Start")
    until_text(browser, "steps.")
    until_text(browser, "PSF, edge")


def take(browser: Any, address: str, folder: Path) -> None:
    """Take all pictures.

    Args:
        browser: its driver.
        address: of the app, with the token.
        folder: where they go.
    """
    open_view(browser, address)
    browser.find_element(By.XPATH, "//button[@aria-label='Colours: auto']").click()
    restored(browser)
    keep(browser, folder / "app-restore.png", 1400)
    open_view(browser, address, "/lens")
    until_text(browser, "node of the bank")
    until(lambda: len(browser.find_elements(By.CSS_SELECTOR, ".metalens-figures img")) > 2, "the figures")
    press(browser, "Move through the focus")
    until_text(browser, "sharpest at")
    browser.execute_script("window.scrollTo(0, 0)")
    keep(browser, folder / "app-lens.png", 1590)
    design(browser, address)
    keep(browser, folder / "app-design.png", 1200)
    open_view(browser, address, "/data")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, ".metalens-cell img"), "the contact sheet")
    keep(browser, folder / "app-data.png", 900)


def main(folder: Path, project: Path) -> None:
    """Start the app and take the pictures.

    Args:
        folder: where they go; made where it is missing.
        project: that the app works in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with served(project) as address, chromium() as browser:
        take(browser, address, folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else empty))
