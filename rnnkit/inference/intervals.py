"""Scores with the uncertainty that comes from the text being finite."""

import math
from dataclasses import dataclass

import numpy as np

from rnnkit.runs.records import Estimate

LEAST_BLOCKS = 10
"""With fewer blocks an interval would say more about the blocks than about the model."""

MOST_BLOCKS = 4096
"""More are joined in pairs: it changes nothing for the interval and bounds time and memory."""

_DRAWS_AT_ONCE = 2**20
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Totals:
    """Sums over the blocks that a text was cut into; every array is float64[blocks].

    `losses` is in nats, `correct` counts tokens predicted right, `characters` and `words` what
    the tokens stand for in the text (`data.extents`).
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
    """Loss, bits per character, perplexity and accuracy with 95 % bootstrap intervals, and with
    `per_word` the perplexity per word.

    Whole blocks are drawn with replacement (block bootstrap): neighbouring tokens are too alike
    to count as independent. Intervals are the percentiles of the redrawn scores (Efron 1979).
    """
    columns = (totals.losses, totals.correct, totals.tokens, totals.characters, totals.words)
    sums = np.stack(columns)
    whole = sums.sum(axis=1, keepdims=True)
    values = _scores(whole)
    if not per_word or not whole[-1]:
        del values["perplexity_per_word"]
    if totals.blocks < LEAST_BLOCKS:
        return {name: Estimate(float(value[0]), None, None) for name, value in values.items()}
    redrawn = _scores(_redraw(_join(sums), resamples=resamples, seed=seed))
    estimates = {}
    for name, value in values.items():
        low, high = np.percentile(redrawn[name], _PERCENTILES)
        estimates[name] = Estimate(float(value[0]), float(low), float(high))
    return estimates


def _scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores float64[n] from sums float64[5, n] in the order of `Totals`."""
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


def _join(sums: np.ndarray) -> np.ndarray:
    """Join neighbouring blocks until there are at most `MOST_BLOCKS`."""
    size = -(-sums.shape[1] // MOST_BLOCKS)
    if size == 1:
        return sums
    return np.add.reduceat(sums, np.arange(0, sums.shape[1], size), axis=1)


def _redraw(sums: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Sums of blocks drawn with replacement: float64[5, blocks] -> float64[5, resamples]."""
    rng = np.random.default_rng(seed)
    blocks = sums.shape[1]
    at_once = max(1, _DRAWS_AT_ONCE // blocks)
    redrawn = np.empty((len(sums), resamples))
    for start in range(0, resamples, at_once):
        part = redrawn[:, start : start + at_once]
        draws = rng.integers(0, blocks, (part.shape[1], blocks))
        for row, target in zip(sums, part, strict=True):
            row[draws].sum(axis=1, out=target)
    return redrawn
