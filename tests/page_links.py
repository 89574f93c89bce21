"""The files that an HTML page shows and links."""

from __future__ import annotations

from html.parser import HTMLParser


class Sources(HTMLParser):
    """The files that a page shows and links."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        del tag
        self.found |= {value for name, value in attrs if name in ("src", "href")}
