"""Checks between the keys of language models, and what their files look like."""

from collections.abc import Iterator
from dataclasses import replace

from rnnkit.config.rules import (
    SIZE_KEYS,
    EntryRule,
    Rule,
    Rules,
    Schema,
    layers_of,
    lists_other_layers,
    nothing_left,
    one_step_rules,
    shared_rules,
)
from rnnkit.network.cells import CHOOSING_CELLS
from rnnkit.network.spec import given_weight_problems
from rnnkit.tasks.language_model.config import (
    CharGenerationConfig,
    EmbeddingInput,
    LanguageConfig,
    LanguageEvaluationConfig,
    LanguageModelConfig,
    OneHotInput,
    PretrainedInput,
    ScaledInput,
    SlidingWindows,
    WordDataConfig,
    WordGenerationConfig,
)
from rnnkit.tasks.language_model.network import language_network

FEWEST_SUBWORDS = 256


# ------------------------------------------------------------------------------ conditions


def _has_short_embedding(config: LanguageConfig) -> bool:
    entry, sizes = config.model.input, layers_of(config.model)
    return isinstance(entry, EmbeddingInput) and bool(sizes) and entry.size != sizes[-1]


def _is_one_step(config: LanguageConfig) -> bool:
    """Whether dropout acts on a single step, so that one mask per sequence is nothing special."""
    model, windows = config.model, config.data.windows
    one_layer = len(layers_of(model)) == 1 and model.input_dropout == 0.0
    return windows.length == 1 or (isinstance(windows, SlidingWindows) and one_layer)


def _gives_all(config: LanguageConfig, kind: str) -> bool:
    """Whether `initial_weights` has every weight of a kind, `kernel` or `recurrent_kernel`."""
    model = config.model
    if model.initial_weights is None or lists_other_layers(model):
        return False
    names = [n for n in language_network(model).weight_shapes if n.endswith(f"/{kind}")]
    return set(names) <= set(model.initial_weights)


def _wrong_weights(config: LanguageConfig) -> Iterator[tuple[str, str]]:
    model = config.model
    if model.initial_weights is not None and not lists_other_layers(model):
        yield from given_weight_problems(language_network(model), model.initial_weights)


def _fractions(data: WordDataConfig) -> tuple[float, float]:
    """Fractions of the text that are held out: none where there are files for it."""
    return (
        0.0 if data.validation_path is not None else data.validation_fraction,
        0.0 if data.test_path is not None else data.test_fraction,
    )


def _default(split: str) -> object:
    return WordDataConfig.model_fields[f"{split}_fraction"].default


# ----------------------------------------------------------------------------------- rules

_DEFAULTS = LanguageModelConfig()
_STRUCTURE = ("model.cell", "model.input", "model.normalization", *SIZE_KEYS)
_CUTS = ("top_k", "top_p", "min_p", "typical_p")

