"""Two ways to attribute the probability of a class to the words of a text.

Shapley values: what each token adds on average, over all orders in which the tokens could be put
in (Shapley 1953; for the features of a model Strumbelj and Kononenko 2014). Tokens that are not in
a subset are left out, the others keep the order of the text.

Integrated gradients: what the vector of a token adds while all vectors grow from zero
(Sundararajan, Taly and Yan 2017).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.network.reference import Network, run, softmax
from rnnkit.network.reference_gradients import gradients

Progress = Callable[[int, int], None]

Worth = Callable[[Sequence[Sequence[int]]], np.ndarray]
"""Texts, as ids, to what each is worth: float64[texts]."""


def exact_shapley(ids: Sequence[int], worth: Worth) -> np.ndarray:
    """Compute the Shapley value of every token, float64[tokens], from all 2**tokens subsets.

    A token is worth the mean, over all orders, of what it adds to those before it; all orders in
    which the same subset S stands before it make |S|! (n - |S| - 1)! of the n!.
    """
    n = len(ids)
    members = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1  # [subsets, tokens]
    worths = worth([[ids[i] for i in np.flatnonzero(row).tolist()] for row in members])
    sizes = members.sum(axis=1)
    share = np.array(
        [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    )
    values = np.empty(n)
    for token in range(n):
        without = np.flatnonzero(members[:, token] == 0)
        added = worths[without | (1 << token)] - worths[without]
        values[token] = (share[sizes[without]] * added).sum()
    return values


def sampled_shapley(
    ids: Sequence[int],
    worth: Worth,
    *,
    pairs: int,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values estimated from random orders, and their standard errors: float64[tokens].

    Each order comes with its reverse: a token that came early, with little before it, then comes
    late, which cancels much of the variance. The error is that of a mean over pairs. Whatever is
    drawn, the values add up to what the whole text is worth minus what the empty one is.

    `worth` is asked once for every order; the two ends are the same for all of them and asked for
    once. Raises ValueError for fewer than two pairs, from which no error can be told.
    """
    if pairs < 2:
        raise ValueError(f"pairs is {pairs} and not at least 2")
    n = len(ids)
    empty, whole = worth([[], list(ids)])
    draw = np.random.default_rng(seed)
    found = np.empty((pairs, n))
    for pair in range(pairs):
        order = draw.permutation(n)
        both = [_added(ids, each, worth, empty, whole) for each in (order, order[::-1])]
        found[pair] = (both[0] + both[1]) / 2
        progress(2 * (pair + 1), 2 * pairs)
    return found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(pairs)


def _added(
    ids: Sequence[int], order: np.ndarray, worth: Worth, empty: float, whole: float
) -> np.ndarray:
    """Compute what each token adds in this `order` of tokens, float64[tokens]."""
    inner = worth(list(_growing(ids, order))) if len(ids) > 1 else np.empty(0)
    steps = np.diff(np.concatenate([[empty], inner, [whole]]))
    added = np.empty(len(ids))
    added[order] = steps
    return added


def _growing(ids: Sequence[int], order: np.ndarray) -> Iterator[list[int]]:
    """Yield the subsets between the empty and the whole text, each in the order of the text."""
    is_in = np.zeros(len(ids), dtype=bool)
    for place in order[:-1]:
        is_in[place] = True
        yield [ids[i] for i in np.flatnonzero(is_in).tolist()]


# ------------------------------------------------------------------------- integrated gradients


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
    """Compute what each of `ids` int64[tokens] adds to the probability of class `label`.

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
    """Differentiate the probability of `label` by `vectors`: float64[tokens, size]."""
    trace = run(network, inputs=vectors[np.newaxis])
    p = softmax(trace.logits / temperature)
    d_logits = p[:, label] * ((np.arange(p.shape[1]) == label) - p) / temperature
    return gradients(network, trace, d_logits).inputs[0]


def _probability(network: Network, vectors: np.ndarray, label: int, temperature: float) -> float:
    logits = run(network, inputs=vectors[np.newaxis]).logits[0]
    return float(softmax(logits / temperature)[label])
