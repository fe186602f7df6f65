"""The loss: cross-entropy of the next token, or of the class of a text."""

from typing import NamedTuple

import tensorflow as tf


class Scores(NamedTuple):
    """Sums over the counted targets of a batch, float32 scalars."""

    loss: tf.Tensor
    """Cross-entropy in nats."""
    correct: tf.Tensor
    """Targets whose most probable token was the right one."""
    targets: tf.Tensor
    """Counted targets."""


def target_scores(
    logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, *, label_smoothing: float = 0.0
) -> Scores:
    """Cross-entropy and accuracy, summed.

    Args:
        logits: float32[batch, time, outputs], or [batch, outputs] with one target a row.
        targets: int32[batch, targets], token ids or classes.
        weights: float32[batch, targets], 0 where a target is counted elsewhere.
        label_smoothing: share of the target that is spread over all outputs (Szegedy et al.
            2016).
    """
    logits = tf.reshape(logits, [-1, logits.shape[-1]])
    targets, weights = tf.reshape(targets, [-1]), tf.reshape(weights, [-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    if label_smoothing > 0.0:
        uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
        losses = (1.0 - label_smoothing) * losses + label_smoothing * uniform
    # In int64: TensorFlow compares int32 on the host, which would wait for a GPU here.
    hits = tf.cast(tf.equal(tf.argmax(logits, -1), tf.cast(targets, tf.int64)), tf.float32)
    return Scores(
        loss=tf.reduce_sum(losses * weights),
        correct=tf.reduce_sum(hits * weights),
        targets=tf.reduce_sum(weights),
    )
