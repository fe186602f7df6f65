"""Whether one classifier is better than another on the same texts, or was only luckier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.inference.intervals import percentile_interval
from rnnkit.runs.records import Estimate

EXACT_UP_TO = 1000
"""Disagreements up to which McNemar's test is computed from the binomial distribution."""


@dataclass(frozen=True)
class McNemar:
    """McNemar's test (1947) of whether two classifiers have the same accuracy.

    `only_first` texts were right in the first classifier only, `only_second` in the second only.
    `p_value` is the probability of a difference at least as large if both were equally good.
    """

    only_first: int
    only_second: int
    p_value: float
    exact: bool


@dataclass(frozen=True)
class Comparison:
    """The second classifier beside the first.

    `differences` holds second minus first of accuracy and macro_f1, with paired 95 % intervals.
    """

    both_right: int
    both_wrong: int
    mcnemar: McNemar
    differences: dict[str, Estimate]


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Two-sided test on the texts that one classifier has right and the other wrong.

    Exact (binomial with probability 1/2) up to `EXACT_UP_TO` of them, beyond that by the
    chi-squared distribution with one degree of freedom and Edwards's continuity correction.
    """
    total = only_first + only_second
    if total <= EXACT_UP_TO:
        tail = sum(math.comb(total, i) for i in range(min(only_first, only_second) + 1))
        # Python's integers: 2**1000 would not fit into a float.
        p_value = min(1.0, 2 * tail / 2**total)
        return McNemar(only_first, only_second, p_value, exact=True)
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / total
    return McNemar(only_first, only_second, math.erfc(math.sqrt(statistic / 2)), exact=False)


def compare_predictions(
    first: np.ndarray,
    second: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> Comparison:
    """Compare the classes int[rows] that two models gave to the same texts, rows >= 1.

    Rows are resampled together with both predictions (paired bootstrap), so that texts which are
    hard for both do not widen the interval.
    """
    first_right, second_right = first == labels, second == labels
    count = len(classes)
    shape = (count, count, count)
    cells = np.bincount(
        np.ravel_multi_index((labels, first, second), shape), minlength=count**3
    ).reshape(shape)
    rows = len(labels)
    chosen = np.random.default_rng(seed).multinomial(rows, cells.ravel() / rows, resamples)
    resampled = _differences(chosen.reshape(-1, *shape))
    differences = {
        name: percentile_interval(float(value[0]), resampled[name])
        for name, value in _differences(cells[np.newaxis]).items()
    }
    return Comparison(
        both_right=int((first_right & second_right).sum()),
        both_wrong=int((~first_right & ~second_right).sum()),
        mcnemar=mcnemar(
            int((first_right & ~second_right).sum()), int((~first_right & second_right).sum())
        ),
        differences=differences,
    )


def _differences(cells: np.ndarray) -> dict[str, np.ndarray]:
    """Second minus first, float64[n], from counts int[n, label, first, second]."""
    first = _scores(cells.sum(axis=3))
    second = _scores(cells.sum(axis=2))
    return {name: second[name] - first[name] for name in first}


def _scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Scores float64[n] from int[n, label, predicted]."""
    correct = np.diagonal(confusion, axis1=1, axis2=2)
    either = confusion.sum(axis=1) + confusion.sum(axis=2)
    return {
        "accuracy": correct.sum(axis=1) / confusion.sum(axis=(1, 2)),
        "macro_f1": (2.0 * correct / np.maximum(either, 1)).mean(axis=1),
    }
