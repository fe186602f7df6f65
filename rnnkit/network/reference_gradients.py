"""Derivatives of a loss of the NumPy reference, by every state and weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.network.reference import (
    DenseTrace,
    Layer,
    LayerTrace,
    Network,
    Normalization,
    PoolingTrace,
    Trace,
    activation_slope,
    last_steps,
    statistics,
)
from rnnkit.network.reference_cells import CellGradients, gradients_of_cell

Weights = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Gradients:
    """Derivatives of a loss: by the states of each layer, and by every weight that is trained."""

    layers: tuple[tuple[CellGradients, ...], ...]
    weights: Weights

    @property
    def inputs(self) -> np.ndarray:
        """By the vectors that enter the first layer, float64[batch, time, width]."""
        return np.sum([cell.inputs for cell in self.layers[0]], axis=0)


def gradients(network: Network, trace: Trace, d_logits: np.ndarray) -> Gradients:
    """Go from `d_logits`, of the shape of `trace.logits`, back to every state and weight."""
    weights: Weights = {}
    d_table = None if network.embeddings is None else np.zeros_like(network.embeddings)
    outputs = trace.layers[-1].output
    d_x = d_logits[..., 1:] if network.spec.one_logit else d_logits
    if network.logits is None:
        assert d_table is not None
        top = trace.dense[-1].output if trace.dense else outputs[:, -d_x.shape[1] :]
        d_table += _rows(d_x).T @ _rows(top)
        d_x = d_x @ network.table
    for dense in reversed(trace.dense):
        d_x = _through_dense(dense, d_x, weights)
    d_outputs = np.zeros_like(outputs)
    if trace.pooled:
        width = outputs.shape[-1]
        for index, part in enumerate(trace.pooled):
            d_vector = d_x[:, index * width : (index + 1) * width]
            d_outputs += _through_pooling(network, outputs, part, d_vector, weights)
    else:
        d_outputs[:, -d_x.shape[1] :] = d_x
    layers, d_inputs = gradients_of_layers(network.layers, trace.layers, d_outputs, weights)
    if d_table is not None and trace.ids is not None:
        np.add.at(d_table, trace.ids.reshape(-1), _rows(d_inputs))
        weights["embedding/embeddings"] = d_table
    ordered = {name: weights[name] for name in network.weights if name in weights}
    return Gradients(layers, ordered)


def gradients_of_layers(
    layers: Sequence[Layer],
    traces: Sequence[LayerTrace],
    d_output: np.ndarray,
    weights: Weights,
) -> tuple[tuple[tuple[CellGradients, ...], ...], np.ndarray]:
    """Go from `d_output` float64[batch, time, width] back through the recurrent layers.

    Returns the derivatives of each layer and those by the inputs; adds those by weights to
    `weights`.
    """
    found = []
    for index in reversed(range(len(layers))):
        layer, trace = layers[index], traces[index]
        d_joined = d_output
        if layer.normalization is not None:
            d_joined, d_gamma, d_beta = _through_normalization(
                layer.normalization, trace.joined, d_output
            )
            weights[f"normalization_{index}/gamma"] = d_gamma
            weights[f"normalization_{index}/beta"] = d_beta
        parts: list[CellGradients] = []
        start = 0
        for cell, cell_trace in zip(layer.cells, trace.cells, strict=True):
            part = gradients_of_cell(cell, cell_trace, d_joined[..., start : start + cell.units])
            for name in ("kernel", "recurrent_kernel", "bias"):
                weights[f"{cell.name}/{name}"] = getattr(part, name)
            parts.append(part)
            start += cell.units
        found.append(tuple(parts))
        d_inputs = np.sum([part.inputs for part in parts], axis=0)
        d_output = d_inputs + d_output if layer.adds_input else d_inputs
    return tuple(reversed(found)), d_output


def _through_dense(trace: DenseTrace, d_output: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the derivative by the inputs; those by kernel and bias are added to `weights`."""
    dense = trace.dense
    d_sums = d_output * activation_slope(dense.activation, trace.sums)
    weights[f"{dense.name}/kernel"] = _rows(trace.inputs).T @ _rows(d_sums)
    weights[f"{dense.name}/bias"] = _rows(d_sums).sum(axis=0)
    return d_sums @ dense.kernel.T


def _through_normalization(
    normalization: Normalization, x: np.ndarray, d_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return derivatives by the input, by gamma and by beta."""
    mean, scale = statistics(normalization, x)
    standard = (x - mean) * scale
    axes = tuple(range(x.ndim - 1))
    d_gamma, d_beta = (d_y * standard).sum(axis=axes), d_y.sum(axis=axes)
    d_standard = d_y * normalization.gamma
    if normalization.kind == "batch":
        return d_standard * scale, d_gamma, d_beta
    d_x = d_standard - d_standard.mean(axis=-1, keepdims=True)
    d_x -= standard * (d_standard * standard).mean(axis=-1, keepdims=True)
    return d_x * scale, d_gamma, d_beta


def _through_pooling(
    network: Network,
    outputs: np.ndarray,
    trace: PoolingTrace,
    d_vector: np.ndarray,
    weights: Weights,
) -> np.ndarray:
    """Return the derivative by each step's output, float64[batch, time, width]."""
    d_outputs = np.zeros_like(outputs)
    match trace.kind:
        case "last":
            steps, columns = last_steps(network, outputs)
            d_outputs[:, steps, columns] = d_vector
        case "mean":
            d_outputs += d_vector[:, np.newaxis] / outputs.shape[1]
        case "max":
            # Keras divides the gradient among equal maxima; so does this.
            is_max = outputs == trace.vector[:, np.newaxis]
            d_outputs += is_max * (d_vector / is_max.sum(axis=1))[:, np.newaxis]
        case "attention":
            assert trace.weights is not None
            of_steps = trace.weights
            d_weights = np.einsum("btw,bw->bt", outputs, d_vector)
            mean = (of_steps * d_weights).sum(axis=1, keepdims=True)
            d_scores = (of_steps * (d_weights - mean))[..., np.newaxis]
            for dense in reversed(trace.attention):
                d_scores = _through_dense(dense, d_scores, weights)
            d_outputs += d_scores + of_steps[..., np.newaxis] * d_vector[:, np.newaxis]
        case _:
            assert_never(trace.kind)
    return d_outputs


def _rows(x: np.ndarray) -> np.ndarray:
    """Reshape [.., width] to [rows, width]."""
    return x.reshape(-1, x.shape[-1])
