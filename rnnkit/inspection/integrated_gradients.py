"""Integrated gradients of a classifier (Sundararajan, Taly and Yan 2017)."""

from dataclasses import dataclass

import numpy as np

from rnnkit.network.reference import Network, run, softmax
from rnnkit.network.reference_gradients import gradients


@dataclass(frozen=True, eq=False)
class PathIntegral:
    """`values` float64[tokens], and the probabilities at the two ends of the path.

    The values add up to `whole - baseline`, but for the error of the numerical integral.
    """

    values: np.ndarray
    whole: float
    baseline: float


def integrated_gradients(
    network: Network,
    ids: np.ndarray,
    *,
    label: int,
    temperature: float = 1.0,
    points: int,
) -> PathIntegral:
    """What each of `ids` int64[tokens] adds to the probability of class `label`.

    The word vectors grow along a straight line from zero (as many tokens, none of which says
    anything) to those of the text; the gradient on the way, times the vector, is what the token
    adds. The integral is taken at `points` by the rule of Gauss and Legendre, which is exact for
    polynomials of a degree below twice their number.
    """
    vectors = network.table[ids]
    places, weights = np.polynomial.legendre.leggauss(points)
    total = np.zeros_like(vectors)
    for place, weight in zip((places + 1.0) / 2.0, weights / 2.0, strict=True):
        total += weight * _gradient(network, place * vectors, label, temperature)
    return PathIntegral(
        values=(total * vectors).sum(axis=1),
        whole=_probability(network, vectors, label, temperature),
        baseline=_probability(network, np.zeros_like(vectors), label, temperature),
    )


def _gradient(network: Network, vectors: np.ndarray, label: int, temperature: float) -> np.ndarray:
    """Of the probability of `label` by `vectors` float64[tokens, size]: the same shape."""
    trace = run(network, inputs=vectors[np.newaxis])
    p = softmax(trace.logits / temperature)
    d_logits = p[:, label] * ((np.arange(p.shape[1]) == label) - p) / temperature
    return gradients(network, trace, d_logits).inputs[0]


def _probability(network: Network, vectors: np.ndarray, label: int, temperature: float) -> float:
    logits = run(network, inputs=vectors[np.newaxis]).logits[0]
    return float(softmax(logits / temperature)[label])
