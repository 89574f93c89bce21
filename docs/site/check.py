"""Check the built site: every link leads to a page and a place on it, and no page loads anything from outside.

python docs/site/check.py build/docs/html
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("video", "src")}
"""Attributes by which a browser loads a file with the page."""

NOT_LOADED = {"canonical", "prev", "next", "search", "index", "author", "license"}
"""Kinds of ``<link>`` that only name a page."""


class Page(HTMLParser):
    """Links, loaded files and anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what an element names; see :class:`html.parser.HTMLParser`."""
        named = {name: value for name, value in attrs if value is not None}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        for name, value in named.items():
            if (tag, name) in LOADED and named.get("rel") not in NOT_LOADED:
                self.loaded.add(value)
            elif name in ("href", "src"):
                self.links.add(value)


def check(site: Path) -> list[str]:
    """What is wrong with a site, each as a sentence.

    Args:
        site: folder of its pages.
    """
    # Templates of the theme lie among its static files.
    places = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts)
    pages = {path: _parsed(path) for path in places}
    if not pages:
        return [f"{site}: holds no pages; build them first."]
    wrong = []
    for path, page in pages.items():
        for link in sorted(page.links | page.loaded):
            told = _fault(link, path, pages, loaded=link in page.loaded)
            if told:
                wrong.append(f"{path.relative_to(site)}: {told}")
    return wrong


def _parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _fault(link: str, path: Path, pages: dict[Path, Page], *, loaded: bool) -> str | None:
    parts = urlsplit(link)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return f"{link} is loaded from outside." if loaded else None
    place = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if not place.exists():
        return f"{link} leads nowhere."
    page = pages.get(place)
    if parts.fragment and page is not None and unquote(parts.fragment) not in page.anchors:
        return f"{link} leads to no place of that page."
    return None


if __name__ == "__main__":
    faults = check(Path(sys.argv[1]).resolve())
    print("\n".join(faults) or "every link of the site leads somewhere, and nothing is loaded from outside")
    sys.exit(bool(faults))
