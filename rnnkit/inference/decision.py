"""How probabilities are made from logits, and a class from probabilities.

Both are chosen on the validation split after training (`rnnkit evaluate --calibrate`,
`--threshold`) and stored in the run.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from rnnkit.errors import DataError, RunError, UsageError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document, write_document
from rnnkit.runs.records import finite

_COLDEST, _HOTTEST = 1e-2, 1e2


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return probabilities float64[..., n] of logits float[..., n] divided by `temperature`."""
    scores = logits.astype(np.float64) / temperature
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


@dataclass(frozen=True)
class Decision:
    """Rule by which logits become probabilities, and these a class.

    `temperature` divides the logits; `threshold` is on the probability of class `positive`.
    Without a threshold the most probable class is chosen; with one there are two classes, and
    `goal` is what it was chosen for. `how` describes the choice for a reader.
    """

    temperature: float = 1.0
    threshold: float | None = None
    positive: str | None = None
    goal: str | None = None
    how: str = ""

    def positive_index(self, classes: Sequence[str]) -> int:
        """Return the index of the class that the threshold is about; 1 without one."""
        return 1 if self.positive is None else list(classes).index(self.positive)

    def choose(self, probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Return the class of each row of float64[rows, classes]: int64[rows]."""
        if self.threshold is None:
            return probabilities.argmax(axis=1)
        positive = self.positive_index(classes)
        return np.where(probabilities[:, positive] >= self.threshold, positive, 1 - positive)

    def described(self, *, rows: int) -> "Decision":
        """Return the decision with `how`, for one chosen on `rows` validation texts."""
        parts = []
        if self.temperature != 1.0:
            parts.append(f"temperature {self.temperature:.4f}")
        if self.threshold is not None:
            parts.append(f"{self.positive} from {self.threshold:.4f} on, for {self.goal}")
        how = f"{'; '.join(parts)}; chosen on {rows:,} validation texts"
        return replace(self, how=how)


MOST_PROBABLE = Decision()
"""The decision of a run that has none stored."""


@dataclass(frozen=True)
class Goal:
    """Aim of a threshold: the best F1, or a precision to be reached."""

    precision: float | None = None

    def __str__(self) -> str:
        """Return the goal as it is written on the command line."""
        return "f1" if self.precision is None else f"precision={self.precision:g}"


def parse_goal(text: str) -> Goal:
    """Read `f1` or `precision=0.9`.

    Raises:
        UsageError: it is neither.
    """
    if text == "f1":
        return Goal()
    name, _, number = text.partition("=")
    try:
        precision = float(number)
    except ValueError:
        precision = math.nan
    if name != "precision" or not 0.0 < precision <= 1.0:
        raise UsageError(f"--threshold {text!r}: expected f1, or precision=P with 0 < P <= 1.")
    return Goal(precision)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature, 0.01 to 100, with the least mean loss on rows (Guo et al. 2017).

    The loss is convex in 1/temperature, so its only minimum is where its slope changes sign.

    Args:
        logits: float[rows, classes].
        labels: int[rows].
    """
    scores = logits.astype(np.float64)
    chosen = scores[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        expected = (softmax(scores, 1.0 / inverse) * scores).sum(axis=1)
        return float((expected - chosen).mean())

    low, high = math.log(1.0 / _HOTTEST), math.log(1.0 / _COLDEST)
    for _ in range(50):
        middle = (low + high) / 2.0
        if slope(math.exp(middle)) < 0.0:
            low = middle
        else:
            high = middle
    return math.exp(-(low + high) / 2.0)


def choose_threshold(probabilities: np.ndarray, truth: np.ndarray, goal: Goal) -> float:
    """Return the threshold on the probability of a class that serves `goal` best.

    For F1 that with the highest F1; for a precision, among those that reach it, the one that
    finds the most of the class. It lies halfway between two neighbouring probabilities.

    Args:
        probabilities: of the class, float64[rows].
        truth: bool[rows], whether a row is of that class.
        goal: what it is chosen for.

    Raises:
        DataError: no row is of the class, or no threshold reaches the precision.
    """
    if not truth.any():
        raise DataError("No row is of the class that the threshold is about; none can be chosen.")
    order = np.argsort(-probabilities, kind="stable")
    ordered = probabilities[order]
    ends = np.append(np.flatnonzero(np.diff(ordered) != 0), len(ordered) - 1)
    correct = np.cumsum(truth[order])[ends]
    precision = correct / (ends + 1)
    if goal.precision is None:
        best = int(np.argmax(2.0 * correct / (ends + 1 + truth.sum())))
    else:
        reached = np.flatnonzero(precision >= goal.precision)
        if not len(reached):
            raise DataError(
                f"No threshold reaches a precision of {goal.precision:g}; the highest there is "
                f"{precision.max():.4f}."
            )
        # The last of those that find the most: a lower one would find no more of the class.
        best = int(reached[np.argmax(correct[reached])])
    below = ordered[ends[best] + 1] if ends[best] + 1 < len(ordered) else 0.0
    middle = float((ordered[ends[best]] + below) / 2.0)
    # Halfway between neighbouring floats may round to the lower one.
    return middle if middle > below else float(ordered[ends[best]])


def with_temperature(decision: Decision, temperature: float) -> Decision:
    """Return a decision of another temperature, its threshold moved so that no class changes."""
    threshold = decision.threshold
    if threshold is not None and 0.0 < threshold < 1.0:
        log_odds = math.log(threshold) - math.log1p(-threshold)
        moved = log_odds * decision.temperature / temperature
        threshold = 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, moved))))
    return replace(decision, temperature=temperature, threshold=threshold)


def read_decision(run: RunDirectory, classes: Sequence[str]) -> Decision:
    """Read the decision stored in a run; `MOST_PROBABLE` where there is none.

    Raises:
        RunError: the file is damaged, or about other classes.
    """
    if not run.decision.exists():
        return MOST_PROBABLE
    content = read_document(run.decision, "decision")
    damaged = RunError(
        f"{run.decision}: damaged; remove it with `rnnkit evaluate {run.path} --reset-decision`"
    )
    try:
        decision = Decision(**content)
    except TypeError as error:
        raise damaged from error
    is_valid = (finite(decision.temperature) or 0.0) > 0.0
    if decision.threshold is not None:
        threshold = finite(decision.threshold)
        is_valid &= threshold is not None and 0.0 <= threshold <= 1.0
        is_valid &= len(classes) == 2 and decision.positive in classes
    if not is_valid:
        raise damaged
    return decision


def write_decision(run: RunDirectory, decision: Decision) -> None:
    """Store a decision in its run, where `predict` and `evaluate` find it.

    Raises:
        RunError: it cannot be written.
    """
    write_document(run.decision, "decision", asdict(decision))


def remove_decision(run: RunDirectory) -> bool:
    """Remove the stored decision and return whether there was one.

    Raises:
        RunError: it cannot be removed.
    """
    try:
        run.decision.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"{run.decision}: cannot be removed: {error.strerror or error}") from error
    return True
