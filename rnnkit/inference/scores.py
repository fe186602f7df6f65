"""How good predicted classes are: scores, their 95 % intervals, calibration, the worst errors.

Values are scikit-learn's. Intervals come from drawing the rows anew (bootstrap, Efron 1979), for
which `_WeightedScores` computes the same scores from the number of times that each row was drawn.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.runs.records import Estimate

LEAST_ROWS = 10
"""With fewer rows an interval would say more about the rows than about the model."""

MOST_DRAWS = 2 * 10**8
"""Rows drawn for all intervals together; many rows are drawn less often than asked for."""

LEAST_RESAMPLES = 200

SMALLEST_PROBABILITY = 1e-15
"""Probabilities are raised to it before their logarithm is taken."""

_PERCENTILES = (2.5, 97.5)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores by name and the confusion matrix.

    `confusion` is int64[classes, classes], one row for each true class, one column for each
    predicted one. `notes` says what a reader of the numbers should know.
    """

    metrics: dict[str, Estimate]
    confusion: np.ndarray
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def predicted_classes(
    probabilities: np.ndarray, *, threshold: float | None = None, positive: int = 1
) -> np.ndarray:
    """The class of each row: int64[rows] from float64[rows, classes].

    The most probable one; with `threshold` (two classes) `positive` where its probability is at
    least that, else the other.
    """
    if threshold is None:
        return probabilities.argmax(axis=1)
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)


def row_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative logarithm of the true class's probability: float64[rows], in nats."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(chosen, SMALLEST_PROBABILITY))


