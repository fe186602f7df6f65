"""Typed records of a run: metrics, lines of metrics.jsonl, summary.json."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnkit.runs.records import MetricsLine, Sample, Summary, finite, metric

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)

LINE = {
    "step": 100,
    "epoch": 0.5,
    "seconds": 12.5,
    "learning_rate": 0.001,
    "train_loss": 2.5,
    "train_accuracy": 0.25,
    "tokens_per_second": 1234.5,
    "gradient_norm": math.inf,
    "validation_loss": 2.75,
    "bits_per_character": 3.9,
    "perplexity_per_word": 321.0,
    "samples": [{"temperature": 0.5, "text": "to be"}],
}

SUMMARY = {
    "run": "runs/a",
    "task": "char_generation",
    "started_at": "2026-01-02T03:04:05+00:00",
    "finished_at": "2026-01-02T03:05:05+00:00",
    "seconds": 60.5,
    "steps": 300,
    "epochs": 1.5,
    "best_step": 200,
    "stopped_by": "max_steps",
    "metrics": {"validation_loss": 2.0, "perplexity_per_word": 99.5},
    "corpus_fingerprint": "c0ffee",
    "parameters": 4321,
    "cell": "gru",
    "units": [32, 16],
    "layers": None,
}


def test_a_line_is_read_by_type_not_by_the_end_of_its_names() -> None:
    line = MetricsLine.from_json(LINE)
    assert (line.step, line.epoch, line.seconds, line.learning_rate) == (100, 0.5, 12.5, 0.001)
    assert line.samples == (Sample(0.5, "to be"),)
    assert line.is_evaluation
    assert list(line.metrics) == [
        "train_loss",
        "train_accuracy",
        "tokens_per_second",
        "gradient_norm",
        "validation_loss",
        "bits_per_character",
        "perplexity_per_word",
    ]
    assert line.metric("perplexity_per_word") == 321.0
    assert line.metric("gradient_norm") is None, "infinite"
    assert line.metric("validation_accuracy") is None, "missing"


def test_a_line_is_written_as_it_was_read() -> None:
    assert json.dumps(MetricsLine.from_json(LINE).to_json()) == json.dumps(LINE)


def test_a_line_between_evaluations_says_so() -> None:
    line = MetricsLine(step=30, metrics={"train_loss": 3.0}, is_evaluation=False)
    assert line.to_json() == {"step": 30, "evaluated": False, "train_loss": 3.0}
    assert MetricsLine.from_json(line.to_json()) == line


@given(st.dictionaries(st.sampled_from([*LINE, "evaluated"]) | st.text(max_size=5), JSON_VALUES))
@example({"samples": [{"temperature": "hot", "text": "a"}], "seconds": None, "train_loss": [1]})
def test_any_line_survives_a_round_trip(record: dict[str, Any]) -> None:
    record["step"] = 7
    known = {key: value for key, value in record.items() if value is not None and value != []}
    written = MetricsLine.from_json(record).to_json()
    assert {key: value for key, value in written.items() if value is not None} == {
        key: value for key, value in record.items() if value is not None and key in written
    }
    assert known.keys() <= written.keys()


def test_a_summary_is_written_as_it_was_read() -> None:
    for document in (SUMMARY, SUMMARY | {"classes": ["no", "yes"], "later": {"key": 1}}):
        assert json.dumps(Summary.from_json(document).to_json()) == json.dumps(document)


def test_layer_sizes_of_every_spelling() -> None:
    assert Summary(units=32).layer_sizes == (32,)
    assert Summary(units=32, layers=3).layer_sizes == (32, 32, 32)
    assert Summary(units=(32, 16)).layer_sizes == (32, 16)
    assert Summary().layer_sizes == ()


@given(st.dictionaries(st.sampled_from(list(SUMMARY)), JSON_VALUES))
def test_a_strange_summary_is_read_as_unknown(document: dict[str, Any]) -> None:
    summary = Summary.from_json(document)
    assert summary.steps is None or isinstance(summary.steps, int)
    assert summary.task is None or isinstance(summary.task, str)
    assert all(isinstance(value, int | float) for value in summary.metrics.values())


@pytest.mark.parametrize(
    ("name", "title", "lower"),
    [
        ("loss", "loss", True),
        ("validation_loss", "validation loss", True),
        ("train_accuracy", "training accuracy", False),
        ("validation_macro_f1", "validation F1, mean of classes", False),
        ("perplexity_per_word", "perplexity per word", True),
        ("gradient_norm", "gradient norm", None),
        ("never_heard_of", "never heard of", None),
    ],
)
def test_metrics_are_described(name: str, title: str, lower: bool | None) -> None:
    found = metric(name)
    assert (found.name, found.title, found.lower_is_better) == (name, title, lower)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, True, "1", [1]])
def test_only_finite_numbers_are_numbers(value: object) -> None:
    assert finite(value) is None
