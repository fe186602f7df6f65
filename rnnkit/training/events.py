"""Events of an experiment, for whoever watches it. The library itself prints nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from rnnkit.runs.records import MetricsLine


@dataclass(frozen=True)
class Notice:
    """A sentence for the user, such as a note about the data."""

    text: str


@dataclass(frozen=True)
class Started:
    """The model is built; training begins or continues."""

    device: str
    kernel: str
    """Which code runs the time steps of the recurrent layers, and why."""
    parameters: int
    step: int
    """Updates already made: 0, or those of the run that is resumed."""
    total_steps: int | None
    steps_per_epoch: int
    token_unit: str
    """What `tokens_per_second` counts: characters, words, subwords, bytes or tokens."""


@dataclass(frozen=True)
class Stepped:
    """Progress, a few times a second; `line` has means since the last evaluation."""

    line: MetricsLine
    total_steps: int | None
    seconds_left: float | None


@dataclass(frozen=True)
class Evaluated:
    """The model was evaluated; `line` is the one in metrics.jsonl."""

    line: MetricsLine
    is_best: bool


@dataclass(frozen=True)
class Recovered:
    """The loss diverged; training went back to a checkpoint."""

    diverged_at_step: int
    back_to_step: int
    learning_rate_scale: float


@dataclass(frozen=True)
class Exporting:
    """Training has ended; the models are being written."""

    best_step: int


Event = Notice | Started | Stepped | Evaluated | Recovered | Exporting
Observer = Callable[[Event], None]
