"""What the tasks that learn a text have in common: files, windows, network, training."""

from typing import Annotated, Literal

from pydantic import Field

from rnnkit.config.base import (
    Files,
    Fraction,
    NonNegativeFloat,
    PositiveInt,
    RecurrentConfig,
    Section,
    Text,
)
from rnnkit.config.training import CommonTrainingConfig


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


class ModelConfig(RecurrentConfig):
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
    bidirectional: bool = False
    """Read the sequence in both directions. Refused for generation, where the future is not
    known."""
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
    prime: Text | None = None
    """Text the samples start from; the first token of the training text when not given."""


class TrainingConfig(CommonTrainingConfig):
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


class EvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    context_windows: tuple[PositiveInt, ...] = (64, 256)
    """Lengths of the windows scored without context from before them."""
    bootstrap_samples: PositiveInt = 1000
    """Resamples behind each 95 % interval."""
