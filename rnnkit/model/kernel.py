"""The time steps of the recurrent layers on a CPU: own forward and backward passes.

What makes them fast on a CPU, where a step of a recurrent layer is a few small operators and one
matrix product:

- the products with the inputs of all steps are one product before the loop;
- the forward loop keeps the activated gates, and every local derivative is computed from them in
  bulk, after the loop, so that a step of the backward loop holds one product, or two;
- the gradients of the matrices are one product each, after the loop;
- a step reads its part of a tensor as a view (`tensor[t]` on the first axis copies nothing), and
  every gate has a product of its own, so that no step has to cut gates apart.

The arithmetic is that of the Keras layers: LSTM with the gates i f c o, GRU with z r h and
`reset_after=True`. All functions take and return time-major tensors, float[time, batch, units].
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import tensorflow as tf

Activation = Literal["tanh", "relu"]
Step = Callable[[tf.Tensor, tuple[tf.Tensor, ...]], tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]]


def simple_rnn(
    inputs: tf.Tensor,
    state: tf.Tensor,
    weights: Sequence[tf.Tensor],
    activation: Activation = "tanh",
) -> tf.Tensor:
    """Elman's recurrent layer.

    Args:
        inputs: float[time, batch, features].
        state: hidden state before the first step, float[batch, units].
        weights: kernel [features, units], recurrent kernel [units, units], bias [units].
        activation: of the hidden state.

    Returns the hidden state after every step, float[time, batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        projected = _project(x, kernel, bias)
        act = tf.tanh if activation == "tanh" else tf.nn.relu

        def step(t: Any, states: Any) -> Any:
            h = act(projected[t] + tf.matmul(states[0], recurrent))
            return [h], [h]

        (h,) = _scan(step, x, [h0], widths=[units])

        def gradient(d_h: Any) -> Any:
            slope = 1.0 - h * h if activation == "tanh" else tf.cast(h > 0.0, h.dtype)
            transposed = tf.transpose(recurrent)

            def back(t: Any, carried: Any) -> Any:
                d_pre = carried[0] * slope[t]
                return [d_pre], [tf.matmul(d_pre, transposed) + _before(d_h, t)]

            (d_pre,), (d_h0,) = _scan_back(back, x, [d_h[-1]], widths=[units])
            d_x, d_kernel = _input_gradients(x, kernel, d_pre)
            d_recurrent = _weight_gradient(_shifted(h0, h), d_pre)
            return d_x, d_h0 - d_h[0], d_kernel, d_recurrent, _bias_gradient(d_pre)

        return h, gradient

    return run(inputs, state, *map(tf.convert_to_tensor, weights))


def lstm(
    inputs: tf.Tensor, states: Sequence[tf.Tensor], weights: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with a forget gate).

    Args:
        inputs: float[time, batch, features].
        states: hidden and cell state before the first step, float[batch, units] each.
        weights: kernel [features, 4 units], recurrent kernel [units, 4 units], bias [4 units].

    Returns the hidden state after every step, float[time, batch, units], and the cell state
    after the last one, float[batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, c0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        xi, xf, xg, xo = _project_gates(x, kernel, bias, gates=4)
        ui, uf, ug, uo = tf.split(recurrent, 4, axis=1)

        def step(t: Any, states: Any) -> Any:
            h, c = states
            i = tf.sigmoid(xi[t] + tf.matmul(h, ui))
            f = tf.sigmoid(xf[t] + tf.matmul(h, uf))
            g = tf.tanh(xg[t] + tf.matmul(h, ug))
            o = tf.sigmoid(xo[t] + tf.matmul(h, uo))
            c = f * c + i * g
            tanh_c = tf.tanh(c)
            h = o * tanh_c
            return [i, f, g, o, c, tanh_c, h], [h, c]

        i, f, g, o, c, tanh_c, h = _scan(step, x, [h0, c0], widths=[units] * 7)

        def gradient(d_h: Any, d_c_last: Any) -> Any:
            c_before = _shifted(c0, c)
            by_cell = tf.stack(
                [g * i * (1.0 - i), c_before * f * (1.0 - f), i * (1.0 - g * g)], axis=2
            )
            by_output = tanh_c * o * (1.0 - o)
            cell_by_hidden = o * (1.0 - tanh_c * tanh_c)
            to_cell = tf.transpose(recurrent[:, : 3 * units])
            to_output = tf.transpose(uo)

            def back(t: Any, carried: Any) -> Any:
                d_hidden, d_cell = carried
                d_cell += d_hidden * cell_by_hidden[t]
                d_gates = _flat(d_cell[:, tf.newaxis, :] * by_cell[t])
                d_o = d_hidden * by_output[t]
                d_before = tf.add_n(
                    [tf.matmul(d_gates, to_cell), tf.matmul(d_o, to_output), _before(d_h, t)]
                )
                return [d_gates, d_o], [d_before, d_cell * f[t]]

            (d_gates, d_o), (d_h0, d_c0) = _scan_back(
                back, x, [d_h[-1], d_c_last], widths=[3 * units, units]
            )
            d_pre = tf.concat([d_gates, d_o], axis=-1)
            d_x, d_kernel = _input_gradients(x, kernel, d_pre)
            d_recurrent = _weight_gradient(_shifted(h0, h), d_pre)
            return d_x, d_h0 - d_h[0], d_c0, d_kernel, d_recurrent, _bias_gradient(d_pre)

        return (h, c[-1]), gradient

    return run(inputs, *states, *map(tf.convert_to_tensor, weights))


def gru(inputs: tf.Tensor, state: tf.Tensor, weights: Sequence[tf.Tensor]) -> tf.Tensor:
    """Gated recurrent unit (Cho et al. 2014), the reset gate after the product as in cuDNN.

    Args:
        inputs: float[time, batch, features].
        state: hidden state before the first step, float[batch, units].
        weights: kernel [features, 3 units], recurrent kernel [units, 3 units], bias [2, 3 units].

    Returns the hidden state after every step, float[time, batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        input_bias, recurrent_bias = tf.unstack(bias)
        bz, br, bg = tf.split(recurrent_bias, 3)
        # Only the candidate needs its recurrent bias apart: the reset gate scales it.
        xz, xr, xg = _project_gates(
            x, kernel, input_bias + tf.concat([bz, br, tf.zeros_like(bg)], axis=0), gates=3
        )
        uz, ur, ug = tf.split(recurrent, 3, axis=1)

        def step(t: Any, states: Any) -> Any:
            (h,) = states
            z = tf.sigmoid(xz[t] + tf.matmul(h, uz))
            r = tf.sigmoid(xr[t] + tf.matmul(h, ur))
            inner = tf.nn.bias_add(tf.matmul(h, ug), bg)
            g = tf.tanh(xg[t] + r * inner)
            h = g + z * (h - g)
            return [z, r, inner, g, h], [h]

        z, r, inner, g, h = _scan(step, x, [h0], widths=[units] * 5)

        def gradient(d_h: Any) -> Any:
            by_candidate = (1.0 - z) * (1.0 - g * g)
            by_inner = by_candidate * r
            by_reset = by_inner * inner * (1.0 - r)
            by_update = (_shifted(h0, h) - g) * z * (1.0 - z)
            by_gates = tf.stack([by_update, by_reset, by_inner], axis=2)
            transposed = tf.transpose(recurrent)

            def back(t: Any, carried: Any) -> Any:
                (d_hidden,) = carried
                d_gates = _flat(d_hidden[:, tf.newaxis, :] * by_gates[t])
                d_before = tf.add_n(
                    [d_hidden * z[t], tf.matmul(d_gates, transposed), _before(d_h, t)]
                )
                return [d_hidden, d_gates], [d_before]

            (d_hidden, d_gates), (d_h0,) = _scan_back(back, x, [d_h[-1]], widths=[units, 3 * units])
            d_candidate = d_hidden * by_candidate
            d_pre = tf.concat([d_gates[:, :, : 2 * units], d_candidate], axis=-1)
            d_x, d_kernel = _input_gradients(x, kernel, d_pre)
            d_recurrent = _weight_gradient(_shifted(h0, h), d_gates)
            d_bias = tf.stack([_bias_gradient(d_pre), _bias_gradient(d_gates)])
            return d_x, d_h0 - d_h[0], d_kernel, d_recurrent, d_bias

        return h, gradient

    return run(inputs, state, *map(tf.convert_to_tensor, weights))


# --------------------------------------------------------------------------------- the loops


def _scan(
    step: Step, like: tf.Tensor, states: Sequence[tf.Tensor], *, widths: Sequence[int]
) -> list[Any]:
    """Run `step(t, states) -> (saved, states)` over the time of `like`.

    Returns what was saved, stacked by time: one float[time, batch, width] for each width.
    """
    time = tf.shape(like)[0]
    arrays = _arrays(like, widths)

    def body(t: Any, states: Any, arrays: Any) -> Any:
        values, states = step(t, states)
        written = [array.write(t, value) for array, value in zip(arrays, values, strict=True)]
        return t + 1, tuple(states), tuple(written)

    _, _, arrays = tf.while_loop(
        lambda t, *_: t < time, body, (0, tuple(states), tuple(arrays)), parallel_iterations=1
    )
    return [array.stack() for array in arrays]


def _scan_back(
    step: Step, like: tf.Tensor, carried: Sequence[tf.Tensor], *, widths: Sequence[int]
) -> tuple[list[Any], Sequence[Any]]:
    """The same from the last step to the first; also returns what is carried before the first.

    `carried[0]` is the gradient of a hidden state and arrives at a step complete: a step adds
    the gradient of the output before it (`_before`). At the first step there is none, so the
    caller takes it away again.
    """
    time = tf.shape(like)[0]
    arrays = _arrays(like, widths)

    def body(t: Any, carried: Any, arrays: Any) -> Any:
        values, carried = step(t, carried)
        written = [array.write(t, value) for array, value in zip(arrays, values, strict=True)]
        return t - 1, tuple(carried), tuple(written)

    _, carried, arrays = tf.while_loop(
        lambda t, *_: t >= 0, body, (time - 1, tuple(carried), tuple(arrays)), parallel_iterations=1
    )
    return [array.stack() for array in arrays], carried


def _arrays(like: tf.Tensor, widths: Sequence[int]) -> list[Any]:
    """One array for each width, as long as `like`, of [batch, width]."""
    time, batch = tf.shape(like)[0], like.shape[1]
    return [tf.TensorArray(like.dtype, time, element_shape=(batch, width)) for width in widths]


def _before(d_outputs: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Gradient of the output of the step before `t`; that of step 0 itself for t = 0."""
    return d_outputs[tf.maximum(t - 1, 0)]


def _shifted(first: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
    """States before every step: `first` and all of `states` but the last."""
    return tf.concat([first[tf.newaxis], states[:-1]], axis=0)


# ---------------------------------------------------------------------- products in one piece


def _rows(tensor: tf.Tensor) -> tf.Tensor:
    """[time, batch, features] -> [time * batch, features]."""
    return tf.reshape(tensor, [-1, tensor.shape[-1]])


def _flat(tensor: Any) -> tf.Tensor:
    """[batch, gates, units] -> [batch, gates * units]."""
    return tf.reshape(tensor, [-1, tensor.shape[1] * tensor.shape[2]])


def _project(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    rows = tf.nn.bias_add(tf.matmul(_rows(x), kernel), bias)
    return tf.reshape(rows, [tf.shape(x)[0], tf.shape(x)[1], kernel.shape[1]])


def _project_gates(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *, gates: int
) -> list[tf.Tensor]:
    kernels, biases = tf.split(kernel, gates, axis=1), tf.split(bias, gates)
    return [_project(x, *pair) for pair in zip(kernels, biases, strict=True)]


def _input_gradients(
    x: tf.Tensor, kernel: tf.Tensor, d_pre: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradients of the inputs and of their kernel."""
    d_x = tf.reshape(tf.matmul(_rows(d_pre), kernel, transpose_b=True), tf.shape(x))
    return d_x, _weight_gradient(x, d_pre)


def _weight_gradient(left: tf.Tensor, d_pre: tf.Tensor) -> tf.Tensor:
    return tf.matmul(_rows(left), _rows(d_pre), transpose_a=True)


def _bias_gradient(d_pre: tf.Tensor) -> tf.Tensor:
    # A product with ones: TensorFlow's sum over the first axis is several times slower.
    rows = _rows(d_pre)
    return tf.matmul(tf.ones([1, tf.shape(rows)[0]], rows.dtype), rows)[0]
