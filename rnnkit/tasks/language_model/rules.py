"""What the keys of language models say about each other, whatever their tokens."""

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


def about_characters(config: CharGenerationConfig) -> Iterator[Contradiction]:
    """All of it."""
    yield from _data(config)
    if isinstance(config.model.input, PretrainedInput):
        yield Contradiction(
            "model.input.kind",
            "pretrained is for words, files of vectors hold none of single characters; "
            "embedding is the default",
            ("task",),
        )
    yield from about_language(config)


def _data(config: CharGenerationConfig) -> Iterator[Contradiction]:
    data = config.data
    if data.tokens == "bytes" and data.minimum_count > 1:
        yield Contradiction(
            "data.minimum_count",
            "has no effect with tokens: bytes, whose vocabulary is always the 256 bytes; remove it",
            ("data.tokens",),
        )
    yield from about_fractions(data.validation_fraction, data.test_fraction)


def about_words(config: WordGenerationConfig) -> Iterator[Contradiction]:
    """All of it."""
    yield from _held_out(config.data)
    if config.data.tokens == "subwords":
        yield from _subwords(config)
    yield from about_language(config)


def _held_out(data: WordDataConfig) -> Iterator[Contradiction]:
    parts = {
        "validation": (data.validation_path, data.validation_fraction),
        "test": (data.test_path, data.test_fraction),
    }
    for name, (files, fraction) in parts.items():
        default = WordDataConfig.model_fields[f"{name}_fraction"].default
        if files is not None and fraction not in (0.0, default):
            yield Contradiction(
                f"data.{name}_fraction",
                f"is for a text without {name} files, and {name}_path names some; remove one of "
                "them",
                (f"data.{name}_path",),
            )
    yield from about_fractions(
        *(0.0 if files is not None else fraction for files, fraction in parts.values())
    )


def _subwords(config: WordGenerationConfig) -> Iterator[Contradiction]:
    data = config.data
    if data.minimum_count > 1:
        yield Contradiction(
            "data.minimum_count",
            "has no effect with tokens: subwords, of which none is unknown; remove it",
            ("data.tokens",),
        )
    if data.vocabulary_size is None or data.vocabulary_size < FEWEST_SUBWORDS:
        yield Contradiction(
            "data.vocabulary_size",
            f"found {data.vocabulary_size or 'null'}; subwords are built from the "
            f"{FEWEST_SUBWORDS} bytes, write at least that many, commonly 2000 to 30000",
            ("data.tokens",),
        )
    if data.layout == "sentences":
        yield Contradiction(
            "data.layout",
            "sentences is for tokens: words, which stand between blanks; subwords learn the "
            "blanks too, remove it",
            ("data.tokens",),
        )
    if isinstance(config.model.input, PretrainedInput):
        yield Contradiction(
            "model.input.kind",
            "pretrained is for tokens: words, files of vectors hold no subwords; embedding is the "
            "default",
            ("data.tokens",),
        )


def about_language(config: LanguageConfig) -> Iterator[Contradiction]:
    """All of it; what is held out and how tokens are made is each task's own."""
    yield from about_layers(config.model)
    yield from _tied_weights(config.model)
    yield from _input_dropout(config.model)
    yield from about_cell(
        config.model, choosing=CHOOSING_CELLS, input_dropout=config.model.input_dropout
    )
    yield from _direction(config.model)
    yield from _initial_weights(config.model)
    yield from _state(config)
    yield from about_limits(config.training)
    yield from about_monitor(config.training)
    yield from about_schedule(config.training)
    yield from _generation(config)
    yield from _evaluation(config)


def _tied_weights(model: LanguageModelConfig) -> Iterator[Contradiction]:
    if lists_other_layers(model):
        return
    sizes = layer_sizes(model)
    if not model.tie_weights:
        return
    match model.input:
        case EmbeddingInput(size=size) if size != sizes[-1]:
            yield Contradiction(
                "model.tie_weights",
                f"needs an embedding as long as the last layer, found input.size {size} "
                f"and units {sizes[-1]}; make them equal or remove it",
                ("model.input", *SIZE_KEYS),
            )
        case PretrainedInput(trainable=False):
            yield Contradiction(
                "model.tie_weights",
                "would leave the softmax matrix as it is in the file of vectors, untrained; write "
                "trainable: true or remove it",
                ("model.input",),
            )
        case OneHotInput() | ScaledInput():
            yield Contradiction(
                "model.tie_weights",
                f"needs input: {{kind: embedding}}, found {model.input.kind}; "
                "there is no embedding matrix to use again",
                ("model.input",),
            )
        case _:
            pass


