"""The network of a language model, from its configuration and the sizes of its data."""

from typing import assert_never

from rnnkit.network import spec as network
from rnnkit.network.spec import UNKNOWN_SIZE, NetworkSpec, Penalty, recurrent_layers
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    LanguageModelConfig,
    OneHotInput,
    PretrainedInput,
    ScaledInput,
)


def language_network(
    model: LanguageModelConfig,
    *,
    vocabulary_size: int = UNKNOWN_SIZE,
    vector_size: int | None = None,
    every_step: bool = True,
) -> NetworkSpec:
    """Return the network that maps tokens to logits of the next token.

    Args:
        model: section `model` of the configuration.
        vocabulary_size: number of tokens, unknown before the data are read.
        vector_size: length of pretrained vectors, None without or before they are read.
        every_step: whether there are logits at every step, or at the last one alone (models
            trained on sliding windows).
    """
    entry = _input(model, vocabulary_size, vector_size or UNKNOWN_SIZE)
    return NetworkSpec(
        input=entry,
        layers=recurrent_layers(model, inputs=entry.width),
        outputs=vocabulary_size,
        every_step=every_step,
        tied=model.tie_weights,
        embedding_dropout=model.embedding_dropout,
        input_dropout=model.input_dropout,
        input_dropout_mask=model.dropout_mask,
        kernel_initializer=model.kernel_initializer,
        penalty=Penalty(model.l1, model.l2),
    )


def _input(model: LanguageModelConfig, vocabulary_size: int, vector_size: int) -> network.InputSpec:
    match model.input:
        case EmbeddingInput(size=size):
            return network.EmbeddingInput(vocabulary_size, size)
        case PretrainedInput(trainable=trainable):
            return network.EmbeddingInput(vocabulary_size, vector_size, trainable)
        case OneHotInput():
            return network.OneHotInput(vocabulary_size)
        case ScaledInput():
            return network.ScaledInput(vocabulary_size)
        case _:
            assert_never(model.input)
