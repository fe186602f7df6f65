"""Whole networks forward and backward, on the cells of `cells.py`.

Sequences of a batch have the same length: there is no padding. Dropout does nothing, batch
normalisation uses the statistics of training, as everywhere after training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.network.reference import Layer, Network, Normalization
from rnnkit.network.reference_cells import CellGradients, CellTrace, gradients_of_cell, run_cell
from rnnkit.network.spec import NORMALIZATION_EPSILON


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one level of the stack computed; arrays are float64[batch, time, width]."""

    inputs: np.ndarray
    cells: tuple[CellTrace, ...]
    joined: np.ndarray
    """Hidden states of all directions beside each other, before the normalisation."""
    output: np.ndarray


@dataclass(frozen=True, eq=False)
class LanguageTrace:
    """What a language model computed of ids int64[batch, time]."""

    ids: np.ndarray
    inputs: np.ndarray
    """What entered the first layer, float64[batch, time, width]."""
    layers: tuple[LayerTrace, ...]
    logits: np.ndarray
    """float64[batch, time, vocabulary], or of the last step alone, [batch, 1, vocabulary]."""


@dataclass(frozen=True, eq=False)
class LanguageGradients:
    """Derivatives of a loss: by the states of each layer, and by every weight of its name."""

    layers: tuple[tuple[CellGradients, ...], ...]
    weights: dict[str, np.ndarray]


# ----------------------------------------------------------------------------------- forward


def run_layers(
    layers: Sequence[Layer], inputs: np.ndarray, before: Sequence[LayerTrace] | None = None
) -> tuple[LayerTrace, ...]:
    """Send `inputs` float64[batch, time, width] through the recurrent layers.

    The states are zero at first, or those that `before` ended with, of layers that read forward.
    """
    traces = []
    x = inputs
    for index, layer in enumerate(layers):
        if before is None:
            cells = tuple(run_cell(cell, x) for cell in layer.cells)
        else:
            cells = tuple(
                run_cell(
                    cell,
                    x,
                    hidden=old.hidden[:, -1],
                    cell=None if old.cell is None else old.cell[:, -1],
                )
                for cell, old in zip(layer.cells, before[index].cells, strict=True)
            )
        joined = np.concatenate([cell.hidden for cell in cells], axis=-1)
        y = joined if layer.normalization is None else normalized(layer.normalization, joined)
        traces.append(LayerTrace(x, cells, joined, x + y if layer.adds_input else y))
        x = traces[-1].output
    return tuple(traces)


def run_language(
    network: Network,
    ids: np.ndarray,
    *,
    last_only: bool = False,
    before: Sequence[LayerTrace] | None = None,
) -> LanguageTrace:
    """Read ids int64[batch, time] from zero states, or from those that `before` ended with.

    Logits are of every step, or of the last alone.
    """
    inputs = entered(network, ids)
    layers = run_layers(network.layers, inputs, before)
    top = layers[-1].output[:, -1:] if last_only else layers[-1].output
    if network.logits is None:
        assert network.embeddings is not None
        logits = top @ network.embeddings.T
    else:
        logits = top @ network.logits.kernel + network.logits.bias
    return LanguageTrace(ids, inputs, layers, logits)


def entered(network: Network, ids: np.ndarray) -> np.ndarray:
    """The form in which ids int64[batch, time] enter: float64[batch, time, width]."""
    match network.input:
        case "one_hot":
            return np.eye(network.vocabulary_size)[ids]
        case "scaled":
            return (ids / network.vocabulary_size)[..., np.newaxis]
        case "embedding":
            assert network.embeddings is not None
            return network.embeddings[ids]


def normalized(normalization: Normalization, x: np.ndarray) -> np.ndarray:
    """float64[..., units] -> the same shape."""
    mean, scale = _statistics(normalization, x)
    return (x - mean) * scale * normalization.gamma + normalization.beta


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------------------------- backward


