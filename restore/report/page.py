"""Pages of figures and pictures: one HTML file, without scripts and without anything from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1d2530; --soft: #5b6675;
  --line: #dde2e9; --accent: #b4501e; --best: #fbeee4; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181e; --card: #1c222a; --ink: #e4e8ee; --soft: #9aa5b4;
  --line: #303945; --accent: #e98a54; --best: #3a2a20; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.2rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .7rem; letter-spacing: -.005em; }
h3 { font-size: .95rem; margin: 1.4rem 0 .5rem; }
p { margin: .3rem 0 .8rem; max-width: 75ch; }
a { color: var(--accent); }
.soft, figcaption, .note { color: var(--soft); font-size: .87rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: .8rem;
  margin: 1.4rem 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .82rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem;
  overflow-x: auto; min-width: 0; }
.figures { display: grid; gap: 1rem; }
figure { margin: 0; }
figure > img { width: 100%; max-width: 880px; height: auto; display: block; background: #fff; border-radius: 6px; }
figure.broad > img { min-width: 520px; }
@media (min-width: 900px) { .figures { grid-template-columns: 1.55fr 1fr; align-items: start; } }
.figures > .whole { grid-column: 1 / -1; }
figcaption { margin-top: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .38rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); font-size: .8rem; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
.slim { max-width: 660px; }
td.best { background: var(--best); font-weight: 600; }
td.wide { white-space: normal; overflow-wrap: anywhere; text-align: left; }
.versions { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: .7rem; }
.versions > div { min-width: 0; }
.versions .name { font-weight: 600; font-size: .85rem; margin-bottom: .25rem; }
.frame { position: relative; line-height: 0; }
.frame img, .zooms img { width: 100%; height: auto; display: block; border-radius: 4px; }
.box { position: absolute; border: 2px solid; border-radius: 2px; }
.zooms { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; margin-top: 4px; }
.zooms img { image-rendering: pixelated; border: 2px solid; }
.centre { border-color: #f2c14e !important; }
.edge { border-color: #56c1d6 !important; }
.numbers { font-size: .78rem; line-height: 1.45; margin-top: .35rem; font-variant-numeric: tabular-nums;
  color: var(--soft); }
.numbers b { color: var(--ink); font-weight: 600; }
@media (max-width: 620px) { main { padding: 1.2rem .8rem 3rem; } h1 { font-size: 1.35rem; }
  .versions { grid-template-columns: repeat(2, 1fr); } th, td { padding: .3rem .45rem; } }
@media print { body { background: #fff; } .card, .tile { break-inside: avoid; } }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page.

    Args:
        title: as plain text.
        parts: of its body, as HTML.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def number(value: float | None, digits: int) -> str:
    """A figure as tables have it."""
    return "–" if value is None else f"{value:.{digits}f}"


def text(value: object) -> str:
    """Plain text as HTML."""
    return html.escape(str(value))
