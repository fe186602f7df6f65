"""A network as one frozen value: its input, stack of recurrent layers, head, and all shapes.

    x = dropout(one_hot(ids) | embedding(ids) | ids / vocabulary_size)
    for every layer i:
        y = recurrent_i(x), or recurrent_i_forward(x) and recurrent_i_backward(x) concatenated
        y = dropout(normalization(y))
        x = x + y if residual and i > 0 else y
    x = pooling(x) over time, several concatenated          (only networks that pool)
    x = dropout(dense_i(x)) for every dense layer
    logits = x @ kernel + bias                              (tied: x @ embeddings^T)

A task builds it from its configuration and the sizes of its data. Keras (`keras.py`), ONNX
(`onnx.py`), the NumPy reference (`reference.py`) and the summary interpret it. Weights are named
`layer/weight` as in a saved model and have the layouts of Keras.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rnnkit.config.base import RecurrentConfig, layer_sizes
from rnnkit.errors import ConfigError
from rnnkit.network.cells import CELLS, Activation, CellSpec, StateKind

UNKNOWN_SIZE = 0
"""A size that only the data decide, such as that of the vocabulary before the data are read."""

NORMALIZATION_EPSILON = 1e-3
"""Added to the variance by both normalizations: the default of Keras."""

FAR_BELOW = -1e30
"""Value of padding where a maximum or a softmax is taken: below any score, yet finite."""

BYTES_PER_NUMBER = 4
"""Weights and states are float32."""

Shape = tuple[int, ...]
Direction = Literal["forward", "backward"]
NormalizationKind = Literal["none", "layer", "batch"]
DropoutMask = Literal["step", "sequence"]
Pooling = Literal["last", "mean", "max", "attention"]
DenseActivation = Literal["relu", "tanh", "sigmoid", "gelu", "linear"]


@dataclass(frozen=True)
class OneHotInput:
    """Ids as vectors with a single one."""

    vocabulary_size: int

    @property
    def width(self) -> int:
        """Length of the vectors that enter the first layer."""
        return self.vocabulary_size


@dataclass(frozen=True)
class ScaledInput:
    """Ids as one number each: the id divided by the vocabulary size."""

    vocabulary_size: int
    width: int = 1


@dataclass(frozen=True)
class EmbeddingInput:
    """Ids as vectors of a table; `trainable` ones are changed by training."""

    vocabulary_size: int
    width: int
    trainable: bool = True


InputSpec = OneHotInput | ScaledInput | EmbeddingInput


@dataclass(frozen=True)
class Penalty:
    """L1 and L2 penalties on weight matrices, added to the loss."""

    l1: float = 0.0
    l2: float = 0.0


@dataclass(frozen=True)
class StateSpec:
    """A state of the network, such as `state_0_h` of units numbers for each sequence."""

    name: str
    layer: int
    kind: StateKind
    units: int


@dataclass(frozen=True)
class LayerSpec:
    """One level of the stack: a recurrent layer in each direction, normalization, dropout.

    `activation` is None for cells whose activations are fixed. `dropout` acts on the outputs,
    `recurrent_dropout` on the recurrent matrix (DropConnect). With `adds_input` the layer's input
    is added to its output.
    """

    index: int
    cell: CellSpec
    inputs: int
    units: int
    directions: tuple[Direction, ...] = ("forward",)
    activation: Activation | None = None
    normalization: NormalizationKind = "none"
    adds_input: bool = False
    dropout: float = 0.0
    dropout_mask: DropoutMask = "step"
    recurrent_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    penalty: Penalty = Penalty()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the recurrent layers: `recurrent_0`, or `recurrent_0_forward` and
        `recurrent_0_backward`."""
        name = f"recurrent_{self.index}"
        if len(self.directions) == 1:
            return (name,)
        return tuple(f"{name}_{direction}" for direction in self.directions)

    @property
    def width(self) -> int:
        """Length of its output vectors."""
        return self.units * len(self.directions)

    @property
    def states(self) -> tuple[StateSpec, ...]:
        """States of the forward direction."""
        return tuple(
            StateSpec(f"state_{self.index}_{state.symbol}", self.index, state.kind, self.units)
            for state in self.cell.states
        )

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Every weight by name, those of the normalization included."""
        shapes: dict[str, Shape] = {}
        for name in self.names:
            own = self.cell.weight_shapes(self.inputs, self.units)
            shapes |= {f"{name}/{weight}": shape for weight, shape in own.items()}
        names = {
            "none": (),
            "layer": ("gamma", "beta"),
            "batch": ("gamma", "beta", "moving_mean", "moving_variance"),
        }[self.normalization]
        return shapes | {f"normalization_{self.index}/{name}": (self.width,) for name in names}


@dataclass(frozen=True)
class DenseSpec:
    """`activation(x @ kernel + bias)`."""

    name: str
    inputs: int
    units: int
    activation: DenseActivation = "linear"
    has_bias: bool = True

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Every weight by name."""
        kernel: dict[str, Shape] = {f"{self.name}/kernel": (self.inputs, self.units)}
        return kernel | ({f"{self.name}/bias": (self.units,)} if self.has_bias else {})