def gradients_of_language(
    network: Network, trace: LanguageTrace, d_logits: np.ndarray
) -> LanguageGradients:
    """From `d_logits`, of the shape of `trace.logits`, back to every state and weight."""
    layers = trace.layers
    steps = d_logits.shape[1]
    top = layers[-1].output[:, -steps:]
    weights: dict[str, np.ndarray] = {}
    d_table = None if network.embeddings is None else np.zeros_like(network.embeddings)
    rows = d_logits.reshape(-1, d_logits.shape[-1])
    product = top.reshape(len(rows), -1).T @ rows
    if network.logits is None:
        assert network.embeddings is not None
        assert d_table is not None
        d_table += product.T
        d_top = d_logits @ network.embeddings
    else:
        weights["logits/kernel"], weights["logits/bias"] = product, rows.sum(axis=0)
        d_top = d_logits @ network.logits.kernel.T
    d_output = np.zeros_like(layers[-1].output)
    d_output[:, -steps:] = d_top
    found, d_inputs, inner = gradients_of_layers(network.layers, layers, d_output)
    weights |= inner
    if d_table is not None:
        np.add.at(d_table, trace.ids.reshape(-1), d_inputs.reshape(-1, d_inputs.shape[-1]))
        weights["embedding/embeddings"] = d_table
    return LanguageGradients(
        found, {name: weights[name] for name in network.weights if name in weights}
    )


def gradients_of_layers(
    layers: Sequence[Layer], traces: Sequence[LayerTrace], d_output: np.ndarray
) -> tuple[tuple[tuple[CellGradients, ...], ...], np.ndarray, dict[str, np.ndarray]]:
    """From the output of the last layer back: what each cell gets, the inputs, and the weights.

    The statistics of batch normalisation are constants.
    """
    weights: dict[str, np.ndarray] = {}
    found: list[tuple[CellGradients, ...]] = []
    for index in reversed(range(len(layers))):
        layer, trace = layers[index], traces[index]
        d_joined = d_output
        if layer.normalization is not None:
            d_joined, d_gamma, d_beta = _through_normalization(
                layer.normalization, trace.joined, d_output
            )
            weights[f"normalization_{index}/gamma"] = d_gamma
            weights[f"normalization_{index}/beta"] = d_beta
        parts, start = [], 0
        for cell, cell_trace in zip(layer.cells, trace.cells, strict=True):
            part = gradients_of_cell(cell, cell_trace, d_joined[..., start : start + cell.units])
            weights[f"{cell.name}/kernel"] = part.kernel
            weights[f"{cell.name}/recurrent_kernel"] = part.recurrent_kernel
            weights[f"{cell.name}/bias"] = part.bias
            parts.append(part)
            start += cell.units
        found.append(tuple(parts))
        d_inputs = np.sum([part.inputs for part in parts], axis=0)
        d_output = d_inputs + d_output if layer.adds_input else d_inputs
    return tuple(reversed(found)), d_output, weights


def _statistics(normalization: Normalization, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted, and what the rest is multiplied with."""
    if normalization.mean is not None and normalization.variance is not None:
        return normalization.mean, 1.0 / np.sqrt(normalization.variance + NORMALIZATION_EPSILON)
    variance = x.var(axis=-1, keepdims=True)
    return x.mean(axis=-1, keepdims=True), 1.0 / np.sqrt(variance + NORMALIZATION_EPSILON)


def _through_normalization(
    normalization: Normalization, x: np.ndarray, d_y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the input, of gamma and of beta."""
    mean, scale = _statistics(normalization, x)
    standard = (x - mean) * scale
    axes = tuple(range(x.ndim - 1))
    d_gamma, d_beta = (d_y * standard).sum(axis=axes), d_y.sum(axis=axes)
    d_standard = d_y * normalization.gamma
    if normalization.kind == "batch":
        return d_standard * scale, d_gamma, d_beta
    d_x = d_standard - d_standard.mean(axis=-1, keepdims=True)
    d_x -= standard * (d_standard * standard).mean(axis=-1, keepdims=True)
    return d_x * scale, d_gamma, d_beta
