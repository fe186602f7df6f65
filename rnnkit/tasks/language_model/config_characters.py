"""The configuration of `task: char_generation`."""

from typing import Annotated, Literal

from pydantic import Field

from rnnkit.config.base import LARGEST, Fraction, PositiveInt, Section, Version
from rnnkit.tasks.language_model.config import (
    EvaluationConfig,
    GenerationConfig,
    ModelConfig,
    StreamWindows,
    TextFilesConfig,
    TrainingConfig,
    Windows,
)

Tokens = Literal["characters", "bytes"]


class DataConfig(TextFilesConfig):
    """The text and how it becomes token ids."""

    tokens: Tokens = "characters"
    """`characters`: one token per Unicode code point. `bytes`: one per UTF-8 byte, 256 in all."""
    minimum_count: PositiveInt = 1
    """Characters seen less often than this become `<unk>`, which is never generated."""
    validation_fraction: Fraction = 0.1
    """Share of the text held out for validation, taken after the training part."""
    test_fraction: Fraction = 0.0
    """Share of the text held out for the test, taken from the end."""
    windows: Windows = StreamWindows()
    """How the text is cut for training."""


class CharGenerationConfig(Section):
    """A language model: text learned and continued character by character."""

    version: Version
    """Version of this format."""
    task: Literal["char_generation"]
    """What the model learns: to continue text, character by character."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: initial weights, shuffling, dropout, samples."""
    data: DataConfig
    """The text and how it becomes token ids."""
    model: ModelConfig = ModelConfig()
    """The network."""
    training: TrainingConfig
    """How it is trained."""
    generation: GenerationConfig = GenerationConfig()
    """Defaults of `rnnkit generate`."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What `rnnkit evaluate` computes."""
