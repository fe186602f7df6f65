"""Properties of the sampler; the reference for every filter is written out in plain Python."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare

from rnnkit.inference.sampling import SamplingOptions, next_probabilities, sample

GREEDY = SamplingOptions(temperature=0.0)

rows_of_logits = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=12)
# Few different values, so that ties are the rule.
rows_with_ties = st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=2, max_size=12)
any_options = st.builds(
    SamplingOptions,
    temperature=st.sampled_from([0.0, 1e-300, 0.1, 1.0, 7.0, 1e300]),
    top_k=st.none() | st.integers(1, 20),
    top_p=st.none() | st.floats(1e-6, 1.0),
    min_p=st.none() | st.floats(1e-6, 1.0),
    typical_p=st.none() | st.floats(1e-6, 1.0),
    repetition_penalty=st.sampled_from([1.0, 1.3, 10.0]),
)


def probabilities_of(row: list[float], options: SamplingOptions, **more: object) -> np.ndarray:
    logits = np.array([row], dtype=np.float32)
    return next_probabilities(logits, options=options, **more)[0]  # type: ignore[arg-type]


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    highest = max(row)
    weights = [math.exp((value - highest) / temperature) for value in row]
    return [weight / sum(weights) for weight in weights]


def ranking(values: list[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda index: (-values[index], index))


@given(rows_of_logits | rows_with_ties, any_options)
def test_every_combination_leaves_a_distribution(
    row: list[float], options: SamplingOptions
) -> None:
    recent = np.array([[0, 1, 1]])
    found = probabilities_of(row, options, recent=recent)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert (found >= 0.0).all()
    assert found.sum() == pytest.approx(1.0)


@given(rows_of_logits | rows_with_ties)
def test_greedy_is_argmax_and_so_is_top_1(row: list[float]) -> None:
    best = int(np.argmax(np.array(row, dtype=np.float32)))
    for options in (GREEDY, SamplingOptions(top_k=1), SamplingOptions(temperature=0.0, top_p=0.1)):
        found = probabilities_of(row, options)
        assert found[best] == 1.0
        assert np.count_nonzero(found) == 1


@given(rows_of_logits, st.floats(0.05, 20.0))
def test_temperature_divides_the_logits(row: list[float], temperature: float) -> None:
    found = probabilities_of(row, SamplingOptions(temperature=temperature))
    np.testing.assert_allclose(found, softmax(row, temperature), atol=1e-6)


def test_extreme_temperatures_are_greedy_and_uniform() -> None:
    row = [-3.0, 5.0, 4.999, 0.0]
    np.testing.assert_array_equal(
        probabilities_of(row, SamplingOptions(temperature=1e-300)), [0.0, 1.0, 0.0, 0.0]
    )
    np.testing.assert_allclose(probabilities_of(row, SamplingOptions(temperature=1e300)), 0.25)
    largest = float(np.finfo(np.float32).max)
    found = probabilities_of([largest, -largest], SamplingOptions(temperature=1e-300))
    np.testing.assert_array_equal(found, [1.0, 0.0])


@given(rows_of_logits | rows_with_ties, st.integers(1, 20))
def test_top_k_keeps_the_k_most_probable_in_proportion(row: list[float], k: int) -> None:
    found = probabilities_of(row, SamplingOptions(top_k=k))
    plain = probabilities_of(row, SamplingOptions())
    kept = ranking(row)[:k]
    expected = np.zeros(len(row))
    expected[kept] = plain[kept] / plain[kept].sum()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(rows_of_logits | rows_with_ties, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_tokens_that_reach_p(row: list[float], p: float) -> None:
    found = probabilities_of(row, SamplingOptions(top_p=p))
    plain = probabilities_of(row, SamplingOptions())
    kept = np.flatnonzero(found)
    assert plain[kept].sum() >= p - 1e-9
    assert plain[kept].sum() - plain[kept].min() < p + 1e-9
    assert set(kept) == set(ranking(row)[: len(kept)])


@pytest.mark.parametrize(("p", "kept"), [(0.5, 1), (0.7, 1), (0.71, 2), (0.9, 2), (0.91, 3)])
def test_top_p_counts_decimal_shares_as_they_are_written(p: float, kept: int) -> None:
    row = [math.log(share) for share in (0.1, 0.7, 0.2)]
    logits = np.array([row])  # float64, so that the shares are what they say
    found = next_probabilities(logits, options=SamplingOptions(top_p=p))
    assert np.count_nonzero(found) == kept


@given(rows_of_logits | rows_with_ties, st.floats(0.01, 1.0))
def test_min_p_drops_what_is_below_the_fraction_of_the_best(row: list[float], p: float) -> None:
    found = probabilities_of(row, SamplingOptions(min_p=p))
    plain = probabilities_of(row, SamplingOptions())
    for share, before in zip(found, plain, strict=True):
        if before > p * plain.max() * (1 + 1e-9):
            assert share > 0.0
        if before < p * plain.max() * (1 - 1e-9):
            assert share == 0.0


def most_typical(row: list[float], share: float) -> set[int]:
    """The tokens that Hugging Face's TypicalLogitsWarper keeps, step by step."""
    shares = softmax(row)
    entropy = -sum(p * math.log(p) for p in shares)
    order = sorted(range(len(row)), key=lambda i: abs(-math.log(shares[i]) - entropy))
    kept, total = set(), 0.0
    for token in order:
        kept.add(token)
        total += shares[token]
        if total >= share:
            break
    return kept


