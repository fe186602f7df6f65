"""`make bench`: every measurement that the documentation quotes, one after the other.

    python -m bench.run [PART ..] [--full] [--output bench/results.json]

Each part is a module here that can be run by itself and says what it measures. This one runs them
with `--json` and writes the file that docs/BENCHMARKS.md takes its figures from, after every part:
nothing is lost when a later one fails. Parts that are named are measured again; the others keep
their figures, which must be of this machine.

`--full` trains every network of `bench.training`, not only the usual ones, which takes three times
as long. The machine has to be idle: how busy it was before each part is in the file.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import REPOSITORY, busy_beside, machine, versions

MEASUREMENTS = {
    "start": ["--repeats", "7"],
    "generation": ["--repeats", "7"],
    "training": ["--repeats", "5"],
    "time_to_loss": ["--repeats", "3"],
    "quality": [],
    "words": [],
    "sentiment": [],
    "memory": ["--megabytes", "1,10,100,1000"],
}
"""Part, which is a module here, and its options: those that have to be quiet first."""
BUSY = 0.05
"""Part of the processors' time that others may use."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"any of: {', '.join(MEASUREMENTS)}; all if none"
    )
    parser.add_argument("--full", action="store_true", help="train every combination")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench" / "results.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(MEASUREMENTS):
        parser.error(f"{', '.join(unknown)}: no part; there are {', '.join(MEASUREMENTS)}")
    results: dict[str, Any] = {"machine": machine(), "system": platform.platform()}
    if arguments.parts and arguments.output.exists():
        before = json.loads(arguments.output.read_text("utf-8"))
        if before["machine"] != results["machine"]:
            parser.error(f"{arguments.output} is of another machine: {before['machine']}")
        results = before | results
    circumstances = results.setdefault("parts", {})
    for name in arguments.parts or MEASUREMENTS:
        options = [
            *MEASUREMENTS[name],
            *(["--full"] if arguments.full and name == "training" else []),
        ]
        print(f"{name} {' '.join(options)}", file=sys.stderr, flush=True)
        results[name], circumstances[name] = measure(name, options)
        write(arguments.output, results)
        print(f"{name}: {circumstances[name]['seconds']:.0f} s", file=sys.stderr, flush=True)
    print(f"written to {arguments.output}")


def measure(name: str, options: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a part has found; and when, how long it took, how busy the machine was before, and the
    versions of what it measured."""
    busy = busy_beside(seconds=1.0)
    if busy is not None and busy > BUSY:
        print(f"  other programs use {busy:.0%} of this machine", file=sys.stderr)
    circumstances = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "busy_beside": busy,
        "versions": versions(),
    }
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--json", *options],
        check=True,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    seconds = round(time.perf_counter() - begin, 1)
    return json.loads(done.stdout), {**circumstances, "seconds": seconds}


def write(path: Path, results: dict[str, Any]) -> None:
    """Replace the file as a whole."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    main()
