"""The configuration tree: the only home of defaults, allowed values and field documentation.

Every class is frozen and strict, unknown keys are refused. The docstring below a field becomes
its description in the JSON Schema and in docs/CONFIG.md. What one field says about another
(a key without effect beside the chosen cell, sizes that must match) stands in `consistency.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**31 - 1
"""Largest whole number of any key: what counts tokens and steps is int32 further down."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1, le=LARGEST)]
WarmupSteps = Annotated[int, Field(ge=0, le=LARGEST)]
Text = Annotated[str, Field(min_length=1)]
PositiveFloat = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

Cell = Literal["simple_rnn", "lstm", "gru"]
Tokens = Literal["characters", "bytes"]


class Section(BaseModel):
    """Base of every part of the tree: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


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


class DataConfig(Section):
    """The text and how it becomes token ids."""

    path: Text | Annotated[tuple[Text, ...], Field(min_length=1)]
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


class ScaledInput(Section):
    """Each token as one number, its id divided by the vocabulary size, as in the classic
    tutorials. A poor input for real use: it pretends that ids are ordered."""

    kind: Literal["scaled"]
    """Which form the input takes."""


Input = Annotated[OneHotInput | EmbeddingInput | ScaledInput, Field(discriminator="kind")]


class ModelConfig(Section):
    """The network: input form, recurrent layers, and the softmax layer over the vocabulary."""

    cell: Cell = "gru"
    """Recurrent cell: Elman's simple RNN, LSTM (Hochreiter and Schmidhuber 1997) or
    GRU (Cho et al. 2014, reset gate after the matrix product as in cuDNN)."""
    units: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = 256
    """Size of the hidden state; one number for all layers or a list with one per layer."""
    layers: PositiveInt | None = None
    """Number of recurrent layers; when not given, one, or as many as `units` lists."""
    input: Input = EmbeddingInput()
    """Form in which tokens enter the first layer."""
    activation: Literal["tanh", "relu"] | None = None
    """Activation of `simple_rnn` (`tanh` when not given); the other cells have fixed ones."""
    kernel_initializer: Literal[
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal"
    ] = "glorot_uniform"
    """Initial values of the input and output matrices (Glorot and Bengio 2010, He et al. 2015)."""
    recurrent_initializer: Literal[
        "orthogonal", "identity", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"
    ] = "orthogonal"
    """Initial values of the recurrent matrix. `identity` is for `simple_rnn` with ReLU
    (Le, Jaitly and Hinton 2015)."""
    dropout: Fraction = 0.0
    """Dropout after every recurrent layer (Zaremba et al. 2014)."""
    dropout_mask: Literal["step", "sequence"] = "step"
    """`step` draws a dropout mask for every time step, `sequence` one per sequence and window
    (Gal and Ghahramani 2016)."""
    recurrent_dropout: Fraction = 0.0
    """DropConnect on the recurrent matrix, one mask per batch (Merity et al. 2017)."""
    l1: NonNegativeFloat = 0.0
    """L1 penalty on all weight matrices, added to the loss."""
    l2: NonNegativeFloat = 0.0
    """L2 penalty on all weight matrices, added to the loss."""
    normalization: Literal["none", "layer", "batch"] = "none"
    """Normalisation after every recurrent layer: layer (Ba et al. 2016) or batch (Ioffe and
    Szegedy 2015)."""
    residual: bool = False
    """Add a layer's input to its output, from the second layer on; needs equal sizes."""
    tie_weights: bool = False
    """Use the embedding matrix as the softmax matrix too, without a bias (Press and Wolf 2017);
    needs an embedding as long as the last layer."""
    bidirectional: bool = False
    """Read the sequence in both directions. Refused for generation, where the future is not
    known."""


class AdamConfig(Section):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"]
    """Which optimizer."""
    learning_rate: PositiveFloat = 1e-3
    """Highest learning rate; the schedule and warm-up scale it."""
    beta_1: Fraction = 0.9
    """Decay of the first moment."""
    beta_2: Fraction = 0.999
    """Decay of the second moment."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class AdamWConfig(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    """Which optimizer."""
    learning_rate: PositiveFloat = 1e-3
    """Highest learning rate; the schedule and warm-up scale it."""
    weight_decay: NonNegativeFloat = 0.01
    """Decay per step, times the learning rate; biases and normalisation gains are exempt."""
    beta_1: Fraction = 0.9
    """Decay of the first moment."""
    beta_2: Fraction = 0.999
    """Decay of the second moment."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class RMSpropConfig(Section):
    """RMSprop (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"]
    """Which optimizer."""
    learning_rate: PositiveFloat = 1e-3
    """Highest learning rate; the schedule and warm-up scale it."""
    rho: Fraction = 0.9
    """Decay of the mean square."""
    momentum: Fraction = 0.0
    """Momentum."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class SGDConfig(Section):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    """Which optimizer."""
    learning_rate: PositiveFloat = 0.1
    """Highest learning rate; the schedule and warm-up scale it."""
    momentum: Fraction = 0.0
    """Momentum."""
    nesterov: bool = False
    """Nesterov's form of momentum; needs a momentum."""


