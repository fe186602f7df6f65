"""The ways to train a classifier that `sentiment_epoch.py` compares."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.training_task import Weights
from bench.workers import Side

if TYPE_CHECKING:
    from rnnkit.config.schema import SentimentConfig
    from rnnkit.tasks.text_classification.data import EncodedTexts, PreparedTexts

LENGTH = 100
"""Tokens that the tutorials pad every text to."""
CHECKED_TEXTS = 4
EVALUATED_AT_ONCE = 256
QUIET: dict[str, Any] = {"verbose": 0}
"""Declared as a text, which it is not."""


class Facts(NamedTuple):
    """A network before it is trained."""

    parameters: int
    weights: Weights
    logits: np.ndarray
    """Log-odds of the second class for the first texts, each without padding: float32[texts]."""
    training_texts: int
    held_out_texts: int
    updates_per_epoch: int


class ClassifierTrainer(NamedTuple):
    """What a side builds."""

    facts: Callable[[], Facts]
    epoch: Callable[[], float]
    """Trains for one epoch and returns the seconds."""
    accuracy: Callable[[], float]
    """Share of the texts held out whose class is predicted."""


def rnnkit_trainer(
    config: Path, overrides: Sequence[str], weights: Weights | None
) -> ClassifierTrainer:
    """What `rnnkit train` does; its initial weights are everyone's."""
    from rnnkit.network.keras import weights_by_name
    from rnnkit.tasks.text_classification.objective import Classification
    from rnnkit.training.step import set_up

    settings, prepared = _prepared(config, overrides)
    set_up(settings.seed)
    subject = Classification(settings, prepared)
    learner = subject.learner
    rate = settings.training.optimizer.learning_rate
    single = [learner.logits(text[np.newaxis].astype(np.int32))[0][0] for text in _first(prepared)]
    facts = _facts(
        prepared,
        parameters=learner.model.count_params(),
        weights=weights_by_name(learner.model),
        logits=np.array([negative_positive @ (-1.0, 1.0) for negative_positive in single]),
        batch_size=settings.training.batch_size,
    )
    assert facts.updates_per_epoch == subject.batches_per_epoch
    number = 0

    def epoch() -> float:
        nonlocal number
        learner.reset_totals()
        begin = time.perf_counter()
        for index in range(subject.batches_per_epoch):
            subject.update(number, index, rate)
        learner.totals()
        number += 1
        return time.perf_counter() - begin

    return ClassifierTrainer(lambda: facts, epoch, lambda: subject.score()["accuracy"])


def keras_trainer(
    config: Path, overrides: Sequence[str], weights: Weights, *, bucketed: bool = False
) -> ClassifierTrainer:
    """`Model.fit` on ids padded on the left: all to one length, or every batch to its longest."""
    import keras
    import tensorflow as tf

    from rnnkit.data.buckets import evaluation_batches

    settings, prepared = _prepared(config, overrides)
    batch_size, cell = settings.training.batch_size, settings.model.cell
    layer = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}[cell]
    keras.utils.clear_session()
    words, size = weights["embedding/embeddings"].shape
    output = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential(
        [
            keras.Input((None if bucketed else LENGTH,), dtype="int32"),
            keras.layers.Embedding(words, size),
            layer(settings.model.units),
            output,
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(settings.training.optimizer.learning_rate),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    model.set_weights(list(weights.values()))
    train, held_out = prepared.split("train"), prepared.split("validation")
    padded = {name: _padded(prepared.split(name)) for name in ("train", "validation")}
    facts = _facts(
        prepared,
        parameters=model.count_params(),
        weights=weights,
        logits=np.array([_log_odds(model, text) for text in _first(prepared)]),
        batch_size=batch_size,
    )
    number = 0

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from _bucketed(train, settings, epoch=number)

    def data() -> dict[str, Any]:
        if not bucketed:
            return {"x": padded["train"], "y": train.labels, "batch_size": batch_size}
        spec = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, 1), tf.int32))
        dataset = tf.data.Dataset.from_generator(batches, output_signature=spec)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(facts.updates_per_epoch))
        return {"x": dataset.prefetch(tf.data.AUTOTUNE), "shuffle": False}

    def epoch() -> float:
        nonlocal number
        options = data()
        begin = time.perf_counter()
        model.fit(**options, **QUIET)
        number += 1
        return time.perf_counter() - begin

    def accuracy() -> float:
        probabilities = np.empty(len(held_out), np.float32)
        if bucketed:
            for rows, ids in evaluation_batches(held_out, EVALUATED_AT_ONCE):
                probabilities[rows] = model.predict_on_batch(padded_left(ids))[:, 0]
        else:
            probabilities[:] = model.predict(padded["validation"], **QUIET)[:, 0]
        return float(((probabilities > 0.5) == held_out.labels).mean())

    return ClassifierTrainer(lambda: facts, epoch, accuracy)


