"""A classifier from its words to its logits, and back to the states."""

import math
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.network.reference import Dense, Network
from rnnkit.network.reference_cells import CellGradients, sigmoid
from rnnkit.network.reference_stack import LayerTrace, gradients_of_layers, run_layers, softmax
from rnnkit.network.spec import DenseActivation, Pooling

_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, eq=False)
class PooledPart:
    """One way in which the outputs over time became a vector.

    `weights` float64[time] are the shares of attention, None for other kinds.
    """

    kind: Pooling
    vector: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True, eq=False)
class DenseTrace:
    """A dense layer: `sums` before and `output` after the activation, float64[units]."""

    dense: Dense
    inputs: np.ndarray
    sums: np.ndarray
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassifierTrace:
    """What a classifier computed of one text, ids int64[time]."""

    ids: np.ndarray
    layers: tuple[LayerTrace, ...]
    pooled: tuple[PooledPart, ...]
    dense: tuple[DenseTrace, ...]
    logits: np.ndarray
    """float64[classes]."""


def run_classifier(network: Network, ids: np.ndarray) -> ClassifierTrace:
    """Read one text, ids int64[time] without padding."""
    layers = run_layers(network.layers, network.table[ids][np.newaxis])
    outputs = layers[-1].output[0]
    pooled = tuple(_pool(network, outputs, kind) for kind in network.poolings)
    x = np.concatenate([part.vector for part in pooled])
    dense = []
    assert network.logits is not None
    for layer in (*network.dense, network.logits):
        sums = x @ layer.kernel + layer.bias
        dense.append(DenseTrace(layer, x, sums, activated(layer.activation, sums)))
        x = dense[-1].output
    logits = np.array([0.0, x[0]]) if network.one_logit else x
    return ClassifierTrace(ids, layers, pooled, tuple(dense), logits)


def gradients_of_classifier(
    network: Network, trace: ClassifierTrace, d_logits: np.ndarray
) -> tuple[tuple[CellGradients, ...], ...]:
    """From `d_logits` float64[classes] back to the states of every layer."""
    d_x = d_logits[1:] if network.one_logit else d_logits
    for step in reversed(trace.dense):
        d_x = (d_x * _slope(step.dense.activation, step.sums)) @ step.dense.kernel.T
    outputs = trace.layers[-1].output[0]
    d_outputs = np.zeros_like(outputs)
    width = outputs.shape[1]
    for index, part in enumerate(trace.pooled):
        d_outputs += _unpooled(network, outputs, part, d_x[index * width : (index + 1) * width])
    found, _, _ = gradients_of_layers(network.layers, trace.layers, d_outputs[np.newaxis])
    return found


def activated(activation: DenseActivation, x: np.ndarray) -> np.ndarray:
    """The activation of a dense layer."""
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


def _slope(activation: DenseActivation, x: np.ndarray) -> np.ndarray:
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


def _pool(network: Network, outputs: np.ndarray, kind: Pooling) -> PooledPart:
    """`outputs` float64[time, width] to a vector."""
    match kind:
        case "last":
            return PooledPart(kind, outputs[_last_steps(network, outputs)], None)
        case "mean":
            return PooledPart(kind, outputs.mean(axis=0), None)
        case "max":
            return PooledPart(kind, outputs.max(axis=0), None)
        case "attention":
            _, weights = _attention(network, outputs)
            return PooledPart(kind, weights @ outputs, weights)
        case _:
            assert_never(kind)


def _unpooled(
    network: Network, outputs: np.ndarray, part: PooledPart, d_vector: np.ndarray
) -> np.ndarray:
    """The gradient of a pooled vector, at each step: float64[time, width]."""
    d_outputs = np.zeros_like(outputs)
    match part.kind:
        case "last":
            d_outputs[_last_steps(network, outputs)] = d_vector
        case "mean":
            d_outputs += d_vector / len(outputs)
        case "max":
            # Keras shares the gradient among equal maxima; so does this.
            is_max = outputs == part.vector
            d_outputs += is_max * d_vector / is_max.sum(axis=0)
        case "attention":
            assert network.attention is not None
            assert network.attention_context is not None
            hidden, weights = _attention(network, outputs)
            d_weights = outputs @ d_vector
            d_scores = weights * (d_weights - weights @ d_weights)
            d_hidden = d_scores[:, np.newaxis] * network.attention_context[:, 0]
            d_sums = d_hidden * (1.0 - hidden * hidden)
            d_outputs += weights[:, np.newaxis] * d_vector
            d_outputs += d_sums @ network.attention.kernel.T
        case _:
            assert_never(part.kind)
    return d_outputs


def _last_steps(network: Network, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each direction's output when it has read the whole text."""
    steps = [
        np.full(cell.units, 0 if cell.is_backward else len(outputs) - 1)
        for cell in network.layers[-1].cells
    ]
    return np.concatenate(steps), np.arange(outputs.shape[1])


def _attention(network: Network, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the scores are made of, float64[time, width], and the shares, float64[time]."""
    assert network.attention is not None
    assert network.attention_context is not None
    hidden = np.tanh(outputs @ network.attention.kernel + network.attention.bias)
    return hidden, softmax((hidden @ network.attention_context)[:, 0])
