"""A network in NumPy, float64: the reference for the other forms, with every intermediate.

Sequences of a batch have the same length: there is no padding. Dropout does nothing, batch
normalization uses the statistics of training, as everywhere after training. Gradients are in
`reference_gradients.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from rnnkit.network.reference_cells import CellTrace, Recurrent, run_cell, sigmoid
from rnnkit.network.spec import (
    NORMALIZATION_EPSILON,
    DenseActivation,
    DenseSpec,
    EmbeddingInput,
    LayerSpec,
    NetworkSpec,
    OneHotInput,
    Pooling,
    ScaledInput,
)

Weights = Mapping[str, np.ndarray]

_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, eq=False)
class Normalization:
    """Layer normalization, or batch normalization with the statistics of training.

    All are float64[width]; `mean` and `variance` are None for layer normalization, which takes
    those of each vector.
    """

    kind: Literal["layer", "batch"]
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray | None
    variance: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Layer:
    """One level of the stack: `y = normalization(cell(x))`, `x + y` where `adds_input`.

    `cells` are one recurrent layer, or two that read in opposite directions and whose outputs are
    concatenated.
    """

    cells: tuple[Recurrent, ...]
    normalization: Normalization | None
    adds_input: bool

    @property
    def width(self) -> int:
        """Length of its output vectors."""
        return sum(cell.units for cell in self.cells)


@dataclass(frozen=True, eq=False)
class Dense:
    """`activation(x @ kernel + bias)`, with kernel [inputs, units] and bias [units] or zero."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray | float
    activation: DenseActivation = "linear"


@dataclass(frozen=True, eq=False)
class Network:
    """A network between ids and logits; what its spec lacks is None or empty.

    `embeddings` is [vocabulary, width] where ids enter as vectors. `attention` are the two layers
    of its scores. `logits` is None where the embeddings are the output matrix too (tied weights).
    `weights` has all matrices by name.
    """

    spec: NetworkSpec
    embeddings: np.ndarray | None
    layers: tuple[Layer, ...]
    attention: tuple[Dense, ...]
    dense: tuple[Dense, ...]
    logits: Dense | None
    weights: Weights

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""
        return self.spec.vocabulary_size

    @property
    def table(self) -> np.ndarray:
        """The embedding matrix of a network that has one, float64[vocabulary, width]."""
        assert self.embeddings is not None, "ids of this network enter without an embedding"
        return self.embeddings


def build_network(spec: NetworkSpec, weights: Weights) -> Network:
    """Return the network of `spec` with these weights.

    Raises:
        ValueError: a weight is missing, misshapen or not finite, or there is one too many.
    """
    weights = checked_weights(weights, spec.weight_shapes)
    return Network(
        spec=spec,
        embeddings=weights.get("embedding/embeddings"),
        layers=tuple(_layer(layer, weights) for layer in spec.layers),
        attention=tuple(_dense(dense, weights) for dense in spec.attention or ()),
        dense=tuple(_dense(dense, weights) for dense in spec.dense),
        logits=None if spec.logits is None else _dense(spec.logits, weights),
        weights=weights,
    )


