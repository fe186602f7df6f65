"""Scores of predicted classes: scikit-learn's values, and intervals that hold what they promise."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from rnnkit.inference import scores
from rnnkit.inference.decision import Decision
from rnnkit.inference.intervals import summarize_folds
from rnnkit.inference.scores import (
    LEAST_ROWS,
    calibration_curve,
    score_probabilities,
    worst_errors,
)
from rnnkit.runs.records import Estimate


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Probabilities with ties, labels of any classes, and names."""
    classes = draw(st.integers(2, 4))
    rows = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), (rows, classes)) + 1.0
    labels = rng.integers(0, draw(st.integers(1, classes)), rows)
    return counts / counts.sum(axis=1, keepdims=True), labels, list("abcd"[:classes])


def reference(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Scores by scikit-learn for rows that count `weights` times."""
    classes = probabilities.shape[1]
    ids = np.arange(classes)
    predicted = probabilities.argmax(axis=1)
    kwargs: Any = {"labels": ids, "zero_division": 0.0, "sample_weight": weights}
    values = metrics.precision_recall_fscore_support(labels, predicted, **kwargs)
    counted = weights > 0
    ranked = [1] if classes == 2 else ids
    return {
        "loss": metrics.log_loss(labels, probabilities, labels=ids, sample_weight=weights),
        "accuracy": metrics.accuracy_score(labels, predicted, sample_weight=weights),
        "macro_precision": np.mean(values[0]),
        "macro_recall": np.mean(values[1]),
        "macro_f1": np.mean(values[2]),
        "recall_b": np.asarray(values[1])[1],
        "f1_a": np.asarray(values[2])[0],
        "balanced_accuracy": np.asarray(values[1])[np.isin(ids, labels[counted])].mean(),
        "brier": metrics.brier_score_loss(
            labels,
            probabilities if classes > 2 else probabilities[:, 1],
            sample_weight=weights,
            labels=ids,
        ),
        "roc_auc": np.mean(
            [
                metrics.roc_auc_score(labels == i, probabilities[:, i], sample_weight=weights)
                if len(set(labels[counted] == i)) == 2
                else math.nan
                for i in ranked
            ]
        ),
        "pr_auc": np.mean(
            [
                metrics.average_precision_score(
                    labels == i, probabilities[:, i], sample_weight=weights
                )
                if (labels[counted] == i).any()
                else math.nan
                for i in ranked
            ]
        ),
    }


@given(answers())
def test_values_are_those_of_scikit_learn(
    given_answers: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    probabilities, labels, classes = given_answers
    scored = score_probabilities(probabilities, labels, classes, resamples=0)
    expected = reference(probabilities, labels, np.ones(len(labels)))
    found = {name: scored.metrics[name].value for name in expected}
    assert found == pytest.approx(expected, nan_ok=True)
    matrix = metrics.confusion_matrix(
        labels, probabilities.argmax(axis=1), labels=np.arange(len(classes))
    )
    assert scored.confusion.tolist() == matrix.tolist()
    missing = sorted(set(classes) - {classes[i] for i in labels})
    assert [name in " ".join(scored.notes) for name in missing] == [True] * len(missing)


@given(answers(), st.integers(0, 2**32))
def test_a_redrawn_sample_is_scored_as_by_scikit_learn(
    given_answers: tuple[np.ndarray, np.ndarray, list[str]], seed: int
) -> None:
    probabilities, labels, classes = given_answers
    rows = len(labels)
    draws = np.random.default_rng(seed).integers(0, rows, rows)
    weights = np.bincount(draws, minlength=rows).astype(float)
    weighted = scores.WeightedScores(
        probabilities, labels, probabilities.argmax(axis=1), classes, bins=5, positive=1
    )(weights)
    expected = reference(probabilities, labels, weights)
    assert {name: weighted[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    again = score_probabilities(probabilities[draws], labels[draws], classes, resamples=0, bins=5)
    assert weighted["ece"] == pytest.approx(again.metrics["ece"].value)
    assert list(weighted) == list(again.metrics)


def ends(estimate: Estimate) -> tuple[float, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def sample(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    log_odds = rng.normal(size=rows) * 2.0
    probability = 1.0 / (1.0 + np.exp(-log_odds))
    labels = (rng.random(rows) < probability).astype(int)
    return np.stack([1.0 - probability, probability], axis=1), labels


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    truth = score_probabilities(*sample(rng, 400_000), ["a", "b"], resamples=0).metrics
    names = ("loss", "accuracy", "f1_b", "macro_f1", "roc_auc", "pr_auc", "brier")
    covered = dict.fromkeys(names, 0)
    trials = 200
    for trial in range(trials):
        scored = score_probabilities(*sample(rng, 300), ["a", "b"], resamples=200, seed=trial)
        for name in names:
            estimate = scored.metrics[name]
            assert estimate.low is not None
            assert estimate.high is not None
            covered[name] += estimate.low <= truth[name].value <= estimate.high
    # 95 % nominally; four standard deviations of a count of 200 are 6 %.
    for name, count in covered.items():
        assert 0.89 <= count / trials <= 1.0, name


def test_intervals_repeat_and_depend_on_the_seed() -> None:
    probabilities, labels = sample(np.random.default_rng(0), 100)
    scored = [
        score_probabilities(probabilities, labels, ["a", "b"], resamples=50, seed=seed).metrics
        for seed in (3, 3, 4)
    ]
    assert scored[0] == scored[1]
    assert scored[0] != scored[2]


@pytest.mark.parametrize("rows", [60, 400])
def test_scores_at_their_limit_have_exact_intervals(rows: int) -> None:
    """Every resample of rows that are all right is the same; the truth need not be 1."""
    labels = np.arange(rows) % 2
    certain = np.where(labels[:, np.newaxis] == np.arange(2), 0.9, 0.1)
    right = score_probabilities(certain, labels, ["a", "b"], resamples=50).metrics
    wrong = score_probabilities(certain[:, ::-1], labels, ["a", "b"], resamples=50).metrics
    low = 0.025 ** (1 / rows)  # Clopper and Pearson (1934)
    assert ends(right["accuracy"]) == (1.0, pytest.approx(low), 1.0)
    assert ends(wrong["accuracy"]) == (0.0, 0.0, pytest.approx(1 - low))
    low = 0.025 ** (2 / rows)
    for name in ("precision_a", "recall_b", "macro_recall", "balanced_accuracy"):
        assert ends(right[name]) == (1.0, pytest.approx(low), 1.0)
    assert ends(right["f1_a"]) == (1.0, pytest.approx(2 * low / (1 + low)), 1.0)
    assert right["macro_f1"] == right["f1_a"]
    for name in ("roc_auc", "pr_auc"):
        assert ends(right[name]) == (1.0, None, None), "no exact interval is known"


def test_a_class_without_rows_has_no_interval() -> None:
    probabilities, labels = np.tile([0.8, 0.2], (30, 1)), np.zeros(30, np.int64)
    found = score_probabilities(probabilities, labels, ["a", "b"], resamples=50).metrics
    assert ends(found["recall_b"]) == (0.0, None, None)


def test_folds_have_intervals_inside_the_bounds_of_the_metric() -> None:
    folds = [
        {"accuracy": 0.93, "loss": 0.02, "brier": 0.01, "f1_a": 1.0},
        {"accuracy": 1.0, "loss": 0.30, "brier": 0.09, "f1_a": 1.0},
        {"accuracy": 0.98, "loss": 0.01, "brier": 0.02, "f1_a": 1.0},
    ]
    found = summarize_folds(folds, rows=60)
    accuracy, loss = found["accuracy"].mean, found["loss"].mean
    assert accuracy.low is not None
    assert accuracy.low < accuracy.value < 1.0
    assert accuracy.high == 1.0
    assert loss.low == 0.0
    assert loss.high is not None
    assert loss.high > loss.value
    assert ends(found["f1_a"].mean) == (1.0, pytest.approx(0.025 ** (1 / 60)), 1.0)


def test_few_rows_have_no_intervals() -> None:
    probabilities, labels = sample(np.random.default_rng(0), LEAST_ROWS - 1)
    scored = score_probabilities(probabilities, labels, ["a", "b"])
    assert all(estimate.low is None for estimate in scored.metrics.values())
    assert "No intervals" in scored.notes[-1]


def test_many_rows_are_drawn_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_DRAWS", 100_000)
    probabilities, labels = sample(np.random.default_rng(0), 400)
    calls = []
    scored = score_probabilities(
        probabilities, labels, ["a", "b"], progress=lambda done, total: calls.append((done, total))
    )
    assert calls[-1] == (250, 250)
    assert "250 resamples instead of 1000" in scored.notes[0]


def test_a_threshold_changes_what_is_predicted_and_nothing_else() -> None:
    probabilities, labels = sample(np.random.default_rng(1), 500)
    plain = score_probabilities(probabilities, labels, ["a", "b"], resamples=0)
    strict = score_probabilities(
        probabilities,
        labels,
        ["a", "b"],
        resamples=0,
        decision=Decision(threshold=0.9, positive="b"),
    )
    assert strict.metrics["precision_b"].value > plain.metrics["precision_b"].value
    assert strict.metrics["recall_b"].value < plain.metrics["recall_b"].value
    for name in ("loss", "roc_auc", "pr_auc", "brier", "ece"):
        assert strict.metrics[name] == plain.metrics[name]
    other = Decision(threshold=0.9, positive="a").choose(probabilities, ["a", "b"])
    assert (other == 0).sum() == (probabilities[:, 0] >= 0.9).sum()


def test_calibration() -> None:
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95], [0.4, 0.6], [0.0, 1.0]])
    labels = np.array([0, 0, 1, 1])
    curve = calibration_curve(probabilities, labels, 10)
    assert [count for *_, count in curve] == [1, 3]
    assert curve[0][:2] == pytest.approx((0.6, 1.0))
    assert curve[1][:2] == pytest.approx((2.9 / 3, 2 / 3))
    scored = score_probabilities(probabilities, labels, ["a", "b"], bins=10)
    assert scored.metrics["ece"].value == pytest.approx((0.4 + 3 * (2.9 / 3 - 2 / 3)) / 4)
    # Probabilities that say how often they are right have none.
    large = score_probabilities(*sample(np.random.default_rng(2), 100_000), ["a", "b"], resamples=0)
    assert large.metrics["ece"].value < 0.01


def test_worst_errors_are_errors_and_the_worst_of_them() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.01, 0.99]])
    labels = np.array([1, 0, 1, 1, 1])
    predicted = probabilities.argmax(axis=1)
    assert worst_errors(probabilities, labels, predicted, 10).tolist() == [0, 1, 2]
    assert worst_errors(probabilities, labels, predicted, 2).tolist() == [0, 1]
    low = Decision(threshold=0.35, positive="b").choose(probabilities, ["a", "b"])
    assert worst_errors(probabilities, labels, low, 9).tolist() == [0, 1]
    assert worst_errors(probabilities, labels, predicted, 0).tolist() == []
