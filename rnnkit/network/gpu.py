"""Elman's recurrent layer on a GPU.

Keras runs LSTM and GRU with cuDNN but this layer one operator after the other. cuDNN has it as
well, and TensorFlow an operator for it with a gradient (`CudnnRNNV3`), which is called here; where
that fails, XLA compiles our loop into one program.

TensorFlow, driver and cuDNN of a machine may not fit together, which shows at the first step or
never. So `choose_route` first runs a small case of the layer's size through the routes, the
fastest first, and takes the first one with correct results.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from rnnkit.network.cells import SIMPLE_RNN, Activation
from rnnkit.network.kernels import fused as kernel
from rnnkit.network.reference_cells import Recurrent, gradients_of_cell, run_cell

Run = Callable[[tf.Tensor, tf.Tensor, Sequence[tf.Tensor], Activation], tf.Tensor]

_TOLERANCE = 0.02
"""Largest distance from the correct result, relative to its norm. Tensor cores round operands to
11 bits (TF32), which gives about 0.0005; a matrix in the wrong place gives far more than this."""


@dataclass(frozen=True)
class Route:
    """One way to run the layer."""

    name: str
    """As environment.json records it."""
    run: Run
    """Has the arguments and the result of `kernel.simple_rnn`."""
    faults: tuple[str, ...] = ()
    """Faults of the faster routes."""

    def __str__(self) -> str:
        return f"{self.name} ({'; '.join(self.faults)})" if self.faults else self.name


@functools.cache
def choose_route(*, features: int, units: int, activation: Activation) -> Route:
    """Return the fastest route that computes a layer of this size correctly on this machine.

    Can be called while a graph is built; the trial runs once per size and outside of it.
    """
    faults: list[str] = []
    for name, run in (("cuDNN", simple_rnn), ("XLA", compiled_simple_rnn)):
        found = find_fault(run, features=features, units=units, activation=activation)
        if found is None:
            return Route(name, run, tuple(faults))
        faults.append(f"{name}: {found}")
    return Route("TensorFlow", kernel.simple_rnn, tuple(faults))


# ------------------------------------------------------------------------------------- routes


def simple_rnn(
    inputs: tf.Tensor,
    state: tf.Tensor,
    weights: Sequence[tf.Tensor],
    activation: Activation = "tanh",
) -> tf.Tensor:
    """Compute `kernel.simple_rnn` with cuDNN, on a GPU only and always in float32.

    (TensorFlow accepts bfloat16 here but computes in float32, which saves nothing; in its source of
    2023 the backward pass then reads uninitialized memory.)

    Args:
        inputs: float[time, batch, features].
        state: hidden state before the first step, float[batch, units].
        weights: kernel [features, units], recurrent kernel [units, units], bias [units].
        activation: of the hidden state.

    Returns the hidden state after every step, float32[time, batch, units].
    """
    time, batch = tf.unstack(tf.shape(inputs)[:2])
    hidden, *_ = tf.raw_ops.CudnnRNNV3(
        input=tf.cast(inputs, tf.float32),
        input_h=tf.cast(state, tf.float32)[tf.newaxis],  # [layers, batch, units]
        input_c=tf.zeros(()),  # for LSTM only
        params=parameter_vector(*map(tf.convert_to_tensor, weights)),
        # All of full length, with time first: cuDNN can read the batch as it lies in memory.
        sequence_lengths=tf.fill([batch], time),
        rnn_mode=f"rnn_{activation}",
        input_mode="linear_input",
        direction="unidirectional",
        is_training=True,  # keeps what the gradient needs
        time_major=True,
    )
    return hidden


def parameter_vector(kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Return the weights in the layout of cuDNN, float32[parameters].

    These are kernel, recurrent kernel, bias of the inputs and bias of the recurrent product. cuDNN
    multiplies matrices from the left, so both are transposed; the layer has one bias, so the other
    is zero.
    """
    matrices = [tf.reshape(tf.transpose(matrix), [-1]) for matrix in (kernel, recurrent)]
    parts = [*matrices, tf.zeros_like(bias), bias]
    return tf.concat([tf.cast(part, tf.float32) for part in parts], axis=0)


