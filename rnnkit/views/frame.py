"""What every page of rnnkit has: one file, no script, nothing that is fetched from elsewhere."""

from collections.abc import Sequence

from rnnkit import __version__
from rnnkit.views.markup import Html, Part, tag
from rnnkit.views.style import STYLE_SHEET

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def whole_page(
    *,
    mark: str,
    title: str,
    header: Html,
    parts: Sequence[Part],
    skip: str,
    navigation: str,
    more_style: str = "",
) -> str:
    """A complete HTML document, the same for the same contents.

    Args:
        mark: how the file begins, by which a later run of the program knows its own.
        title: for the tab of the browser.
        header: a `<header>` above the navigation.
        parts: of the page, which the navigation leads to.
        skip: text of the link over header and navigation, for keyboards and screen readers.
        navigation: what the list of links is called by a screen reader.
        more_style: rules after those of the common style sheet.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Should a text ever slip through as markup, it can neither run nor load anything.
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(STYLE_SHEET + more_style)),
    )
    links = [tag("li", tag("a", part.title, href=f"#{part.name}")) for part in parts]
    menu = tag("nav", tag("ul", *links), aria_label=navigation)
    body = tag(
        "body",
        tag("a", skip, href="#content", class_="skip"),
        tag("div", header, menu, class_="wrap"),
        tag("main", *(part.content for part in parts), class_="wrap", id="content"),
        tag("div", tag("footer", f"Made by rnnkit {__version__}."), class_="wrap"),
    )
    return mark + tag("html", head, body, lang="en") + "\n"
