"""Which words made a decision, and how it formed while the text was read."""

from collections.abc import Sequence
from typing import assert_never

from rnnkit.errors import UsageError
from rnnkit.inspection.attribution_study import (
    MOST_EXACT,
    Attributions,
    IntegratedGradients,
    LeaveOneOut,
    Method,
    Progress,
    Shapley,
    attribute,
)
from rnnkit.tasks.text_classification.classifier import Classifier
from rnnkit.tasks.text_classification.predict import prediction_line
from rnnkit.views.formats import count, percent, shorten, signed
from rnnkit.views.plot import Axis, Bars, Figure, Line, Panel
from rnnkit.views.view import (
    Block,
    Cell,
    Column,
    Only,
    Pair,
    Section,
    Table,
    Text,
    Tile,
    Token,
    Tokens,
    View,
    table,
)

_CLASSES_DRAWN = 4
_TITLE_SHOWN = 60
_LABELLED = 60
_LABEL_SHOWN = 14
_UNKNOWN = "unknown to the model"


def attributions_view(
    classifier: Classifier,
    texts: Sequence[str],
    *,
    run: str,
    method: Method,
    class_name: str | None = None,
    is_bidirectional: bool = False,
    progress: Progress = lambda done, total: None,
) -> View:
    """Show which words of each text made the decision, and how it formed.

    Args:
        classifier: of the run.
        texts: any.
        run: its directory.
        method: of attributing the probability to tokens.
        class_name: the class whose probability is attributed; None is the one decided for.
        is_bidirectional: whether the network reads in both directions.
        progress: called with random orders done, and in all, for each text.

    Raises:
        UsageError: there is no such class.
        RunError: the model returned something else than finite numbers.
    """
    explained = None
    if class_name is not None:
        if class_name not in classifier.classes:
            raise UsageError(
                f"--class {class_name!r}: this run has no such class; it has "
                f"{', '.join(classifier.classes)}."
            )
        explained = classifier.classes.index(class_name)
    found = [
        attribute(classifier, text, method=method, explained=explained, progress=progress)
        for text in texts
    ]
    return show_attributions(
        found, classifier.classes, method=method, is_bidirectional=is_bidirectional, run=run
    )


def show_attributions(
    found: Sequence[Attributions],
    classes: Sequence[str],
    *,
    method: Method,
    is_bidirectional: bool,
    run: str,
) -> View:
    """Return the view of texts with attributions by a classifier of `run`, a directory."""
    sections = [
        Section(
            shorten(" ".join(one.text.split()) or "(no text)", _TITLE_SHOWN),
            _blocks(one, classes, name=f"curves-{index}"),
            lead=verdict(one, classes),
            printed=prediction_line(
                classes, one.label, one.probabilities, text=None if len(found) == 1 else one.text
            ),
            indent=2,
        )
        for index, one in enumerate(found)
    ]
    notes = note_lines(method, is_bidirectional=is_bidirectional)
    sections += [
        Section("How to read this page", tuple(map(Text, notes)), on="page"),
        Section("", (Text(_hint(method)),), on="terminal"),
    ]
    return View(
        title="Attributions",
        subject=run.rpartition("/")[2],
        sections=tuple(sections),
        document=_document(found, classes, run=run, method=method.option),
        tiles=(Tile("method", method.title), Tile("texts", str(len(found)))),
        picture=_picture(found[0], classes) if len(found) == 1 else None,
        compact=True,
    )


def _hint(method: Method) -> str:
    """Return which quantity was printed, and how it relates to that of another command."""
    if isinstance(method, LeaveOneOut):
        return "Changes are leave-one-out values, as in predict --explain."
    return (
        f"Changes are {method.title}; predict --explain shows leave-one-out values, as "
        "--method leave-one-out does."
    )


def verdict(one: Attributions, classes: Sequence[str]) -> str:
    """Return `Decided for positive, 97.1 %.`, and the explained class where it is another."""
    label = one.label
    told = f"Decided for {classes[label]}, {percent(float(one.probabilities[label]))}."
    if one.explained != label:
        other = percent(float(one.probabilities[one.explained]))
        told += f" Attributed is the probability of {classes[one.explained]}, {other}."
    return told


def _blocks(one: Attributions, classes: Sequence[str], *, name: str) -> tuple[Block, ...]:
    if not one.tokens:
        words = "No token that the model reads, so there is nothing to attribute."
        printed = Only("terminal", (Text("(no token to explain)"),))
        return Only("page", (Text(words, muted=True),)), printed
    explained = classes[one.explained]
    about = "about " if one.is_sampled else ""
    tokens = Tokens(
        tuple(
            Token(token.token, token.change, f"{token.token} {about}{signed(token.change)}")
            for token in one.tokens
        ),
        digits=3,
        spaced=True,
        legend=f"orange adds to the probability of {explained}, blue takes from it",
        without_colour=False,
    )
    curves = Panel("probability", _lines(one, classes), Axis("tokens read"), _UNIT, "above")
    figure = Figure(
        name,
        (curves,),
        f"Probabilities of the classes after each of {len(one.tokens)} tokens",
        title="How the decision forms",
        caption="Probabilities of the text cut after each token; in the table that of "
        f"{explained}.",
    )
    sums = Text(sum_line(one, explained), muted=True)
    return tokens, Pair((figure,), (_tokens_table(one, explained), sums))


