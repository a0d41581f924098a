"""What a built site would load from another host when a page of it is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

# What a browser loads by itself, by tag; a link to click on is no such thing.
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
ELSEWHERE = re.compile(r"(https?:)?//")


def outside(site: Path) -> Iterator[str]:
    """Whatever a page or style sheet of the site loads from another address."""
    for path in site.rglob("*.html"):
        parser = _Loads()
        parser.feed(path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(site)}: {one}" for one in parser.found)
    for path in site.rglob("*.css"):
        for one in re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)", path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: {one}"


class _Loads(HTMLParser):
    """Addresses of another host that a page loads without a click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(LOADING.get(tag, ""), "") or ""
        if ELSEWHERE.match(address) and given.get("rel") not in ("canonical", "edit"):
            self.found.append(address)
