"""The layers of a network in numbers: shapes, parameters, memory, arithmetic."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from rnnkit.inspection.subject import Subject
from rnnkit.network.spec import (
    BYTES_PER_NUMBER,
    DenseSpec,
    EmbeddingInput,
    LayerSpec,
    NetworkSpec,
    OneHotInput,
    ScaledInput,
)
from rnnkit.views.formats import MISSING, memory, number
from rnnkit.views.plot import Axis, Bars, Figure, Panel
from rnnkit.views.view import Section, Table, Text, Tile, View, table

Per = Literal["token", "text"]


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
    per: Per
    weights: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def weight_bytes(self) -> int:
        """Memory of its parameters in float32."""
        return self.parameters * BYTES_PER_NUMBER


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

    def multiply_adds(self, per: Per) -> int:
        """Count those of the matrix products, for each token or once for each text."""
        return sum(layer.multiply_adds for layer in self.layers if layer.per == per)


def summarize(spec: NetworkSpec) -> Summary:
    """Return the layers of a network with their sizes."""
    return Summary(tuple(_summaries(spec)))


def _summaries(spec: NetworkSpec) -> Iterator[LayerSummary]:
    yield _input(spec)
    for layer in spec.layers:
        yield from _recurrent(spec, layer)
    if spec.attention is not None:
        scores, context = spec.attention
        yield _dense(spec, scores, "Dense, tanh", ("batch", "time"), per="token")
        yield _dense(spec, context, "Dense, softmax over time", ("batch", "time"), per="token")
    if spec.poolings:
        yield _of(spec, "pooling", " + ".join(spec.poolings), ("batch", spec.pooled_width))
    for dense in spec.dense:
        yield _dense(spec, dense, f"Dense, {dense.activation}", ("batch",), per="text")
    before = ("batch", "time") if spec.every_step else ("batch",)
    if spec.logits is None:
        yield _of(
            spec,
            "logits",
            "softmax, weights of embedding",
            (*before, spec.outputs),
            multiply_adds=spec.top.width * spec.outputs,
        )
    else:
        kind = "Dense, sigmoid" if spec.one_logit else "Dense, softmax"
        yield _dense(spec, spec.logits, kind, before, per="text" if spec.is_padded else "token")


def _input(spec: NetworkSpec) -> LayerSummary:
    output = ("batch", "time", spec.input.width)
    match spec.input:
        case EmbeddingInput(trainable=trainable):
            fixed = 0 if trainable else spec.parameters("embedding")
            return _of(spec, "embedding", "Embedding", output, fixed=fixed)
        case OneHotInput():
            return _of(spec, "one_hot", "one-hot input", output)
        case ScaledInput():
            return _of(spec, "scaled", "id / vocabulary size", output)
        case _:
            assert_never(spec.input)


def _recurrent(spec: NetworkSpec, layer: LayerSpec) -> Iterator[LayerSummary]:
    cell = layer.cell
    shapes = cell.weight_shapes(layer.inputs, layer.units)
    for name, direction in zip(layer.names, layer.directions, strict=True):
        kind = cell.keras_layer
        if layer.activation != next(iter(cell.activations), None):
            kind += f", {layer.activation}"
        if len(layer.directions) > 1:
            kind += ", from the start" if direction == "forward" else ", from the end"
        if layer.adds_input:
            kind += ", adds its input"
        yield _of(
            spec,
            name,
            kind,
            ("batch", "time", layer.units),
            state_bytes=layer.units * BYTES_PER_NUMBER * len(cell.states),
            multiply_adds=math.prod(shapes["kernel"]) + math.prod(shapes["recurrent_kernel"]),
        )
    if layer.normalization != "none":
        is_batch = layer.normalization == "batch"
        yield _of(
            spec,
            f"normalization_{layer.index}",
            "BatchNormalization" if is_batch else "LayerNormalization",
            ("batch", "time", layer.width),
            fixed=2 * layer.width if is_batch else 0,
        )


def _dense(
    spec: NetworkSpec, dense: DenseSpec, kind: str, before: tuple[str, ...], *, per: Per
) -> LayerSummary:
    multiply_adds = dense.inputs * dense.units
    return _of(spec, dense.name, kind, (*before, dense.units), multiply_adds=multiply_adds, per=per)


def _of(
    spec: NetworkSpec,
    name: str,
    kind: str,
    output: tuple[str | int, ...],
    *,
    fixed: int = 0,
    state_bytes: int = 0,
    multiply_adds: int = 0,
    per: Per = "token",
) -> LayerSummary:
    """Return the layer of that name, with the weights that the network has for it."""
    weights = {n: s for n, s in spec.weight_shapes.items() if n.partition("/")[0] == name}
    return LayerSummary(
        name=name,
        kind=kind,
        output=output,
        parameters=spec.parameters(name),
        fixed=fixed,
        state_bytes=state_bytes,
        multiply_adds=multiply_adds,
        per=per,
        weights=tuple(weights.items()),
    )


# ----------------------------------------------------------------------------------------- view


def summary_view(subject: Subject) -> View:
    """Return the layers of a network: shapes, parameters, memory, arithmetic."""
    summary = summarize(subject.network.spec)
    return show_summary(summary, name=subject.name, origin=subject.origin)


def show_summary(summary: Summary, *, name: str, origin: str) -> View:
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


def _document(summary: Summary) -> dict[str, object]:
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
