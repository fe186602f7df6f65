"""The seam between training and the tasks: values a task prepares, methods the loop calls.

Loads no TensorFlow: an experiment is checked and prepared before that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.records import Sample

if TYPE_CHECKING:  # loads TensorFlow
    from rnnkit.training.execution import Execution
    from rnnkit.training.step import Learner


class Learning(Protocol):
    """What is learned, as the training loop sees it: batches, scores, models."""

    learner: "Learner"
    batches_per_epoch: int
    chance_loss: float
    """Loss of guessing evenly among all outputs, in nats; infinite where there is no such."""

    def start(self) -> None:
        """Replace random initial weights by configured ones."""

    def update(self, epoch: int, index: int, learning_rate: float) -> int:
        """Make one weight update on batch `index` of `epoch`; return the number of its tokens."""
        ...

    def score(self, check_for_stop: Callable[[], None]) -> dict[str, float]:
        """Return `loss` and other scores of the validation split; {} without one.

        Calls `check_for_stop`, which may raise, before every batch."""
        ...

    def describe(self, loss: float) -> dict[str, float]:
        """Return a loss in nats in the other units of the task."""
        ...

    def samples(self, step: int) -> Sequence[Sample]:
        """Return texts the model generates at this step, for tasks that do."""
        ...

    def recurrent_state(self) -> dict[str, np.ndarray]:
        """Return the arrays that one batch passes to the next, for a checkpoint."""
        ...

    def restore_recurrent_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set them again; raises KeyError when one is missing."""

    def export(self, run: RunDirectory) -> int:
        """Write the models of the best checkpoint; return its step."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """The data of one experiment, read, checked and encoded once."""

    fingerprint: str
    """SHA-256 of the encoded data: a resumed run must find the same."""
    notes: tuple[str, ...]
    """What the user should know, one sentence or two each."""
    vocabulary: Mapping[str, Any]
    """Content of vocabulary.json."""
    summary: Mapping[str, Any] | None
    """Content of data.json, for tasks that write one."""
    classes: tuple[str, ...]
    """Names of the classes; empty for tasks without."""
    parameters: int
    """Weights of the network."""
    token_unit: str
    """What a token is: characters, words, subwords, bytes or tokens."""
    build: Callable[["Execution"], Learning]
    """Builds the network; loads TensorFlow."""
