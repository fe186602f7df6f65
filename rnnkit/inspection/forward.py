"""What a network computes of a text, step by step, in the tables that textbooks draw by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.errors import DataError
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject, Subject
from rnnkit.network.reference import Layer, LayerTrace, Trace, run, softmax
from rnnkit.network.reference_cells import CellTrace, Recurrent
from rnnkit.network.spec import EmbeddingInput, OneHotInput, ScaledInput


@dataclass(frozen=True, eq=False)
class Line:
    """A vector with its name; `result` marks what the next part of the network reads."""

    name: str
    values: np.ndarray
    result: bool = False


@dataclass(frozen=True, eq=False)
class Block:
    """Vectors of the same length below each other: what one layer computes at one step.

    `columns` are the names of the shown numbers, `hidden` is how many more there are.
    """

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    hidden: int


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
    last recurrent layer, `shares` float64[time, columns] the probabilities of the tokens that the
    pictures show, `share_names` these tokens.
    """

    steps: tuple[Step, ...]
    after: tuple[Block, ...]
    probabilities: tuple[tuple[str, float], ...]
    states: np.ndarray
    shares: np.ndarray | None
    share_names: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        """Labels of all tokens."""
        return tuple(step.token for step in self.steps)


@dataclass(frozen=True)
class Extent:
    """How much is shown: numbers of every vector, and steps from the first on."""

    units: int
    steps: int


def forward(subject: Subject, text: str, extent: Extent) -> Forward:
    """Send `text` through a network from a zero state.

    Raises:
        DataError: the text is empty, or holds what the vocabulary lacks.
    """
    # Weights that were given may well lead out of the range of the numbers: `inf` is then shown.
    with np.errstate(over="ignore", invalid="ignore"):
        match subject:
            case LanguageSubject():
                return language_forward(subject, text, extent)
            case ClassifierSubject():
                return classifier_forward(subject, text, extent)
            case _:
                assert_never(subject)


def language_forward(subject: LanguageSubject, text: str, extent: Extent) -> Forward:
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
    steps = tuple(
        Step(
            number=t + 1,
            token=label(int(index)),
            blocks=tuple(_language_blocks(subject, trace, probabilities, t, extent))
            if t < extent.steps
            else (),
            prediction=_prediction(subject, probabilities[t], ids[t + 1 : t + 2]),
        )
        for t, index in enumerate(ids)
    )
    shown = np.argsort(-probabilities.max(axis=0), kind="stable")[: extent.units]
    shown = np.sort(shown)
    return Forward(
        steps=steps,
        after=(),
        probabilities=(),
        states=trace.layers[-1].output[0],
        shares=probabilities[:, shown],
        share_names=tuple(label(int(index)) for index in shown),
        notes=tuple(notes),
    )


