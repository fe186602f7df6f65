"""How long commands take to start, and how fast `rnnkit generate` writes.

    python bench/generation.py [--run RUN] [--repeats 7] [--json]

Cold start: the whole processes `rnnkit generate --length 200`, `rnnkit --help` and `rnnkit
evaluate` (of 1,000 characters) against the whole process `python -c "import tensorflow"`, in
turns, so that all meet the same machine. Steady state: one GRU layer of 256 (random weights; the
arithmetic is the same) without start-up, once as a library and once as the command writing into a
pipe.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLD_LENGTH = 200
STEADY_LENGTH = 20_000
SCORED_LENGTH = 1_000
REPOSITORY = Path(__file__).resolve().parent.parent


def make_run(folder: Path) -> Path:
    """A run of one GRU layer of 256 with an embedding of 64 over 65 characters."""
    import numpy as np

    from rnnkit.config.schema import GenerationConfig, ModelConfig
    from rnnkit.model.export_onnx import InferenceFacts, export_onnx
    from rnnkit.run import create_run, write_atomically, write_document, write_manifest
    from rnnkit.text.tokenize import TextRules
    from rnnkit.text.vocabulary import Vocabulary

    characters = "\n !$&',-.3:;?" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz"
    vocabulary = Vocabulary(TextRules(), "characters", tuple(sorted(characters)))
    size, units, embedding = vocabulary.size, 256, 64
    rng = np.random.default_rng(0)
    weights = {
        "embedding/embeddings": rng.normal(size=(size, embedding)),
        "recurrent_0/kernel": rng.normal(scale=0.1, size=(embedding, 3 * units)),
        "recurrent_0/recurrent_kernel": rng.normal(scale=0.06, size=(units, 3 * units)),
        "recurrent_0/bias": np.zeros((2, 3 * units)),
        "logits/kernel": rng.normal(scale=0.1, size=(units, size)),
        "logits/bias": np.zeros(size),
    }
    config = "{version: 1, task: char_generation, data: {path: none}, training: {max_steps: 1}}\n"
    run = create_run(folder, "gru256", config_text=config, vocabulary=vocabulary.to_dict())
    facts = InferenceFacts("char_generation", None, GenerationConfig().model_dump(mode="json"))
    model = ModelConfig()
    write_atomically(
        run.onnx_model, export_onnx(weights, model=model, vocabulary_size=size, facts=facts)
    )
    write_manifest(run, [run.config, run.onnx_model])
    write_document(run.summary, "summary", {"task": "char_generation"})
    return run.path


def seconds_of(command: list[str]) -> float:
    """Wall time of a whole process, its output thrown away through a pipe."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    # An installed package is compiled; ours is after the first round if Python may write that.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY, env=environment)
    return time.perf_counter() - begin


def rnnkit_command(*arguments: object) -> list[str]:
    """The command a user would type, for this interpreter."""
    return [sys.executable, "-m", "rnnkit", *map(str, arguments)]


def generate_command(run: Path, length: int) -> list[str]:
    """The same for `rnnkit generate`."""
    options = ["--seed", "ROMEO:", "--length", length, "--random-seed", 1]
    return rnnkit_command("generate", run, *options)


def library_rate(run: Path) -> Callable[[], float]:
    """A function that generates in this process and returns tokens per second."""
    from rnnkit.inference.generate import generate, read_prime
    from rnnkit.inference.sampling import SamplingOptions
    from rnnkit.inference.session import load_session
    from rnnkit.run import RunDirectory

    session = load_session(RunDirectory(run))
    prime = read_prime(session.vocabulary, "ROMEO:", unseen="skip")

    def rate() -> float:
        begin = time.perf_counter()
        for _ in generate(session, prime=prime, length=STEADY_LENGTH, options=SamplingOptions()):
            pass
        return STEADY_LENGTH / (time.perf_counter() - begin)

    return rate


def measure(run: Path, text: Path, *, repeats: int) -> dict[str, list[float]]:
    """All figures, `repeats` of each, taken in turns; the first round warms the disk cache."""
    rate = library_rate(run)
    evaluate = rnnkit_command("evaluate", run, "--data", text, "--unseen", "skip")
    results: dict[str, list[float]] = {}
    for round_number in range(repeats + 1):
        tensorflow = seconds_of([sys.executable, "-c", "import tensorflow"])
        short = seconds_of(generate_command(run, COLD_LENGTH))
        long = seconds_of(generate_command(run, STEADY_LENGTH))
        helped = seconds_of(rnnkit_command("--help"))
        scored = seconds_of(evaluate)
        figures = {
            "import_tensorflow_seconds": tensorflow,
            "generate_200_seconds": short,
            "cold_start_ratio": tensorflow / short,
            "help_seconds": helped,
            "help_ratio": tensorflow / helped,
            "evaluate_1000_seconds": scored,
            "evaluate_ratio": tensorflow / scored,
            "library_tokens_per_second": rate(),
            "command_tokens_per_second": (STEADY_LENGTH - COLD_LENGTH) / (long - short),
        }
        if round_number > 0:
            for name, figure in figures.items():
                results.setdefault(name, []).append(figure)
    return results


def summarize(values: list[float]) -> dict[str, float]:
    """Median and spread."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def machine() -> str:
    """Processor and cores that this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{model}, {cores()} cores, Python {platform.python_version()}"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, help="a run to use instead of the random GRU 256")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run.resolve() if arguments.run else make_run(Path(folder))
        text = Path(folder) / "scored.txt"
        source = REPOSITORY / "data" / "tinyshakespeare.txt"
        text.write_text(source.read_text("utf-8")[:SCORED_LENGTH], encoding="utf-8")
        results = measure(run, text, repeats=arguments.repeats)
    summary = {name: summarize(values) for name, values in results.items()}
    if arguments.json:
        document: dict[str, Any] = {
            "machine": machine(),
            "repeats": arguments.repeats,
            "summary": summary,
            "values": results,
        }
        print(json.dumps(document, indent=2))
        return
    print(f"{machine()}; {arguments.repeats} repeats\n")
    print(f"{'':28}{'median':>12}{'lowest':>12}{'highest':>12}")
    for name, figures in summary.items():
        digits = 0 if name.endswith("per_second") else 3
        print(f"{name:28}" + "".join(f"{value:>12,.{digits}f}" for value in figures.values()))


if __name__ == "__main__":
    main()
