"""SIGKILL at random moments, from the start of the process to the end of training."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from experiments import SETTINGS, TEXT, assert_same_training

from rnnkit.runs.directory import RunDirectory


def train_command(folder: Path, name: str, *, steps: int) -> list[str]:
    """`rnnkit train` of a tiny run; `--resume` once its directory stands."""
    program = [sys.executable, "-m", "rnnkit", "train", "--runs-dir", str(folder / "runs")]
    if (folder / "runs" / name / "manifest.json").exists():
        return [*program, "--resume", name]
    overrides = (
        f"training.max_steps={steps}",
        "training.evaluate_every_steps=50",
        "training.checkpoint_every_steps=7",
        "model.dropout=0.1",
        "training.weight_average=0.99",
    )
    options = [part for override in overrides for part in ("--set", override)]
    return [*program, str(folder / "tiny.yaml"), "--name", name, *options]


def changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def run_and_kill(command: Sequence[str], run: RunDirectory, *, phase: str, delay: float) -> None:
    """Start `command`, wait for the phase and `delay` seconds more, and kill it."""
    before = changed_at(run.last_checkpoint)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    if phase != "starting":
        # The line comes when the model stands, before the first step is compiled.
        while not (line := process.stderr.readline()).startswith(b"Training "):
            assert line, "the process ended before it trained"
    if phase == "updating":
        while changed_at(run.last_checkpoint) == before and process.poll() is None:
            time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"


def kill_and_resume(folder: Path, *, phases: Sequence[str], steps: int, seed: int) -> None:
    """Train a run without and one with a kill in each phase; both must end the same."""
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    (folder / "tiny.yaml").write_text(SETTINGS, encoding="utf-8")
    whole, killed = (RunDirectory(folder / "runs" / name) for name in ("whole", "killed"))
    subprocess.run(train_command(folder, "whole", steps=steps), check=True, capture_output=True)
    seconds = json.loads(whole.summary.read_text())["content"]["seconds"]
    # All delays together are shorter than the training they interrupt.
    longest = {"starting": 2.0, "compiling": 0.5, "updating": 0.8 * seconds / len(phases)}
    moments = random.Random(seed)
    for phase in phases:
        command = train_command(folder, "killed", steps=steps)
        run_and_kill(command, killed, phase=phase, delay=moments.uniform(0.0, longest[phase]))
        if killed.path.exists():
            assert killed.manifest.exists(), "a folder was left behind that is not a run"
    assert not killed.is_finished
    subprocess.run(train_command(folder, "killed", steps=steps), check=True, capture_output=True)
    assert killed.is_finished
    assert_same_training(whole, killed)


@pytest.mark.slow
def test_one_kill(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, phases=["updating"], steps=300, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_25_kills(tmp_path: Path) -> None:
    phases = ["starting"] * 4 + ["compiling"] * 4 + ["updating"] * 17
    random.Random(1).shuffle(phases)
    kill_and_resume(tmp_path, phases=phases, steps=6000, seed=0)
