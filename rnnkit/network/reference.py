"""A network as numbers: its layers with named matrices, put together from a spec and weights.

Everything is float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnkit.network.cells import Activation, CellSpec
from rnnkit.network.spec import (
    DenseActivation,
    DenseSpec,
    EmbeddingInput,
    LayerSpec,
    NetworkSpec,
    OneHotInput,
    Pooling,
)

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Recurrent:
    """One recurrent layer in one direction.

    With G gates, `kernel` is [inputs, G * units], `recurrent_kernel` [units, G * units] and `bias`
    [G * units] or [2, G * units]: that of the inputs and that of the state. `is_backward` layers
    read their sequence from the end.
    """

    name: str
    cell: CellSpec
    activation: Activation | None
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    is_backward: bool = False

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return self.recurrent_kernel.shape[0]

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in the order of the matrices."""
        return tuple(gate.name for gate in self.cell.gates)


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
class Network:
    """A network between ids and logits; what its spec lacks is None or empty.

    `embeddings` is [vocabulary, size] where ids enter as vectors. `logits` is None where they are
    the output matrix too (tied weights). `weights` has all matrices by name.
    """

    spec: NetworkSpec
    embeddings: np.ndarray | None
    layers: tuple[Layer, ...]
    attention: Dense | None
    attention_context: np.ndarray | None
    dense: tuple[Dense, ...]
    logits: Dense | None
    weights: Weights

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""
        return self.spec.vocabulary_size

    @property
    def table(self) -> np.ndarray:
        """The embedding matrix of a network that has one, float64[vocabulary, size]."""
        assert self.embeddings is not None, "ids of this network enter without an embedding"
        return self.embeddings

    @property
    def input(self) -> Literal["embedding", "one_hot", "scaled"]:
        """The form in which ids enter."""
        match self.spec.input:
            case EmbeddingInput():
                return "embedding"
            case OneHotInput():
                return "one_hot"
            case _:
                return "scaled"

    @property
    def poolings(self) -> tuple[Pooling, ...]:
        """Vectors that are concatenated to that of a text."""
        return self.spec.poolings

    @property
    def one_logit(self) -> bool:
        """Whether the logits (0, z) have one unit, z."""
        return self.spec.one_logit


def build_network(spec: NetworkSpec, weights: Weights) -> Network:
    """Return the network of `spec` with these weights.

    Raises:
        ValueError: a weight is missing, misshapen or not finite, or there is one too many.
    """
    weights = checked(weights, spec.weight_shapes)
    attention = spec.attention
    return Network(
        spec=spec,
        embeddings=weights.get("embedding/embeddings"),
        layers=tuple(_layer(layer, weights) for layer in spec.layers),
        attention=_dense(attention[0], weights) if attention else None,
        attention_context=weights["attention_context/kernel"] if attention else None,
        dense=tuple(_dense(dense, weights) for dense in spec.dense),
        logits=None if spec.logits is None else _dense(spec.logits, weights),
        weights=weights,
    )


def checked(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
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
    name = spec.name
    return Dense(name, weights[f"{name}/kernel"], weights[f"{name}/bias"], spec.activation)
