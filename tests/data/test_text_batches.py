"""Batches of texts: every text once, repeatable, padded on the right only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnnkit.data.batches import TextBatchPlan, evaluation_batches
from rnnkit.data.encoded_texts import EncodedTexts

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=400)


def encoded(lengths: list[int]) -> EncodedTexts:
    """Text i holds the id i + 1 only, so that a row of a batch can be told."""
    numbers = np.arange(len(lengths), dtype=np.int32)
    return EncodedTexts(
        ids=np.repeat(numbers + 1, lengths),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        labels=numbers % 3,
    )


def check_padding(ids: NDArray[np.int32], rows: NDArray[np.int64], lengths: list[int]) -> None:
    assert ids.dtype == np.int32
    assert ids.shape == (len(rows), max(lengths[row] for row in rows))
    for row, line in zip(rows.tolist(), ids.tolist(), strict=True):
        assert line == [row + 1] * lengths[row] + [0] * (len(line) - lengths[row])


@given(LENGTHS, st.integers(1, 40), st.integers(0, 2**31 - 1), st.integers(0, 5))
def test_an_epoch_holds_every_text_once(
    lengths: list[int], size: int, seed: int, epoch: int
) -> None:
    texts = encoded(lengths)
    plan = TextBatchPlan(texts.lengths, size, seed)
    seen: list[int] = []
    for index in range(plan.batches_per_epoch):
        batch = plan.batch(texts, epoch, index)
        rows = batch.inputs[:, 0].astype(np.int64) - 1
        check_padding(np.asarray(batch.inputs, np.int32), rows, lengths)
        assert batch.targets.dtype == np.int32
        assert batch.targets.tolist() == [[row % 3] for row in rows]
        assert batch.weights.tolist() == [[1.0]] * len(rows)
        assert not batch.starts_stream
        assert len(rows) == size or index == plan.batches_per_epoch - 1
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 40), st.integers(0, 2**31 - 1))
def test_any_batch_can_be_asked_for_in_any_order(lengths: list[int], size: int, seed: int) -> None:
    texts = encoded(lengths)
    plan = TextBatchPlan(texts.lengths, size, seed)
    places = [(epoch, i) for epoch in (0, 1, 2) for i in range(plan.batches_per_epoch)]
    first = {place: plan.batch(texts, *place).inputs.tolist() for place in places}
    for place in reversed(places):
        again = TextBatchPlan(texts.lengths, size, seed).batch(texts, *place)
        assert again.inputs.tolist() == first[place]
        assert plan.batch(texts, *place).inputs.tolist() == first[place]


def test_epochs_and_seeds_differ() -> None:
    lengths = encoded(list(range(1, 301))).lengths
    orders = {
        tuple(TextBatchPlan(lengths, 8, seed).rows(epoch, 0).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_batches_hold_little_padding_in_no_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 6_400).tolist()
    texts = encoded(lengths)
    plan = TextBatchPlan(texts.lengths, 64, 0)
    batches = [plan.batch(texts, 0, index).inputs for index in range(plan.batches_per_epoch)]
    used = sum(np.count_nonzero(batch) for batch in batches)
    assert used > 0.9 * sum(batch.size for batch in batches)
    widths = [batch.shape[1] for batch in batches]
    assert abs(np.corrcoef(np.arange(len(widths)), widths)[0, 1]) < 0.4


def test_class_weights_go_to_the_rows_of_the_class() -> None:
    texts = encoded([3] * 10)
    batch = TextBatchPlan(texts.lengths, 10).batch(texts, 0, 0, np.array([1, 2, 4], np.float32))
    assert batch.weights.dtype == np.float32
    assert batch.weights.tolist() == [[2.0**target] for (target,) in batch.targets.tolist()]


@given(LENGTHS, st.integers(1, 40))
def test_evaluation_takes_every_text_once_by_length(lengths: list[int], size: int) -> None:
    texts = encoded(lengths)
    seen: list[int] = []
    for rows, ids in evaluation_batches(texts, size):
        check_padding(ids, rows, lengths)
        assert 1 <= len(rows) <= size
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[row] for row in seen] == sorted(lengths)


def test_what_the_plan_does_not_hold_is_refused() -> None:
    texts = encoded([1, 2, 3])
    plan = TextBatchPlan(texts.lengths, 2)
    assert plan.batches_per_epoch == 2
    for index in (-1, 2):
        with pytest.raises(IndexError):
            plan.batch(texts, 0, index)
    with pytest.raises(ValueError, match="3 texts, these are 2"):
        plan.batch(encoded([1, 2]), 0, 0)
    assert list(evaluation_batches(encoded([]), 4)) == []
