"""The recurrent cells, one CellSpec each: gates, states, weights, equations, and their names in
Keras, ONNX and oneDNN.

Every other module reads these values, so a cell with the equations of a stock Keras layer is an
entry here, its name in the schema, a step in `reference_cells.py` and a layer in `layers.py`.
With x the input, h and c the states before the step, W the kernel, U the recurrent kernel and b
the bias of a gate:

    simple_rnn   h' = tanh(W x + U h + b)                     (or ReLU)
    lstm         i, f, o = sigmoid(W x + U h + b);  g = tanh(W x + U h + b)
                 c' = f c + i g;  h' = o tanh(c')
    gru          z, r = sigmoid(W x + U h + b + b_h);  g = tanh(W x + b + r (U h + b_h))
                 h' = z h + (1 - z) g
"""

from dataclasses import dataclass
from typing import Literal

GateActivation = Literal["sigmoid", "tanh"]
Activation = Literal["tanh", "relu"]
StateKind = Literal["hidden", "cell"]


@dataclass(frozen=True)
class Gate:
    """One of the matrices that are concatenated in a kernel, with its bias.

    `activation` is None where the layer chooses it. `initial_bias` is what training starts from.
    With `scaled_by`, that gate multiplies the recurrent product and its bias.
    """

    name: str
    symbol: str
    activation: GateActivation | None
    initial_bias: float = 0.0
    scaled_by: str | None = None


@dataclass(frozen=True)
class State:
    """A vector handed from step to step; `update` is the equation of its new value, in which
    `{activation}` stands for the one that the layer chooses."""

    kind: StateKind
    symbol: str
    update: str


Options = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class CellSpec:
    """Everything about a cell that others need.

    `gates` are in the order of Keras, whose layouts all weights have: kernel [inputs, G * units],
    recurrent kernel [units, G * units], bias [G * units] or, with `bias_rows` 2, [2, G * units]:
    that of the input and that of the state. The first state is the output; `updates` are the
    states in the order of computation.
    """

    name: str
    """In configurations."""
    title: str
    """In text for people."""
    gates: tuple[Gate, ...]
    states: tuple[State, ...]
    keras_layer: str
    """Name in `keras.layers`."""
    onnx_operator: str
    onnx_gates: tuple[int, ...]
    """The order of ONNX, as indices of `gates`."""
    onednn_primitive: str
    onednn_gates: tuple[int, ...]
    """The order of oneDNN, as indices of `gates`."""
    bias_rows: Literal[1, 2] = 1
    activations: tuple[Activation, ...] = ()
    """Activations that a layer may choose from, the default first; empty where all are fixed."""
    keras_options: Options = ()
    """Options of the Keras layer that differ from its defaults or matter for the equations."""
    onnx_attributes: Options = ()
    """Attributes of the ONNX operator besides its size, direction and activation."""

    @property
    def updates(self) -> tuple[State, ...]:
        """The states in the order of computation: the output last."""
        return (*self.states[1:], self.states[0])

    @property
    def kinds(self) -> tuple[StateKind, ...]:
        """Names of the states."""
        return tuple(state.kind for state in self.states)

    def weight_shapes(self, inputs: int, units: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights of one layer in one direction, by name, in the order of Keras."""
        columns = len(self.gates) * units
        return {
            "kernel": (inputs, columns),
            "recurrent_kernel": (units, columns),
            "bias": (columns,) if self.bias_rows == 1 else (self.bias_rows, columns),
        }


SIMPLE_RNN = CellSpec(
    name="simple_rnn",
    title="simple RNN",
    gates=(Gate("state", "h", None),),
    states=(State("hidden", "h", "h = {activation}"),),
    keras_layer="SimpleRNN",
    onnx_operator="RNN",
    onnx_gates=(0,),
    onednn_primitive="vanilla_rnn",
    onednn_gates=(0,),
    activations=("tanh", "relu"),
)

LSTM = CellSpec(
    name="lstm",
    title="LSTM",
    gates=(
        Gate("input", "i", "sigmoid"),
        # An open forget gate lets gradients through from the start (Jozefowicz et al. 2015).
        Gate("forget", "f", "sigmoid", initial_bias=1.0),
        Gate("candidate", "g", "tanh"),
        Gate("output", "o", "sigmoid"),
    ),
    states=(
        State("hidden", "h", "h = o tanh(c)"),
        State("cell", "c", "c = f c + i g"),
    ),
    keras_layer="LSTM",
    onnx_operator="LSTM",
    onnx_gates=(0, 3, 1, 2),
    onednn_primitive="lstm",
    onednn_gates=(0, 1, 2, 3),
)

GRU = CellSpec(
    name="gru",
    title="GRU",
    gates=(
        Gate("update", "z", "sigmoid"),
        Gate("reset", "r", "sigmoid"),
        Gate("candidate", "g", "tanh", scaled_by="r"),
    ),
    states=(State("hidden", "h", "h = z h + (1 - z) g"),),
    keras_layer="GRU",
    onnx_operator="GRU",
    onnx_gates=(0, 1, 2),
    onednn_primitive="lbr_gru",
    onednn_gates=(0, 1, 2),
    bias_rows=2,
    keras_options=(("reset_after", True),),
    onnx_attributes=(("linear_before_reset", 1),),
)

CELLS: dict[str, CellSpec] = {cell.name: cell for cell in (SIMPLE_RNN, LSTM, GRU)}
"""All cells by the name that configurations use."""

CHOOSING_CELLS = tuple(cell.name for cell in CELLS.values() if cell.activations)
"""Names of the cells whose activation can be chosen."""


def cell_title(name: str | None) -> str | None:
    """Return the cell's name in text for people; other names are returned unchanged."""
    return CELLS[name].title if name in CELLS else name
