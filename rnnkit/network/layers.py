"""Recurrent layers for training: stock Keras layers with another loop over the time steps.

Every layer here has the weights, names and configuration of its Keras parent, so a trained
model moves into stock layers by copying its weights. Only `inner_loop` differs, through which all
time steps run: it masks the recurrent matrix (DropConnect), and on a CPU it runs our kernel
instead of the Keras loop.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from rnnkit.network import cells
from rnnkit.network import gpu as cudnn
from rnnkit.network.cells import CellSpec
from rnnkit.network.kernels import fused as kernel


class HostSeeds(keras.random.SeedGenerator):
    """A generator of the same seeds whose state and arithmetic stay in the host's memory.

    An operator that draws random numbers on a GPU reads its seed on the host. Keras keeps seeds on
    the GPU, so at every mask the host would wait until the GPU has caught up and hands the seed
    back, and the GPU would then wait for its next operator: twice per layer and step, with
    dropout and DropConnect.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with tf.device("CPU:0"):
            super().__init__(*args, **kwargs)

    def current(self) -> tf.Tensor:
        """Return the seed that `next` returns, int32[2], without advancing."""
        with tf.device("CPU:0"):
            return _as_int32(self.state.value)

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Return the next seed, int32[2], as Keras would compute it from its own state."""
        with tf.device("CPU:0"):
            return _as_int32(super().next(ordered))


def _as_int32(seed: Any) -> tf.Tensor:
    # What Keras does with its seeds before it hands them to TensorFlow.
    return tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)


@contextlib.contextmanager
def _recurrent_kernel_replaced(cell: Any, kernel: Any) -> Iterator[None]:
    """Let `cell` compute with `kernel` instead of its variable.

    Goes past Keras' attribute tracking, which would take the tensor for a new weight.
    """
    variable = cell.recurrent_kernel
    object.__setattr__(cell, "recurrent_kernel", kernel)
    try:
        yield
    finally:
        object.__setattr__(cell, "recurrent_kernel", variable)


class _FusedLoop:
    """DropConnect and the choice of the kernel, for all layers of this module."""

    has_cudnn_in_keras = True
    """Whether Keras hands the time steps to cuDNN where it finds a GPU."""

    def __init__(self, *args: Any, drop_connect: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drop_connect = drop_connect
        self.on_gpu = False
        self.matmul_dtype: kernel.MatmulDtype = "float32"
        self.drop_connect_seeds = HostSeeds()

    def draw_mask(self) -> None:
        """Let the next update mask other weights than this one."""
        self.drop_connect_seeds.next()

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        """Run all time steps: float32[batch, time, inputs] -> (last, outputs, states)."""
        layer: Any = self  # the Keras layer that comes after this class in the MRO
        recurrent = layer.cell.recurrent_kernel
        if training and self.drop_connect > 0.0:
            recurrent = self._masked(recurrent)
        if mask is None and not (self.on_gpu and self.has_cudnn_in_keras):
            cell = layer.cell
            x = tf.transpose(sequences, [1, 0, 2])
            h, states = self.run_steps(x, initial_state, [cell.kernel, recurrent, cell.bias])
            last = h[-1]
            outputs = tf.transpose(h, [1, 0, 2]) if layer.return_sequences else last[:, None]
            return last, outputs, [last, *states]
        run = super().inner_loop  # type: ignore[misc]  # the same layer
        with _recurrent_kernel_replaced(layer.cell, recurrent):
            return run(sequences, initial_state, mask, training=training)

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Return all hidden states float32[time, batch, units], and the other final states."""
        raise AssertionError("every cell has its own")

    def describe_gpu_route(self) -> str:
        """Return the name of the code that runs the time steps on a GPU."""
        return "keras, cuDNN"

    def _masked(self, recurrent: Any) -> Any:
        """Apply DropConnect to the recurrent matrix, one mask per batch (Wan et al. 2013, Merity
        et al. 2017). Every kernel works with the masked matrix."""
        # Stateless: all shards of a batch have to see the same mask.
        seed = self.drop_connect_seeds.current()
        kept = tf.random.stateless_uniform(recurrent.shape, seed) >= self.drop_connect
        return recurrent.value * tf.cast(kept, recurrent.dtype) / (1.0 - self.drop_connect)