def classifier_forward(subject: ClassifierSubject, text: str, extent: Extent) -> Forward:
    """Send `text` through a classifier, word by word, to the probabilities of the classes."""
    ids = np.array(subject.encoder.encode(text), np.int64)
    notes = []
    if not subject.encoder.tokenize(text):
        notes.append("The text has no tokens; it is read as one unknown word.")
    trace = run(subject.network, ids[np.newaxis])
    tokens = [subject.encoder.token_of(int(index)) for index in ids]
    steps = tuple(
        Step(
            number=t + 1,
            token=token,
            blocks=tuple(_classifier_blocks(subject, trace, t, extent)) if t < extent.steps else (),
            prediction=None,
        )
        for t, token in enumerate(tokens)
    )
    probabilities = softmax(trace.logits[0] / subject.temperature)
    attention = [part.weights[0] for part in trace.pooled if part.weights is not None]
    return Forward(
        steps=steps,
        after=tuple(_after_blocks(subject, trace, probabilities, extent)),
        probabilities=tuple(zip(subject.classes, map(float, probabilities), strict=True)),
        states=trace.layers[-1].output[0],
        shares=np.stack(attention, axis=1) if attention else None,
        share_names=("attention",) if attention else (),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------------------- language models


def _language_blocks(
    subject: LanguageSubject,
    trace: Trace,
    probabilities: np.ndarray,
    t: int,
    extent: Extent,
) -> Iterator[Block]:
    network, label = subject.network, subject.vocabulary.label
    x = trace.inputs[0, t]
    match network.spec.input:
        case OneHotInput():
            names = [label(index) for index in range(network.vocabulary_size)]
            token = int(x.argmax())
            shown = _around(token, len(x), extent.units)
            yield _block("input x, one-hot", names, [Line("x", x, True)], shown)
        case EmbeddingInput():
            yield _numbered("input x, embedding", [Line("x", x, True)], extent)
        case ScaledInput():
            yield _numbered("input x, id / vocabulary size", [Line("x", x, True)], extent)
    for layer, layer_trace in zip(network.layers, trace.layers, strict=True):
        yield from _layer_blocks(layer, layer_trace, t, extent)
    names = [label(index) for index in range(network.vocabulary_size)]
    shown = np.sort(np.argsort(-probabilities[t], kind="stable")[: extent.units])
    most = "" if len(shown) == len(names) else f", the {len(shown)} most probable tokens"
    lines = [
        Line("W h + b" if network.logits is not None else "E h", trace.logits[0, t]),
        Line("softmax", probabilities[t], True),
    ]
    yield _block(f"logits{most}", names, lines, shown)


def _prediction(
    subject: LanguageSubject, probabilities: np.ndarray, following: np.ndarray
) -> Prediction:
    best = int(probabilities.argmax())
    label = subject.vocabulary.label
    share = float(probabilities[following[0]]) if len(following) else None
    return Prediction(
        predicted=label(best),
        predicted_probability=float(probabilities[best]),
        actual=label(int(following[0])) if len(following) else None,
        probability=share,
        # Smaller than any float64 is as surprising as the smallest.
        loss=None if share is None else float(-np.log(max(share, 5e-324))),
    )


# -------------------------------------------------------------------------------- classifiers


def _classifier_blocks(
    subject: ClassifierSubject, trace: Trace, t: int, extent: Extent
) -> Iterator[Block]:
    network, x = subject.network, trace.inputs[0, t]
    yield _numbered("input x, embedding", [Line("x", x, True)], extent)
    for layer, layer_trace in zip(network.layers, trace.layers, strict=True):
        yield from _layer_blocks(layer, layer_trace, t, extent)


def _after_blocks(
    subject: ClassifierSubject, trace: Trace, probabilities: np.ndarray, extent: Extent
) -> Iterator[Block]:
    for part in trace.pooled:
        yield _numbered(f"pooling: {part.kind}", [Line(part.kind, part.vector[0], True)], extent)
    for step in trace.dense[:-1]:
        lines = [
            Line("W x + b", step.sums[0]),
            Line(step.dense.activation, step.output[0], True),
        ]
        yield _numbered(f"{step.dense.name}", lines, extent)
    lines = [Line("logits", trace.logits[0])]
    if subject.temperature != 1.0:
        scaled = trace.logits[0] / subject.temperature
        lines.append(Line(f"/ temperature {subject.temperature:.4g}", scaled))
    lines.append(Line("softmax", probabilities, True))
    count = len(subject.classes)
    yield _block("classes", list(subject.classes), lines, np.arange(count))


# ------------------------------------------------------------------------------------ layers


def _layer_blocks(layer: Layer, trace: LayerTrace, t: int, extent: Extent) -> Iterator[Block]:
    for cell, cell_trace in zip(layer.cells, trace.cells, strict=True):
        yield _numbered(_title(cell), list(_cell_lines(cell, cell_trace, t)), extent)
    if layer.normalization is not None or layer.adds_input:
        lines = [Line("h", trace.joined[0, t])]
        if layer.normalization is not None:
            y = trace.output[0, t] - (trace.inputs[0, t] if layer.adds_input else 0.0)
            lines.append(Line(f"{layer.normalization.kind} normalisation", y))
        if layer.adds_input:
            lines.append(Line("+ input of the layer", trace.output[0, t]))
        lines[-1] = Line(lines[-1].name, lines[-1].values, result=True)
        yield _numbered(f"after {layer.cells[0].name}", lines, extent)


def _title(cell: Recurrent) -> str:
    kind = cell.cell.name + (f", {cell.activation}" if cell.cell.activations else "")
    direction = ", reads from the end" if cell.is_backward else ""
    return f"{cell.name} ({kind}, {cell.units} units{direction})"


def _cell_lines(cell: Recurrent, trace: CellTrace, t: int) -> Iterator[Line]:
    """Every intermediate of one step, in the order in which it is computed."""
    before = trace.before[0, t]
    yield Line("h before", before)
    if trace.cell_before is not None:
        yield Line("c before", trace.cell_before[0, t])
    biases = cell.bias.reshape(-1, len(cell.gates), cell.units)
    for number, gate in enumerate(cell.cell.gates):
        prefix = "" if len(cell.cell.gates) == 1 else f"{gate.name}: "
        w_x, u_h = trace.from_input[0, t, number], trace.from_state[0, t, number]
        yield Line(f"{prefix}W x", w_x)
        if gate.scaled_by is not None:
            yield Line(f"{prefix}b", biases[0, number])
            yield Line(f"{prefix}U h + b_h", u_h + biases[1, number])
            scaled = f"{gate.scaled_by} (U h + b_h)"
            yield Line(f"{prefix}W x + b + {scaled}", trace.before_activation[0, t, number])
        else:
            yield Line(f"{prefix}U h", u_h)
            yield Line(f"{prefix}b", trace.bias[number])
            yield Line(f"{prefix}W x + U h + b", trace.before_activation[0, t, number])
        if gate.activation is not None:
            name = f"{gate.symbol} = {gate.activation}"
            yield Line(f"{prefix}{name}", trace.gates[0, t, number])
    for state in cell.cell.updates:
        values = trace.hidden if state.kind == "hidden" else trace.cell
        assert values is not None
        update = state.update.format(activation=cell.activation)
        yield Line(update, values[0, t], state.kind == "hidden")


# ------------------------------------------------------------------------------------ blocks


def _numbered(title: str, lines: Sequence[Line], extent: Extent) -> Block:
    """A block whose columns are units, the first ones of them."""
    width = len(lines[0].values)
    return _block(
        title, [str(index) for index in range(width)], lines, np.arange(min(width, extent.units))
    )


def _block(title: str, names: Sequence[str], lines: Sequence[Line], shown: np.ndarray) -> Block:
    return Block(
        title=title,
        columns=tuple(names[int(index)] for index in shown),
        lines=tuple(Line(line.name, line.values[shown], line.result) for line in lines),
        hidden=len(names) - len(shown),
    )


def _around(index: int, width: int, count: int) -> np.ndarray:
    """`count` places of `width`, with `index` among them."""
    start = min(max(0, index - count // 2), max(0, width - count))
    return np.arange(start, min(width, start + count))
