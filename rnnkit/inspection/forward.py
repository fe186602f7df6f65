"""What a network computes of a text, step by step, in the tables that textbooks draw by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.errors import DataError
from rnnkit.inspection.arithmetic import Block, after_blocks, logits_block, step_blocks
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject, Subject
from rnnkit.network.reference import run, softmax
from rnnkit.views.formats import MISSING, clip, number, shorten
from rnnkit.views.plot import Axis, Figure, HeatMap, Panel
from rnnkit.views.view import Cell, Group, Section, Table, Text, Tile, View, table

_MOST_UNITS, _MOST_TOKENS, _MOST_LETTERS = 32, 48, 10
"""In pictures."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model expects after a token.

    `probability` and `loss` (nats) are of the token that comes next in the text; `actual` is
    None at its end.
    """

    predicted: str
    predicted_probability: float
    actual: str | None
    probability: float | None
    loss: float | None


@dataclass(frozen=True, eq=False)
class Step:
    """One token and what became of it. `blocks` are empty for steps that are not shown."""

    number: int
    token: str
    blocks: tuple[Block, ...]
    prediction: Prediction | None


@dataclass(frozen=True, eq=False)
class Forward:
    """A text through a network.

    `steps` has every token. `after` are the blocks that come once for the whole text: pooling,
    dense layers and classes of a classifier. `states` float64[time, units] are the outputs of the
    last recurrent layer, `probable` float64[time, columns] the probabilities of the tokens that
    pictures show, or the attention; `probable_names` these tokens.
    """

    steps: tuple[Step, ...]
    after: tuple[Block, ...]
    probabilities: tuple[tuple[str, float], ...]
    states: np.ndarray
    probable: np.ndarray | None
    probable_names: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        """Labels of all tokens."""
        return tuple(step.token for step in self.steps)


def forward_view(
    subject: Subject, text: str, *, units: int = 8, steps: int = 5, digits: int = 4
) -> View:
    """Send `text` through a network from a zero state.

    Args:
        subject: the network.
        text: what it reads.
        units: numbers of every vector that are shown.
        steps: tokens whose arithmetic is shown.
        digits: behind the decimal point.

    Raises:
        DataError: the text is empty, or holds what the vocabulary lacks.
    """
    # Weights that were given may well lead out of the range of the numbers: `inf` is then shown.
    with np.errstate(over="ignore", invalid="ignore"):
        match subject:
            case LanguageSubject():
                found = language_forward(subject, text, units=units, steps=steps)
            case ClassifierSubject():
                found = classifier_forward(subject, text, units=units, steps=steps)
            case _:
                assert_never(subject)
    return show_forward(found, name=subject.name, origin=subject.origin, text=text, digits=digits)


def language_forward(subject: LanguageSubject, text: str, *, units: int, steps: int) -> Forward:
    """Send `text` through a language model from a zero state.

    Raises:
        DataError: the text is empty, or holds what the vocabulary lacks.
    """
    ids, notes = np.array(subject.vocabulary.encode(text), np.int64), []
    if not len(ids):
        raise DataError("The text is empty; give at least one token to read.")
    context = subject.context
    if context is not None:
        if len(ids) > context:
            notes.append(
                f"This model reads {context} tokens for a prediction, so of {len(ids)} the last "
                f"{context} are read."
            )
            ids = ids[-context:]
        if len(ids) > 1:
            notes.append(
                f"It was trained to predict after {context} tokens; the predictions after fewer "
                "are shown all the same."
            )
    trace = run(subject.network, ids[np.newaxis])
    probabilities = softmax(trace.logits[0])
    label = subject.vocabulary.label
    read = tuple(
        Step(
            number=t + 1,
            token=label(int(index)),
            blocks=(
                *step_blocks(subject.network, trace, t, units, label),
                logits_block(subject, trace.logits[0, t], probabilities[t], units),
            )
            if t < steps
            else (),
            prediction=_prediction(subject, probabilities[t], ids[t + 1 : t + 2]),
        )
        for t, index in enumerate(ids)
    )
    shown = np.sort(np.argsort(-probabilities.max(axis=0), kind="stable")[:units])
    return Forward(
        steps=read,
        after=(),
        probabilities=(),
        states=trace.layers[-1].output[0],
        probable=probabilities[:, shown],
        probable_names=tuple(label(int(index)) for index in shown),
        notes=tuple(notes),
    )


def classifier_forward(subject: ClassifierSubject, text: str, *, units: int, steps: int) -> Forward:
    """Send `text` through a classifier, word by word, to the probabilities of the classes."""
    ids = np.array(subject.encoder.encode(text), np.int64)
    notes = []
    if not subject.encoder.tokenize(text):
        notes.append("The text has no tokens; it is read as one unknown word.")
    trace = run(subject.network, ids[np.newaxis])
    tokens = [subject.encoder.vocabulary.token_of(int(index)) for index in ids]
    read = tuple(
        Step(
            number=t + 1,
            token=token,
            blocks=tuple(step_blocks(subject.network, trace, t, units, str)) if t < steps else (),
            prediction=None,
        )
        for t, token in enumerate(tokens)
    )
    probabilities = softmax(trace.logits[0] / subject.temperature)
    attention = [part.weights[0] for part in trace.pooled if part.weights is not None]
    return Forward(
        steps=read,
        after=tuple(after_blocks(subject, trace, probabilities, units)),
        probabilities=tuple(zip(subject.classes, map(float, probabilities), strict=True)),
        states=trace.layers[-1].output[0],
        probable=np.stack(attention, axis=1) if attention else None,
        probable_names=("attention",) if attention else (),
        notes=tuple(notes),
    )


def _prediction(
    subject: LanguageSubject, probabilities: np.ndarray, following: np.ndarray
) -> Prediction:
    best = int(probabilities.argmax())
    label = subject.vocabulary.label
    probability = float(probabilities[following[0]]) if len(following) else None
    return Prediction(
        predicted=label(best),
        predicted_probability=float(probabilities[best]),
        actual=label(int(following[0])) if len(following) else None,
        probability=probability,
        # Smaller than any float64 is as surprising as the smallest.
        loss=None if probability is None else float(-np.log(max(probability, 5e-324))),
    )


# ----------------------------------------------------------------------------------------- view


def show_forward(found: Forward, *, name: str, origin: str, text: str, digits: int) -> View:
    """Return the view of a text that went through the network called `name`."""
    overview, picture = _overview(found, digits), _picture(found)
    shown = [step for step in found.steps if step.blocks]
    hidden = len(found.steps) - len(shown)
    lead = "Each table is one layer at one step; its columns are units or tokens."
    if hidden:
        lead += f" The first {len(shown)} of {len(found.steps)} steps are shown."
    more = f"; the arithmetic of {hidden} more steps is not shown (--steps)" if hidden else ""
    groups = tuple(_step(step, digits, is_open=step is shown[0]) for step in shown)
    after = tuple(block.as_table(digits) for block in found.after)
    sections = [
        Section("", printed=f"{name} ({origin})", on="terminal"),
        Section("Classes" if found.probabilities else "Predictions", (overview,), on="page"),
        Section(
            "States and probabilities",
            (picture,),
            "Orange is above zero, blue below; the stronger, the larger.",
            on="page",
        ),
        Section("Step by step", groups, lead, printed="", spaced=True),
        Section("After the last token", after, indent=2, spaced=True),
        Section("", (overview,), printed=f"Overview{more}", on="terminal"),
    ]
    return View(
        title="Forward pass",
        subject=name.rpartition("/")[2],
        sections=tuple(
            section for section in sections if section.blocks or section.on == "terminal"
        ),
        document={"subject": name, "weights_are": origin, "text": text, **_document(found)},
        tiles=(
            Tile("text", clip(text, 60)),
            Tile("tokens", number(len(found.steps))),
            Tile("weights", origin),
        ),
        notes=found.notes,
        picture=picture,
    )


def _step(step: Step, digits: int, *, is_open: bool) -> Group:
    blocks: list[Table | Text] = [block.as_table(digits) for block in step.blocks]
    if step.prediction is not None:
        blocks.append(Text(_sentence(step.prediction, digits)))
    return Group(f"Step {step.number}: reads {step.token}", tuple(blocks), is_open)


def _sentence(prediction: Prediction, digits: int) -> str:
    said = f"predicts {prediction.predicted} ({prediction.predicted_probability:.{digits}f})"
    if prediction.actual is None or prediction.probability is None:
        return f"{said}; the text ends here"
    verdict = "right" if prediction.predicted == prediction.actual else "wrong"
    return (
        f"{said}; next is {prediction.actual} ({prediction.probability:.{digits}f}): {verdict}, "
        f"loss {prediction.loss:.{digits}f} nats"
    )


def _overview(found: Forward, digits: int) -> Table:
    if found.probabilities:
        rows = [(name, _probability(value, digits)) for name, value in found.probabilities]
        caption = "Probabilities of the classes"
        return table(("class", "probability"), rows, left=("class",), caption=caption)
    listed: list[Sequence[str | Cell]] = []
    for step in found.steps:
        one = step.prediction
        assert one is not None
        listed.append(
            (
                str(step.number),
                Cell(step.token, literal=True),
                Cell(one.predicted, literal=True),
                _probability(one.predicted_probability, digits),
                MISSING if one.actual is None else Cell(one.actual, literal=True),
                MISSING if one.probability is None else _probability(one.probability, digits),
                number(one.loss, digits),
            )
        )
    header = ("step", "reads", "predicts", "p", "next", "p(next)", "loss")
    left = ("reads", "predicts", "next")
    return table(header, listed, left=left, caption="What is predicted after each token")


def _probability(value: float, digits: int) -> Cell:
    return Cell(f"{value:.{digits}f}", bar=value)


def _document(found: Forward) -> dict[str, object]:
    return {
        "steps": [
            {
                "step": step.number,
                "token": step.token,
                "prediction": None if step.prediction is None else vars(step.prediction),
                "blocks": [block.document for block in step.blocks],
            }
            for step in found.steps
        ],
        "after": [block.document for block in found.after],
        "probabilities": dict(found.probabilities) or None,
        "notes": list(found.notes),
    }


def _picture(found: Forward) -> Figure:
    """Draw the states over the tokens, and the probabilities or the attention below them."""
    tokens = tuple(shorten(token, _MOST_LETTERS) for token in found.tokens[:_MOST_TOKENS])
    states = found.states[: len(tokens), :_MOST_UNITS].T
    more = found.states.shape[1] - len(states)
    largest = float(np.abs(states).max()) or 1.0
    title = f"hidden state, largest {largest:.2f}" + (f"; {more} more units" if more else "")
    x, y = Axis(names=tokens), Axis("unit", unit="integer")
    panels = [Panel(title, (HeatMap(states, largest),), x, y, grid="none")]
    description = f"Heat map of {len(states)} hidden units over {len(found.steps)} tokens."
    if found.probable is not None:
        values = found.probable[: len(tokens)].T
        names = tuple(shorten(name, _MOST_LETTERS) for name in found.probable_names)
        is_attention = names == ("attention",)
        title = "attention" if is_attention else "probability of the next token"
        title += f", largest {values.max():.2f}"
        marks = (HeatMap(values, float(values.max()) or 1.0),)
        panels.append(Panel(title, marks, x, Axis(names=names), grid="none"))
        description += f" Below it {title} of {', '.join(names)}."
    return Figure(
        "forward",
        tuple(panels),
        description,
        width=5.0 + 0.08 * max(0, len(tokens) - 12),
        height=3.0 if found.probable is None else 5.0,
    )