def checked_weights(
    weights: Weights, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Return the weights as float64, in the order of `shapes`.

    Raises:
        ValueError: a weight is missing, misshapen or not finite, or there is one too many.
    """
    if unexpected := sorted(weights.keys() - shapes.keys()):
        raise ValueError(f"weight {unexpected[0]!r} is none of this network")
    found = {}
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"weight {name!r} is missing")
        value = np.asarray(weights[name], np.float64)
        if value.shape != shape:
            raise ValueError(f"weight {name!r} has shape {value.shape}, expected {shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"weight {name!r} is not finite")
        found[name] = value
    return found


def _layer(spec: LayerSpec, weights: Weights) -> Layer:
    cells = tuple(
        Recurrent(
            name=name,
            cell=spec.cell,
            activation=spec.activation,
            kernel=weights[f"{name}/kernel"],
            recurrent_kernel=weights[f"{name}/recurrent_kernel"],
            bias=weights[f"{name}/bias"],
            is_backward=direction == "backward",
        )
        for name, direction in zip(spec.names, spec.directions, strict=True)
    )
    normalization = None
    if spec.normalization != "none":
        name = f"normalization_{spec.index}"
        normalization = Normalization(
            kind=spec.normalization,
            gamma=weights[f"{name}/gamma"],
            beta=weights[f"{name}/beta"],
            mean=weights.get(f"{name}/moving_mean"),
            variance=weights.get(f"{name}/moving_variance"),
        )
    return Layer(cells, normalization, adds_input=spec.adds_input)


def _dense(spec: DenseSpec, weights: Weights) -> Dense:
    bias = weights[f"{spec.name}/bias"] if spec.has_bias else 0.0
    return Dense(spec.name, weights[f"{spec.name}/kernel"], bias, spec.activation)


# ----------------------------------------------------------------------------------- traces


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """The computation of one level of the stack; arrays are float64[batch, time, width]."""

    inputs: np.ndarray
    cells: tuple[CellTrace, ...]
    joined: np.ndarray
    """Hidden states of all directions, concatenated, before the normalization."""
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class DenseTrace:
    """A dense layer: `sums` before and `output` after the activation, float64[.., units]."""

    dense: Dense
    inputs: np.ndarray
    sums: np.ndarray
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class PoolingTrace:
    """One of the vectors of a sequence, float64[batch, width].

    `attention` are the layers of the scores and `weights` float64[batch, time] those of the steps,
    None for other kinds.
    """

    kind: Pooling
    vector: np.ndarray
    attention: tuple[DenseTrace, ...] = ()
    weights: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """The computation of a network over a batch.

    `inputs` float64[batch, time, width] enter the first layer. `ids` is None where they were given
    as such. `dense` ends with the output layer, unless weights are tied. Logits are
    float64[batch, time, outputs], of the last step alone [batch, 1, outputs], or
    [batch, outputs] of networks that pool.
    """

    ids: np.ndarray | None
    inputs: np.ndarray
    layers: tuple[LayerTrace, ...]
    pooled: tuple[PoolingTrace, ...]
    dense: tuple[DenseTrace, ...]
    logits: np.ndarray


# ---------------------------------------------------------------------------------- forward


def run(
    network: Network,
    ids: np.ndarray | None = None,
    *,
    inputs: np.ndarray | None = None,
    last_only: bool = False,
    before: Trace | None = None,
) -> Trace:
    """Read a batch of sequences without padding.

    Args:
        network: what reads.
        ids: int64[batch, time].
        inputs: float64[batch, time, width], in place of the vectors of `ids`.
        last_only: whether logits are those of the last step alone; networks that pool have one
            vector of logits in any case.
        before: the states that this trace ended with are the first; otherwise they are zero. For
            layers that read forward.
    """
    if inputs is None:
        assert ids is not None
        inputs = encode(network, ids)
    layers = run_layers(network.layers, inputs, before.layers if before else None)
    x, pooled = layers[-1].output, ()
    if network.spec.poolings:
        pooled = tuple(_pool(network, x, kind) for kind in network.spec.poolings)
        x = np.concatenate([part.vector for part in pooled], axis=-1)
    elif last_only:
        x = x[:, -1:]
    dense: list[DenseTrace] = []
    for layer in (*network.dense, *([network.logits] if network.logits else [])):
        dense.append(run_dense(layer, x))
        x = dense[-1].output
    if network.logits is None:
        x = x @ network.table.T
    if network.spec.one_logit:
        x = np.concatenate([np.zeros_like(x), x], axis=-1)
    return Trace(ids, inputs, layers, pooled, tuple(dense), x)


def encode(network: Network, ids: np.ndarray) -> np.ndarray:
    """Return the vectors float64[batch, time, width] of ids int64[batch, time]."""
    match network.spec.input:
        case OneHotInput(vocabulary_size=size):
            return np.eye(size)[ids]
        case ScaledInput(vocabulary_size=size):
            return (ids / size)[..., np.newaxis]
        case EmbeddingInput():
            return network.table[ids]
        case _:
            assert_never(network.spec.input)


def run_layers(
    layers: Sequence[Layer], inputs: np.ndarray, before: Sequence[LayerTrace] | None = None
) -> tuple[LayerTrace, ...]:
    """Send `inputs` float64[batch, time, width] through the recurrent layers.

    The states are zero at first, or those that `before` ended with, of layers that read forward.
    """
    traces: list[LayerTrace] = []
    x = inputs
    for index, layer in enumerate(layers):
        cells = []
        for number, cell in enumerate(layer.cells):
            states = None
            if before is not None:
                states = tuple(state[:, -1] for state in before[index].cells[number].states)
            cells.append(run_cell(cell, x, states))
        joined = np.concatenate([cell.hidden for cell in cells], axis=-1)
        y = joined if layer.normalization is None else normalize(layer.normalization, joined)
        traces.append(LayerTrace(x, tuple(cells), joined, x + y if layer.adds_input else y))
        x = traces[-1].output
    return tuple(traces)


def normalize(normalization: Normalization, x: np.ndarray) -> np.ndarray:
    """Normalize float64[.., width]."""
    mean, scale = statistics(normalization, x)
    return (x - mean) * scale * normalization.gamma + normalization.beta


def statistics(normalization: Normalization, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean that is subtracted, and the factor that the difference is multiplied by."""
    if normalization.mean is not None and normalization.variance is not None:
        scale = 1.0 / np.sqrt(normalization.variance + NORMALIZATION_EPSILON)
        return normalization.mean, scale
    variance = x.var(axis=-1, keepdims=True)
    return x.mean(axis=-1, keepdims=True), 1.0 / np.sqrt(variance + NORMALIZATION_EPSILON)


def run_dense(dense: Dense, x: np.ndarray) -> DenseTrace:
    """Run a dense layer: float64[.., inputs] -> float64[.., units]."""
    sums = x @ dense.kernel + dense.bias
    return DenseTrace(dense, x, sums, activate(dense.activation, sums))


def activate(activation: DenseActivation, x: np.ndarray) -> np.ndarray:
    """Apply the activation of a dense layer."""
    match activation:
        case "linear":
            return x
        case "relu":
            return np.maximum(x, 0.0)
        case "tanh":
            return np.tanh(x)
        case "sigmoid":
            return sigmoid(x)
        case "gelu":
            return 0.5 * x * (1.0 + _erf(x * math.sqrt(0.5)))
        case _:
            assert_never(activation)


def activation_slope(activation: DenseActivation, x: np.ndarray) -> np.ndarray:
    """Return the derivative of the activation of a dense layer."""
    match activation:
        case "linear":
            return np.ones_like(x)
        case "relu":
            return (x > 0.0) * 1.0
        case "tanh":
            return 1.0 - np.tanh(x) ** 2
        case "sigmoid":
            return sigmoid(x) * sigmoid(-x)
        case "gelu":
            density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
            return 0.5 * (1.0 + _erf(x * math.sqrt(0.5))) + x * density
        case _:
            assert_never(activation)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _pool(network: Network, outputs: np.ndarray, kind: Pooling) -> PoolingTrace:
    """Pool float64[batch, time, width] into a vector for each sequence."""
    match kind:
        case "last":
            steps, columns = last_steps(network, outputs)
            return PoolingTrace(kind, outputs[:, steps, columns])
        case "mean":
            return PoolingTrace(kind, outputs.mean(axis=1))
        case "max":
            return PoolingTrace(kind, outputs.max(axis=1))
        case "attention":
            hidden = run_dense(network.attention[0], outputs)
            scores = run_dense(network.attention[1], hidden.output)
            weights = softmax(scores.output[..., 0])
            vector = np.einsum("bt,btw->bw", weights, outputs)
            return PoolingTrace(kind, vector, (hidden, scores), weights)
        case _:
            assert_never(kind)


def last_steps(network: Network, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each direction's output is after the whole sequence: steps and columns."""
    last = outputs.shape[1] - 1
    steps = [
        np.full(cell.units, 0 if cell.is_backward else last) for cell in network.layers[-1].cells
    ]
    return np.concatenate(steps), np.arange(outputs.shape[-1])
