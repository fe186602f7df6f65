"""What the folds of a cross-validation say together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.runs.records import Estimate


@dataclass(frozen=True)
class FoldScores:
    """One metric over the folds."""

    mean: Estimate
    """Mean with a 95 % interval."""
    deviation: float
    """Standard deviation between folds."""
    folds: tuple[float, ...]


def summarize_folds(scores: Sequence[Mapping[str, float]]) -> dict[str, FoldScores]:
    """Mean, deviation and interval of every metric, over two folds or more.

    The training parts of two folds overlap, so their scores are not independent and the usual
    interval would be too narrow. This one widens the variance of the mean from 1/k to
    1/k + 1/(k - 1), the second term being the ratio of test to training texts (Nadeau and Bengio
    2003).
    """
    from scipy import stats

    folds = len(scores)
    widened = float(stats.t.ppf(0.975, folds - 1)) * math.sqrt(1 / folds + 1 / (folds - 1))
    summary = {}
    for name in scores[0]:
        values = np.array([fold[name] for fold in scores], np.float64)
        mean, deviation = float(values.mean()), float(values.std(ddof=1))
        margin = widened * deviation
        estimate = Estimate(mean, mean - margin, mean + margin)
        summary[name] = FoldScores(estimate, deviation, tuple(values.tolist()))
    return summary
