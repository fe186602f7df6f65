"""Weight updates: Keras' optimizers, clipping, penalties on weights, averages of weights."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

import keras
import tensorflow as tf

from rnnkit.config.training import AdamConfig, AdamWConfig, Optimizer, RMSpropConfig, SGDConfig


def build_optimizer(optimizer: Optimizer) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer; its learning rate is assigned before every step."""
    match optimizer:
        case AdamConfig():
            return keras.optimizers.Adam(
                optimizer.learning_rate,
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
            )
        case AdamWConfig():
            adamw = keras.optimizers.AdamW(
                optimizer.learning_rate,
                weight_decay=optimizer.weight_decay,
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
            )
            adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
            return adamw
        case RMSpropConfig():
            return keras.optimizers.RMSprop(
                optimizer.learning_rate,
                rho=optimizer.rho,
                momentum=optimizer.momentum,
                epsilon=optimizer.epsilon,
            )
        case SGDConfig():
            return keras.optimizers.SGD(
                optimizer.learning_rate, momentum=optimizer.momentum, nesterov=optimizer.nesterov
            )
        case _:
            assert_never(optimizer)


def clip_gradients(
    gradients: Sequence[Any], *, norm: Any, clip_norm: float | None, clip_value: float | None
) -> list[Any]:
    """Return gradients with every entry cut to `clip_value`, then scaled down to `clip_norm`
    (Pascanu et al. 2013); `norm` is their global norm."""
    clipped = list(gradients)
    if clip_value is not None:
        clipped = [tf.clip_by_value(g, -clip_value, clip_value) for g in clipped]
    if clip_norm is not None:
        use_norm = norm if clip_value is None else None
        clipped, _ = tf.clip_by_global_norm(clipped, clip_norm, use_norm=use_norm)
    return clipped


def add_penalties(model: keras.Model, gradients: Sequence[Any]) -> list[Any]:
    """Return gradients of the loss with those of the model's penalties on weights added."""
    with tf.GradientTape() as tape:
        penalties = model.losses
        total = tf.add_n([tf.zeros(()), *penalties])
    if not penalties:
        return list(gradients)
    variables = [weight.value for weight in model.trainable_variables]
    zero = tf.UnconnectedGradients.ZERO
    added = tape.gradient(total, variables, unconnected_gradients=zero)
    return [loss + penalty for loss, penalty in zip(gradients, added, strict=True)]


class WeightAverages:
    """Exponential moving averages of weights, which can take the weights' places for a while."""

    def __init__(self, weights: Sequence[keras.Variable], decay: float | None) -> None:
        """`decay` is per step; None keeps no averages."""
        self._decay = decay
        self._weights = list(weights) if decay is not None else []
        self.variables = [tf.Variable(weight.value) for weight in self._weights]

    def restart(self) -> None:
        """Set the averages to the present weights."""
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign(weight.value)

    def update(self, step: Any) -> None:
        """Include the present weights; `step` is the number of updates made, a scalar tensor."""
        if self._decay is None:
            return
        # The first averages would be mostly initial weights: the decay rises as
        # (1 + step) / (10 + step) up to its value, as in tf.train.ExponentialMovingAverage.
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight.value)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the averages inside the `with`, and its weights back afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for average, weight in zip(self.variables, self._weights, strict=True):
            current = tf.identity(weight.value)
            weight.assign(average)
            average.assign(current)
