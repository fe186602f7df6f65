"""The recurrent cells in NumPy, with everything that happens on the way: a reference to look at.

One step of each, with x the input, h and c the states before the step, W the kernel, U the
recurrent kernel and b the bias of a gate, s the logistic function:

    simple_rnn   h' = tanh(W x + U h + b)                     (or ReLU)
    lstm         i, f, o = s(W x + U h + b);  g = tanh(W x + U h + b)
                 c' = f c + i g;  h' = o tanh(c')
    gru          z, r = s(W x + U h + b + b_h);  g = tanh(W x + b + r (U h + b_h))
                 h' = z h + (1 - z) g

Arrays are float64[batch, time, gates, units] with the gates in the order of Keras, products
with the matrices taken from the left as there: what is written W x is x @ kernel.
"""

from dataclasses import dataclass, replace

import numpy as np

from rnnkit.network.cells import GRU, LSTM, SIMPLE_RNN
from rnnkit.network.reference import Recurrent


@dataclass(frozen=True, eq=False)
class CellTrace:
    """What one recurrent layer computed over a sequence, in the order of time.

    For a layer that reads from the end the order is still that of the sequence; `before` is
    then the state that came from the step after.
    """

    inputs: np.ndarray
    """float64[batch, time, inputs]."""
    from_input: np.ndarray
    """W x."""
    from_state: np.ndarray
    """U h of the state before."""
    bias: np.ndarray
    """[gates, units]; for a GRU the sum of both."""
    before_activation: np.ndarray
    """The sums that go into the activations."""
    gates: np.ndarray
    """The activated gates."""
    before: np.ndarray
    """Hidden state before each step, float64[batch, time, units]."""
    hidden: np.ndarray
    """Hidden state after each step."""
    cell_before: np.ndarray | None
    """Cell state of an LSTM before each step; None for other cells."""
    cell: np.ndarray | None
    """Cell state of an LSTM after each step."""


@dataclass(frozen=True, eq=False)
class CellGradients:
    """Derivatives of a loss, backwards through time."""

    hidden: np.ndarray
    """By the hidden state after each step, along every path: float64[batch, time, units]."""
    cell: np.ndarray | None
    """By the cell state of an LSTM after each step."""
    inputs: np.ndarray
    """float64[batch, time, inputs]."""
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray


def run_cell(
    layer: Recurrent,
    inputs: np.ndarray,
    *,
    hidden: np.ndarray | None = None,
    cell: np.ndarray | None = None,
) -> CellTrace:
    """Read `inputs` float64[batch, time, inputs] from the given states, by default from zero.

    `hidden` and `cell` are float64[batch, units].
    """
    if layer.is_backward:
        return _turned(_run(layer, inputs[:, ::-1], hidden, cell))
    return _run(layer, inputs, hidden, cell)


