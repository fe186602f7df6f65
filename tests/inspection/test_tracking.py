"""Which unit tracks what: planted units are found, and luck is not sold as a finding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError
from rnnkit.inspection import tracking
from rnnkit.inspection.tracking import LEAST_TOKENS, Property, area, rank_units

TOKENS = 2000


def flags(draw: np.random.Generator, share: float = 0.3) -> np.ndarray:
    return (draw.random(TOKENS) < share).astype(float)


def ranked(
    states: np.ndarray, *properties: tuple[str, np.ndarray, bool], ids: np.ndarray | None = None
) -> tracking.Ranking:
    entries = [Property(name, values, is_flag) for name, values, is_flag in properties]
    tokens = np.random.default_rng(9).integers(0, 5, len(states)) if ids is None else ids
    return rank_units(states.astype(np.float32), entries, tokens)


def test_a_planted_unit_is_found_with_its_correlation() -> None:
    draw = np.random.default_rng(0)
    states = draw.normal(size=(TOKENS, 64))
    quotes, depth = flags(draw), draw.integers(0, 9, TOKENS).astype(float)
    states[:, 41] += 3 * quotes
    states[:, 7] -= depth
    found = ranked(states, ("quotes", quotes, True), ("depth", depth, False))
    by_name = {one.name: one for one in found.tracked}
    assert (by_name["quotes"].unit, by_name["depth"].unit) == (41, 7)
    half = TOKENS // 2
    for name, unit, values in (("quotes", 41, quotes), ("depth", 7, depth)):
        expected = np.corrcoef(states[half:, unit].astype(np.float32), values[half:])[0, 1]
        assert by_name[name].correlation == pytest.approx(expected, abs=1e-6)
        assert by_name[name].is_found
        assert by_name[name].remembers
    assert by_name["depth"].correlation < -0.9
    assert by_name["depth"].auc is None
    assert by_name["quotes"].auc == pytest.approx(
        area(states[half:, 41].astype(np.float32), quotes[half:] > 0), abs=1e-9
    )


def test_the_best_of_many_units_by_luck_is_no_finding() -> None:
    draw = np.random.default_rng(1)
    states = draw.normal(size=(TOKENS, 512))
    properties = [(f"p{i}", flags(draw), True) for i in range(40)]
    found = ranked(states, *properties)
    # What a search alone would have reported is beyond chance nearly always ...
    half = TOKENS // 2
    searched = {
        name: np.abs(np.corrcoef(states[:half].T, values[:half])[-1, :-1]).max()
        for name, values, _ in properties
    }
    assert sum(searched[one.name] > one.chance for one in found.tracked) >= 38
    # ... and what is scored on the other half hardly ever is: 1 in 200 by construction.
    assert sum(one.is_found for one in found.tracked) <= 1


def test_two_slow_curves_are_no_finding_either() -> None:
    draw = np.random.default_rng(2)

    def slow(*shape: int) -> np.ndarray:
        """Moving means over 50 tokens."""
        sums = np.cumsum(draw.normal(size=(TOKENS + 50, *shape)), axis=0)
        return sums[50:] - sums[:-50]

    states = slow(64)
    properties = [(f"p{i}", slow(), False) for i in range(40)]
    found = ranked(states, *properties).tracked
    assert sum(one.is_found for one in found) <= 3
    # White noise would never come so far: its 99 % lie below 2.6 / sqrt(tokens).
    assert np.median([one.chance for one in found]) > 2 * 2.6 / np.sqrt(TOKENS / 2)
    assert sum(abs(one.correlation) > 2.6 / np.sqrt(TOKENS / 2) for one in found) > 10


def test_chance_is_the_quantile_over_all_shifts() -> None:
    draw = np.random.default_rng(3)
    unit, values = (tracking._standardize(draw.normal(size=(200, 1)))[:, 0] for _ in range(2))
    shifts = [abs(float(unit @ np.roll(values, -shift))) for shift in range(10, 191)]
    assert tracking._chance(unit, values) == pytest.approx(np.quantile(shifts, 0.99), abs=1e-12)


def test_what_the_last_token_tells() -> None:
    draw = np.random.default_rng(4)
    ids = draw.integers(0, 6, TOKENS)
    states = draw.normal(size=(TOKENS, 8))
    of_token = (ids == 3).astype(float)
    before = np.concatenate([[0.0], of_token[:-1]])
    states[:, 2] += of_token
    states[:, 5] += before
    found = {
        one.name: one
        for one in ranked(
            states, ("read", of_token, True), ("before", before, True), ids=ids
        ).tracked
    }
    assert found["read"].token_alone == pytest.approx(1.0)
    assert abs(found["before"].token_alone) < 0.1
    assert found["read"].is_found
    assert not found["read"].remembers
    assert found["before"].remembers


def test_memory_comes_first_and_luck_last() -> None:
    draw = np.random.default_rng(5)
    ids = draw.integers(0, 6, TOKENS)
    states = 0.01 * draw.normal(size=(TOKENS, 8))
    of_token = (ids == 3).astype(float)
    memory, luck = flags(draw), flags(draw)
    states[:, 0] += of_token
    states[:, 1] += memory + draw.normal(size=TOKENS)
    names = [
        one.name
        for one in ranked(
            states,
            ("luck", luck, True),
            ("token", of_token, True),
            ("memory", memory, True),
            ids=ids,
        ).tracked
    ]
    assert names == ["memory", "token", "luck"]


def test_what_does_not_vary_cannot_be_scored() -> None:
    draw = np.random.default_rng(6)
    states = draw.normal(size=(TOKENS, 4))
    states[:, 1] = 0.25  # a dead unit
    once = np.zeros(TOKENS)
    once[10] = 1.0  # in the first half alone
    found = ranked(
        states, ("never", np.zeros(TOKENS), True), ("once", once, True), ("some", flags(draw), True)
    )
    assert found.missing == ("never", "once")
    assert [one.name for one in found.tracked] == ["some"]
    assert found.still == 1
    assert np.isfinite(found.tracked[0].correlation)
    assert all(np.isfinite(r) for _, r in found.tracked[0].others)


def test_a_network_that_does_not_move_tracks_nothing() -> None:
    draw = np.random.default_rng(7)
    found = ranked(np.full((TOKENS, 3), 0.999), ("some", flags(draw), True))
    assert found.still == 3
    assert [(one.correlation, one.is_found) for one in found.tracked] == [(0.0, False)]


def test_few_tokens_are_refused() -> None:
    with pytest.raises(DataError, match=f"has {LEAST_TOKENS - 1} tokens; at least {LEAST_TOKENS}"):
        ranked(np.zeros((LEAST_TOKENS - 1, 2)))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_area_counts_pairs(entries: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in entries])
    marks = np.array([mark for _, mark in entries])
    if marks.all() or not marks.any():
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[marks] for b in scores[~marks]]
    assert area(scores, marks) == pytest.approx(np.mean(pairs))
