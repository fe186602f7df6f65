"""Two classifiers on the same texts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rnnkit.inference.intervals import EXACT_UP_TO, compare_predictions, mcnemar


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    found = mcnemar(first, second)
    assert found.exact
    if first + second:
        expected = stats.binomtest(first, first + second, 0.5).pvalue
        assert found.p_value == pytest.approx(expected, rel=1e-9)
    else:
        assert found.p_value == 1.0
    assert found.p_value == mcnemar(second, first).p_value


@given(st.integers(0, 3000), st.integers(EXACT_UP_TO + 1, 3000))
def test_mcnemar_of_many_is_the_chi_squared_test(first: int, second: int) -> None:
    found = mcnemar(first, second)
    assert not found.exact
    statistic = max(abs(first - second) - 1, 0) ** 2 / (first + second)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 1), abs=1e-12)


def test_both_tests_meet_where_one_takes_over() -> None:
    low = EXACT_UP_TO // 2 - 20
    exact = mcnemar(low, EXACT_UP_TO - low)
    approximate = mcnemar(low + 1, EXACT_UP_TO - low)
    assert exact.exact != approximate.exact
    assert exact.p_value == pytest.approx(approximate.p_value, abs=0.02)


def answers(seed: int, rows: int, better: float) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    hard = rng.random(rows)
    wrong = (labels + 1) % 3
    first = np.where(hard < 0.7, labels, wrong)
    second = np.where(hard < 0.7 + better, labels, wrong)
    return first, second, labels


def test_the_same_predictions_do_not_differ() -> None:
    first, _, labels = answers(0, 200, 0.0)
    found = compare_predictions(first, first, labels, "abc", resamples=100, seed=0)
    assert found.mcnemar.p_value == 1.0
    for estimate in found.differences.values():
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    assert found.both_right + found.both_wrong == 200


def test_a_small_but_steady_difference_is_found() -> None:
    first, second, labels = answers(1, 1000, 0.03)
    found = compare_predictions(first, second, labels, "abc", resamples=1000, seed=0)
    accuracy = found.differences["accuracy"]
    assert accuracy.value == pytest.approx(np.mean(second == labels) - np.mean(first == labels))
    # The texts that both have wrong do not widen the interval: it is that of the 3 % alone.
    assert accuracy.low is not None
    assert accuracy.high is not None
    width = 2 * 1.96 * math.sqrt(accuracy.value * (1 - accuracy.value) / 1000)
    assert accuracy.high - accuracy.low == pytest.approx(width, rel=0.2)
    assert accuracy.low > 0.0
    assert found.mcnemar.p_value < 1e-6
    assert found.mcnemar.only_first == 0
    back = compare_predictions(second, first, labels, "abc", resamples=1000, seed=0)
    for name, estimate in found.differences.items():
        assert back.differences[name].value == pytest.approx(-estimate.value)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    first, second, labels = answers(2, 300, 0.1)
    found = compare_predictions(first, second, labels, "abc", resamples=10, seed=0)
    expected = f1_score(labels, second, average="macro") - f1_score(labels, first, average="macro")
    assert found.differences["macro_f1"].value == pytest.approx(expected)
