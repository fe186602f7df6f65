"""Reading token by token is reading the whole text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import LETTERS, WORDS, elman

from rnnkit.inference.continuation import (
    READ_AT_ONCE,
    probabilities_along,
    read_next,
    read_text,
    select,
)
from rnnkit.text.vocabulary import Vocabulary

ids = st.lists(st.integers(0, 8), min_size=1, max_size=12)


@given(ids, ids, st.sampled_from([None, 1, 3]), st.sampled_from([LETTERS, WORDS]))
@settings(max_examples=60)
def test_the_carried_state_is_that_of_the_whole_prefix(
    given: list[int], more: list[int], context: int | None, vocabulary: Vocabulary
) -> None:
    session = elman(vocabulary, context)
    texts = read_text(session, given)
    for number, token in enumerate(more, start=1):
        texts = read_next(session, texts, np.array([token]))
        read = [*given, *more[:number]][-(context or 99) :]
        logits, _ = session.step(np.array([read]), session.zero_states(1))
        np.testing.assert_allclose(texts.logits, logits[:, -1], atol=1e-5)


@pytest.mark.parametrize("context", [None, 3])
def test_texts_go_on_side_by_side_from_where_they_were_selected(context: int | None) -> None:
    session = elman(LETTERS, context)
    start = read_text(session, [1, 2])
    first = read_next(session, select(start, [0, 0, 0]), np.array([3, 4, 5]))
    second = read_next(session, select(first, [2, 0, 2]), np.array([6, 7, 8]))
    for row, text in enumerate([[1, 2, 5, 6], [1, 2, 3, 7], [1, 2, 5, 8]]):
        alone = read_text(session, text)
        np.testing.assert_allclose(second.logits[row], alone.logits[0], atol=1e-5)
    # What came before is as it was.
    np.testing.assert_array_equal(start.logits, read_text(session, [1, 2]).logits)


def test_long_texts_are_read_piece_by_piece() -> None:
    session = elman()
    text = (np.arange(2 * READ_AT_ONCE + 7) % 9).tolist()
    logits, _ = session.step(np.array([text]), session.zero_states(1))
    np.testing.assert_allclose(read_text(session, text).logits, logits[:, -1], atol=1e-5)


def test_probabilities_along_a_text() -> None:
    session = elman()
    given, more = [1, 2], [3, 0, 5]
    logits, _ = session.step(np.array([given + more]), session.zero_states(1))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    expected = [shares[1 + place, token] for place, token in enumerate(more)]
    assert list(probabilities_along(session, given, more)) == pytest.approx(expected, rel=1e-4)
