"""A network as Keras models: one for training and one for saving, with the same weights.

The training model has our recurrent layers and, where the network carries states, those as further
inputs and outputs. The saved one consists of stock Keras layers and starts from zero states.

Sequences of networks that pool are padded at their end with the id 0. Nothing in the forward
direction comes after a sequence but its padding, so a layer that is trained runs without a mask,
which keeps the fast kernels; the backward direction is the forward one on reversed sequences.
Padding is left out where it would count: in the pooling and in batch normalization.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import keras
import numpy as np

from rnnkit.network.layers import ReverseTexts, stock_layer, training_layer
from rnnkit.network.spec import (
    FAR_BELOW,
    NORMALIZATION_EPSILON,
    DenseSpec,
    Direction,
    DropoutMask,
    EmbeddingInput,
    LayerSpec,
    NetworkSpec,
    OneHotInput,
    Penalty,
    Pooling,
    ScaledInput,
)


def build_training_model(spec: NetworkSpec) -> keras.Model:
    """Build the network as it is trained.

    Inputs: ids int32[batch, time] and the states of `spec.states`, float32[batch, units] each.
    Outputs: logits float32[batch, time, outputs], or float32[batch, outputs] of the last step or
    of the whole sequence, and the final states. Without states both are single tensors. Every row
    of padded sequences needs one token at least. Pretrained vectors are set later.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    states = [
        keras.Input((state.units,), name=f"state_{index}")
        for index, state in enumerate(spec.states)
    ]
    logits, new_states = _Builder(spec, "training").connect(ids, states)
    inputs, outputs = ([ids, *states], [logits, *new_states]) if states else (ids, logits)
    return keras.Model(inputs, outputs, name="rnnkit_training")


