"""The layers of a network in numbers: shapes, parameters, memory, arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import numpy as np

from rnnkit.network.reference import ClassifierNetwork, LanguageNetwork, Layer, Network
from rnnkit.views.formats import MISSING, memory, number
from rnnkit.views.plot import Axis, Bars, Figure, Panel
from rnnkit.views.view import Section, Table, Text, Tile, View, table

_BYTES = 4
"""Of a float32 number, the type of all weights."""

_CELLS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    `output` is the shape it hands on, with `batch` and `time` for what depends on the data.
    `multiply_adds` are those of its matrix products, for each token or, where `per` says so, for
    each text; what is computed element by element is not counted. `fixed` of the parameters are
    not trained by gradients. `state_bytes` is what one sequence carries from step to step.
    """

    name: str
    kind: str
    output: tuple[str | int, ...]
    parameters: int
    fixed: int
    state_bytes: int
    multiply_adds: int
    per: Literal["token", "text"]
    weights: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def weight_bytes(self) -> int:
        """Memory of its parameters in float32."""
        return self.parameters * _BYTES


@dataclass(frozen=True)
class Summary:
    """All layers, in the order of computation."""

    layers: tuple[LayerSummary, ...]

    @property
    def parameters(self) -> int:
        """Numbers that the network consists of."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def fixed(self) -> int:
        """Those of them that are not trained by gradients."""
        return sum(layer.fixed for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Memory of the parameters in float32."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def state_bytes(self) -> int:
        """What one sequence carries from step to step, in float32."""
        return sum(layer.state_bytes for layer in self.layers)

    def multiply_adds(self, per: Literal["token", "text"]) -> int:
        """Of the matrix products, for each token or once for each text."""
        return sum(layer.multiply_adds for layer in self.layers if layer.per == per)


def summarize(
    network: Network, *, every_step: bool = True, frozen_embeddings: bool = False
) -> Summary:
    """The summary of a network.

    Args:
        network: of a language model or a classifier.
        every_step: whether a language model has logits at every step of a window, or, trained on
            sliding windows, at the last alone.
        frozen_embeddings: whether the vectors of the tokens stay as they are in training.
    """
    match network:
        case LanguageNetwork():
            return Summary(tuple(_language(network, every_step, frozen_embeddings)))
        case ClassifierNetwork():
            return Summary(tuple(_classifier(network, frozen_embeddings)))
        case _:
            assert_never(network)


def _language(network: LanguageNetwork, every_step: bool, frozen: bool) -> Iterator[LayerSummary]:
    size, time = network.vocabulary_size, ("batch", "time")
    match network.input:
        case "embedding":
            assert network.embeddings is not None
            width, fixed = network.embeddings.shape[1], network.embeddings.size if frozen else 0
            yield _of(network, "embedding", "Embedding", (*time, width), fixed=fixed)
        case "one_hot":
            yield _of(network, "one_hot", "one-hot input", (*time, size))
        case "scaled":
            yield _of(network, "scaled", "id / vocabulary size", (*time, 1))
        case _:
            assert_never(network.input)
    for index, layer in enumerate(network.layers):
        yield from _layer(network, layer, index)
    shape = (*time, size) if every_step else ("batch", size)
    products = network.layers[-1].width * size
    kind = "Dense, softmax" if network.logits is not None else "softmax, weights of embedding"
    yield _of(network, "logits", kind, shape, multiply_adds=products)


def _classifier(network: ClassifierNetwork, frozen: bool) -> Iterator[LayerSummary]:
    width = network.embeddings.shape[1]
    fixed = network.embeddings.size if frozen else 0
    yield _of(network, "embedding", "Embedding", ("batch", "time", width), fixed=fixed)
    for index, layer in enumerate(network.layers):
        yield from _layer(network, layer, index)
    width = network.layers[-1].width
    if network.attention is not None:
        shape = ("batch", "time", width)
        yield _of(network, "attention", "Dense, tanh", shape, multiply_adds=width * width)
        yield _of(
            network, "attention_context", "Dense, softmax over time", ("batch", "time", 1),
            multiply_adds=width,
        )  # fmt: skip
    width *= len(network.poolings)
    yield _of(network, "pooling", " + ".join(network.poolings), ("batch", width))
    for dense in (*network.dense, network.logits):
        inputs, units = dense.kernel.shape
        kind = f"Dense, {dense.activation}"
        if dense is network.logits:
            kind = "Dense, sigmoid" if network.one_logit else "Dense, softmax"
        products = inputs * units
        yield _of(network, dense.name, kind, ("batch", units), multiply_adds=products, per="text")


def _layer(network: Network, layer: Layer, index: int) -> Iterator[LayerSummary]:
    for cell in layer.cells:
        kind = _CELLS[cell.cell]
        if cell.cell == "simple_rnn" and cell.activation != "tanh":
            kind += f", {cell.activation}"
        if len(layer.cells) > 1:
            kind += ", from the end" if cell.from_the_end else ", from the start"
        if layer.adds_input:
            kind += ", adds its input"
        yield _of(
            network,
            cell.name,
            kind,
            ("batch", "time", cell.units),
            state_bytes=cell.units * _BYTES * (2 if cell.cell == "lstm" else 1),
            multiply_adds=cell.kernel.size + cell.recurrent_kernel.size,
        )
    if layer.normalization is not None:
        is_batch = layer.normalization.kind == "batch"
        yield _of(
            network,
            f"normalization_{index}",
            "BatchNormalization" if is_batch else "LayerNormalization",
            ("batch", "time", layer.width),
            fixed=2 * layer.width if is_batch else 0,
        )


def _of(
    network: Network,
    name: str,
    kind: str,
    output: tuple[str | int, ...],
    *,
    fixed: int = 0,
    state_bytes: int = 0,
    multiply_adds: int = 0,
    per: Literal["token", "text"] = "token",
) -> LayerSummary:
    """The layer of that name, with the weights that the network has for it."""
    own = {n: w for n, w in network.weights.items() if n.partition("/")[0] == name}
    return LayerSummary(
        name=name,
        kind=kind,
        output=output,
        parameters=sum(int(np.size(weight)) for weight in own.values()),
        fixed=fixed,
        state_bytes=state_bytes,
        multiply_adds=multiply_adds,
        per=per,
        weights=tuple((weight, value.shape) for weight, value in own.items()),
    )


# ----------------------------------------------------------------------------------------- view


def summary_view(summary: Summary, *, name: str, origin: str) -> View:
    """Return the layers of the network called `name`; `origin` says where its weights come from."""
    shares = _shares(summary)
    lead = (
        "Multiply-adds are those of the matrix products; what is computed element by element is "
        "not counted. Memory is in float32."
    )
    fixed = f"{summary.fixed:,} of the parameters are not trained by gradients."
    weights = [(name, shape(size)) for layer in summary.layers for name, size in layer.weights]
    listed = table(
        ("weight", "shape"), weights, left="all", caption="Names and shapes, as in the saved model"
    )
    return View(
        title="Layers",
        subject=name.rpartition("/")[2],
        sections=(
            Section("", printed=f"{name} ({origin})", on="terminal"),
            Section(
                "Layers",
                (_layers(summary), *([Text(fixed, muted=True)] if summary.fixed else [])),
                lead=lead,
                printed="",
            ),
            Section(
                "Distribution",
                (shares,),
                lead="Which layers hold the parameters, and which do the work for each token.",
                printed="",
            ),
            Section("Weights", (listed,), printed=""),
        ),
        document={"subject": name, "weights_are": origin, **_document(summary)},
        tiles=(
            Tile("parameters", number(summary.parameters)),
            Tile("memory of the weights", memory(summary.weight_bytes)),
            Tile("state of a sequence", memory(summary.state_bytes)),
            Tile("multiply-adds per token", number(summary.multiply_adds("token"))),
            Tile("weights", origin),
        ),
        picture=shares,
    )


def shape(output: tuple[str | int, ...]) -> str:
    """Return `batch x time x 256`."""
    return " x ".join(f"{size:,}" if isinstance(size, int) else size for size in output)


def _layers(summary: Summary) -> Table:
    rows = [
        (
            layer.name,
            layer.kind,
            shape(layer.output),
            number(layer.parameters or None),
            memory(layer.weight_bytes) if layer.parameters else MISSING,
            memory(layer.state_bytes) if layer.state_bytes else MISSING,
            number(layer.multiply_adds or None),
            layer.per if layer.multiply_adds else "",
        )
        for layer in summary.layers
    ]
    total = (
        "total", "", "", number(summary.parameters), memory(summary.weight_bytes),
        memory(summary.state_bytes), number(summary.multiply_adds("token")), "token",
    )  # fmt: skip
    rows.append(total)
    if per_text := summary.multiply_adds("text"):
        rows.append(("", "", "", "", "", "", number(per_text), "text"))
    header = ("layer", "kind", "output", "parameters", "weights", "state", "multiply-adds", "per")
    left = ("layer", "kind", "output", "per")
    return table(header, rows, left=left, caption="Layers of the network")


def _shares(summary: Summary) -> Figure:
    """Draw which fraction of parameters and of multiply-adds each layer has."""
    layers = [layer for layer in summary.layers if layer.parameters or layer.multiply_adds]
    parameters, work = summary.parameters or 1, summary.multiply_adds("token") or 1
    places = np.arange(len(layers))
    bars = (
        Bars(
            [layer.parameters / parameters for layer in layers],
            x=places - 0.19, label="parameters", colour=0, width=0.34, horizontal=True,
        ),
        Bars(
            [layer.multiply_adds / work if layer.per == "token" else 0.0 for layer in layers],
            x=places + 0.19, label="multiply-adds per token", colour=1, width=0.34,
            horizontal=True,
        ),
    )  # fmt: skip
    y = Axis(names=tuple(layer.name for layer in layers), low=len(layers) - 0.4, high=-0.6)
    x = Axis("fraction of the network", low=0.0, high=1.0, unit="percent")
    return Figure(
        "shares",
        (Panel("", bars, x=x, y=y, legend="above", grid="x"),),
        "Bars: the fraction of each layer in the parameters and in the multiply-adds per token.",
    )


def _document(summary: Summary) -> dict[str, Any]:
    return {
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "output": list(layer.output),
                "parameters": layer.parameters,
                "fixed_parameters": layer.fixed,
                "weight_bytes": layer.weight_bytes,
                "state_bytes": layer.state_bytes,
                "multiply_adds": layer.multiply_adds,
                "per": layer.per,
                "weights": {name: list(size) for name, size in layer.weights},
            }
            for layer in summary.layers
        ],
        "parameters": summary.parameters,
        "fixed_parameters": summary.fixed,
        "weight_bytes": summary.weight_bytes,
        "state_bytes": summary.state_bytes,
        "multiply_adds_per_token": summary.multiply_adds("token"),
        "multiply_adds_per_text": summary.multiply_adds("text"),
    }
