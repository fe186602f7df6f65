"""How good predicted classes are: scores, their 95 % intervals, calibration, the worst errors.

One function computes every score from the number of times each row counts: once as the rows are,
then for resamples of them (bootstrap, Efron 1979). Values are those of scikit-learn, which the
tests compare them with.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import RunError
from rnnkit.inference.decision import MOST_PROBABLE, Decision
from rnnkit.inference.intervals import limit_interval, percentile_interval
from rnnkit.runs.records import Estimate, metric

LEAST_ROWS = 10
"""With fewer rows an interval would say more about the rows than about the model."""

MOST_DRAWS = 2 * 10**8
"""Rows resampled for all intervals together; with many rows there are fewer resamples."""

LEAST_RESAMPLES = 200

SMALLEST_PROBABILITY = 1e-15
"""Probabilities are raised to it before their logarithm is taken."""

Progress = Callable[[int, int], None]

NOT_FINITE = (
    "The model's output is not finite: its weights are damaged or training diverged. "
    "Train it again."
)


def check_finite(values: np.ndarray) -> None:
    """Raise RunError when the output of a model is not finite."""
    if not np.isfinite(values).all():
        raise RunError(NOT_FINITE)


def target_losses(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the loss of every target in nats, float64[...], computed in float64.

    Args:
        logits: float[..., n].
        targets: int64[...], each below n.
    """
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(scores, targets[..., np.newaxis], axis=-1)[..., 0]
    return np.log(np.exp(scores, out=scores).sum(axis=-1)) - chosen


def row_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the negative logarithm of the true class's probability: float64[rows], in nats."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))


