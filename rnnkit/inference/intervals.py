"""95 % intervals: of resampled scores, of counts at their limits, of cross-validation."""

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
