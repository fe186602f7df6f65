"""Forward and backward passes of the recurrent layers on a CPU.

A step of a recurrent layer is a few small operators and one matrix product. They are fast because

- the inputs of all steps are multiplied by their matrix at once before the loop, and the gradients
  of the matrices are computed at once after it;
- the forward pass saves the values that the backward pass needs step by step, and they are read
  step by step while they lie in the cache; nothing but matrix products is computed over whole
  sequences;
- an LSTM in float32 runs all its steps in one operator of TensorFlow, and the element-wise part of
  a backward step in another;
- the large matrix products can take bfloat16 operands (8 bits of precision). Those of single steps
  stay float32: they are so small that rounding the operands costs more than it saves.

The arithmetic is that of the Keras layers: LSTM with the gates i f c o, GRU with z r h and
`reset_after=True`. All functions take and return time-major tensors, float32[time, batch, units],
or float64, where rounding hides nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from rnnkit.network.cells import Activation
from rnnkit.network.kernels.loops import (
    MatmulDtype,
    Matmuls,
    bias_gradient,
    gradient_before,
    scan,
    scan_back,
    shifted,
    unstack,
)


def simple_rnn(
    inputs: tf.Tensor,
    state: tf.Tensor,
    weights: Sequence[tf.Tensor],
    activation: Activation = "tanh",
    *,
    matmul_dtype: MatmulDtype = "float32",
) -> tf.Tensor:
    """Run Elman's recurrent layer.

    Args:
        inputs: float32[time, batch, features].
        state: hidden state before the first step, float32[batch, units].
        weights: kernel [features, units], recurrent kernel [units, units], bias [units].
        activation: of the hidden state.
        matmul_dtype: type of the operands of matrix products over all steps.

    Returns the hidden state after every step, float32[time, batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        matmuls = Matmuls(matmul_dtype, x.dtype)
        projected = unstack(matmuls.project(x, kernel, bias))
        act = tf.tanh if activation == "tanh" else tf.nn.relu

        def step(t: Any, h: Any) -> Any:
            h = act(projected.read(t) + tf.matmul(h, recurrent))
            return [h], [h]

        (array,) = scan(step, x, [h0], widths=[units])
        h = array.stack()

        def gradient(d_h: Any) -> Any:
            transposed = tf.transpose(recurrent)
            # Not `array`, which cannot leave a graph that XLA compiles.
            hs, d_hs = unstack(h), unstack(d_h)

            def back(t: Any, d: Any) -> Any:
                h = hs.read(t)
                d_pre = d * (1.0 - h * h if activation == "tanh" else tf.cast(h > 0.0, d.dtype))
                return [d_pre], [tf.matmul(d_pre, transposed) + gradient_before(d_hs, t)]

            (d_pre,), (d_h0,) = scan_back(back, x, [d_h[-1]], widths=[units])
            d_pre = d_pre.stack()
            d_x, d_kernel = matmuls.input_gradients(x, kernel, d_pre)
            d_recurrent = matmuls.weight_gradient(shifted(h0, h), d_pre)
            return d_x, d_h0 - d_h[0], d_kernel, d_recurrent, bias_gradient(d_pre)

        return h, gradient

    return run(inputs, state, *map(tf.convert_to_tensor, weights))


def lstm(
    inputs: tf.Tensor,
    states: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    *,
    matmul_dtype: MatmulDtype = "float32",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run long short-term memory (Hochreiter and Schmidhuber 1997, with a forget gate).

    Args:
        inputs: float32[time, batch, features].
        states: hidden and cell state before the first step, float32[batch, units] each.
        weights: kernel [features, 4 units], recurrent kernel [units, 4 units], bias [4 units].
        matmul_dtype: type of the operands of matrix products over all steps.

    Returns the hidden state after every step, float32[time, batch, units], and the cell state
    after the last one, float32[batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, c0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        matmuls = Matmuls(matmul_dtype, x.dtype)
        weights = (kernel, recurrent, bias)
        forward = _lstm_in_one if x.dtype == tf.float32 else _lstm_by_steps
        i, c, f, o, g, tanh_c, h = forward(x, h0, c0, weights)

        def gradient(d_h: Any, d_c_last: Any) -> Any:
            # TensorFlow's operator gives the gates of a step back in the order i c f o.
            transposed = tf.transpose(_swap_middle(recurrent))
            step_gradients = _fused_gradients(x, units) if x.dtype == tf.float32 else _gradients
            saved = [unstack(values) for values in (shifted(c0, c), i, c, f, o, g, tanh_c)]
            d_hs = unstack(d_h)

            def back(t: Any, d: Any, d_cell: Any) -> Any:
                values = [array.read(t) for array in saved]
                d_cell, d_gates = step_gradients(d, d_cell, *values)
                d = tf.matmul(d_gates, transposed) + gradient_before(d_hs, t)
                return [d_gates], [d, d_cell]

            (d_gates,), (d_h0, d_c0) = scan_back(back, x, [d_h[-1], d_c_last], widths=[4 * units])
            d_gates = d_gates.stack()
            d_x, d_kernel = matmuls.input_gradients(x, _swap_middle(kernel), d_gates)
            d_recurrent = matmuls.weight_gradient(shifted(h0, h), d_gates)
            return (
                d_x,
                d_h0 - d_h[0],
                d_c0,
                *map(_swap_middle, (d_kernel, d_recurrent, bias_gradient(d_gates))),
            )

        return (h, c[-1]), gradient

    return run(inputs, *states, *map(tf.convert_to_tensor, weights))


def _lstm_in_one(x: Any, h0: Any, c0: Any, weights: Any) -> Any:
    """Run all steps in one operator: gates i, cell states, f, o, c, tanh of the cell states, and
    hidden states, float32[time, batch, units] each."""
    kernel, recurrent, bias = weights
    return tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.cast(tf.shape(x)[0], tf.int64),
        x=x,
        cs_prev=c0,
        h_prev=h0,
        w=tf.concat([kernel, recurrent], axis=0),
        b=bias,
        cell_clip=0.0,
        **_no_peepholes(recurrent.shape[0]),
    )


def _lstm_by_steps(x: Any, h0: Any, c0: Any, weights: Any) -> Any:
    """Run the steps one by one, as `_lstm_in_one` does, in any precision."""
    kernel, recurrent, bias = weights
    projected = unstack(Matmuls("float32", x.dtype).project(x, kernel, bias))

    def step(t: Any, h: Any, c: Any) -> Any:
        gates = projected.read(t) + tf.matmul(h, recurrent)
        i, f, g, o = tf.split(gates, 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        tanh_c = tf.tanh(c)
        h = o * tanh_c
        return [i, c, f, o, g, tanh_c, h], [h, c]

    arrays = scan(step, x, [h0, c0], widths=[recurrent.shape[0]] * 7)
    return [array.stack() for array in arrays]


def _gradients(d: Any, d_cell: Any, before: Any, *saved: Any) -> tuple[Any, Any]:
    """Of a step: the gradient of the cell state before it, and that of its gates i c f o.

    `d` and `d_cell` are the gradients of the hidden and the cell state after it, `before` is the
    cell state before it, and `saved` what `_lstm_in_one` gives but the hidden state.
    """
    i, _, f, o, g, tanh_c = saved
    d_cell += d * o * (1.0 - tanh_c * tanh_c)
    d_i, d_g = d_cell * g * i * (1.0 - i), d_cell * i * (1.0 - g * g)
    d_f, d_o = d_cell * before * f * (1.0 - f), d * tanh_c * o * (1.0 - o)
    return d_cell * f, tf.concat([d_i, d_g, d_f, d_o], axis=1)


def _fused_gradients(x: tf.Tensor, units: int) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes `_gradients` in one operator, for float32."""
    batch = tf.shape(x)[1]
    # It asks for the operands of the product too, without looking at them.
    unread = {
        "x": tf.zeros((batch, 1)),
        "h_prev": tf.zeros((batch, units)),
        "w": tf.zeros((units + 1, 4 * units)),
        "b": tf.zeros(4 * units),
        **_no_peepholes(units),
    }

    def gradients(d: Any, d_cell: Any, before: Any, *saved: Any) -> tuple[Any, Any]:
        names = ("i", "cs", "f", "o", "ci", "co")
        found = tf.raw_ops.LSTMBlockCellGrad(
            **unread,
            **dict(zip(names, saved, strict=True)),
            cs_prev=before,
            cs_grad=d_cell,
            h_grad=d,
        )
        return found.cs_prev_grad, found.dicfo

    return gradients


def _no_peepholes(units: int) -> dict[str, object]:
    none = tf.zeros(units)
    return {"wci": none, "wcf": none, "wco": none, "use_peephole": False}


def _swap_middle(gates: Any) -> tf.Tensor:
    """Reorder gates i f c o to i c f o along the last axis, and back."""
    first, second, third, fourth = tf.split(gates, 4, axis=-1)
    return tf.concat([first, third, second, fourth], axis=-1)


def gru(
    inputs: tf.Tensor,
    state: tf.Tensor,
    weights: Sequence[tf.Tensor],
    *,
    matmul_dtype: MatmulDtype = "float32",
) -> tf.Tensor:
    """Run a gated recurrent unit (Cho et al. 2014), the reset gate after the product as in cuDNN.

    Args:
        inputs: float32[time, batch, features].
        state: hidden state before the first step, float32[batch, units].
        weights: kernel [features, 3 units], recurrent kernel [units, 3 units], bias [2, 3 units].
        matmul_dtype: type of the operands of matrix products over all steps.

    Returns the hidden state after every step, float32[time, batch, units].
    """

    @tf.custom_gradient
    def run(x: Any, h0: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        units = recurrent.shape[0]
        matmuls = Matmuls(matmul_dtype, x.dtype)
        parts = [2 * units, units]  # both gates, and the candidate
        input_bias, recurrent_bias = tf.unstack(bias)
        gate_bias, inner_bias = tf.split(recurrent_bias, parts)
        # Only the candidate needs its recurrent bias apart: the reset gate scales it.
        biases = tf.split(input_bias + tf.pad(gate_bias, [[0, units]]), parts)
        kernels = tf.split(kernel, parts, axis=1)
        x_gates, x_candidate = (
            unstack(matmuls.project(x, *pair)) for pair in zip(kernels, biases, strict=True)
        )
        u_gates, u_candidate = tf.split(recurrent, parts, axis=1)

        def step(t: Any, h: Any) -> Any:
            gates = tf.sigmoid(x_gates.read(t) + tf.matmul(h, u_gates))
            z, r = tf.split(gates, 2, axis=1)
            inner = tf.nn.bias_add(tf.matmul(h, u_candidate), inner_bias)
            g = tf.tanh(x_candidate.read(t) + r * inner)
            h = g + z * (h - g)
            return [z, r, inner, g, h], [h]

        *saved, hs = scan(step, x, [h0], widths=[units] * 5)
        h = hs.stack()

        def gradient(d_h: Any) -> Any:
            steps = (x, h0, h, d_h)
            return _gru_gradients(matmuls, steps, saved, kernels, (u_gates, u_candidate))

        return h, gradient

    return run(inputs, state, *map(tf.convert_to_tensor, weights))


def _gru_gradients(
    matmuls: Matmuls,
    steps: Sequence[Any],
    saved: Sequence[Any],
    kernels: Sequence[Any],
    recurrents: Sequence[Any],
) -> tuple[Any, ...]:
    """Return gradients of inputs, first state, kernel, recurrent kernel and bias.

    `steps` are the inputs, the state before the first step, the states after every step and their
    gradients; `saved` are z, r, the recurrent product of the candidate and g of every step.
    Kernels are split into those of both gates and that of the candidate.
    """
    x, h0, h, d_h = steps
    zs, rs, inners, gs = saved
    units = h.shape[-1]
    to_gates, to_candidate = map(tf.transpose, recurrents)
    h_before = shifted(h0, h)
    befores, d_hs = unstack(h_before), unstack(d_h)

    def back(t: Any, d: Any) -> Any:
        z, r, inner, g = zs.read(t), rs.read(t), inners.read(t), gs.read(t)
        to_new = d * (1.0 - z)
        d_candidate = to_new * (1.0 - g * g)
        d_inner = d_candidate * r
        d_r = d_inner * inner * (1.0 - r)
        d_z = to_new * z * (befores.read(t) - g)
        d_gates = tf.concat([d_z, d_r], axis=1)
        d_before = [
            d * z,
            tf.matmul(d_gates, to_gates),
            tf.matmul(d_inner, to_candidate),
            gradient_before(d_hs, t),
        ]
        return [d_gates, d_candidate, d_inner], [tf.add_n(d_before)]

    arrays, (d_h0,) = scan_back(back, x, [d_h[-1]], widths=[2 * units, units, units])
    d_gates, d_candidate, d_inner = (array.stack() for array in arrays)
    through_gates = matmuls.input_gradients(x, kernels[0], d_gates)
    through_candidate = matmuls.input_gradients(x, kernels[1], d_candidate)
    d_recurrent = [matmuls.weight_gradient(h_before, d) for d in (d_gates, d_inner)]
    d_gate_bias = bias_gradient(d_gates)
    d_bias = [tf.concat([d_gate_bias, bias_gradient(d)], axis=0) for d in (d_candidate, d_inner)]
    return (
        through_gates[0] + through_candidate[0],
        d_h0 - d_h[0],
        tf.concat([through_gates[1], through_candidate[1]], axis=1),
        tf.concat(d_recurrent, axis=1),
        tf.stack(d_bias),
    )