Optimizer = Annotated[
    AdamConfig | AdamWConfig | RMSpropConfig | SGDConfig, Field(discriminator="name")
]


class ConstantSchedule(Section):
    """The same learning rate all the way."""

    kind: Literal["constant"] = "constant"
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps in which the learning rate rises linearly from zero."""


class LinearSchedule(Section):
    """A straight line from the highest learning rate to `final_fraction` of it."""

    kind: Literal["linear"]
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps in which the learning rate rises linearly from zero."""
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end, as a fraction of the highest."""


class CosineSchedule(Section):
    """Half a cosine from the highest learning rate to `final_fraction` of it (Loshchilov and
    Hutter 2017)."""

    kind: Literal["cosine"]
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps in which the learning rate rises linearly from zero."""
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end, as a fraction of the highest."""


class StepSchedule(Section):
    """Multiply the learning rate by `factor` every `every_steps` steps."""

    kind: Literal["step"]
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps in which the learning rate rises linearly from zero."""
    every_steps: PositiveInt
    """Steps between two reductions."""
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """What the learning rate is multiplied by."""


class PlateauSchedule(Section):
    """Multiply the learning rate by `factor` when the score has stopped improving."""

    kind: Literal["plateau"]
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps in which the learning rate rises linearly from zero."""
    patience: PositiveInt = 2
    """Evaluations without improvement before a reduction."""
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """What the learning rate is multiplied by."""


Schedule = Annotated[
    ConstantSchedule | LinearSchedule | CosineSchedule | StepSchedule | PlateauSchedule,
    Field(discriminator="kind"),
]


class EarlyStopping(Section):
    """End the run when the validation loss (the training loss when nothing is held out) has
    stopped improving."""

    patience: PositiveInt = 5
    """Evaluations without improvement before the run ends."""
    minimum_improvement: NonNegativeFloat = 0.0
    """Nats by which the loss must fall to count as an improvement."""


class SamplesConfig(Section):
    """Text written during training, after every evaluation."""

    temperatures: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = (0.5, 1.0)
    """One sample for each; 0 is greedy."""
    length: PositiveInt = 200
    """Tokens per sample."""
    prime: Text | None = None
    """Text the samples start from; the first token of the training text when not given."""


class TrainingConfig(Section):
    """How the model is trained. The first of the limits that is reached ends the run."""

    batch_size: PositiveInt = 64
    """Sequences per step."""
    max_epochs: PositiveInt | None = None
    """Passes over the training text. At least one of the three limits is needed."""
    max_steps: PositiveInt | None = None
    """Weight updates."""
    max_minutes: PositiveFloat | None = None
    """Minutes in the training loop, evaluation included, start-up not. A run that ends by the
    clock cannot be repeated bit for bit."""
    precision: Literal["float32"] = "float32"
    """Precision of the matrix products."""
    optimizer: Optimizer = AdamWConfig()
    """Weight update rule."""
    schedule: Schedule = ConstantSchedule()
    """Learning rate over time. `linear` and `cosine` need `max_epochs` or `max_steps`, which
    fix their length."""
    clip_norm: PositiveFloat | None = None
    """Scale the gradient down to this global norm (Pascanu et al. 2013)."""
    clip_value: PositiveFloat | None = None
    """Cut every entry of the gradient to this size, before `clip_norm`."""
    weight_average: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Decay per step of an exponential moving average of the weights, which is then what is
    evaluated and saved."""
    evaluate_every_steps: PositiveInt | None = None
    """Steps between evaluations; once per epoch when not given. The end of training is always
    evaluated."""
    checkpoint_every_steps: PositiveInt = 1000
    """Steps between checkpoints; every evaluation writes one too."""
    early_stopping: EarlyStopping | None = None
    """When to give up."""
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
    repetition_penalty: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = 1.0
    """Divide positive (multiply negative) logits of the last 64 tokens by this (Keskar et al.
    2019); 1 is none."""


class EvaluationConfig(Section):
    """What `rnnkit evaluate` computes."""

    context_windows: tuple[PositiveInt, ...] = (64, 256)
    """Lengths of the windows scored without context from before them."""
    bootstrap_samples: PositiveInt = 1000
    """Resamples behind each 95 % interval."""


class Config(Section):
    """One experiment."""

    version: Literal[1]
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


def layer_sizes(model: ModelConfig) -> tuple[int, ...]:
    """Units of every recurrent layer: `units: 256, layers: 2` -> `(256, 256)`."""
    if isinstance(model.units, int):
        return (model.units,) * (model.layers or 1)
    return model.units
