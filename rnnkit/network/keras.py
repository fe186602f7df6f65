"""`LanguageModelConfig` and a vocabulary size -> `keras.Model`.

The same network is built twice: once for training, with initial states as inputs, final states
as outputs and our recurrent layers; once for saving, from stock Keras layers alone. Both have the
same weights in the same order.

    x = dropout(one_hot(ids) | embedding(ids) | ids / vocabulary_size)
    for every layer i:
        y = dropout(normalization(recurrent_i(x)))
        x = x + y if residual and i > 0 else y
    logits = x @ kernel + bias   (tied: x @ embeddings^T)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import keras
import numpy as np

from rnnkit.config.base import Cell, RecurrentConfig
from rnnkit.config.base import layer_sizes as sizes_of
from rnnkit.network.layers import stock_layer, training_layer
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    LanguageModelConfig,
    OneHotInput,
    PretrainedInput,
    ScaledInput,
)


def states_per_layer(cell: Cell) -> int:
    """How many state tensors a layer carries: hidden state, and the LSTM's cell state."""
    return 2 if cell == "lstm" else 1


def state_sizes(model: LanguageModelConfig) -> tuple[int, ...]:
    """Units of every state tensor, in the order of the training model's inputs."""
    return tuple(size for size in sizes_of(model) for _ in range(states_per_layer(model.cell)))


def build_training_model(
    model: LanguageModelConfig,
    *,
    vocabulary_size: int,
    every_step: bool,
    vector_size: int | None = None,
) -> keras.Model:
    """The network as it is trained. `vector_size` is the length of pretrained vectors, which
    themselves are set later.

    Inputs: ids int32[batch, time] and every layer's initial states float32[batch, units].
    Outputs: logits float32[batch, time, vocabulary], or float32[batch, vocabulary] for the last
    step only when `every_step` is false, and the final states.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    states = [
        keras.Input((size,), name=f"state_{index}") for index, size in enumerate(state_sizes(model))
    ]
    network = _Network(model, vocabulary_size, every_step, vector_size)
    logits, new_states = network.connect(ids, states)
    return keras.Model([ids, *states], [logits, *new_states], name="rnnkit_training")


def build_saved_model(
    model: LanguageModelConfig,
    *,
    vocabulary_size: int,
    every_step: bool,
    vector_size: int | None = None,
) -> keras.Model:
    """The network as it is saved: ids int32[batch, time] -> logits, stock Keras layers only."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    network = _Network(model, vocabulary_size, every_step, vector_size)
    logits, _ = network.connect(ids, None)
    return keras.Model(ids, logits, name="rnnkit")


def weights_by_name(model: keras.Model) -> dict[str, np.ndarray]:
    """Every weight as `layer/weight`, such as `recurrent_0/kernel`: what export_onnx takes."""
    weights = {}
    for layer in model.layers:
        for weight in layer.weights:
            weights[f"{layer.name}/{weight.name}"] = np.asarray(weight.numpy())
    return weights


def recurrent_options(model: RecurrentConfig, *, name: str, units: int) -> dict[str, Any]:
    """What the configuration says about one recurrent layer, as options of the Keras layer."""
    options: dict[str, Any] = {
        "units": units,
        "kernel_initializer": model.kernel_initializer,
        "recurrent_initializer": model.recurrent_initializer,
        "kernel_regularizer": penalty(model),
        "recurrent_regularizer": penalty(model),
        "name": name,
    }
    if model.activation is not None:
        options["activation"] = model.activation
    return options


def after_recurrent(
    model: RecurrentConfig, y: Any, *, index: int, units: int, every_step: bool, mask: Any = None
) -> Any:
    """Normalisation and dropout of the outputs `y` of the recurrent layer at `index`.

    `y` is float32[batch, time, units], or float32[batch, units] unless `every_step`. Where
    `mask` bool[batch, time] is false, batch normalisation does not count the outputs.
    """
    match model.normalization:
        case "none":
            pass
        case "layer":
            y = keras.layers.LayerNormalization(name=f"normalization_{index}")(y)
        case "batch":
            y = keras.layers.BatchNormalization(name=f"normalization_{index}")(y, mask=mask)
            if mask is not None:
                # Keras would hand the mask on to the layers that follow; a copy has none.
                y = keras.ops.copy(y)
        case _:
            assert_never(model.normalization)
    if model.dropout > 0.0:
        one_mask = model.dropout_mask == "sequence" and every_step
        shape = (None, 1, units) if one_mask else None
        y = keras.layers.Dropout(model.dropout, noise_shape=shape, name=f"dropout_{index}")(y)
    return y