def build_saved_model(spec: NetworkSpec) -> keras.Model:
    """Build the network as it is saved, from stock layers: ids int32[batch, time] -> logits."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    logits, _ = _Builder(spec, "saved").connect(ids, ())
    return keras.Model(ids, logits, name="rnnkit")


def weights_by_name(model: keras.Model) -> dict[str, np.ndarray]:
    """Return every weight as `layer/weight`, such as `recurrent_0/kernel`."""
    return {
        f"{layer.name}/{weight.name}": np.asarray(weight.numpy())
        for layer in model.layers
        for weight in layer.weights
    }


@dataclass(frozen=True)
class _Tokens:
    """Where a padded batch has tokens."""

    mask: Any
    """bool[batch, time, 1], false for padding."""
    lengths: Any
    """int32[batch]."""

    @property
    def steps(self) -> Any:
        """Return the mask as layers take it, bool[batch, time]."""
        return keras.ops.squeeze(self.mask, -1)


@dataclass(frozen=True)
class _Builder:
    """The layers between ids and logits, in the order in which they are computed.

    The order in which layers are made decides which random numbers they start from.
    """

    spec: NetworkSpec
    form: Literal["training", "saved"]

    def connect(self, ids: Any, states: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return logits and final states of ids int32[batch, time]."""
        spec = self.spec
        tokens = _find_tokens(ids) if spec.is_padded else None
        x, embedding = self._encode(ids)
        x = self._drop_inputs(x)
        new_states: list[Any] = []
        for layer in spec.layers:
            count = len(layer.states)
            initial = states[layer.index * count : (layer.index + 1) * count]
            y, final = self._recurrent(x, layer, initial, tokens)
            new_states.extend(final)
            every_step = spec.returns_every_step(layer)
            y = _drop_outputs(_normalize(y, layer, tokens), layer, every_step=every_step)
            x = y + (x if every_step else x[:, -1, :]) if layer.adds_input else y
        if tokens is not None:
            x = _concatenate([self._pool(x, kind, tokens) for kind in spec.poolings])
        for dense in spec.dense:
            x = self._dense(dense)(x)
            if spec.dense_dropout > 0.0:
                x = keras.layers.Dropout(spec.dense_dropout, name=f"{dense.name}_dropout")(x)
        return self._logits(x, embedding), new_states

    # ------------------------------------------------------------------------------- input

    def _encode(self, ids: Any) -> tuple[Any, Any]:
        """Return float32[batch, time, width] and the embedding layer, None without one."""
        entry = self.spec.input
        match entry:
            case OneHotInput():
                return keras.ops.one_hot(ids, entry.vocabulary_size), None
            case ScaledInput():
                scaled = keras.ops.divide(
                    keras.ops.cast(ids, "float32"), float(entry.vocabulary_size)
                )
                return keras.ops.expand_dims(scaled, -1), None
            case EmbeddingInput():
                embedding = self._embedding(entry)
                return embedding(ids), embedding
            case _:
                assert_never(entry)

    def _embedding(self, entry: EmbeddingInput) -> keras.layers.Layer:
        options: dict[str, Any] = {
            "embeddings_regularizer": _regularizer(self.spec.penalty) if entry.trainable else None,
            "trainable": entry.trainable,
            "name": "embedding",
        }
        size, width = entry.vocabulary_size, entry.width
        if self.spec.tied:
            return keras.layers.ReversibleEmbedding(size, width, tie_weights=True, **options)
        return keras.layers.Embedding(size, width, **options)

    def _drop_inputs(self, x: Any) -> Any:
        """Apply dropout of whole vectors, then of single numbers, before the first layer."""
        spec = self.spec
        if (rate := spec.embedding_dropout) > 0.0:
            shape = (None, None, 1)
            x = keras.layers.Dropout(rate, noise_shape=shape, name="embedding_dropout")(x)
        if (rate := spec.input_dropout) > 0.0:
            shape = _noise_shape(spec.input_dropout_mask, spec.input.width)
            x = keras.layers.Dropout(rate, noise_shape=shape, name="input_dropout")(x)
        return x

    # -------------------------------------------------------------------- recurrent layers

    def _recurrent(
        self, x: Any, layer: LayerSpec, states: Sequence[Any], tokens: _Tokens | None
    ) -> tuple[Any, list[Any]]:
        """Return the outputs of all directions, concatenated, and the final states."""
        if states:
            (name,) = layer.names
            recurrent = self._training_layer(layer, name, return_state=True)
            y, *final = recurrent(x, initial_state=list(states))
            return y, final
        outputs = []
        for name, direction in zip(layer.names, layer.directions, strict=True):
            match self.form:
                case "training":
                    assert tokens is not None
                    outputs.append(self._trained(x, layer, name, direction, tokens))
                case "saved":
                    outputs.append(self._stock(x, layer, name, direction, tokens))
                case _:
                    assert_never(self.form)
        return _concatenate(outputs), []

    def _trained(
        self, x: Any, layer: LayerSpec, name: str, direction: Direction, tokens: _Tokens
    ) -> Any:
        if direction == "forward":
            return self._training_layer(layer, name)(x)
        x = ReverseTexts(name=f"{name}_turned")(x, tokens.lengths)
        y = self._training_layer(layer, name)(x)
        return ReverseTexts(name=f"{name}_turned_back")(y, tokens.lengths)

    def _stock(
        self, x: Any, layer: LayerSpec, name: str, direction: Direction, tokens: _Tokens | None
    ) -> Any:
        options = self._options(layer, name)
        if direction == "backward":
            options["go_backwards"] = True
        recurrent = stock_layer(layer.cell, **options)
        y = recurrent(x) if tokens is None else recurrent(x, mask=tokens.steps)
        return keras.ops.flip(y, axis=1) if direction == "backward" else y

    def _training_layer(
        self, layer: LayerSpec, name: str, *, return_state: bool = False
    ) -> keras.layers.Layer:
        return training_layer(
            layer.cell,
            drop_connect=layer.recurrent_dropout,
            return_state=return_state,
            **self._options(layer, name),
        )

    def _options(self, layer: LayerSpec, name: str) -> dict[str, object]:
        """Return the options of the recurrent Keras layer called `name`."""
        options: dict[str, object] = {
            "units": layer.units,
            "kernel_initializer": layer.kernel_initializer,
            "recurrent_initializer": layer.recurrent_initializer,
            "kernel_regularizer": _regularizer(layer.penalty),
            "recurrent_regularizer": _regularizer(layer.penalty),
            "return_sequences": self.spec.returns_every_step(layer),
            "name": name,
        }
        if layer.activation is not None:
            options["activation"] = layer.activation
        return options

    # -------------------------------------------------------------------------------- head

    def _pool(self, x: Any, kind: Pooling, tokens: _Tokens) -> Any:
        """Pool the steps: float32[batch, time, width] -> float32[batch, width]."""
        match kind:
            case "last":
                return self._last(x, tokens)
            case "mean":
                total: Any = keras.ops.sum(keras.ops.where(tokens.mask, x, 0.0), axis=1)
                lengths = keras.ops.cast(tokens.lengths, "float32")
                return total / keras.ops.expand_dims(lengths, -1)
            case "max":
                return keras.ops.max(keras.ops.where(tokens.mask, x, FAR_BELOW), axis=1)
            case "attention":
                assert self.spec.attention is not None
                scores = x
                for dense in self.spec.attention:
                    scores = self._dense(dense)(scores)
                scores = keras.ops.where(tokens.mask, scores, FAR_BELOW)
                weights: Any = keras.ops.softmax(scores, axis=1)
                return keras.ops.sum(weights * keras.ops.where(tokens.mask, x, 0.0), axis=1)
            case _:
                assert_never(kind)

    def _last(self, x: Any, tokens: _Tokens) -> Any:
        """Return the output of each direction after the whole sequence: at the last token, and
        at the first one where it was read backwards."""
        top = self.spec.top
        # Summing what is left of a selection costs less than Keras' gather along the time.
        read = keras.ops.cumsum(keras.ops.cast(tokens.mask, "int32"), axis=1)
        whole = keras.ops.equal(read, keras.ops.reshape(tokens.lengths, (-1, 1, 1)))
        place = keras.ops.logical_and(tokens.mask, whole)
        last = keras.ops.sum(keras.ops.where(place, x[:, :, : top.units], 0.0), axis=1)
        return _concatenate([last, *([x[:, 0, top.units :]] if len(top.directions) > 1 else [])])

    def _logits(self, x: Any, embedding: Any) -> Any:
        if self.spec.logits is None:
            return embedding(x, reverse=True)
        logits = self._dense(self.spec.logits)(x)
        if self.spec.one_logit:
            # softmax(0, z) = (1 - sigmoid(z), sigmoid(z)): two logits, as everyone expects.
            logits = _concatenate([keras.ops.zeros_like(logits), logits])
        return logits

    def _dense(self, dense: DenseSpec) -> keras.layers.Layer:
        return keras.layers.Dense(
            dense.units,
            activation=dense.activation,
            use_bias=dense.has_bias,
            kernel_initializer=self.spec.kernel_initializer,
            kernel_regularizer=_regularizer(self.spec.penalty),
            name=dense.name,
        )


