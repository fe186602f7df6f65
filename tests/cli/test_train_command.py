"""`rnnkit train`: what it says, what it leaves in the run directory, and how it is stopped."""

import datetime
import io
import itertools
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rnnkit.experiment
from rnnkit.runs.checkpoint import read_checkpoint
from rnnkit.runs.directory import RunDirectory, is_in_training, verify_files
from rnnkit.runs.files import read_document
from rnnkit.runs.records import read_metrics

RunCli = Callable[..., Any]

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 20
CONFIG = """\
version: 1
task: char_generation
data:
  path: text.txt
  validation_fraction: 0.2
  windows: {kind: stream, length: 6}
model: {units: 8, input: {kind: embedding, size: 4}}
training:
  batch_size: 4
  max_steps: 40
  evaluate_every_steps: 10
  optimizer: {name: adam, learning_rate: 0.01}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a text and `tiny.yaml`; runs go to `runs`."""
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without_times(run: RunDirectory) -> list[dict[str, Any]]:
    timed = {"seconds", "tokens_per_second"}
    return [{k: v for k, v in r.items() if k not in timed} for r in read_metrics(run)]


def evaluations(run: RunDirectory) -> list[dict[str, Any]]:
    return [record for record in read_metrics(run) if record.get("evaluated", True)]


# ------------------------------------------------------------------------- what it says and leaves


def test_training_says_what_happens_and_answers_with_the_run(run_cli: RunCli, folder: Path) -> None:
    result = run_cli("train", "tiny.yaml", "--name", "mine")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "runs/mine\n"
    lines = result.stderr.splitlines()
    assert lines[0] == "Reading tiny.yaml and its text ..."
    order = [
        next(i for i, line in enumerate(lines) if line.startswith(start))
        for start in ("Reading", "Loading TensorFlow ...", "Training ", "step 10 ", "Writing model")
    ]
    assert order == sorted(order)
    # One or two lines for each evaluation, nothing in between, within 80 columns.
    steps = [
        line if following.startswith("step ") else f"{line} {following}"
        for line, following in itertools.pairwise(lines)
        if line.startswith("step ")
    ]
    assert all(len(line) <= 80 for line in lines if line.startswith(("step ", "  ")))
    assert [line.split()[1] for line in steps] == ["10", "20", "30", "40"]
    for line, record in zip(steps, evaluations(RunDirectory(folder / "runs/mine")), strict=True):
        assert f"validation loss {record['validation_loss']:.4f}" in line
        assert f"{record['bits_per_character']:.3f} bits/char" in line
        assert re.search(r"grad \d+\.\d\d  [\d.,]+k char/s", line)
    assert steps[0].endswith("best")
    assert "\x1b" not in result.stderr, "no colours where there is no terminal"


def test_the_run_directory_is_whole(run_cli: RunCli, folder: Path) -> None:
    assert run_cli("train", "tiny.yaml", "--name", "mine").exit_code == 0
    run = RunDirectory(folder / "runs" / "mine")
    files = {p.relative_to(run.path).as_posix() for p in run.path.rglob("*") if p.is_file()}
    assert files - {".lock"} == {
        "config.yaml",
        "vocabulary.json",
        "environment.json",
        "metrics.jsonl",
        "checkpoints/last.npz",
        "checkpoints/previous.npz",
        "checkpoints/best.npz",
        "model.keras",
        "model.onnx",
        "manifest.json",
        "summary.json",
    }
    verify_files(run, run.config, run.keras_model, run.onnx_model)
    assert not is_in_training(run)
    # Written last: its presence says that the rest is there.
    assert run.summary.stat().st_mtime_ns >= max((run.path / f).stat().st_mtime_ns for f in files)

    environment = read_document(run.environment, "environment")
    assert environment["seed"] == 0
    assert {"python", "tensorflow", "keras", "numpy", "device", "cores", "commit"} <= set(
        environment
    )

    summary = read_document(run.summary, "summary")
    assert summary["task"] == "char_generation"
    assert (summary["steps"], summary["stopped_by"]) == (40, "max_steps")
    assert (summary["cell"], summary["units"]) == ("gru", 8)
    began, ended = (
        datetime.datetime.fromisoformat(summary[k]) for k in ("started_at", "finished_at")
    )
    assert began <= ended
    best = min(evaluations(run), key=lambda record: record["validation_loss"])
    assert summary["best_step"] == best["step"]
    assert summary["metrics"]["validation_loss"] == best["validation_loss"]


