"""The training state: the part of a checkpoint that is numbers, and what follows from them.

Position in the data, scores, patience, limits, and the learning rate as a pure function of them.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from rnnkit.config.training import (
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    LinearSchedule,
    PlateauSchedule,
    Schedule,
    StepSchedule,
    TrainingConfig,
    planned_schedule,
)
from rnnkit.errors import DataError
from rnnkit.runs.checkpoint import digest
from rnnkit.runs.records import MetricsLine, encode_lines


@dataclass
class TrainingState:
    """Position in the data, scores so far, and the counters of patience."""

    step: int = 0
    """Updates made."""
    epoch: int = 0
    """Complete passes over the training data."""
    index: int = 0
    """Next batch of the current pass."""
    seconds: float = 0.0
    """Time in the training loop, over all resumes."""
    best_score: float | None = None
    """Lowest score so far, in the unit of the monitored metric; negated where higher is better."""
    best_step: int = 0
    """Step of that score."""
    without_improvement: int = 0
    """Evaluations since then, as early stopping counts them."""
    plateau_evaluations: int = 0
    """Evaluations without improvement since the learning rate was last reduced."""
    reductions: int = 0
    """Reductions of the learning rate by the plateau schedule."""
    divergences: int = 0
    """Times the loss diverged; each halves the learning rate."""
    stopping_score: float | None = None
    """Score that early stopping measures improvement from."""
    evaluations: int = 0
    """Evaluations made."""
    lines: int = 0
    """Lines of metrics.jsonl that belong to this state."""
    recorded: tuple[float, ...] = ()
    """Running totals of the learner when the last line was recorded."""

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingState":
        """Return the state that `to_dict` wrote; a missing or extra key raises TypeError."""
        # The defaults are those of a fresh run: a missing key must not take one.
        if unknown := values.keys() ^ {field.name for field in dataclasses.fields(cls)}:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"missing or unknown in the training state: {names}")
        return cls(**{**values, "recorded": tuple(values["recorded"])})

    def advance(self, *, batches_per_epoch: int) -> bool:
        """Count one update; True when it ended a pass over the data."""
        self.step += 1
        self.index += 1
        if self.index < batches_per_epoch:
            return False
        self.epoch, self.index = self.epoch + 1, 0
        return True

    def learning_rate(self, training: TrainingConfig, *, total_steps: int | None) -> float:
        """Return the learning rate of the next update."""
        rate = learning_rate_at(
            self.step,
            highest=training.optimizer.learning_rate,
            schedule=planned_schedule(training),
            total_steps=total_steps,
            reductions=self.reductions,
        )
        return rate * 0.5**self.divergences

    def note_score(self, score: float, training: TrainingConfig) -> bool:
        """Count an evaluation with this score; True when it is the best so far."""
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
        """Return the name of the limit that has been reached, if any.

        The clock never ends a run before its first update, which a model needs to be worth
        saving. Early stopping applies only at an evaluated step, so that a resumed run reads the
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


def monitored_score(scores: Mapping[str, float], training: TrainingConfig) -> float:
    """Return the score that decides which weights are the best: the lower the better.

    Raises:
        DataError: the monitored metric is not among `scores`.
    """
    if training.monitor == "loss":
        return scores["loss"]
    if training.monitor not in scores:
        raise DataError(
            f"training.monitor: {training.monitor} cannot be computed: the validation split lacks "
            "texts of some class. Raise data.validation_fraction, or monitor the accuracy"
        )
    return -scores[training.monitor]


def digest_lines(lines: Sequence[MetricsLine]) -> str:
    """Return a digest of what a repeated run repeats of metrics.jsonl: all but the times."""
    repeated = []
    for line in lines:
        metrics = {k: v for k, v in line.metrics.items() if k != "tokens_per_second"}
        repeated.append(dataclasses.replace(line, seconds=None, metrics=metrics))
    return digest(encode_lines(repeated))


def planned_steps(training: TrainingConfig, batches_per_epoch: int) -> int | None:
    """Return the updates that the limits in epochs and steps allow; None without such limits."""
    limits = []
    if training.max_steps is not None:
        limits.append(training.max_steps)
    if training.max_epochs is not None:
        limits.append(training.max_epochs * batches_per_epoch)
    return min(limits, default=None)


def is_recorded(step: int) -> bool:
    """Whether the training loss is recorded after this step, evaluations aside.

    Every 25 steps up to step 1,000, every 50 up to 2,000, every 100 up to 4,000 and so on: 20 more
    lines for each doubling of a run. Depends on the step alone, so that a run that is extended
    equals a long one.
    """
    doublings = max(0, math.ceil(math.log2(step / 1000))) if step > 0 else 0
    return step > 0 and step % (25 << doublings) == 0


def learning_rate_at(
    step: int, *, highest: float, schedule: Schedule, total_steps: int | None, reductions: int
) -> float:
    """Return the learning rate of the update number `step`, counted from 0.

    Args:
        step: updates already made.
        highest: the learning rate after warm-up.
        schedule: its form over time.
        total_steps: length of the run; known whenever the schedule is linear or cosine.
        reductions: how often the score has stopped improving so far.
    """
    if step < schedule.warmup_steps:
        return highest * (step + 1) / schedule.warmup_steps
    match schedule:
        case ConstantSchedule():
            return highest
        case LinearSchedule(final_fraction=final):
            return highest * (1.0 - (1.0 - final) * _progress(step, schedule, total_steps))
        case CosineSchedule(final_fraction=final):
            falling = 0.5 * (1.0 + math.cos(math.pi * _progress(step, schedule, total_steps)))
            return highest * (final + (1.0 - final) * falling)
        case StepSchedule(every_steps=every_steps, factor=factor):
            return highest * factor ** (step // every_steps)
        case PlateauSchedule(factor=factor):
            return highest * factor**reductions
        case _:
            assert_never(schedule)


def _progress(
    step: int, schedule: LinearSchedule | CosineSchedule, total_steps: int | None
) -> float:
    """Return the completed fraction of the run after warm-up, from 0 to 1."""
    if total_steps is None:
        raise ValueError("a linear or cosine schedule needs the length of the run")
    return min(1.0, (step - schedule.warmup_steps) / max(1, total_steps - schedule.warmup_steps))
