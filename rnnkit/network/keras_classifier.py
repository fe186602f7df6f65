"""`ClassifierConfig` and a vocabulary size -> `keras.Model`: texts in, logits of classes out.

Like a language model the same network is built twice with the same weights, for training and,
from stock Keras layers alone, for saving.

    x = dropout(embedding(ids))
    for every layer i:
        y = recurrent_i(x), or recurrent_i_forward(x) beside recurrent_i_backward(x)
        y = dropout(normalization(y))
        x = x + y if residual and i > 0 else y
    x = pooling(x), over the tokens of each text, several beside each other
    x = dropout(dense_i(x)) for every dense layer
    logits = x @ kernel + bias

Texts are padded at their end with the id 0. Nothing in the forward direction comes after a text
but its padding, so a layer that is trained runs without a mask, which keeps the fast kernels; the
backward direction is the forward one on reversed texts. Padding is left out where it would count:
in the pooling and in the statistics of batch normalisation.
"""

from dataclasses import dataclass
from typing import Any, Literal, assert_never

import keras

from rnnkit.config.base import layer_sizes
from rnnkit.network.classifier_parts import (
    FAR_BELOW,
    dense_layers,
    logit_units,
    poolings,
    recurrent_names,
)
from rnnkit.network.keras import after_recurrent, penalty, recurrent_options
from rnnkit.network.layers import ReverseTexts, stock_layer, training_layer
from rnnkit.tasks.text_classification.config import (
    ClassifierConfig,
    LearnedEmbedding,
    Pooling,
    PretrainedEmbedding,
)


def build_training_classifier(
    model: ClassifierConfig, *, vocabulary_size: int, classes: int, embedding_size: int
) -> keras.Model:
    """The network as it is trained: ids int32[batch, time] -> logits float32[batch, classes].

    `vocabulary_size` counts the padding (id 0) and `<unk>`. A row needs one token at least.
    """
    network = _Network(model, vocabulary_size, classes, embedding_size, "training")
    ids = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(ids, network.connect(ids), name="rnnkit_training")


def build_saved_classifier(
    model: ClassifierConfig, *, vocabulary_size: int, classes: int, embedding_size: int
) -> keras.Model:
    """The network as it is saved, from stock Keras layers: ids int32[batch, time] -> logits
    float32[batch, classes]."""
    network = _Network(model, vocabulary_size, classes, embedding_size, "saved")
    ids = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(ids, network.connect(ids), name="rnnkit")


@dataclass(frozen=True)
class _Texts:
    """Where the tokens of a batch stand."""

    mask: Any
    """bool[batch, time, 1], false for padding."""
    lengths: Any
    """int32[batch]."""

    @property
    def steps(self) -> Any:
        """The mask as layers want it, bool[batch, time]."""
        return keras.ops.squeeze(self.mask, -1)


