"""A network as numbers: its layers with named matrices, put together from weights by name.

Everything is float64. `weights.py` reads the weights of a run, `untrained.py` draws new ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnkit.config.schema import (
    Cell,
    ClassifierConfig,
    DenseActivation,
    ModelConfig,
    Pooling,
    layer_sizes,
)
from rnnkit.network.weight_shapes import Shape, classifier_weight_shapes, language_weight_shapes

EPSILON = 1e-3
"""What both normalisations of Keras add to the variance."""

GATE_NAMES: dict[Cell, tuple[str, ...]] = {
    "simple_rnn": ("state",),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("update", "reset", "candidate"),
}
"""The gates in the order in which Keras keeps their matrices beside each other."""

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Recurrent:
    """One recurrent layer in one direction.

    With G gates, `kernel` is [inputs, G * units], `recurrent_kernel` [units, G * units] and `bias`
    [G * units], for a GRU [2, G * units]: that of the inputs and that of the state.
    `from_the_end` says that it reads its sequence backwards.
    """

    name: str
    cell: Cell
    activation: Literal["tanh", "relu"]
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    from_the_end: bool = False

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return self.recurrent_kernel.shape[0]

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in the order of the matrices."""
        return GATE_NAMES[self.cell]


@dataclass(frozen=True, eq=False)
class Normalization:
    """Layer normalisation, or batch normalisation with the statistics of training.

    All are float64[units]; `mean` and `variance` are None for layer normalisation, which takes
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

    `cells` are one recurrent layer, or two that read in opposite directions and whose outputs
    stand beside each other.
    """

    cells: tuple[Recurrent, ...]
    normalization: Normalization | None
    adds_input: bool

    @property
    def width(self) -> int:
        """Numbers of its output at each step."""
        return sum(cell.units for cell in self.cells)


@dataclass(frozen=True, eq=False)
class Dense:
    """`activation(x @ kernel + bias)`, with kernel [inputs, units] and bias [units]."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray
    activation: DenseActivation = "linear"


@dataclass(frozen=True, eq=False)
class LanguageNetwork:
    """Tokens to logits of the next token.

    `embeddings` is [vocabulary, size] where tokens enter as vectors; `logits` is None where the
    embeddings are the output matrix too (tied weights). `weights` has all of it by name.
    """

    input: Literal["embedding", "one_hot", "scaled"]
    vocabulary_size: int
    embeddings: np.ndarray | None
    layers: tuple[Layer, ...]
    logits: Dense | None
    weights: Weights


@dataclass(frozen=True, eq=False)
class ClassifierNetwork:
    """Tokens to logits of classes.

    `attention` and `attention_context` are None without pooling by attention; `dense` stand
    between pooling and logits. With `one_logit` the logits (0, z) have one unit, z.
    """

    embeddings: np.ndarray
    layers: tuple[Layer, ...]
    poolings: tuple[Pooling, ...]
    attention: Dense | None
    attention_context: np.ndarray | None
    dense: tuple[Dense, ...]
    logits: Dense
    one_logit: bool
    weights: Weights

    @property
    def vocabulary_size(self) -> int:
        """Ids that may enter."""
        return len(self.embeddings)


Network = LanguageNetwork | ClassifierNetwork


def language_network(
    model: ModelConfig, weights: Weights, *, vocabulary_size: int
) -> LanguageNetwork:
    """The network of a language model.

    Raises:
        ValueError: a weight is missing, misshapen or not finite, or there is one too many.
    """
    vectors = weights.get("embedding/embeddings")
    width = vectors.shape[-1] if vectors is not None else None
    weights = checked(weights, language_weight_shapes(model, vocabulary_size, width))
    kind = "embedding" if model.input.kind == "pretrained" else model.input.kind
    return LanguageNetwork(
        input=kind,
        vocabulary_size=vocabulary_size,
        embeddings=weights["embedding/embeddings"] if kind == "embedding" else None,
        layers=tuple(_layer(model, weights, i) for i in range(len(layer_sizes(model)))),
        logits=None if model.tie_weights else _dense("logits", weights),
        weights=weights,
    )


def classifier_network(
    model: ClassifierConfig, weights: Weights, *, vocabulary_size: int, classes: int
) -> ClassifierNetwork:
    """The network of a classifier; the length of its vectors is read off the embeddings.

    Raises:
        ValueError: as for `language_network`.
    """
    table = weights.get("embedding/embeddings", np.empty((0, 0)))
    if table.ndim != 2:
        raise ValueError("weight 'embedding/embeddings' is no matrix")
    shapes = classifier_weight_shapes(
        model, vocabulary_size=vocabulary_size, classes=classes, embedding_size=table.shape[1]
    )
    weights = checked(weights, shapes)
    poolings = (model.pooling,) if isinstance(model.pooling, str) else model.pooling
    activations = model.dense_activation
    if isinstance(activations, str):
        activations = (activations,) * len(model.dense)
    attends = "attention" in poolings
    return ClassifierNetwork(
        embeddings=weights["embedding/embeddings"],
        layers=tuple(_layer(model, weights, i) for i in range(len(layer_sizes(model)))),
        poolings=poolings,
        attention=_dense("attention", weights, "tanh") if attends else None,
        attention_context=weights["attention_context/kernel"] if attends else None,
        dense=tuple(
            _dense(f"dense_{index}", weights, activation)
            for index, activation in enumerate(activations)
        ),
        logits=_dense("logits", weights),
        one_logit=model.output == "sigmoid",
        weights=weights,
    )


def checked(weights: Weights, shapes: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    """The weights as float64, in the order of `shapes`.

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


def _layer(model: ModelConfig | ClassifierConfig, weights: Weights, index: int) -> Layer:
    name = f"recurrent_{index}"
    names = (f"{name}_forward", f"{name}_backward") if model.bidirectional else (name,)
    cells = tuple(
        Recurrent(
            name=part,
            cell=model.cell,
            activation=model.activation or "tanh",
            kernel=weights[f"{part}/kernel"],
            recurrent_kernel=weights[f"{part}/recurrent_kernel"],
            bias=weights[f"{part}/bias"],
            from_the_end=part.endswith("_backward"),
        )
        for part in names
    )
    normalization = None
    if model.normalization != "none":
        part = f"normalization_{index}"
        normalization = Normalization(
            kind=model.normalization,
            gamma=weights[f"{part}/gamma"],
            beta=weights[f"{part}/beta"],
            mean=weights.get(f"{part}/moving_mean"),
            variance=weights.get(f"{part}/moving_variance"),
        )
    return Layer(cells, normalization, adds_input=model.residual and index > 0)


def _dense(name: str, weights: Weights, activation: DenseActivation = "linear") -> Dense:
    return Dense(name, weights[f"{name}/kernel"], weights[f"{name}/bias"], activation)
