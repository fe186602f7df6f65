"""The parts of a batch, computed side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from rnnkit.network.layers import runs_on_gpu


class ShardFunction:
    """A function of tensors alone that a graph calls once for each part of a batch.

    On a CPU each call runs its operators one after the other on one core, without the
    bookkeeping between threads that costs as much as the small operators of a recurrent step;
    the calls do not depend on each other, so they run on as many cores as there are parts. That
    holds as long as the function touches no variables: TensorFlow lets calls that share one wait
    for each other. On a GPU there is one part, computed as if it were written out.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        if not runs_on_gpu():
            # Written out in the graph around it, it would run on that graph's threads.
            self._function = tf.function(
                function, autograph=False, experimental_attributes={"_noinline": True}
            )

    def __call__(self, parts: Sequence[Sequence[Any]]) -> list[Any]:
        """The results, one for each list of arguments."""
        if runs_on_gpu():
            return [self._function(*arguments) for arguments in parts]
        with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            return [self._function(*arguments) for arguments in parts]
