"""The trained classifier, the saved Keras model and model.onnx are one function of the texts, and
padding is no part of a text."""

import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.network import layers
from rnnkit.network.keras import build_saved_model, build_training_model, weights_by_name
from rnnkit.network.onnx import export_onnx
from rnnkit.network.spec import NetworkSpec
from rnnkit.tasks.text_classification.config import (
    ClassifierConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
)
from rnnkit.tasks.text_classification.network import classifier_network

VOCABULARY = 13
EMBEDDING = 5
CELLS = ("simple_rnn", "lstm", "gru")
POOLINGS = ("last", "mean", "max", "attention")
NORMALIZATIONS = ("none", "layer", "batch")
LENGTHS = (4, 1, 7, 1, 6)

EVERYTHING: dict[str, Any] = {
    "cell": "lstm",
    "units": 4,
    "layers": 2,
    "bidirectional": True,
    "residual": True,
    "normalization": "batch",
    "pooling": POOLINGS,
    "dropout": 0.2,
    "dropout_mask": "sequence",
    "embedding_dropout": 0.2,
    "dense": (6, 3),
    "dense_activation": ("gelu", "tanh"),
    "dense_dropout": 0.2,
    "output": "sigmoid",
    "l1": 0.01,
}


class Networks(NamedTuple):
    """The same weights in all three forms."""

    trained: keras.Model
    saved: keras.Model
    onnx: Any


def config(**options: Any) -> ClassifierConfig:
    chosen = {"units": 6, "embedding": LearnedEmbedding(size=EMBEDDING), **options}
    return ClassifierConfig(**chosen)


def network_of(model: ClassifierConfig, classes: int) -> NetworkSpec:
    return classifier_network(
        model, vocabulary_size=VOCABULARY, classes=classes, vector_size=EMBEDDING
    )


def build(
    model: ClassifierConfig, classes: int = 2, *, seed: int = 7
) -> tuple[keras.Model, keras.Model]:
    """Both Keras models with equal weights."""
    spec = network_of(model, classes)
    trained = build_training_model(spec)
    with_random_weights(trained, seed)
    saved = build_saved_model(spec)
    copy_weights(trained, saved)
    return trained, saved


