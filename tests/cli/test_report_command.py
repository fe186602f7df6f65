"""`rnnkit report`: what it writes, what it refuses, and what it does without."""

import html
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import write_atomically, write_document
from rnnkit.runs.records import encode_metrics
from rnnkit.tasks.task import load_config
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import prepare_texts
from rnnkit.views.view import page_mark

TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs.\n" * 40

RECORD = {
    "step": 10,
    "epoch": 0.5,
    "seconds": 1.5,
    "learning_rate": 0.001,
    "train_loss": 2.5,
    "validation_loss": 2.25,
    "validation_accuracy": 0.4,
    "bits_per_character": 3.246,
    "tokens_per_second": 1000.0,
    "gradient_norm": 0.5,
    "samples": [{"temperature": 0.5, "text": "<b>sampled</b> & text"}],
}


@pytest.fixture
def run(make_model_run: Callable[..., RunDirectory]) -> RunDirectory:
    """A finished run of a language model."""
    made = make_model_run(TEXT)
    write_atomically(made.metrics, encode_metrics([RECORD]))
    write_document(made.environment, "environment", {"python": "3.11.7", "device": "a machine"})
    return made


def report(run_cli: Callable[..., Any], run: RunDirectory, *options: object) -> Any:
    return run_cli("report", run.path, *options)