LANGUAGE_RULES: Rules[LanguageConfig] = (
    *shared_rules(choosing=CHOOSING_CELLS),
    Rule(
        "model.tie_weights",
        lambda c: c.model.tie_weights and _has_short_embedding(c),
        lambda c: (
            "needs an embedding as long as the last layer, found input.size "
            f"{getattr(c.model.input, 'size', 0)} and units {layers_of(c.model)[-1]}; make them "
            "equal or remove it"
        ),
        ("model.input", *SIZE_KEYS),
    ),
    Rule(
        "model.tie_weights",
        lambda c: (
            c.model.tie_weights
            and isinstance(c.model.input, PretrainedInput)
            and not c.model.input.trainable
        ),
        "would leave the softmax matrix as it is in the file of vectors, untrained; write "
        "trainable: true or remove it",
        ("model.input", *SIZE_KEYS),
    ),
    Rule(
        "model.tie_weights",
        lambda c: c.model.tie_weights and isinstance(c.model.input, OneHotInput | ScaledInput),
        "needs input: {{kind: embedding}}, found {model.input.kind}; there is no embedding matrix "
        "to use again",
        ("model.input", *SIZE_KEYS),
    ),
    Rule(
        "model.embedding_dropout",
        lambda c: (
            c.model.embedding_dropout > 0.0 and isinstance(c.model.input, OneHotInput | ScaledInput)
        ),
        "drops vectors of an embedding, and input is {model.input.kind}; use input_dropout, or "
        "remove it",
        ("model.input",),
    ),
    Rule(
        "model.dropout_mask",
        lambda c: (
            c.model.dropout_mask == "sequence" and c.model.dropout == c.model.input_dropout == 0.0
        ),
        "has no effect without dropout; set dropout or remove it",
        ("model.dropout",),
    ),
    Rule(
        "model.dropout_mask",
        lambda c: (
            c.model.dropout_mask == "sequence"
            and max(c.model.dropout, c.model.input_dropout) > 0.0
            and _is_one_step(c)
        ),
        lambda c: (
            "has no effect with "
            + (
                "windows of length 1"
                if c.data.windows.length == 1
                else "sliding windows and one layer"
            )
            + ": dropout acts on a single step; remove it"
        ),
        ("data.windows", "model.input_dropout", *SIZE_KEYS),
    ),
    *one_step_rules(
        lambda c: isinstance(c.data.windows, SlidingWindows) and c.data.windows.length == 1,
        "sliding windows of length 1",
        ("data.windows",),
    ),
    Rule(
        "model.initial_weights",
        lambda c: (
            isinstance(c.model.input, PretrainedInput)
            and "embedding/embeddings" in (c.model.initial_weights or {})
            and not lists_other_layers(c.model)
        ),
        "gives the embedding its vectors, and so does input: {{kind: pretrained}}; remove one of "
        "them",
        ("model.input", *SIZE_KEYS),
    ),
    EntryRule("model.initial_weights", _wrong_weights, (*_STRUCTURE, "model.tie_weights")),
    Rule(
        "model.recurrent_initializer",
        lambda c: (
            c.model.recurrent_initializer != _DEFAULTS.recurrent_initializer
            and _gives_all(c, "recurrent_kernel")
        ),
        "has no effect where initial_weights gives every recurrent_kernel; remove it",
        ("model.initial_weights", *_STRUCTURE),
    ),
    Rule(
        "model.kernel_initializer",
        lambda c: (
            c.model.kernel_initializer != _DEFAULTS.kernel_initializer and _gives_all(c, "kernel")
        ),
        "has no effect where initial_weights gives every kernel; remove it",
        ("model.initial_weights", *_STRUCTURE),
    ),
    *(
        Rule[LanguageConfig](
            f"generation.{cut}",
            lambda c, cut=cut: (
                c.generation.temperature == 0.0 and getattr(c.generation, cut) is not None
            ),
            "has no effect with temperature: 0, which takes the most probable token; remove it",
            ("generation.temperature",),
        )
        for cut in _CUTS
    ),
    *(
        Rule[LanguageConfig](
            f"generation.{cut}",
            lambda c, cut=cut: (
                c.generation.temperature > 0.0
                and c.generation.top_k == 1
                and getattr(c.generation, cut) is not None
            ),
            "has no effect with top_k: 1, which takes the most probable token; remove it",
            ("generation.top_k", "generation.temperature"),
        )
        for cut in _CUTS[1:]
    ),
    Rule(
        "evaluation.context_windows",
        lambda c: len(set(c.evaluation.context_windows)) < len(c.evaluation.context_windows),
        "lists a length twice; remove one",
    ),
    Rule(
        "evaluation.context_windows",
        lambda c: (
            isinstance(c.data.windows, SlidingWindows)
            and c.evaluation.context_windows not in ((), LanguageEvaluationConfig().context_windows)
        ),
        "has no effect with sliding windows: the model only ever sees {data.windows.length} tokens "
        "and is scored on those; remove it",
        ("data.windows",),
    ),
)

