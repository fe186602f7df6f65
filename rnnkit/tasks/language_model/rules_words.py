"""What the keys of `task: word_generation` say about each other."""

from collections.abc import Iterator

from rnnkit.config.rules import Contradiction, about_fractions
from rnnkit.config.schema import PretrainedInput, WordDataConfig, WordGenerationConfig
from rnnkit.tasks.language_model.rules import about_language

FEWEST_SUBWORDS = 256


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