@dataclass(frozen=True)
class _Network:
    """The layers between ids and logits."""

    model: ClassifierConfig
    vocabulary_size: int
    classes: int
    embedding_size: int
    form: Literal["training", "saved"]

    def connect(self, ids: Any) -> Any:
        """Logits float32[batch, classes] of ids int32[batch, time]."""
        model = self.model
        tokens = keras.ops.not_equal(ids, 0)
        texts = _Texts(
            mask=keras.ops.expand_dims(tokens, -1),
            lengths=keras.ops.sum(keras.ops.cast(tokens, "int32"), axis=1),
        )
        x = self._embed(ids)
        for index, units in enumerate(layer_sizes(model)):
            y = self._recurrent(x, index, units, texts)
            width = units * len(recurrent_names(model, index))
            y = after_recurrent(
                model, y, index=index, units=width, every_step=True, mask=texts.steps
            )
            x = x + y if model.residual and index > 0 else y
        x = _joined([self._pool(x, kind, texts) for kind in poolings(model)])
        for layer in dense_layers(model):
            x = self._dense(layer.name, layer.units, layer.activation)(x)
            if model.dense_dropout > 0.0:
                x = keras.layers.Dropout(model.dense_dropout, name=f"{layer.name}_dropout")(x)
        logits = self._dense("logits", logit_units(model, self.classes))(x)
        if model.output == "sigmoid":
            # softmax(0, z) = (1 - sigmoid(z), sigmoid(z)): two logits, as everyone expects.
            logits = _joined([keras.ops.zeros_like(logits), logits])
        return logits

    def _embed(self, ids: Any) -> Any:
        form = self.model.embedding
        match form:
            case LearnedEmbedding():
                trainable = True
            case PretrainedEmbedding(trainable=trainable):
                pass
            case _:
                assert_never(form)
        x = keras.layers.Embedding(
            self.vocabulary_size,
            self.embedding_size,
            embeddings_regularizer=penalty(self.model) if trainable else None,
            trainable=trainable,
            name="embedding",
        )(ids)
        if self.model.embedding_dropout > 0.0:
            x = keras.layers.Dropout(
                self.model.embedding_dropout, noise_shape=(None, None, 1), name="embedding_dropout"
            )(x)
        return x

    def _recurrent(self, x: Any, index: int, units: int, texts: _Texts) -> Any:
        forward, *backward = (
            recurrent_options(self.model, name=name, units=units)
            for name in recurrent_names(self.model, index)
        )
        outputs = [self._forward(x, forward, texts)]
        outputs += [self._backward(x, options, texts) for options in backward]
        return _joined(outputs)

    def _forward(self, x: Any, options: dict[str, Any], texts: _Texts) -> Any:
        match self.form:
            case "training":
                return self._training_layer(options)(x)
            case "saved":
                layer = stock_layer(self.model.cell, return_sequences=True, **options)
                return layer(x, mask=texts.steps)
            case _:
                assert_never(self.form)

    def _backward(self, x: Any, options: dict[str, Any], texts: _Texts) -> Any:
        match self.form:
            case "training":
                turned = ReverseTexts(name=f"{options['name']}_turned")(x, texts.lengths)
                y = self._training_layer(options)(turned)
                return ReverseTexts(name=f"{options['name']}_turned_back")(y, texts.lengths)
            case "saved":
                layer = stock_layer(
                    self.model.cell, return_sequences=True, go_backwards=True, **options
                )
                return keras.ops.flip(layer(x, mask=texts.steps), axis=1)
            case _:
                assert_never(self.form)

    def _training_layer(self, options: dict[str, Any]) -> keras.layers.Layer:
        return training_layer(
            self.model.cell,
            drop_connect=self.model.recurrent_dropout,
            return_sequences=True,
            **options,
        )

    def _pool(self, x: Any, kind: Pooling, texts: _Texts) -> Any:
        """float32[batch, time, width] -> float32[batch, width]."""
        match kind:
            case "last":
                return self._last(x, texts)
            case "mean":
                total = keras.ops.sum(keras.ops.where(texts.mask, x, 0.0), axis=1)
                lengths = keras.ops.cast(texts.lengths, "float32")
                return total / keras.ops.expand_dims(lengths, -1)
            case "max":
                return keras.ops.max(keras.ops.where(texts.mask, x, FAR_BELOW), axis=1)
            case "attention":
                # Additive attention with a learned context vector (Yang et al. 2016).
                hidden = self._dense("attention", x.shape[-1], "tanh")(x)
                scores = self._dense("attention_context", 1, bias=False)(hidden)
                scores = keras.ops.where(texts.mask, scores, FAR_BELOW)
                weights: Any = keras.ops.softmax(scores, axis=1)
                return keras.ops.sum(weights * keras.ops.where(texts.mask, x, 0.0), axis=1)
            case _:
                assert_never(kind)

    def _last(self, x: Any, texts: _Texts) -> Any:
        """What each direction has when it has read the whole text: the output of the last token,
        and of the first one where the text was read backwards."""
        *_, width = x.shape
        forward = width // 2 if self.model.bidirectional else width
        # Summing what is left of a selection costs less than Keras' gather along the time.
        read = keras.ops.cumsum(keras.ops.cast(texts.mask, "int32"), axis=1)
        whole = keras.ops.equal(read, keras.ops.reshape(texts.lengths, (-1, 1, 1)))
        place = keras.ops.logical_and(texts.mask, whole)
        last = keras.ops.sum(keras.ops.where(place, x[:, :, :forward], 0.0), axis=1)
        return _joined([last, x[:, 0, forward:]]) if self.model.bidirectional else last

    def _dense(
        self, name: str, units: int, activation: str = "linear", *, bias: bool = True
    ) -> keras.layers.Layer:
        return keras.layers.Dense(
            units,
            activation=activation,
            use_bias=bias,
            kernel_initializer=self.model.kernel_initializer,
            kernel_regularizer=penalty(self.model),
            name=name,
        )


def _joined(parts: list[Any]) -> Any:
    """Vectors beside each other along the last axis."""
    return keras.ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
