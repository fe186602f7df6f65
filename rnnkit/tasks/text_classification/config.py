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
from rnnkit.network.spec import DenseActivation, Pooling

Column = Text | Annotated[int, Field(ge=0, le=LARGEST)]


class TableLayout(Section):
    """Tables with one text per row. The file name tells the format: .csv, .tsv, .jsonl or .ndjson,
    each also with .gz or .zip, and .parquet; any other name is read as CSV."""

    kind: Literal["table"] = "table"
    """Which layout."""
    text: Column = "text"
    """Column of the texts: its name, or its number from 0."""
    label: Column = "label"
    """Column of the labels: its name, or its number from 0."""
    header: bool = True
    """Whether the first row names the columns; otherwise they are given by number."""
    separator: Character | None = None
    """Character between the columns of CSV; by default a tab for .tsv, else a comma."""


class Sentiment140Layout(Section):
    """The original files of Sentiment140 (Go, Bhayani and Huang 2009): CSV without a header, six
    columns, the label (0, 2 or 4) in the first and the text in the last. Set `encoding: latin-1`
    for them."""

    kind: Literal["sentiment140"]
    """Which layout."""


class FilesLayout(Section):
    """A file for each class, one text per line; the label is the file's name without .txt, .gz or
    .zip."""

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
    """Words, punctuation and symbols of tweets and reviews."""

    kind: Literal["words"] = "words"
    """Unit of the tokens."""
    lowercase: bool = True
    """Convert the text to lower case."""
    vocabulary_size: PositiveInt = 20000
    """Maximum number of tokens, the most frequent ones, without padding and `<unk>`; all others
    become `<unk>`."""
    minimum_count: PositiveInt = 1
    """Tokens that occur less often than this in the training split become `<unk>`."""
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
    """Letters and marks repeated for emphasis; `shorten` leaves two of three or more: sooooo ->
    soo, !!!! -> !!."""
    stop_words: Literal["keep", "drop"] = "keep"
    """Frequent English function words (the, of, is); dropping needs the extra `english`."""
    lemmas: bool = False
    """Replace English words by their dictionary form (films -> film); needs the extra `english`."""


class CharacterTokens(Section):
    """One token per Unicode code point."""

    kind: Literal["characters"]
    """Unit of the tokens."""
    lowercase: bool = False
    """Convert the text to lower case."""
    minimum_count: PositiveInt = 1
    """Characters that occur less often than this in the training split become `<unk>`."""


class SubwordTokens(Section):
    """Pieces of words by byte-pair encoding, learned from the training split (Sennrich, Haddow and
    Birch 2016)."""

    kind: Literal["subwords"]
    """Unit of the tokens."""
    lowercase: bool = True
    """Convert the text to lower case."""
    vocabulary_size: PositiveInt = 8000
    """Maximum number of pieces."""


TextTokens = Annotated[WordTokens | CharacterTokens | SubwordTokens, Field(discriminator="kind")]


class Fold(Section):
    """One fold of a stratified division as the test split; set by `rnnkit crossval`."""

    number: PositiveInt
    """Number of the fold, from 1."""
    of: Annotated[int, Field(ge=2, le=LARGEST)]
    """Number of folds."""


class ClassificationDataConfig(Section):
    """Labelled texts and their tokens."""

    path: Files
    """A file with labelled texts, a glob pattern, or a list of them, relative to the configuration
    file; for `layout: {kind: folders}` the folder with one folder per class."""
    test_path: Files | None = None
    """Official test files in the same layout; `test_fraction` is then 0."""
    layout: Layout = TableLayout()
    """Where the files have texts and labels."""
    encoding: Text = "utf-8"
    """Encoding of the files, any known to Python."""
    labels: Annotated[dict[Text, Text], Field(min_length=1)] | None = None
    """Label in the data and name of its class, in the order of the classes: `{0: negative, 4:
    positive}`. Several labels may share a class. By default the classes are the labels in sorted
    order."""
    bad_rows: Literal["error", "drop"] = "error"
    """Rows with too many or too few columns, without a text, with a label outside `labels`, a
    header repeated inside the data, bytes outside the encoding: stop with a message, or drop and
    count them."""
    deduplicate: bool = True
    """Keep the first of equal texts, or none when their labels differ. With `false`, equal texts in
    two splits are refused."""
    split: Literal["stratified", "ordered"] = "stratified"
    """`stratified`: random splits with equal fractions of the classes; `ordered`: training,
    validation and test in the order of the rows."""
    validation_fraction: Fraction = 0.1
    """Fraction of the texts held out for validation."""
    test_fraction: Fraction = 0.0
    """Fraction of the texts held out for the test."""
    fold: Fold | None = None
    """Hold out this fold for the test instead of a `test_fraction`; `validation_fraction` is then
    taken from the rest."""
    tokens: TextTokens = WordTokens()
    """How texts are divided into tokens."""
    maximum_length: PositiveInt = 256
    """Maximum number of tokens per text."""
    truncate: Literal["end", "start"] = "end"
    """Side on which longer texts are truncated."""


class LearnedEmbedding(Section):
    """A learned vector for each token."""

    kind: Literal["learned"] = "learned"
    """Source of the vectors."""
    size: PositiveInt = 64
    """Length of the vectors."""
    class_ratios: NonNegativeFloat = 0.0
    """Initialize the first number of every vector with this times the log-count ratio of the token
    between the classes (Wang and Manning 2012); with more than two classes, one number for each.
    The others are initialized at random."""


class PretrainedEmbedding(Section):
    """Vectors from a file in the text format of GloVe (Pennington, Socher and Manning 2014) or
    word2vec (Mikolov et al. 2013), also with .gz. Tokens that are not in it start from random
    vectors with the mean and deviation of those that are."""

    kind: Literal["pretrained"]
    """Source of the vectors."""
    path: Text
    """The file, relative to the configuration file."""
    trainable: bool = False
    """Train the vectors further; `false` keeps them fixed."""


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
    """Vectors of the tokens."""
    embedding_dropout: Fraction = 0.0
    """Probability that the whole vector of a token is dropped in training (Gal and Ghahramani
    2016)."""
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
    """Score that chooses the best model and controls the `plateau` schedule and early stopping. The
    loss is in nats per text, the others are fractions between 0 and 1. Without a validation split,
    only `loss` and `accuracy` are available."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weights texts inversely to the frequency of their class, so that all classes count
    equally in the loss."""
    label_smoothing: Fraction = 0.0
    """Probability of the target that is spread evenly over all classes (Szegedy et al. 2016)."""
    init_from: Text | None = None
    """Directory of a finished run, relative to the configuration file. Training starts from its
    embedding and recurrent layers (Dai and Le 2015); tokens are matched by their text."""


class ClassificationEvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    bootstrap_samples: PositiveInt = 1000
    """Bootstrap samples for each 95 % interval."""
    calibration_bins: PositiveInt = 15
    """Bins of the expected calibration error (Guo et al. 2017)."""


class ClassificationConfig(Section):
    """A classifier of texts."""

    version: Version
    """Version of this format."""
    task: Literal["text_classification", "sentiment"]
    """What the model learns: the class of a text. `sentiment` is an earlier name and means the
    same."""
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    """Seed of every random draw: splits, initial weights, shuffling, dropout, intervals."""
    data: ClassificationDataConfig
    """Labelled texts and their tokens."""
    model: ClassifierConfig = ClassifierConfig()
    """The network."""
    training: ClassificationTrainingConfig
    """How it is trained."""
    evaluation: ClassificationEvaluationConfig = ClassificationEvaluationConfig()
    """What `rnnkit evaluate` computes."""
