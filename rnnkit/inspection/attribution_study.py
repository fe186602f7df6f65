"""Which words made a decision, and how it formed while the text was read.

Three ways to attribute the probability p of a class to the words of a text:

- leave-one-out: p of the text minus p without the word, as `predict --explain` shows it. One
  reading a word, but words that say the same cover for each other, and both then count little.
- Shapley values: what the word adds on average over all orders in which the words could be put
  in. They add up to p of the text minus p of the empty text. Exact for short texts, else
  estimated, with a standard error.
- integrated gradients: what the word's vector adds as all vectors grow from zero. They add up to
  p of the text minus p of as many vectors of zero.

A positive number always means that the word raises the probability of the class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.errors import UsageError
from rnnkit.inference.decision import softmax
from rnnkit.inspection.attribution_methods import (
    Progress,
    exact_shapley,
    integrated_gradients,
    sampled_shapley,
)
from rnnkit.network.reference import Network
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.tasks.text_classification.explain import leave_one_out
from rnnkit.text.encoder import UNKNOWN

MOST_EXACT = 10
"""Tokens up to which all subsets are read: 1,024 of them."""


@dataclass(frozen=True)
class LeaveOneOut:
    """Read the text once without each token."""


@dataclass(frozen=True)
class Shapley:
    """Texts of more than MOST_EXACT tokens are estimated from `pairs` (2 or more) of random
    orders, which `seed` decides."""

    pairs: int = 32
    seed: int = 0


@dataclass(frozen=True, eq=False)
class IntegratedGradients:
    """The gradients of `network`, which is that of the classifier, at `points` of the path."""

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


@dataclass(frozen=True, eq=False)
class _Changes:
    """Changes and standard errors float64[tokens]."""

    changes: np.ndarray
    errors: np.ndarray
    baseline: float | None = None
    compared_with: str = ""
    is_sampled: bool = False


def attribute(
    classifier: Classifier,
    text: str,
    *,
    method: Method,
    explained: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Attributions:
    """Attribute the probability of a class to the tokens that the classifier reads.

    Args:
        classifier: of a run.
        text: any; one without a token has no attributions.
        method: of attributing.
        explained: index of the class; None is the one decided for.
        progress: called with random orders done, and in all.

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    names = classifier.encoder.tokenize(text)
    # A text without tokens is encoded as one unknown token, which is no token of it.
    ids = classifier.encoder.encode(text)[: len(names)]
    read = _reader(classifier)
    probabilities = read([ids, [], *(ids[:end] for end in range(1, len(ids) + 1))])
    whole, empty, after_each = probabilities[0], probabilities[1], probabilities[2:]
    label = int(classifier.choose(whole[np.newaxis])[0])
    explained = label if explained is None else explained
    none = _Changes(np.empty(0), np.empty(0))
    changes = _attributed(classifier, text, ids, method, explained, progress) if ids else none
    return Attributions(
        text=text,
        label=label,
        explained=explained,
        probabilities=whole,
        empty=empty,
        baseline=changes.baseline,
        compared_with=changes.compared_with,
        tokens=tuple(
            Attribution(name, float(change), float(error), is_known=index != UNKNOWN)
            for name, change, error, index in zip(
                names, changes.changes, changes.errors, ids, strict=True
            )
        ),
        after_each=after_each,
        is_sampled=changes.is_sampled,
    )


def _attributed(
    classifier: Classifier,
    text: str,
    ids: list[int],
    method: Method,
    explained: int,
    progress: Progress,
) -> _Changes:
    read = _reader(classifier)

    def worth(subsets: Sequence[Sequence[int]]) -> np.ndarray:
        return read(subsets)[:, explained]

    exact = np.zeros(len(ids))
    match method:
        case LeaveOneOut():
            return _Changes(leave_one_out(ids, worth), exact)
        case Shapley() if len(ids) <= MOST_EXACT:
            empty = float(worth([[]])[0])
            return _Changes(exact_shapley(ids, worth), exact, empty, "an empty text")
        case Shapley(pairs=pairs, seed=seed):
            changes, errors = sampled_shapley(ids, worth, pairs=pairs, seed=seed, progress=progress)
            empty = float(worth([[]])[0])
            return _Changes(changes, errors, empty, "an empty text", is_sampled=True)
        case IntegratedGradients(network=network, points=points):
            found = integrated_gradients(
                network,
                np.array(ids),
                label=explained,
                temperature=classifier.decision.temperature,
                points=points,
            )
            return _Changes(found.values, exact, found.baseline, "vectors of zero")
        case _:
            assert_never(method)


def _reader(classifier: Classifier) -> Callable[[Sequence[Sequence[int]]], np.ndarray]:
    """Return a function from texts as ids to probabilities float64[texts, classes]."""

    def read(texts: Sequence[Sequence[int]]) -> np.ndarray:
        return softmax(classify(classifier, texts), classifier.decision.temperature)

    return read


def class_index(classifier: Classifier, name: str | None) -> int | None:
    """Return the index of the class called `name`; None for None.

    Raises:
        UsageError: there is no such class.
    """
    if name is None:
        return None
    if name not in classifier.classes:
        raise UsageError(
            f"--class {name!r}: this run has no such class; it has {', '.join(classifier.classes)}."
        )
    return classifier.classes.index(name)
