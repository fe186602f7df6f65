"""95 % intervals of resampled scores, counts at their limits, cross-validations and comparisons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnkit.runs.records import Estimate, metric

LEAST_BLOCKS = 10
"""With fewer blocks an interval would say more about the blocks than about the model."""

MOST_BLOCKS = 4096
"""More are joined in pairs: it changes nothing for the interval and bounds time and memory."""

EXACT_UP_TO = 1000
"""Disagreements up to which McNemar's test is computed from the binomial distribution."""

_DRAWS_AT_ONCE = 2**20
_TAIL = 0.025
"""Probability on either side of an interval."""


def percentile_interval(value: float, resampled: np.ndarray) -> Estimate:
    """Return `value` with the percentiles of the same score of resampled data (Efron 1979).

    Args:
        value: the score.
        resampled: float64[resamples]; what is not finite is left out.
    """
    resampled = resampled[np.isfinite(resampled)]
    if not math.isfinite(value) or not len(resampled):
        return Estimate(value, None, None)
    low, high = np.percentile(resampled, (100 * _TAIL, 100 * (1 - _TAIL)))
    return Estimate(value, float(low), float(high))


def limit_interval(value: float, trials: float) -> Estimate:
    """Return the exact interval of a proportion of 0 or 1 (Clopper and Pearson 1934).

    Resampling cannot give it, for every resample of equal outcomes is the same. 60 of 60 has
    (0.94, 1), 0 of 60 (0, 0.06).
    """
    distance = 1.0 - _TAIL ** (1.0 / trials)
    return Estimate(value, 0.0, distance) if value == 0.0 else Estimate(value, 1.0 - distance, 1.0)


class Totals(NamedTuple):
    """Sums over the blocks that a text was cut into; every array is float64[blocks].

    `losses` is in nats, `correct` counts correct predictions, `characters` and `words` are those
    that the tokens stand for in the text (`data.text_counts`).
    """

    losses: np.ndarray
    correct: np.ndarray
    tokens: np.ndarray
    characters: np.ndarray
    words: np.ndarray

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.tokens)


def estimate(
    totals: Totals, *, resamples: int, seed: int, per_word: bool = False
) -> dict[str, Estimate]:
    """Return loss, bits per character, perplexity and accuracy with 95 % intervals.

    With `per_word` the perplexity per word, too.

    Whole blocks are resampled with replacement (block bootstrap): neighbouring tokens are too
    alike to count as independent.
    """
    sums = np.stack(totals)
    values = _scores(sums.sum(axis=1, keepdims=True))
    if not per_word or not totals.words.any():
        del values["perplexity_per_word"]
    if totals.blocks < LEAST_BLOCKS:
        return {name: Estimate(float(value[0]), None, None) for name, value in values.items()}
    # Joins neighbouring blocks until there are at most `MOST_BLOCKS`.
    size = -(-totals.blocks // MOST_BLOCKS)
    joined = np.add.reduceat(sums, np.arange(0, totals.blocks, size), axis=1)
    resampled = _scores(_resample(joined, resamples=resamples, seed=seed))
    estimates = {
        name: percentile_interval(float(value[0]), resampled[name])
        for name, value in values.items()
    }
    if (accuracy := estimates["accuracy"].value) in (0.0, 1.0):
        # As if a block were one trial: the tokens in it are not independent.
        estimates["accuracy"] = limit_interval(accuracy, totals.blocks)
    return estimates


def _scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores float64[n] of sums float64[5, n] in the order of `Totals`."""
    losses, correct, tokens, characters, words = sums
    loss = losses / tokens
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return {
            "loss": loss,
            "bits_per_character": losses / characters / math.log(2.0),
            "perplexity": np.exp(loss),
            "perplexity_per_word": np.exp(losses / words),
            "accuracy": correct / tokens,
        }


def _resample(sums: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Return sums of blocks resampled with replacement, float64[5, resamples].

    `sums` is float64[5, blocks].
    """
    rng = np.random.default_rng(seed)
    blocks = sums.shape[1]
    at_once = max(1, _DRAWS_AT_ONCE // blocks)
    resampled = np.empty((len(sums), resamples))
    for start in range(0, resamples, at_once):
        part = resampled[:, start : start + at_once]
        chosen = rng.integers(0, blocks, (part.shape[1], blocks))
        for row, target in zip(sums, part, strict=True):
            row[chosen].sum(axis=1, out=target)
    return resampled


# -------------------------------------------------------------------------- cross-validation


@dataclass(frozen=True)
class FoldScores:
    """One metric over the folds."""

    mean: Estimate
    """Mean with a 95 % interval."""
    deviation: float
    """Standard deviation between folds."""
    folds: tuple[float, ...]


def summarize_folds(scores: Sequence[Mapping[str, float]], *, rows: int) -> dict[str, FoldScores]:
    """Return mean, deviation and interval of every metric, over two folds or more.

    The training splits of two folds overlap, so their scores are not independent and the usual
    interval would be too narrow. This one widens the variance of the mean from 1/k to
    1/k + 1/(k - 1), the second term being the ratio of test to training texts (Nadeau and Bengio
    2003). It ends where the metric does, and where every fold is at that limit it is the exact one
    of `rows` texts.

    Args:
        scores: metrics by name, one mapping for each fold.
        rows: texts of all folds together.
    """
    from scipy import stats

    folds = len(scores)
    widened = float(stats.t.ppf(1 - _TAIL, folds - 1)) * math.sqrt(1 / folds + 1 / (folds - 1))
    summary = {}
    for name in scores[0]:
        values = np.array([fold[name] for fold in scores], np.float64)
        mean, deviation = float(values.mean()), float(values.std(ddof=1))
        lowest, highest = metric(name).bounds
        if deviation == 0.0 and mean in (0.0, 1.0) and (lowest, highest) == (0.0, 1.0):
            estimate = limit_interval(mean, rows)
        else:
            margin = widened * deviation
            estimate = Estimate(mean, max(mean - margin, lowest), min(mean + margin, highest))
        summary[name] = FoldScores(estimate, deviation, tuple(values.tolist()))
    return summary


# ------------------------------------------------------------------------------- comparison


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
    """Two classifiers on the same texts.

    `differences` holds second minus first of accuracy and macro_f1, with paired 95 % intervals.
    """

    both_right: int
    both_wrong: int
    mcnemar: McNemar
    differences: dict[str, Estimate]


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Return McNemar's two-sided test on the texts that only one of two classifiers has right.

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
    """Return second minus first, float64[n], of counts int[n, label, first, second]."""
    first = _accuracy_and_f1(cells.sum(axis=3))
    second = _accuracy_and_f1(cells.sum(axis=2))
    return {name: second[name] - first[name] for name in first}


def _accuracy_and_f1(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores float64[n] of counts int[n, label, predicted]."""
    correct = np.diagonal(confusion, axis1=1, axis2=2)
    either = confusion.sum(axis=1) + confusion.sum(axis=2)
    return {
        "accuracy": correct.sum(axis=1) / confusion.sum(axis=(1, 2)),
        "macro_f1": (2.0 * correct / np.maximum(either, 1)).mean(axis=1),
    }
