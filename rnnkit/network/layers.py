"""Recurrent layers for training: stock Keras layers whose time loop is ours to choose.

Every layer here has the weights, names and configuration of its Keras parent, so a trained
model moves into stock layers by copying its weights. What differs is `inner_loop`, the one place
through which all time steps run: it masks the recurrent matrix (DropConnect), and on a CPU it
runs our kernel instead of the Keras loop.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from rnnkit.network import gpu as cudnn
from rnnkit.network.cells import GRU as GRU_CELL
from rnnkit.network.cells import LSTM as LSTM_CELL
from rnnkit.network.cells import SIMPLE_RNN, CellSpec
from rnnkit.network.kernels import fused as kernel
from rnnkit.network.seeds import HostSeeds


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


class _OwnTimeLoop:
    """What the three layers share: DropConnect, and the choice of the kernel."""

    has_cudnn_in_keras = True
    """Whether Keras hands the time steps to cuDNN where it finds a GPU."""

    def __init__(self, *args: Any, drop_connect: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drop_connect = drop_connect
        self.on_gpu = False
        self.products: kernel.Products = "float32"
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
        """All hidden states float32[time, batch, units], and what else is carried on."""
        raise AssertionError("every cell has its own")

    def describe_gpu_route(self) -> str:
        """What runs the time steps on a GPU."""
        return "keras, cuDNN"

    def _masked(self, recurrent: Any) -> Any:
        """DropConnect on the recurrent matrix, one mask per batch (Wan et al. 2013, Merity et
        al. 2017). The products stay whole matrix products, so every kernel keeps working."""
        # Stateless: all shards of a batch have to see the same mask.
        seed = self.drop_connect_seeds.current()
        kept = tf.random.stateless_uniform(recurrent.shape, seed) >= self.drop_connect
        return recurrent.value * tf.cast(kept, recurrent.dtype) / (1.0 - self.drop_connect)


class SimpleRNN(_OwnTimeLoop, keras.layers.SimpleRNN):
    """Elman's recurrent layer."""

    has_cudnn_in_keras = False

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Through our kernel on a CPU, on a GPU through what is right and fastest there."""
        if self.on_gpu:
            run = self._gpu_route().run
        else:
            run = functools.partial(kernel.simple_rnn, products=self.products)
        return run(x, states[0], weights, self._activation_name), []

    def describe_gpu_route(self) -> str:
        """What runs the time steps on a GPU."""
        return f"rnnkit, {self._gpu_route()}"

    def _gpu_route(self) -> cudnn.Route:
        features, units = self.cell.kernel.shape
        return cudnn.choose_route(features=features, units=units, activation=self._activation_name)

    @property
    def _activation_name(self) -> kernel.Activation:
        return "relu" if self.activation is keras.activations.relu else "tanh"


class LSTM(_OwnTimeLoop, keras.layers.LSTM):
    """Long short-term memory."""

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Through our kernel."""
        h, c = kernel.lstm(x, states, weights, products=self.products)
        return h, [c]


class GRU(_OwnTimeLoop, keras.layers.GRU):
    """Gated recurrent unit."""

    def run_steps(self, x: Any, states: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Through our kernel."""
        return kernel.gru(x, states[0], weights, products=self.products), []


class ReverseTexts(keras.layers.Layer):
    """Each row of float[batch, time, features] backwards, as far as its length reaches; what
    comes after, the padding, stays where it is."""

    def call(self, inputs: Any, lengths: Any) -> Any:
        """`lengths` is int32[batch]."""
        return tf.reverse_sequence(inputs, lengths, seq_axis=1, batch_axis=0)


def draw_masks(model: keras.Model) -> None:
    """Let the next update of `model` drop other recurrent weights."""
    for layer in model.layers:
        if isinstance(layer, _OwnTimeLoop) and layer.drop_connect > 0.0:
            layer.draw_mask()


def use_kernel(model: keras.Model, *, on_gpu: bool, matmul_dtype: kernel.Products) -> None:
    """Choose how the recurrent layers of `model` run their time steps; before it is compiled.

    Args:
        model: a network of training layers.
        on_gpu: through cuDNN where Keras or TensorFlow has it, instead of our kernel.
        matmul_dtype: operands of our kernel's matrix products.
    """
    for layer in model.layers:
        if isinstance(layer, _OwnTimeLoop):
            layer.on_gpu, layer.products = on_gpu, matmul_dtype


def describe_gpu_routes(model: keras.Model) -> str:
    """What runs the time steps of the layers of `model` that are trained, on a GPU."""
    layers = (layer for layer in model.layers if isinstance(layer, _OwnTimeLoop))
    return "; ".join(sorted({layer.describe_gpu_route() for layer in layers}))


def shard_values(model: keras.Model, shard: int) -> list[tf.Tensor]:
    """The weights of `model` that are not trained, as one part of a batch has them.

    The state of a dropout layer's seeds stands as many draws further as the shard has
    predecessors, so that no two shards share a mask and the last one leaves it where all draws
    have been made. DropConnect has one mask for all of them.
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
    SIMPLE_RNN.name: SimpleRNN,
    LSTM_CELL.name: LSTM,
    GRU_CELL.name: GRU,
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