def _tokens_table(one: Attributions, explained: str) -> Table:
    columns = [Column("token", "left"), Column(f"adds to {explained}")]
    columns += [Column("standard error")] if one.is_sampled else []
    columns += [Column("cut after it"), Column("", "left", on="terminal")]
    rows = [
        (
            Cell(token.token, below="" if token.is_known else _UNKNOWN),
            signed(token.change),
            *((f"{token.error:.4f}",) if one.is_sampled else ()),
            f"{after:.3f}",
            "" if token.is_known else _UNKNOWN,
        )
        for token, after in zip(one.tokens, one.after_each[:, one.explained].tolist(), strict=True)
    ]
    return table(columns, rows, caption="The tokens in their order")


def sum_line(one: Attributions, explained: str) -> str:
    """Return the sum of the changes, and the difference that it is compared with."""
    told = f"The changes add up to {signed(one.total)}."
    whole = float(one.probabilities[one.explained])
    if one.baseline is not None:
        told += (
            f" {explained}: {whole:.4f}, of {one.compared_with} {one.baseline:.4f}, a difference "
            f"of {signed(whole - one.baseline)}."
        )
    return told


# ------------------------------------------------------------------------------------- figures

_UNIT = Axis(low=-0.02, high=1.02)


def _picture(one: Attributions, classes: Sequence[str]) -> Figure:
    """Draw the changes as bars, and the probabilities of the text cut after each token below."""
    intervals = " (with 95 % intervals)" if one.is_sampled else ""
    explained = shorten(classes[one.explained])
    bars = Bars(
        [token.change for token in one.tokens],
        x=range(1, len(one.tokens) + 1),
        errors=[1.96 * token.error for token in one.tokens] if one.is_sampled else None,
        colour=None,
    )
    names = ("", *(shorten(token.token, _LABEL_SHOWN) for token in one.tokens))
    high = len(one.tokens) + 0.5
    x = (
        Axis(names=names, low=-0.5, high=high)
        if len(one.tokens) <= _LABELLED
        else Axis("tokens read", unit="integer", low=-0.5, high=high)
    )
    return Figure(
        "attributions",
        (
            Panel(f"adds to the probability of {explained}{intervals}", (bars,), x),
            Panel(
                "probability of the text cut after each token",
                _lines(one, classes),
                x,
                _UNIT,
                "above",
            ),
        ),
        "Changes by each token, and probabilities of the text cut after it.",
        width=min(6.0 + 0.16 * len(one.tokens), 24.0),
        height=6.4,
    )


def _lines(one: Attributions, classes: Sequence[str]) -> tuple[Line, ...]:
    drawn = list(range(len(classes)))
    if len(drawn) > _CLASSES_DRAWN:
        drawn = sorted({one.explained, one.label})
    # Not in the colours of changes; from the empty text on, so that the step of the first token
    # is seen as well.
    lines = []
    for colour, index in enumerate(drawn, start=2):
        after = [float(one.empty[index]), *one.after_each[:, index].tolist()]
        lines.append(Line(shorten(classes[index]), range(len(after)), after, colour=colour))
    return tuple(lines)


def note_lines(method: Method, *, is_bidirectional: bool) -> list[str]:
    """Return what the numbers mean, one paragraph each."""
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
                "token, as predict --explain shows it. Tokens that say the same cover for each "
                "other, so the changes need not add up to anything."
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
            "the curves show what it says of the text cut after each token, read again."
        )
    else:
        second = (
            "The curves show what the network says of the text cut after each token. It reads "
            "forwards, so this is its verdict while it reads."
        )
    return [first, second]


def _document(
    found: Sequence[Attributions], classes: Sequence[str], *, run: str, method: str
) -> dict[str, object]:
    return {
        "run": run,
        "classes": list(classes),
        "method": method,
        "texts": [
            {
                "text": one.text,
                "label": classes[one.label],
                "explained": classes[one.explained],
                "probabilities": dict(zip(classes, one.probabilities.tolist(), strict=True)),
                "empty_probabilities": dict(zip(classes, one.empty.tolist(), strict=True)),
                "baseline": one.baseline,
                "sampled": one.is_sampled,
                "tokens": [
                    {
                        "token": token.token,
                        "change": token.change,
                        "standard_error": token.error if one.is_sampled else None,
                        "known": token.is_known,
                        "probabilities_after": dict(zip(classes, after, strict=True)),
                    }
                    for token, after in zip(one.tokens, one.after_each.tolist(), strict=True)
                ],
            }
            for one in found
        ],
    }
