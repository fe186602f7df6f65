"""What the keys of `task: sentiment` say about each other."""

from collections.abc import Iterator

from rnnkit.config.base import Contradiction, Schema, layer_sizes
from rnnkit.config.rules import (
    SIZE_KEYS,
    about_cell,
    about_fractions,
    about_layers,
    about_limits,
    about_monitor,
    about_one_step,
    about_schedule,
    lists_other_layers,
)
from rnnkit.config.source import shorten
from rnnkit.network.cells import CHOOSING_CELLS
from rnnkit.tasks.text_classification.config import (
    ClassificationConfig,
    ClassificationDataConfig,
    ClassifierConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
    TableLayout,
    WordTokens,
)


def about_sentiment(config: ClassificationConfig) -> Iterator[Contradiction]:
    """All of it."""
    yield from _splits(config.data)
    yield from _fold(config.data)
    yield from _encoding(config.data)
    yield from _columns(config.data)
    yield from _tokens(config.data)
    yield from _classes(config)
    yield from about_layers(config.model)
    yield from about_cell(config.model, choosing=CHOOSING_CELLS)
    yield from _state(config)
    yield from _head(config.model)
    yield from about_limits(config.training)
    yield from about_monitor(config.training)
    yield from about_schedule(config.training)
    yield from _training(config)


def _splits(data: ClassificationDataConfig) -> Iterator[Contradiction]:
    yield from about_fractions(data.validation_fraction, data.test_fraction)
    if data.test_path is not None and data.test_fraction > 0.0:
        yield Contradiction(
            "data.test_fraction",
            "is for data without test files, and test_path names some; remove one of them",
            ("data.test_path",),
        )
    if data.split == "ordered" and data.validation_fraction == data.test_fraction == 0.0:
        yield Contradiction(
            "data.split",
            "has no effect with validation_fraction and test_fraction 0: nothing is split; "
            "remove it",
            ("data.validation_fraction", "data.test_fraction"),
        )


def _fold(data: ClassificationDataConfig) -> Iterator[Contradiction]:
    if data.fold is None:
        return
    if data.fold.number > data.fold.of:
        yield Contradiction(
            "data.fold.number",
            f"{data.fold.number} of {data.fold.of}: expected a number from 1 to {data.fold.of}",
            ("data.fold.of",),
        )
    others = {
        "test_fraction": data.test_fraction > 0.0,
        "test_path": data.test_path is not None,
        "split": data.split == "ordered",
    }
    for key, is_set in others.items():
        if is_set:
            yield Contradiction(
                f"data.{key}",
                "has no place beside fold, which is the test part and is drawn at random; remove "
                "one of them",
                ("data.fold",),
            )


def _encoding(data: ClassificationDataConfig) -> Iterator[Contradiction]:
    try:
        "a".encode(data.encoding)
    except (LookupError, ValueError):
        yield Contradiction(
            "data.encoding",
            f"Python knows no encoding {shorten(repr(data.encoding))}; "
            "for example utf-8, utf-16, latin-1, cp1252",
        )


def _columns(data: ClassificationDataConfig) -> Iterator[Contradiction]:
    layout = data.layout
    if not isinstance(layout, TableLayout):
        return
    columns = {"text": layout.text, "label": layout.label}
    for key, column in columns.items():
        if not layout.header and isinstance(column, str):
            yield Contradiction(
                f"data.layout.{key}",
                f"with header: false the columns have no names, found {shorten(repr(column))}; "
                "give the number of the column, from 0",
                ("data.layout.header",),
            )
    if layout.text == layout.label:
        yield Contradiction(
            "data.layout.label",
            "is the column of the texts too; give another one",
            ("data.layout.text",),
        )
    if layout.separator in ('"', "\n", "\r", "\0"):
        yield Contradiction(
            "data.layout.separator",
            f"{layout.separator!r} cannot separate columns; a comma, tab or semicolon is usual",
        )


