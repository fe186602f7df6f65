"""Measure how much memory and time it takes to prepare long texts and to cut batches from them.

    python -m bench.prepare_memory --megabytes 1,10,100,1000

Makes a text of each size from data/tinyshakespeare.txt, prepares it in a process of its own, once
with an empty cache and once with a full one, and cuts an epoch of batches of 64 from it. "Extra" is
the peak resident memory above what the process used after its imports (it does not import
TensorFlow), mapped pages of the encoded text included. The texts are deleted afterwards.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.commands import REPOSITORY

SOURCE = REPOSITORY / "data" / "tinyshakespeare.txt"
MEGABYTE = 10**6
BATCHES = {"stream": 250_000, "sliding": 20_000}
"""At most so many: a whole epoch of streams in 1 GB, or 1.28 million windows all over it."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", default="1,10,100,1000", help="sizes, with commas between")
    parser.add_argument("--unicode", action="store_true", help="make every tenth word Greek")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(json.loads(arguments.measure))))
        return
    print("| text, MB | cache | prepare, s | extra, MB | us per batch | extra after batches, MB |")
    print("|---|---|---|---|---|---|")
    for size in map(int, arguments.megabytes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "text.txt"
            write_text(text, size * MEGABYTE, unicode=arguments.unicode)
            for cache in ("empty", "full"):
                for windows in ({"kind": "stream", "length": 64}, {"kind": "sliding"}):
                    if cache == "empty" and windows["kind"] == "sliding":
                        continue
                    task = {"folder": folder, "text": str(text), "windows": windows}
                    found = json.loads(
                        subprocess.run(
                            [
                                sys.executable,
                                "-m",
                                "bench.prepare_memory",
                                "--measure",
                                json.dumps(task),
                            ],
                            check=True,
                            capture_output=True,
                            cwd=REPOSITORY,
                            text=True,
                        ).stdout
                    )
                    print(
                        f"| {size:,} | {cache}, {windows['kind']} | {found['seconds']:.2f} "
                        f"| {found['prepare_mb']:.0f} | {found['batch_us']:.0f} "
                        f"| {found['batches_mb']:.0f} |",
                        flush=True,
                    )


def measure(task: dict) -> dict[str, float]:
    """Prepare `task["text"]` and cut batches from it, in this process."""
    from rnnkit.config.schema import CharGenerationConfig
    from rnnkit.data.batches import BatchPlan
    from rnnkit.tasks.language_model.data import prepare

    config = CharGenerationConfig.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "task": "char_generation",
                "data": {"path": task["text"], "windows": task["windows"]},
                "training": {"max_epochs": 1},
            }
        )
    )
    before = peak_bytes()
    begin = time.perf_counter()
    prepared = prepare(config, cache_dir=Path(task["folder"]) / "cache")
    seconds = time.perf_counter() - begin
    after_prepare = peak_bytes()
    ids = prepared.split("train")
    plan = BatchPlan(config.data.windows, len(ids), config.training.batch_size, 0)
    batches = min(BATCHES[config.data.windows.kind], plan.batches_per_epoch)
    begin = time.perf_counter()
    for index in range(batches):
        plan.batch(ids, 0, index)
    batch_seconds = (time.perf_counter() - begin) / batches
    return {
        "seconds": seconds,
        "prepare_mb": (after_prepare - before) / MEGABYTE,
        "batch_us": batch_seconds * 1e6,
        "batches_mb": (peak_bytes() - before) / MEGABYTE,
    }


def peak_bytes() -> int:
    """Highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def write_text(path: Path, size: int, *, unicode: bool) -> None:
    """Write about `size` bytes of Shakespeare, each repetition cased and ordered differently."""
    with path.open("w", encoding="utf-8") as file:
        for passage in passages(unicode=unicode):
            file.write(passage)
            size -= len(passage.encode())
            if size <= 0:
                break


def passages(*, unicode: bool) -> Iterator[str]:
    """The text over and over: paragraphs in another order each time, every third in capitals."""
    paragraphs = SOURCE.read_text(encoding="utf-8").split("\n\n")
    step = 1
    while True:
        order = [paragraphs[index * step % len(paragraphs)] for index in range(len(paragraphs))]
        text = "\n\n".join(order)
        if step % 3 == 0:
            text = text.upper()
        if unicode:
            text = text.replace(" the ", " η δικαιοσύνη ")
        yield text + f"\n\n{step}\n\n"
        step += 1


if __name__ == "__main__":
    main()
