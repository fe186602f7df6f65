"""Keras models of language models: what training drops, and what is saved."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from rnnkit.network.keras import (
    build_saved_model,
    build_training_model,
)
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    LanguageModelConfig,
)
from rnnkit.tasks.language_model.network import language_network

VOCABULARY = 11


def with_random_weights(model: keras.Model) -> None:
    """Weights of the size that training gives, moving averages and gains included."""
    generator = np.random.default_rng(7)
    for weight in model.weights:
        values = generator.normal(0.0, 0.5, weight.shape)
        if weight.name == "moving_variance":
            values = 0.5 + values**2
        weight.assign(values.astype("float32"))


def random_inputs(model: LanguageModelConfig) -> tuple[np.ndarray, list[np.ndarray]]:
    generator = np.random.default_rng(3)
    ids = generator.integers(0, VOCABULARY, (4, 9)).astype(np.int32)
    sizes = [state.units for state in language_network(model).states]
    states = [generator.normal(size=(4, size)).astype(np.float32) for size in sizes]
    return ids, states


def call(network: keras.Model, ids: np.ndarray, states: list[np.ndarray], **options: bool) -> Any:
    return network([keras.ops.array(ids), *map(keras.ops.array, states)], **options)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("residual", [False, True])
def test_last_step_only_is_the_last_of_every_step(cell: Any, residual: bool) -> None:
    model = LanguageModelConfig(
        cell=cell, units=6, layers=2, residual=residual, normalization="layer"
    )
    every = build_saved_model(language_network(model, vocabulary_size=VOCABULARY))
    with_random_weights(every)
    last = build_saved_model(language_network(model, vocabulary_size=VOCABULARY, every_step=False))
    last.set_weights(every.get_weights())
    ids, _ = random_inputs(model)
    np.testing.assert_allclose(np.asarray(last(ids)), np.asarray(every(ids))[:, -1], atol=1e-6)


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_drop_connect_masks_the_recurrent_matrix_in_training_only(cell: Any) -> None:
    keras.utils.set_random_seed(0)
    model = LanguageModelConfig(cell=cell, units=8, recurrent_dropout=0.5)
    network = build_training_model(language_network(model, vocabulary_size=VOCABULARY))
    ids, states = random_inputs(model)
    kernel = np.asarray(network.get_layer("recurrent_0").cell.recurrent_kernel)

    def logits(training: bool) -> np.ndarray:
        return np.asarray(call(network, ids, states, training=training)[0])

    assert np.array_equal(logits(training=False), logits(training=False))
    before = logits(training=True)
    # The same mask for all parts of a batch, another for the next batch.
    assert np.array_equal(before, logits(training=True))
    network.get_layer("recurrent_0").draw_mask()
    assert not np.allclose(before, logits(training=True))
    assert not np.allclose(logits(training=True), logits(training=False))
    # One mask for all rows and steps: a row repeated gives the same logits.
    same_ids, *same_states = (np.repeat(array[:1], 4, 0) for array in (ids, *states))
    repeated = np.asarray(call(network, same_ids, same_states, training=True)[0])
    np.testing.assert_allclose(repeated[0], repeated[3], atol=1e-6)
    after = np.asarray(network.get_layer("recurrent_0").cell.recurrent_kernel)
    assert np.array_equal(kernel, after)


def test_saved_model_loads_where_rnnkit_is_not_importable(tmp_path: Path) -> None:
    model = LanguageModelConfig(
        cell="lstm",
        units=6,
        layers=2,
        input=EmbeddingInput(size=6),
        tie_weights=True,
        normalization="layer",
        residual=True,
        dropout=0.1,
        dropout_mask="sequence",
        l2=0.1,
    )
    saved = build_saved_model(language_network(model, vocabulary_size=VOCABULARY))
    with_random_weights(saved)
    saved.save(tmp_path / "model.keras")
    ids, _ = random_inputs(model)
    np.save(tmp_path / "ids.npy", ids)
    np.save(tmp_path / "logits.npy", np.asarray(saved(ids)))
    program = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'rnnkit': raise ImportError('rnnkit is not installed')\n"
        "sys.meta_path.insert(0, Wall())\n"
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model.keras')\n"
        "found = np.asarray(model(np.load('ids.npy')))\n"
        "assert np.allclose(found, np.load('logits.npy'), atol=1e-6)\n"
        "assert 'rnnkit' not in sys.modules\n"
        "print('same')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("mask", ["step", "sequence"])
def test_dropout_of_the_input_drops_numbers_or_whole_vectors(mask: Any) -> None:
    """What reaches the first recurrent layer, in training only."""
    keras.utils.set_random_seed(0)
    embedding = EmbeddingInput(size=50)
    models = {
        "input_dropout": LanguageModelConfig(
            units=4, dropout_mask=mask, input=embedding, input_dropout=0.5
        ),
        "embedding_dropout": LanguageModelConfig(units=4, input=embedding, embedding_dropout=0.5),
    }
    for key, model in models.items():
        whole = key == "embedding_dropout"
        network = build_training_model(language_network(model, vocabulary_size=VOCABULARY))
        dropped = keras.Model(network.inputs, network.get_layer(key).output)
        ids = np.tile(np.arange(VOCABULARY, dtype=np.int32), (3, 1))
        states = [np.zeros((3, 4), np.float32)]
        kept = np.asarray(call(dropped, ids, states, training=False))
        found = np.asarray(call(dropped, ids, states, training=True))
        is_dropped = found == 0.0
        assert 0.3 < is_dropped.mean() < 0.7
        np.testing.assert_allclose(found[~is_dropped], 2.0 * kept[~is_dropped], rtol=1e-6)
        assert (is_dropped.all(-1) | ~is_dropped.any(-1)).all() == whole
        if not whole:
            same = (is_dropped == is_dropped[:, :1]).all()
            assert same == (mask == "sequence")