def compiled_simple_rnn(
    inputs: tf.Tensor,
    state: tf.Tensor,
    weights: Sequence[tf.Tensor],
    activation: Activation = "tanh",
) -> tf.Tensor:
    """Compute `kernel.simple_rnn` with a program compiled by XLA.

    XLA compiles again for every shape, and texts have hundreds of lengths. Zeros after the last
    step, up to one of a few lengths, change none of the steps before.
    """
    time = tf.shape(inputs)[0]
    with tf.device("CPU:0"):  # where lengths are needed
        room = tf.gather(_LENGTHS, tf.searchsorted(_LENGTHS, [time])[0]) - time
    padded = tf.pad(inputs, [[0, room], [0, 0], [0, 0]])
    run = _compiled_loop(activation)
    return run(padded, state, *map(tf.convert_to_tensor, weights))[:time]


_LENGTHS = np.array([part << power for power in range(26) for part in (16, 24)], np.int32)
"""16, 24, 32, 48, 64, 96, ..: at most half as long again as what is asked for."""


@functools.cache
def _compiled_loop(activation: Activation) -> Any:
    @tf.function(jit_compile=True, autograph=False)
    def run(inputs: Any, state: Any, *weights: Any) -> Any:
        return kernel.simple_rnn(inputs, state, weights, activation)

    return run


# -------------------------------------------------------------------------------------- trial


def find_fault(run: Run, *, features: int, units: int, activation: Activation) -> str | None:
    """Return the fault of `run` for a layer of this size; None when a small case has correct
    hidden states and gradients."""
    case = _small_case(features, units)
    right = _by_definition(case, activation)
    try:
        found = _through_tensorflow(run, case, activation)
    except (tf.errors.OpError, RuntimeError, TypeError, ValueError) as error:
        said = str(error).strip() or type(error).__name__
        return said.splitlines()[0][:100]
    for (name, wanted), value in zip(right.items(), found, strict=True):
        if value.shape != wanted.shape:
            return f"{name} {value.shape} instead of {wanted.shape}"
        distance = np.linalg.norm(value - wanted) / np.linalg.norm(wanted)
        if not distance <= _TOLERANCE:  # NaN is not
            return f"wrong {name}, off by {distance:.0%}"
    return None


@dataclass(frozen=True)
class _Case:
    """Arguments of the layer, and the gradient of its result, float64."""

    inputs: NDArray[np.float64]
    state: NDArray[np.float64]
    kernel: NDArray[np.float64]
    recurrent: NDArray[np.float64]
    bias: NDArray[np.float64]
    d_hidden: NDArray[np.float64]


def _small_case(features: int, units: int, *, time: int = 5, batch: int = 3) -> _Case:
    """Return random numbers of this size.

    Biases well away from zero keep ReLU away from its kink, where rounding decides a slope, and
    tanh away from its flat ends.
    """
    generator = np.random.default_rng(0)
    draw = generator.standard_normal
    return _Case(
        inputs=draw((time, batch, features)),
        state=draw((batch, units)),
        kernel=0.2 / np.sqrt(features) * draw((features, units)),
        recurrent=0.2 / np.sqrt(units) * draw((units, units)),
        bias=(-1.0) ** np.arange(units) * generator.uniform(1.0, 1.5, units),
        d_hidden=draw((time, batch, units)),
    )


def _by_definition(case: _Case, activation: Activation) -> dict[str, NDArray[np.float64]]:
    """Return hidden states and gradients of the reference, time-major."""
    layer = Recurrent("trial", SIMPLE_RNN, activation, case.kernel, case.recurrent, case.bias)
    trace = run_cell(layer, case.inputs.swapaxes(0, 1), (case.state,))
    found = gradients_of_cell(layer, trace, case.d_hidden.swapaxes(0, 1))
    return {
        "hidden states": trace.hidden.swapaxes(0, 1),
        "gradient of the inputs": found.inputs.swapaxes(0, 1),
        "gradient of the state": found.initial[0],
        "gradient of the kernel": found.kernel,
        "gradient of the recurrent kernel": found.recurrent_kernel,
        "gradient of the bias": found.bias,
    }


def _through_tensorflow(run: Run, case: _Case, activation: Activation) -> list[np.ndarray]:
    """Return the results of `run` in the same order, compiled as in training."""

    @tf.function(autograph=False)
    def results(inputs: Any, state: Any, *weights: Any) -> list[Any]:
        hidden = run(inputs, state, weights, activation)
        seeds = tf.constant(case.d_hidden, hidden.dtype)
        gradients = tf.gradients(
            hidden, [inputs, state, *weights], seeds, unconnected_gradients="zero"
        )
        return [hidden, *gradients]

    # Out of the graph that may be under construction.
    with tf.init_scope():
        sources = (case.inputs, case.state, case.kernel, case.recurrent, case.bias)
        found = results(*(tf.constant(source, tf.float32) for source in sources))
        return [np.asarray(value) for value in found]
