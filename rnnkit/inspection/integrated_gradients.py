"""Integrated gradients of a classifier (Sundararajan, Taly and Yan 2017)."""

from dataclasses import dataclass, replace

import numpy as np

from rnnkit.network.reference import Network
from rnnkit.network.reference_classifier import gradients_of_classifier, run_classifier
from rnnkit.network.reference_stack import softmax


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
    # A network whose table is the text itself reads any vectors.
    own = replace(network, embeddings=vectors)
    trace = run_classifier(own, np.arange(len(vectors)))
    p = softmax(trace.logits / temperature)
    d_logits = p[label] * ((np.arange(len(p)) == label) - p) / temperature
    first_layer = gradients_of_classifier(own, trace, d_logits)[0]
    return np.sum([cell.inputs[0] for cell in first_layer], axis=0)


def _probability(network: Network, vectors: np.ndarray, label: int, temperature: float) -> float:
    own = replace(network, embeddings=vectors)
    logits = run_classifier(own, np.arange(len(vectors))).logits
    return float(softmax(logits / temperature)[label])
