"""Reading token by token is reading the whole text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.inference.decoding import (
    READ_AT_ONCE,
    probabilities_along,
    read_next,
    read_text,
    select,
)
from rnnkit.text.vocabulary import Vocabulary
from tests.support.toy_models import LETTERS, WORDS, elman

ids = st.lists(st.integers(0, 8), min_size=1, max_size=12)


@given(ids, ids, st.sampled_from([None, 1, 3]), st.sampled_from([LETTERS, WORDS]))
@settings(max_examples=60)
def test_the_carried_state_is_that_of_the_whole_prefix(
    given: list[int], more: list[int], context: int | None, vocabulary: Vocabulary
) -> None:
    model = elman(vocabulary, context)
    texts = read_text(model, given)
    for number, token in enumerate(more, start=1):
        texts = read_next(model, texts, np.array([token]))
        read = [*given, *more[:number]][-(context or 99) :]
        logits, _ = model.step(np.array([read]), model.zero_states(1))
        np.testing.assert_allclose(texts.logits, logits[:, -1], atol=1e-5)


@pytest.mark.parametrize("context", [None, 3])
def test_texts_go_on_side_by_side_from_where_they_were_selected(context: int | None) -> None:
    model = elman(LETTERS, context)
    start = read_text(model, [1, 2])
    first = read_next(model, select(start, [0, 0, 0]), np.array([3, 4, 5]))
    second = read_next(model, select(first, [2, 0, 2]), np.array([6, 7, 8]))
    for row, text in enumerate([[1, 2, 5, 6], [1, 2, 3, 7], [1, 2, 5, 8]]):
        alone = read_text(model, text)
        np.testing.assert_allclose(second.logits[row], alone.logits[0], atol=1e-5)
    # What came before is as it was.
    np.testing.assert_array_equal(start.logits, read_text(model, [1, 2]).logits)


def test_long_texts_are_read_piece_by_piece() -> None:
    model = elman()
    text = (np.arange(2 * READ_AT_ONCE + 7) % 9).tolist()
    logits, _ = model.step(np.array([text]), model.zero_states(1))
    np.testing.assert_allclose(read_text(model, text).logits, logits[:, -1], atol=1e-5)


def test_probabilities_along_a_text() -> None:
    model = elman()
    given, more = [1, 2], [3, 0, 5]
    logits, _ = model.step(np.array([given + more]), model.zero_states(1))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    expected = [shares[1 + place, token] for place, token in enumerate(more)]
    assert list(probabilities_along(model, given, more)) == pytest.approx(expected, rel=1e-4)
