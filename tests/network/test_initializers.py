"""Weights of a network: whether they fit, how they are drawn, and what they are counted as."""

from typing import Any

import keras
import numpy as np
import pytest

from rnnkit.inspection.summary import summarize
from rnnkit.network.cells import LSTM, SIMPLE_RNN
from rnnkit.network.initializers import draw_matrix, untrained, with_cell
from rnnkit.network.keras import build_saved_model, weights_by_name
from rnnkit.network.reference import build_network
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.text_classification.config import (
    ClassifierConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
)
from rnnkit.tasks.text_classification.network import classifier_network

MODEL = LanguageModelConfig(cell="lstm", units=4)

# ------------------------------------------------------------------------------ a whole network


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("logits/bias"), "'logits/bias' is missing"),
        (lambda w: w.update({"logits/bias": np.zeros(6)}), r"has shape \(6,\), expected \(5,\)"),
        (lambda w: w.update({"logits/bias": np.full(5, np.nan)}), "is not finite"),
        (lambda w: w.update({"dense_0/bias": np.zeros(6)}), "is none of this network"),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, said: str) -> None:
    weights = dict(untrained(language_network(MODEL, vocabulary_size=5), seed=0).weights)
    build_network(language_network(MODEL, vocabulary_size=5), weights)
    change(weights)
    with pytest.raises(ValueError, match=said):
        build_network(language_network(MODEL, vocabulary_size=5), weights)


# -------------------------------------------------------------------------------- random weights

INITIALIZERS = ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal")


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(60, 240), (240, 60)])
def test_matrices_are_drawn_as_keras_draws_them(name: str, shape: tuple[int, int]) -> None:
    ours = draw_matrix(name, shape, np.random.default_rng(0))
    initializer: Any = keras.initializers.get({"class_name": name, "config": {"seed": 1}})
    theirs = np.asarray(initializer(shape))
    assert ours.shape == theirs.shape
    assert ours.std() == pytest.approx(float(theirs.std()), rel=0.03)
    assert abs(ours.mean()) < 3 * ours.std() / np.sqrt(ours.size)
    if name != "orthogonal":  # the largest of a normal distribution without an end would be larger
        assert np.abs(ours).max() == pytest.approx(float(np.abs(theirs).max()), rel=0.02)
    quantiles = np.linspace(0.05, 0.95, 10)
    spread = float(theirs.std())
    np.testing.assert_allclose(
        np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.06 * spread
    )


@pytest.mark.parametrize("shape", [(5, 20), (20, 5), (6, 6)])
def test_an_orthogonal_matrix_is_one(shape: tuple[int, int]) -> None:
    matrix = draw_matrix("orthogonal", shape, np.random.default_rng(0))
    small = matrix @ matrix.T if shape[0] < shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-12)


def test_the_rest_begins_as_in_keras() -> None:
    for cell in ("simple_rnn", "lstm", "gru"):
        for normalization in ("layer", "batch"):
            model = LanguageModelConfig.model_validate(
                {"cell": cell, "units": 4, "normalization": normalization}
            )
            keras_weights = weights_by_name(
                build_saved_model(language_network(model, vocabulary_size=6))
            )
            ours = untrained(language_network(model, vocabulary_size=6), seed=0).weights
            for name, wanted in keras_weights.items():
                if name.endswith(("bias", "gamma", "beta", "moving_mean", "moving_variance")):
                    np.testing.assert_array_equal(ours[name], wanted, err_msg=name)
            spread = keras_weights["embedding/embeddings"]
            assert np.abs(ours["embedding/embeddings"]).max() <= 0.05
            assert np.abs(spread).max() <= 0.05


