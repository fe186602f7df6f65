"""Measure the peak memory of `rnnkit train` against the size of the text.

    python -m bench.memory --megabytes 1,1000 --steps 300

Every size is trained by the real command in a process of its own, with the same model and the same
number of steps. The smallest text shows what TensorFlow and the model take; "above" is what a
longer text adds. The texts are made from data/tinyshakespeare.txt and deleted afterwards.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import REPOSITORY, rnnkit_command

CONFIG = REPOSITORY / "configs" / "shakespeare.yaml"
SOURCE = REPOSITORY / "data" / "tinyshakespeare.txt"
MEGABYTE = 10**6
VALIDATION_CHARACTERS = 20_000
"""The same for every size, so that scoring takes the same time."""


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", default="1,10,100", help="sizes, with commas between")
    parser.add_argument("--steps", type=int, default=300, help="weight updates of every run")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = []
    for size in sorted(map(int, arguments.megabytes.split(","))):
        with tempfile.TemporaryDirectory() as folder:
            write_text(Path(folder) / "text.txt", size * MEGABYTE)
            peak, seconds = train(Path(folder), size * MEGABYTE, steps=arguments.steps)
        above = peak - rows[0]["peak_mb"] if rows else 0.0
        rows.append({"text_mb": size, "peak_mb": peak, "above_mb": above, "seconds": seconds})
    if arguments.json:
        print(json.dumps({"steps": arguments.steps, "rows": rows}, indent=1))
        return
    print("| text, MB | peak of the process, MB | above the smallest, MB | whole process, s |")
    print("|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['text_mb']:,} | {row['peak_mb']:,.0f} | {row['above_mb']:,.0f} "
            f"| {row['seconds']:.0f} |"
        )


def train(folder: Path, size: int, *, steps: int) -> tuple[float, float]:
    """Peak resident memory in MB and seconds of one `rnnkit train`, its cache empty."""
    settings = {
        "data.path": folder / "text.txt",
        "data.validation_fraction": f"{VALIDATION_CHARACTERS / size:.9f}",
        "training.max_epochs": "null",
        "training.max_steps": steps,
        "training.samples": "null",
    }
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    began = time.perf_counter()
    process = subprocess.Popen(
        rnnkit_command("train", CONFIG, *options, "--runs-dir", folder / "runs"),
        env=os.environ | {"RNNKIT_CACHE": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"training on {size / MEGABYTE:,.0f} MB failed with status {status}")
    peak = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    return peak / MEGABYTE, time.perf_counter() - began


def write_text(path: Path, size: int) -> None:
    """Write about `size` bytes of Shakespeare: in each repetition the paragraphs have another
    order, and every third is in capitals."""
    paragraphs = SOURCE.read_text("utf-8").split("\n\n")
    step = 0
    with path.open("w", encoding="utf-8") as file:
        while size > 0:
            step += 1
            order = [paragraphs[index * step % len(paragraphs)] for index in range(len(paragraphs))]
            text = "\n\n".join(order)
            size -= file.write(f"{text.upper() if step % 3 == 0 else text}\n\n{step}\n\n")


if __name__ == "__main__":
    main()