@given(
    st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=12, unique=True),
    st.floats(0.01, 0.999),
)
def test_typical_p_keeps_the_least_surprising_surprises(row: list[float], p: float) -> None:
    plain = probabilities_of(row, SamplingOptions())
    surprise = -np.log(plain)
    distance = np.sort(np.abs(surprise - (plain * surprise).sum()))
    cumulative = np.cumsum(plain[np.argsort(np.abs(surprise - (plain * surprise).sum()))])
    # Where two are as good as equal, or the share is met to the last digit, rounding decides.
    assume(np.diff(distance).min() > 1e-9)
    assume(np.abs(cumulative - p).min() > 1e-9)
    found = probabilities_of(row, SamplingOptions(typical_p=p))
    kept = sorted(most_typical(row, p))
    expected = np.zeros(len(row))
    expected[kept] = plain[kept] / plain[kept].sum()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_typical_p_leaves_out_the_most_probable_token_where_it_says_too_little() -> None:
    # Entropy 1.28; the surprises are 0.69, 2.08 (twice) and 1.39.
    row = [math.log(share) for share in (0.5, 0.125, 0.125, 0.25)]
    found = next_probabilities(np.array([row]), options=SamplingOptions(typical_p=0.2))
    np.testing.assert_allclose(found, [[0.0, 0.0, 0.0, 1.0]])
    found = next_probabilities(np.array([row]), options=SamplingOptions(typical_p=0.7))
    np.testing.assert_allclose(found, [[2 / 3, 0.0, 0.0, 1 / 3]])


def test_typical_comes_after_the_other_filters() -> None:
    row = [math.log(share) for share in (0.5, 0.125, 0.125, 0.25)]
    # Of the two that top-k leaves (2/3 and 1/3, entropy 0.64) the first is the more typical.
    found = next_probabilities(np.array([row]), options=SamplingOptions(top_k=2, typical_p=0.2))
    np.testing.assert_allclose(found, [[1.0, 0.0, 0.0, 0.0]])


def test_all_equal_logits_stay_uniform_unless_filtered() -> None:
    row = [2.0] * 8
    np.testing.assert_allclose(probabilities_of(row, SamplingOptions(min_p=1.0)), 1 / 8)
    np.testing.assert_allclose(probabilities_of(row, SamplingOptions(top_p=1.0)), 1 / 8)
    assert np.flatnonzero(probabilities_of(row, SamplingOptions(top_k=3))).tolist() == [0, 1, 2]
    assert np.count_nonzero(probabilities_of(row, SamplingOptions(top_p=0.5))) == 4
    np.testing.assert_allclose(probabilities_of(row, SamplingOptions(typical_p=1.0)), 1 / 8)
    assert np.count_nonzero(probabilities_of(row, SamplingOptions(typical_p=0.5))) == 4


@given(rows_of_logits)
def test_a_penalty_of_one_changes_nothing(row: list[float]) -> None:
    plain = probabilities_of(row, SamplingOptions())
    recent = np.array([[0, 0, 1]])
    np.testing.assert_array_equal(probabilities_of(row, SamplingOptions(), recent=recent), plain)


def test_the_penalty_divides_positive_and_multiplies_negative_logits_once() -> None:
    row = [2.0, -1.0, 0.5, -0.5]
    found = probabilities_of(
        row, SamplingOptions(repetition_penalty=2.0), recent=np.array([[0, 1, 1, 0, 0]])
    )
    np.testing.assert_allclose(found, softmax([1.0, -2.0, 0.5, -0.5]), atol=1e-12)


def test_the_penalty_comes_before_the_temperature_and_before_greedy() -> None:
    row = [2.0, 1.9]
    options = SamplingOptions(temperature=0.0, repetition_penalty=1.5)
    assert probabilities_of(row, options, recent=np.array([[0]])).tolist() == [0.0, 1.0]


def test_an_empty_history_is_not_penalised() -> None:
    row = [2.0, 1.0]
    found = probabilities_of(
        row, SamplingOptions(repetition_penalty=3.0), recent=np.empty((1, 0), dtype=np.int64)
    )
    np.testing.assert_allclose(found, softmax(row))


