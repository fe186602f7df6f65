"""A run that is stopped, killed or out of disk goes on as if nothing had happened."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from experiments import (
    arrays,
    assert_same_training,
    configure,
    evaluations,
    start,
    stop_after,
    train_here,
    train_new,
)

from rnnkit.errors import InterruptedTrainingError, RunError, TrainingDivergedError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.listing import overview
from rnnkit.runs.records import read_metrics
from rnnkit.training.events import Recovered
from rnnkit.training.step import Learner

EVERYTHING = (
    "model.cell=lstm",
    "model.layers=2",
    "model.dropout=0.2",
    "model.recurrent_dropout=0.2",
    "model.normalization=batch",
    "training.weight_average=0.9",
    "training.clip_norm=1.0",
    "training.schedule={kind: plateau, warmup_steps: 3, patience: 1}",
    "training.early_stopping={patience: 9}",
    "training.samples={length: 5}",
)
"""Every part of the state that a checkpoint has to hold."""

CASES = {
    "stream, plain": (),
    "stream, everything": EVERYTHING,
    "sliding windows": (
        "data.windows={kind: sliding, length: 5}",
        "model.cell=simple_rnn",
        "training.optimizer={name: sgd, momentum: 0.9}",
    ),
}


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDirectory]:
    """One uninterrupted run of each case."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        case: train_new(folder, configure(folder, *overrides), case.replace(" ", "-"))
        for case, overrides in CASES.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_stopped_and_resumed_equals_uninterrupted(
    tmp_path: Path, case: str, whole_runs: dict[str, RunDirectory]
) -> None:
    config = configure(tmp_path, *CASES[case])
    whole = whole_runs[case]
    prepared, parts = start(tmp_path, config, "parts")
    # At the very beginning, between checkpoints, at an evaluation, in the middle of an epoch.
    for steps in (0, 3, 10, 11):
        with pytest.raises(InterruptedTrainingError, match=f"--resume {parts.path}"):
            train_here(config, prepared, parts, should_stop=stop_after(steps))
        assert not parts.is_finished
    summary = train_here(config, prepared, parts)
    assert summary.steps == 40
    assert_same_training(whole, parts)


def test_another_seed_gives_other_weights(
    tmp_path: Path, whole_runs: dict[str, RunDirectory]
) -> None:
    other = train_new(tmp_path, configure(tmp_path, "seed=1"), "other")
    same = whole_runs["stream, plain"]
    assert other.onnx_model.read_bytes() != same.onnx_model.read_bytes()


def test_lost_work_after_the_last_checkpoint_is_repeated(
    tmp_path: Path, whole_runs: dict[str, RunDirectory]
) -> None:
    """What a kill leaves behind: an old checkpoint beside newer metrics and newer best weights."""
    config = configure(tmp_path, *EVERYTHING)
    whole = whole_runs["stream, everything"]
    prepared, run = start(tmp_path, config, "killed")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(17))
    old = run.last_checkpoint.read_bytes()
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(15))
    assert len(evaluations(run)) == 3
    run.last_checkpoint.write_bytes(old)
    train_here(config, prepared, run)
    assert_same_training(whole, run)


def test_retraining_from_the_resolved_configuration_gives_the_same_run(
    tmp_path: Path, whole_runs: dict[str, RunDirectory]
) -> None:
    from rnnkit.tasks.task import load_config

    first = whole_runs["stream, everything"]
    again = train_new(tmp_path, load_config(first.config), "again")
    assert_same_training(first, again)


def test_full_disk_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_runs: dict[str, RunDirectory]
) -> None:
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "full")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(13))
    before = run.last_checkpoint.read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(RunError, match="No space left on device; the previous version"):
            train_here(config, prepared, run)
    assert run.last_checkpoint.read_bytes() == before
    left = sorted(path.name for path in run.last_checkpoint.parent.iterdir())
    assert left == ["best.npz", "last.npz", "previous.npz"]
    train_here(config, prepared, run)
    assert_same_training(whole_runs["stream, plain"], run)


def damage(run: RunDirectory, how: str) -> None:
    data = run.last_checkpoint.read_bytes()
    middle = len(data) // 2
    match how:
        case "truncated":
            run.last_checkpoint.write_bytes(data[:middle])
        case "flipped bit":
            # The first number of the array that follows: headers of members hold bytes unused.
            place = data.index(b"\x93NUMPY", middle) + 128
            flipped = bytes([data[place] ^ 1])
            run.last_checkpoint.write_bytes(data[:place] + flipped + data[place + 1 :])
        case "foreign":
            run.last_checkpoint.write_bytes(b"not a checkpoint")
        case "missing":
            run.last_checkpoint.unlink()
        case "metrics changed":
            lines = run.metrics.read_text().replace('"step": 10', '"step": 11')
            run.metrics.write_text(lines)
        case "metrics damaged":
            run.metrics.write_text(run.metrics.read_text()[:-20])
        case _:
            raise AssertionError(how)