# ------------------------------------------------------------------------------------- scores


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores by name and the confusion matrix.

    `confusion` is int64[classes, classes], one row for each true class, one column for each
    predicted one. `notes` are for readers of the numbers.
    """

    metrics: dict[str, Estimate]
    confusion: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def score_probabilities(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
    bins: int = 15,
    decision: Decision = MOST_PROBABLE,
    progress: Progress = lambda done, total: None,
) -> ClassificationScores:
    """Score `probabilities` float64[rows, classes] against `labels` int[rows], rows >= 1.

    Metrics, in this order: loss (nats), accuracy, balanced_accuracy, macro_precision,
    macro_recall, macro_f1, then precision_, recall_ and f1_ of each class, roc_auc and pr_auc
    (two classes: of the positive one; more: each class against the rest, averaged), brier
    (two classes: between 0 and 1; more: the sum over the classes, between 0 and 2), ece
    (expected calibration error over `bins` bins of equal width, Guo et al. 2017).
    `decision` chooses the classes. A score that is not defined, because no row has some class,
    is NaN, or 0 where scikit-learn says so, and a note names the class.

    Where a score of counts is 0 or 1 its interval is exact instead of resampled.
    """
    rows = len(labels)
    weighted = WeightedScores(
        probabilities,
        labels,
        decision.choose(probabilities, classes),
        classes,
        bins=bins,
        positive=decision.positive_index(classes),
    )
    values = weighted(np.ones(rows))
    notes = _notes_on_classes(labels, classes)
    confusion = weighted.confusion(np.ones(rows)).astype(np.int64)
    if rows < LEAST_ROWS:
        notes.append(f"No intervals: there are {rows} rows and {LEAST_ROWS} are needed.")
        metrics = {name: Estimate(value, None, None) for name, value in values.items()}
    else:
        count = max(min(resamples, LEAST_RESAMPLES), min(resamples, MOST_DRAWS // rows))
        if count < resamples:
            notes.append(
                f"Intervals come from {count} resamples instead of {resamples}, because there are "
                f"{rows:,} rows."
            )
        rng, resampled = np.random.default_rng(seed), []
        for done in range(1, count + 1):
            drawn = np.bincount(rng.integers(0, rows, rows), minlength=rows)
            resampled.append(weighted(drawn.astype(np.float64)))
            progress(done, count)
        metrics = {
            name: percentile_interval(value, np.array([scores[name] for scores in resampled]))
            for name, value in values.items()
        }
        if resamples:
            metrics = _with_exact_limits(metrics, confusion, classes)
    return ClassificationScores(metrics, confusion, tuple(classes), tuple(notes))


def _with_exact_limits(
    metrics: dict[str, Estimate], confusion: np.ndarray, classes: Sequence[str]
) -> dict[str, Estimate]:
    """Replace the intervals of scores at a limit, where every resample is the same.

    A mean of classes gets the mean of their limits. F1 is 2J / (1 + J), with J the fraction of
    correct rows among those that are or are called the class. Scores that are no fractions of
    counts have no interval there.
    """
    true, called = confusion.sum(axis=1), confusion.sum(axis=0)
    either = true + called - np.diagonal(confusion)
    trials = {
        "accuracy": confusion.sum(keepdims=True).ravel(),
        "balanced_accuracy": true[true > 0],
        "macro_precision": called,
        "macro_recall": true,
        "macro_f1": either,
    }
    for i, name in enumerate(classes):
        trials |= {f"precision_{name}": called[[i]], f"recall_{name}": true[[i]]}
        trials[f"f1_{name}"] = either[[i]]
    exact = {}
    for name, estimate in metrics.items():
        value, (_, highest) = estimate.value, metric(name).bounds
        if value not in (0.0, 1.0) or highest != 1.0 or estimate.low != estimate.high:
            exact[name] = estimate
        elif name not in trials or not trials[name].all():
            exact[name] = Estimate(value, None, None)
        else:
            found = [limit_interval(value, count) for count in trials[name]]
            ends = np.array([(end.low, end.high) for end in found], np.float64)
            if name == "macro_f1" or name.startswith("f1_"):
                ends = 2.0 * ends / (1.0 + ends)
            low, high = ends.mean(axis=0)
            exact[name] = Estimate(value, float(low), float(high))
    return exact


def _notes_on_classes(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    present = np.bincount(labels, minlength=len(classes)) > 0
    missing = [name for name, found in zip(classes, present, strict=True) if not found]
    if not missing:
        return []
    return [
        f"No row is labelled {', '.join(missing)}: recall and F1 there are 0, and areas under "
        "curves are not defined."
    ]


class WeightedScores:
    """The scores of a table of rows, as a function of how often each row counts.

    What does not depend on the weights (sorting above all) is done once.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        labels: np.ndarray,
        predicted: np.ndarray,
        classes: Sequence[str],
        *,
        bins: int,
        positive: int,
    ) -> None:
        self._classes = classes
        self._bins = bins
        self._losses = row_losses(probabilities, labels)
        self._brier = _row_brier(probabilities, labels)
        self._cells = labels.astype(np.int64) * len(classes) + predicted
        confidence, correct, self._bin_of_row = _confidences(probabilities, labels, bins)
        self._excess = confidence - correct
        ranked = [positive] if len(classes) == 2 else range(len(classes))
        self._rankings = [Ranking(probabilities[:, i], labels == i) for i in ranked]

    def confusion(self, weights: np.ndarray) -> np.ndarray:
        """Return weights float64[classes, classes] by true (rows) and predicted class."""
        count = len(self._classes)
        return np.bincount(self._cells, weights, count * count).reshape(count, count)

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """Return scores by the names of `score_probabilities`, for weights float64[rows]."""
        total = weights.sum()
        cells = self.confusion(weights)
        correct, true, called = np.diagonal(cells), cells.sum(axis=1), cells.sum(axis=0)
        precision = correct / np.maximum(called, 1.0)
        recall = correct / np.maximum(true, 1.0)
        f1 = 2.0 * correct / np.maximum(true + called, 1.0)
        named = {
            "loss": self._losses @ weights / total,
            "accuracy": correct.sum() / total,
            "balanced_accuracy": recall[true > 0].mean(),
            "macro_precision": precision.mean(),
            "macro_recall": recall.mean(),
            "macro_f1": f1.mean(),
        }
        for i, name in enumerate(self._classes):
            named[f"precision_{name}"] = precision[i]
            named[f"recall_{name}"] = recall[i]
            named[f"f1_{name}"] = f1[i]
        areas = [ranking.areas(weights) for ranking in self._rankings]
        named["roc_auc"] = sum(area[0] for area in areas) / len(areas)
        named["pr_auc"] = sum(area[1] for area in areas) / len(areas)
        named["brier"] = self._brier @ weights / total
        gaps = np.bincount(self._bin_of_row, weights * self._excess, self._bins)
        named["ece"] = np.abs(gaps).sum() / total
        return {name: float(value) for name, value in named.items()}


