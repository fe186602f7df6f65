"""Recurrent layers for training: stock Keras layers whose time loop is ours to choose.

Every layer here has the weights, names and configuration of its Keras parent, so a trained
model moves into stock layers by copying its weights. What differs is `inner_loop`, the one place
through which all time steps run: it masks the recurrent matrix (DropConnect) and is where
another kernel would be put in.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, assert_never

import keras

from rnnkit.config.schema import Cell


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


class _DropConnect:
    """DropConnect on the recurrent matrix, one mask per batch (Wan et al. 2013, Merity et al.
    2017). The products stay whole matrix products, so fused kernels keep working."""

    def __init__(self, *args: Any, drop_connect: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drop_connect = drop_connect
        self.drop_connect_seeds = keras.random.SeedGenerator()

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        """Run all time steps: float32[batch, time, inputs] -> (last, outputs, states)."""
        run = super().inner_loop  # type: ignore[misc]  # the Keras layer comes after in the MRO
        if not training or self.drop_connect == 0.0:
            return run(sequences, initial_state, mask, training=training)
        cell = self.cell  # type: ignore[attr-defined]
        masked = keras.random.dropout(
            cell.recurrent_kernel.value, self.drop_connect, seed=self.drop_connect_seeds
        )
        with _recurrent_kernel_replaced(cell, masked):
            return run(sequences, initial_state, mask, training=training)


class SimpleRNN(_DropConnect, keras.layers.SimpleRNN):
    """Elman's recurrent layer with DropConnect."""


class LSTM(_DropConnect, keras.layers.LSTM):
    """Long short-term memory with DropConnect."""


class GRU(_DropConnect, keras.layers.GRU):
    """Gated recurrent unit with DropConnect."""


def training_layer(cell: Cell, *, drop_connect: float, **options: Any) -> keras.layers.Layer:
    """The layer that is trained; `options` are those of the Keras layer of that name."""
    match cell:
        case "simple_rnn":
            return SimpleRNN(drop_connect=drop_connect, **options)
        case "lstm":
            return LSTM(drop_connect=drop_connect, **options)
        case "gru":
            return GRU(drop_connect=drop_connect, **options)
        case _:
            assert_never(cell)


def stock_layer(cell: Cell, **options: Any) -> keras.layers.Layer:
    """The Keras layer that is saved; `options` are its own."""
    match cell:
        case "simple_rnn":
            return keras.layers.SimpleRNN(**options)
        case "lstm":
            return keras.layers.LSTM(**options)
        case "gru":
            return keras.layers.GRU(**options)
        case _:
            assert_never(cell)