@dataclass(frozen=True)
class NetworkSpec:
    """A network between ids and logits.

    Without `poolings` sequences have one length, states enter and leave, and logits are those of
    `every_step` or of the last one. With them sequences are padded with the id 0 at their end and
    there are logits once for each. `tied` networks use the embedding as their output matrix; with
    `one_logit` two classes have the logits (0, z).
    """

    input: InputSpec
    layers: tuple[LayerSpec, ...]
    outputs: int
    every_step: bool = True
    poolings: tuple[Pooling, ...] = ()
    dense: tuple[DenseSpec, ...] = ()
    tied: bool = False
    one_logit: bool = False
    embedding_dropout: float = 0.0
    input_dropout: float = 0.0
    input_dropout_mask: DropoutMask = "step"
    dense_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    penalty: Penalty = Penalty()

    @property
    def is_padded(self) -> bool:
        """Whether sequences are padded and answered as a whole."""
        return bool(self.poolings)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""
        return self.input.vocabulary_size

    @property
    def states(self) -> tuple[StateSpec, ...]:
        """States that enter and leave, in the order of inputs and outputs; none when pooling."""
        if self.is_padded:
            return ()
        return tuple(state for layer in self.layers for state in layer.states)

    @property
    def top(self) -> LayerSpec:
        """The last recurrent layer."""
        return self.layers[-1]

    @property
    def attention(self) -> tuple[DenseSpec, DenseSpec] | None:
        """The layers of additive attention with a learned context vector (Yang et al. 2016)."""
        if "attention" not in self.poolings:
            return None
        width = self.top.width
        return (
            DenseSpec("attention", width, width, "tanh"),
            DenseSpec("attention_context", width, 1, has_bias=False),
        )

    @property
    def pooled_width(self) -> int:
        """Length of the vectors that enter the first dense layer or the logits."""
        return self.top.width * max(1, len(self.poolings))

    @property
    def logits(self) -> DenseSpec | None:
        """The output layer; None where weights are tied."""
        if self.tied:
            return None
        inputs = self.dense[-1].units if self.dense else self.pooled_width
        return DenseSpec("logits", inputs, 1 if self.one_logit else self.outputs)

    def returns_every_step(self, layer: LayerSpec) -> bool:
        """Whether what follows `layer` reads its output at every step."""
        return self.is_padded or self.every_step or layer.index < len(self.layers) - 1

    @cached_property
    def weight_shapes(self) -> Mapping[str, Shape]:
        """Every weight by name, in the order of the layers."""
        shapes: dict[str, Shape] = {}
        if isinstance(self.input, EmbeddingInput):
            shapes["embedding/embeddings"] = (self.vocabulary_size, self.input.width)
        dense = (*(self.attention or ()), *self.dense, *((self.logits,) if self.logits else ()))
        for part in (*self.layers, *dense):
            shapes |= part.weight_shapes
        return shapes

    def parameters(self, layer: str | None = None) -> int:
        """Number of parameters, of all layers or of the one with this name."""
        return sum(
            math.prod(shape)
            for name, shape in self.weight_shapes.items()
            if layer in (None, name.partition("/")[0])
        )

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights."""
        return self.parameters() * BYTES_PER_NUMBER


def recurrent_layers(
    config: RecurrentConfig, *, inputs: int, directions: tuple[Direction, ...] = ("forward",)
) -> tuple[LayerSpec, ...]:
    """Return the stack of a configuration; `inputs` is the length of the vectors that enter."""
    cell, layers = CELLS[config.cell], []
    for index, units in enumerate(layer_sizes(config)):
        layer = LayerSpec(
            index=index,
            cell=cell,
            inputs=inputs,
            units=units,
            directions=directions,
            activation=config.activation or next(iter(cell.activations), None),
            normalization=config.normalization,
            adds_input=config.residual and index > 0,
            dropout=config.dropout,
            dropout_mask=config.dropout_mask,
            recurrent_dropout=config.recurrent_dropout,
            kernel_initializer=config.kernel_initializer,
            recurrent_initializer=config.recurrent_initializer,
            penalty=Penalty(config.l1, config.l2),
        )
        layers.append(layer)
        inputs = layer.width
    return tuple(layers)


# -------------------------------------------------------------- weights given by a configuration

GivenWeights = Mapping[str, tuple[float, ...] | tuple[tuple[float, ...], ...]]
"""`layer/weight` -> a vector, or a matrix by its rows."""


def given_weight_problems(spec: NetworkSpec, given: GivenWeights) -> Iterator[tuple[str, str]]:
    """Yield what does not fit in the given weights, as (name, message).

    Sizes of the network that are unknown fit any.
    """
    shapes = spec.weight_shapes
    for name, value in given.items():
        if name not in shapes:
            close = difflib.get_close_matches(name, shapes, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"There are {', '.join(shapes)}"
            yield name, f"this network has no such weight. {hint}"
            continue
        expected = shapes[name]
        rows = [row for row in value if isinstance(row, tuple)]
        if len({len(row) for row in rows}) > 1:
            yield name, f"rows of different lengths; expected {_describe(expected)}"
            continue
        found = (len(value), len(rows[0])) if rows else (len(value),)
        if len(found) != len(expected) or any(
            size not in (UNKNOWN_SIZE, actual) for size, actual in zip(expected, found, strict=True)
        ):
            yield name, f"expected {_describe(expected)}, found {_describe(found)}"


def check_given_weights(spec: NetworkSpec, given: GivenWeights | None) -> None:
    """Compare the given weights with a network whose vocabulary is known.

    Raises:
        ConfigError: some have another shape; the message names all of them.
    """
    problems = list(given_weight_problems(spec, given or {}))
    if problems:
        lines = [f"model.initial_weights: {name}: {message}" for name, message in problems]
        lines.append(f"The vocabulary of the text has {spec.vocabulary_size} tokens.")
        raise ConfigError("\n".join(lines))


def _describe(shape: Shape) -> str:
    """`(4, 3)` -> "4 rows of 3 numbers"."""
    match shape:
        case (0,):
            return "a list of numbers, one for each token"
        case (size,):
            return f"{size} numbers"
        case (0, columns):
            return f"rows of {columns} numbers, one for each token"
        case (rows, 0):
            return f"{rows} rows with a number for each token"
        case _:
            return f"{shape[0]} rows of {shape[1]} numbers"
