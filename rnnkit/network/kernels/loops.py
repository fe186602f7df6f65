"""Loops over time steps, and matrix products over all of them, for the kernels.

Tensors are time-major, float32 or float64[time, batch, width].
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import tensorflow as tf

MatmulDtype = Literal["float32", "bfloat16"]
"""Type that operands of matrix products over all steps are rounded to; `float32` leaves them."""

Step = Callable[..., tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]]


def scan(
    step: Step, like: tf.Tensor, states: Sequence[tf.Tensor], *, widths: Sequence[int]
) -> list[Any]:
    """Run `step(t, *states) -> (saved, states)` over the time of `like`.

    Returns what was saved: one array of float32[batch, width] over time for each width.
    """
    time = tf.shape(like)[0]

    def body(t: Any, states: Any, arrays: Any) -> Any:
        values, states = step(t, *states)
        return t + 1, tuple(states), _written(arrays, t, values)

    _, _, arrays = tf.while_loop(
        lambda t, *_: t < time,
        body,
        (0, tuple(states), _arrays(like, widths)),
        parallel_iterations=1,
    )
    return list(arrays)


def scan_back(
    step: Step, like: tf.Tensor, carried: Sequence[tf.Tensor], *, widths: Sequence[int]
) -> tuple[list[Any], Sequence[Any]]:
    """Run `step(t, *carried) -> (saved, carried)` from the last step to the first.

    Returns what was saved, and `carried` after the first step. `carried[0]` is the gradient of a
    hidden state and complete when it reaches a step: the step after has added that of the output
    (`gradient_before`). The first step has no step before it, so the caller subtracts it again.
    """
    time = tf.shape(like)[0]

    def body(t: Any, carried: Any, arrays: Any) -> Any:
        values, carried = step(t, *carried)
        return t - 1, tuple(carried), _written(arrays, t, values)

    _, carried, arrays = tf.while_loop(
        lambda t, *_: t >= 0,
        body,
        (time - 1, tuple(carried), _arrays(like, widths)),
        parallel_iterations=1,
    )
    return list(arrays), carried


def _arrays(like: tf.Tensor, widths: Sequence[int]) -> tuple[Any, ...]:
    """One array for each width, as long as `like`, of [batch, width]."""
    time, batch = tf.shape(like)[0], like.shape[1]
    return tuple(
        tf.TensorArray(like.dtype, time, element_shape=(batch, width), clear_after_read=False)
        for width in widths
    )


def _written(arrays: Any, t: Any, values: Any) -> tuple[Any, ...]:
    return tuple(array.write(t, value) for array, value in zip(arrays, values, strict=True))


def unstack(tensor: tf.Tensor) -> Any:
    """Return the steps of [time, batch, width] as an array that is read step by step, in place."""
    array = tf.TensorArray(tensor.dtype, tf.shape(tensor)[0], clear_after_read=False)
    return array.unstack(tensor)


def gradient_before(d_outputs: Any, t: tf.Tensor) -> tf.Tensor:
    """Read the gradient of the output of the step before `t`; that of step 0 itself for t = 0."""
    return d_outputs.read(tf.maximum(t - 1, 0))


def shifted(first: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
    """Return the states before every step: `first` and all of `states` but the last."""
    return tf.concat([first[tf.newaxis], states[:-1]], axis=0)


# ------------------------------------------------------------------------------------ matmuls


class Matmuls:
    """Matrix products of whole sequences: operands rounded to `matmul_dtype`, results `dtype`."""

    def __init__(self, matmul_dtype: MatmulDtype, dtype: tf.DType) -> None:
        self._dtype = dtype
        self._operands = tf.bfloat16 if matmul_dtype == "bfloat16" else dtype

    def _operand(self, tensor: Any) -> tf.Tensor:
        """Rounded, unless it is already."""
        return tf.cast(tensor, self._operands)

    def _product(
        self, left: Any, right: Any, *, transpose_a: bool = False, transpose_b: bool = False
    ) -> tf.Tensor:
        left, right = self._operand(left), self._operand(right)
        product = tf.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b)
        return tf.cast(product, self._dtype)

    def project(self, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        """Multiply [time, batch, features] by [features, width] and add [width]."""
        rows = tf.nn.bias_add(self._product(_rows(x), kernel), bias)
        return tf.reshape(rows, [tf.shape(x)[0], tf.shape(x)[1], kernel.shape[1]])

    def input_gradients(
        self, x: tf.Tensor, kernel: tf.Tensor, d_pre: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the gradients of the inputs and of their kernel."""
        d_pre = self._operand(d_pre)
        d_x = tf.reshape(self._product(_rows(d_pre), kernel, transpose_b=True), tf.shape(x))
        return d_x, self.weight_gradient(x, d_pre)

    def weight_gradient(self, left: tf.Tensor, d_pre: tf.Tensor) -> tf.Tensor:
        """Return the gradient of a matrix that `left` was multiplied by at every step."""
        return self._product(_rows(left), _rows(d_pre), transpose_a=True)


def _rows(tensor: tf.Tensor) -> tf.Tensor:
    """[time, batch, features] -> [time * batch, features]."""
    return tf.reshape(tensor, [-1, tensor.shape[-1]])


def bias_gradient(d_pre: tf.Tensor) -> tf.Tensor:
    """Sum [time, batch, width] over time and batch."""
    # A product with ones: TensorFlow's sum over the first axis is several times slower.
    rows = _rows(d_pre)
    return tf.matmul(tf.ones([1, tf.shape(rows)[0]], rows.dtype), rows)[0]
