"""Which words made a decision, as a page and as a picture."""

from collections.abc import Sequence
from typing import Any, assert_never

from rnnkit.inspection.attributions import (
    MOST_EXACT,
    Attributions,
    IntegratedGradients,
    LeaveOneOut,
    Method,
    Shapley,
)
from rnnkit.inspection.page import (
    ColouredToken,
    PageSection,
    coloured_text,
    inspection_page,
)
from rnnkit.views.canvas import draw, draw_png, legend_above, plain_axes
from rnnkit.views.markup import Html, join, table, tag
from rnnkit.views.style import DIVERGING, ON_PAGE, ON_PAPER, Palette
from rnnkit.views.words import count, share, short, signed

_CLASSES_DRAWN = 4
_TITLE_SHOWN = 60
_LABELLED = 60
_LABEL_SHOWN = 14


def attributions_page(
    found: Sequence[Attributions],
    classes: Sequence[str],
    *,
    method: Method,
    is_bidirectional: bool,
    run: str,
) -> str:
    """The whole page: a part for every text, and at the end how to read it."""
    facts = [("method", _method_name(method)), ("texts", str(len(found)))]
    sections = [
        PageSection(
            heading=_heading(one.text),
            note=verdict(one, classes),
            body_html=_body(one, classes, name=f"course-{index}"),
        )
        for index, one in enumerate(found)
    ]
    notes = note_lines(method, is_bidirectional=is_bidirectional)
    read = tag("div", *(tag("p", note) for note in notes), class_="card prose")
    sections.append(PageSection("How to read this page", "", read))
    return inspection_page(title="Attributions", run=run, facts=facts, sections=sections)


def _heading(text: str) -> str:
    words = " ".join(text.split()) or "(no text)"
    return words if len(words) <= _TITLE_SHOWN else f"{words[: _TITLE_SHOWN - 1].rstrip()}…"


def verdict(one: Attributions, classes: Sequence[str]) -> str:
    """`Decided for positive, 97.1 %.`, and what is shared out where that is another class."""
    label = one.label
    told = f"Decided for {classes[label]}, {share(float(one.probabilities[label]))}."
    if one.explained != label:
        other = share(float(one.probabilities[one.explained]))
        told += f" Shared out is the probability of {classes[one.explained]}, {other}."
    return told


def _body(one: Attributions, classes: Sequence[str], *, name: str) -> Html:
    if not one.tokens:
        return tag("p", "No token that the model reads, so nothing to share out.", class_="label")
    explained = classes[one.explained]
    tokens = [
        ColouredToken(
            token.token, token.change, _title(token.token, token.change, is_sampled=one.is_sampled)
        )
        for token in one.tokens
    ]
    rows = [
        (
            token.token if token.is_known else f"{token.token} (unknown to the model)",
            signed(token.change),
            *((f"{token.error:.4f}",) if one.is_sampled else ()),
            share(float(after)),
        )
        for token, after in zip(one.tokens, one.course[:, one.explained], strict=True)
    ]
    header = (
        "token",
        f"adds to {explained}",
        *(("standard error",) if one.is_sampled else ()),
        "cut after it",
    )
    figure = tag(
        "figure",
        tag("h3", "How the verdict forms"),
        draw(
            lambda figure: _paint_course(figure, one, classes, ON_PAGE),
            name=name,
            description=f"Probabilities of the classes after each of {len(rows)} tokens",
        ),
        tag(
            "figcaption",
            f"Probabilities of the text cut after each token; in the table that of {explained}.",
        ),
    )
    return join(
        [
            coloured_text(tokens, largest=one.largest, digits=3, spaced=True),
            tag(
                "div",
                figure,
                tag(
                    "div",
                    table(header, rows, caption="The tokens in their order"),
                    tag("p", sum_line(one, explained), class_="label"),
                ),
                class_="pair",
                style="margin-top:16px",
            ),
        ]
    )


def sum_line(one: Attributions, explained: str) -> str:
    """What the changes add up to, beside what there is to share out."""
    told = f"The changes add up to {signed(one.total)}."
    whole = float(one.probabilities[one.explained])
    if one.baseline is not None:
        told += (
            f" {explained}: {whole:.4f}, of {one.compared_with} {one.baseline:.4f}, a difference "
            f"of {signed(whole - one.baseline)}."
        )
    return told


def _title(token: str, change: float, *, is_sampled: bool) -> str:
    return f"{token} {'about ' if is_sampled else ''}{signed(change)}"


