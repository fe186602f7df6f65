"""Checks between keys: what would have no effect, or cannot work, is refused.

A task lists its rules, those below included. A key at its neutral default never breaks one, so
that a resolved configuration, in which every key is written out, can be loaded again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rnnkit.config.base import RecurrentConfig, Section, layer_sizes
from rnnkit.config.source import KeyPath
from rnnkit.config.training import (
    CosineSchedule,
    Experiment,
    LinearSchedule,
    PlateauSchedule,
    SGDConfig,
    StepSchedule,
)

C = TypeVar("C", contravariant=True)


@dataclass(frozen=True)
class Rule(Generic[C]):
    """A key that is refused when other keys have certain values."""

    path: str
    """The key to report."""
    when: Callable[[C], object]
    """Whether the configuration breaks the rule."""
    message: str | Callable[[C], str]
    """What is wrong and the remedy. `{value}` is the value of the key, `{training.max_steps}`
    that of another one."""
    beside: tuple[str, ...] = ()
    """The other keys it depends on: while one of them is wrong itself, the rule is not checked."""


@dataclass(frozen=True)
class EntryRule(Generic[C]):
    """The same for a mapping whose keys are the user's own: a message for each wrong entry."""

    path: str
    problems: Callable[[C], Iterable[tuple[str, str]]]
    """Key and message of every entry that is refused."""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contradiction:
    """A rule that is broken."""

    path: KeyPath
    message: str
    beside: tuple[KeyPath, ...]


Rules = Sequence[Rule[C] | EntryRule[C]]


@dataclass(frozen=True, eq=False)
class Schema:
    """What a configuration file of one task may say."""

    names: tuple[str, ...]
    """Values of `task`: the name, then what it was called before."""
    tree: type[Section]
    """The class of the whole file."""
    rules: Rules[Any]
    """Checks between its keys."""
    missing: Mapping[str, str]
    """Required key -> what to give, for the message that it is missing."""
    example: str
    """A short file, for the reference page."""
    former: Mapping[str, str] = field(default_factory=dict[str, str])
    """Former spelling of a key -> the key."""
    gone: Mapping[str, str] = field(default_factory=dict[str, str])
    """Switch that other tasks have -> why it is not here; `false` is accepted and dropped."""


Schemas = Mapping[str, Schema]
"""The schema of every name that `task` may have."""


def contradictions(config: C, rules: Rules[C]) -> Iterator[Contradiction]:
    """Yield the rules that a configuration breaks, in their order."""
    for rule in rules:
        path, beside = _keys(rule.path), tuple(map(_keys, rule.beside))
        match rule:
            case EntryRule():
                for key, message in rule.problems(config):
                    yield Contradiction((*path, key), message, beside)
            case Rule() if rule.when(config):
                yield Contradiction(path, _message(config, rule, path), beside)
            case _:
                pass


def _message(config: C, rule: Rule[C], path: KeyPath) -> str:
    if not isinstance(rule.message, str):
        return rule.message(config)
    value: Any = config
    for key in path:
        value = getattr(value, str(key))
    sections: Any = config  # a pydantic model is an iterable of its fields
    return rule.message.format(value=value, **dict(sections))


def _keys(path: str) -> KeyPath:
    return tuple(path.split("."))


# ------------------------------------------------------------------- rules that tasks share


SIZE_KEYS = ("model.units", "model.layers")


def lists_other_layers(model: RecurrentConfig) -> bool:
    """Whether `layers` contradicts `units`, so that the sizes are not known."""
    return not isinstance(model.units, int) and model.layers not in (None, len(model.units))


def layers_of(model: RecurrentConfig) -> tuple[int, ...]:
    """Return the sizes of the layers; () when they are not known."""
    return () if lists_other_layers(model) else layer_sizes(model)


def _cell_rules(choosing: Sequence[str]) -> tuple[Rule[Experiment], ...]:
    """`choosing` are the cells whose activation can be chosen."""
    names = " or ".join(choosing)
    return (
        Rule(
            "model.activation",
            lambda c: c.model.cell not in choosing and c.model.activation is not None,
            f"is for cell: {names}; the activations of {{model.cell}} are fixed; remove it",
            ("model.cell",),
        ),
        Rule(
            "model.recurrent_initializer",
            lambda c: c.model.cell not in choosing and c.model.recurrent_initializer == "identity",
            f"identity is for cell: {names}, found {{model.cell}}; orthogonal is the default",
            ("model.cell",),
        ),
    )


