"""Which words made a decision, and how it formed while the text was read.

Three ways to attribute the probability p of a class to the words of a text:

- leave-one-out: p of the text minus p without the word, as `predict --explain` shows it. One
  reading a word, but words that say the same cover for each other, and both then count little.
- Shapley values: what the word adds on average over all orders in which the words could be put
  in (Shapley 1953; for the features of a model Strumbelj and Kononenko 2014). They add up to p of
  the text minus p of the empty text. Words that are not in a subset are left out. Exact for short
  texts, else estimated, with a standard error.
- integrated gradients: what the word's vector adds as all vectors grow from zero (Sundararajan,
  Taly and Yan 2017). They add up to p of the text minus p of as many vectors of zero.

A positive number always means that the word raises the probability of the class.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, assert_never

import numpy as np

from rnnkit.inference.decision import softmax
from rnnkit.network.reference import Network, run
from rnnkit.network.reference_gradients import gradients
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.tasks.text_classification.explain import leave_one_out
from rnnkit.text.encoder import UNKNOWN

Progress = Callable[[int, int], None]

Worth = Callable[[Sequence[Sequence[int]]], np.ndarray]
"""Texts, as ids, to what each is worth: float64[texts]."""

MOST_EXACT = 10
"""Tokens up to which all subsets are read: 1,024 of them."""


@dataclass(frozen=True)
class LeaveOneOut:
    """Read the text once without each token."""

    option: ClassVar = "leave-one-out"
    title: ClassVar = "leave-one-out"
    compared_with: ClassVar = ""


@dataclass(frozen=True)
class Shapley:
    """Texts of more than MOST_EXACT tokens are estimated from `pairs` (2 or more) of random
    orders, which `seed` decides."""

    option: ClassVar = "shapley"
    title: ClassVar = "Shapley values"
    compared_with: ClassVar = "an empty text"
    pairs: int = 32
    seed: int = 0


@dataclass(frozen=True, eq=False)
class IntegratedGradients:
    """The gradients of `network`, which is that of the classifier, at `points` of the path."""

    option: ClassVar = "integrated-gradients"
    title: ClassVar = "integrated gradients"
    compared_with: ClassVar = "vectors of zero"
    network: Network
    points: int = 32


Method = LeaveOneOut | Shapley | IntegratedGradients


@dataclass(frozen=True)
class Attribution:
    """What one token adds to the probability of the class.

    `error` is the standard error, 0 where nothing was sampled. `is_known` is whether the
    vocabulary has the token.
    """

    token: str
    change: float
    error: float
    is_known: bool


@dataclass(frozen=True, eq=False)
class Attributions:
    """A text, its decision and its words.

    `probabilities` float64[classes] are those of the text, `empty` those of a text without any
    token, which the classifier reads as one unknown word. `label` is the class it decides for and
    `explained` the class whose probability is attributed. `baseline` is the probability of that
    class for what the method compares the text with, which is `compared_with`; leave-one-out has
    None and "". `after_each` float64[tokens, classes] are the probabilities of the text cut after
    each token. `is_sampled` tells that the changes are estimates.
    """

    text: str
    label: int
    explained: int
    probabilities: np.ndarray
    empty: np.ndarray
    baseline: float | None
    compared_with: str
    tokens: tuple[Attribution, ...]
    after_each: np.ndarray
    is_sampled: bool

    @property
    def total(self) -> float:
        """The sum of all changes."""
        return sum(token.change for token in self.tokens)

    @property
    def largest(self) -> float:
        """The largest absolute change; the end of a scale of colours."""
        return max((abs(token.change) for token in self.tokens), default=0.0)


def attribute(
    classifier: Classifier,
    text: str,
    *,
    method: Method,
    explained: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Attributions:
    """Attribute the probability of a class to the tokens that the classifier reads.

    `explained` is the index of the class, None for the one decided for. `progress` is called with
    random orders done, and in all.

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    names = classifier.encoder.tokenize(text)
    # A text without tokens is encoded as one unknown token, which is no token of it.
    ids = classifier.encoder.encode(text)[: len(names)]

    def read(texts: Sequence[Sequence[int]]) -> np.ndarray:
        return softmax(classify(classifier, texts), classifier.decision.temperature)

    probabilities = read([ids, [], *(ids[:end] for end in range(1, len(ids) + 1))])
    whole, empty, after_each = probabilities[0], probabilities[1], probabilities[2:]
    label = int(classifier.choose(whole[np.newaxis])[0])
    explained = label if explained is None else explained

    def worth(subsets: Sequence[Sequence[int]]) -> np.ndarray:
        return read(subsets)[:, explained]

    changes, errors, baseline = np.empty(0), np.empty(0), None
    if ids:
        changes, errors, baseline = _changes(
            classifier, ids, worth, method=method, explained=explained, progress=progress
        )
    return Attributions(
        text=text,
        label=label,
        explained=explained,
        probabilities=whole,
        empty=empty,
        baseline=baseline,
        compared_with=method.compared_with if ids else "",
        tokens=tuple(
            Attribution(name, float(change), float(error), is_known=index != UNKNOWN)
            for name, change, error, index in zip(names, changes, errors, ids, strict=True)
        ),
        after_each=after_each,
        is_sampled=isinstance(method, Shapley) and len(ids) > MOST_EXACT,
    )