CHARACTER_RULES: Rules[CharGenerationConfig] = (
    Rule(
        "data.minimum_count",
        lambda c: c.data.tokens == "bytes" and c.data.minimum_count > 1,
        "has no effect with tokens: bytes, whose vocabulary is always the 256 bytes; remove it",
        ("data.tokens",),
    ),
    Rule(
        "data.validation_fraction",
        lambda c: nothing_left(c.data.validation_fraction, c.data.test_fraction),
        lambda c: nothing_left(c.data.validation_fraction, c.data.test_fraction) or "",
        ("data.test_fraction",),
    ),
    Rule(
        "model.input.kind",
        lambda c: isinstance(c.model.input, PretrainedInput),
        "pretrained is for words, files of vectors hold none of single characters; embedding is "
        "the default",
        ("task",),
    ),
    *LANGUAGE_RULES,
)

WORD_RULES: Rules[WordGenerationConfig] = (
    *(
        Rule[WordGenerationConfig](
            f"data.{split}_fraction",
            lambda c, split=split: (
                getattr(c.data, f"{split}_path") is not None
                and getattr(c.data, f"{split}_fraction") not in (0.0, _default(split))
            ),
            f"is for a text without {split} files, and {split}_path names some; remove one of them",
            (f"data.{split}_path",),
        )
        for split in ("validation", "test")
    ),
    Rule(
        "data.validation_fraction",
        lambda c: nothing_left(*_fractions(c.data)),
        lambda c: nothing_left(*_fractions(c.data)) or "",
        ("data.test_fraction", "data.validation_path", "data.test_path"),
    ),
    Rule(
        "data.minimum_count",
        lambda c: c.data.tokens == "subwords" and c.data.minimum_count > 1,
        "has no effect with tokens: subwords, of which none is unknown; remove it",
        ("data.tokens",),
    ),
    Rule(
        "data.vocabulary_size",
        lambda c: (
            c.data.tokens == "subwords"
            and (c.data.vocabulary_size is None or c.data.vocabulary_size < FEWEST_SUBWORDS)
        ),
        lambda c: (
            f"found {c.data.vocabulary_size or 'null'}; subwords are built from the "
            f"{FEWEST_SUBWORDS} bytes, write at least that many, commonly 2000 to 30000"
        ),
        ("data.tokens",),
    ),
    Rule(
        "data.layout",
        lambda c: c.data.tokens == "subwords" and c.data.layout == "sentences",
        "sentences is for tokens: words, which are separated by spaces; subwords learn the spaces "
        "too; remove it",
        ("data.tokens",),
    ),
    Rule(
        "model.input.kind",
        lambda c: c.data.tokens == "subwords" and isinstance(c.model.input, PretrainedInput),
        "pretrained is for tokens: words, files of vectors hold no subwords; embedding is the "
        "default",
        ("data.tokens",),
    ),
    *LANGUAGE_RULES,
)

# ----------------------------------------------------------------------------------- files

CHARACTERS = Schema(
    names=("char_generation",),
    tree=CharGenerationConfig,
    rules=CHARACTER_RULES,
    missing={"data.path": "the text file to learn from"},
    former={"training.samples.prime": "training.samples.prompt"},  # of the first edition
    gone={
        "model.bidirectional": "reading in both directions needs the future, which a language "
        "model does not know; remove it"
    },
    example="""\
version: 1
task: char_generation
data:
  path: ../data/tinyshakespeare.txt
training:
  max_epochs: 10
""",
)
WORDS = replace(
    CHARACTERS,
    names=("word_generation",),
    tree=WordGenerationConfig,
    rules=WORD_RULES,
    example="""\
version: 1
task: word_generation
data:
  path: ../data/tinyshakespeare.txt
  minimum_count: 2
training:
  max_epochs: 10
""",
)
