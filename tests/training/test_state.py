"""Learning rates over time, patience, limits: what a run decides from its counters."""

import dataclasses
import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnkit.config.training import (
    AdamConfig,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    LinearSchedule,
    PlateauSchedule,
    Schedule,
    StepSchedule,
)
from rnnkit.tasks.language_model.config import LanguageTrainingConfig
from rnnkit.training.state import (
    TrainingState,
    learning_rate_at,
    planned_steps,
)

HIGHEST = 0.5
FRACTIONS = st.floats(0.0, 1.0)


def rates(schedule: Schedule, *, steps: int, reductions: int = 0) -> list[float]:
    """Learning rates of all updates of a run."""
    return [
        learning_rate_at(
            step, highest=HIGHEST, schedule=schedule, total_steps=steps, reductions=reductions
        )
        for step in range(steps)
    ]


def schedules(warmup_steps: int = 0, final_fraction: float = 0.0) -> list[Schedule]:
    """One of each kind."""
    return [
        ConstantSchedule(warmup_steps=warmup_steps),
        LinearSchedule(kind="linear", warmup_steps=warmup_steps, final_fraction=final_fraction),
        CosineSchedule(kind="cosine", warmup_steps=warmup_steps, final_fraction=final_fraction),
        StepSchedule(kind="step", warmup_steps=warmup_steps, every_steps=7, factor=0.5),
        PlateauSchedule(kind="plateau", warmup_steps=warmup_steps, factor=0.25),
    ]


def kind(schedule: Schedule) -> str:
    return schedule.kind


# ------------------------------------------------------------------------- the learning rate


def test_every_schedule_is_tried() -> None:
    # The schema's own list of kinds, so that a new one is noticed here.
    tree = LanguageTrainingConfig.model_json_schema()["properties"]["schedule"]
    assert set(tree["discriminator"]["mapping"]) == {kind(schedule) for schedule in schedules()}


@pytest.mark.parametrize("schedule", schedules(warmup_steps=5), ids=kind)
def test_warm_up_rises_in_equal_steps_to_the_highest(schedule: Schedule) -> None:
    found = rates(schedule, steps=40)
    assert found[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found[5] == pytest.approx(HIGHEST)


@pytest.mark.parametrize("schedule", schedules(), ids=kind)
def test_without_warm_up_the_first_update_has_the_highest(schedule: Schedule) -> None:
    assert rates(schedule, steps=40)[0] == HIGHEST


@given(warmup=st.integers(0, 20), more=st.integers(1, 60), final=FRACTIONS, index=st.integers(0, 4))
def test_rates_rise_in_warm_up_and_never_again(
    warmup: int, more: int, final: float, index: int
) -> None:
    found = rates(schedules(warmup, final)[index], steps=warmup + more)
    assert all(0.0 <= rate <= HIGHEST * (1 + 1e-12) for rate in found)
    if warmup:
        assert found[:warmup] == sorted(found[:warmup])
        assert found[0] > 0.0
    after = found[warmup:]
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in itertools.pairwise(after))


@given(warmup=st.integers(0, 20), more=st.integers(1, 60), final=FRACTIONS)
def test_linear_and_cosine_end_at_the_final_fraction(warmup: int, more: int, final: float) -> None:
    steps = warmup + more
    for schedule in schedules(warmup, final)[1:3]:
        for step in (steps, steps + 1, 10 * steps):  # a run that is extended by the clock
            end = learning_rate_at(
                step, highest=HIGHEST, schedule=schedule, total_steps=steps, reductions=0
            )
            assert end == pytest.approx(HIGHEST * final, abs=1e-12)


def test_linear_and_cosine_meet_in_the_middle() -> None:
    linear, cosine = (rates(schedule, steps=100) for schedule in schedules(0, 0.2)[1:3])
    assert linear[50] == pytest.approx(HIGHEST * 0.6)
    assert cosine[50] == pytest.approx(HIGHEST * 0.6)
    assert linear[25] == pytest.approx(HIGHEST * 0.8)
    expected = 0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2
    assert cosine[25] == pytest.approx(HIGHEST * expected)


@pytest.mark.parametrize("schedule", schedules()[1:3], ids=kind)
def test_a_schedule_over_the_whole_run_needs_its_length(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match="length of the run"):
        learning_rate_at(3, highest=1.0, schedule=schedule, total_steps=None, reductions=0)


