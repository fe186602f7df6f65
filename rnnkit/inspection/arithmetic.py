"""The arithmetic of one step, layer by layer: vectors with their names, below each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject
from rnnkit.network.reference import Layer, LayerTrace, Network, Trace
from rnnkit.network.reference_cells import CellTrace, Recurrent
from rnnkit.network.spec import EmbeddingInput, OneHotInput, ScaledInput
from rnnkit.views.view import Cell, Column, Table, table


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

    def as_table(self, digits: int) -> Table:
        """Return the numbers as a table; the lines that are read next are emphasized."""
        more = f" (and {self.hidden:,} more: --units)" if self.hidden else ""
        rows = [
            (Cell(line.name, strong=line.result), *(f"{value:.{digits}f}" for value in line.values))
            for line in self.lines
        ]
        columns = (Column("", "left"), *map(Column, self.columns))
        return table(columns, rows, title=f"{self.title}{more}")

    @property
    def document(self) -> dict[str, object]:
        """The numbers as JSON."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "hidden": self.hidden,
            "lines": [{"name": line.name, "values": line.values.tolist()} for line in self.lines],
        }


# ------------------------------------------------------------------------------------- a step


def step_blocks(
    network: Network, trace: Trace, t: int, most: int, label: Callable[[int], str]
) -> Iterator[Block]:
    """Yield what a network computes at step `t`, `most` numbers of each vector.

    `label` names the tokens of a one-hot input.
    """
    x = trace.inputs[0, t]
    lines = [Line("x", x, True)]
    match network.spec.input:
        case OneHotInput():
            names = [label(index) for index in range(len(x))]
            yield _block("input x, one-hot", names, lines, _around(int(x.argmax()), len(x), most))
        case EmbeddingInput():
            yield _numbered("input x, embedding", lines, most)
        case ScaledInput():
            yield _numbered("input x, id / vocabulary size", lines, most)
    for layer, layer_trace in zip(network.layers, trace.layers, strict=True):
        yield from _layer_blocks(layer, layer_trace, t, most)


def logits_block(
    subject: LanguageSubject, logits: np.ndarray, probabilities: np.ndarray, most: int
) -> Block:
    """Return what a language model says of the `most` probable tokens, float[vocabulary]."""
    names = [subject.vocabulary.label(index) for index in range(len(probabilities))]
    shown = np.sort(np.argsort(-probabilities, kind="stable")[:most])
    some = "" if len(shown) == len(names) else f", the {len(shown)} most probable tokens"
    product = "W h + b" if subject.network.logits is not None else "E h"
    lines = [Line(product, logits), Line("softmax", probabilities, True)]
    return _block(f"logits{some}", names, lines, shown)


# ---------------------------------------------------------------------------- after the last one


def after_blocks(
    subject: ClassifierSubject, trace: Trace, probabilities: np.ndarray, most: int
) -> Iterator[Block]:
    """Yield what a classifier computes after the last token: pooling, dense layers, classes."""
    for part in trace.pooled:
        yield _numbered(f"pooling: {part.kind}", [Line(part.kind, part.vector[0], True)], most)
    for step in trace.dense[:-1]:
        lines = [
            Line("W x + b", step.sums[0]),
            Line(step.dense.activation, step.output[0], True),
        ]
        yield _numbered(f"{step.dense.name}", lines, most)
    lines = [Line("logits", trace.logits[0])]
    if subject.temperature != 1.0:
        scaled = trace.logits[0] / subject.temperature
        lines.append(Line(f"/ temperature {subject.temperature:.4g}", scaled))
    lines.append(Line("softmax", probabilities, True))
    count = len(subject.classes)
    yield _block("classes", list(subject.classes), lines, np.arange(count))


# ------------------------------------------------------------------------------------ layers


def _layer_blocks(layer: Layer, trace: LayerTrace, t: int, most: int) -> Iterator[Block]:
    for cell, cell_trace in zip(layer.cells, trace.cells, strict=True):
        yield _numbered(_title(cell), list(_cell_lines(cell, cell_trace, t)), most)
    if layer.normalization is not None or layer.adds_input:
        lines = [Line("h", trace.joined[0, t])]
        if layer.normalization is not None:
            y = trace.output[0, t] - (trace.inputs[0, t] if layer.adds_input else 0.0)
            lines.append(Line(f"{layer.normalization.kind} normalisation", y))
        if layer.adds_input:
            lines.append(Line("+ input of the layer", trace.output[0, t]))
        lines[-1] = Line(lines[-1].name, lines[-1].values, result=True)
        yield _numbered(f"after {layer.cells[0].name}", lines, most)


def _title(cell: Recurrent) -> str:
    kind = cell.cell.name + (f", {cell.activation}" if cell.cell.activations else "")
    direction = ", reads from the end" if cell.is_backward else ""
    return f"{cell.name} ({kind}, {cell.units} units{direction})"


def _cell_lines(cell: Recurrent, trace: CellTrace, t: int) -> Iterator[Line]:
    """Yield every intermediate of one step, in the order in which it is computed."""
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


def _numbered(title: str, lines: Sequence[Line], most: int) -> Block:
    """Return a block whose columns are units, the first ones of them."""
    width = len(lines[0].values)
    return _block(title, [str(index) for index in range(width)], lines, np.arange(min(width, most)))


def _block(title: str, names: Sequence[str], lines: Sequence[Line], shown: np.ndarray) -> Block:
    return Block(
        title=title,
        columns=tuple(names[int(index)] for index in shown),
        lines=tuple(Line(line.name, line.values[shown], line.result) for line in lines),
        hidden=len(names) - len(shown),
    )


def _around(index: int, width: int, count: int) -> np.ndarray:
    """Return `count` places of `width`, with `index` among them."""
    start = min(max(0, index - count // 2), max(0, width - count))
    return np.arange(start, min(width, start + count))