def gradients_of_cell(layer: Recurrent, trace: CellTrace, d_hidden: np.ndarray) -> CellGradients:
    """Backpropagation through time (Werbos 1990).

    `d_hidden` float64[batch, time, units] is what reaches the hidden states from above, without
    the recurrence itself.
    """
    if not layer.is_backward:
        return _gradients(layer, trace, d_hidden)
    found = _gradients(layer, _turned(trace), d_hidden[:, ::-1])
    return replace(
        found,
        hidden=found.hidden[:, ::-1],
        cell=None if found.cell is None else found.cell[:, ::-1],
        inputs=found.inputs[:, ::-1],
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _run(
    layer: Recurrent, inputs: np.ndarray, hidden: np.ndarray | None, cell: np.ndarray | None
) -> CellTrace:
    batch, time, _ = inputs.shape
    gates, units = len(layer.gates), layer.units
    shape = (batch, time, gates, units)
    from_input = (inputs @ layer.kernel).reshape(shape)
    from_state, sums, active = np.empty(shape), np.empty(shape), np.empty(shape)
    states = np.empty((batch, time + 1, units))
    states[:, 0] = 0.0 if hidden is None else hidden
    cells = None
    if layer.cell == LSTM:
        cells = np.empty((batch, time + 1, units))
        cells[:, 0] = 0.0 if cell is None else cell
    biases = layer.bias.reshape(-1, gates, units)
    for t in range(time):
        h = states[:, t]
        from_state[:, t] = (h @ layer.recurrent_kernel).reshape(batch, gates, units)
        a = from_input[:, t] + from_state[:, t] + biases.sum(axis=0)
        match layer.cell.name:
            case SIMPLE_RNN.name:
                y = np.tanh(a) if layer.activation == "tanh" else np.maximum(a, 0.0)
                states[:, t + 1] = y[:, 0]
            case LSTM.name:
                assert cells is not None
                y = sigmoid(a)
                y[:, 2] = np.tanh(a[:, 2])
                cells[:, t + 1] = y[:, 1] * cells[:, t] + y[:, 0] * y[:, 2]
                states[:, t + 1] = y[:, 3] * np.tanh(cells[:, t + 1])
            case GRU.name:
                y = sigmoid(a)
                inner = from_state[:, t, 2] + biases[1, 2]
                a[:, 2] = from_input[:, t, 2] + biases[0, 2] + y[:, 1] * inner
                y[:, 2] = np.tanh(a[:, 2])
                states[:, t + 1] = y[:, 0] * h + (1.0 - y[:, 0]) * y[:, 2]
            case _:
                raise AssertionError(layer.cell.name)
        sums[:, t], active[:, t] = a, y
    return CellTrace(
        inputs=inputs,
        from_input=from_input,
        from_state=from_state,
        bias=biases.sum(axis=0),
        before_activation=sums,
        gates=active,
        before=states[:, :-1],
        hidden=states[:, 1:],
        cell_before=None if cells is None else cells[:, :-1],
        cell=None if cells is None else cells[:, 1:],
    )


def _gradients(layer: Recurrent, trace: CellTrace, d_hidden: np.ndarray) -> CellGradients:
    batch, time, gates, units = trace.gates.shape
    # By W x + b, which goes on to kernel, bias and input, and by U h + b_h: the same, but where a
    # GRU scales the product by its reset gate.
    d_sums = np.empty_like(trace.gates)
    d_products = d_sums
    if layer.cell == GRU:
        d_products = np.empty_like(d_sums)
    total_hidden = np.empty((batch, time, units))
    total_cell = np.empty((batch, time, units)) if layer.cell == LSTM else None
    carried, carried_cell = np.zeros((batch, units)), np.zeros((batch, units))
    transposed = layer.recurrent_kernel.T
    for t in reversed(range(time)):
        d_h = d_hidden[:, t] + carried
        total_hidden[:, t] = d_h
        y, before = trace.gates[:, t], trace.before[:, t]
        direct: np.ndarray | float = 0.0
        match layer.cell.name:
            case SIMPLE_RNN.name:
                h = trace.hidden[:, t]
                slope = 1.0 - h * h if layer.activation == "tanh" else (h > 0.0) * 1.0
                d_sums[:, t, 0] = d_h * slope
            case LSTM.name:
                assert trace.cell is not None
                assert trace.cell_before is not None
                assert total_cell is not None
                i, f, g, o = (y[:, k] for k in range(4))
                tanh_c = np.tanh(trace.cell[:, t])
                d_c = d_h * o * (1.0 - tanh_c * tanh_c) + carried_cell
                total_cell[:, t] = d_c
                d_sums[:, t, 0] = d_c * g * i * (1.0 - i)
                d_sums[:, t, 1] = d_c * trace.cell_before[:, t] * f * (1.0 - f)
                d_sums[:, t, 2] = d_c * i * (1.0 - g * g)
                d_sums[:, t, 3] = d_h * tanh_c * o * (1.0 - o)
                carried_cell = d_c * f
            case GRU.name:
                z, r, g = (y[:, k] for k in range(3))
                inner = trace.from_state[:, t, 2] + layer.bias[1, 2 * units :]
                d_candidate = d_h * (1.0 - z) * (1.0 - g * g)
                d_sums[:, t, 0] = d_h * (before - g) * z * (1.0 - z)
                d_sums[:, t, 1] = d_candidate * inner * r * (1.0 - r)
                d_sums[:, t, 2] = d_candidate
                d_products[:, t, :2] = d_sums[:, t, :2]
                d_products[:, t, 2] = d_candidate * r
                direct = d_h * z
            case _:
                raise AssertionError(layer.cell.name)
        carried = d_products[:, t].reshape(batch, gates * units) @ transposed + direct
    sums = d_sums.reshape(batch * time, gates * units)
    products = d_products.reshape(batch * time, gates * units)
    bias = sums.sum(axis=0)
    return CellGradients(
        hidden=total_hidden,
        cell=total_cell,
        inputs=(sums @ layer.kernel.T).reshape(trace.inputs.shape),
        kernel=trace.inputs.reshape(batch * time, -1).T @ sums,
        recurrent_kernel=trace.before.reshape(batch * time, units).T @ products,
        bias=np.stack([bias, products.sum(axis=0)]) if layer.cell == GRU else bias,
    )


def _turned(trace: CellTrace) -> CellTrace:
    """The same with the order of time reversed."""
    turned = {
        name: value[:, ::-1]
        for name, value in vars(trace).items()
        if name != "bias" and value is not None
    }
    return replace(trace, **turned)
