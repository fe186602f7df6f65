"""What keys that both tasks have say about each other."""

from collections.abc import Iterator, Sequence

from rnnkit.config.base import Contradiction, RecurrentConfig, layer_sizes
from rnnkit.config.training import (
    CosineSchedule,
    LinearSchedule,
    PlateauSchedule,
    SGDConfig,
    StepSchedule,
    TrainingConfig,
)

SIZE_KEYS = ("model.units", "model.layers")


def about_fractions(validation: float, test: float) -> Iterator[Contradiction]:
    """The shares of the splits."""
    if validation + test >= 1.0:
        both = f"{validation:g} + {test:g}"
        yield Contradiction(
            "data.validation_fraction",
            f"with test_fraction nothing is left for training ({both}); lower one of them",
            ("data.test_fraction",),
        )


def about_layers(model: RecurrentConfig) -> Iterator[Contradiction]:
    """The recurrent layers among each other."""
    sizes = layer_sizes(model)
    if not isinstance(model.units, int) and model.layers not in (None, len(model.units)):
        yield Contradiction(
            "model.layers",
            f"{model.layers}, but units lists {len(model.units)} layers; remove layers",
            ("model.units",),
        )
        return
    if model.residual and len(sizes) == 1:
        yield Contradiction(
            "model.residual",
            "has no effect with one layer, it adds from the second on; raise layers or remove it",
            SIZE_KEYS,
        )
    elif model.residual and len(set(sizes)) > 1:
        listed = ", ".join(map(str, sizes))
        yield Contradiction(
            "model.residual",
            f"needs layers of equal size to add them, found {listed}; make them equal or remove it",
            SIZE_KEYS,
        )


def lists_other_layers(model: RecurrentConfig) -> bool:
    """Whether `layers` contradicts `units`, so that the sizes are not known."""
    return not isinstance(model.units, int) and model.layers not in (None, len(model.units))


def about_cell(
    model: RecurrentConfig, *, choosing: Sequence[str], input_dropout: float = 0.0
) -> Iterator[Contradiction]:
    """Keys that only some cells have, and the mask of dropout without dropout.

    `choosing` are the cells whose activation can be chosen.
    """
    if model.cell not in choosing:
        names = " or ".join(choosing)
        if model.activation is not None:
            yield Contradiction(
                "model.activation",
                f"is for cell: {names}; the activations of {model.cell} are fixed; remove it",
                ("model.cell",),
            )
        if model.recurrent_initializer == "identity":
            yield Contradiction(
                "model.recurrent_initializer",
                f"identity is for cell: {names}, found {model.cell}; orthogonal is the default",
                ("model.cell",),
            )
    if model.dropout_mask == "sequence" and model.dropout == input_dropout == 0.0:
        yield Contradiction(
            "model.dropout_mask",
            "has no effect without dropout; set dropout or remove it",
            ("model.dropout",),
        )


def about_one_step(
    model: RecurrentConfig, why: str, beside: tuple[str, ...]
) -> Iterator[Contradiction]:
    """Keys that act from one time step to the next, where there is only one step."""
    unused = f"has no effect with {why}: no state is carried; remove it"
    if model.recurrent_dropout > 0.0:
        yield Contradiction("model.recurrent_dropout", unused, beside)
    if model.recurrent_initializer != "orthogonal":
        yield Contradiction("model.recurrent_initializer", unused, beside)


def about_limits(training: TrainingConfig) -> Iterator[Contradiction]:
    """What ends a run, and the optimizer."""
    if training.max_epochs is None and training.max_steps is None and training.max_minutes is None:
        yield Contradiction(
            "training",
            "nothing ends the run; set max_epochs, max_steps or max_minutes",
        )
    optimizer = training.optimizer
    if isinstance(optimizer, SGDConfig) and optimizer.nesterov and optimizer.momentum == 0.0:
        yield Contradiction(
            "training.optimizer.nesterov",
            "has no effect without momentum; set momentum (0.9 is usual) or remove it",
            ("training.optimizer",),
        )


def about_monitor(training: TrainingConfig) -> Iterator[Contradiction]:
    """The score that decides, and what early stopping wants of it."""
    stopping = training.early_stopping
    if training.monitor != "loss" and stopping and stopping.minimum_improvement >= 1.0:
        yield Contradiction(
            "training.early_stopping.minimum_improvement",
            f"{stopping.minimum_improvement:g} cannot be reached: {training.monitor} is a share "
            "between 0 and 1; 0.001 is a tenth of a percent",
            ("training.monitor",),
        )


def about_schedule(training: TrainingConfig) -> Iterator[Contradiction]:
    """The learning rate over time."""
    schedule, max_steps = training.schedule, training.max_steps
    if max_steps is not None and schedule.warmup_steps >= max_steps:
        yield Contradiction(
            "training.schedule.warmup_steps",
            f"{schedule.warmup_steps} is not below max_steps ({max_steps}): the run ends before "
            "the full learning rate is reached; lower it",
            ("training.max_steps", "training.schedule"),
        )
    match schedule:
        case LinearSchedule() | CosineSchedule():
            if training.max_epochs is None and max_steps is None:
                yield Contradiction(
                    "training.schedule.kind",
                    f"{schedule.kind} needs max_epochs or max_steps, which fix where it ends",
                    ("training",),
                )
            if schedule.final_fraction == 1.0:
                yield Contradiction(
                    "training.schedule.final_fraction",
                    "1 keeps the learning rate as it is; lower it or write kind: constant",
                    ("training.schedule",),
                )
        case StepSchedule() if max_steps is not None and schedule.every_steps >= max_steps:
            yield Contradiction(
                "training.schedule.every_steps",
                f"{schedule.every_steps} is not below max_steps ({max_steps}): the learning rate "
                "would never be reduced; lower it or write kind: constant",
                ("training.max_steps", "training.schedule"),
            )
        case PlateauSchedule() if (
            training.early_stopping is not None
            and training.early_stopping.patience <= schedule.patience
        ):
            yield Contradiction(
                "training.schedule.patience",
                f"{schedule.patience} is not below early_stopping.patience "
                f"({training.early_stopping.patience}): the run would end before the learning "
                "rate is reduced; lower it",
                ("training.early_stopping", "training.schedule"),
            )
        case _:
            pass