def penalty(model: RecurrentConfig) -> keras.regularizers.Regularizer | None:
    """The penalty on a weight matrix."""
    if model.l1 == 0.0 and model.l2 == 0.0:
        return None
    return keras.regularizers.L1L2(model.l1, model.l2)


@dataclass(frozen=True)
class _Network:
    """The layers between ids and logits."""

    model: LanguageModelConfig
    vocabulary_size: int
    every_step: bool
    vector_size: int | None

    def connect(self, ids: Any, states: Sequence[Any] | None) -> tuple[Any, list[Any]]:
        """Logits and final states; without `states`, stock layers from a zero state."""
        x, embedding = self._encode(ids)
        x = self._drop(x)
        sizes = sizes_of(self.model)
        per_layer = states_per_layer(self.model.cell)
        new_states: list[Any] = []
        for index, units in enumerate(sizes):
            every_step = self.every_step or index < len(sizes) - 1
            if states is None:
                y = self._stock(index, units, every_step)(x)
            else:
                initial = list(states[index * per_layer : (index + 1) * per_layer])
                layer = self._training(index, units, every_step)
                y, *layer_states = layer(x, initial_state=initial)
                new_states.extend(layer_states)
            y = after_recurrent(self.model, y, index=index, units=units, every_step=every_step)
            if self.model.residual and index > 0:
                x = y + (x if every_step else x[:, -1, :])
            else:
                x = y
        return self._logits(x, embedding), new_states

    def _encode(self, ids: Any) -> tuple[Any, keras.layers.ReversibleEmbedding | None]:
        form = self.model.input
        match form:
            case OneHotInput():
                return keras.ops.one_hot(ids, self.vocabulary_size), None
            case ScaledInput():
                scaled = keras.ops.divide(
                    keras.ops.cast(ids, "float32"), float(self.vocabulary_size)
                )
                return keras.ops.expand_dims(scaled, -1), None
            case EmbeddingInput(size=size):
                return self._embed(ids, size, trainable=True)
            case PretrainedInput(trainable=trainable):
                if self.vector_size is None:
                    raise ValueError("pretrained vectors need a vector_size")
                return self._embed(ids, self.vector_size, trainable=trainable)
            case _:
                assert_never(form)

    def _embed(
        self, ids: Any, size: int, *, trainable: bool
    ) -> tuple[Any, keras.layers.ReversibleEmbedding]:
        embedding = keras.layers.ReversibleEmbedding(
            self.vocabulary_size,
            size,
            tie_weights=True,
            embeddings_regularizer=penalty(self.model) if trainable else None,
            trainable=trainable,
            name="embedding",
        )
        return embedding(ids), embedding

    def _drop(self, x: Any) -> Any:
        """Dropout of whole vectors, then of single numbers, before the first recurrent layer."""
        if (rate := self.model.embedding_dropout) > 0.0:
            shape = (None, None, 1)
            x = keras.layers.Dropout(rate, noise_shape=shape, name="embedding_dropout")(x)
        if (rate := self.model.input_dropout) > 0.0:
            shape = (None, 1, x.shape[-1]) if self.model.dropout_mask == "sequence" else None
            x = keras.layers.Dropout(rate, noise_shape=shape, name="input_dropout")(x)
        return x

    def _training(self, index: int, units: int, every_step: bool) -> keras.layers.Layer:
        return training_layer(
            self.model.cell,
            drop_connect=self.model.recurrent_dropout,
            return_state=True,
            return_sequences=every_step,
            **recurrent_options(self.model, name=f"recurrent_{index}", units=units),
        )

    def _stock(self, index: int, units: int, every_step: bool) -> keras.layers.Layer:
        return stock_layer(
            self.model.cell,
            return_sequences=every_step,
            **recurrent_options(self.model, name=f"recurrent_{index}", units=units),
        )

    def _logits(self, x: Any, embedding: keras.layers.ReversibleEmbedding | None) -> Any:
        if self.model.tie_weights and embedding is not None:
            return embedding(x, reverse=True)
        return keras.layers.Dense(
            self.vocabulary_size,
            kernel_initializer=self.model.kernel_initializer,
            kernel_regularizer=penalty(self.model),
            name="logits",
        )(x)