def _input_dropout(model: LanguageModelConfig) -> Iterator[Contradiction]:
    if model.embedding_dropout > 0.0 and isinstance(model.input, OneHotInput | ScaledInput):
        yield Contradiction(
            "model.embedding_dropout",
            f"drops vectors of an embedding, and input is {model.input.kind}; use input_dropout, "
            "or remove it",
            ("model.input",),
        )


def _direction(model: LanguageModelConfig) -> Iterator[Contradiction]:
    if model.bidirectional:
        yield Contradiction(
            "model.bidirectional",
            "refused: the future tokens are not known while generating; remove it",
            ("task",),
        )


def _initial_weights(model: LanguageModelConfig) -> Iterator[Contradiction]:
    """Given weights that this network does not have, and keys for what is then given."""
    if model.initial_weights is None or lists_other_layers(model):
        return
    if isinstance(model.input, PretrainedInput) and "embedding/embeddings" in model.initial_weights:
        yield Contradiction(
            "model.initial_weights",
            "gives the embedding its vectors, and so does input: {kind: pretrained}; remove one "
            "of them",
            ("model.input",),
        )
    structure = ("model.cell", "model.input", "model.normalization", *SIZE_KEYS)
    spec = language_network(model)
    for name, message in given_weight_problems(spec, model.initial_weights):
        yield Contradiction(
            f"model.initial_weights.{name}", message, (*structure, "model.tie_weights")
        )
    defaults = LanguageModelConfig()
    for key, kind in (
        ("recurrent_initializer", "recurrent_kernel"),
        ("kernel_initializer", "kernel"),
    ):
        names = [name for name in spec.weight_shapes if name.endswith(f"/{kind}")]
        if getattr(model, key) != getattr(defaults, key) and set(names) <= set(
            model.initial_weights
        ):
            yield Contradiction(
                f"model.{key}",
                f"has no effect where initial_weights gives every {kind}; remove it",
                ("model.initial_weights", *structure),
            )


def _state(config: LanguageConfig) -> Iterator[Contradiction]:
    """Keys that act on the way from one time step to the next."""
    model, windows = config.model, config.data.windows
    sliding = isinstance(windows, SlidingWindows)
    one_layer = len(layer_sizes(model)) == 1 and model.input_dropout == 0.0
    only_one_step = windows.length == 1 or (sliding and one_layer)
    dropout = max(model.dropout, model.input_dropout)
    if model.dropout_mask == "sequence" and dropout > 0.0 and only_one_step:
        why = "windows of length 1" if windows.length == 1 else "sliding windows and one layer"
        yield Contradiction(
            "model.dropout_mask",
            f"has no effect with {why}: dropout acts on a single step; remove it",
            ("data.windows", "model.input_dropout", *SIZE_KEYS),
        )
    if sliding and windows.length == 1:
        yield from about_one_step(model, "sliding windows of length 1", ("data.windows",))


def _generation(config: LanguageConfig) -> Iterator[Contradiction]:
    generation = config.generation
    cuts = {name: getattr(generation, name) for name in ("top_k", "top_p", "min_p", "typical_p")}
    if generation.temperature == 0.0:
        for name, cut in cuts.items():
            if cut is not None:
                yield Contradiction(
                    f"generation.{name}",
                    "has no effect with temperature: 0, which takes the most probable token; "
                    "remove it",
                    ("generation.temperature",),
                )
    elif generation.top_k == 1:
        for name in ("top_p", "min_p", "typical_p"):
            if cuts[name] is not None:
                yield Contradiction(
                    f"generation.{name}",
                    "has no effect with top_k: 1, which takes the most probable token; remove it",
                    ("generation.top_k", "generation.temperature"),
                )


def _evaluation(config: LanguageConfig) -> Iterator[Contradiction]:
    windows, contexts = config.data.windows, config.evaluation.context_windows
    path = "evaluation.context_windows"
    if len(set(contexts)) < len(contexts):
        yield Contradiction(path, "lists a length twice; remove one")
    default = LanguageEvaluationConfig().context_windows
    if isinstance(windows, SlidingWindows) and contexts not in ((), default):
        yield Contradiction(
            path,
            f"has no effect with sliding windows: the model only ever sees {windows.length} tokens "
            "and is scored on those; remove it",
            ("data.windows",),
        )


CHARACTERS = Schema(
    CharGenerationConfig,
    about_characters,
    """\
version: 1
task: char_generation
data:
  path: ../data/tinyshakespeare.txt
training:
  max_epochs: 10
""",
)
WORDS = Schema(
    WordGenerationConfig,
    about_words,
    """\
version: 1
task: word_generation
data:
  path: ../data/tinyshakespeare.txt
  minimum_count: 2
training:
  max_epochs: 10
""",
)
