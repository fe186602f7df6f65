"""Train the ready configurations of language models as they are, and score them.

    python -m bench.quality [--configs shakespeare hello ..] [--json]

Every configuration is trained by the real command in a process of its own, then scored by
`rnnkit evaluate`. "Training" is the time in the training loop, evaluation and checkpoints included,
as the run itself reports it; "process" adds start-up and the import of TensorFlow.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import REPOSITORY, answer

CONFIGS = REPOSITORY / "configs"
HOURS = ("ptb", "shakespeare_gpu")
"""What takes hours on a CPU is trained only when it is named."""


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--configs",
        nargs="*",
        help="names without .yaml; all that do not take hours when none is given",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    names = arguments.configs or sorted(map(name_of, filter(is_writer, CONFIGS.rglob("*.yaml"))))
    left_out = {name: reason for name in names if (reason := reason_to_leave_out(name))}
    if not arguments.configs:
        left_out |= {name: "it takes hours on a CPU" for name in names if name in HOURS}
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, Path(folder)) for name in names if name not in left_out]
    for name, reason in left_out.items():
        print(f"{name}: left out, {reason}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"configs": rows, "left_out": left_out}, indent=1))
        return
    print("| configuration | training, s | process, s | scored on | loss, nats | bits/character |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        metrics = row["metrics"]
        print(
            f"| {row['config']} | {row['training_seconds']:.1f} | {row['process_seconds']:.1f} "
            f"| {row['split']} | {metrics['loss']['value']:.4f} "
            f"| {metrics['bits_per_character']['value']:.4f} |"
        )


def name_of(path: Path) -> str:
    """`tutorials/char_gru`"""
    return path.relative_to(CONFIGS).with_suffix("").as_posix()


def is_writer(path: Path) -> bool:
    """Whether a configuration is of a language model; classifiers are for `sentiment.py`."""
    from rnnkit.tasks.task import load_config

    return load_config(path).task != "sentiment"


def reason_to_leave_out(name: str) -> str | None:
    """Which texts of `configs/NAME.yaml` are not here, where some are missing."""
    from rnnkit.tasks.task import load_config

    named = load_config(CONFIGS / f"{name}.yaml").data.path
    files = [Path(pattern) for pattern in ([named] if isinstance(named, str) else named)]
    lacking = [file.name for file in files if not any(file.parent.glob(file.name))]
    return f"there is no {', '.join(lacking)}" if lacking else None


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Train `configs/NAME.yaml` and return its time and scores."""
    runs = folder / "runs"
    began = time.perf_counter()
    trained = answer("train", CONFIGS / f"{name}.yaml", "--json", "--runs-dir", runs)
    seconds = time.perf_counter() - began
    scores = answer("evaluate", trained["run"], "--json", "--runs-dir", runs)
    return {
        "config": name,
        "training_seconds": trained["seconds"],
        "process_seconds": seconds,
        "steps": trained["steps"],
        "parameters": trained["parameters"],
        "tokens_per_second": trained["metrics"]["tokens_per_second"],
        "split": scores["split"],
        "metrics": scores["metrics"],
    }


if __name__ == "__main__":
    main()