class Ranking:
    """Rows sorted by falling score, for curves over all thresholds and the areas under them."""

    def __init__(self, scores: np.ndarray, truth: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._truth = truth[self._order].astype(np.float64)
        # Equal scores are one step of the curve, which ends at the last of them.
        distinct = np.diff(scores[self._order]) != 0
        self._ends = np.append(np.flatnonzero(distinct), len(scores) - 1)

    def counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return true and false positives at every threshold, from the highest: float64[...]."""
        weights = weights[self._order]
        correct = np.cumsum(weights * self._truth)[self._ends]
        return correct, np.cumsum(weights)[self._ends] - correct

    def curves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of two curves, for rows of which some are true and some are not.

        ROC: float64[n, 2] of false and true positive rate. Precision-recall: float64[n, 2] of
        recall and precision.
        """
        correct, wrong = self.counts(np.ones(len(self._order)))
        recall = correct / correct[-1]
        roc = np.column_stack([wrong / wrong[-1], recall])
        precision_recall = np.column_stack([recall, correct / (correct + wrong)])
        return np.vstack([(0.0, 0.0), roc]), np.vstack([(0.0, 1.0), precision_recall])

    def areas(self, weights: np.ndarray) -> tuple[float, float]:
        """Return the area under the ROC curve and average precision; NaN where not defined."""
        correct, wrong = self.counts(weights)
        if correct[-1] == 0.0:
            return math.nan, math.nan
        new = np.diff(correct, prepend=0.0)
        precision = correct / np.maximum(correct + wrong, 1.0)
        average_precision = (new * precision).sum() / correct[-1]
        if wrong[-1] == 0.0:
            return math.nan, average_precision
        new_wrong = np.diff(wrong, prepend=0.0)
        area = (new_wrong * (correct - new / 2.0)).sum() / (correct[-1] * wrong[-1])
        return area, average_precision


def _row_brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared distance from the truth, float64[rows]; halved for two classes, as is usual."""
    classes = probabilities.shape[1]
    distance = probabilities - (labels[:, np.newaxis] == np.arange(classes))
    return (distance**2).sum(axis=1) / (2.0 if classes == 2 else 1.0)


# --------------------------------------------------------------------- calibration and errors


def _confidences(
    probabilities: np.ndarray, labels: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return confidence and whether it was right, float64[rows], and its bin int64[rows]."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Bins are open on the left: a confidence of exactly 1 belongs to the last one.
    bin_of_row = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return confidence, correct, bin_of_row


def calibration_curve(
    probabilities: np.ndarray, labels: np.ndarray, bins: int
) -> list[tuple[float, float, int]]:
    """Return (mean confidence, accuracy, rows) of every bin of confidence that is not empty.

    Confidence is the largest probability of a row, which is the probability of being right if
    the model is calibrated.
    """
    confidence, correct, bin_of_row = _confidences(probabilities, labels, bins)
    rows = np.bincount(bin_of_row, minlength=bins)
    confidences = np.bincount(bin_of_row, confidence, bins)
    right = np.bincount(bin_of_row, correct, bins)
    return [
        (float(confidences[i] / rows[i]), float(right[i] / rows[i]), int(rows[i]))
        for i in np.flatnonzero(rows)
    ]


def worst_errors(
    probabilities: np.ndarray, labels: np.ndarray, predicted: np.ndarray, count: int
) -> np.ndarray:
    """Return the wrong rows whose true class got the least probability, int64[at most count].

    `predicted` int[rows] are the chosen classes.
    """
    wrong = np.flatnonzero(predicted != labels)
    order = np.argsort(probabilities[wrong, labels[wrong]], kind="stable")
    return wrong[order[:count]]