def _prepared(config: Path, overrides: Sequence[str]) -> tuple["SentimentConfig", "PreparedTexts"]:
    """The same texts, ids and split for every side."""
    from rnnkit.config.load import load_config
    from rnnkit.config.schema import SentimentConfig
    from rnnkit.tasks.text_classification.data import prepare_texts

    settings = load_config(config, overrides)
    assert isinstance(settings, SentimentConfig)
    return settings, prepare_texts(settings)


def _facts(
    prepared: "PreparedTexts",
    *,
    parameters: int,
    weights: Weights,
    logits: np.ndarray,
    batch_size: int,
) -> Facts:
    texts = len(prepared.split("train"))
    return Facts(
        parameters=parameters,
        weights=weights,
        logits=logits,
        training_texts=texts,
        held_out_texts=len(prepared.split("validation")),
        updates_per_epoch=-(-texts // batch_size),
    )


def _first(prepared: "PreparedTexts") -> list[np.ndarray]:
    """The ids of the first texts."""
    return _rows(prepared.split("train"))[:CHECKED_TEXTS]


def _rows(texts: "EncodedTexts") -> list[np.ndarray]:
    """The ids of every text."""
    return np.split(texts.ids, texts.offsets[1:-1])


def _padded(texts: "EncodedTexts") -> np.ndarray:
    """int32[texts, 100]"""
    import keras

    return keras.utils.pad_sequences(_rows(texts), maxlen=LENGTH)


def _bucketed(
    texts: "EncodedTexts", settings: "SentimentConfig", *, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of rnnkit: int32[batch, time], padded on the left, and int32[batch, 1]."""
    from rnnkit.data.buckets import TextBatchPlan

    plan = TextBatchPlan(
        lengths=texts.lengths, batch_size=settings.training.batch_size, seed=settings.seed
    )
    for index in range(plan.batches_per_epoch):
        batch = plan.batch(texts, epoch, index)
        yield padded_left(batch.inputs), batch.targets


def padded_left(ids: np.ndarray) -> np.ndarray:
    """The padding of int32[batch, time] on the left instead of the right.

    `[[5, 6, 0]]` -> `[[0, 5, 6]]`
    """
    places = np.arange(ids.shape[1]) + np.count_nonzero(ids, axis=1)[:, np.newaxis]
    return np.take_along_axis(ids, places % ids.shape[1], axis=1)


def _log_odds(model: Any, ids: np.ndarray) -> float:
    """log(p / (1 - p)) of one text, read without padding."""
    found = np.asarray(ids[np.newaxis], np.int32)
    for layer in model.layers:
        found = layer(found)
    probability = float(np.asarray(found)[0, 0])
    return float(np.log(probability) - np.log1p(-probability))


SIDES = {
    "rnnkit": Side("rnnkit.tasks.text_classification.objective", rnnkit_trainer),
    "keras": Side("keras", keras_trainer),
    "keras_bucketed": Side("keras", partial(keras_trainer, bucketed=True)),
}
