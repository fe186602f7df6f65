"""Seeds of the random masks, kept where they are needed: in the memory of the host.

An operator that draws random numbers on a GPU reads its seed on the host. Keras keeps seeds on
the GPU, so at every mask the host would wait until the GPU has caught up and hands the seed back,
and the GPU would then wait for its next operator: twice per layer and step, with dropout and
DropConnect.
"""

from typing import Any

import keras
import tensorflow as tf


class HostSeeds(keras.random.SeedGenerator):
    """A generator of the same seeds whose state and arithmetic stay on the host."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with tf.device("CPU:0"):
            super().__init__(*args, **kwargs)

    def current(self) -> tf.Tensor:
        """The seed that `next` returns, int32[2], without going on to another."""
        with tf.device("CPU:0"):
            return _as_int32(self.state.value)

    def next(self, ordered: bool = True) -> tf.Tensor:
        """The next seed, int32[2], as Keras would make it of its own state."""
        with tf.device("CPU:0"):
            return _as_int32(super().next(ordered))


def keep_seeds_on_host(model: keras.Model) -> None:
    """Let the dropout layers of `model` draw the same masks from seeds on the host.

    Before anything is compiled: what is compiled holds the seeds it was compiled with.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0.0:
            seeds = HostSeeds(name=layer.seed_generator.name)
            seeds.state.assign(layer.seed_generator.state)
            # A layer that is built takes no other variables, which here only change their place.
            tracker: Any = layer._tracker
            tracker.unlock()
            tracker.untrack(layer.seed_generator)
            layer.seed_generator = seeds
            tracker.lock()


def _as_int32(seed: Any) -> tf.Tensor:
    # What Keras does with its seeds before it hands them to TensorFlow.
    return tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)
