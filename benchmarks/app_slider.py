"""Latency of the slider of α in the app: from the event in the browser to the shown picture, and to the exact one.

    python benchmarks/app_slider.py [FOLDER]

Needs chromium and chromedriver (scripts/install_browser.sh). FOLDER keeps the project for the next time.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(empty)
        begun = time.monotonic()
        with served(folder) as address, chromium() as browser:
            open_view(browser, address)
            print(f"first page: {time.monotonic() - begun:.1f} s after the command")
            url = "return document.querySelector('canvas[data-pane=restored]')?.dataset.url"
            until(lambda: browser.execute_script(url), "the first restored picture")
            print(f"first restored picture: {time.monotonic() - begun:.1f} s after the command")
            canvas = restored(browser)
            print(f"all pictures ahead and figures: {time.monotonic() - begun:.1f} s after the command")
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