def test_steps_are_stairs() -> None:
    schedule = StepSchedule(kind="step", every_steps=10, factor=0.5)
    found = rates(schedule, steps=30)
    assert found == [0.5] * 10 + [0.25] * 10 + [0.125] * 10


def test_reductions_count_for_plateau_only() -> None:
    for schedule in schedules()[:4]:
        assert rates(schedule, steps=30, reductions=3) == rates(schedule, steps=30)
    assert rates(schedules()[4], steps=1, reductions=2) == [HIGHEST / 16]


# ----------------------------------------------------------------------- counters and limits


def training(**keys: Any) -> LanguageTrainingConfig:
    return LanguageTrainingConfig(**{"max_steps": 100, **keys})


def after(scores: list[float], settings: LanguageTrainingConfig) -> TrainingState:
    """The state after evaluations with these scores, one step each."""
    state = TrainingState()
    for score in scores:
        state.advance(batches_per_epoch=3)
        state.note_score(score, settings)
    return state


@given(steps=st.integers(0, 50), batches=st.integers(1, 7))
def test_steps_epochs_and_batches_agree(steps: int, batches: int) -> None:
    state = TrainingState()
    ended = [state.advance(batches_per_epoch=batches) for _ in range(steps)]
    assert state.step == steps == state.epoch * batches + state.index
    assert 0 <= state.index < batches
    assert sum(ended) == state.epoch


@given(scores=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=20))
def test_the_first_of_the_lowest_scores_is_the_best(scores: list[float]) -> None:
    state, said = TrainingState(), []
    for score in scores:
        state.advance(batches_per_epoch=1000)
        said.append(state.note_score(score, training()))
    assert state.best_score == min(scores)
    assert state.best_step == scores.index(min(scores)) + 1
    assert state.evaluations == len(scores)
    # It was announced at its step, and nothing was afterwards.
    assert max(i for i, is_best in enumerate(said, start=1) if is_best) == state.best_step


@pytest.mark.parametrize(
    ("scores", "reductions"),
    [
        ([3.0, 2.0, 1.0, 0.5], 0),
        ([3.0, 4.0], 0),
        ([3.0, 4.0, 5.0], 1),
        ([3.0, 4.0, 5.0, 6.0], 1),  # patience begins anew after a reduction
        ([3.0, 4.0, 5.0, 6.0, 7.0], 2),
        ([3.0, 4.0, 2.0, 4.0], 0),  # an improvement in between
        ([3.0, 3.0, 3.0], 1),  # the same score is no improvement
    ],
)
def test_plateau_reduces_after_its_patience(scores: list[float], reductions: int) -> None:
    settings = training(
        optimizer=AdamConfig(name="adam", learning_rate=1.0),
        schedule=PlateauSchedule(kind="plateau", patience=2, factor=0.1),
    )
    state = after(scores, settings)
    assert state.reductions == reductions
    assert state.learning_rate(settings, total_steps=100) == pytest.approx(0.1**reductions)


def test_other_schedules_meet_no_plateau() -> None:
    assert after([3.0] * 10, training()).reductions == 0


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([3.0, 2.0, 1.0], False),
        ([3.0, 3.1], False),
        ([3.0, 3.1, 3.2], True),
        ([3.0, 3.0, 3.0], True),
        ([3.0, 3.1, 2.5, 3.1], False),
        ([3.0, 2.95, 2.92], True),  # better, but by less than the minimum
        ([3.0, 2.95, 2.89], False),  # 0.11 below the last score that counted
    ],
)
def test_early_stopping_counts_real_improvements(scores: list[float], stops: bool) -> None:
    settings = training(early_stopping=EarlyStopping(patience=2, minimum_improvement=0.1))
    state = after(scores, settings)
    found = state.stopped_by(settings, seconds=0.0, is_evaluated=True)
    assert found == ("early_stopping" if stops else None)
    # Between evaluations it says nothing, so that a resumed run decides at the same moment.
    assert state.stopped_by(settings, seconds=0.0, is_evaluated=False) is None


def test_without_early_stopping_nothing_stops() -> None:
    state = after([1.0] * 50, training())
    assert state.stopped_by(training(), seconds=1e9, is_evaluated=True) is None


