"""The app in Debian's chromium, driven by selenium: for the tests, the pictures in the documents and the benchmark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PATIENCE = 240.0
"""Seconds until waiting is given up."""

_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Start the app on a folder.

    Args:
        folder: the project; made where it is missing.

    Yields:
        Its address, with the token.

    Raises:
        SystemExit: the app did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # NiceGUI behaves otherwise where it thinks that a test runs in its own process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "metalens.cli", "app", str(folder), "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            if not told:
                raise SystemExit("metalens app did not start; its sentence on stderr says why.")
            yield json.loads(told)["url"]
        finally:
            process.terminate()
            process.wait()


@contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A headless browser.

    Args:
        width: of the page in pixels.
        height: of the page in pixels.

    Yields:
        Its driver.
    """
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        raise SystemExit("chromium and chromedriver are not installed; run scripts/install_browser.sh.")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        resize(browser, width, height)
        yield browser
    finally:
        browser.quit()


def resize(browser: Any, width: int, height: int = 900) -> None:
    """Set the size of the page.

    Args:
        browser: its driver.
        width: in pixels.
        height: in pixels.
    """
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def until(look: Callable[[], Any], what: str) -> Any:
    """Wait for a truth and give it.

    Args:
        look: called again and again.
        what: is waited for.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}")


def open_view(browser: Any, address: str, path: str = "/") -> None:
    """Open a view and wait until it is built.

    Args:
        browser: its driver.
        address: of the app, with the token.
        path: of the view.
    """
    browser.get(address.replace("/?", f"{path}?"))
    until(lambda: browser.find_elements(By.CSS_SELECTOR, ".metalens-card"), "the view")


def restored(browser: Any) -> Any:
    """Wait until pictures are decoded ahead and measured, and give the canvas of the restored one."""
    until(lambda: browser.find_elements(By.CSS_SELECTOR, ".metalens-table td"), "the figures")
    return browser.find_element(By.CSS_SELECTOR, "canvas[data-pane=restored]")


def move_slider(browser: Any, alpha: float, *, release: bool) -> None:
    """Move the slider of α, as a mouse does.

    Args:
        browser: its driver.
        alpha: where to.
        release: let it go there.
    """
    browser.execute_script(
        "const s = document.querySelector('[data-testid=alpha]'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input', {bubbles: true}));"
        "if (arguments[1]) s.dispatchEvent(new Event('change', {bubbles: true}));",
        alpha,
        release,
    )


def turn_slider(browser: Any, label: str, *keys: str) -> None:
    """Move a slider of a form by keys.

    Args:
        browser: its driver.
        label: of the slider.
        keys: pressed one after another, of selenium's ``Keys``: the arrows move it by a step, page up and down by ten.
    """
    slider = browser.find_element(By.CSS_SELECTOR, f"[role=slider][aria-label='{label}']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
    # Of Quasar's slider it is the track that takes the focus.
    slider.find_element(By.CSS_SELECTOR, "[tabindex='0']").send_keys(*keys)


def type_number(browser: Any, label: str, value: str) -> None:
    """Type into the visible input of a form.

    Args:
        browser: its driver.
        label: of the input; folded groups may have others of this name.
        value: what is typed in the place of what it holds.
    """
    boxes = browser.find_elements(By.CSS_SELECTOR, f"input[aria-label='{label}']")
    box = next(each for each in boxes if each.is_displayed())
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(value)
    # The input waits for the next key.
    time.sleep(0.6)


def press(browser: Any, text: str) -> None:
    """Press the first button of a name that can be pressed, as soon as there is one.

    Args:
        browser: its driver.
        text: on the button.
    """

    def found() -> list[Any]:
        buttons = browser.find_elements(By.XPATH, f"//button[.//*[text()='{text}']]")
        return [each for each in buttons if each.is_displayed() and each.is_enabled()]

    button = until(found, text)[0]
    # Not under the header, which stays where it is.
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def choose(browser: Any, label: str, option: str, number: int = 0) -> None:
    """Choose an option of a list.

    Args:
        browser: its driver.
        label: of the list.
        option: its text.
        number: of the list among those of this label that can be seen, from 0.
    """
    boxes = browser.find_elements(By.XPATH, f"//label[.//input[@aria-label='{label}']]")
    box = [each for each in boxes if each.is_displayed()][number]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
    box.click()
    found = until(lambda: browser.find_elements(By.XPATH, f"//*[@role='option'][.//*[text()='{option}']]"), option)
    found[0].click()


def until_text(browser: Any, text: str) -> None:
    """Wait until the page says something.

    Args:
        browser: its driver.
        text: a part of what it says.
    """

    def shown() -> str:
        return str(browser.find_element(By.TAG_NAME, "main").text)

    try:
        until(lambda: text in shown(), text)
    except AssertionError as error:
        raise AssertionError(f"{error}; the page says: {shown()[-1000:]}") from None
