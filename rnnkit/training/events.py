"""What training tells whoever watches it. The library prints nothing; the command line does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Notice:
    """A sentence for the user, such as a note about the data."""

    text: str


@dataclass(frozen=True)
class Started:
    """The model stands; training begins or goes on."""

    device: str
    kernel: str
    parameters: int
    step: int
    """Updates already made: 0, or where a resumed run goes on."""
    total_steps: int | None
    steps_per_epoch: int


@dataclass(frozen=True)
class Stepped:
    """Sent a few times a second."""

    step: int
    total_steps: int | None
    epoch: int
    train_loss: float
    """Nats per target since the last evaluation."""
    train_accuracy: float
    bits_per_character: float | None
    """Of language models."""
    gradient_norm: float
    tokens_per_second: float
    seconds: float
    """Time in the training loop, over all resumes."""
    seconds_left: float | None


@dataclass(frozen=True)
class Evaluated:
    """One line of metrics.jsonl has been written."""

    record: dict[str, Any]
    is_best: bool


@dataclass(frozen=True)
class Recovered:
    """The loss became NaN or infinite; training went back."""

    diverged_at_step: int
    back_to_step: int
    learning_rate_scale: float


@dataclass(frozen=True)
class Exporting:
    """Training is over; the models are being written."""

    best_step: int


Event = Notice | Started | Stepped | Evaluated | Recovered | Exporting
Observer = Callable[[Event], None]