@pytest.mark.parametrize(
    ("limits", "step", "epoch", "seconds", "expected"),
    [
        ({"max_steps": 10}, 9, 0, 0.0, None),
        ({"max_steps": 10}, 10, 0, 0.0, "max_steps"),
        ({"max_steps": 10}, 11, 0, 0.0, "max_steps"),  # resumed with a lower limit
        ({"max_epochs": 2}, 10, 1, 0.0, None),
        ({"max_epochs": 2}, 10, 2, 0.0, "max_epochs"),
        ({"max_minutes": 0.5}, 10, 1, 29.9, None),
        ({"max_minutes": 0.5}, 10, 1, 30.0, "max_minutes"),
        ({"max_minutes": 0.5}, 0, 0, 31.0, None),  # never before the first update
        ({"max_steps": 10, "max_epochs": 2, "max_minutes": 1.0}, 9, 2, 0.0, "max_epochs"),
    ],
)
def test_the_first_limit_ends_the_run(
    limits: dict[str, Any], step: int, epoch: int, seconds: float, expected: str | None
) -> None:
    settings = LanguageTrainingConfig(**limits)
    state = TrainingState(step=step, epoch=epoch)
    assert state.stopped_by(settings, seconds=seconds, is_evaluated=False) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_steps": 10}, 10),
        ({"max_epochs": 3}, 21),
        ({"max_steps": 10, "max_epochs": 1}, 7),
        ({"max_steps": 10, "max_epochs": 3}, 10),
        ({"max_steps": 10, "max_minutes": 1e-9}, 10),
        ({"max_minutes": 5.0}, None),
    ],
)
def test_planned_steps(limits: dict[str, Any], expected: int | None) -> None:
    assert planned_steps(LanguageTrainingConfig(**limits), 7) == expected


@given(steps=st.integers(1, 50), epochs=st.integers(1, 10), batches=st.integers(1, 9))
def test_a_run_makes_as_many_steps_as_planned(steps: int, epochs: int, batches: int) -> None:
    settings = LanguageTrainingConfig(max_steps=steps, max_epochs=epochs)
    state = TrainingState()
    while state.stopped_by(settings, seconds=0.0, is_evaluated=False) is None:
        state.advance(batches_per_epoch=batches)
    assert state.step == planned_steps(settings, batches)


@given(divergences=st.integers(0, 3), step=st.integers(0, 99))
def test_each_divergence_halves_the_learning_rate(divergences: int, step: int) -> None:
    settings = training(schedule=CosineSchedule(kind="cosine", warmup_steps=9))
    whole = TrainingState(step=step).learning_rate(settings, total_steps=100)
    reduced = TrainingState(step=step, divergences=divergences).learning_rate(
        settings, total_steps=100
    )
    assert reduced == whole / 2**divergences


# ------------------------------------------------------------------------------- checkpoints

STATES = st.builds(
    TrainingState,
    **{
        field.name: st.integers(0, 2**40)
        for field in dataclasses.fields(TrainingState)
        if field.type is int
    },
    seconds=st.floats(0.0, 1e9),
    best_score=st.none() | st.floats(0.0, 1e9),
    stopping_score=st.none() | st.floats(0.0, 1e9),
)


@given(state=STATES)
@example(state=TrainingState())
def test_a_state_survives_a_checkpoint(state: TrainingState) -> None:
    facts = json.loads(json.dumps(state.to_dict()))
    assert TrainingState.from_dict(facts) == state


@given(scores=st.lists(st.floats(0.0, 5.0), min_size=2, max_size=12), data=st.data())
def test_a_state_goes_on_after_a_checkpoint_as_without(
    scores: list[float], data: st.DataObject
) -> None:
    settings = training(
        schedule=PlateauSchedule(kind="plateau", patience=1),
        early_stopping=EarlyStopping(patience=2, minimum_improvement=0.5),
    )
    cut = data.draw(st.integers(1, len(scores) - 1))
    state = TrainingState.from_dict(json.loads(json.dumps(after(scores[:cut], settings).to_dict())))
    for score in scores[cut:]:
        state.advance(batches_per_epoch=3)
        state.note_score(score, settings)
    assert state == after(scores, settings)


def test_facts_of_another_shape_are_refused() -> None:
    facts = TrainingState().to_dict()
    with pytest.raises(TypeError, match="unknown"):
        TrainingState.from_dict(facts | {"unknown": 1})
    for name in facts:
        with pytest.raises(TypeError, match=name):
            TrainingState.from_dict({key: value for key, value in facts.items() if key != name})
