"""The trigram that word models are measured against, beside that of NLTK."""

import numpy as np
import pytest

from bench.words import best_discounts, count_trigrams

SIZE = 9
RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, SIZE - 1, 120)
HELD_OUT = RNG.integers(0, SIZE - 1, 50)


@pytest.mark.filterwarnings("ignore")
def test_it_is_the_model_of_nltk() -> None:
    from nltk.lm import KneserNeyInterpolated, Vocabulary

    discount = 0.4
    reference = KneserNeyInterpolated(
        3, discount=discount, vocabulary=Vocabulary(map(str, range(SIZE)))
    )
    words = [str(i) for i in TRAIN]
    grams = [tuple(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1)]
    reference.fit([grams])
    # NLTK has no share for words that never occurred: no discount of single words.
    found = count_trigrams(TRAIN, SIZE).probabilities(HELD_OUT, (0.0, discount, discount))
    for place in range(2, len(HELD_OUT)):
        *context, word = (str(i) for i in HELD_OUT[place - 2 : place + 1])
        expected = reference.score(word, context)
        assert found[place - 1] == pytest.approx(expected, rel=1e-9)


def test_probabilities_sum_to_one() -> None:
    trigram = count_trigrams(TRAIN, SIZE)
    for context in ((1, 2), (3, 3), (8, 8), (0, 8)):
        shares = [
            trigram.probabilities(np.array([*context, word]), (0.3, 0.6, 0.8))[-1]
            for word in range(SIZE)
        ]
        assert sum(shares) == pytest.approx(1.0)
        assert min(shares) > 0.0


def test_the_best_discounts_are_no_worse_than_the_estimated_ones() -> None:
    trigram = count_trigrams(TRAIN, SIZE)
    best = trigram.perplexity(HELD_OUT, best_discounts(trigram, HELD_OUT))
    assert best <= trigram.perplexity(HELD_OUT, trigram.estimated_discounts())
