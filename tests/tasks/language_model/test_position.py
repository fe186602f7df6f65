"""Loss by the position in a window."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError, RunError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults, States
from rnnkit.tasks.language_model.scoring import loss_by_position, position_groups, score_text
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary

SIZE = 5


def make_session(*, context: int | None = None, broken: bool = False) -> LanguageModel:
    """A model that is surer of a fixed successor the more it has read: its state counts tokens."""

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        read = states[0] + np.arange(1, ids.shape[1] + 1)
        logits = np.zeros((*ids.shape, SIZE), dtype=np.float32)
        rows, places = np.indices(ids.shape)
        logits[rows, places, (ids + 1) % SIZE] = np.log(read)
        if broken:
            logits[:] = np.nan
        return logits, [states[0] + ids.shape[1]]

    return LanguageModel(
        vocabulary=Vocabulary(TextRules(), "characters", tuple("abcde")),
        context=context,
        generation=GenerationDefaults(),
        state_sizes=(1,),
        run_graph=run_graph,
    )


CYCLE = (np.arange(5000) % SIZE).astype(np.uint8)


def test_losses_are_those_of_every_position() -> None:
    found = loss_by_position(make_session(), CYCLE, length=200)
    read = np.arange(1, 201)
    np.testing.assert_allclose(found.mean, np.log((read + SIZE - 1) / read), rtol=1e-5)
    assert found.windows == 24
    for band in found.bands:
        part = found.mean[band.first - 1 : band.last]
        assert band.mean == pytest.approx(part.mean())
        assert (band.low, band.high) == pytest.approx((band.mean, band.mean))


def test_the_mean_is_what_evaluate_says_of_windows() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, SIZE, 40 * 64 + 1).astype(np.uint8)
    found = loss_by_position(make_session(), ids, length=64)
    expected = score_text(make_session(), ids, context_windows=[64]).metrics["window_64_loss"].value
    assert found.mean.mean() == pytest.approx(expected)
    # After one token this model always loses the same, so that the first interval is a point.
    assert all(band.low < band.mean < band.high for band in found.bands[1:])


def test_a_long_text_is_read_in_places_all_over_it() -> None:
    late = np.concatenate([np.zeros(5000, np.uint8), CYCLE])  # only the second half is a cycle
    found = loss_by_position(make_session(), late, length=100, most_windows=10)
    assert found.windows == 10
    surest = math.log((100 + SIZE - 1) / 100)
    assert surest < found.mean[-1] < math.log(100 + SIZE - 1)


@pytest.mark.parametrize(("context", "tokens", "positions"), [(7, 500, 7), (None, 20, 19)])
def test_windows_are_no_longer_than_model_or_text(
    context: int | None, tokens: int, positions: int
) -> None:
    found = loss_by_position(make_session(context=context), CYCLE[:tokens])
    assert len(found.mean) == positions


def test_too_little_text_and_broken_models_are_refused() -> None:
    with pytest.raises(DataError, match="1 tokens"):
        loss_by_position(make_session(), CYCLE[:1])
    with pytest.raises(RunError, match="not finite"):
        loss_by_position(make_session(broken=True), CYCLE)


@given(st.integers(1, 3000))
def test_groups_of_positions_follow_each_other(length: int) -> None:
    groups = position_groups(length)
    assert groups[0][0] == 1
    assert groups[-1][1] == length
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(groups))
    assert all(first <= last for first, last in groups)
    assert len(groups) <= 2 * math.log2(length) + 2