def _changes(
    classifier: Classifier,
    ids: list[int],
    worth: Worth,
    *,
    method: Method,
    explained: int,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Return changes and standard errors float64[tokens], and the baseline of the method."""
    exact = np.zeros(len(ids))
    match method:
        case LeaveOneOut():
            return leave_one_out(ids, worth), exact, None
        case Shapley(pairs=pairs, seed=seed):
            empty = float(worth([[]])[0])
            if len(ids) <= MOST_EXACT:
                return exact_shapley(ids, worth), exact, empty
            return *sampled_shapley(ids, worth, pairs=pairs, seed=seed, progress=progress), empty
        case IntegratedGradients(network=network, points=points):
            changes, baseline = integrated_gradients(
                network,
                np.array(ids),
                label=explained,
                temperature=classifier.decision.temperature,
                points=points,
            )
            return changes, exact, baseline
        case _:
            assert_never(method)


# ------------------------------------------------------------------------------------- methods


def exact_shapley(ids: Sequence[int], worth: Worth) -> np.ndarray:
    """Compute the Shapley value of every token, float64[tokens], from all 2**tokens subsets.

    A token is worth the mean, over all orders, of what it adds to those before it; all orders in
    which the same subset S stands before it make |S|! (n - |S| - 1)! of the n!.
    """
    n = len(ids)
    members = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1  # [subsets, tokens]
    worths = worth([[ids[i] for i in np.flatnonzero(row).tolist()] for row in members])
    sizes = members.sum(axis=1)
    weights = np.array(
        [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    )
    values = np.empty(n)
    for token in range(n):
        without = np.flatnonzero(members[:, token] == 0)
        added = worths[without | (1 << token)] - worths[without]
        values[token] = (weights[sizes[without]] * added).sum()
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


def integrated_gradients(
    network: Network,
    ids: np.ndarray,
    *,
    label: int,
    temperature: float = 1.0,
    points: int,
) -> tuple[np.ndarray, float]:
    """Compute what each of `ids` int64[tokens] adds to the probability of class `label`.

    Returns float64[tokens] and the probability at the beginning of the path. The values add up
    to the probability of the text minus that, but for the error of the numerical integral.

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
    zero = run(network, inputs=np.zeros_like(vectors)[np.newaxis]).logits[0]
    return (total * vectors).sum(axis=1), float(softmax(zero / temperature)[label])


def _gradient(network: Network, vectors: np.ndarray, label: int, temperature: float) -> np.ndarray:
    """Differentiate the probability of `label` by `vectors`: float64[tokens, size]."""
    trace = run(network, inputs=vectors[np.newaxis])
    p = softmax(trace.logits / temperature)
    d_logits = p[:, label] * ((np.arange(p.shape[1]) == label) - p) / temperature
    return gradients(network, trace, d_logits).inputs[0]
