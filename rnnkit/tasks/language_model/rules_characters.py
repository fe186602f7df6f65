"""What the keys of `task: char_generation` say about each other."""

from collections.abc import Iterator

from rnnkit.config.rules import Contradiction, about_fractions
from rnnkit.config.schema import CharGenerationConfig, PretrainedInput
from rnnkit.tasks.language_model.rules import about_language


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
