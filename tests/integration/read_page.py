"""A page as a browser would read it, without a browser."""

import re
from collections import Counter
from html.parser import HTMLParser

from rnnkit.views.html import style_sheet

VOID = {"meta", "link", "br", "hr"}


class Page(HTMLParser):
    """What is in a page: elements with attributes, texts, and whether elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text()
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text()
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._end_text()
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    def _end_text(self) -> None:
        self.texts.append("".join(self.pieces))
        self.pieces.clear()

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, given in self.elements if (value := given.get(name)) is not None]

    def tags(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)


def check_that_nothing_is_loaded(page: Page) -> None:
    """No script, no reference to anything outside the page, and a policy that forbids both."""
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & page.tags().keys()
    assert page.tags()["style"] == 1
    assert page.attributes("src") == []
    assert all(link.startswith("#") or link == "data:," for link in page.attributes("href"))
    assert not [name for _, given in page.elements for name in given if name.startswith("on")]
    styles = [style_sheet(), *page.attributes("style"), *page.attributes("clip-path")]
    assert all(re.fullmatch(r"#.*", url) for s in styles for url in re.findall(r"url\((.*?)\)", s))
    assert "@import" not in style_sheet()
    assert not [
        value for _, given in page.elements for value in given.values() if "://" in (value or "")
    ]
    policies = [value for value in page.attributes("content") if "default-src 'none'" in value]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