def _tokens(data: ClassificationDataConfig) -> Iterator[Contradiction]:
    tokens = data.tokens
    if isinstance(tokens, WordTokens) and not tokens.punctuation and tokens.emoji == "drop":
        yield Contradiction(
            "data.tokens.emoji",
            "has no effect with punctuation: false, which drops emoji too; remove it",
            ("data.tokens.punctuation", "data.tokens.kind"),
        )


def _classes(config: ClassificationConfig) -> Iterator[Contradiction]:
    if config.data.labels is None:
        return
    classes = list(dict.fromkeys(config.data.labels.values()))
    if len(classes) == 1:
        yield Contradiction(
            "data.labels",
            f"all labels are of the class {shorten(repr(classes[0]))}; there is nothing to tell "
            "apart with one class, name another",
        )
    elif len(classes) > 2 and config.model.output == "sigmoid":
        yield Contradiction(
            "model.output",
            f"sigmoid is for two classes, and labels name {len(classes)}; write output: softmax",
            ("data.labels",),
        )


def _state(config: ClassificationConfig) -> Iterator[Contradiction]:
    """Keys that act on the way from one time step to the next."""
    model = config.model
    one_step = config.data.maximum_length == 1
    if one_step:
        yield from about_one_step(model, "maximum_length 1", ("data.maximum_length",))
    if model.dropout_mask != "sequence" or model.dropout == 0.0 or lists_other_layers(model):
        return
    only_last = model.pooling in ("last", ("last",)) and len(layer_sizes(model)) == 1
    if one_step or only_last:
        why = "maximum_length 1" if one_step else "pooling: last and one layer"
        yield Contradiction(
            "model.dropout_mask",
            f"has no effect with {why}: dropout acts on a single step; remove it",
            ("data.maximum_length", "model.pooling", *SIZE_KEYS),
        )


def _head(model: ClassifierConfig) -> Iterator[Contradiction]:
    """From the outputs over time to the classes."""
    if not isinstance(model.pooling, str) and len(set(model.pooling)) < len(model.pooling):
        yield Contradiction("model.pooling", "lists a pooling twice; remove one")
    activations = model.dense_activation
    if not isinstance(activations, str) and len(activations) != len(model.dense):
        yield Contradiction(
            "model.dense_activation",
            f"lists {len(activations)}, but dense has {len(model.dense)} layers; give one for "
            "each, or one word for all",
            ("model.dense",),
        )
    if model.dense:
        return
    unused = "has no effect without dense layers; set dense or remove it"
    if isinstance(activations, str) and activations != "relu":
        yield Contradiction("model.dense_activation", unused, ("model.dense",))
    if model.dense_dropout > 0.0:
        yield Contradiction("model.dense_dropout", unused, ("model.dense",))


def _training(config: ClassificationConfig) -> Iterator[Contradiction]:
    training = config.training
    if config.data.validation_fraction == 0.0 and training.monitor not in ("loss", "accuracy"):
        yield Contradiction(
            "training.monitor",
            f"{training.monitor} is computed on the validation part, and validation_fraction is 0; "
            "hold something out, or monitor loss or accuracy",
            ("data.validation_fraction",),
        )
    embedding = config.model.embedding
    if (
        training.init_from is not None
        and isinstance(embedding, LearnedEmbedding)
        and embedding.class_ratios > 0.0
    ):
        yield Contradiction(
            "model.embedding.class_ratios",
            "gives the embedding its initial vectors, and so does training.init_from; remove one "
            "of them",
            ("training.init_from",),
        )
    if training.init_from is not None and isinstance(embedding, PretrainedEmbedding):
        yield Contradiction(
            "training.init_from",
            "gives the embedding its initial vectors, and so does embedding: {kind: pretrained}; "
            "remove one of them",
            ("model.embedding",),
        )


CLASSIFICATION = Schema(
    ClassificationConfig,
    about_sentiment,
    """\
version: 1
task: sentiment
data:
  path: tweets.csv
  layout: {text: message, label: mood}
  labels: {0: negative, 4: positive}
training:
  max_epochs: 5
""",
)