def _find_tokens(ids: Any) -> _Tokens:
    is_token = keras.ops.not_equal(ids, 0)
    return _Tokens(
        mask=keras.ops.expand_dims(is_token, -1),
        lengths=keras.ops.sum(keras.ops.cast(is_token, "int32"), axis=1),
    )


def _normalize(y: Any, layer: LayerSpec, tokens: _Tokens | None) -> Any:
    """Normalize the outputs `y` of a layer; batch normalization does not count padding."""
    name, mask = f"normalization_{layer.index}", None if tokens is None else tokens.steps
    match layer.normalization:
        case "none":
            return y
        case "layer":
            return keras.layers.LayerNormalization(epsilon=NORMALIZATION_EPSILON, name=name)(y)
        case "batch":
            normalization = keras.layers.BatchNormalization(
                epsilon=NORMALIZATION_EPSILON, name=name
            )
            y = normalization(y, mask=mask)
            # Keras would hand the mask on to the layers that follow; a copy has none.
            return y if mask is None else keras.ops.copy(y)
        case _:
            assert_never(layer.normalization)


def _drop_outputs(y: Any, layer: LayerSpec, *, every_step: bool) -> Any:
    """Apply dropout to float32[batch, time, width], or float32[batch, width]."""
    if layer.dropout == 0.0:
        return y
    shape = _noise_shape(layer.dropout_mask, layer.width) if every_step else None
    return keras.layers.Dropout(layer.dropout, noise_shape=shape, name=f"dropout_{layer.index}")(y)


def _noise_shape(mask: DropoutMask, width: int) -> tuple[int | None, ...] | None:
    """Return the shape of a dropout mask; None for one that differs at each step."""
    return (None, 1, width) if mask == "sequence" else None


def _regularizer(penalty: Penalty) -> keras.regularizers.Regularizer | None:
    return keras.regularizers.L1L2(penalty.l1, penalty.l2) if penalty != Penalty() else None


def _concatenate(parts: Sequence[Any]) -> Any:
    """Join vectors along the last axis."""
    return keras.ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
