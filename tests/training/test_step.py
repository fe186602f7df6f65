"""A learner takes other objectives than tokens and classes: numbers in, a number at each step."""

import keras
import numpy as np
import tensorflow as tf

from rnnkit.config.training import AdamConfig, TrainingConfig
from rnnkit.data.batches import Batch
from rnnkit.training.execution import choose_execution
from rnnkit.training.objective import Objective, Sums
from rnnkit.training.step import Learner


def squared_error(outputs, targets, weights, *, training):  # type: ignore[no-untyped-def]
    errors = tf.abs(outputs - targets)[..., 0]
    return Sums(
        loss=tf.reduce_sum(weights * errors**2),
        metrics=(tf.reduce_sum(weights * errors),),
        targets=tf.reduce_sum(weights),
    )


def test_numbers_in_and_a_number_at_each_step() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    numbers = tf.TensorSpec((None, None, 2), tf.float32)
    objective = Objective(
        squared_error,
        metrics=("absolute_error",),
        inputs=numbers,
        targets=tf.TensorSpec((None, None, 1), tf.float32),
    )
    learner = Learner(
        model,
        TrainingConfig(max_steps=1, optimizer=AdamConfig(name="adam")),
        objective,
        execution=choose_execution(batch_size=16),
    )
    x = np.random.default_rng(0).normal(size=(16, 5, 2)).astype(np.float32)
    y = x @ np.array([[1.0], [-2.0]], np.float32)
    # Batches of tokens and classes are typed as ids; arrays of numbers pass through as they are.
    batch = Batch(x, y, np.ones((16, 5), np.float32), starts_stream=True)  # type: ignore[arg-type]
    for _ in range(200):
        learner.update(batch, [], 0.05)
    means = learner.means()
    assert set(means.metrics) == {"absolute_error"}
    sums, _ = learner.score(batch, [])
    assert learner.mean_scores(sums)["loss"] < 0.01 < means.loss
    outputs, _ = learner.predict(x)
    np.testing.assert_allclose(outputs, y[:, -1], atol=0.3)
