"""Splits, windows and batches: every token once, streams that go on, orders that are fair."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rnnkit.data import batches
from rnnkit.data.batches import BatchPlan, Windows, permute
from rnnkit.data.splits import split_contiguous
from rnnkit.errors import DataError
from rnnkit.tasks.language_model.data import check_windows

fractions = st.sampled_from([0.0, 0.1, 0.05, 0.3, 0.25, 1 / 3, 0.45])


def positions(tokens: int) -> np.ndarray:
    """Ids that say where they stand."""
    return np.arange(tokens, dtype=np.uint32)


def sliding(length: int, stride: int = 1) -> Windows:
    return Windows("sliding", length, stride)


@given(st.integers(0, 10_000), fractions, fractions)
def test_splits_cover_every_token_once_and_in_order(
    tokens: int, validation: float, test: float
) -> None:
    splits = split_contiguous(tokens, validation_fraction=validation, test_fraction=test)
    assert [*splits.train, *splits.validation, *splits.test] == list(range(tokens))
    assert abs(len(splits.validation) - tokens * validation) <= 1
    assert abs(len(splits.test) - tokens * test) <= 1
    assert validation or not splits.validation
    assert test or not splits.test


@pytest.mark.parametrize(
    ("tokens", "validation", "test", "sizes"),
    [
        (1_115_394, 0.1, 0.0, (1_003_854, 111_540, 0)),
        (10, 0.3, 0.3, (4, 3, 3)),
        (10, 0.0, 0.2, (8, 0, 2)),
        (11, 0.0, 0.0, (11, 0, 0)),
        (100, 0.29, 0.0, (71, 29, 0)),
    ],
)
def test_split_sizes(
    tokens: int, validation: float, test: float, sizes: tuple[int, int, int]
) -> None:
    splits = split_contiguous(tokens, validation_fraction=validation, test_fraction=test)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == sizes


@given(st.integers(2, 400), st.integers(1, 20), st.integers(1, 30))
def test_streams_cover_every_target_once_and_go_on_where_they_left_off(
    tokens: int, batch_size: int, length: int
) -> None:
    assume(tokens > batch_size)
    plan = BatchPlan(Windows("stream", length=length), tokens, batch_size, 0)
    ids = positions(tokens)
    targets: Counter[int] = Counter()
    expected_next = None
    for index in range(plan.batches_per_epoch):
        batch = plan.batch(ids, 0, index)
        last = index == plan.batches_per_epoch - 1
        assert batch.inputs.shape == batch.targets.shape == batch.weights.shape
        assert len(batch.inputs) == batch_size
        time = batch.inputs.shape[1]
        assert time == length or (last and 1 <= time < length)
        assert batch.starts_stream == (index == 0)
        assert set(np.unique(batch.weights)) <= {0.0, 1.0}
        counted = batch.weights == 1
        assert (counted[:, :-1]).all()
        assert last or counted.all()
        assert (batch.targets[counted] == batch.inputs[counted] + 1).all()
        targets.update(batch.targets[counted].tolist())
        if expected_next is not None:
            assert (batch.inputs[counted[:, 0], 0] == expected_next[counted[:, 0]]).all()
        expected_next = batch.targets[:, -1]
    assert targets == Counter(range(1, tokens))


@given(
    st.integers(2, 300),
    st.integers(1, 12),
    st.integers(1, 10),
    st.integers(1, 5),
    st.integers(0, 2**31 - 1),
    st.integers(0, 100),
)
def test_sliding_windows_cover_every_start_once_per_epoch(
    tokens: int, batch_size: int, length: int, stride: int, seed: int, epoch: int
) -> None:
    assume(tokens > length)
    plan = BatchPlan(sliding(length, stride), tokens, batch_size, seed)
    ids = positions(tokens)
    starts: list[int] = []
    for index in range(plan.batches_per_epoch):
        batch = plan.batch(ids, epoch, index)
        assert batch.inputs.shape == (batch_size, length)
        assert batch.targets.shape == batch.weights.shape == (batch_size, 1)
        assert batch.starts_stream
        assert (np.diff(batch.inputs, axis=1) == 1).all()
        assert (batch.targets[:, 0] == batch.inputs[:, -1] + 1).all()
        starts += batch.inputs[batch.weights[:, 0] == 1, 0].tolist()
    assert sorted(starts) == list(range(0, tokens - length, stride))


@given(st.integers(1, 3000), st.integers(0, 2**31 - 1), st.integers(0, 1000))
def test_the_shuffled_order_is_a_permutation(size: int, seed: int, epoch: int) -> None:
    order = permute(np.arange(size), size=size, seed=seed, epoch=epoch)
    assert sorted(order.tolist()) == list(range(size))


@given(st.integers(0, 2**31 - 1), st.integers(0, 1000))
def test_orders_differ_between_epochs_and_between_seeds(seed: int, epoch: int) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return permute(np.arange(50), size=50, seed=seed, epoch=epoch).tolist()

    orders = [order(seed, epoch), order(seed, epoch + 1), order(seed + 1, epoch)]
    assert len({tuple(order) for order in orders}) == 3
    assert order(seed, epoch) == orders[0]


@pytest.mark.parametrize("size", [2, 3, 8, 61])
def test_every_window_comes_everywhere_about_equally_often(size: int) -> None:
    epochs = 4000
    counts = np.zeros((size, size))
    for epoch in range(epochs):
        counts[np.arange(size), permute(np.arange(size), size=size, seed=1, epoch=epoch)] += 1
    # Chi squared over the table; 6 sigma, so that only a real bias is seen.
    expected = epochs / size
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    freedom = (size - 1) ** 2
    assert chi_squared < freedom + 6 * np.sqrt(2 * freedom)


def test_neighbours_are_scattered() -> None:
    order = permute(np.arange(10_000), size=10_000, seed=0, epoch=0)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05


def test_a_huge_order_needs_no_memory_for_it() -> None:
    size = 10**15
    order = permute(np.arange(size - 1000, size), size=size, seed=0, epoch=0)
    assert len(set(order.tolist())) == 1000
    assert order.min() >= 0
    assert order.max() < size


@pytest.mark.parametrize("windows", [Windows("stream", length=5), sliding(5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_batches_are_the_same_whenever_they_are_asked_for(windows: Windows, dtype: type) -> None:
    ids = (np.arange(300) % 256).astype(dtype)
    plan = BatchPlan(windows, 300, 7, 3)
    forwards = [plan.batch(ids, 2, index) for index in range(plan.batches_per_epoch)]
    again = BatchPlan(windows, 300, 7, 3)
    for index in reversed(range(plan.batches_per_epoch)):
        batch = again.batch(ids, 2, index)
        for name in ("inputs", "targets", "weights"):
            array = getattr(batch, name)
            assert (array == getattr(forwards[index], name)).all()
            assert array.dtype == (np.float32 if name == "weights" else np.int32)
            assert array.flags.c_contiguous


def test_memory_mapped_ids_give_the_same_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_RELEASE_ABOVE_BYTES", 0)
    monkeypatch.setattr(batches, "_RELEASE_EVERY_ROWS", 1)
    ids = np.random.default_rng(0).integers(0, 200, 20_000).astype(np.uint8)
    np.save(tmp_path / "ids.npy", ids)
    for mode in ("r", "c"):
        mapped = np.load(tmp_path / "ids.npy", mmap_mode=mode)
        mapped_part, part = mapped[100:], ids[100:].copy()
        if mode == "c":
            mapped_part[3] = part[3] = 255
        plan = BatchPlan(Windows("stream", length=64), len(part), 8, 0)
        for index in range(plan.batches_per_epoch):
            batch = plan.batch(mapped_part, 0, index)
            assert not isinstance(batch.inputs, np.memmap)
            assert (batch.inputs == plan.batch(part, 0, index).inputs).all()


@pytest.mark.parametrize(
    ("windows", "tokens", "batch_size", "problem"),
    [
        (Windows("stream", length=4), 8, 8, "8 tokens has 7 to predict, too few for 8 streams"),
        (Windows("stream", length=4), 0, 1, "0 tokens has 0 to predict, too few for 1 stream"),
        (sliding(8), 8, 1, "8 tokens holds no window of 8"),
    ],
)
def test_a_text_that_is_too_short_has_no_plan(
    windows: Windows, tokens: int, batch_size: int, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        BatchPlan(windows, tokens, batch_size, 0)


@pytest.mark.parametrize(
    ("windows", "tokens", "batch_size", "validation", "test", "problem"),
    [
        (
            Windows("stream", length=64),
            64,
            1,
            0.0,
            0.0,
            "64 tokens, but a window of .* 64 .* need 65",
        ),
        (sliding(64), 100, 1, 0.4, 0.0, r"60 tokens \(of 100 tokens in all\).*hold out less"),
        (
            Windows("stream", length=4),
            64,
            64,
            0.0,
            0.0,
            "too few for training.batch_size 64 streams",
        ),
        (
            Windows("stream", length=4),
            10,
            2,
            0.1,
            0.0,
            "validation text has 1 token .* at least 2 ",
        ),
        (Windows("stream", length=4), 10, 2, 0.0, 0.1, "test text has 1 token .* at least 2 "),
        (sliding(3), 30, 2, 0.1, 0.0, "validation text has 3 tokens .* at least 4 "),
    ],
)
def test_splits_that_are_too_short_are_named(
    windows: Windows, tokens: int, batch_size: int, validation: float, test: float, problem: str
) -> None:
    splits = split_contiguous(tokens, validation_fraction=validation, test_fraction=test)
    with pytest.raises(DataError, match=problem):
        check_windows(
            splits,
            windows=windows,
            batch_size=batch_size,
            validation_fraction=validation,
            test_fraction=test,
        )


def test_a_batch_that_is_not_there_is_our_bug() -> None:
    plan = BatchPlan(Windows("stream", length=4), 20, 2, 0)
    with pytest.raises(IndexError):
        plan.batch(positions(20), 0, plan.batches_per_epoch)
    with pytest.raises(ValueError, match="20 tokens"):
        plan.batch(positions(21), 0, 0)


def test_the_classic_tutorial_windows() -> None:
    """`hello world` in windows of 3: hel -> l, ell -> o, ... as the tutorials print them."""
    text = "hello world"
    ids = np.frombuffer(text.encode(), np.uint8)
    plan = BatchPlan(sliding(3), len(text), 8, 0)
    batch = plan.batch(ids, 0, 0)
    pairs = {
        "".join(map(chr, row)): chr(target)
        for row, (target,) in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)
    }
    assert pairs == {text[start : start + 3]: text[start + 3] for start in range(8)}
    assert plan.batches_per_epoch == 1
    assert batch.weights.all()
