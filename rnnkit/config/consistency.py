"""What keys say about each other: whatever would have no effect, or cannot work, is refused.

A key at its neutral default never counts, so that a resolved configuration, in which every key
is written out, can be loaded again.
"""

from collections.abc import Iterator
from typing import assert_never

from rnnkit.config.rules import Contradiction
from rnnkit.config.schema import (
    CharGenerationConfig,
    Config,
    SentimentConfig,
    WordGenerationConfig,
)
from rnnkit.tasks.language_model.rules_characters import about_characters
from rnnkit.tasks.language_model.rules_words import about_words
from rnnkit.tasks.text_classification.rules import about_sentiment


def find_contradictions(config: Config) -> list[tuple[str, str]]:
    """Every key that does not go with the others, as (path, what is wrong and what to do)."""
    return [(found.path, found.message) for found in contradictions(config)]


def contradictions(config: Config) -> Iterator[Contradiction]:
    """The same with the other keys involved, for configurations that are only partly right."""
    match config:
        case CharGenerationConfig():
            return about_characters(config)
        case WordGenerationConfig():
            return about_words(config)
        case SentimentConfig():
            return about_sentiment(config)
        case _:
            assert_never(config)
