"""A model of words beside a Kneser-Ney trigram.

    python -m bench.words [--config configs/words.yaml] [--json]

Both models read the same tokens, with the same vocabulary and <unk>, and are scored on the same
held-out part, each token after all before it. The trigram is given the discounts that are best on
the held-out part itself, so that no choice of its constants could make it better. "Training" is the
time in the training loop, evaluation and checkpoints included.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.measure import REPOSITORY, answer

Ids = NDArray[np.int64]
Discounts = tuple[float, float, float]


@dataclass(frozen=True)
class _Order:
    """Counts of one order by key: of each n-gram, and of each context its total and how many
    different words follow it."""

    keys: Ids
    counts: Ids
    contexts: Ids
    totals: Ids
    followers: Ids

    def terms(
        self, keys: Ids, contexts: Ids, discount: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The discounted share of every n-gram, and what its context leaves to the next order."""
        count = _look_up(self.keys, self.counts, keys)
        total = _look_up(self.contexts, self.totals, contexts)
        followers = _look_up(self.contexts, self.followers, contexts)
        known = np.maximum(total, 1)
        left = np.where(total > 0, discount * followers / known, 1.0)
        return np.maximum(count - discount, 0.0) / known, left


@dataclass(frozen=True)
class Trigram:
    """The counts of a training text of `vocabulary_size` different ids."""

    vocabulary_size: int
    trigrams: _Order
    bigrams: _Order
    unigrams: _Order

    def estimated_discounts(self) -> Discounts:
        """n1 / (n1 + 2 n2) of every order, lowest first (Ney, Essen and Kneser 1994)."""
        one, two, three = (
            _discount(order.counts) for order in (self.unigrams, self.bigrams, self.trigrams)
        )
        return one, two, three

    def probabilities(self, ids: Ids, discounts: Discounts) -> NDArray[np.float64]:
        """Of `ids[1:]`, each after the two ids before it; the first one after one alone."""
        size = self.vocabulary_size
        first, second, third = discounts
        words, before = ids[1:], ids[:-1]
        own, left = self.unigrams.terms(words, np.zeros_like(words), first)
        single = own + left / size
        own, left = self.bigrams.terms(before * size + words, before, second)
        double = own + left * single
        pairs = ids[:-2] * size + ids[1:-1]
        own, left = self.trigrams.terms(pairs * size + ids[2:], pairs, third)
        return np.concatenate([double[:1], own + left * double[1:]])

    def perplexity(self, ids: Ids, discounts: Discounts) -> float:
        """Per token, of `ids[1:]`."""
        return float(np.exp(-np.log(self.probabilities(ids, discounts)).mean()))


def count_trigrams(ids: Ids, vocabulary_size: int) -> Trigram:
    """Count a training text, int64[tokens]."""
    size = vocabulary_size
    keys, counts = np.unique((ids[:-2] * size + ids[1:-1]) * size + ids[2:], return_counts=True)
    trigrams = _order(keys, counts, keys // size)
    # Every different trigram is one predecessor of its last two words, and so on.
    pairs = np.unique(ids[:-1] * size + ids[1:])
    lower, predecessors = np.unique(keys % (size * size), return_counts=True)
    bigrams = _order(lower, predecessors, lower // size)
    words, predecessors = np.unique(pairs % size, return_counts=True)
    return Trigram(size, trigrams, bigrams, _order(words, predecessors, np.zeros_like(words)))


def best_discounts(trigram: Trigram, ids: Ids) -> Discounts:
    """The discounts that are best on `ids` themselves, to a twentieth: a baseline that no choice
    of its constants could improve."""
    best = trigram.estimated_discounts()
    grid = np.arange(0.05, 1.0, 0.05).tolist()
    for place in (2, 1, 0, 2, 1, 0):
        best = min(
            (_replace(best, place, value) for value in grid),
            key=lambda discounts: trigram.perplexity(ids, discounts),
        )
    return best


def _replace(discounts: Discounts, place: int, value: float) -> Discounts:
    first, second, third = (
        value if index == place else discount for index, discount in enumerate(discounts)
    )
    return first, second, third


def _order(keys: Ids, counts: Ids, contexts: Ids) -> _Order:
    distinct, places, followers = np.unique(contexts, return_inverse=True, return_counts=True)
    totals = np.bincount(places, weights=counts).astype(np.int64)
    return _Order(keys, counts, distinct, totals, followers)


def _look_up(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    """`values[i]` where `keys[i]` is wanted, 0 where it is not among the sorted `keys`."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)


def _discount(counts: Ids) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once else 0.5


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, default=REPOSITORY / "configs" / "words.yaml")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = {
        "trigram": trigram(arguments.config),
        "model": model(arguments.config),
    }
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print("| model | perplexity per token | training, s |\n|---|---|---|")
    print(f"| Kneser-Ney trigram | {found['trigram']['perplexity']:.1f} | - |")
    own = found["model"]
    print(
        f"| {own['config']} | {own['metrics']['perplexity']['value']:.1f} "
        f"| {own['training_seconds']:.0f} |"
    )


def trigram(path: Path) -> dict[str, Any]:
    """Counted on the training part of a configuration, scored on its validation part."""
    from rnnkit.tasks.language_model.config import WordGenerationConfig
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.task import load_config

    config = load_config(path)
    assert isinstance(config, WordGenerationConfig)
    prepared = prepare(config)
    train, held_out = (
        np.asarray(prepared.split(name)).astype(np.int64) for name in ("train", "validation")
    )
    counted = count_trigrams(train, prepared.vocabulary.size)
    estimated, best = counted.estimated_discounts(), best_discounts(counted, held_out)
    return {
        "tokens": len(train),
        "vocabulary": prepared.vocabulary.size,
        "estimated_discounts": estimated,
        "perplexity_with_estimated_discounts": counted.perplexity(held_out, estimated),
        "discounts": best,
        "perplexity": counted.perplexity(held_out, best),
    }


def model(path: Path) -> dict[str, Any]:
    """Trained and scored by the real commands."""
    with tempfile.TemporaryDirectory() as runs:
        trained = answer("train", path, "--json", "--runs-dir", runs)
        scores = answer("evaluate", trained["run"], "--json", "--split", "validation")
    return {
        "config": path.stem,
        "training_seconds": trained["seconds"],
        "parameters": trained["parameters"],
        "tokens_per_second": trained["metrics"]["tokens_per_second"],
        "metrics": scores["metrics"],
    }


if __name__ == "__main__":
    main()
