"""Checks between the keys of classifiers, and what their files look like."""

from rnnkit.config.base import layer_sizes
from rnnkit.config.rules import (
    SIZE_KEYS,
    Rule,
    Rules,
    Schema,
    lists_other_layers,
    nothing_left,
    one_step_rules,
    shared_rules,
)
from rnnkit.config.source import shorten
from rnnkit.network.cells import CHOOSING_CELLS
from rnnkit.tasks.text_classification.config import (
    ClassificationConfig,
    LearnedEmbedding,
    PretrainedEmbedding,
    TableLayout,
    WordTokens,
)

# ------------------------------------------------------------------------------ conditions


def _encodes_text(encoding: str) -> bool:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):
        return False
    return True


def _named_without_header(config: ClassificationConfig, key: str) -> bool:
    layout = config.data.layout
    return (
        isinstance(layout, TableLayout)
        and not layout.header
        and isinstance(getattr(layout, key), str)
    )


def _classes(config: ClassificationConfig) -> tuple[str, ...]:
    """Names of the classes in their order; () when they come from the data."""
    return tuple(dict.fromkeys((config.data.labels or {}).values()))


def _reads_last_only(config: ClassificationConfig) -> bool:
    model = config.model
    return model.pooling in ("last", ("last",)) and len(layer_sizes(model)) == 1


# ----------------------------------------------------------------------------------- rules

_WITH_FOLD = {"test_fraction": 0.0, "test_path": None, "split": "stratified"}
_NO_DENSE = "has no effect without dense layers; set dense or remove it"

