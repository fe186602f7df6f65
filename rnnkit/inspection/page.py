"""The frame of every page that `rnnkit inspect` writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from rnnkit.views.frame import whole_page
from rnnkit.views.markup import Html, part, tag

MARK = "<!doctype html>\n<!-- rnnkit inspect -->\n"
"""How such a page begins; a file that begins otherwise is somebody else's."""

_LARGE = 12
"""Characters of a fact that still fit its tile in large letters."""

# Orange for what is above zero and blue for what is below, told apart with any colour vision and,
# beside each other, by the signs in the titles.
_STYLE = """\
:root { --plus: 217 95 2; --minus: 33 102 172; --strongest: .75; }
@media screen and (prefers-color-scheme: dark) {
  :root { --plus: 240 130 50; --minus: 90 160 230; --strongest: .55; }
}
h2, nav li { min-width: 0; overflow-wrap: anywhere; }
.coloured { margin: 0; font: .9375rem/1.75 var(--mono); white-space: pre-wrap;
  overflow-wrap: anywhere; unicode-bidi: isolate; tab-size: 4; }
.coloured span { border-radius: 2px; print-color-adjust: exact; }
.plus { background: rgb(var(--plus) / calc(var(--a) * var(--strongest))); }
.minus { background: rgb(var(--minus) / calc(var(--a) * var(--strongest))); }
.words { display: block; padding-top: 4px; overflow-wrap: anywhere; }
.named tbody th { white-space: nowrap; }
.prose p { margin: 0; max-width: 80ch; }
.prose p + p { margin-top: 8px; }
.scale { display: flex; align-items: center; gap: 8px; margin: 0 0 10px; color: var(--muted);
  font-size: .8125rem; font-variant-numeric: tabular-nums; }
.scale i { display: block; width: 140px; height: 10px; border-radius: 3px;
  print-color-adjust: exact;
  background: linear-gradient(to right, rgb(var(--minus) / var(--strongest)),
    transparent, rgb(var(--plus) / var(--strongest))); }
.card + .card, .card + h3, .scroll + .card, .card + .scroll { margin-top: 16px; }
"""


@dataclass(frozen=True)
class ColouredToken:
    """A piece of text, the number behind it, and what is said of it when it is pointed at."""

    text: str
    value: float
    title: str


@dataclass(frozen=True)
class PageSection:
    """A section: its heading, one or two sentences on what is shown, and markup.

    `body_html` is put into the page as it is: whatever text is in it has been escaped, as
    `rnnkit.views.markup` does.
    """

    heading: str
    note: str
    body_html: str


def inspection_page(
    *, title: str, run: str, facts: Sequence[tuple[str, str]], sections: Sequence[PageSection]
) -> str:
    """A complete HTML document.

    Args:
        title: what is inspected, as in `Hidden states`.
        run: name of the run, the heading of the page.
        facts: names and values of what is said first, as in `("cell", "LSTM")`.
        sections: in their order.
    """
    listed = [tag("div", tag("dt", name), tag("dd", _value(value))) for name, value in facts]
    header = tag(
        "header",
        tag("p", f"{title} · rnnkit inspect", class_="eyebrow"),
        tag("h1", run),
        tag("dl", *listed, class_="tiles") if listed else None,
    )
    parts = [
        part(f"part-{index}", section.heading, Html(section.body_html), lead=section.note or None)
        for index, section in enumerate(sections, start=1)
    ]
    return whole_page(
        mark=MARK,
        title=f"{run} · {title} · rnnkit inspect",
        header=header,
        parts=parts,
        skip="Skip to the contents",
        navigation="Parts of this page",
        more_style=_STYLE,
    )


def coloured_text(
    tokens: Sequence[ColouredToken], *, largest: float, digits: int, spaced: bool
) -> Html:
    """A text with a colour behind every token, and the scale of the colours.

    Args:
        tokens: in their order.
        largest: the number that gets the strongest colour.
        digits: of the numbers at the ends of the scale.
        spaced: blanks stand between the tokens.
    """
    scale = tag(
        "p",
        f"{-largest:+.{digits}f}",
        tag("i"),
        f"{largest:+.{digits}f}",
        class_="scale",
    )
    spans: list[Html | str] = []
    for index, token in enumerate(tokens):
        if spaced and index:
            spans.append(" ")
        share = token.value / largest if largest else 0.0
        spans.append(
            tag(
                "span",
                # A line break has no width of its own to be coloured.
                token.text.replace("\n", "⏎\n"),
                class_="plus" if share >= 0 else "minus",
                style=f"--a:{min(abs(share), 1.0):.2f}",
                title=token.title,
            )
        )
    return tag("div", scale, tag("p", *spans, class_="coloured"), class_="card")


def _value(value: str) -> Html:
    return tag("span", value, class_="value" if len(value) <= _LARGE else "words")
