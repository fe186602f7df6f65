"""`rnnkit runs`: what it reads from run directories, healthy and damaged ones."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.runs.checkpoint import write_checkpoint
from rnnkit.runs.directory import RunDirectory, create_run, locked
from rnnkit.runs.files import write_atomically, write_document
from rnnkit.runs.records import encode_metrics, read_summary, write_summary

CONFIG = """\
version: 1
task: char_generation
data: {{path: /texts/text.txt}}
model: {{cell: {cell}, units: {units}}}
training: {{max_steps: {steps}}}
"""

VOCABULARY = {"kind": "characters", "tokens": ["a", "b"]}


def record(step: int, loss: float, **more: Any) -> dict[str, Any]:
    return {
        "step": step,
        "epoch": step / 10,
        "seconds": step * 0.6,
        "learning_rate": 0.001,
        "train_loss": loss - 0.1,
        "validation_loss": loss,
        "validation_accuracy": 0.4,
        "bits_per_character": loss / math.log(2),
        "tokens_per_second": 1234.5,
        "gradient_norm": 0.5,
        **more,
    }


def make_run(
    runs_dir: Path,
    name: str,
    *,
    losses: list[float],
    cell: str = "gru",
    units: int = 32,
    finished: bool = True,
    corpus: str = "c0ffee",
    age: int = 0,
) -> RunDirectory:
    """A run directory as training writes it, with one evaluation every 100 steps."""
    records = [record(100 * i, loss) for i, loss in enumerate(losses, start=1)]
    if records:
        records[-1]["samples"] = [{"temperature": 0.5, "text": "first line\nsecond line"}]
    text = CONFIG.format(cell=cell, units=units, steps=100 * len(losses) or 1)
    run = create_run(runs_dir, name, config_text=text, vocabulary=VOCABULARY)
    write_document(run.environment, "environment", {"python": "3.11.7", "cores": 2})
    if records:
        write_atomically(run.metrics, encode_metrics(records))
    if finished:
        best = min(records, key=lambda entry: entry["validation_loss"])
        kept = ("train_loss", "validation_loss", "validation_accuracy", "bits_per_character")
        summary = {
            "run": str(run.path),
            "task": "char_generation",
            "finished_at": "2026-01-02T03:04:05+00:00",
            "seconds": records[-1]["seconds"],
            "steps": records[-1]["step"],
            "best_step": best["step"],
            "stopped_by": "max_steps",
            "metrics": {key: best[key] for key in kept},
            "corpus_fingerprint": corpus,
            "parameters": 4321,
            "cell": cell,
            "units": units,
            "layers": None,
        }
        write_document(run.summary, "summary", summary)
    newest = run.summary if finished else run.manifest
    os.utime(newest, (1_800_000_000 - age, 1_800_000_000 - age))
    return run


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """A folder with a finished, an unfinished, an untouched, and two damaged runs."""
    folder = tmp_path / "runs"
    make_run(folder, "newest", losses=[3.0, 2.0, 2.5])
    make_run(folder, "halfway", losses=[3.0, math.nan], finished=False, cell="lstm", age=10)
    make_run(folder, "untouched", losses=[], finished=False, age=20)
    torn = make_run(folder, "torn", losses=[3.0], age=30)
    torn.summary.write_bytes(torn.summary.read_bytes()[:50])
    os.utime(torn.summary, (1_700_000_000, 1_700_000_000))
    headless = make_run(folder, "headless", losses=[3.0], age=40)
    headless.manifest.unlink()
    (folder / "notes.txt").write_text("not a run")
    (folder / "empty").mkdir()
    return folder


def test_list_has_a_row_for_every_run(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "list", "--runs-dir", runs_dir, "--json")
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert list(rows) == ["newest", "halfway", "untouched", "torn", "headless"]
    assert rows["newest"]["status"] == "finished"
    assert rows["newest"]["validation_loss"] == 2.0
    assert rows["newest"]["best_step"] == 200
    assert rows["newest"]["steps"] == 300
    assert rows["newest"]["minutes"] == pytest.approx(3.0)
    assert rows["newest"]["units"] == [32]
    assert rows["newest"]["bits_per_character"] == pytest.approx(2.0 / math.log(2))
    assert rows["halfway"]["status"] == "unfinished"
    assert (rows["halfway"]["cell"], rows["halfway"]["validation_loss"]) == ("lstm", 3.0)
    assert (rows["untouched"]["steps"], rows["untouched"]["validation_loss"]) == (0, None)
    for name, file in (("torn", "summary.json"), ("headless", "manifest.json")):
        assert rows[name]["status"] == "damaged"
        assert file in rows[name]["problem"]


def test_list_prints_whole_lines(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    name = "a-name-that-does-not-fit-" * 4
    make_run(tmp_path, name, losses=[1.5], units=123456)
    result = run_cli("runs", "list", "--runs-dir", tmp_path)
    header, row = result.stdout.splitlines()
    assert header.split()[:2] == ["run", "task"]
    assert row.split() == [
        name, "char_generation", "gru", "123456", "100", "1.5000", "2.164", "0.400", "1", "min",
        "0", "s", "2026-01-02", "03:04", "finished",
    ]  # fmt: skip


def test_damage_is_explained_on_stderr(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "list", "--runs-dir", runs_dir)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 6
    assert {line.split(":")[0] for line in result.stderr.splitlines()} == {"torn", "headless"}


@pytest.mark.parametrize("exists", [True, False])
def test_no_runs_are_no_failure(run_cli: Callable[..., Any], tmp_path: Path, exists: bool) -> None:
    folder = tmp_path if exists else tmp_path / "none"
    result = run_cli("runs", "list", "--runs-dir", folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert str(folder) in result.stderr
    assert json.loads(run_cli("runs", "list", "--runs-dir", folder, "--json").stdout) == []


def test_a_held_run_is_in_training(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    run = make_run(tmp_path, "busy", losses=[2.0], finished=False)
    with locked(run):
        result = run_cli("runs", "list", "--runs-dir", tmp_path, "--json")
    assert [row["status"] for row in json.loads(result.stdout)] == ["in training"]


def test_show_tells_everything(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "show", "newest", "--runs-dir", runs_dir)
    assert result.exit_code == 0
    for expected in (
        "finished",
        "char_generation, gru 32, 300 steps in 3 min 0 s",
        "best validation loss 2.0000 nats (2.885 bits per character) at step 200",
        "4,321 parameters",
        "stopped by max_steps",
        "model.units: 32",
        "python: 3.11.7",
        "█▁▅  3.0000 -> 2.5000",
        "temperature 0.5:",
        "second line",
        "vocabulary.json",
    ):
        assert expected in result.stdout
    assert "model.cell" not in result.stdout  # it has its default


def test_show_as_json_is_whole_and_valid(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "show", runs_dir / "halfway", "--json")
    told = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
    assert told["overview"]["status"] == "unfinished"
    assert [entry["validation_loss"] for entry in told["evaluations"]] == [3.0, None]
    assert told["samples"] == [{"temperature": 0.5, "text": "first line\nsecond line"}]
    assert told["settings"]["model.cell"] == {"value": "lstm", "default": "gru"}
    assert told["environment"] == {"python": "3.11.7", "cores": 2}
    assert told["summary"] == {}
    assert "metrics.jsonl" in told["files"]


def test_show_without_a_name_takes_the_newest(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "show", "--runs-dir", runs_dir, "--json")
    assert json.loads(result.stdout)["overview"]["name"] == "newest"


def test_show_thins_long_stories(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    make_run(tmp_path, "long", losses=[3.0 - i / 100 for i in range(100)])
    lines = run_cli("runs", "show", "long", "--runs-dir", tmp_path).stdout.splitlines()
    rows = [line for line in lines if line.split()[1:2] and line.split()[0].replace(",", "") in
            {str(100 * i) for i in range(1, 101)}]  # fmt: skip
    assert len(rows) == 20
    assert (rows[0].split()[0], rows[-1].split()[0]) == ("100", "10,000")
    assert any("20 of 100 evaluations" in line for line in lines)


@pytest.mark.parametrize("name", ["torn", "headless", "missing", "empty", "notes.txt"])
@pytest.mark.parametrize("command", ["show", "compare"])
def test_what_is_no_run_is_5(
    run_cli: Callable[..., Any], runs_dir: Path, name: str, command: str
) -> None:
    others = ["newest"] if command == "compare" else []
    result = run_cli("runs", command, *others, name, "--runs-dir", runs_dir)
    assert result.exit_code == 5
    assert result.stdout == ""
    assert name in result.stderr


def test_show_in_an_empty_folder_is_5(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    assert run_cli("runs", "show", "--runs-dir", tmp_path).exit_code == 5


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("config.yaml", b"version: 1\n"),
        ("metrics.jsonl", b'{"step": 1}\nnonsense\n'),
        ("environment.json", b"[]"),
        ("summary.json", b"null"),
        ("manifest.json", b"\xff\xfe"),
    ],
)
def test_damage_of_any_file_is_5_and_names_it(
    run_cli: Callable[..., Any], runs_dir: Path, file: str, damage: bytes
) -> None:
    (runs_dir / "newest" / file).write_bytes(damage)
    result = run_cli("runs", "show", "newest", "--runs-dir", runs_dir)
    assert result.exit_code == 5
    assert file in result.stderr
    assert run_cli("runs", "list", "--runs-dir", runs_dir).exit_code == 0


def test_strange_values_in_metrics_are_shown_as_unknown(
    run_cli: Callable[..., Any], runs_dir: Path
) -> None:
    strange = record(100, 1.0) | {"validation_loss": "1", "seconds": None, "train_loss": [1]}
    (runs_dir / "halfway" / "metrics.jsonl").write_bytes(encode_metrics([strange]))
    for command in (["list"], ["show", "halfway"], ["compare", "newest", "halfway"]):
        assert run_cli("runs", *command, "--runs-dir", runs_dir).exit_code == 0


def test_compare_shows_scores_and_what_differs(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    make_run(runs_dir, "wide", losses=[3.0, 1.75, 1.9], units=64, corpus="c0ffee")
    names = ["newest", "wide", "halfway"]
    result = run_cli("runs", "compare", *names, "--runs-dir", runs_dir, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["runs"] == names
    assert found["metrics"]["validation_loss"] == [2.0, 1.75, 3.0]
    assert found["metrics"]["parameters"] == [4321, 4321, None]
    assert found["settings"]["model.units"] == [32, 64, 32]
    assert found["settings"]["model.cell"] == ["gru", "gru", "lstm"]
    assert found["settings"]["training.max_steps"] == [300, 300, 200]
    assert set(found["settings"]) == {"model.units", "model.cell", "training.max_steps"}

    table = run_cli("runs", "compare", *names, "--runs-dir", runs_dir).stdout
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:] if line}
    assert rows["validation_loss"] == ["2.0000", "1.7500", "3.0000"]
    assert rows["model.cell"] == ["gru", "gru", "lstm"]


def test_compare_warns_of_different_texts(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    make_run(runs_dir, "foreign", losses=[1.0, 1.0, 1.0], corpus="decaf")
    result = run_cli("runs", "compare", "newest", "foreign", "--runs-dir", runs_dir)
    assert "different texts" in result.stderr
    same = run_cli("runs", "compare", "newest", "newest", "--runs-dir", runs_dir)
    assert "different texts" not in same.stderr
    assert "configurations are the same" in same.stderr


def test_list_has_dates_and_sensible_durations(run_cli: Callable[..., Any], tmp_path: Path) -> None:
    made = make_run(tmp_path, "short", losses=[1.5])
    summary = read_summary(made)
    write_summary(made, replace(summary, seconds=1.8))
    (row,) = run_cli("runs", "list", "--runs-dir", tmp_path).stdout.splitlines()[1:]
    assert "  1.8 s  2026-01-02 03:04  finished" in row
    (listed,) = json.loads(run_cli("runs", "list", "--runs-dir", tmp_path, "--json").stdout)
    assert listed["changed_at"] == "2026-01-02T03:04:05+00:00"
    assert "1 step in" not in run_cli("runs", "show", "short", "--runs-dir", tmp_path).stdout


def test_a_stop_between_evaluations_counts_its_steps(
    run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    run = make_run(tmp_path, "stopped", losses=[], finished=False)
    state = {"step": 70, "seconds": 12.0}
    write_checkpoint(run.last_checkpoint, {"weights": np.zeros(3)}, {"course": state})
    shown = json.loads(run_cli("runs", "show", "stopped", "--runs-dir", tmp_path, "--json").stdout)
    assert shown["overview"]["steps"] == 70
    assert shown["overview"]["minutes"] == pytest.approx(0.2)
    assert "70 steps in 12 s" in run_cli("runs", "show", "--runs-dir", tmp_path).stdout
    run.last_checkpoint.write_bytes(b"damaged")
    again = json.loads(run_cli("runs", "list", "--runs-dir", tmp_path, "--json").stdout)
    assert [(row["status"], row["steps"]) for row in again] == [("unfinished", 0)]


def test_control_characters_in_names_shift_nothing(
    run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    # The program gives no such names; a folder can be renamed by hand.
    odd = "a\x1b[31m\u202ered"
    make_run(tmp_path, "odd", losses=[1.5]).path.rename(tmp_path / odd)
    make_run(tmp_path, "plain", losses=[1.5])
    result = run_cli("runs", "list", "--runs-dir", tmp_path)
    assert len(result.stdout.splitlines()) == 3
    for command in (
        ["list"],
        ["show", odd],
        ["compare", *(path.name for path in tmp_path.iterdir())],
    ):
        printed = run_cli("runs", *command, "--runs-dir", tmp_path).stdout
        assert "\x1b" not in printed
        assert "\u202e" not in printed


# ------------------------------------------------------------------------ renaming and deleting


def test_a_run_is_renamed(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    result = run_cli("runs", "rename", "newest", "best", "--runs-dir", runs_dir)
    assert (result.exit_code, result.stdout) == (0, f"{runs_dir / 'best'}\n")
    assert not (runs_dir / "newest").exists()
    assert run_cli("runs", "show", "best", "--runs-dir", runs_dir).exit_code == 0


@pytest.mark.parametrize("name", ["halfway", "empty", "notes.txt", ".hidden", "a/b", ""])
def test_a_name_that_is_taken_or_none_is_refused(
    run_cli: Callable[..., Any], runs_dir: Path, name: str
) -> None:
    before = sorted(path.name for path in runs_dir.iterdir())
    result = run_cli("runs", "rename", "newest", name, "--runs-dir", runs_dir)
    assert result.exit_code in (2, 5)
    assert sorted(path.name for path in runs_dir.iterdir()) == before


def test_deleting_asks_first(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    delete = ("runs", "delete", "newest", "--runs-dir", runs_dir)
    kept = run_cli(*delete, input="n\n")
    assert kept.exit_code == 0
    assert "Nothing was deleted" in kept.stderr
    unanswered = run_cli(*delete, input="")
    assert unanswered.exit_code == 2
    assert "--yes" in unanswered.stderr
    assert (runs_dir / "newest" / "summary.json").exists()
    assert run_cli(*delete, input="y\n").exit_code == 0
    assert not (runs_dir / "newest").exists()


def test_deleting_without_asking_leaves_nothing(
    run_cli: Callable[..., Any], runs_dir: Path
) -> None:
    others = sorted(path.name for path in runs_dir.iterdir() if path.name != "newest")
    assert run_cli("runs", "delete", "newest", "--yes", "--runs-dir", runs_dir).exit_code == 0
    assert sorted(path.name for path in runs_dir.iterdir()) == others
    assert run_cli("runs", "delete", "newest", "--yes", "--runs-dir", runs_dir).exit_code == 5
    assert run_cli("runs", "delete", "empty", "--yes", "--runs-dir", runs_dir).exit_code == 5


def test_a_run_in_training_is_left_alone(run_cli: Callable[..., Any], runs_dir: Path) -> None:
    with locked(RunDirectory(runs_dir / "halfway")):
        for command in (["delete", "halfway", "--yes"], ["rename", "halfway", "other"]):
            result = run_cli("runs", *command, "--runs-dir", runs_dir)
            assert result.exit_code == 5
            assert "being trained" in result.stderr
    assert (runs_dir / "halfway").exists()


# ---------------------------------------------------------------------------- cross-validations

SCORE = {"value": 0.9, "low": 0.8, "high": 1.0, "deviation": 0.05, "folds": [0.85, 0.95]}


@pytest.fixture
def crossval(tmp_path: Path) -> Path:
    """A finished cross-validation of two folds, in a folder of its own."""
    directory = tmp_path / "runs" / "cv"
    for fold in ("fold-01", "fold-02"):
        make_run(directory, fold, losses=[2.0, 1.5])
    (directory / "config.yaml").write_text(CONFIG.format(cell="gru", units=32, steps=200))
    content = {"folds": 2, "seconds": [60.0, 30.0], "metrics": {"accuracy": SCORE}}
    write_document(directory / "crossval.json", "crossval", content)
    return directory


def test_a_cross_validation_is_listed_as_what_it_is(
    run_cli: Callable[..., Any], crossval: Path
) -> None:
    make_run(crossval.parent, "plain", losses=[1.5])
    rows = json.loads(run_cli("runs", "list", "--runs-dir", crossval.parent, "--json").stdout)
    (row,) = (row for row in rows if row["name"] == "cv")
    assert (row["status"], row["folds"], row["accuracy"]) == ("finished", 2, 0.9)
    assert row["minutes"] == pytest.approx(1.5)
    assert row["problem"] is None
    table = run_cli("runs", "list", "--runs-dir", crossval.parent).stdout
    assert "gru 32, 2 folds" in table
    assert "damaged" not in table


def test_a_cross_validation_that_goes_on_is_unfinished(
    run_cli: Callable[..., Any], crossval: Path
) -> None:
    write_document(crossval / "crossval.json", "crossval", {"folds": 2})
    (row,) = json.loads(run_cli("runs", "list", "--runs-dir", crossval.parent, "--json").stdout)
    assert (row["status"], row["accuracy"]) == ("unfinished", None)
    assert run_cli("runs", "show", "cv", "--runs-dir", crossval.parent).exit_code == 0


def test_a_cross_validation_is_shown_with_its_folds(
    run_cli: Callable[..., Any], crossval: Path
) -> None:
    result = run_cli("runs", "show", "cv", "--runs-dir", crossval.parent)
    assert result.exit_code == 0
    for expected in (
        "2 of them trained, 1 min 30 s",
        "0.9000",
        "0.8000",
        "0.8500",
        "fold-01",
        "fold-02",
    ):
        assert expected in result.stdout
    shown = json.loads(run_cli("runs", "show", crossval, "--json").stdout)
    assert shown["metrics"]["accuracy"]["deviation"] == 0.05
    assert [run["name"] for run in shown["runs"]] == ["fold-01", "fold-02"]


def test_a_cross_validation_has_a_report(run_cli: Callable[..., Any], crossval: Path) -> None:
    result = run_cli("report", crossval)
    assert (result.exit_code, result.stdout) == (0, f"{crossval / 'report.html'}\n")
    page = (crossval / "report.html").read_text("utf-8")
    assert "fold-02" in page
    assert "0.9000" in page


def test_a_command_for_one_run_names_the_folds(run_cli: Callable[..., Any], crossval: Path) -> None:
    result = run_cli("evaluate", "cv", "--runs-dir", crossval.parent)
    assert result.exit_code == 5
    assert "cross-validation" in result.stderr
    assert "fold-01" in result.stderr
