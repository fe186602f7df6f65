"""Which words moved a decision, for a classifier whose words are known to weigh something."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.inference.decision import Decision
from rnnkit.tasks.text_classification.classifier import Classifier
from rnnkit.tasks.text_classification.explain import explain, leave_one_out, show_effects
from rnnkit.text.encoder import TextEncoder
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.text.words import WordRules
from rnnkit.views.terminal import render_section

WEIGHTS = {"good": 1.5, "bad": -2.0, "film": 0.0, "very": 0.25}


def summing_classifier(*, temperature: float = 1.0, truncate: str = "end") -> Classifier:
    table = np.zeros((len(WEIGHTS) + 2, 2), np.float32)
    table[2:, 1] = list(WEIGHTS.values())
    encoder = TextEncoder(
        Vocabulary(WordRules(), "words", tuple(WEIGHTS), has_unknown=True),
        maximum_length=6,
        truncate=truncate,  # type: ignore[arg-type]
    )
    return Classifier(
        encoder, ("no", "yes"), Decision(temperature), lambda ids: table[ids].sum(axis=1)
    )


def share(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


@given(
    st.lists(st.sampled_from([*WEIGHTS, "zebra"]), min_size=1, max_size=6),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(0, 1),
)
def test_a_token_adds_what_is_missing_without_it(
    words: list[str], temperature: float, label: int
) -> None:
    effects = explain(summing_classifier(temperature=temperature), " ".join(words), label=label)
    assert [effect.token for effect in effects] == words
    sign = 1 if label else -1
    total = sum(WEIGHTS.get(word, 0.0) for word in words)
    for effect in effects:
        weight = WEIGHTS.get(effect.token, 0.0)
        expected = share(sign * total / temperature) - share(sign * (total - weight) / temperature)
        assert effect.change == pytest.approx(expected, abs=1e-6)
        assert effect.is_known == (effect.token in WEIGHTS)


def test_only_what_the_model_reads_is_explained() -> None:
    text = "good bad film very good bad film"
    for truncate, words in (("end", text.split()[:6]), ("start", text.split()[1:])):
        effects = explain(summing_classifier(truncate=truncate), text, label=1)
        assert [effect.token for effect in effects] == words


def test_a_text_without_tokens_has_nothing_to_explain() -> None:
    assert explain(summing_classifier(), " ", label=0) == []


def test_leave_one_out_takes_any_function_of_texts() -> None:
    read: list[list[int]] = []

    def logit(texts: Sequence[Sequence[int]]) -> np.ndarray:
        read.extend(map(list, texts))
        return np.array([2.0 * sum(ids) for ids in texts])

    assert leave_one_out([3, 5, 7], logit).tolist() == [6.0, 10.0, 14.0]
    assert read == [[3, 5, 7], [5, 7], [3, 7], [3, 5]]


def test_orange_adds_to_the_class_and_blue_takes_from_it() -> None:
    effects = explain(summing_classifier(), "good bad zebra", label=1)
    plain = render_section(show_effects(effects, "yes")).split("\n")
    assert [line.split() for line in plain] == [
        ["token", "adds", "to", "yes"],
        ["good", f"{effects[0].change:+.4f}"],
        ["bad", f"{effects[1].change:+.4f}"],
        ["zebra", "+0.0000", "unknown", "to", "the", "model"],
    ]
    coloured = render_section(show_effects(effects, "yes"), colour=True)
    assert "orange adds to the probability of yes, blue takes from it" in coloured
    assert "[48;5;222mgood" in coloured
    assert "[48;5;33mbad" in coloured
