"""Where a training run stands: the part of a checkpoint that is not an array."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from rnnkit.config.training import EarlyStopping, PlateauSchedule, TrainingConfig
from rnnkit.training.optimizer import learning_rate_at


@dataclass
class Course:
    """Position in the data, scores so far, and the counters of patience."""

    step: int = 0
    """Updates made."""
    epoch: int = 0
    """Complete passes over the training text."""
    index: int = 0
    """Next batch of the running pass."""
    seconds: float = 0.0
    """Time in the training loop, over all resumes."""
    best_score: float | None = None
    """Lowest score so far, in nats per token."""
    best_step: int = 0
    """Where it was met."""
    without_improvement: int = 0
    """Evaluations since then, as early stopping counts them."""
    plateau_evaluations: int = 0
    """Evaluations without improvement since the learning rate was last reduced."""
    reductions: int = 0
    """Reductions of the learning rate by the plateau schedule."""
    divergences: int = 0
    """Times the loss became NaN or infinite; each halves the learning rate."""
    stopping_score: float | None = None
    """Score that early stopping measures improvement from."""
    evaluations: int = 0
    """Lines of metrics.jsonl that belong to this state."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "Course":
        """The reverse of `to_dict`; a missing or extra key raises TypeError."""
        # The defaults are those of a fresh run: a key that is missing must not take one.
        if odd := facts.keys() ^ {field.name for field in dataclasses.fields(cls)}:
            raise TypeError(f"missing or unknown in the course: {', '.join(sorted(odd))}")
        return cls(**facts)

    def advance(self, *, batches_per_epoch: int) -> bool:
        """Count one update; True when it ended a pass over the text."""
        self.step += 1
        self.index += 1
        if self.index < batches_per_epoch:
            return False
        self.epoch, self.index = self.epoch + 1, 0
        return True

    def learning_rate(self, training: TrainingConfig, *, total_steps: int | None) -> float:
        """Learning rate of the next update."""
        rate = learning_rate_at(
            self.step,
            highest=training.optimizer.learning_rate,
            schedule=training.schedule,
            total_steps=total_steps,
            reductions=self.reductions,
        )
        return rate * 0.5**self.divergences

    def note_score(self, score: float, training: TrainingConfig) -> bool:
        """Take in the score of an evaluation; True when it is the best so far."""
        self.evaluations += 1
        is_best = self.best_score is None or score < self.best_score
        if is_best:
            self.best_score, self.best_step = score, self.step
        self._count_for_plateau(is_best, training)
        self._count_for_stopping(score, training.early_stopping)
        return is_best

    def _count_for_plateau(self, is_best: bool, training: TrainingConfig) -> None:
        if not isinstance(training.schedule, PlateauSchedule):
            return
        self.plateau_evaluations = 0 if is_best else self.plateau_evaluations + 1
        if self.plateau_evaluations >= training.schedule.patience:
            self.reductions, self.plateau_evaluations = self.reductions + 1, 0

    def _count_for_stopping(self, score: float, stopping: EarlyStopping | None) -> None:
        if stopping is None:
            return
        reference = self.stopping_score
        if reference is None or score < reference - stopping.minimum_improvement:
            self.stopping_score, self.without_improvement = score, 0
        else:
            self.without_improvement += 1

    def stopped_by(
        self, training: TrainingConfig, *, seconds: float, is_evaluated: bool
    ) -> str | None:
        """Name of the limit that has been reached, if any.

        The clock never ends a run before its first update, which a model needs to be worth
        saving. Early stopping speaks only at an evaluated step, so that a resumed run reads the
        same counter at the same moment.
        """
        if training.max_steps is not None and self.step >= training.max_steps:
            return "max_steps"
        if training.max_epochs is not None and self.epoch >= training.max_epochs:
            return "max_epochs"
        minutes = training.max_minutes
        if minutes is not None and self.step > 0 and seconds >= 60.0 * minutes:
            return "max_minutes"
        stopping = training.early_stopping
        if is_evaluated and stopping and self.without_improvement >= stopping.patience:
            return "early_stopping"
        return None


def planned_steps(training: TrainingConfig, *, batches_per_epoch: int) -> int | None:
    """Updates that the limits in epochs and steps allow; None when only the clock ends the run."""
    limits = []
    if training.max_steps is not None:
        limits.append(training.max_steps)
    if training.max_epochs is not None:
        limits.append(training.max_epochs * batches_per_epoch)
    return min(limits, default=None)