def score_probabilities(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
    bins: int = 15,
    threshold: float | None = None,
    positive: int = 1,
    progress: Progress = lambda done, total: None,
) -> ClassificationScores:
    """Score `probabilities` float64[rows, classes] against `labels` int[rows], rows >= 1.

    Metrics, in this order: loss (nats), accuracy, balanced_accuracy, macro_precision,
    macro_recall, macro_f1, then precision_, recall_ and f1_ of each class, roc_auc and pr_auc
    (two classes: of `classes[positive]`; more: each class against the rest, averaged), brier
    (two classes: between 0 and 1; more: the sum over the classes, between 0 and 2), ece
    (expected calibration error over `bins` bins of equal width, Guo et al. 2017).
    `threshold` decides as in `predicted_classes`. A score that is not defined, because no row
    has some class, is NaN, or 0 where scikit-learn says so, and a note names the class.
    """
    predicted = predicted_classes(probabilities, threshold=threshold, positive=positive)
    values = _values(probabilities, labels, predicted, classes, bins=bins, positive=positive)
    notes = _notes_on_classes(labels, classes)
    rows = len(labels)
    if rows < LEAST_ROWS:
        notes.append(f"No intervals: there are {rows} rows and {LEAST_ROWS} are needed.")
        metrics = {name: Estimate(value, None, None) for name, value in values.items()}
    else:
        drawn = max(min(resamples, LEAST_RESAMPLES), min(resamples, MOST_DRAWS // rows))
        if drawn < resamples:
            notes.append(
                f"Intervals come from {drawn} resamples instead of {resamples}, because there are "
                f"{rows:,} rows."
            )
        weighted = _WeightedScores(
            probabilities, labels, predicted, classes, bins=bins, positive=positive
        )
        redrawn = _redraw(weighted, rows, resamples=drawn, seed=seed, progress=progress)
        metrics = {
            name: _interval(value, np.array([scores[name] for scores in redrawn]))
            for name, value in values.items()
        }
    return ClassificationScores(
        metrics=metrics,
        confusion=confusion_matrix(labels, predicted, len(classes)),
        classes=tuple(classes),
        notes=tuple(notes),
    )


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """int64[classes, classes]: rows are true classes, columns predicted ones."""
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def calibration_curve(
    probabilities: np.ndarray, labels: np.ndarray, bins: int
) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, rows) of every bin of confidence that is not empty.

    Confidence is the largest probability of a row, which is the probability of being right if
    the model is calibrated.
    """
    confidence, correct, bin_of_row = _confidences(probabilities, labels, bins)
    counts = np.bincount(bin_of_row, minlength=bins)
    confidences = np.bincount(bin_of_row, confidence, bins)
    hits = np.bincount(bin_of_row, correct, bins)
    return [
        (float(confidences[i] / counts[i]), float(hits[i] / counts[i]), int(counts[i]))
        for i in np.flatnonzero(counts)
    ]


def worst_errors(
    probabilities: np.ndarray,
    labels: np.ndarray,
    count: int,
    *,
    threshold: float | None = None,
    positive: int = 1,
) -> np.ndarray:
    """The wrong rows whose true class got the least probability, at most `count`: int64[...]."""
    predicted = predicted_classes(probabilities, threshold=threshold, positive=positive)
    wrong = np.flatnonzero(predicted != labels)
    order = np.argsort(probabilities[wrong, labels[wrong]], kind="stable")
    return wrong[order[:count]]


def _values(
    probabilities: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    *,
    bins: int,
    positive: int,
) -> dict[str, float]:
    """The scores of the rows as they are, by scikit-learn."""
    from sklearn import metrics

    count = len(classes)
    ids = np.arange(count)
    zero: Any = 0.0  # scikit-learn declares it narrower than its documentation
    precision, recall, f1, _ = (
        np.asarray(score)
        for score in metrics.precision_recall_fscore_support(
            labels, predicted, labels=ids, zero_division=zero
        )
    )
    recall_of_present = recall[np.isin(ids, labels)]
    truth = labels[:, np.newaxis] == ids
    ranked = [positive] if count == 2 else list(range(count))
    aucs, precisions = [], []
    for i in ranked:
        is_defined = 0 < truth[:, i].sum() < len(labels)
        aucs.append(
            metrics.roc_auc_score(truth[:, i], probabilities[:, i]) if is_defined else math.nan
        )
        precisions.append(
            metrics.average_precision_score(truth[:, i], probabilities[:, i])
            if truth[:, i].any()
            else math.nan
        )
    named: dict[str, Any] = {
        "loss": float(row_losses(probabilities, labels).mean()),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": recall_of_present.mean(),
        "macro_precision": precision.mean(),
        "macro_recall": recall.mean(),
        "macro_f1": f1.mean(),
    }
    for i, name in enumerate(classes):
        named[f"precision_{name}"] = precision[i]
        named[f"recall_{name}"] = recall[i]
        named[f"f1_{name}"] = f1[i]
    named["roc_auc"] = np.mean(aucs)
    named["pr_auc"] = np.mean(precisions)
    named["brier"] = _row_brier(probabilities, labels).mean()
    named["ece"] = sum(
        rows * abs(confidence - accuracy)
        for confidence, accuracy, rows in calibration_curve(probabilities, labels, bins)
    ) / len(labels)
    return {name: float(value) for name, value in named.items()}


def _row_brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared distance from the truth, float64[rows]; halved for two classes, as is usual."""
    classes = probabilities.shape[1]
    distance = probabilities - (labels[:, np.newaxis] == np.arange(classes))
    return (distance**2).sum(axis=1) / (2.0 if classes == 2 else 1.0)


def _confidences(
    probabilities: np.ndarray, labels: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence float64[rows], whether it was right float64[rows], its bin int64[rows]."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Bins are open on the left: a confidence of exactly 1 belongs to the last one.
    bin_of_row = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return confidence, correct, bin_of_row


def _notes_on_classes(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    present = np.bincount(labels, minlength=len(classes)) > 0
    missing = [name for name, found in zip(classes, present, strict=True) if not found]
    if not missing:
        return []
    return [
        f"No row is labelled {', '.join(missing)}: recall and F1 there are 0, and areas under "
        "curves are not defined."
    ]


def _interval(value: float, redrawn: np.ndarray) -> Estimate:
    redrawn = redrawn[np.isfinite(redrawn)]
    if not math.isfinite(value) or not len(redrawn):
        return Estimate(value, None, None)
    low, high = np.percentile(redrawn, _PERCENTILES)
    return Estimate(value, float(low), float(high))


def _redraw(
    scores: "_WeightedScores", rows: int, *, resamples: int, seed: int, progress: Progress
) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    redrawn = []
    for i in range(resamples):
        weights = np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)
        redrawn.append(scores(weights))
        progress(i + 1, resamples)
    return redrawn


class _WeightedScores:
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
        self._rankings = [_Ranking(probabilities[:, i], labels == i) for i in ranked]

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """Scores by the names of `score_probabilities`, for weights float64[rows]."""
        count, total = len(self._classes), weights.sum()
        cells = np.bincount(self._cells, weights, count * count).reshape(count, count)
        hits, true, predicted = np.diagonal(cells), cells.sum(axis=1), cells.sum(axis=0)
        precision = hits / np.maximum(predicted, 1.0)
        recall = hits / np.maximum(true, 1.0)
        f1 = 2.0 * hits / np.maximum(true + predicted, 1.0)
        named = {
            "loss": self._losses @ weights / total,
            "accuracy": hits.sum() / total,
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
        return named


class _Ranking:
    """Rows sorted by falling score, for areas under curves."""

    def __init__(self, scores: np.ndarray, truth: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._truth = truth[self._order].astype(np.float64)
        # Equal scores are one step of the curve, which ends at the last of them.
        distinct = np.diff(scores[self._order]) != 0
        self._ends = np.append(np.flatnonzero(distinct), len(scores) - 1)

    def areas(self, weights: np.ndarray) -> tuple[float, float]:
        """Area under the ROC curve and average precision; NaN where they are not defined."""
        weights = weights[self._order]
        hits = np.cumsum(weights * self._truth)[self._ends]
        called = np.cumsum(weights)[self._ends]
        alarms = called - hits
        if hits[-1] == 0.0:
            return math.nan, math.nan
        new_hits = np.diff(hits, prepend=0.0)
        average_precision = (new_hits * hits / np.maximum(called, 1.0)).sum() / hits[-1]
        if alarms[-1] == 0.0:
            return math.nan, average_precision
        new_alarms = np.diff(alarms, prepend=0.0)
        area = (new_alarms * (hits - new_hits / 2.0)).sum() / (hits[-1] * alarms[-1])
        return area, average_precision
