"""Keys of training that every task has: optimizers, schedules, limits."""

from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from rnnkit.config.base import (
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    RecurrentConfig,
    Section,
    WarmupSteps,
)


class _Optimizer(Section):
    """Keys of every optimizer; `name` gets its type in the subclasses."""

    name: Any
    """Which optimizer."""
    learning_rate: PositiveFloat = 1e-3
    """Highest learning rate; the schedule and warm-up scale it."""


class AdamConfig(_Optimizer):
    """Adam (Kingma and Ba 2015)."""

    name: Literal["adam"]
    """Which optimizer."""
    beta_1: Fraction = 0.9
    """Decay of the first moment."""
    beta_2: Fraction = 0.999
    """Decay of the second moment."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class AdamWConfig(_Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    """Which optimizer."""
    weight_decay: NonNegativeFloat = 0.01
    """Decay per step, times the learning rate; biases and normalisation gains are exempt."""
    beta_1: Fraction = 0.9
    """Decay of the first moment."""
    beta_2: Fraction = 0.999
    """Decay of the second moment."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class RMSpropConfig(_Optimizer):
    """RMSprop (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"]
    """Which optimizer."""
    rho: Fraction = 0.9
    """Decay of the mean square."""
    momentum: Fraction = 0.0
    """Momentum."""
    epsilon: PositiveFloat = 1e-7
    """Added to the denominator."""


class SGDConfig(_Optimizer):
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


class _Schedule(Section):
    """Keys of every schedule; `kind` gets its type in the subclasses."""

    kind: Any
    """Which schedule."""
    warmup_steps: WarmupSteps = 0
    """Steps during which the learning rate rises linearly from zero; at most half of `max_steps`
    when they would outlast it."""


class ConstantSchedule(_Schedule):
    """The same learning rate throughout."""

    kind: Literal["constant"] = "constant"
    """Which schedule."""


class LinearSchedule(_Schedule):
    """A straight line from the highest learning rate to `final_fraction` of it."""

    kind: Literal["linear"]
    """Which schedule."""
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end, as a fraction of the highest."""


class CosineSchedule(_Schedule):
    """Half a cosine from the highest learning rate to `final_fraction` of it (Loshchilov and Hutter
    2017)."""

    kind: Literal["cosine"]
    """Which schedule."""
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Learning rate at the end, as a fraction of the highest."""


class StepSchedule(_Schedule):
    """Multiply the learning rate by `factor` every `every_steps` steps."""

    kind: Literal["step"]
    """Which schedule."""
    every_steps: PositiveInt
    """Steps between reductions."""
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Factor that multiplies the learning rate."""


class PlateauSchedule(_Schedule):
    """Multiply the learning rate by `factor` when the score has stopped improving."""

    kind: Literal["plateau"]
    """Which schedule."""
    patience: PositiveInt = 2
    """Evaluations without improvement before a reduction."""
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Factor that multiplies the learning rate."""


Schedule = Annotated[
    ConstantSchedule | LinearSchedule | CosineSchedule | StepSchedule | PlateauSchedule,
    Field(discriminator="kind"),
]


class EarlyStopping(Section):
    """End the run when the monitored score has stopped improving. The score is that of the
    validation split, or of the training data when nothing is held out."""

    patience: PositiveInt = 5
    """Evaluations without improvement before the run ends."""
    minimum_improvement: NonNegativeFloat = 0.0
    """Smallest improvement of the monitored score that counts: in nats for `monitor: loss`, a
    fraction between 0 and 1 for all others."""


class TrainingConfig(Section):
    """Training of any task. The first of the limits that is reached ends the run."""

    batch_size: PositiveInt = 64
    """Sequences (language models) or texts (classifiers) per step."""
    max_epochs: PositiveInt | None = None
    """Passes over the training data. At least one of the three limits is needed."""
    max_steps: PositiveInt | None = None
    """Weight updates."""
    max_minutes: PositiveFloat | None = None
    """Minutes of training and evaluation, without start-up. A run that ends by time cannot be
    repeated bit for bit."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Data type of the matmul operands in the recurrent layers: `bfloat16` rounds them to 8 bits,
    on a CPU; states, gates, gradients and weights stay float32. `auto` does so where the processor
    has instructions for it."""
    optimizer: Optimizer = AdamWConfig()
    """Weight update rule."""
    schedule: Schedule = ConstantSchedule()
    """Learning rate over time. `linear` and `cosine` need `max_epochs` or `max_steps`, which fix
    their length."""
    clip_norm: PositiveFloat | None = None
    """Scale the gradient down to this global norm (Pascanu et al. 2013)."""
    clip_value: PositiveFloat | None = None
    """Clip every entry of the gradient to this size, before `clip_norm`."""
    weight_average: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Decay per step of an exponential moving average of the weights, which are then evaluated and
    saved."""
    evaluate_every_steps: PositiveInt | None = None
    """Steps between evaluations; once per epoch by default. The end of training is always
    evaluated."""
    checkpoint_every_steps: PositiveInt = 1000
    """Steps between checkpoints; every evaluation writes one too."""
    early_stopping: EarlyStopping | None = None
    """End training early."""
    monitor: Any = "loss"  # a Literal in each task; a checker wants equal types of fields
    """Score that decides which model is the best; each task has its own."""


def planned_schedule(training: TrainingConfig) -> Schedule:
    """Return the schedule of a run, with the warm-up cut to half of `max_steps` if it is longer
    than the run, as in a short trial of a configuration for many steps."""
    schedule, max_steps = training.schedule, training.max_steps
    if max_steps is None or schedule.warmup_steps < max_steps:
        return schedule
    return schedule.model_copy(update={"warmup_steps": max_steps // 2})


class Experiment(Protocol):
    """The keys that the configuration of every task has."""

    @property
    def task(self) -> str:
        """Name of the task, as files have it."""
        ...

    @property
    def seed(self) -> int:
        """Seed of every random draw."""
        ...

    @property
    def model(self) -> RecurrentConfig:
        """Section `model`: the network."""
        ...

    @property
    def training(self) -> TrainingConfig:
        """Section `training`: how it is trained."""
        ...
