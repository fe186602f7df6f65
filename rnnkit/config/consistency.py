"""What keys say about each other: whatever would have no effect, or cannot work, is refused.

A key at its neutral default never counts, so that a resolved configuration, in which every key
is written out, can be loaded again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rnnkit.config.schema import (
    Config,
    CosineSchedule,
    EmbeddingInput,
    EvaluationConfig,
    LinearSchedule,
    ModelConfig,
    PlateauSchedule,
    SGDConfig,
    SlidingWindows,
    StepSchedule,
    layer_sizes,
)


@dataclass(frozen=True)
class Contradiction:
    """`path` is the key to report; `beside` are the other keys the message depends on."""

    path: str
    message: str
    beside: tuple[str, ...] = ()


def find_contradictions(config: Config) -> list[tuple[str, str]]:
    """Every key that does not go with the others, as (path, what is wrong and what to do)."""
    return [(found.path, found.message) for found in contradictions(config)]


def contradictions(config: Config) -> Iterator[Contradiction]:
    """The same with the other keys involved, for configurations that are only partly right."""
    yield from _data(config)
    yield from _layers(config.model)
    yield from _cell(config.model)
    yield from _state(config)
    yield from _limits(config)
    yield from _schedule(config)
    yield from _generation(config)
    yield from _evaluation(config)


def _data(config: Config) -> Iterator[Contradiction]:
    data = config.data
    if data.tokens == "bytes" and data.minimum_count > 1:
        yield Contradiction(
            "data.minimum_count",
            "has no effect with tokens: bytes, whose vocabulary is always the 256 bytes; remove it",
            ("data.tokens",),
        )
    if data.validation_fraction + data.test_fraction >= 1.0:
        both = f"{data.validation_fraction:g} + {data.test_fraction:g}"
        yield Contradiction(
            "data.validation_fraction",
            f"with test_fraction nothing is left for training ({both}); lower one of them",
            ("data.test_fraction",),
        )


def _layers(model: ModelConfig) -> Iterator[Contradiction]:
    sizes, size_keys = layer_sizes(model), ("model.units", "model.layers")
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
            size_keys,
        )
    elif model.residual and len(set(sizes)) > 1:
        listed = ", ".join(map(str, sizes))
        yield Contradiction(
            "model.residual",
            f"needs layers of equal size to add them, found {listed}; make them equal or remove it",
            size_keys,
        )
    if model.tie_weights and not isinstance(model.input, EmbeddingInput):
        yield Contradiction(
            "model.tie_weights",
            f"needs input: {{kind: embedding}}, found {model.input.kind}; "
            "there is no embedding matrix to use again",
            ("model.input",),
        )
    elif (
        model.tie_weights
        and isinstance(model.input, EmbeddingInput)
        and model.input.size != sizes[-1]
    ):
        yield Contradiction(
            "model.tie_weights",
            f"needs an embedding as long as the last layer, found input.size {model.input.size} "
            f"and units {sizes[-1]}; make them equal or remove it",
            ("model.input", *size_keys),
        )


def _cell(model: ModelConfig) -> Iterator[Contradiction]:
    if model.cell != "simple_rnn":
        if model.activation is not None:
            yield Contradiction(
                "model.activation",
                f"is for cell: simple_rnn; the activations of {model.cell} are fixed; remove it",
                ("model.cell",),
            )
        if model.recurrent_initializer == "identity":
            yield Contradiction(
                "model.recurrent_initializer",
                f"identity is for cell: simple_rnn, found {model.cell}; orthogonal is the default",
                ("model.cell",),
            )
    if model.bidirectional:
        yield Contradiction(
            "model.bidirectional",
            "refused: the future characters are not known while generating; remove it",
            ("task",),
        )


def _state(config: Config) -> Iterator[Contradiction]:
    """Keys that act on the way from one time step to the next."""
    model, windows = config.model, config.data.windows
    sliding = isinstance(windows, SlidingWindows)
    if model.dropout_mask == "sequence":
        only_one_step = windows.length == 1 or (sliding and len(layer_sizes(model)) == 1)
        if model.dropout == 0.0:
            yield Contradiction(
                "model.dropout_mask",
                "has no effect without dropout; set dropout or remove it",
                ("model.dropout",),
            )
        elif only_one_step:
            why = "windows of length 1" if windows.length == 1 else "sliding windows and one layer"
            yield Contradiction(
                "model.dropout_mask",
                f"has no effect with {why}: dropout acts on a single step; remove it",
                ("data.windows", "model.units", "model.layers"),
            )
    if sliding and windows.length == 1:
        unused = "has no effect with sliding windows of length 1: no state is carried; remove it"
        if model.recurrent_dropout > 0.0:
            yield Contradiction("model.recurrent_dropout", unused, ("data.windows",))
        if model.recurrent_initializer != "orthogonal":
            yield Contradiction("model.recurrent_initializer", unused, ("data.windows",))


def _limits(config: Config) -> Iterator[Contradiction]:
    training = config.training
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


def _schedule(config: Config) -> Iterator[Contradiction]:
    training = config.training
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


def _generation(config: Config) -> Iterator[Contradiction]:
    generation = config.generation
    cuts = {"top_k": generation.top_k, "top_p": generation.top_p, "min_p": generation.min_p}
    if generation.temperature == 0.0:
        for name, cut in cuts.items():
            if cut is not None:
                yield Contradiction(
                    f"generation.{name}",
                    "has no effect with temperature: 0, which takes the most probable token; "
                    "remove it",
                    ("generation.temperature",),
                )
    elif generation.top_k == 1:
        for name in ("top_p", "min_p"):
            if cuts[name] is not None:
                yield Contradiction(
                    f"generation.{name}",
                    "has no effect with top_k: 1, which takes the most probable token; remove it",
                    ("generation.top_k", "generation.temperature"),
                )


def _evaluation(config: Config) -> Iterator[Contradiction]:
    windows, contexts = config.data.windows, config.evaluation.context_windows
    path = "evaluation.context_windows"
    if len(set(contexts)) < len(contexts):
        yield Contradiction(path, "lists a length twice; remove one")
    default = EvaluationConfig().context_windows
    if isinstance(windows, SlidingWindows) and contexts not in ((), default):
        yield Contradiction(
            path,
            f"has no effect with sliding windows: the model only ever sees {windows.length} tokens "
            "and is scored on those; remove it",
            ("data.windows",),
        )
