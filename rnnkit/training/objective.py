"""Objectives: the outputs of a network and the targets -> sums of the loss and of metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf


class Sums(NamedTuple):
    """Sums over the counted targets of a batch, float32 scalars."""

    loss: tf.Tensor
    metrics: tuple[tf.Tensor, ...]
    """One for each name of `Objective.metrics`."""
    targets: tf.Tensor
    """Counted targets."""


_IDS = tf.TensorSpec((None, None), tf.int32)
_WEIGHTS = tf.TensorSpec((None, None), tf.float32)


@dataclass(frozen=True)
class Objective:
    """What a network is trained for, whatever its inputs and targets are."""

    measure: Callable[..., Sums]
    """`measure(outputs, targets, weights, training=True)`. Weights are float32 and 0 where a
    target is counted elsewhere."""
    metrics: tuple[str, ...]
    """Names of what is measured besides the loss, as in `train_accuracy`."""
    inputs: tf.TensorSpec = _IDS
    """Ids int32[batch, time], or numbers such as float32[batch, time, features]."""
    targets: tf.TensorSpec = _IDS
    """One per time step, or int32[batch, 1] with one per row; may be numbers."""
    weights: tf.TensorSpec = _WEIGHTS
    """One per target."""


def cross_entropy(*, label_smoothing: float = 0.0) -> Objective:
    """Return the objective of tokens and classes: cross-entropy in nats, and accuracy.

    Outputs are logits float32[batch, time, outputs], or [batch, outputs] with one target a row.

    Args:
        label_smoothing: fraction of a target that is spread over all outputs (Szegedy et al.
            2016); in training only.
    """

    def measure(logits: Any, targets: Any, weights: Any, *, training: bool) -> Sums:
        logits = tf.reshape(logits, [-1, logits.shape[-1]])
        targets, weights = tf.reshape(targets, [-1]), tf.reshape(weights, [-1])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        if training and label_smoothing > 0.0:
            uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
            losses = (1.0 - label_smoothing) * losses + label_smoothing * uniform
        # In int64: TensorFlow compares int32 on the host, which would wait for a GPU here.
        equal = tf.equal(tf.argmax(logits, -1), tf.cast(targets, tf.int64))
        correct = tf.cast(equal, tf.float32)
        return Sums(
            loss=tf.reduce_sum(losses * weights),
            metrics=(tf.reduce_sum(correct * weights),),
            targets=tf.reduce_sum(weights),
        )

    return Objective(measure, metrics=("accuracy",))