def test_metrics_have_the_keys_that_others_rely_on(run_cli: RunCli, folder: Path) -> None:
    for name, options in (("held-out", []), ("all", ["--set", "data.validation_fraction=0.0"])):
        assert run_cli("train", "tiny.yaml", "--name", name, *options).exit_code == 0
        recorded = read_metrics(RunDirectory(folder / "runs" / name))
        assert [(line["step"], line.get("evaluated", True)) for line in recorded] == [
            (10, True),
            (20, True),
            (25, False),
            (30, True),
            (40, True),
        ]
        assert set(recorded[2]) == {
            "step", "epoch", "seconds", "learning_rate", "evaluated", "train_loss",
            "train_accuracy", "tokens_per_second", "gradient_norm",
        }  # fmt: skip
        records = [line for line in recorded if line.get("evaluated", True)]
        assert [record["step"] for record in records] == [10, 20, 30, 40]
        expected = {"step", "epoch", "seconds", "learning_rate", "train_loss",
                    "train_accuracy", "tokens_per_second",
                    "gradient_norm", "bits_per_character"}  # fmt: skip
        if name == "held-out":
            expected |= {"validation_loss", "validation_accuracy"}
        for record in records:
            assert set(record) == expected
            assert all(isinstance(value, int | float) for value in record.values())
        seconds = [record["seconds"] for record in records]
        assert seconds == sorted(seconds)
        # Four streams of the training part, six characters at a time.
        tokens = len(TEXT) if name == "all" else int(len(TEXT) * 0.8)
        per_epoch = math.ceil(math.ceil((tokens - 1) / 4) / 6)
        assert records[-1]["epoch"] == pytest.approx(40 / per_epoch, abs=1e-4)