CLASSIFICATION_RULES: Rules[ClassificationConfig] = (
    *shared_rules(choosing=CHOOSING_CELLS),
    Rule(
        "data.validation_fraction",
        lambda c: nothing_left(c.data.validation_fraction, c.data.test_fraction),
        lambda c: nothing_left(c.data.validation_fraction, c.data.test_fraction) or "",
        ("data.test_fraction",),
    ),
    Rule(
        "data.test_fraction",
        lambda c: c.data.test_path is not None and c.data.test_fraction > 0.0,
        "is for data without test files, and test_path names some; remove one of them",
        ("data.test_path",),
    ),
    Rule(
        "data.split",
        lambda c: (
            c.data.split == "ordered" and c.data.validation_fraction == c.data.test_fraction == 0.0
        ),
        "has no effect with validation_fraction and test_fraction 0: nothing is split; remove it",
        ("data.validation_fraction", "data.test_fraction"),
    ),
    Rule(
        "data.fold.number",
        lambda c: c.data.fold is not None and c.data.fold.number > c.data.fold.of,
        "{value} of {data.fold.of}: expected a number from 1 to {data.fold.of}",
        ("data.fold.of",),
    ),
    *(
        Rule[ClassificationConfig](
            f"data.{key}",
            lambda c, key=key, neutral=neutral: (
                c.data.fold is not None and getattr(c.data, key) != neutral
            ),
            "cannot be combined with fold, which is the test split and is chosen at random; "
            "remove one of them",
            ("data.fold",),
        )
        for key, neutral in _WITH_FOLD.items()
    ),
    Rule(
        "data.encoding",
        lambda c: not _encodes_text(c.data.encoding),
        lambda c: (
            f"Python knows no encoding {shorten(repr(c.data.encoding))}; "
            "for example utf-8, utf-16, latin-1, cp1252"
        ),
    ),
    *(
        Rule[ClassificationConfig](
            f"data.layout.{key}",
            lambda c, key=key: _named_without_header(c, key),
            lambda c, key=key: (
                "with header: false the columns have no names, found "
                f"{shorten(repr(getattr(c.data.layout, key)))}; give the number of the column, "
                "from 0"
            ),
            ("data.layout.header",),
        )
        for key in ("text", "label")
    ),
    Rule(
        "data.layout.label",
        lambda c: (
            isinstance(c.data.layout, TableLayout) and c.data.layout.text == c.data.layout.label
        ),
        "is the column of the texts too; give another one",
        ("data.layout.text",),
    ),
    Rule(
        "data.layout.separator",
        lambda c: (
            isinstance(c.data.layout, TableLayout)
            and c.data.layout.separator in ('"', "\n", "\r", "\0")
        ),
        "{value!r} cannot separate columns; a comma, tab or semicolon is usual",
    ),
    Rule(
        "data.tokens.emoji",
        lambda c: (
            isinstance(c.data.tokens, WordTokens)
            and not c.data.tokens.punctuation
            and c.data.tokens.emoji == "drop"
        ),
        "has no effect with punctuation: false, which drops emoji too; remove it",
        ("data.tokens.punctuation", "data.tokens.kind"),
    ),
    Rule(
        "data.labels",
        lambda c: len(_classes(c)) == 1,
        lambda c: (
            f"all labels are of the class {shorten(repr(_classes(c)[0]))}; a classifier needs two "
            "or more, name another"
        ),
    ),
    Rule(
        "model.output",
        lambda c: len(_classes(c)) > 2 and c.model.output == "sigmoid",
        lambda c: (
            f"sigmoid is for two classes, and labels name {len(_classes(c))}; write output: softmax"
        ),
        ("data.labels",),
    ),
    *one_step_rules(
        lambda c: c.data.maximum_length == 1, "maximum_length 1", ("data.maximum_length",)
    ),
    Rule(
        "model.dropout_mask",
        lambda c: c.model.dropout_mask == "sequence" and c.model.dropout == 0.0,
        "has no effect without dropout; set dropout or remove it",
        ("model.dropout",),
    ),
    Rule(
        "model.dropout_mask",
        lambda c: (
            c.model.dropout_mask == "sequence"
            and c.model.dropout > 0.0
            and not lists_other_layers(c.model)
            and (c.data.maximum_length == 1 or _reads_last_only(c))
        ),
        lambda c: (
            "has no effect with "
            + ("maximum_length 1" if c.data.maximum_length == 1 else "pooling: last and one layer")
            + ": dropout acts on a single step; remove it"
        ),
        ("data.maximum_length", "model.pooling", *SIZE_KEYS),
    ),
    Rule(
        "model.pooling",
        lambda c: (
            not isinstance(c.model.pooling, str)
            and len(set(c.model.pooling)) < len(c.model.pooling)
        ),
        "lists a pooling twice; remove one",
    ),
    Rule(
        "model.dense_activation",
        lambda c: (
            not isinstance(c.model.dense_activation, str)
            and len(c.model.dense_activation) != len(c.model.dense)
        ),
        lambda c: (
            f"lists {len(c.model.dense_activation)}, but dense has {len(c.model.dense)} layers; "
            "give one for each, or one word for all"
        ),
        ("model.dense",),
    ),
    Rule(
        "model.dense_activation",
        lambda c: (
            not c.model.dense
            and isinstance(c.model.dense_activation, str)
            and c.model.dense_activation != "relu"
        ),
        _NO_DENSE,
        ("model.dense",),
    ),
    Rule(
        "model.dense_dropout",
        lambda c: not c.model.dense and c.model.dense_dropout > 0.0,
        _NO_DENSE,
        ("model.dense",),
    ),
    Rule(
        "training.monitor",
        lambda c: (
            c.data.validation_fraction == 0.0 and c.training.monitor not in ("loss", "accuracy")
        ),
        "{value} is computed on the validation split, and validation_fraction is 0; hold something "
        "out, or monitor loss or accuracy",
        ("data.validation_fraction",),
    ),
    Rule(
        "model.embedding.class_ratios",
        lambda c: (
            c.training.init_from is not None
            and isinstance(c.model.embedding, LearnedEmbedding)
            and c.model.embedding.class_ratios > 0.0
        ),
        "gives the embedding its initial vectors, and so does training.init_from; remove one of "
        "them",
        ("training.init_from",),
    ),
    Rule(
        "training.init_from",
        lambda c: (
            c.training.init_from is not None and isinstance(c.model.embedding, PretrainedEmbedding)
        ),
        "gives the embedding its initial vectors, and so does embedding: {{kind: pretrained}}; "
        "remove one of them",
        ("model.embedding",),
    ),
)

CLASSIFICATION = Schema(
    names=("text_classification", "sentiment"),
    tree=ClassificationConfig,
    rules=CLASSIFICATION_RULES,
    missing={"data.path": "the labelled texts to learn from"},
    example="""\
version: 1
task: text_classification
data:
  path: tweets.csv
  layout: {text: message, label: mood}
  labels: {0: negative, 4: positive}
training:
  max_epochs: 5
""",
)
