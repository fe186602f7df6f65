"""A classifier in NumPy is that of Keras: logits, and gradients of the states by automatic
differentiation."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnkit.network.keras import build_saved_model, weights_by_name
from rnnkit.network.reference import Network, build_network, run, softmax
from rnnkit.network.reference_gradients import gradients
from rnnkit.tasks.text_classification.config import ClassifierConfig
from rnnkit.tasks.text_classification.network import classifier_network

VOCABULARY, CLASSES, EMBEDDING = 9, 3, 4
IDS = np.array([3, 5, 2, 8, 5, 1])

OPTIONS: dict[str, dict[str, Any]] = {
    **{
        f"{pooling}, {'both directions' if both else 'forward'}": {
            "pooling": pooling,
            "bidirectional": both,
        }
        for pooling, both in itertools.product(("last", "mean", "max", "attention"), (False, True))
    },
    **{
        f"dense {activation}": {"dense": (6, 4), "dense_activation": activation}
        for activation in ("relu", "tanh", "sigmoid", "gelu", "linear")
    },
    "lstm, residual, layer normalisation": {
        "cell": "lstm",
        "layers": 3,
        "units": 4,
        "residual": True,
        "normalization": "layer",
        "bidirectional": True,
    },
    "simple_rnn, batch normalisation": {
        "cell": "simple_rnn",
        "activation": "relu",
        "units": (5, 3),
        "normalization": "batch",
        "pooling": ("max", "last", "attention", "mean"),
    },
}


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Let Keras compute as exactly as the reference does."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def close_to(options: dict[str, Any]) -> float:
    """Keras computes its GELU with constants in float32."""
    return 1e-7 if options.get("dense_activation") == "gelu" else 1e-11


def built(options: dict[str, Any], *, classes: int = CLASSES) -> tuple[keras.Model, Network]:
    model = ClassifierConfig.model_validate(
        {"units": 5, "embedding": {"kind": "learned", "size": EMBEDDING}, **options}
    )
    spec = classifier_network(model, vocabulary_size=VOCABULARY, classes=classes)
    saved = build_saved_model(spec)
    draw = np.random.default_rng(3)
    for weight in saved.weights:
        value = draw.normal(scale=0.6, size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "moving_variance" in weight.path else value)
    return saved, build_network(spec, weights_by_name(saved))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_logits_are_those_of_keras(options: dict[str, Any]) -> None:
    saved, network = built(options)
    wanted = np.asarray(saved(IDS[np.newaxis]))[0]
    np.testing.assert_allclose(
        run(network, IDS[np.newaxis]).logits[0], wanted, rtol=0, atol=close_to(options)
    )
    alone = np.asarray(saved(IDS[np.newaxis, :1]))[0]
    np.testing.assert_allclose(
        run(network, IDS[np.newaxis, :1]).logits[0], alone, rtol=0, atol=close_to(options)
    )


def test_a_sigmoid_has_two_logits() -> None:
    saved, network = built({"output": "sigmoid", "dense": (4,)}, classes=2)
    wanted = np.asarray(saved(IDS[np.newaxis]))[0]
    found = run(network, IDS[np.newaxis]).logits[0]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)
    assert found[0] == 0.0


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gradients_of_every_weight_are_those_of_keras(options: dict[str, Any]) -> None:
    """The gradient by the embedding has come through every state."""
    saved, network = built(options)
    trace = run(network, IDS[np.newaxis])
    d_logits = softmax(trace.logits)
    d_logits[0, 1] -= 1.0
    found = gradients(network, trace, d_logits).weights
    variables = {
        f"{layer.name}/{weight.name}": weight.value
        for layer in saved.layers
        for weight in layer.trainable_weights
    }
    with tf.GradientTape() as tape:
        logits = saved(IDS[np.newaxis])
        loss: Any = keras.ops.sparse_categorical_crossentropy(
            np.array([1]), logits, from_logits=True
        )
    wanted: Any = tape.gradient(loss, variables)
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        expected = tf.convert_to_tensor(wanted[name]).numpy()
        np.testing.assert_allclose(value, expected, rtol=1e-8, atol=close_to(options), err_msg=name)
    assert np.abs(found["embedding/embeddings"]).max() > 1e-6