def test_json_answers_with_the_summary(run_cli: RunCli, folder: Path) -> None:
    result = run_cli("train", "tiny.yaml", "--name", "mine", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer == read_document(folder / "runs/mine/summary.json", "summary")
    assert answer["run"] == "runs/mine"


class StoppedClock(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "StoppedClock":
        return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)


def test_runs_of_the_same_second_get_names_of_their_own(
    run_cli: RunCli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rnnkit.experiment.datetime, "datetime", StoppedClock)
    answers = [
        run_cli("train", "tiny.yaml", "--set", "training.max_steps=1").stdout for _ in range(3)
    ]
    assert answers == [
        "runs/tiny-20260102-030405\n",
        "runs/tiny-20260102-030405-2\n",
        "runs/tiny-20260102-030405-3\n",
    ]


def test_runs_go_where_they_are_wanted(
    run_cli: RunCli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ["train", "tiny.yaml", "--set", "training.max_steps=1", "--name", "a"]
    assert run_cli(*short, "--runs-dir", "deep/er").stdout == "deep/er/a\n"
    monkeypatch.setenv("RNNKIT_RUNS_DIR", str(folder / "environment"))
    assert run_cli(*short).stdout == f"{folder}/environment/a\n"
    assert not (folder / "runs").exists()


def test_the_saved_model_opens_where_rnnkit_does_not_exist(run_cli: RunCli, folder: Path) -> None:
    assert run_cli("train", "tiny.yaml", "--name", "mine").exit_code == 0
    script = (
        "import sys; sys.modules['rnnkit'] = None\n"
        "import keras, numpy\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "assert not [name for name in sys.modules if name.startswith('rnnkit.')]\n"
        "print(tuple(model(numpy.zeros((2, 5), 'int32')).shape))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "runs/mine/model.keras")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )
    assert done.stdout.strip() == f"(2, 5, {len(set(TEXT))})", done.stderr


# ------------------------------------------------------------------------------ going on


def test_a_finished_run_that_is_extended_equals_a_long_one(run_cli: RunCli, folder: Path) -> None:
    runs = folder / "runs"
    assert run_cli("train", "tiny.yaml", "--name", "long").exit_code == 0
    short = ["train", "tiny.yaml", "--name", "short", "--set", "training.max_steps=20"]
    assert run_cli(*short).exit_code == 0
    result = run_cli("train", "--resume", "short", "--set", "training.max_steps=40")
    assert (result.exit_code, result.stdout) == (0, "runs/short\n")
    assert "going on after step 20" in result.stderr
    long, extended = RunDirectory(runs / "long"), RunDirectory(runs / "short")
    assert without_times(long) == without_times(extended)
    assert read_document(extended.summary, "summary")["best_step"] == 40
    for file in ("config.yaml", "model.onnx", "checkpoints/best.npz"):
        assert (long.path / file).read_bytes() == (extended.path / file).read_bytes(), file
    # And on, by another limit, named by its path.
    epochs = ["--set", "training.max_epochs=3", "--set", "training.max_steps=null"]
    assert run_cli("train", "--resume", runs / "short", *epochs).exit_code == 0
    assert read_document(extended.summary, "summary")["stopped_by"] == "max_epochs"
    assert run_cli("generate", "short", "--length", 3).exit_code == 0


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def signal_at(
    monkeypatch: pytest.MonkeyPatch, step: int, numbers: list[signal.Signals]
) -> Callable[[], None]:
    """Let this process receive signals while it makes that step; returns what undoes it."""
    from rnnkit.training.step import Learner

    update = Learner.update

    def update_and_signal(learner: Learner, *arguments: Any) -> Any:
        result = update(learner, *arguments)
        if learner.updates == step:
            for number in numbers:
                signal.raise_signal(number)
        return result

    monkeypatch.setattr(Learner, "update", update_and_signal)
    return lambda: monkeypatch.setattr(Learner, "update", update)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_prints_the_command_that_goes_on(
    run_cli: RunCli, folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    # A name that a shell would take apart, were it not quoted.
    options = ("--runs-dir", "my runs")
    assert run_cli("train", "tiny.yaml", "--name", "whole", *options).exit_code == 0
    handlers = [signal.getsignal(each) for each in STOPPING]
    undo = signal_at(monkeypatch, 13, [number])
    result = run_cli("train", "tiny.yaml", "--name", "it's", *options)
    undo()
    assert (result.exit_code, result.stdout) == (130, "")
    assert "Traceback" not in result.stderr
    assert [signal.getsignal(each) for each in STOPPING] == handlers
    run = RunDirectory(folder / "my runs" / "it's")
    assert read_checkpoint(run.last_checkpoint)[1]["state"]["step"] == 13
    assert not run.is_finished
    assert not is_in_training(run)
    # What has been learned so far can be used by name.
    assert run_cli("generate", "it's", "--length", 3, *options).exit_code == 0

    program, *arguments = shlex.split(result.stderr.splitlines()[-1])
    assert program == "rnnkit"
    assert run_cli(*arguments).exit_code == 0
    whole = RunDirectory(folder / "my runs" / "whole")
    assert without_times(run) == without_times(whole)
    assert run.onnx_model.read_bytes() == whole.onnx_model.read_bytes()


def test_the_second_ctrl_c_quits_at_once_and_loses_no_checkpoint(
    run_cli: RunCli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undo = signal_at(monkeypatch, 13, [signal.SIGINT, signal.SIGINT])
    result = run_cli("train", "tiny.yaml", "--name", "mine")
    undo()
    assert (result.exit_code, result.stdout) == (130, "")
    assert "Ctrl-C again quits at once" in result.stderr
    assert result.stderr.endswith("Interrupted.\n")
    run = RunDirectory(folder / "runs" / "mine")
    assert read_checkpoint(run.last_checkpoint)[1]["state"]["step"] == 10
    assert run_cli("train", "--resume", "mine").exit_code == 0
    assert run.is_finished


# ------------------------------------------------------------------------------ on a terminal


def test_the_bar_has_room_for_everything_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    import rich.console
    from rich.console import Console

    from rnnkit.cli.display import training_display
    from rnnkit.runs.records import MetricsLine, Sample
    from rnnkit.training.events import Evaluated, Started, Stepped

    screen = io.StringIO()

    def console(**options: Any) -> Console:
        return Console(file=screen, force_terminal=True, width=80, color_system=None)

    monkeypatch.setattr(rich.console, "Console", console)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    started = Started(
        device="CPU",
        kernel="keras",
        parameters=1,
        step=0,
        total_steps=50_000,
        steps_per_epoch=9,
        token_unit="characters",
    )
    metrics = {
        "train_loss": 1.2345,
        "train_accuracy": 0.4,
        "bits_per_character": 1.781,
        "gradient_norm": 0.51,
        "tokens_per_second": 61_234.0,
    }
    stepped = Stepped(MetricsLine(12_345, metrics=metrics), 50_000, seconds_left=3_675.0)
    evaluated = MetricsLine(
        20_000,
        epoch=2.0,
        seconds=9.0,
        metrics={**metrics, "validation_loss": 1.5, "validation_accuracy": 0.5},
        samples=(Sample(0.5, "[bold]as it is"),),
    )
    with training_display() as observe:
        observe(started)
        observe(stepped)
        observe(Evaluated(evaluated, is_best=True))
    shown = screen.getvalue()
    for part in (
        "12,345/50,000",
        "61.2k char/s",
        "loss 1.23",
        "1.781 bits/char",
        "grad 0.51",
        "1:01:15",
    ):
        assert part in shown
    assert "…" not in shown, "something was cut off"
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    lines = re.split(r"[\r\n]+", plain)
    assert all(len(line) <= 80 for line in lines if not line.startswith("Training "))
    assert "[bold]as it is" in shown


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_there_is_a_bar_and_ctrl_c_works(folder: Path) -> None:
    """The real program in a process of its own, with a terminal as its stderr."""
    ours, theirs = os.openpty()
    command = [
        sys.executable,
        "-m",
        "rnnkit",
        "train",
        "tiny.yaml",
        "--name",
        "mine",
        "--set",
        "training.max_steps=10000000",
        "--set",
        "training.evaluate_every_steps=10000000",
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24",
                   "PYTHONPATH": str(Path(__file__).parents[2])}  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    bar = rb"k char/s  loss \d\.\d{3}  \d\.\d{3} bits/char  grad \d+\.\d\d  \d+:\d\d"
    sent = False
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux tells the end of a terminal so
            break
        if not piece:
            break
        shown += piece
        if not sent and re.search(bar, shown):
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(ours)
    stdout, _ = process.communicate()
    said = shown.decode()
    assert sent, f"no progress bar: {said}"
    assert (process.returncode, stdout) == (130, b"")
    assert said.startswith("Reading tiny.yaml")
    assert "Traceback" not in said
    assert "rnnkit train --resume runs/mine" in said
    step = read_checkpoint(folder / "runs/mine/checkpoints/last.npz")[1]["state"]["step"]
    assert f"Stopped after step {step};" in said
    assert step > 0


def test_a_dry_run_checks_the_data_and_leaves_nothing(run_cli: RunCli, folder: Path) -> None:
    result = run_cli("train", "tiny.yaml", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("Reading tiny.yaml")
    assert "TensorFlow" not in result.stderr
    assert run_cli("train", "tiny.yaml", "--dry-run", "--quiet").stderr == ""
    assert run_cli("train", "tiny.yaml", "--dry-run", "--set", "data.path=no.txt").exit_code == 4
    assert run_cli("train", "--resume", "mine", "--dry-run").exit_code == 2
    assert not (folder / "runs").exists()
    missing = run_cli("train", "nofile.yaml")
    assert missing.exit_code == 3
    assert missing.stderr.startswith("Error: nofile.yaml: no such file")