# ------------------------------------------------------------------------------------- figures


def attributions_picture(one: Attributions, classes: Sequence[str]) -> bytes:
    """The changes as bars and the course of the probabilities below them, as PNG."""
    width = min(6.0 + 0.16 * len(one.tokens), 24.0)
    return draw_png(lambda figure: _paint_both(figure, one, classes), width=width, height=6.4)


def _paint_both(figure: Any, one: Attributions, classes: Sequence[str]) -> None:
    upper, lower = figure.subplots(2, 1, sharex=True)
    places = range(1, len(one.tokens) + 1)
    colours = [DIVERGING[-1 if token.change >= 0 else 0] for token in one.tokens]
    errors = [1.96 * token.error for token in one.tokens] if one.is_sampled else None
    changes = [token.change for token in one.tokens]
    upper.bar(places, changes, color=colours, yerr=errors, ecolor=ON_PAPER.muted)
    upper.axhline(0.0, color=ON_PAPER.muted, linewidth=0.8)
    upper.grid(visible=False, axis="x")
    upper.set_title(
        f"Adds to the probability of {short(classes[one.explained])}"
        + (" (with 95 % intervals)" if one.is_sampled else ""),
        loc="left",
        fontsize=10.0,
    )
    _paint_lines(lower, one, classes, ON_PAPER)
    lower.set_title("Probability of the text cut after each token", loc="left", fontsize=10.0)
    if len(one.tokens) <= _LABELLED:
        names = [short_token(token.token) for token in one.tokens]
        lower.set_xticks(list(places), names, rotation=60, ha="right", rotation_mode="anchor")


def _paint_course(figure: Any, one: Attributions, classes: Sequence[str], palette: Palette) -> None:
    axes = plain_axes(figure, x_label="tokens read", y_label="probability")
    _paint_lines(axes, one, classes, palette)


def _paint_lines(axes: Any, one: Attributions, classes: Sequence[str], palette: Palette) -> None:
    drawn = list(range(len(classes)))
    if len(drawn) > _CLASSES_DRAWN:
        drawn = sorted({one.explained, one.label})
    # Not in the colours of what speaks for and against; from the empty text on, so that the step
    # of the first token is seen as well.
    for colour, index in zip(palette.series[2:], drawn, strict=False):
        course = [float(one.empty[index]), *one.course[:, index].tolist()]
        axes.plot(range(len(course)), course, color=colour, label=short(classes[index]))
    axes.set_ylim(-0.02, 1.02)
    axes.grid(visible=False, axis="x")
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend_above(axes)


def short_token(token: str) -> str:
    """A token for the axis of a picture."""
    return token if len(token) <= _LABEL_SHOWN else f"{token[: _LABEL_SHOWN - 1]}…"


def _method_name(method: Method) -> str:
    match method:
        case Shapley():
            return "Shapley values"
        case LeaveOneOut():
            return "leave-one-out"
        case IntegratedGradients():
            return "integrated gradients"
        case _:
            assert_never(method)


def note_lines(method: Method, *, is_bidirectional: bool) -> list[str]:
    """What the numbers mean, one paragraph each."""
    match method:
        case Shapley(pairs=pairs):
            first = (
                "Shapley values: what a token adds to the probability on average, over all orders "
                "in which the tokens could be put in. They add up to the difference between the "
                "text and the empty text, which the model reads as one unknown word. Texts of up "
                f"to {MOST_EXACT} tokens are computed from all subsets, longer ones estimated from "
                f"{count(pairs, 'pair')} of random orders, with a standard error."
            )
        case LeaveOneOut():
            first = (
                "Leave-one-out: the probability of the text minus that of the text without the "
                "token. Tokens that say the same cover for each other, so the changes need not "
                "add up to anything."
            )
        case IntegratedGradients(points=points):
            first = (
                "Integrated gradients: what the vector of a token adds while all vectors grow "
                "from zero to those of the text. The changes add up to the difference between "
                "the text and as many vectors of zero, but for the error of the integral, which is "
                f"taken at {count(points, 'point')}."
            )
        case _:
            assert_never(method)
    if is_bidirectional:
        second = (
            "This network reads in both directions, so it has no verdict in the middle of a text: "
            "the course shows what it says of the text cut after each token, read anew."
        )
    else:
        second = (
            "The course shows what the network says of the text cut after each token. It reads "
            "forwards, so this is its verdict while it reads."
        )
    return [first, second]
