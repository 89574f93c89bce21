"""The app's start, and the latency of its slider of α: from the event in the browser to the picture on the screen.

    python benchmarks/app_slider.py [FOLDER]

Needs chromium and chromedriver (scripts/install_browser.sh). FOLDER keeps the project for the next time. The browser is
started when the app has told its address. Processor seconds are those of the app and of what it has started.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from driven_app import chromium, move_slider, open_view, restored, served, until  # noqa: E402

DRAGS, RELEASES = 200, 20

_DRAG = """
const [alpha, done] = arguments, slider = document.querySelector('[data-testid=alpha]'), begun = performance.now();
slider.value = alpha;
slider.dispatchEvent(new Event('input', {bubbles: true}));
const drawn = performance.now() - begun;
requestAnimationFrame(() => requestAnimationFrame(() => done([drawn, performance.now() - begun])));
"""
"""Moves the slider; its milliseconds until the canvases were told what to draw, and until the frame after they were."""


class Clock:
    """Seconds since the command, and processor seconds of the processes that it started."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def tell(self, what: str) -> None:
        """Print both."""
        spent = 0.0
        for process in psutil.Process().children():
            if "metalens.cli" in process.cmdline():
                for each in (process, *process.children(recursive=True)):
                    spent += sum(each.cpu_times()[:4])
        print(f"{what}: {time.monotonic() - self.begun:.1f} s after the command, {spent:.1f} processor seconds")


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(empty)
        clock = Clock()
        with served(folder) as address:
            clock.tell("address")
            _measure(address, clock)


def _measure(address: str, clock: Clock) -> None:
    with chromium() as browser:
        clock.tell("browser")
        open_view(browser, address)
        clock.tell("first page")
        url = "return document.querySelector('canvas[data-pane=restored]')?.dataset.url"
        until(lambda: browser.execute_script(url), "the first restored picture")
        clock.tell("first restored picture")
        canvas = restored(browser)
        clock.tell("all pictures ahead and figures")
        dragged = [browser.execute_async_script(_DRAG, 1.2 * (0.37 * number % 1)) for number in range(DRAGS)]
        exact = []
        for number in range(RELEASES):
            alpha = round(0.013 + 0.05 * number, 2)
            start = time.monotonic()
            move_slider(browser, alpha, release=True)
            until(lambda alpha=alpha: canvas.get_attribute("data-alpha") == f"{alpha:g}", "the exact picture")
            exact.append(time.monotonic() - start)
    for name, seen in zip(("script", "frame on the screen"), zip(*dragged, strict=True), strict=True):
        percentile = sorted(seen)[int(0.95 * DRAGS)]
        print(f"drag to the end of the {name}: median {statistics.median(seen):.1f} ms, 95 % {percentile:.1f} ms")
    print(
        f"release to the exact picture: median {1e3 * statistics.median(exact):.0f} ms, most {1e3 * max(exact):.0f} ms"
    )


if __name__ == "__main__":
    main()
