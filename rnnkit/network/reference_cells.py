"""One recurrent layer in NumPy, forward and backward through time, with every intermediate.

`cells.py` has the equations. Arrays are float64[batch, time, gates, units] with the gates in the
order of Keras, matrices multiply from the right as there: what is written W x is x @ kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rnnkit.network.cells import GRU, LSTM, SIMPLE_RNN, Activation, CellSpec

States = tuple[np.ndarray, ...]
"""One array for each state of the cell, in its order."""


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

    @property
    def biases(self) -> np.ndarray:
        """The bias as float64[rows, gates, units]."""
        return self.bias.reshape(-1, len(self.gates), self.units)


@dataclass(frozen=True, eq=False)
class CellTrace:
    """The computation of one recurrent layer over a sequence, in the order of time.

    For a layer that reads from the end the order is still that of the sequence; its states before
    a step are then those that came from the step after.
    """

    inputs: np.ndarray
    """float64[batch, time, inputs]."""
    from_input: np.ndarray
    """W x."""
    from_state: np.ndarray
    """U h of the state before."""
    bias: np.ndarray
    """[gates, units]; the sum of both where there are two."""
    before_activation: np.ndarray
    """The sums that go into the activations."""
    gates: np.ndarray
    """The activated gates."""
    states_before: States
    """States before each step, float64[batch, time, units] each."""
    states: States
    """States after each step."""

    @property
    def before(self) -> np.ndarray:
        """Hidden state before each step."""
        return self.states_before[0]

    @property
    def hidden(self) -> np.ndarray:
        """Hidden state after each step: the output."""
        return self.states[0]

    @property
    def cell_before(self) -> np.ndarray | None:
        """Cell state before each step; None for cells without one."""
        return self.states_before[1] if len(self.states) > 1 else None

    @property
    def cell(self) -> np.ndarray | None:
        """Cell state after each step."""
        return self.states[1] if len(self.states) > 1 else None


@dataclass(frozen=True, eq=False)
class CellGradients:
    """Derivatives of a loss, backwards through time (Werbos 1990)."""

    states: States
    """By the states after each step, along every path: float64[batch, time, units] each."""
    initial: States
    """By the states before the first step, float64[batch, units] each."""
    inputs: np.ndarray
    """float64[batch, time, inputs]."""
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """By the hidden state."""
        return self.states[0]

    @property
    def cell(self) -> np.ndarray | None:
        """By the cell state; None for cells without one."""
        return self.states[1] if len(self.states) > 1 else None


def run_cell(layer: Recurrent, inputs: np.ndarray, states: States | None = None) -> CellTrace:
    """Read `inputs` float64[batch, time, inputs] from `states` float64[batch, units], by default
    from zero."""
    if layer.is_backward:
        return _reverse_time(_run(layer, inputs[:, ::-1], states))
    return _run(layer, inputs, states)


def gradients_of_cell(layer: Recurrent, trace: CellTrace, d_hidden: np.ndarray) -> CellGradients:
    """Return the derivatives of a loss by everything in `layer`.

    `d_hidden` float64[batch, time, units] is what reaches the hidden states from above, without
    the recurrence itself.
    """
    if not layer.is_backward:
        return _gradients(layer, trace, d_hidden)
    found = _gradients(layer, _reverse_time(trace), d_hidden[:, ::-1])
    states = tuple(state[:, ::-1] for state in found.states)
    return replace(found, states=states, inputs=found.inputs[:, ::-1])


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


# ------------------------------------------------------------------------------- all time steps


def _run(layer: Recurrent, inputs: np.ndarray, states: States | None) -> CellTrace:
    batch, time, _ = inputs.shape
    shape = (batch, time, len(layer.gates), layer.units)
    from_input = (inputs @ layer.kernel).reshape(shape)
    from_state, sums, gates = np.empty(shape), np.empty(shape), np.empty(shape)
    over_time = tuple(np.zeros((batch, time + 1, layer.units)) for _ in layer.cell.states)
    for values, state in zip(over_time, states or (), strict=states is not None):
        values[:, 0] = state
    step = STEPS[layer.cell.name].forward
    for t in range(time):
        before = tuple(values[:, t] for values in over_time)
        from_state[:, t] = (before[0] @ layer.recurrent_kernel).reshape(batch, *shape[2:])
        sums[:, t], gates[:, t], after = step(layer, from_input[:, t], from_state[:, t], before)
        for values, state in zip(over_time, after, strict=True):
            values[:, t + 1] = state
    return CellTrace(
        inputs=inputs,
        from_input=from_input,
        from_state=from_state,
        bias=layer.biases.sum(axis=0),
        before_activation=sums,
        gates=gates,
        states_before=tuple(values[:, :-1] for values in over_time),
        states=tuple(values[:, 1:] for values in over_time),
    )


def _gradients(layer: Recurrent, trace: CellTrace, d_hidden: np.ndarray) -> CellGradients:
    batch, time, gates, units = trace.gates.shape
    d_sums, d_from_state = np.empty_like(trace.gates), np.empty_like(trace.gates)
    totals = tuple(np.empty((batch, time, units)) for _ in trace.states)
    reaching = [np.zeros((batch, units)) for _ in trace.states]
    step = STEPS[layer.cell.name].backward
    for t in reversed(range(time)):
        at = StepTrace(
            gates=trace.gates[:, t],
            from_state=trace.from_state[:, t],
            before=tuple(state[:, t] for state in trace.states_before),
            after=tuple(state[:, t] for state in trace.states),
        )
        reaching[0] = reaching[0] + d_hidden[:, t]
        d = step(layer, at, tuple(reaching))
        for total, value in zip(totals, d.states, strict=True):
            total[:, t] = value
        d_sums[:, t], d_from_state[:, t] = d.sums, d.from_state
        reaching = list(d.before)
        through = d.from_state.reshape(batch, gates * units) @ layer.recurrent_kernel.T
        reaching[0] = reaching[0] + through
    sums = d_sums.reshape(batch * time, gates * units)
    of_state = d_from_state.reshape(batch * time, gates * units)
    bias = sums.sum(axis=0)
    return CellGradients(
        states=totals,
        initial=tuple(reaching),
        inputs=(sums @ layer.kernel.T).reshape(trace.inputs.shape),
        kernel=trace.inputs.reshape(batch * time, -1).T @ sums,
        recurrent_kernel=trace.before.reshape(batch * time, units).T @ of_state,
        bias=np.stack([bias, of_state.sum(axis=0)]) if layer.bias.ndim == 2 else bias,
    )


def _reverse_time(trace: CellTrace) -> CellTrace:
    return CellTrace(
        inputs=trace.inputs[:, ::-1],
        from_input=trace.from_input[:, ::-1],
        from_state=trace.from_state[:, ::-1],
        bias=trace.bias,
        before_activation=trace.before_activation[:, ::-1],
        gates=trace.gates[:, ::-1],
        states_before=tuple(state[:, ::-1] for state in trace.states_before),
        states=tuple(state[:, ::-1] for state in trace.states),
    )


# ----------------------------------------------------------------------- one step of each cell


class StepTrace(NamedTuple):
    """The computation of one step: gates and U h float64[batch, gates, units], and the states."""

    gates: np.ndarray
    from_state: np.ndarray
    before: States
    after: States


class StepGradients(NamedTuple):
    """Derivatives at one step.

    `states` are those by the states after the step along every path. `sums` are by W x + b and
    `from_state` by U h + b_h, float64[batch, gates, units]. `before` are by the states before the
    step, without the way through the recurrent matrix.
    """

    states: States
    sums: np.ndarray
    from_state: np.ndarray
    before: States


Forward = Callable[
    [Recurrent, np.ndarray, np.ndarray, States], tuple[np.ndarray, np.ndarray, States]
]
"""(layer, W x, U h, states before) -> sums before the activation, gates, states after."""

Backward = Callable[[Recurrent, StepTrace, States], StepGradients]
"""(layer, step, derivatives by the states after it as far as they are known) -> all of them."""


class CellSteps(NamedTuple):
    """Both directions of one step of a cell."""

    forward: Forward
    backward: Backward


def _simple_rnn(
    layer: Recurrent, w_x: np.ndarray, u_h: np.ndarray, before: States
) -> tuple[np.ndarray, np.ndarray, States]:
    a = w_x + u_h + layer.biases[0]
    y = np.tanh(a) if layer.activation == "tanh" else np.maximum(a, 0.0)
    return a, y, (y[:, 0],)


def _simple_rnn_gradients(layer: Recurrent, step: StepTrace, d_states: States) -> StepGradients:
    (d_h,), (h,) = d_states, step.after
    slope = 1.0 - h * h if layer.activation == "tanh" else (h > 0.0) * 1.0
    d_sums = (d_h * slope)[:, np.newaxis]
    return StepGradients(d_states, d_sums, d_sums, (np.zeros_like(h),))


def _lstm(
    layer: Recurrent, w_x: np.ndarray, u_h: np.ndarray, before: States
) -> tuple[np.ndarray, np.ndarray, States]:
    a = w_x + u_h + layer.biases[0]
    y = sigmoid(a)
    y[:, 2] = np.tanh(a[:, 2])
    i, f, g, o = (y[:, gate] for gate in range(4))
    c = f * before[1] + i * g
    return a, y, (o * np.tanh(c), c)


def _lstm_gradients(layer: Recurrent, step: StepTrace, d_states: States) -> StepGradients:
    i, f, g, o = (step.gates[:, gate] for gate in range(4))
    d_h, tanh_c = d_states[0], np.tanh(step.after[1])
    d_c = d_states[1] + d_h * o * (1.0 - tanh_c * tanh_c)
    d_gates = (
        d_c * g * i * (1.0 - i),
        d_c * step.before[1] * f * (1.0 - f),
        d_c * i * (1.0 - g * g),
        d_h * tanh_c * o * (1.0 - o),
    )
    d_sums = np.stack(d_gates, axis=1)
    return StepGradients((d_h, d_c), d_sums, d_sums, (np.zeros_like(d_h), d_c * f))


def _gru(
    layer: Recurrent, w_x: np.ndarray, u_h: np.ndarray, before: States
) -> tuple[np.ndarray, np.ndarray, States]:
    of_input, of_state = layer.biases
    a = w_x + u_h + of_input + of_state
    y = sigmoid(a)
    z, r = y[:, 0], y[:, 1]
    a[:, 2] = w_x[:, 2] + of_input[2] + r * (u_h[:, 2] + of_state[2])
    y[:, 2] = np.tanh(a[:, 2])
    return a, y, (z * before[0] + (1.0 - z) * y[:, 2],)


def _gru_gradients(layer: Recurrent, step: StepTrace, d_states: States) -> StepGradients:
    z, r, g = (step.gates[:, gate] for gate in range(3))
    (d_h,), (h,) = d_states, step.before
    inner = step.from_state[:, 2] + layer.biases[1, 2]
    d_z = d_h * (h - g) * z * (1.0 - z)
    d_g = d_h * (1.0 - z) * (1.0 - g * g)
    d_r = d_g * inner * r * (1.0 - r)
    return StepGradients(
        d_states,
        sums=np.stack([d_z, d_r, d_g], axis=1),
        from_state=np.stack([d_z, d_r, d_g * r], axis=1),
        before=(d_h * z,),
    )


STEPS: dict[str, CellSteps] = {
    SIMPLE_RNN.name: CellSteps(_simple_rnn, _simple_rnn_gradients),
    LSTM.name: CellSteps(_lstm, _lstm_gradients),
    GRU.name: CellSteps(_gru, _gru_gradients),
}
"""The equations by the name of the cell."""
