"""The loss of language models: cross-entropy of the next token."""

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


def next_token_scores(logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> Scores:
    """Cross-entropy and accuracy, summed.

    Args:
        logits: float32[batch, time, vocabulary], or [batch, vocabulary] with one target a row.
        targets: int32[batch, targets], token ids.
        weights: float32[batch, targets], 0 where a target is counted elsewhere.
    """
    logits = tf.reshape(logits, [-1, logits.shape[-1]])
    targets, weights = tf.reshape(targets, [-1]), tf.reshape(weights, [-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    hits = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), targets), tf.float32)
    return Scores(
        loss=tf.reduce_sum(losses * weights),
        correct=tf.reduce_sum(hits * weights),
        targets=tf.reduce_sum(weights),
    )
