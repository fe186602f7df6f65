"""The cells that `rnnkit inspect` shows are those of Keras, forward and backward through time."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnkit.network.keras import build_saved_model, weights_by_name
from rnnkit.network.reference import Network, build_network, encode, run, softmax
from rnnkit.network.reference_gradients import gradients as gradients_of
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network

CELLS = ("simple_rnn", "lstm", "gru")
VOCABULARY, BATCH, TIME = 6, 3, 7

OPTIONS: dict[str, dict[str, Any]] = {
    "one layer": {"units": 5},
    "one-hot": {"units": 5, "input": {"kind": "one_hot"}},
    "scaled": {"units": 5, "input": {"kind": "scaled"}},
    "two layers": {"units": (5, 4)},
    "tied": {"units": 4, "input": {"kind": "embedding", "size": 4}, "tie_weights": True},
    "layer normalisation, residual": {
        "units": 4,
        "layers": 3,
        "normalization": "layer",
        "residual": True,
    },
    "batch normalisation": {"units": (4, 5), "normalization": "batch"},
}
GRID = [
    *(({"cell": cell} | options) for cell, options in itertools.product(CELLS, OPTIONS.values())),
    {"cell": "simple_rnn", "activation": "relu", "units": (5, 4)},
]
IDS = [
    *(f"{cell}, {name}" for cell, name in itertools.product(CELLS, OPTIONS)),
    "simple_rnn, relu",
]


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Let Keras compute as exactly as the reference does."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def configure(options: dict[str, Any]) -> LanguageModelConfig:
    sized = {"input": {"kind": "embedding", "size": 3}, **options}
    return LanguageModelConfig.model_validate(sized)


def built(model: LanguageModelConfig) -> tuple[keras.Model, Network]:
    """A Keras model with weights that leave nothing at its initial value, and the same for us."""
    saved = build_saved_model(language_network(model, vocabulary_size=VOCABULARY))
    draw = np.random.default_rng(7)
    for weight in saved.weights:
        value = draw.normal(scale=0.6, size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "moving_variance" in weight.path else value)
    network = build_network(
        language_network(model, vocabulary_size=VOCABULARY), weights_by_name(saved)
    )
    return saved, network


def close_to(options: dict[str, Any]) -> float:
    """Scaled ids are float32 in the network, whatever its weights are."""
    return 1e-6 if options.get("input") == {"kind": "scaled"} else 1e-11


def some_ids() -> np.ndarray:
    return np.random.default_rng(1).integers(0, VOCABULARY, (BATCH, TIME + 1))


@pytest.mark.parametrize("options", GRID, ids=IDS)
def test_logits_are_those_of_keras(options: dict[str, Any]) -> None:
    saved, network = built(configure(options))
    ids = some_ids()
    ours = run(network, ids).logits
    np.testing.assert_allclose(ours, np.asarray(saved(ids)), rtol=0, atol=close_to(options))
    np.testing.assert_allclose(run(network, ids, last_only=True).logits, ours[:, -1:])


@pytest.mark.parametrize("options", GRID, ids=IDS)
def test_gradients_of_the_weights_are_those_of_keras(options: dict[str, Any]) -> None:
    saved, network = built(configure(options))
    ids = some_ids()
    with tf.GradientTape() as tape:
        losses: Any = keras.ops.sparse_categorical_crossentropy(
            ids[:, 1:], saved(ids[:, :-1]), from_logits=True
        )
        loss = tf.reduce_mean(losses)
    variables = {
        f"{layer.name}/{weight.name}": weight.value
        for layer in saved.layers
        for weight in layer.trainable_weights
    }
    wanted: Any = tape.gradient(loss, variables)
    found = gradients_of(network, *loss_of_every_step(network, ids)).weights
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        expected = tf.convert_to_tensor(wanted[name]).numpy()
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=close_to(options), err_msg=name)


def loss_of_every_step(network: Network, ids: np.ndarray) -> tuple[Any, np.ndarray]:
    trace = run(network, ids[:, :-1])
    d_logits = softmax(trace.logits)
    np.put_along_axis(
        d_logits,
        ids[:, 1:, np.newaxis],
        np.take_along_axis(d_logits, ids[:, 1:, np.newaxis], -1) - 1.0,
        -1,
    )
    return trace, d_logits / ids[:, 1:].size


@pytest.mark.parametrize("options", GRID, ids=IDS)
def test_gradients_of_the_states_are_those_of_automatic_differentiation(
    options: dict[str, Any],
) -> None:
    model = configure(options)
    saved, network = built(model)
    ids = some_ids()
    with tf.GradientTape() as tape:
        states, logits = step_by_step(saved, model, network, ids[:, :-1], tape)
        losses: Any = keras.ops.sparse_categorical_crossentropy(
            ids[:, -1], logits, from_logits=True
        )
        loss = tf.reduce_sum(losses)
    # Nothing reads the cell state after the last step.
    wanted: Any = tape.gradient(loss, states, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    trace = run(network, ids[:, :-1], last_only=True)
    d_logits = softmax(trace.logits)
    d_logits[np.arange(BATCH), 0, ids[:, -1]] -= 1.0
    found = gradients_of(network, trace, d_logits)
    for index, (part,) in enumerate(found.layers):
        gradients = {f"h{index}": part.hidden}
        if part.cell is not None:
            # Keras hands c on beside h; what c does through its own h is not in its derivative.
            (cell,) = trace.layers[index].cells
            assert cell.cell is not None
            through_h = part.hidden * cell.gates[:, :, 3] * (1.0 - np.tanh(cell.cell) ** 2)
            gradients[f"c{index}"] = part.cell - through_h
        for name, ours in gradients.items():
            theirs = np.stack([step.numpy() for step in wanted[name]], axis=1)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14, err_msg=name)
            norms = np.linalg.norm(theirs, axis=-1)
            np.testing.assert_allclose(np.linalg.norm(ours, axis=-1), norms, rtol=1e-6, atol=1e-15)
    assert wanted.keys() == {
        f"{kind}{i}"
        for i in range(len(found.layers))
        for kind in "hc"[: 1 + (model.cell == "lstm")]
    }


def step_by_step(
    saved: keras.Model,
    model: LanguageModelConfig,
    network: Network,
    ids: np.ndarray,
    tape: tf.GradientTape,
) -> tuple[dict[str, list[tf.Tensor]], Any]:
    """The same network with the cells of Keras called one step at a time, so that every state is
    a tensor of its own; the logits of the last step."""
    steps: Sequence[Any] = tf.unstack(tf.constant(encode(network, ids)), axis=1)
    watched: dict[str, list[tf.Tensor]] = {}
    for index, layer in enumerate(network.layers):
        cell: Any = saved.get_layer(f"recurrent_{index}").cell
        states = [tf.zeros((BATCH, layer.width), tf.float64)] * (1 + (model.cell == "lstm"))
        outputs = []
        for x in steps:
            _, states = cell(x, states)
            states = [tf.identity(state) for state in states]
            for kind, state in zip("hc", states, strict=False):
                tape.watch(state)
                watched.setdefault(f"{kind}{index}", []).append(state)
            y = states[0]
            if model.normalization != "none":
                y = saved.get_layer(f"normalization_{index}")(y[:, tf.newaxis])[:, 0]
            outputs.append(x + y if layer.adds_input else y)
        steps = outputs
    if model.tie_weights:
        embedding: Any = saved.get_layer("embedding")
        return watched, embedding(steps[-1], reverse=True)
    return watched, saved.get_layer("logits")(steps[-1])