class SimpleRNN(_FusedLoop, keras.layers.SimpleRNN):
    """Elman's recurrent layer."""

    has_cudnn_in_keras = False

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Run our kernel on a CPU, and the fastest route with right results on a GPU."""
        if self.on_gpu:
            run = self._gpu_route().run
        else:
            run = functools.partial(kernel.simple_rnn, matmul_dtype=self.matmul_dtype)
        return run(x, states[0], weights, self._activation_name), []

    def describe_gpu_route(self) -> str:
        """Return the name of the code that runs the time steps on a GPU."""
        return f"rnnkit, {self._gpu_route()}"

    def _gpu_route(self) -> cudnn.Route:
        features, units = self.cell.kernel.shape
        return cudnn.choose_route(features=features, units=units, activation=self._activation_name)

    @property
    def _activation_name(self) -> kernel.Activation:
        return "relu" if self.activation is keras.activations.relu else "tanh"


class LSTM(_FusedLoop, keras.layers.LSTM):
    """Long short-term memory."""

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Run our kernel."""
        h, c = kernel.lstm(x, states, weights, matmul_dtype=self.matmul_dtype)
        return h, [c]


class GRU(_FusedLoop, keras.layers.GRU):
    """Gated recurrent unit."""

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Run our kernel."""
        return kernel.gru(x, states[0], weights, matmul_dtype=self.matmul_dtype), []


class ReverseTexts(keras.layers.Layer):
    """Reverses each row of float[batch, time, features] up to its length; the padding after it
    keeps its place."""

    def call(self, inputs: Any, lengths: Any) -> Any:
        """`lengths` is int32[batch]."""
        return tf.reverse_sequence(inputs, lengths, seq_axis=1, batch_axis=0)


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


def draw_masks(model: keras.Model) -> None:
    """Let the next update of `model` drop other recurrent weights."""
    for layer in model.layers:
        if isinstance(layer, _FusedLoop) and layer.drop_connect > 0.0:
            layer.draw_mask()


def use_kernel(model: keras.Model, *, on_gpu: bool, matmul_dtype: kernel.MatmulDtype) -> None:
    """Choose how the recurrent layers of `model` run their time steps; before it is compiled.

    Args:
        model: a network of training layers.
        on_gpu: through cuDNN where Keras or TensorFlow has it, instead of our kernel.
        matmul_dtype: operands of our kernel's matrix products.
    """
    for layer in model.layers:
        if isinstance(layer, _FusedLoop):
            layer.on_gpu, layer.matmul_dtype = on_gpu, matmul_dtype


def describe_gpu_routes(model: keras.Model) -> str:
    """Return the code that runs the time steps of the layers of `model` on a GPU."""
    layers = (layer for layer in model.layers if isinstance(layer, _FusedLoop))
    return "; ".join(sorted({layer.describe_gpu_route() for layer in layers}))


def shard_values(model: keras.Model, shard: int) -> list[tf.Tensor]:
    """Return the weights of `model` that are not trained, for one shard of a batch.

    The seeds of a dropout layer are advanced by one draw for each preceding shard, so no two
    shards have the same mask and the last one leaves the state after all draws. DropConnect has
    one mask for all shards.
    """
    drawn = {
        id(layer.seed_generator.state)
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0.0
    }
    return [
        weight.value + tf.constant([0, shard], weight.value.dtype)
        if shard and id(weight) in drawn
        else weight.value
        for weight in model.non_trainable_variables
    ]


TRAINING_LAYERS: dict[str, Callable[..., keras.layers.Layer]] = {
    cells.SIMPLE_RNN.name: SimpleRNN,
    cells.LSTM.name: LSTM,
    cells.GRU.name: GRU,
}
"""The layers that are trained, by the name of their cell."""


def training_layer(cell: CellSpec, *, drop_connect: float, **options: Any) -> keras.layers.Layer:
    """Return the layer that is trained; `options` are those of the cell's Keras layer."""
    layer = TRAINING_LAYERS[cell.name]
    return layer(drop_connect=drop_connect, **dict(cell.keras_options), **options)


def stock_layer(cell: CellSpec, **options: Any) -> keras.layers.Layer:
    """Return the Keras layer that is saved."""
    layer = getattr(keras.layers, cell.keras_layer)
    return layer(**dict(cell.keras_options), **options)
