"""How long `rnnkit train` takes from its very start until the validation loss is low enough.

    python -m bench.time_to_loss [--losses 1.886 1.60] [--every 50] [--repeats 3] [--json]

Trains configs/shakespeare.yaml by the real command in a process of its own, with an empty cache,
evaluated every 50 updates and without samples. "Process" counts from the start of the process until
the evaluation stands in metrics.jsonl, imports and compiling included; "training" is the time in
the training loop, evaluations and checkpoints included, as the run itself reports it. The loss is
that of the held-out text read once as streams, as the run reports it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import REPOSITORY, rnnkit_command, spread, summarize

CONFIG = REPOSITORY / "configs" / "shakespeare.yaml"
INTERRUPTED = 130
"""Exit code of a training that was asked to stop."""


@dataclass(frozen=True)
class Evaluation:
    """A line of metrics.jsonl."""

    step: int
    loss: float
    training_seconds: float
    process_seconds: float


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--losses", nargs="+", type=float, default=[1.886, 1.60])
    parser.add_argument("--every", type=int, default=50, help="updates between evaluations")
    parser.add_argument("--repeats", type=int, default=3, help="trainings")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    lowest = min(arguments.losses)
    runs = [train(arguments.every, until=lowest) for _ in range(arguments.repeats)]
    rows = [row for loss in arguments.losses if (row := reached(loss, runs))]
    if arguments.json:
        print(json.dumps({"every_steps": arguments.every, "rows": rows}, indent=1))
        return
    print("| validation loss | updates | process, s | training, s |")
    print("|---|---|---|---|")
    for row in rows:
        process, training = row["process_seconds"], row["training_seconds"]
        print(f"| {row['loss']} | {row['steps']} | {spread(process, 1)} | {spread(training, 1)} |")


def reached(loss: float, runs: list[list[Evaluation]]) -> dict[str, Any] | None:
    """When the runs had a loss as low as that; None unless all of them had."""
    first = [next((at for at in run if at.loss <= loss), None) for run in runs]
    found = [at for at in first if at is not None]
    if len(found) < len(runs):
        return None
    return {
        "loss": loss,
        "steps": found[0].step,
        "found_loss": found[0].loss,
        "process_seconds": summarize([at.process_seconds for at in found]),
        "training_seconds": summarize([at.training_seconds for at in found]),
    }


def train(every: int, *, until: float) -> list[Evaluation]:
    """The evaluations of one training, and when each of them was written. It is interrupted as
    soon as the loss is as low as `until`; its schedule is that of the whole training."""
    settings = {"training.evaluate_every_steps": every, "training.samples": "null"}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    evaluations: list[Evaluation] = []
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        began = time.perf_counter()
        process = subprocess.Popen(
            rnnkit_command("train", CONFIG, *options, "--runs-dir", folder, "--name", "run"),
            env=os.environ | {"RNNKIT_CACHE": str(Path(folder) / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            time.sleep(0.02)
            seconds = time.perf_counter() - began
            lines = metrics.read_text("utf-8").splitlines() if metrics.exists() else []
            for record in map(json.loads, lines[len(evaluations) :]):
                loss = record["validation_loss"]
                evaluations.append(Evaluation(record["step"], loss, record["seconds"], seconds))
            if evaluations and evaluations[-1].loss <= until:
                process.send_signal(signal.SIGINT)
                process.wait()
    if process.returncode not in (0, INTERRUPTED):
        sys.exit(f"rnnkit train failed with status {process.returncode}")
    return evaluations


if __name__ == "__main__":
    main()