DAMAGES = ("truncated", "flipped bit", "foreign", "missing")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(
    tmp_path: Path, how: str, whole_runs: dict[str, RunDirectory]
) -> None:
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "damaged")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(12))
    damage(run, how)
    if how == "missing":
        assert run.previous_checkpoint.exists()
    train_here(config, prepared, run)
    assert_same_training(whole_runs["stream, plain"], run)


@pytest.mark.parametrize("how", [*DAMAGES, "metrics changed", "metrics damaged"])
def test_damaged_run_is_refused_by_name(tmp_path: Path, how: str) -> None:
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "damaged")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(12))
    run.previous_checkpoint.unlink()
    damage(run, how)
    named = run.metrics if "metrics" in how else run.last_checkpoint
    with pytest.raises(RunError, match=named.name):
        train_here(config, prepared, run)


def test_changed_text_is_refused(tmp_path: Path) -> None:
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "run")
    with pytest.raises(InterruptedTrainingError):
        train_here(config, prepared, run, should_stop=stop_after(5))
    from rnnkit.tasks.task import prepare

    other = prepare(configure(tmp_path, text="a different text altogether. " * 40))
    with pytest.raises(RunError, match="another text"):
        train_here(config, other, run)


def test_diverging_run_recovers_and_then_gives_up(tmp_path: Path) -> None:
    config = configure(
        tmp_path,
        "model.cell=simple_rnn",
        "model.activation=relu",
        "training.optimizer={name: sgd, learning_rate: 1.0e+30}",
    )
    prepared, run = start(tmp_path, config, "wild")
    seen: list[Recovered] = []

    def observe(event: object) -> None:
        if isinstance(event, Recovered):
            seen.append(event)

    with pytest.raises(TrainingDivergedError, match="is intact"):
        train_here(config, prepared, run, observe=observe)
    assert [event.learning_rate_scale for event in seen] == [0.5, 0.25, 0.125]
    assert all(event.back_to_step == 0 for event in seen)
    assert arrays(run.last_checkpoint)
    assert not run.is_finished


def test_one_bad_step_is_overcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One NaN in the running totals: back to the last checkpoint, then on to the end."""
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "hiccup")
    healthy, fell_ill = Learner.is_finite, []

    def sick_once_at_step_12(learner: Learner) -> bool:
        if fell_ill or learner.updates != 12:
            return healthy(learner)
        fell_ill.append(True)
        return False

    monkeypatch.setattr(Learner, "is_finite", sick_once_at_step_12)
    seen: list[object] = []
    summary = train_here(config, prepared, run, observe=seen.append)
    recovered = [event for event in seen if isinstance(event, Recovered)]
    assert [(event.diverged_at_step, event.back_to_step) for event in recovered] == [(12, 10)]
    assert summary.steps == 40
    assert {record["learning_rate"] for record in read_metrics(run)[1:]} == {0.005}


def test_an_evaluation_can_be_interrupted_and_is_made_after_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_runs: dict[str, RunDirectory]
) -> None:
    config = configure(tmp_path, *EVERYTHING)
    prepared, run = start(tmp_path, config, "interrupted")
    scored: list[int] = []
    score = Learner.score

    def count(learner: Learner, *arguments: Any) -> Any:
        scored.append(learner.updates)
        return score(learner, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "score", count)
        with pytest.raises(InterruptedTrainingError, match="after step 20"):
            train_here(config, prepared, run, should_stop=lambda step: scored.count(20) == 2)
    assert [line["step"] for line in evaluations(run)] == [10]
    # The step of the checkpoint is what `runs show` says, not that of the last evaluation.
    assert overview(run).steps == 20
    train_here(config, prepared, run)
    assert_same_training(whole_runs["stream, everything"], run)


def test_a_finite_loss_far_above_guessing_is_a_divergence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(tmp_path)
    prepared, run = start(tmp_path, config, "absurd")
    monkeypatch.setattr(Learner, "mean_scores", lambda *_: {"loss": 2.8e30, "accuracy": 0.0})
    with pytest.raises(TrainingDivergedError, match="diverged again at step 10"):
        train_here(config, prepared, run)
    assert not run.best_checkpoint.exists()
    assert not run.is_finished