_LAYER_RULES: tuple[Rule[Experiment], ...] = (
    Rule(
        "model.layers",
        lambda c: lists_other_layers(c.model),
        lambda c: (
            f"{c.model.layers}, but units lists {len(layer_sizes(c.model))} layers; remove layers"
        ),
        ("model.units",),
    ),
    Rule(
        "model.residual",
        lambda c: c.model.residual and len(layers_of(c.model)) == 1,
        "has no effect with one layer, it adds from the second on; raise layers or remove it",
        SIZE_KEYS,
    ),
    Rule(
        "model.residual",
        lambda c: c.model.residual and len(set(layers_of(c.model))) > 1,
        lambda c: (
            "needs layers of equal size to add them, found "
            f"{', '.join(map(str, layers_of(c.model)))}; make them equal or remove it"
        ),
        SIZE_KEYS,
    ),
)

_TRAINING_RULES: tuple[Rule[Experiment], ...] = (
    Rule(
        "training",
        lambda c: (
            c.training.max_epochs is None
            and c.training.max_steps is None
            and c.training.max_minutes is None
        ),
        "nothing ends the run; set max_epochs, max_steps or max_minutes",
    ),
    Rule(
        "training.optimizer.nesterov",
        lambda c: (
            isinstance(c.training.optimizer, SGDConfig)
            and c.training.optimizer.nesterov
            and c.training.optimizer.momentum == 0.0
        ),
        "has no effect without momentum; set momentum (0.9 is usual) or remove it",
        ("training.optimizer",),
    ),
    Rule(
        "training.early_stopping.minimum_improvement",
        lambda c: (
            c.training.monitor != "loss"
            and c.training.early_stopping
            and c.training.early_stopping.minimum_improvement >= 1.0
        ),
        "{value:g} cannot be reached: {training.monitor} is a fraction between 0 and 1; "
        "0.001 is a tenth of a percent",
        ("training.monitor",),
    ),
    Rule(
        "training.schedule.kind",
        lambda c: (
            isinstance(c.training.schedule, LinearSchedule | CosineSchedule)
            and c.training.max_epochs is None
            and c.training.max_steps is None
        ),
        "{value} needs max_epochs or max_steps, which fix where it ends",
        ("training",),
    ),
    Rule(
        "training.schedule.final_fraction",
        lambda c: (
            isinstance(c.training.schedule, LinearSchedule | CosineSchedule)
            and c.training.schedule.final_fraction == 1.0
        ),
        "1 keeps the learning rate as it is; lower it or write kind: constant",
        ("training.schedule",),
    ),
    Rule(
        "training.schedule.every_steps",
        lambda c: (
            isinstance(c.training.schedule, StepSchedule)
            and c.training.max_steps is not None
            and c.training.schedule.every_steps >= c.training.max_steps
        ),
        "{value} is not below max_steps ({training.max_steps}): the learning rate would never be "
        "reduced; lower it or write kind: constant",
        ("training.max_steps", "training.schedule"),
    ),
    Rule(
        "training.schedule.patience",
        lambda c: (
            isinstance(c.training.schedule, PlateauSchedule)
            and c.training.early_stopping
            and c.training.early_stopping.patience <= c.training.schedule.patience
        ),
        "{value} is not below early_stopping.patience ({training.early_stopping.patience}): the "
        "run would end before the learning rate is reduced; lower it",
        ("training.early_stopping", "training.schedule"),
    ),
)


def shared_rules(*, choosing: Sequence[str]) -> tuple[Rule[Experiment], ...]:
    """Return the rules of every task; `choosing` are the cells with a choice of activation."""
    return (*_LAYER_RULES, *_cell_rules(choosing), *_TRAINING_RULES)


def one_step_rules(
    one_step: Callable[[Any], object], why: str, beside: tuple[str, ...]
) -> tuple[Rule[Experiment], ...]:
    """Return rules for keys that act from one time step to the next, where there is one step.

    Args:
        one_step: whether a configuration of the task has a single time step.
        why: the keys that make it so, for the message.
        beside: their paths.
    """
    unused = f"has no effect with {why}: no state is passed on; remove it"
    return (
        Rule(
            "model.recurrent_dropout",
            lambda c: c.model.recurrent_dropout > 0.0 and one_step(c),
            unused,
            beside,
        ),
        Rule(
            "model.recurrent_initializer",
            lambda c: c.model.recurrent_initializer != "orthogonal" and one_step(c),
            unused,
            beside,
        ),
    )


def nothing_left(validation: float, test: float) -> str | None:
    """Return the message for fractions of held-out data that leave nothing to train on."""
    if validation + test < 1.0:
        return None
    both = f"{validation:g} + {test:g}"
    return f"with test_fraction nothing is left for training ({both}); lower one of them"
