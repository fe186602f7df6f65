"""The configuration of `task: text_classification`."""

from typing import Annotated, Literal

from pydantic import Field

from rnnkit.config.base import (
    LARGEST,
    Character,
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

Column = Text | Annotated[int, Field(ge=0, le=LARGEST)]
Pooling = Literal["last", "mean", "max", "attention"]
DenseActivation = Literal["relu", "tanh", "sigmoid", "gelu", "linear"]


class TableLayout(Section):
    """Tables with one text per row. The format is told by the file's name: .csv, .tsv, .jsonl or
    .ndjson, each also with .gz or .zip, and .parquet; any other name is read as CSV."""

    kind: Literal["table"] = "table"
    """Which layout."""
    text: Column = "text"
    """Column of the texts: its name, or its number from 0."""
    label: Column = "label"
    """Column of the labels: its name, or its number from 0."""
    header: bool = True
    """Whether the first row names the columns; without one they are given by number."""
    separator: Character | None = None
    """Character between the columns of CSV; when not given, a tab for .tsv, else a comma."""


class Sentiment140Layout(Section):
    """The original files of Sentiment140 (Go, Bhayani and Huang 2009): CSV without a header, six
    columns, the label (0, 2 or 4) in the first and the text in the last. They are in latin-1,
    which `encoding` has to say."""

    kind: Literal["sentiment140"]
    """Which layout."""


class FilesLayout(Section):
    """A file for each class, one text per line; the label is the file's name without .txt, .gz
    or .zip."""

    kind: Literal["files"]
    """Which layout."""


class FoldersLayout(Section):
    """A folder for each class, one text per file; the label is the folder's name."""

    kind: Literal["folders"]
    """Which layout."""


Layout = Annotated[
    TableLayout | Sentiment140Layout | FilesLayout | FoldersLayout, Field(discriminator="kind")
]


class WordTokens(Section):
    """Words, and what else is written between spaces in tweets and reviews."""

    kind: Literal["words"] = "words"
    """What a token is."""
    lowercase: bool = True
    """Lower-case the text."""
    vocabulary_size: PositiveInt = 20000
    """Most tokens kept, the frequent ones first, padding and `<unk>` not counted; all others are
    read as `<unk>`."""
    minimum_count: PositiveInt = 1
    """Tokens seen less often than this in the training part become `<unk>`."""
    punctuation: bool = True
    """Punctuation, emoticons and emoji are tokens of their own; `false` drops them."""
    markup: Literal["keep", "strip"] = "strip"
    """HTML tags and entities: `strip` removes the tags and decodes the entities."""
    urls: Literal["keep", "replace", "drop"] = "keep"
    """Web addresses; `replace` makes each `<url>`."""
    mentions: Literal["keep", "replace", "drop"] = "keep"
    """Mentions such as @name; `replace` makes each `<user>`."""
    hashtags: Literal["keep", "split", "drop"] = "keep"
    """Hashtags; `split` makes two tokens of each, `#` (with `punctuation`) and the word."""
    numbers: Literal["keep", "replace", "drop"] = "keep"
    """Numbers; `replace` makes each `<number>`."""
    emoji: Literal["keep", "drop"] = "keep"
    """Emoji."""
    elongations: Literal["keep", "shorten"] = "keep"
    """Letters and marks repeated for emphasis; `shorten` leaves two of three or more:
    sooooo -> soo, !!!! -> !!."""
    stop_words: Literal["keep", "drop"] = "keep"
    """English words without much meaning of their own (the, of, is); dropping needs the extra
    `english`."""
    lemmas: bool = False
    """Replace English words by their dictionary form (films -> film); needs the extra
    `english`."""


class CharacterTokens(Section):
    """One token per Unicode code point."""

    kind: Literal["characters"]
    """What a token is."""
    lowercase: bool = False
    """Lower-case the text."""
    minimum_count: PositiveInt = 1
    """Characters seen less often than this in the training part become `<unk>`."""


class SubwordTokens(Section):
    """Pieces of words by byte-pair encoding, learned from the training part (Sennrich, Haddow and
    Birch 2016)."""

    kind: Literal["subwords"]
    """What a token is."""
    lowercase: bool = True
    """Lower-case the text."""
    vocabulary_size: PositiveInt = 8000
    """Pieces learned at most."""


TextTokens = Annotated[WordTokens | CharacterTokens | SubwordTokens, Field(discriminator="kind")]


class Fold(Section):
    """One part of a stratified k-fold division as the test part; `rnnkit crossval` sets it."""

    number: PositiveInt
    """Which part, from 1."""
    of: Annotated[int, Field(ge=2, le=LARGEST)]
    """Parts in all."""


class ClassificationDataConfig(Section):
    """The labelled texts and how they become token ids."""

    path: Files
    """A file with labelled texts, a glob pattern, or a list of them, relative to the configuration
    file; for `layout: {kind: folders}` the folder that holds one folder per class."""
    test_path: Files | None = None
    """Official test files in the same layout; `test_fraction` is then 0."""
    layout: Layout = TableLayout()
    """Where texts and labels stand in the files."""
    encoding: Text = "utf-8"
    """Encoding of the files, any that Python knows."""
    labels: Annotated[dict[Text, Text], Field(min_length=1)] | None = None
    """Label in the data -> name of its class, in the order of the classes:
    `{0: negative, 4: positive}`. Several labels may share a class. When not given, the classes are
    the labels themselves, sorted."""
    bad_rows: Literal["error", "drop"] = "error"
    """Rows with too many or too few columns, without a text, with a label outside `labels`, a
    header repeated inside the data, bytes that are not in the encoding: end with a message, or
    drop and count them."""
    deduplicate: bool = True
    """Keep the first of equal texts, and none of them when their labels contradict each other.
    With `false`, equal texts in two splits are refused."""
    split: Literal["stratified", "ordered"] = "stratified"
    """`stratified` draws every split with the same shares of classes; `ordered` takes the rows as
    they stand: training, validation, test."""
    validation_fraction: Fraction = 0.1
    """Share of the texts held out for validation."""
    test_fraction: Fraction = 0.0
    """Share of the texts held out for the test."""
    fold: Fold | None = None
    """Hold out this part of a k-fold division for the test instead of a `test_fraction`. The
    validation part is then a share of what remains."""
    tokens: TextTokens = WordTokens()
    """What the texts are cut into."""
    maximum_length: PositiveInt = 256
    """Tokens of a text that the model reads at most."""
    truncate: Literal["end", "start"] = "end"
    """Side on which longer texts are cut off."""


class LearnedEmbedding(Section):
    """A vector for each token, learned from the start."""

    kind: Literal["learned"] = "learned"
    """Where the vectors come from."""
    size: PositiveInt = 64
    """Length of the vectors."""
    class_ratios: NonNegativeFloat = 0.0
    """Begin the first number of every vector with this times the logarithm of how much more often
    the token occurs in texts of one class than in others, as the features of Wang and Manning
    (2012) are weighted; with more than two classes one number for each. The rest begins at
    random."""


class PretrainedEmbedding(Section):
    """Vectors from a file in the text format of GloVe (Pennington, Socher and Manning 2014) or
    word2vec (Mikolov et al. 2013), also with .gz. Tokens that are not in it start from random
    vectors with the mean and deviation of those that are."""

    kind: Literal["pretrained"]
    """Where the vectors come from."""
    path: Text
    """The file, relative to the configuration file."""
    trainable: bool = False
    """Go on training the vectors; `false` leaves them as they are."""


Embedding = Annotated[LearnedEmbedding | PretrainedEmbedding, Field(discriminator="kind")]


class ClassifierConfig(RecurrentConfig):
    """The network: embedding, recurrent layers, pooling over time, dense layers, and the layer of
    the classes."""

    units: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = 64
    """Size of the hidden state; one number for all layers or a list with one per layer."""
    bidirectional: bool = False
    """Read the text in both directions, with layers of this size for each (Schuster and Paliwal
    1997)."""
    embedding: Embedding = LearnedEmbedding()
    """The vectors that tokens enter as."""
    embedding_dropout: Fraction = 0.0
    """Share of the tokens whose whole vector is dropped in training (Gal and Ghahramani 2016)."""
    pooling: Pooling | Annotated[tuple[Pooling, ...], Field(min_length=1)] = "last"
    """How the outputs over time become one vector: the last one, their mean or maximum, or a
    weighted mean with learned weights (Yang et al. 2016); a list joins several."""
    dense: tuple[PositiveInt, ...] = ()
    """Sizes of the dense layers after the pooling."""
    dense_activation: (
        DenseActivation | Annotated[tuple[DenseActivation, ...], Field(min_length=1)]
    ) = "relu"
    """Activation of the dense layers; one for all or a list with one per layer."""
    dense_dropout: Fraction = 0.0
    """Dropout after every dense layer (Srivastava et al. 2014)."""
    output: Literal["softmax", "sigmoid"] = "softmax"
    """`softmax` has a logit for each class, `sigmoid` a single one for the second of two."""


class ClassificationTrainingConfig(TrainingConfig):
    """How the model is trained. The first of the limits that is reached ends the run."""

    monitor: Literal["loss", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc"] = "loss"
    """Score that decides which model is the best, when the `plateau` schedule lowers the learning
    rate, and when early stopping gives up. The loss is in nats per text, the others are shares
    between 0 and 1. Without a validation part only `loss` and `accuracy` are known."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs a text with the inverse of its class's share, so that every class counts
    the same in the loss."""
    label_smoothing: Fraction = 0.0
    """Share of the target's probability that is spread evenly over all classes (Szegedy et al.
    2016)."""
    init_from: Text | None = None
    """Directory of a finished run, relative to the configuration file, whose embedding and
    recurrent layers the training starts from (Dai and Le 2015); tokens are matched by their
    text."""


class ClassificationEvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    bootstrap_samples: PositiveInt = 1000
    """Resamples behind each 95 % interval."""
    calibration_bins: PositiveInt = 15
    """Intervals of confidence behind the expected calibration error (Guo et al. 2017)."""


class ClassificationConfig(Section):
    """A classifier: texts sorted into classes."""

    version: Version
    """Version of this format."""
    task: Literal["text_classification", "sentiment"]
    """What the model learns: the class of a text. `sentiment` is an earlier name and means the
    same."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: splits, initial weights, shuffling, dropout, intervals."""
    data: ClassificationDataConfig
    """The labelled texts and how they become token ids."""
    model: ClassifierConfig = ClassifierConfig()
    """The network."""
    training: ClassificationTrainingConfig
    """How it is trained."""
    evaluation: ClassificationEvaluationConfig = ClassificationEvaluationConfig()
    """What `rnnkit evaluate` computes."""
