"""Untrained networks: random weights with the distributions of Keras, in NumPy.

The numbers are not those that training starts from, since Keras draws them with TensorFlow.
"""

import zlib
from dataclasses import replace

import numpy as np

from rnnkit.network.cells import CellSpec
from rnnkit.network.reference import Network, build_network
from rnnkit.network.spec import GivenWeights, NetworkSpec, Shape

_SALT = 0x1A5BEC7
"""Keeps these draws apart from others of the same seed."""

_CUT_NORMAL = 0.87962566103423978
"""Standard deviation of a standard normal distribution that is cut off at two of them."""

EMBEDDING_LIMIT = 0.05
"""Largest initial number of an embedding in Keras."""


def untrained(
    spec: NetworkSpec,
    *,
    seed: int,
    vectors: np.ndarray | None = None,
    given: GivenWeights | None = None,
) -> Network:
    """Return the network as training would start it: `given` weights, pretrained `vectors`
    float[vocabulary, size], and random numbers for the others."""
    weights = random_weights(spec, seed=seed)
    for name, value in (given or {}).items():
        weights[name] = np.array(value, np.float64)
    if vectors is not None:
        weights["embedding/embeddings"] = vectors
    return build_network(spec, weights)


def with_cell(spec: NetworkSpec, cell: CellSpec) -> NetworkSpec:
    """Return the same network with another cell.

    Options that only the former cell has are left out: its activation, and an identity as
    recurrent matrix, which is for cells that choose their activation.
    """
    layers = []
    for layer in spec.layers:
        activation, initializer = layer.activation, layer.recurrent_initializer
        if activation not in cell.activations:
            activation = next(iter(cell.activations), None)
        if initializer == "identity" and not cell.activations:
            initializer = "orthogonal"
        layers.append(
            replace(layer, cell=cell, activation=activation, recurrent_initializer=initializer)
        )
    return replace(spec, layers=tuple(layers))


def random_weights(spec: NetworkSpec, *, seed: int) -> dict[str, np.ndarray]:
    """Return random weights by name, float64, each from a random stream of its own."""
    initializers = {
        f"{name}/recurrent_kernel": layer.recurrent_initializer
        for layer in spec.layers
        for name in layer.names
    }
    weights = {}
    for name, shape in spec.weight_shapes.items():
        draw = np.random.default_rng((seed, _SALT, zlib.crc32(name.encode())))
        match name.rpartition("/")[2]:
            case "embeddings":
                weights[name] = draw.uniform(-EMBEDDING_LIMIT, EMBEDDING_LIMIT, shape)
            case "kernel" | "recurrent_kernel":
                initializer = initializers.get(name, spec.kernel_initializer)
                weights[name] = draw_matrix(initializer, shape, draw)
            case "gamma" | "moving_variance":
                weights[name] = np.ones(shape)
            case _:
                weights[name] = np.zeros(shape)
    for layer in spec.layers:
        for name in layer.names:
            biases = weights[f"{name}/bias"].reshape(-1, len(layer.cell.gates), layer.units)
            for number, gate in enumerate(layer.cell.gates):
                biases[:, number] = gate.initial_bias
    return weights


def draw_matrix(initializer: str, shape: Shape, draw: np.random.Generator) -> np.ndarray:
    """Return a matrix filled as by the Keras initializer of that name.

    Glorot and Bengio 2010, He et al. 2015, Saxe et al. 2014 (orthogonal).
    """
    rows, columns = shape
    match initializer:
        case "glorot_uniform":
            limit = np.sqrt(6.0 / (rows + columns))
            return draw.uniform(-limit, limit, shape)
        case "he_uniform":
            limit = np.sqrt(6.0 / rows)
            return draw.uniform(-limit, limit, shape)
        case "glorot_normal":
            return _cut_normal(draw, shape) * np.sqrt(2.0 / (rows + columns)) / _CUT_NORMAL
        case "he_normal":
            return _cut_normal(draw, shape) * np.sqrt(2.0 / rows) / _CUT_NORMAL
        case "orthogonal":
            tall = draw.normal(size=(max(shape), min(shape)))
            q, r = np.linalg.qr(tall)
            q *= np.sign(np.diag(r))  # else some rotations would be more likely than others
            return q if rows >= columns else q.T
        case "identity":
            return np.eye(rows, columns)
        case _:
            raise ValueError(f"initializer {initializer!r}")


def _cut_normal(draw: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return standard normal numbers; those beyond two are resampled."""
    numbers = draw.normal(size=shape)
    while (beyond := np.abs(numbers) > 2.0).any():
        numbers[beyond] = draw.normal(size=int(beyond.sum()))
    return numbers
