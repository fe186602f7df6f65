"""`make bench`: every measurement that the documentation quotes, one after the other.

    python bench/run.py [--only training quality] [--output bench/results.json]

Each script here can be run by itself and says what it measures. This one runs them with `--json`,
joins their answers, and writes the file that the figures in README.md are taken from. `--only`
measures a part anew and leaves the other figures in that file, which must be of this machine.
"""

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

from generation import machine

HERE = Path(__file__).parent

MEASUREMENTS = {
    "generation": ["generation.py", "--repeats", "7"],
    "training_memory": ["training_memory.py", "--megabytes", "1,10,100,1000"],
    "quality": ["quality.py"],
    "sentiment": ["sentiment.py"],
    "training": ["training.py", "--repeats", "5"],
    "time_to_loss": ["time_to_loss.py", "--repeats", "3"],
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="NAME")
    arguments = parser.parse_args()
    results: dict[str, object] = {"machine": machine(), "system": platform.platform()}
    if arguments.only:
        before = json.loads(arguments.output.read_text("utf-8"))
        if before["machine"] != results["machine"]:
            parser.error(f"{arguments.output} is of another machine: {before['machine']}")
        results = before | results
    for name in arguments.only or MEASUREMENTS:
        script, *options = MEASUREMENTS[name]
        print(f"{name}: {script} {' '.join(options)}", file=sys.stderr, flush=True)
        command = [sys.executable, str(HERE / script), "--json", *options]
        results[name] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
