"""Temperature and threshold: what they are chosen for is what they reach."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from rnnkit.errors import DataError, UsageError
from rnnkit.inference.decision import (
    Decision,
    Goal,
    choose_threshold,
    fit_temperature,
    parse_goal,
    read_decision,
    remove_decision,
    softmax,
    with_temperature,
    write_decision,
)
from rnnkit.inference.scores import row_losses
from rnnkit.runs.directory import RunDirectory


@st.composite
def logits_and_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, classes = draw(st.integers(5, 60)), draw(st.integers(2, 4))
    logits = rng.normal(size=(rows, classes)).astype(np.float32)
    logits *= draw(st.sampled_from([0.01, 1.0, 30.0]))
    return logits, rng.integers(0, classes, rows)


@given(logits_and_labels())
def test_temperature_lowers_the_loss_and_keeps_the_order(
    given_rows: tuple[np.ndarray, np.ndarray],
) -> None:
    logits, labels = given_rows
    temperature = fit_temperature(logits, labels)
    assert 0.0099 < temperature < 100.1

    def loss(at: float) -> float:
        return float(row_losses(softmax(logits, at), labels).mean())

    best = loss(temperature)
    for other in (1.0, temperature * 0.9, temperature * 1.1):
        if 0.01 <= other <= 100.0:
            assert best <= loss(other) + 1e-9
    before, after = softmax(logits), softmax(logits, temperature)
    order = np.argsort(before, axis=1)
    ranked = np.take_along_axis(after, order, axis=1)
    assert (np.diff(ranked, axis=1) >= 0.0).all()
    assert np.allclose(after.sum(axis=1), 1.0)


def test_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50_000, 3)) * 2.0
    shares = softmax(logits).cumsum(axis=1)
    labels = (rng.random((len(logits), 1)) > shares).sum(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.03)
    assert fit_temperature(3.0 * logits, labels) == pytest.approx(3.0, abs=0.1)


@st.composite
def probabilities_and_truth(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    values = st.sampled_from([0.0, 0.1, 0.3, 0.30000001, 0.5, 0.9, np.nextafter(0.9, 1.0), 1.0])
    rows = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=30))
    probabilities, truth = zip(*rows, strict=True)
    if not any(truth):
        truth = (True, *truth[1:])
    return np.array(probabilities), np.array(truth)


@given(probabilities_and_truth())
def test_no_threshold_has_a_better_f1(given_rows: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, truth = given_rows
    threshold = choose_threshold(probabilities, truth, Goal())
    found = f1_score(truth, probabilities >= threshold)
    for other in probabilities:
        assert found >= f1_score(truth, probabilities >= other) - 1e-12


@given(probabilities_and_truth(), st.sampled_from([0.2, 0.5, 0.75, 1.0]))
def test_a_wanted_precision_is_reached_with_the_most_recall(
    given_rows: tuple[np.ndarray, np.ndarray], wanted: float
) -> None:
    probabilities, truth = given_rows
    enough = [
        other for other in probabilities if precision_score(truth, probabilities >= other) >= wanted
    ]
    if not enough:
        with pytest.raises(DataError, match="No threshold reaches"):
            choose_threshold(probabilities, truth, Goal(wanted))
        return
    threshold = choose_threshold(probabilities, truth, Goal(wanted))
    assert precision_score(truth, probabilities >= threshold) >= wanted
    recall = recall_score(truth, probabilities >= threshold)
    assert recall == max(recall_score(truth, probabilities >= other) for other in enough)


def test_a_class_without_rows_has_no_threshold() -> None:
    with pytest.raises(DataError, match="No row"):
        choose_threshold(np.array([0.5]), np.array([False]), Goal())


@pytest.mark.parametrize(
    "text",
    [
        "f2",
        "precision",
        "precision=",
        "precision=0",
        "precision=1.1",
        "precision=nan",
        "recall=0.5",
        "",
    ],
)
def test_other_goals_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected f1, or precision"):
        parse_goal(text)


@pytest.mark.parametrize("text", ["f1", "precision=0.9", "precision=1"])
def test_goals_are_shown_as_they_are_written(text: str) -> None:
    assert str(parse_goal(text)) == text


@given(st.floats(0.001, 0.999), st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_another_temperature_moves_the_threshold_and_no_class(
    threshold: float, first: float, second: float
) -> None:
    logits = np.random.default_rng(0).normal(size=(200, 2)) * 4.0
    decision = Decision(temperature=first, threshold=threshold, positive="b")
    moved = with_temperature(decision, second)
    assert moved.temperature == second
    assert moved.threshold is not None
    before, after = softmax(logits, first)[:, 1], softmax(logits, second)[:, 1]
    # Where rounding decides, either class is right.
    clear = (np.abs(before - threshold) > 1e-9) & (np.abs(after - moved.threshold) > 1e-9)
    assert ((before >= threshold) == (after >= moved.threshold))[clear].all()


def test_decisions_are_stored_in_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    classes = ("no", "yes")
    assert read_decision(run, classes) == Decision()
    assert not remove_decision(run)
    decision = Decision(1.5, 0.25, "no", "f1").described(rows=1234)
    write_decision(run, decision)
    assert read_decision(run, classes) == decision
    assert decision.positive_index(classes) == 0
    assert "temperature 1.5000; no from 0.2500 on, for f1" in decision.how
    assert "1,234 validation texts" in decision.how
    probabilities = np.array([[0.3, 0.7], [0.2, 0.8]])
    chosen = decision.choose(probabilities, classes)
    assert chosen.tolist() == [0, 1]
    assert remove_decision(run)
    assert read_decision(run, classes) == Decision()
