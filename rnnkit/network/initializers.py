"""A network that has not been trained: random weights by the definitions of Keras, in NumPy.

The distributions are those that training begins with; the numbers are not, since Keras draws
with TensorFlow's generators.
"""

import zlib
from collections.abc import Mapping
from typing import TypeVar, assert_never

import numpy as np

from rnnkit.config.schema import (
    Cell,
    ClassifierConfig,
    LearnedEmbedding,
    ModelConfig,
    RecurrentConfig,
)
from rnnkit.network.reference import (
    ClassifierNetwork,
    LanguageNetwork,
    classifier_network,
    language_network,
)
from rnnkit.network.weight_shapes import Shape, classifier_weight_shapes, language_weight_shapes

_SALT = 0x1A5BEC7
"""Keeps these draws apart from others of the same seed."""

_CUT_NORMAL = 0.87962566103423978
"""Standard deviation of a standard normal distribution that is cut off at two of them."""

_EMBEDDING_LIMIT = 0.05
"""Largest initial number of an embedding in Keras."""


def untrained_language(
    model: ModelConfig, *, vocabulary_size: int, vectors: np.ndarray | None, seed: int
) -> LanguageNetwork:
    """A language model as training would begin with it: given weights, and random ones for the
    others. `vectors` [vocabulary, size] are those of a pretrained input, None for others."""
    width = None if vectors is None else vectors.shape[1]
    weights = _random(model, language_weight_shapes(model, vocabulary_size, width), seed=seed)
    for name, value in (model.initial_weights or {}).items():
        weights[name] = np.array(value, np.float64)
    if vectors is not None:
        weights["embedding/embeddings"] = vectors
    return language_network(model, weights, vocabulary_size=vocabulary_size)


def untrained_classifier(
    model: ClassifierConfig,
    *,
    vocabulary_size: int,
    classes: int,
    vectors: np.ndarray | None,
    seed: int,
) -> ClassifierNetwork:
    """A classifier of random weights; `vectors` as for a language model."""
    if vectors is not None:
        size = vectors.shape[1]
    else:
        assert isinstance(model.embedding, LearnedEmbedding)
        size = model.embedding.size
    shapes = classifier_weight_shapes(
        model, vocabulary_size=vocabulary_size, classes=classes, embedding_size=size
    )
    weights = _random(model, shapes, seed=seed)
    if vectors is not None:
        weights["embedding/embeddings"] = vectors
    return classifier_network(model, weights, vocabulary_size=vocabulary_size, classes=classes)


M = TypeVar("M", bound=RecurrentConfig)


def with_cell(model: M, cell: Cell) -> M:
    """The same network with another cell, all of its weights random.

    What only the former cell could have is left away: its activation, an identity as recurrent
    matrix, weights that were given.
    """
    changed: dict[str, object] = {"cell": cell}
    if isinstance(model, ModelConfig):
        changed["initial_weights"] = None
    if cell != "simple_rnn":
        changed["activation"] = None
        if model.recurrent_initializer == "identity":
            changed["recurrent_initializer"] = "orthogonal"
    return model.model_copy(update=changed)


def _random(
    model: RecurrentConfig, shapes: Mapping[str, Shape], *, seed: int
) -> dict[str, np.ndarray]:
    """Weights of these names and shapes, each from a random stream of its own."""
    return {
        name: _initial(
            name,
            tuple(size or 0 for size in shape),  # none is unknown beside the data
            model,
            np.random.default_rng((seed, _SALT, zlib.crc32(name.encode()))),
        )
        for name, shape in shapes.items()
    }


def initialise(initializer: str, shape: tuple[int, ...], draw: np.random.Generator) -> np.ndarray:
    """A matrix, as the Keras initialiser of that name fills it.

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


def _initial(
    name: str, shape: tuple[int, ...], model: RecurrentConfig, draw: np.random.Generator
) -> np.ndarray:
    match name.rpartition("/")[2]:
        case "embeddings":
            return draw.uniform(-_EMBEDDING_LIMIT, _EMBEDDING_LIMIT, shape)
        case "kernel":
            return initialise(model.kernel_initializer, shape, draw)
        case "recurrent_kernel":
            return initialise(model.recurrent_initializer, shape, draw)
        case "gamma" | "moving_variance":
            return np.ones(shape)
        case _:
            return _bias(name, shape, model.cell)


def _bias(name: str, shape: tuple[int, ...], cell: Cell) -> np.ndarray:
    bias = np.zeros(shape)
    if name.startswith("recurrent_"):
        match cell:
            case "lstm":
                # An open forget gate lets gradients through from the start (Jozefowicz et al.
                # 2015).
                units = shape[0] // 4
                bias[units : 2 * units] = 1.0
            case "simple_rnn" | "gru":
                pass
            case _:
                assert_never(cell)
    return bias


def _cut_normal(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers; those beyond two are drawn again."""
    numbers = draw.normal(size=shape)
    while (beyond := np.abs(numbers) > 2.0).any():
        numbers[beyond] = draw.normal(size=int(beyond.sum()))
    return numbers