@given(rows_of_logits, any_options, st.integers(0, 11))
def test_a_banned_token_gets_nothing(
    row: list[float], options: SamplingOptions, banned: int
) -> None:
    banned %= len(row)
    row[banned] = 31.0  # the best one, if it were allowed
    found = probabilities_of(row, options, banned=banned, recent=np.array([[banned]]))
    assert found[banned] == 0.0
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_refused(bad: float, temperature: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        probabilities_of([0.0, bad, 1.0], SamplingOptions(temperature=temperature))


@given(st.lists(rows_of_logits.map(lambda row: (row * 4)[:8]), min_size=2, max_size=4), any_options)
def test_rows_of_a_batch_do_not_see_each_other(
    rows: list[list[float]], options: SamplingOptions
) -> None:
    recent = np.arange(len(rows) * 2).reshape(len(rows), 2) % 8
    together = next_probabilities(
        np.array(rows, dtype=np.float32), options=options, recent=recent, banned=7
    )
    for index, row in enumerate(rows):
        alone = probabilities_of(row, options, recent=recent[index : index + 1], banned=7)
        np.testing.assert_array_equal(together[index], alone)


def test_the_logits_are_left_as_they_are() -> None:
    logits = np.array([[3.0, 1.0, 2.0]])
    before = logits.copy()
    options = SamplingOptions(
        0.5, top_k=2, top_p=0.9, min_p=0.1, typical_p=0.9, repetition_penalty=2.0
    )
    next_probabilities(logits, options=options, recent=np.array([[0]]), banned=1)
    np.testing.assert_array_equal(logits, before)


@given(
    st.lists(st.sampled_from([0.0, 1e-300, 0.25, 1.0]), min_size=1, max_size=10).filter(any),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_token_of_probability_zero_is_never_drawn(weights: list[float], draw: float) -> None:
    (token,) = sample(np.array([weights]), np.array([draw]))
    assert weights[token] > 0.0


def test_every_row_has_its_own_draw() -> None:
    probabilities = np.tile([0.25, 0.25, 0.5], (3, 1))
    assert sample(probabilities, np.array([0.0, 0.3, 0.99])).tolist() == [0, 1, 2]


OPTIONS_TO_COUNT = [
    SamplingOptions(),
    SamplingOptions(temperature=0.5),
    SamplingOptions(temperature=2.0),
    SamplingOptions(top_k=3),
    SamplingOptions(top_p=0.8),
    SamplingOptions(min_p=0.2),
    SamplingOptions(typical_p=0.6),
    SamplingOptions(repetition_penalty=1.5),
    SamplingOptions(0.8, top_k=5, top_p=0.95, min_p=0.05, typical_p=0.9, repetition_penalty=1.2),
]


def test_every_option_is_counted() -> None:
    for field in dataclasses.fields(SamplingOptions):
        used = {getattr(options, field.name) for options in OPTIONS_TO_COUNT}
        assert len(used) > 1, field.name


@pytest.mark.parametrize("options", OPTIONS_TO_COUNT, ids=str)
def test_sampled_frequencies_pass_a_chi_square_test(options: SamplingOptions) -> None:
    row = [1.0, 0.2, -0.5, 1.7, 0.0, -1.0]
    expected = reference_probabilities(row, options, recent=(0, 3))
    logits = np.tile(np.array(row, dtype=np.float32), (1000, 1))
    recent = np.tile([0, 3], (1000, 1))
    rng = np.random.default_rng(3)
    counts = np.zeros(len(row), dtype=np.int64)
    for _ in range(50):
        shares = next_probabilities(logits, options=options, recent=recent)
        counts += np.bincount(sample(shares, rng.random(1000)), minlength=len(row))
    possible = expected > 0.0
    assert counts[~possible].sum() == 0
    assert np.count_nonzero(possible) > 1
    assert chisquare(counts[possible], 50_000 * expected[possible]).pvalue > 0.001


def reference_probabilities(
    row: list[float], options: SamplingOptions, recent: tuple[int, ...]
) -> np.ndarray:
    """What the docstring of the sampler says, in plain Python, one step after the other."""
    scores = list(row)
    for token in set(recent):
        penalty = options.repetition_penalty
        scores[token] = scores[token] / penalty if scores[token] > 0 else scores[token] * penalty
    kept = ranking(scores)
    shares = dict(enumerate(softmax(scores, options.temperature)))
    kept = kept[: options.top_k]
    if options.top_p is not None:
        total = sum(shares[token] for token in kept)
        before = itertools.accumulate([shares[token] / total for token in kept], initial=0.0)
        kept = [token for token, held in zip(kept, before, strict=False) if held < options.top_p]
    if options.min_p is not None:
        kept = [token for token in kept if shares[token] >= options.min_p * shares[kept[0]]]
    if options.typical_p is not None:
        logs = [math.log(shares[token]) for token in kept]
        kept = [kept[place] for place in sorted(most_typical(logs, options.typical_p))]
    total = sum(shares[token] for token in kept)
    return np.array([shares[i] / total if i in kept else 0.0 for i in range(len(row))])