def with_random_weights(model: keras.Model, seed: int) -> None:
    """Weights of the size that training gives, moving averages and gains included."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        values = generator.normal(0.0, 0.5, weight.shape)
        if weight.name == "moving_variance":
            values = 0.5 + values**2
        weight.assign(values)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    weights = weights_by_name(source)
    for layer in target.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])


def networks(model: ClassifierConfig, classes: int = 2) -> Networks:
    trained, saved = build(model, classes)
    names = [f"class {number}" for number in range(classes)]
    data = export_onnx(
        weights_by_name(trained), network_of(model, classes), metadata={"classes": names}
    )
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return Networks(trained, saved, session)


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Layers built here compute in float64, where rounding hides nothing."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def texts(lengths: Sequence[int], *, seed: int = 3, padding: int = 0) -> np.ndarray:
    """Ids int32[batch, time], each row as long as asked and padded on the right."""
    generator = np.random.default_rng(seed)
    ids = np.zeros((len(lengths), max(lengths, default=1) + padding), np.int32)
    for row, length in enumerate(lengths):
        ids[row, :length] = generator.integers(1, VOCABULARY, length)
    return ids


def wider(ids: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(ids, ((0, 0), (0, padding)))


def logits(network: keras.Model, ids: np.ndarray, *, training: bool = False) -> np.ndarray:
    return np.asarray(network(keras.ops.array(ids), training=training))


def assert_parity(found: Networks, ids: np.ndarray) -> None:
    expected = logits(found.trained, ids)
    np.testing.assert_allclose(logits(found.saved, ids), expected, atol=1e-5, rtol=1e-5)
    (ours,) = found.onnx.run(None, {"ids": ids.astype(np.int64)})
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-5, rtol=1e-5)


# ------------------------------------------------------------------- three forms, one function


@functools.cache
def everything(cell: Any, both: bool) -> Networks:
    return networks(config(cell=cell, bidirectional=both, layers=2, pooling=POOLINGS))


@pytest.mark.slow
@settings(max_examples=40)
@given(
    cell=st.sampled_from(CELLS),
    both=st.booleans(),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    padding=st.integers(0, 4),
    seed=st.integers(0, 10**6),
)
def test_they_agree_on_texts_of_any_length(
    cell: str, both: bool, lengths: list[int], padding: int, seed: int
) -> None:
    assert_parity(everything(cell, both), texts(lengths, seed=seed, padding=padding))


@pytest.mark.parametrize("both", [False, True])
def test_weights_have_the_same_names_in_both_models(both: bool) -> None:
    options = {**EVERYTHING, "bidirectional": both}
    trained, saved = (weights_by_name(network) for network in build(config(**options)))
    assert len(trained) == sum(len(layer.weights) for layer in build(config(**options))[0].layers)
    assert {n: w.shape for n, w in trained.items()} == {n: w.shape for n, w in saved.items()}
    first = {"recurrent_0_forward/bias", "recurrent_0_backward/bias"}
    assert (first if both else {"recurrent_0/bias"}) <= trained.keys()
    others = {"embedding/embeddings", "attention/kernel", "dense_1/bias", "logits/kernel"}
    assert others <= trained.keys()


def test_saved_model_loads_where_rnnkit_is_not_importable(tmp_path: Path) -> None:
    _, saved = build(config(**EVERYTHING))
    saved.save(tmp_path / "model.keras")
    ids = texts(LENGTHS, padding=2)
    np.save(tmp_path / "ids.npy", ids)
    np.save(tmp_path / "logits.npy", logits(saved, ids))
    program = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'rnnkit': raise ImportError('rnnkit is not installed')\n"
        "sys.meta_path.insert(0, Wall())\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "found = np.asarray(model(np.load('ids.npy')))\n"
        "assert np.allclose(found, np.load('logits.npy'), atol=1e-6)\n"
        "assert 'rnnkit' not in sys.modules\n"
        "print('same')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "same", done.stderr


# ------------------------------------------------------------------------------------- padding


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("both", [False, True])
def test_more_padding_changes_nothing(normalization: Any, both: bool) -> None:
    model = config(
        cell="gru", layers=2, bidirectional=both, normalization=normalization, pooling=POOLINGS
    )
    found = networks(model)
    ids = texts(LENGTHS)
    for network in (found.trained, found.saved):
        np.testing.assert_allclose(
            logits(network, wider(ids, 9)), logits(network, ids), atol=1e-6, rtol=1e-6
        )
    np.testing.assert_allclose(
        found.onnx.run(None, {"ids": wider(ids, 9).astype(np.int64)})[0],
        found.onnx.run(None, {"ids": ids.astype(np.int64)})[0],
        atol=1e-6,
        rtol=1e-6,
    )


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_more_padding_changes_nothing_in_training(cell: Any, normalization: Any) -> None:
    model = config(
        cell=cell, layers=2, bidirectional=True, normalization=normalization, pooling=POOLINGS
    )
    results = []
    for padding in (0, 9):
        with in_float64():
            trained, _ = build(model)
            ids = wider(texts(LENGTHS), padding)
            _, gradients = loss_and_gradients(trained, ids, training=True)
        # After this step the moving statistics of batch normalisation hold what it has seen.
        results.append([*gradients.values(), *weights_by_name(trained).values()])
    for few, many in zip(*results, strict=True):
        np.testing.assert_allclose(many, few, atol=1e-9, rtol=1e-9)


def test_batch_normalisation_counts_each_token_once() -> None:
    trained, saved = build(config(normalization="batch"))
    ids = texts(LENGTHS)
    outputs = np.asarray(keras.Model(saved.input, saved.get_layer("recurrent_0").output)(ids))
    of_tokens = outputs[ids != 0]
    assert len(of_tokens) == sum(LENGTHS)
    layer = trained.get_layer("normalization_0")
    before = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    logits(trained, ids, training=True)
    after = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    seen = of_tokens.mean(axis=0), of_tokens.var(axis=0)
    for old, new, value in zip(before, after, seen, strict=True):
        np.testing.assert_allclose(new, 0.99 * old + 0.01 * value, atol=1e-6)


def test_padding_learns_nothing() -> None:
    trained, _ = build(config(bidirectional=True, layers=2, pooling=POOLINGS))
    _, gradients = loss_and_gradients(trained, texts(LENGTHS, padding=4), training=True)
    rows = gradients["embedding/embeddings"]
    assert np.all(rows[0] == 0.0)
    assert np.count_nonzero(np.any(rows != 0.0, axis=1)) > VOCABULARY // 2


def test_a_text_is_the_same_in_any_company() -> None:
    trained, _ = build(config(bidirectional=True, layers=2, pooling=POOLINGS))
    ids = texts(LENGTHS)
    together = logits(trained, ids)
    for row, length in enumerate(LENGTHS):
        alone = logits(trained, ids[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_share_of_a_batch_may_have_no_rows(cell: Any) -> None:
    """The last batch may have fewer rows than there are cores; the shares run compiled."""
    trained, _ = build(config(cell=cell, bidirectional=True, layers=2, pooling=POOLINGS))
    weights = [weight.value for weight in trained.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def run(ids: Any) -> Any:
        with tf.GradientTape() as tape:
            found = trained(ids, training=True)
            loss = tf.reduce_sum(found)
        return found, [tf.convert_to_tensor(g) for g in tape.gradient(loss, weights)]

    found, gradients = run(np.zeros((0, 4), np.int32))
    assert found.shape == (0, 2)
    assert all(np.all(np.asarray(gradient) == 0.0) for gradient in gradients)


# ----------------------------------------------------------------------------------- gradients


def loss_and_gradients(
    network: keras.Model, ids: np.ndarray, *, training: bool
) -> tuple[float, dict[str, np.ndarray]]:
    """An uneven loss of the logits, and its gradient by the name of the weight."""
    names = {
        id(weight): f"{layer.name}/{weight.name}"
        for layer in network.layers
        for weight in layer.weights
    }
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        found = network(keras.ops.array(ids), training=training)
        slopes = tf.reshape(tf.range(1, tf.size(found) + 1), tf.shape(found))
        loss = tf.reduce_sum(tf.sin(found * tf.cast(slopes, found.dtype)))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    pairs = zip(variables, gradients, strict=True)
    return float(loss), {
        names[id(variable)]: np.asarray(tf.convert_to_tensor(gradient))
        for variable, gradient in pairs
    }


def assert_gradients_of_keras(
    model: ClassifierConfig, ids: np.ndarray, *, seed: int, training: bool = False
) -> None:
    """Ours are those of stock Keras layers with masks, in float64."""
    with in_float64():
        trained, saved = build(model, classes=3, seed=seed)
        loss, ours = loss_and_gradients(trained, ids, training=training)
        expected_loss, expected = loss_and_gradients(saved, ids, training=training)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert ours.keys() == expected.keys()
    for name, gradient in ours.items():
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_keras_with_masks(cell: Any, normalization: Any) -> None:
    model = config(
        cell=cell,
        layers=2,
        bidirectional=True,
        residual=True,
        normalization=normalization,
        pooling=POOLINGS,
        dense=(4,),
        dense_activation="tanh",
    )
    assert_gradients_of_keras(model, texts(LENGTHS, padding=2), seed=5, training=True)


@settings(max_examples=12)
@given(
    cell=st.sampled_from(CELLS),
    both=st.booleans(),
    pooling=st.lists(st.sampled_from(POOLINGS), min_size=1, unique=True).map(tuple),
    units=st.integers(1, 5),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5),
    padding=st.integers(0, 3),
    seed=st.integers(0, 10**6),
)
def test_gradients_are_those_of_keras_for_any_shape(
    cell: Any,
    both: bool,
    pooling: Any,
    units: int,
    lengths: list[int],
    padding: int,
    seed: int,
) -> None:
    model = config(cell=cell, bidirectional=both, pooling=pooling, units=units)
    ids = texts(lengths, seed=seed, padding=padding)
    assert_gradients_of_keras(model, ids, seed=seed)


def test_frozen_vectors_have_no_gradient() -> None:
    for trainable in (False, True):
        embedding = PretrainedEmbedding(kind="pretrained", path="v.txt", trainable=trainable)
        for network in build(config(embedding=embedding, l2=0.1)):
            _, gradients = loss_and_gradients(network, texts(LENGTHS), training=True)
            assert ("embedding/embeddings" in gradients) == trainable
            assert "embedding/embeddings" in weights_by_name(network)


# --------------------------------------------------------------- what each part is to compute


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_written_out(pooling: str, both: bool) -> None:
    """Text by text, without padding, in NumPy."""
    _, saved = build(config(pooling=pooling, bidirectional=both))
    weights = {name: w.astype(np.float64) for name, w in weights_by_name(saved).items()}
    names = ["recurrent_0_forward", "recurrent_0_backward"] if both else ["recurrent_0"]
    outputs = keras.Model(saved.input, [saved.get_layer(name).output for name in names])
    ids = texts(LENGTHS)
    found = logits(saved, ids)
    for row, length in enumerate(LENGTHS):
        parts = [np.asarray(y)[0] for y in keras.tree.flatten(outputs(ids[row : row + 1, :length]))]
        if both:
            parts[1] = parts[1][::-1]
        y = np.concatenate(parts, axis=1).astype(np.float64)
        match pooling:
            case "last":  # what each direction ends with
                pooled = np.concatenate([parts[0][-1], *(part[0] for part in parts[1:])])
            case "mean":
                pooled = y.mean(axis=0)
            case "max":
                pooled = y.max(axis=0)
            case _:
                hidden = np.tanh(y @ weights["attention/kernel"] + weights["attention/bias"])
                scores = np.exp(hidden @ weights["attention_context/kernel"])
                pooled = (scores / scores.sum() * y).sum(axis=0)
        expected = pooled @ weights["logits/kernel"] + weights["logits/bias"]
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_sigmoid_has_one_logit_for_the_second_class() -> None:
    trained, _ = build(config(output="sigmoid"))
    found = logits(trained, texts(LENGTHS))
    assert np.all(found[:, 0] == 0.0)
    assert np.all(found[:, 1] != 0.0)
    assert trained.get_layer("logits").units == 1


def in_training(network: keras.Model, layer: str, ids: np.ndarray) -> np.ndarray:
    """What a layer gives while training."""
    part = keras.Model(network.input, network.get_layer(layer).output)
    return np.asarray(part(ids, training=True))


@pytest.mark.parametrize("mask", ["step", "sequence"])
def test_dropout_draws_a_mask_for_each_text_or_for_each_token(mask: Any) -> None:
    trained, _ = build(config(bidirectional=True, dropout=0.5, dropout_mask=mask))
    dropped = in_training(trained, "dropout_0", texts((8,) * 6)) == 0.0
    assert dropped.any()
    assert not dropped.all()
    over_time = np.all(dropped == dropped[:, :1])
    assert over_time == (mask == "sequence")
    assert not np.all(dropped == dropped[:1])


def test_embedding_dropout_drops_whole_tokens() -> None:
    trained, _ = build(config(embedding_dropout=0.5))
    ids = texts((8,) * 6)
    found = in_training(trained, "embedding_dropout", ids)
    vectors = weights_by_name(trained)["embedding/embeddings"][ids]
    dropped = np.all(found == 0.0, axis=-1)
    assert 0.2 < dropped.mean() < 0.8
    np.testing.assert_allclose(found[~dropped], 2.0 * vectors[~dropped], rtol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_drop_connect_masks_both_directions_apart(cell: Any) -> None:
    keras.utils.set_random_seed(0)
    model = config(cell=cell, bidirectional=True, recurrent_dropout=0.5)
    trained, _ = build(model)
    ids = texts(LENGTHS)
    first = logits(trained, ids, training=True)
    assert np.array_equal(first, logits(trained, ids, training=True))
    assert not np.allclose(first, logits(trained, ids))
    forward, backward = (
        np.asarray(trained.get_layer(f"recurrent_0_{name}").drop_connect_seeds.state)
        for name in ("forward", "backward")
    )
    assert not np.array_equal(forward, backward)
    layers.draw_masks(trained)
    assert not np.allclose(first, logits(trained, ids, training=True))


# ------------------------------------------------------------------------- which kernel runs


def keras_layer(cell: str) -> Any:
    return {
        "simple_rnn": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }[cell]


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("gpu", [False, True])
def test_kernel_is_ours_on_a_cpu_and_that_of_keras_on_a_gpu(
    cell: Any, normalization: Any, gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers that run forwards and without a mask are what cuDNN wants in any case."""
    trained, saved = build(
        config(
            cell=cell,
            layers=2,
            bidirectional=True,
            normalization=normalization,
            embedding_dropout=0.1,
            dropout=0.1,
        )
    )
    ids = texts(LENGTHS, padding=2)
    expected = logits(saved, ids)
    masks: list[Any] = []
    parent = keras_layer(cell)
    stock_loop = parent.inner_loop

    def spy(
        self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        assert not self.go_backwards
        masks.append(mask)
        return stock_loop(self, sequences, initial_state, mask, training=training)

    monkeypatch.setattr(parent, "inner_loop", spy)
    layers.use_kernel(trained, on_gpu=gpu, matmul_dtype="float32")
    np.testing.assert_allclose(logits(trained, ids), expected, atol=1e-5)
    assert masks == ([None] * 4 if gpu and cell != "simple_rnn" else [])


def test_learned_embedding_is_the_default() -> None:
    assert ClassifierConfig().embedding == LearnedEmbedding()
