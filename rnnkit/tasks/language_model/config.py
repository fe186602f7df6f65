"""The configuration of language models: `task: char_generation` and `task: word_generation`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from rnnkit.config.base import (
    LARGEST,
    SIZE_LIMIT,
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
    """Contiguous streams: the text is cut into `batch_size` parallel streams, the recurrent state
    is passed from window to window (truncated backpropagation through time), and every step has a
    target."""

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
    """Text files and how they are cleaned."""

    path: Files
    """A text file, a glob pattern, or a list of them, relative to the configuration file. Files are
    joined in the given order, those of one pattern by name."""
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """Encoding of the files; a UTF-8 byte order mark is removed."""
    newlines: Literal["normalize", "keep"] = "normalize"
    """`normalize` turns CRLF and CR into LF; `keep` leaves the text as it is."""
    normalization: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = "none"
    """Unicode normalisation form applied to the text."""
    lowercase: bool = False
    """Convert the text to lower case."""


Tokens = Literal["characters", "bytes"]


class CharacterDataConfig(TextFilesConfig):
    """Text files and their tokens."""

    tokens: Tokens = "characters"
    """`characters`: one token per Unicode code point. `bytes`: one per UTF-8 byte, 256 in all."""
    minimum_count: PositiveInt = 1
    """Characters that occur less often than this become `<unk>`, which is never generated."""
    validation_fraction: Fraction = 0.1
    """Fraction of the text held out for validation, taken after the training split."""
    test_fraction: Fraction = 0.0
    """Fraction of the text held out for the test, taken from the end."""
    windows: Windows = StreamWindows()
    """How the text is divided into training windows."""


class WordDataConfig(TextFilesConfig):
    """Text files and their tokens. The vocabulary comes from the training split alone, so that
    unknown words are as frequent in the other splits as in new text."""

    tokens: Literal["words", "subwords"] = "words"
    """`words`: words, punctuation and newlines, from which the text can be restored. `subwords`:
    pieces of words by byte-pair encoding, without unknown tokens (Sennrich, Haddow and Birch 2016;
    over bytes as Radford et al. 2019)."""
    layout: Literal["text", "sentences"] = "text"
    """`text`: ordinary text. `sentences`: the layout of the Penn Treebank files of Mikolov et al.
    (2010): one sentence per line, tokens separated by spaces and kept as they are, `<unk>`
    included, and an end of sentence for every line, so that perplexities are comparable with the
    literature."""
    vocabulary_size: PositiveInt | None = 10000
    """Maximum number of words, the most frequent ones; all others become `<unk>`, which is never
    generated. `null` keeps every word. For subwords, the maximum number learned, at least 256."""
    minimum_count: PositiveInt = 1
    """Words that occur less often than this in the training split become `<unk>`."""
    validation_path: Files | None = None
    """Files held out for validation, in the same layout; `validation_fraction` is then 0."""
    test_path: Files | None = None
    """Files held out for the test; `test_fraction` is then 0."""
    validation_fraction: Fraction = 0.1
    """Fraction of the characters held out for validation, taken after the training split, up to the
    end of a line or word."""
    test_fraction: Fraction = 0.0
    """Fraction of the characters held out for the test, taken from the end."""
    windows: Windows = StreamWindows()
    """How the text is divided into training windows."""


class OneHotInput(Section):
    """A one-hot vector for each token."""

    kind: Literal["one_hot"]
    """Representation of the tokens."""


class EmbeddingInput(Section):
    """A learned vector for each token."""

    kind: Literal["embedding"] = "embedding"
    """Representation of the tokens."""
    size: PositiveInt = 64
    """Length of the learned vector."""


class PretrainedInput(Section):
    """A vector for each word, from a file in the text format of GloVe (Pennington, Socher and
    Manning 2014) or word2vec (Mikolov et al. 2013), also with .gz. Tokens that are not in it start
    from random vectors with the mean and deviation of those that are."""

    kind: Literal["pretrained"]
    """Representation of the tokens."""
    path: Text
    """The file, relative to the configuration file."""
    trainable: bool = False
    """Train the vectors further; `false` keeps them fixed."""


class ScaledInput(Section):
    """One number for each token, its id divided by the vocabulary size, as in the classic
    tutorials. Not for real use: ids have no order."""

    kind: Literal["scaled"]
    """Representation of the tokens."""


WeightValue = Annotated[float, Field(ge=-SIZE_LIMIT, le=SIZE_LIMIT)]
WeightRow = Annotated[tuple[WeightValue, ...], Field(min_length=1)]
InitialWeight = WeightRow | Annotated[tuple[WeightRow, ...], Field(min_length=1)]
"""A vector, or a matrix by its rows."""

Input = Annotated[
    OneHotInput | EmbeddingInput | PretrainedInput | ScaledInput, Field(discriminator="kind")
]


class LanguageModelConfig(RecurrentConfig):
    """The network: input form, recurrent layers, and the softmax layer over the vocabulary."""

    input: Input = EmbeddingInput()
    """Representation of the tokens for the first layer."""
    embedding_dropout: Fraction = 0.0
    """Probability that the whole vector of a token is dropped in training (Gal and Ghahramani
    2016)."""
    input_dropout: Fraction = 0.0
    """Dropout on the input of the first layer, with the masks of `dropout_mask` (Zaremba et al.
    2014)."""
    tie_weights: bool = False
    """Use the embedding matrix for the softmax too, without a bias (Press and Wolf 2017); the
    embedding must be as long as the last layer."""
    initial_weights: Annotated[dict[Text, InitialWeight], Field(min_length=1)] | None = None
    """Initial values of weights, such as those of a textbook example: `layer/weight` and its
    numbers, a matrix as a list of rows. Names and layouts are those of the saved model
    (`recurrent_0/kernel` has a row for each input), listed by `rnnkit inspect summary`. Other
    weights are initialized at random."""


class SamplesConfig(Section):
    """Text generated during training, after every evaluation."""

    temperatures: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = (0.5, 1.0)
    """One sample for each; 0 is greedy."""
    length: PositiveInt = 200
    """Tokens per sample."""
    prompt: Text | None = None
    """Text that samples start from; by default the first token of the training text."""


class LanguageTrainingConfig(TrainingConfig):
    """How the model is trained. The first of the limits that is reached ends the run."""

    monitor: Literal["loss", "accuracy"] = "loss"
    """Score that chooses the best model and controls the `plateau` schedule and early stopping: the
    loss in nats per token, or the fraction of tokens predicted correctly."""
    samples: SamplesConfig | None = None
    """Text generated during training."""


class GenerationConfig(Section):
    """Defaults of `rnnkit generate` for this model; its options override them."""

    length: PositiveInt = 200
    """Tokens to generate."""
    temperature: NonNegativeFloat = 1.0
    """Divides the logits; 0 is greedy."""
    top_k: PositiveInt | None = None
    """Sample among the k most probable tokens (Fan et al. 2018)."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample among the most probable tokens that together have this probability (Holtzman et al.
    2020)."""
    min_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Drop tokens less probable than this fraction of the most probable (Nguyen et al. 2024)."""
    typical_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample among tokens that together have this probability, those whose surprise is closest to
    the entropy first (Meister et al. 2023)."""
    repetition_penalty: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    """Divide positive (multiply negative) logits of the last 64 tokens by this (Keskar et al.
    2019); 1 is none."""


class LanguageEvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    context_windows: tuple[PositiveInt, ...] = (64, 256)
    """Lengths of windows that are scored without preceding context."""
    bootstrap_samples: PositiveInt = 1000
    """Bootstrap samples for each 95 % interval."""


class _LanguageConfig(Section):
    """What every language model has; its tokens and its data are those of the subclass."""

    version: Version
    """Version of this format."""
    task: Any  # this and `data` get their type in the subclasses
    """What the model learns."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: initial weights, shuffling, dropout, samples."""
    data: Any
    """Text files and their tokens."""
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
    """Text files and their tokens."""


class WordGenerationConfig(_LanguageConfig):
    """A language model: text learned and continued word by word."""

    task: Literal["word_generation"]
    """What the model learns: to continue text, word by word."""
    data: WordDataConfig
    """Text files and their tokens."""


LanguageConfig = CharGenerationConfig | WordGenerationConfig
"""A language model, whatever its tokens."""