def test_a_seed_decides_everything_and_each_matrix_differs() -> None:
    def drawn(seed: int) -> dict[str, np.ndarray]:
        model = LanguageModelConfig(units=4, layers=2)
        network = untrained(language_network(model, vocabulary_size=6), seed=seed)
        return dict(network.weights)

    one, again, other = drawn(1), drawn(1), drawn(2)
    for name, value in one.items():
        np.testing.assert_array_equal(value, again[name])
    kernels = [f"recurrent_{index}/recurrent_kernel" for index in (0, 1)]
    assert not np.array_equal(one[kernels[0]], one[kernels[1]])
    assert not np.array_equal(one[kernels[0]], other[kernels[0]])


def test_given_weights_and_vectors_stay_what_they_are() -> None:
    model = LanguageModelConfig.model_validate(
        {"cell": "simple_rnn", "units": 2, "initial_weights": {"recurrent_0/bias": (1.0, -2.0)}}
    )
    spec = language_network(model, vocabulary_size=3)
    network = untrained(spec, seed=0, given=model.initial_weights)
    np.testing.assert_array_equal(network.weights["recurrent_0/bias"], [1.0, -2.0])
    vectors = np.arange(12.0).reshape(4, 3)
    classifier = ClassifierConfig(units=2, embedding=LearnedEmbedding(size=3))
    found = untrained(
        classifier_network(classifier, vocabulary_size=4, classes=2), vectors=vectors, seed=0
    )
    np.testing.assert_array_equal(found.embeddings, vectors)


def test_another_cell_keeps_what_it_can_have() -> None:
    model = LanguageModelConfig(
        cell="simple_rnn", activation="relu", recurrent_initializer="identity", units=7
    )
    spec = language_network(model, vocabulary_size=3)
    changed = with_cell(spec, LSTM).top
    assert (changed.cell, changed.activation, changed.units) == (LSTM, None, 7)
    assert changed.recurrent_initializer == "orthogonal"
    assert with_cell(spec, SIMPLE_RNN) == spec
    assert with_cell(with_cell(spec, LSTM), SIMPLE_RNN).top.activation == "tanh"


# --------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    "options",
    [
        {"units": (5, 3)},
        {"units": 4, "input": {"kind": "one_hot"}, "normalization": "batch"},
        {"units": 4, "input": {"kind": "embedding", "size": 4}, "tie_weights": True},
        {"units": 4, "layers": 2, "residual": True, "normalization": "layer"},
    ],
)
def test_parameters_are_those_that_keras_counts(cell: str, options: dict[str, Any]) -> None:
    model = LanguageModelConfig.model_validate({"cell": cell, **options})
    saved = build_saved_model(language_network(model, vocabulary_size=6))
    found = summarize(language_network(model, vocabulary_size=6))
    assert found.parameters == saved.count_params()
    assert found.fixed == sum(int(np.prod(w.shape)) for w in saved.non_trainable_weights)
    assert found.layers[-1].output == ("batch", "time", 6)
    last_only = summarize(language_network(model, vocabulary_size=6, every_step=False))
    assert last_only.layers[-1].output == ("batch", 6)
    by_name = {layer.name: layer for layer in found.layers}
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[cell]
    first = by_name["recurrent_0"]
    units = first.output[-1]
    assert isinstance(units, int)
    width = found.layers[0].output[-1]
    assert isinstance(width, int)
    assert first.multiply_adds == gates * units * (width + units)
    assert first.state_bytes == 4 * units * (2 if cell == "lstm" else 1)


def test_a_classifier_is_counted_too() -> None:
    model = ClassifierConfig(
        units=3,
        bidirectional=True,
        pooling=("last", "attention"),
        dense=(4,),
        layers=2,
        embedding=PretrainedEmbedding(kind="pretrained", path="v.txt"),
    )
    spec = classifier_network(model, vocabulary_size=9, classes=2, vector_size=5)
    saved = build_saved_model(spec)
    found = summarize(spec)
    assert found.parameters == saved.count_params()
    assert found.fixed == 45
    assert found.multiply_adds("text") == 12 * 4 + 4 * 2
    recurrent = 2 * 9 * (5 + 3) + 2 * 9 * (6 + 3)
    assert found.multiply_adds("token") == recurrent + 6 * 6 + 6
