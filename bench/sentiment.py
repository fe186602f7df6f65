"""Train classifiers as a user would, score them on texts they never saw, and label a large table.

    python -m bench.sentiment [--only NAME ..] [--json]

    rt_polarity     10-fold cross-validation of configs/sentiment.yaml on data/rt-polarity.*
    imdb            configs/imdb.yaml, a stratified fifth held out
    sentiment140    5-fold cross-validation of configs/sentiment140.yaml on a sample
    predict         rows per second and peak memory of `rnnkit predict --input` by rows
    tokenize        seconds for 25,000, 50,000 and 100,000 texts

imdb and sentiment140 need a folder with imdb_train.csv.gz and sentiment140_sample.csv, which may
not be passed on; its name is in RNNKIT_DATA. Without it they are left out, and said to be.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.measure import REPOSITORY, answer, rnnkit_command

DATA = Path(os.environ["RNNKIT_DATA"]) if "RNNKIT_DATA" in os.environ else None
PREDICTED_ROWS = (20_000, 100_000)
REPEATS = 5


def main() -> None:
    """Print one line for each result, or one JSON document."""
    parts: dict[str, Callable[[Path], dict[str, Any] | None]] = {
        "rt_polarity": rt_polarity,
        "imdb": imdb,
        "sentiment140": sentiment140,
        "predict": predict,
        "tokenize": tokenize,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", choices=list(parts), help="parts to measure")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only or list(parts):
            measured = parts[name](Path(folder))
            if measured is None:
                print(f"{name}: left out, RNNKIT_DATA names no folder with it", file=sys.stderr)
            else:
                results[name] = measured
                print(f"{name}: {json.dumps(measured)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(results, indent=1))


def rt_polarity(folder: Path) -> dict[str, Any]:
    """Accuracy over ten folds of the sentences in data/."""
    return cross_validated(folder, "sentiment", 10)


def cross_validated(
    folder: Path, config: str, folds: int, data: Path | None = None
) -> dict[str, Any]:
    """Accuracy over folds and the longest training of one; nothing is held out for validation."""
    settings = ["data.validation_fraction=0.0", "data.test_fraction=0.0"]
    settings += [f"data.path={data}"] if data else []
    options = [word for setting in settings for word in ("--set", setting)]
    options += ["--folds", str(folds), "--runs-dir", str(folder), "--name", config, "--json"]
    found = answer("crossval", REPOSITORY / "configs" / f"{config}.yaml", *options)
    shown = f" --set data.path={data.name} --set data.test_fraction=0.0" if data else ""
    return {
        "command": f"rnnkit crossval configs/{config}.yaml --folds {folds}{shown} "
        "--set data.validation_fraction=0.0",
        "accuracy": found["metrics"]["accuracy"],
        "training_seconds": max(found["seconds"]),
    }


def imdb(folder: Path) -> dict[str, Any] | None:
    """Accuracy on a held-out fifth of the reviews."""
    return held_out(
        folder,
        "imdb",
        "imdb_train.csv.gz",
        "data.layout={kind: table, text: review, label: sentiment}",
        "data.test_fraction=0.2",
    )


def sentiment140(folder: Path) -> dict[str, Any] | None:
    """Accuracy on five held-out fifths of the tweets."""
    if DATA is None or not (DATA / "sentiment140_sample.csv").is_file():
        return None
    return cross_validated(folder, "sentiment140", 5, DATA / "sentiment140_sample.csv")


def held_out(folder: Path, config: str, data: str, *settings: str) -> dict[str, Any] | None:
    """Train `configs/CONFIG.yaml` on a file of RNNKIT_DATA and score its test part."""
    if DATA is None or not (DATA / data).is_file():
        return None
    shown = [f"data.path={data}", *settings]
    used = [f"data.path={DATA / data}", *settings]
    overrides = [word for setting in used for word in ("--set", setting)]
    trained = answer(
        "train",
        REPOSITORY / "configs" / f"{config}.yaml",
        "--json",
        "--runs-dir",
        folder,
        *overrides,
    )
    scores = answer("evaluate", trained["run"], "--split", "test", "--json")
    words = " ".join(f"--set '{s}'" if " " in s else f"--set {s}" for s in shown)
    return {
        "command": f"rnnkit train configs/{config}.yaml {words}",
        "accuracy": scores["metrics"]["accuracy"],
        "training_seconds": trained["seconds"],
        "parameters": trained["parameters"],
    }


def predict(folder: Path) -> dict[str, Any]:
    """Rows per second after start and peak memory, for tables of two sizes."""
    run = answer(
        "train",
        REPOSITORY / "configs" / "sentiment.yaml",
        *("--json", "--runs-dir", folder, "--set", "training.max_epochs=1"),
    )["run"]
    texts = (REPOSITORY / "data" / "rt-polarity.pos").read_text("latin-1").splitlines()
    measured = []
    for rows in PREDICTED_ROWS:
        table = folder / f"{rows}.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows((i, text) for i, text in enumerate(islice(cycle(texts), rows)))
        seconds, memory = [], []
        for repeat in range(REPEATS):
            target = folder / f"{rows}-{repeat}.csv"
            command = ["predict", run, "--input", table, "--output", target]
            began = time.perf_counter()
            memory.append(peak_megabytes(*command))
            seconds.append(time.perf_counter() - began)
            target.unlink()
        measured.append({"rows": rows, "seconds": seconds, "peak_megabytes": max(memory)})
    few, many = (statistics.median(m["seconds"]) for m in measured)
    added = PREDICTED_ROWS[1] - PREDICTED_ROWS[0]
    return {"tables": measured, "rows_per_second": added / (many - few)}


def tokenize(folder: Path) -> dict[str, Any]:
    """Seconds to cut texts into words and encode them, by their number."""
    from rnnkit.text.encoder import fit_encoder
    from rnnkit.text.words import WordRules

    sources = ("rt-polarity.pos", "rt-polarity.neg")
    texts = [
        t for name in sources for t in (REPOSITORY / "data" / name).read_text("latin-1").split("\n")
    ]
    rows = {}
    for number in (25_000, 50_000, 100_000):
        chosen, seconds = list(islice(cycle(texts), number)), []
        for _ in range(REPEATS):
            began = time.perf_counter()
            encoder, _ = fit_encoder(
                chosen, kind="words", rules=WordRules(), maximum_length=60, vocabulary_size=20_000
            )
            encoder.encode_many(chosen)
            seconds.append(time.perf_counter() - began)
        rows[number] = {
            "median": statistics.median(seconds),
            "low": min(seconds),
            "high": max(seconds),
        }
    return {"seconds": rows}


def peak_megabytes(*arguments: object) -> float:
    """Peak resident memory of `rnnkit ARGUMENTS`, which has to succeed."""
    program = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stderr=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", program, *rnnkit_command(*arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return int(done.stdout.split()[-1]) / unit


if __name__ == "__main__":
    main()
