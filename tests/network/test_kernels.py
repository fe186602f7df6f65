"""Our kernel is the Keras layer: outputs, states and gradients."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.network.kernels import fused as kernel

CELLS = ("simple_rnn", "simple_rnn relu", "lstm", "gru")


def stock(cell: str, units: int) -> keras.layers.Layer:
    options: dict[str, Any] = {
        "return_sequences": True,
        "return_state": True,
        "dtype": "float64",
        "bias_initializer": "random_normal",
    }
    match cell:
        case "simple_rnn":
            return keras.layers.SimpleRNN(units, **options)
        case "simple_rnn relu":
            return keras.layers.SimpleRNN(units, activation="relu", **options)
        case "lstm":
            return keras.layers.LSTM(units, **options)
        case "gru":
            return keras.layers.GRU(units, **options)
        case _:
            raise AssertionError(cell)


def ours(
    cell: str,
    x: Any,
    states: Sequence[Any],
    weights: Sequence[Any],
    matmul_dtype: kernel.MatmulDtype = "float32",
) -> list[Any]:
    """Outputs [batch, time, units] and final states, as the Keras layer gives them."""
    x = tf.transpose(x, [1, 0, 2])
    match cell:
        case "simple_rnn":
            h = kernel.simple_rnn(x, states[0], weights, matmul_dtype=matmul_dtype)
            last = [h[-1]]
        case "simple_rnn relu":
            h = kernel.simple_rnn(x, states[0], weights, "relu", matmul_dtype=matmul_dtype)
            last = [h[-1]]
        case "lstm":
            h, c = kernel.lstm(x, states, weights, matmul_dtype=matmul_dtype)
            last = [h[-1], c]
        case "gru":
            h = kernel.gru(x, states[0], weights, matmul_dtype=matmul_dtype)
            last = [h[-1]]
        case _:
            raise AssertionError(cell)
    return [tf.transpose(h, [1, 0, 2]), *last]


def random_case(
    cell: str, *, batch: int, time: int, features: int, units: int, seed: int
) -> tuple[keras.layers.Layer, Any, list[Any]]:
    keras.utils.set_random_seed(seed)
    layer = stock(cell, units)
    layer.build((batch, time, features))
    generator = np.random.default_rng(seed)
    x = tf.constant(generator.normal(size=(batch, time, features)))
    count = 2 if cell == "lstm" else 1
    states = [tf.constant(generator.normal(size=(batch, units))) for _ in range(count)]
    return layer, x, states


def uneven_loss(outputs: list[Any]) -> Any:
    """A loss that every output and final state enters differently."""
    return tf.add_n(
        [
            tf.reduce_sum(tf.sin(output * (number + 1.3)) * tf.cos(output))
            for number, output in enumerate(outputs)
        ]
    )


def assert_same(cell: str, **sizes: int) -> None:
    layer, x, states = random_case(cell, **sizes)
    weights = [weight.value for weight in layer.weights]
    sources = [x, *states, *weights]
    results = []
    for function in (
        lambda: list(layer(x, initial_state=states)),
        lambda: ours(cell, x, states, weights),
        # Compiled, with nothing known of the shapes but the sizes of the layer.
        lambda: list(
            tf.function(
                lambda x, *states: ours(cell, x, states, weights),
                input_signature=[
                    tf.TensorSpec([None, None, x.shape[-1]], x.dtype),
                    *(tf.TensorSpec([None, state.shape[-1]], x.dtype) for state in states),
                ],
            )(x, *states)
        ),
    ):
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = function()
            loss = uneven_loss(outputs)
        found = tape.gradient(loss, sources)
        results.append([np.asarray(value) for value in [*outputs, *found]])
    for reference, *found in zip(*results, strict=True):
        for values in found:
            np.testing.assert_allclose(values, reference, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_states_and_gradients_are_those_of_keras(cell: str) -> None:
    assert_same(cell, batch=3, time=7, features=5, units=4, seed=1)


@settings(max_examples=12)
@given(
    cell=st.sampled_from(CELLS),
    batch=st.integers(1, 4),
    time=st.integers(1, 6),
    features=st.integers(1, 5),
    units=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_for_any_shape(
    cell: str, batch: int, time: int, features: int, units: int, seed: int
) -> None:
    assert_same(cell, batch=batch, time=time, features=features, units=units, seed=seed)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_finite_differences(cell: str) -> None:
    layer, x, states = random_case(cell, batch=2, time=4, features=3, units=3, seed=5)
    weights = [weight.value for weight in layer.weights]

    def function(*sources: Any) -> Any:
        x, *rest = sources
        outputs = ours(cell, x, rest[: len(states)], rest[len(states) :])
        return tf.add_n([tf.reduce_sum(output**2) for output in outputs])

    theoretical, numerical = tf.test.compute_gradient(
        function, [x, *states, *map(tf.convert_to_tensor, weights)], delta=1e-6
    )
    for left, right in zip(theoretical, numerical, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])  # ReLU has a kink to fall over
def test_narrow_products_lose_what_bfloat16_loses(cell: str) -> None:
    """Operands keep 8 bits; everything else stays float32."""
    layer, x, states = random_case(cell, batch=4, time=6, features=5, units=8, seed=3)
    exact = [tf.cast(value, tf.float32) for value in (x, *states, *layer.weights)]
    found = {}
    for matmul_dtype in ("float32", "bfloat16"):
        with tf.GradientTape() as tape:
            tape.watch(exact)
            x, *rest = exact
            outputs = ours(
                cell, x, rest[: len(states)], rest[len(states) :], matmul_dtype=matmul_dtype
            )
            loss = uneven_loss(outputs)
        assert all(output.dtype == tf.float32 for output in outputs)
        found[matmul_dtype] = [*outputs, *tape.gradient(loss, exact)]
    lost = [
        float(tf.norm(wide - narrow) / tf.norm(wide))
        for wide, narrow in zip(found["float32"], found["bfloat16"], strict=True)
    ]
    assert 1e-4 < max(lost) < 0.05


@pytest.mark.parametrize("cell", CELLS)
def test_float32_is_as_exact_as_float32_can_be(cell: str) -> None:
    """The operators that exist for float32 alone give the gradients of Keras in float64."""
    layer, x, states = random_case(cell, batch=6, time=20, features=7, units=16, seed=4)
    weights = [weight.value for weight in layer.weights]
    results = []
    for dtype in (tf.float64, tf.float32):
        sources = [tf.cast(value, dtype) for value in (x, *states, *weights)]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            x_, *rest = sources
            outputs = ours(cell, x_, rest[: len(states)], rest[len(states) :])
            loss = uneven_loss(outputs)
        results.append([*outputs, *tape.gradient(loss, sources)])
    for reference, found in zip(*results, strict=True):
        assert found.dtype == tf.float32
        lost = tf.norm(reference - tf.cast(found, tf.float64)) / tf.norm(reference)
        assert float(lost) < 1e-6
