"""The configuration of language models: `task: char_generation` and `task: word_generation`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from rnnkit.config.base import (
    LARGEST,
    Files,
    Fraction,
    NonNegativeFloat,
    PositiveInt,
    RecurrentConfig,
    Section,
    Text,
    Version,
)
from rnnkit.config.training import TrainingConfig


class StreamWindows(Section):
    """Contiguous streams: the text is cut into `batch_size` streams that are read side by side,
    the hidden state is carried from window to window (truncated backpropagation through time),
    and every step has a target."""

    kind: Literal["stream"] = "stream"
    """Which kind of windows."""
    length: PositiveInt = 64
    """Steps per window: how far gradients flow back."""


class SlidingWindows(Section):
    """Overlapping windows, shuffled, each with one target: the token after the window."""

    kind: Literal["sliding"]
    """Which kind of windows."""
    length: PositiveInt = 40
    """Tokens the model sees before it predicts one."""
    stride: PositiveInt = 1
    """Tokens between the starts of two windows."""


Windows = Annotated[StreamWindows | SlidingWindows, Field(discriminator="kind")]


class TextFilesConfig(Section):
    """Which files, and how their text is cleaned."""

    path: Files
    """A text file, a glob pattern, or a list of them, relative to the configuration file.
    Files are joined in the given order, those of one pattern in name order."""
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """Encoding of the files; a UTF-8 byte order mark is recognised and dropped."""
    newlines: Literal["normalize", "keep"] = "normalize"
    """`normalize` turns CRLF and CR into LF; `keep` leaves the text as it is."""
    normalization: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = "none"
    """Unicode normalisation form applied to the text."""
    lowercase: bool = False
    """Lower-case the text before it is counted and encoded."""


Tokens = Literal["characters", "bytes"]


class CharacterDataConfig(TextFilesConfig):
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


class OneHotInput(Section):
    """Each token as a vector with a single one."""

    kind: Literal["one_hot"]
    """Which form the input takes."""


class EmbeddingInput(Section):
    """Each token as a learned vector."""

    kind: Literal["embedding"] = "embedding"
    """Which form the input takes."""
    size: PositiveInt = 64
    """Length of the learned vector."""


class PretrainedInput(Section):
    """Each word as a vector from a file in the text format of GloVe (Pennington, Socher and
    Manning 2014) or word2vec (Mikolov et al. 2013), also with .gz. Tokens that are not in it
    start from random vectors with the mean and deviation of those that are."""

    kind: Literal["pretrained"]
    """Which form the input takes."""
    path: Text
    """The file, relative to the configuration file."""
    trainable: bool = False
    """Go on training the vectors; `false` leaves them as they are."""


class ScaledInput(Section):
    """Each token as one number, its id divided by the vocabulary size, as in the classic
    tutorials. A poor input for real use: it pretends that ids are ordered."""

    kind: Literal["scaled"]
    """Which form the input takes."""


WeightValue = Annotated[float, Field(ge=-1e30, le=1e30)]
WeightRow = Annotated[tuple[WeightValue, ...], Field(min_length=1)]
InitialWeight = WeightRow | Annotated[tuple[WeightRow, ...], Field(min_length=1)]
"""A vector, or a matrix by its rows."""

Input = Annotated[
    OneHotInput | EmbeddingInput | PretrainedInput | ScaledInput, Field(discriminator="kind")
]


class LanguageModelConfig(RecurrentConfig):
    """The network: input form, recurrent layers, and the softmax layer over the vocabulary."""

    input: Input = EmbeddingInput()
    """Form in which tokens enter the first layer."""
    embedding_dropout: Fraction = 0.0
    """Share of the tokens whose whole vector is dropped in training (Gal and Ghahramani 2016)."""
    input_dropout: Fraction = 0.0
    """Dropout of the single numbers that enter the first layer, with masks as `dropout_mask` says
    (Zaremba et al. 2014)."""
    tie_weights: bool = False
    """Use the embedding matrix as the softmax matrix too, without a bias (Press and Wolf 2017);
    needs an embedding as long as the last layer."""
    initial_weights: Annotated[dict[Text, InitialWeight], Field(min_length=1)] | None = None
    """Weights to begin with instead of random ones, such as those of a textbook example:
    `layer/weight` -> its numbers, a matrix as a list of rows. Names and layouts are those of
    the saved model, `recurrent_0/kernel` a row for each input; what is not given begins at random.
    `rnnkit inspect summary` lists names and shapes."""


class SamplesConfig(Section):
    """Text written during training, after every evaluation."""

    temperatures: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = (0.5, 1.0)
    """One sample for each; 0 is greedy."""
    length: PositiveInt = 200
    """Tokens per sample."""
    prompt: Text | None = None
    """Text that samples start from; by default the first token of the training text."""


class LanguageTrainingConfig(TrainingConfig):
    """How the model is trained. The first of the limits that is reached ends the run."""

    monitor: Literal["loss", "accuracy"] = "loss"
    """Score that decides which model is the best, when the `plateau` schedule lowers the learning
    rate, and when early stopping gives up: the loss in nats per token, or the share of tokens
    that are predicted."""
    samples: SamplesConfig | None = None
    """Text to write during training."""


class GenerationConfig(Section):
    """Defaults of `rnnkit generate` for this model; its options override them."""

    length: PositiveInt = 200
    """Tokens to generate."""
    temperature: NonNegativeFloat = 1.0
    """Divides the logits; 0 is greedy."""
    top_k: PositiveInt | None = None
    """Sample among the k most probable tokens (Fan et al. 2018)."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample among the fewest tokens that hold this much probability (Holtzman et al. 2020)."""
    min_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Drop tokens less probable than this fraction of the most probable (Nguyen et al. 2024)."""
    typical_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample among the fewest tokens that hold this much probability, beginning with those whose
    surprise is closest to the entropy (Meister et al. 2023)."""
    repetition_penalty: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    """Divide positive (multiply negative) logits of the last 64 tokens by this (Keskar et al.
    2019); 1 is none."""


class LanguageEvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    context_windows: tuple[PositiveInt, ...] = (64, 256)
    """Lengths of the windows scored without context from before them."""
    bootstrap_samples: PositiveInt = 1000
    """Resamples behind each 95 % interval."""


class _LanguageConfig(Section):
    """What every language model has; its tokens and its data are those of the subclass."""

    version: Version
    """Version of this format."""
    task: Any  # this and `data` get their type in the subclasses
    """What the model learns."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: initial weights, shuffling, dropout, samples."""
    data: Any
    """The text and how it becomes token ids."""
    model: LanguageModelConfig = LanguageModelConfig()
    """The network."""
    training: LanguageTrainingConfig
    """How it is trained."""
    generation: GenerationConfig = GenerationConfig()
    """Defaults of `rnnkit generate`."""
    evaluation: LanguageEvaluationConfig = LanguageEvaluationConfig()
    """What `rnnkit evaluate` computes."""


class CharGenerationConfig(_LanguageConfig):
    """A language model: text learned and continued character by character."""

    task: Literal["char_generation"]
    """What the model learns: to continue text, character by character."""
    data: CharacterDataConfig
    """The text and how it becomes token ids."""


class WordGenerationConfig(_LanguageConfig):
    """A language model: text learned and continued word by word."""

    task: Literal["word_generation"]
    """What the model learns: to continue text, word by word."""
    data: WordDataConfig
    """The text and how it becomes token ids."""


LanguageConfig = CharGenerationConfig | WordGenerationConfig
"""A language model, whatever its tokens."""