def test_a_report_stands_in_the_run(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    result = report(run_cli, run)
    assert (result.exit_code, result.stdout) == (0, f"{run.report}\n")
    page = run.report.read_text("utf-8")
    assert page.startswith(page_mark("report"))
    for expected in (
        "<h1>small</h1>",
        "&lt;b&gt;sampled&lt;/b&gt; &amp; text",
        "Loss by position",
        "2.2500",
        "a machine",
        "model.units",
        "context_windows: [64, 256]",  # in the complete configuration
    ):
        assert expected in page, expected
    assert "<b>sampled" not in page


def test_reporting_twice_changes_nothing(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    report(run_cli, run)
    first = run.report.read_bytes()
    assert report(run_cli, run).exit_code == 0
    assert run.report.read_bytes() == first
    assert not list(run.path.glob(".*.tmp"))


def test_json_names_the_file(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    output = tmp_path / "elsewhere.html"
    result = report(run_cli, run, "--output", output, "--json")
    assert json.loads(result.stdout) == {
        "run": str(run.path),
        "report": str(output),
        "bytes": output.stat().st_size,
    }
    assert not run.report.exists()


def test_an_earlier_report_is_replaced_and_nothing_else(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    output = tmp_path / "page.html"
    assert report(run_cli, run, "--output", output).exit_code == 0
    assert report(run_cli, run, "--output", output).exit_code == 0
    notes = tmp_path / "notes.html"
    notes.write_text("my notes")
    result = report(run_cli, run, "--output", notes)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "notes.html: exists and is no report" in result.stderr
    assert notes.read_text() == "my notes"


def test_a_folder_that_is_missing_is_said(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    result = report(run_cli, run, "--output", tmp_path / "none" / "page.html")
    assert result.exit_code == 5
    assert "page.html: cannot be written" in result.stderr


def test_without_run_the_newest_is_taken(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    result = run_cli("report", "--runs-dir", run.path.parent)
    assert result.stdout == f"{run.report}\n"
    assert f"Using the newest run, {run.path}" in result.stderr
    empty = run_cli("report", "--runs-dir", run.path / "checkpoints")
    assert empty.exit_code == 5


@pytest.mark.parametrize("with_metrics", [True, False])
def test_an_unfinished_run_is_reported_with_what_it_has(
    run_cli: Callable[..., Any], run: RunDirectory, with_metrics: bool
) -> None:
    run.summary.unlink()
    run.onnx_model.unlink()
    if not with_metrics:
        run.metrics.unlink()
    result = report(run_cli, run)
    assert result.exit_code == 0
    assert f"rnnkit train --resume {run.path}" in result.stderr
    page = run.report.read_text("utf-8")
    assert f"rnnkit train --resume {run.path}" in page
    assert "unfinished" in page
    assert "Loss by position" not in page
    assert ("<svg" in page) == with_metrics
    refused = report(run_cli, run, "--split", "validation")
    assert refused.exit_code == 4
    assert "no model" in refused.stderr


def test_without_its_text_a_run_is_reported_without_what_needs_it(
    run_cli: Callable[..., Any], run: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "small.txt").write_text(TEXT.upper())
    result = report(run_cli, run)
    assert result.exit_code == 0
    assert "the text has changed" in result.stderr
    page = run.report.read_text("utf-8")
    assert "the text has changed" in page
    assert "Loss by position" not in page
    assert "<svg" in page
    assert report(run_cli, run, "--split", "train").exit_code == 4


def test_the_split_that_was_asked_for_is_scored(
    run_cli: Callable[..., Any], run: RunDirectory
) -> None:
    for split in ("train", "validation"):
        assert report(run_cli, run, "--split", split).exit_code == 0
        assert f"the {split} text costs" in run.report.read_text("utf-8")
    result = report(run_cli, run, "--split", "test")
    assert result.exit_code == 4
    assert "no test split" in result.stderr


@pytest.mark.parametrize(
    "name", ["config.yaml", "vocabulary.json", "summary.json", "environment.json", "model.onnx"]
)
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_run_is_refused(
    run_cli: Callable[..., Any], run: RunDirectory, name: str, damage: str
) -> None:
    path = run.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole + b"\n0")
    result = report(run_cli, run)
    assert (result.exit_code, result.stdout) == (5, "")
    assert name in result.stderr
    assert not run.report.exists()


def test_damaged_metrics_are_refused(run_cli: Callable[..., Any], run: RunDirectory) -> None:
    run.metrics.write_text('{"step": 1}\n{"step"')
    result = report(run_cli, run)
    assert result.exit_code == 5
    assert "metrics.jsonl:2" in result.stderr


def test_what_is_no_run_is_refused(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    assert run_cli("report", "nothing", "--runs-dir", tmp_path).exit_code == 5
    assert run_cli("report", tmp_path).exit_code == 5


# -------------------------------------------------------------------------------- classifiers

ROWS = [
    (label, f"{word} film number {number}")
    for number in range(20)
    for label, word in (
        ("positive", "good"),
        ("positive", "great"),
        ("negative", "bad"),
        ("negative", "awful"),
    )
]
WRONG = [("negative", f"<script>great {number}</script>") for number in range(6)]


@pytest.fixture
def classifier(make_class_run: Callable[..., RunDirectory]) -> RunDirectory:
    """A classifier that takes some negative texts for positive ones."""
    made = make_class_run([*ROWS, *WRONG], name="films")
    write_atomically(made.metrics, encode_metrics([RECORD]))
    return made


def test_a_classifier_is_scored_as_evaluate_scores_it(
    run_cli: Callable[..., Any], classifier: RunDirectory
) -> None:
    evaluated = json.loads(run_cli("evaluate", classifier.path, "--json").stdout)
    assert report(run_cli, classifier).exit_code == 0
    page = classifier.report.read_text("utf-8")
    for name in ("loss", "accuracy", "macro_f1", "roc_auc", "brier", "ece"):
        assert f">{evaluated['metrics'][name]['value']:.4f}<" in page, name
    assert "of the validation split" in page
    assert "holds out no test split" in page
    for title in ("Scores", "Confusion matrix", "ROC", "Calibration", "Worst errors", "Training"):
        assert title in page


def test_errors_are_shown_with_their_place_and_escaped(
    run_cli: Callable[..., Any], classifier: RunDirectory
) -> None:
    evaluated = json.loads(run_cli("evaluate", classifier.path, "--json", "--worst", 3).stdout)
    assert evaluated["worst"]
    report(run_cli, classifier)
    page = classifier.report.read_text("utf-8")
    assert "<script" not in page
    for worst in evaluated["worst"]:
        assert f"films.csv, row {worst['row']}" in page
        assert html.escape(worst["text"]) in page


def test_the_stored_decision_is_used(run_cli: Callable[..., Any], classifier: RunDirectory) -> None:
    write_document(
        classifier.decision,
        "decision",
        {"temperature": 1.0, "threshold": 0.999, "positive": "positive", "how": "by hand"},
    )
    report(run_cli, classifier)
    page = classifier.report.read_text("utf-8")
    assert "By hand." in page
    assert "threshold 0.999" in page
    write_document(classifier.decision, "decision", {"temperature": -1.0})
    assert report(run_cli, classifier).exit_code == 5


def test_what_was_learned_from_is_told(
    run_cli: Callable[..., Any], classifier: RunDirectory
) -> None:
    report(run_cli, classifier)
    assert "Class balance" not in classifier.report.read_text("utf-8")  # it has no data.json yet
    config = load_config(classifier.config)
    assert isinstance(config, ClassificationConfig)
    write_document(classifier.data_summary, "data", prepare_texts(config).summary)
    assert report(run_cli, classifier).exit_code == 0
    page = classifier.report.read_text("utf-8")
    for expected in ("Class balance", "Most frequent tokens", "Vocabulary", ">film<", "tokens"):
        assert expected in page, expected


def test_a_classifier_without_its_texts_is_still_reported(
    run_cli: Callable[..., Any], classifier: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "films.csv").unlink()
    result = report(run_cli, classifier)
    assert result.exit_code == 0
    assert "films.csv" in result.stderr
    page = classifier.report.read_text("utf-8")
    assert "Worst errors" not in page
    assert "<svg" in page


# Prints which of the heavy libraries were loaded by a command.
LOADED = """
import json, sys
from rnnkit.cli import cli

try:
    cli(sys.argv[1:], prog_name="rnnkit")
except SystemExit as end:
    assert not end.code, end.code
heavy = ("matplotlib", "matplotlib.pyplot", "tensorflow", "keras", "sklearn", "pandas")
print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("command", "loaded"),
    [(["report"], ["matplotlib"]), (["runs", "show"], []), (["report", "--help"], [])],
)
def test_figures_are_drawn_without_what_they_do_not_need(
    run: RunDirectory, command: list[str], loaded: list[str]
) -> None:
    runs_dir = [] if "--help" in command else ["--runs-dir", str(run.path.parent)]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *command, *runs_dir],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert json.loads(done.stderr.splitlines()[-1]) == loaded
