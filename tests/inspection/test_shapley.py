"""Shapley values against their definition, and what is estimated against what is exact."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.inspection.attribution_study import exact_shapley, sampled_shapley

WEIGHTS = (0.0, 1.5, -2.0, 0.25, 0.75, -0.5)


def worth(subsets: Sequence[Sequence[int]]) -> np.ndarray:
    """A game in which tokens help and hinder each other, and their order counts."""
    values = []
    for ids in subsets:
        total = sum(WEIGHTS[index] for index in ids)
        total += sum(0.3 for a, b in itertools.pairwise(ids) if a == 2 and b == 1)
        values.append(1 / (1 + math.exp(-total)))
    return np.array(values)


def by_orders(ids: Sequence[int]) -> np.ndarray:
    """The mean over every order, one after the other."""
    values = np.zeros(len(ids))
    orders = list(itertools.permutations(range(len(ids))))
    for order in orders:
        members: list[int] = []
        for place in order:
            before = worth([[ids[i] for i in sorted(members)]])[0]
            members.append(place)
            values[place] += worth([[ids[i] for i in sorted(members)]])[0] - before
    return values / len(orders)


TEXTS = st.lists(st.integers(0, 5), min_size=1, max_size=5)


@given(TEXTS)
def test_all_subsets_are_all_orders(ids: list[int]) -> None:
    np.testing.assert_allclose(exact_shapley(ids, worth), by_orders(ids), atol=1e-12)


@given(TEXTS, st.integers(0, 2**31))
def test_they_add_up_to_what_there_is_to_share(ids: list[int], seed: int) -> None:
    difference = worth([ids])[0] - worth([[]])[0]
    sampled, _ = sampled_shapley(ids, worth, pairs=2, seed=seed)
    assert exact_shapley(ids, worth).sum() == pytest.approx(difference, abs=1e-12)
    assert sampled.sum() == pytest.approx(difference, abs=1e-12)


def test_estimates_are_within_their_errors() -> None:
    ids = [1, 2, 3, 4, 5, 2, 1, 4]
    exact = exact_shapley(ids, worth)
    deviations = []
    for seed in range(40):
        values, errors = sampled_shapley(ids, worth, pairs=24, seed=seed)
        assert (errors > 0).all()
        deviations.append((values - exact) / errors)
    found = np.array(deviations)
    assert np.abs(found.mean()) < 0.25  # no bias
    assert 0.8 < found.std() < 1.3  # errors as large as they say
    few = sampled_shapley(ids, worth, pairs=4, seed=1)[1].mean()
    many = sampled_shapley(ids, worth, pairs=256, seed=1)[1].mean()
    assert many < few / 4


def test_an_order_and_its_reverse_cancel_what_depends_on_the_place() -> None:
    def square(subsets: Sequence[Sequence[int]]) -> np.ndarray:
        """What a token adds is 1, 3, 5, .. by its place: twice the mean with its reverse."""
        return np.array([float(len(ids)) ** 2 for ids in subsets])

    values, errors = sampled_shapley(list(range(6)), square, pairs=5)
    np.testing.assert_allclose(values, 6.0, atol=1e-12)
    np.testing.assert_allclose(errors, 0.0, atol=1e-12)


def test_a_sum_is_shared_without_error() -> None:
    def plain(subsets: Sequence[Sequence[int]]) -> np.ndarray:
        return np.array([sum(WEIGHTS[i] for i in ids) for ids in subsets], dtype=float)

    ids = [1, 2, 3, 0]
    expected = [WEIGHTS[i] for i in ids]
    np.testing.assert_allclose(exact_shapley(ids, plain), expected, atol=1e-12)
    values, errors = sampled_shapley(ids, plain, pairs=3)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    np.testing.assert_allclose(errors, 0.0, atol=1e-12)


def test_a_seed_decides_the_orders() -> None:
    ids = [1, 2, 3, 4, 5]
    one, same, other = (sampled_shapley(ids, worth, pairs=4, seed=s)[0] for s in (3, 3, 4))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_one_token_gets_everything() -> None:
    values, errors = sampled_shapley([1], worth, pairs=2)
    assert values.tolist() == pytest.approx([worth([[1]])[0] - worth([[]])[0]])
    assert errors.tolist() == [0.0]


def test_progress_counts_orders() -> None:
    seen: list[tuple[int, int]] = []
    sampled_shapley([1, 2], worth, pairs=3, progress=lambda *done: seen.append(done))
    assert seen == [(2, 6), (4, 6), (6, 6)]


def test_no_error_can_be_told_from_one_pair() -> None:
    with pytest.raises(ValueError, match="not at least 2"):
        sampled_shapley([1, 2], worth, pairs=1)
