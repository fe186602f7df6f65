"""Names and shapes of a network's weights, as they follow from its configuration, and whether the
weights that a configuration gives are of these.

The names are `layer/weight` as in a saved model, the layouts those of Keras: a kernel has a row
for each input and its gates beside each other (LSTM i f c o, GRU z r h).
"""

import difflib
from collections.abc import Iterator

from rnnkit.config.base import Cell, RecurrentConfig, layer_sizes
from rnnkit.errors import ConfigError
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    ModelConfig,
    OneHotInput,
    PretrainedInput,
    ScaledInput,
)
from rnnkit.tasks.text_classification.config import ClassifierConfig

Shape = tuple[int | None, ...]
"""None is a size that only the data decide: that of the vocabulary."""

GATES: dict[Cell, int] = {"simple_rnn": 1, "lstm": 4, "gru": 3}
"""Matrices that stand beside each other in a kernel."""


def language_weight_shapes(
    model: ModelConfig, vocabulary_size: int | None, vector_size: int | None = None
) -> dict[str, Shape]:
    """Every weight of a language model, in the order of its layers. `vector_size` is the length
    of pretrained vectors."""
    shapes: dict[str, Shape] = {}
    match model.input:
        case EmbeddingInput(size=size):
            shapes["embedding/embeddings"] = (vocabulary_size, size)
            width: int | None = size
        case PretrainedInput():
            shapes["embedding/embeddings"] = (vocabulary_size, vector_size)
            width = vector_size
        case OneHotInput():
            width = vocabulary_size
        case ScaledInput():
            width = 1
    for index, units in enumerate(layer_sizes(model)):
        shapes |= _recurrent(model.cell, f"recurrent_{index}", width, units)
        shapes |= _normalization(model, index, units)
        width = units
    if not model.tie_weights:
        shapes |= _dense("logits", width, vocabulary_size)
    return shapes


def classifier_weight_shapes(
    model: ClassifierConfig, *, vocabulary_size: int, classes: int, embedding_size: int
) -> dict[str, Shape]:
    """Every weight of a classifier, in the order of its layers."""
    shapes: dict[str, Shape] = {"embedding/embeddings": (vocabulary_size, embedding_size)}
    width = embedding_size
    for index, units in enumerate(layer_sizes(model)):
        name = f"recurrent_{index}"
        both = (f"{name}_forward", f"{name}_backward")
        for part in both if model.bidirectional else (name,):
            shapes |= _recurrent(model.cell, part, width, units)
        width = units * (1 + model.bidirectional)
        shapes |= _normalization(model, index, width)
    poolings = (model.pooling,) if isinstance(model.pooling, str) else model.pooling
    if "attention" in poolings:
        shapes |= _dense("attention", width, width)
        shapes["attention_context/kernel"] = (width, 1)
    width *= len(poolings)
    for index, units in enumerate(model.dense):
        shapes |= _dense(f"dense_{index}", width, units)
        width = units
    return shapes | _dense("logits", width, 1 if model.output == "sigmoid" else classes)


def initial_weight_problems(
    model: ModelConfig, vocabulary_size: int | None, vector_size: int | None = None
) -> Iterator[tuple[str, str]]:
    """What is wrong with `model.initial_weights`, as (name, message).

    Without `vocabulary_size`, sizes that depend on it are not looked at; so with `vector_size`,
    the length of pretrained vectors.
    """
    shapes = language_weight_shapes(model, vocabulary_size, vector_size)
    for name, value in (model.initial_weights or {}).items():
        if name not in shapes:
            close = difflib.get_close_matches(name, shapes, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"There are {', '.join(shapes)}"
            yield name, f"this network has no such weight. {hint}"
            continue
        wanted = shapes[name]
        rows = [row for row in value if isinstance(row, tuple)]
        if len({len(row) for row in rows}) > 1:
            yield name, f"rows of different lengths; expected {_words(wanted)}"
            continue
        found = (len(value), len(rows[0])) if rows else (len(value),)
        if len(found) != len(wanted) or any(
            size is not None and size != there for size, there in zip(wanted, found, strict=True)
        ):
            yield name, f"expected {_words(wanted)}, found {_words(found)}"


def check_initial_weights(
    model: ModelConfig, vocabulary_size: int, vector_size: int | None = None
) -> None:
    """Hold the given weights against the vocabulary of the data.

    Raises:
        ConfigError: one has another shape; the message names every one.
    """
    problems = list(initial_weight_problems(model, vocabulary_size, vector_size))
    if problems:
        lines = [f"model.initial_weights: {name}: {message}" for name, message in problems]
        lines.append(f"The vocabulary of the text has {vocabulary_size} tokens.")
        raise ConfigError("\n".join(lines))


def _recurrent(cell: Cell, name: str, width: int | None, units: int) -> dict[str, Shape]:
    gates = GATES[cell] * units
    return {
        f"{name}/kernel": (width, gates),
        f"{name}/recurrent_kernel": (units, gates),
        f"{name}/bias": (2, gates) if cell == "gru" else (gates,),
    }


def _normalization(model: RecurrentConfig, index: int, width: int) -> dict[str, Shape]:
    names = {
        "none": (),
        "layer": ("gamma", "beta"),
        "batch": ("gamma", "beta", "moving_mean", "moving_variance"),
    }[model.normalization]
    return {f"normalization_{index}/{name}": (width,) for name in names}


def _dense(name: str, width: int | None, units: int | None) -> dict[str, Shape]:
    return {f"{name}/kernel": (width, units), f"{name}/bias": (units,)}


def _words(shape: Shape) -> str:
    """`(4, 3)` -> "4 rows of 3 numbers"."""
    count = ["one for each token" if size is None else str(size) for size in shape]
    if len(shape) == 1:
        return f"a list of numbers, {count[0]}" if shape[0] is None else f"{count[0]} numbers"
    if shape[0] is None:
        return f"rows of {count[1]} numbers, one for each token"
    if shape[1] is None:
        return f"{count[0]} rows with a number for each token"
    return f"{count[0]} rows of {count[1]} numbers"
