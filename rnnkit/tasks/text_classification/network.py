"""The network of a classifier, from its configuration and the sizes of its data."""

from typing import assert_never

from rnnkit.network.spec import (
    UNKNOWN_SIZE,
    DenseSpec,
    EmbeddingInput,
    NetworkSpec,
    Penalty,
    recurrent_layers,
)
from rnnkit.tasks.text_classification.config import (
    ClassifierConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
)


def classifier_network(
    model: ClassifierConfig,
    *,
    vocabulary_size: int = UNKNOWN_SIZE,
    classes: int = UNKNOWN_SIZE,
    vector_size: int | None = None,
) -> NetworkSpec:
    """Return the network that maps the tokens of a text to logits of its class.

    Args:
        model: section `model` of the configuration.
        vocabulary_size: number of tokens, padding (id 0) and `<unk>` included.
        classes: number of classes.
        vector_size: length of pretrained vectors, None without or before they are read.
    """
    match model.embedding:
        case LearnedEmbedding(size=size):
            entry = EmbeddingInput(vocabulary_size, size)
        case PretrainedEmbedding(trainable=trainable):
            entry = EmbeddingInput(vocabulary_size, vector_size or UNKNOWN_SIZE, trainable)
        case _:
            assert_never(model.embedding)
    layers = recurrent_layers(
        model,
        inputs=entry.width,
        directions=("forward", "backward") if model.bidirectional else ("forward",),
    )
    poolings = (model.pooling,) if isinstance(model.pooling, str) else model.pooling
    return NetworkSpec(
        input=entry,
        layers=layers,
        outputs=classes,
        every_step=False,
        poolings=poolings,
        dense=_dense_layers(model, inputs=layers[-1].width * len(poolings)),
        one_logit=model.output == "sigmoid",
        embedding_dropout=model.embedding_dropout,
        dense_dropout=model.dense_dropout,
        kernel_initializer=model.kernel_initializer,
        penalty=Penalty(model.l1, model.l2),
    )


def _dense_layers(model: ClassifierConfig, *, inputs: int) -> tuple[DenseSpec, ...]:
    activations = model.dense_activation
    if isinstance(activations, str):
        activations = (activations,) * len(model.dense)
    layers = []
    for index, (units, activation) in enumerate(zip(model.dense, activations, strict=True)):
        layers.append(DenseSpec(f"dense_{index}", inputs, units, activation))
        inputs = units
    return tuple(layers)
