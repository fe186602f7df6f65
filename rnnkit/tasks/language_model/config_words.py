"""The configuration of `task: word_generation`."""

from typing import Annotated, Literal

from pydantic import Field

from rnnkit.config.base import LARGEST, Files, Fraction, PositiveInt, Section, Version
from rnnkit.tasks.language_model.config import (
    EvaluationConfig,
    GenerationConfig,
    ModelConfig,
    StreamWindows,
    TextFilesConfig,
    TrainingConfig,
    Windows,
)


class WordDataConfig(TextFilesConfig):
    """The text and how it becomes token ids. The vocabulary is chosen from the training part
    alone, so that the words of the other parts are as unknown as those of any new text."""

    tokens: Literal["words", "subwords"] = "words"
    """`words`: words, signs and newlines, which can be joined into the same text again.
    `subwords`: pieces of words by byte-pair encoding, in which nothing is unknown (Sennrich,
    Haddow and Birch 2016; over bytes as Radford et al. 2019)."""
    layout: Literal["text", "sentences"] = "text"
    """`text` is what people write. `sentences` is the layout of the Penn Treebank files of Mikolov
    et al. (2010): one sentence a line, tokens between blanks read as they are, `<unk>` among them,
    and an end of sentence for every line, so that perplexities compare with the literature."""
    vocabulary_size: PositiveInt | None = 10000
    """Most words kept, the frequent ones first; all others become `<unk>`, which is never
    generated. `null` keeps every word. Of subwords, how many are learned at most, from 256."""
    minimum_count: PositiveInt = 1
    """Words seen less often than this in the training part become `<unk>`."""
    validation_path: Files | None = None
    """Files held out for validation, in the same layout; `path` is then divided no further for
    it, and `validation_fraction` has no say."""
    test_path: Files | None = None
    """Files held out for the test; `test_fraction` is then 0."""
    validation_fraction: Fraction = 0.1
    """Share of the characters held out for validation, taken after the training part, up to the
    end of a line or word."""
    test_fraction: Fraction = 0.0
    """Share of the characters held out for the test, taken from the end."""
    windows: Windows = StreamWindows()
    """How the text is cut for training."""


class WordGenerationConfig(Section):
    """A language model: text learned and continued word by word."""

    version: Version
    """Version of this format."""
    task: Literal["word_generation"]
    """What the model learns: to continue text, word by word."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: initial weights, shuffling, dropout, samples."""
    data: WordDataConfig
    """The text and how it becomes token ids."""
    model: ModelConfig = ModelConfig()
    """The network."""
    training: TrainingConfig
    """How it is trained."""
    generation: GenerationConfig = GenerationConfig()
    """Defaults of `rnnkit generate`."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What `rnnkit evaluate` computes."""
