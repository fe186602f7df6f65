"""How long commands take from nothing: whole processes, against `import tensorflow`.

    python -m bench.start [--repeats 7] [--json]

Every round runs each of these once, one after the other, so that all meet the same machine; the
first round warms the disk cache and is not counted. Every ratio is of two processes of one round.

    import_tensorflow  `python -c "import tensorflow"`
    python             `python -c pass`, which no command in Python can be faster than
    help               `rnnkit --help`
    generate_200       `rnnkit generate`, 200 characters of a GRU of 256
    predict            `rnnkit predict` of one text with the network of configs/sentiment.yaml
    evaluate_1000      `rnnkit evaluate` of that GRU on 1,000 characters

The weights are random; the arithmetic is the same.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.measure import REPOSITORY, machine, ratios, rnnkit_command, seconds_of, spread, summarize

UNITS, EMBEDDING = 256, 64

Weights = dict[str, NDArray[np.float32]]


def make_writer(folder: Path) -> tuple[Path, Weights]:
    """A run of one GRU layer of 256 with an embedding of 64 over 65 characters; and its weights
    under the names and in the layout of Keras."""
    from rnnkit.network.onnx import export_onnx
    from rnnkit.runs.directory import create_run, write_manifest
    from rnnkit.runs.files import write_atomically, write_document
    from rnnkit.tasks.language_model.config import GenerationConfig, LanguageModelConfig
    from rnnkit.tasks.language_model.network import language_network
    from rnnkit.text.cleaning import TextRules
    from rnnkit.text.vocabulary import Vocabulary

    characters = "\n !$&',-.3:;?" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz"
    vocabulary = Vocabulary(TextRules(), "characters", tuple(sorted(characters)))
    size = vocabulary.size
    weights = _random(
        {
            "embedding/embeddings": (1.0, (size, EMBEDDING)),
            "recurrent_0/kernel": (0.1, (EMBEDDING, 3 * UNITS)),
            "recurrent_0/recurrent_kernel": (0.06, (UNITS, 3 * UNITS)),
            "recurrent_0/bias": (0.0, (2, 3 * UNITS)),
            "logits/kernel": (0.1, (UNITS, size)),
            "logits/bias": (0.0, (size,)),
        }
    )
    config = "{version: 1, task: char_generation, data: {path: none}, training: {max_steps: 1}}\n"
    run = create_run(folder, "gru256", config_text=config, vocabulary=vocabulary.to_dict())
    metadata = {
        "task": "char_generation",
        "context": None,
        "generation": GenerationConfig().model_dump(mode="json"),
    }
    spec = language_network(LanguageModelConfig(), vocabulary_size=size)
    write_atomically(run.onnx_model, export_onnx(weights, spec, metadata=metadata))
    write_manifest(run, [run.config, run.onnx_model])
    write_document(run.summary, "summary", {"task": "char_generation"})
    return run.path, weights


def make_judge(folder: Path) -> Path:
    """A run of configs/sentiment.yaml, as if it were trained: with its vocabulary."""
    from rnnkit.config.describe import to_yaml
    from rnnkit.network.onnx import export_onnx
    from rnnkit.runs.directory import create_run, write_manifest
    from rnnkit.runs.files import write_atomically, write_document
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.data import prepare_texts
    from rnnkit.tasks.text_classification.network import classifier_network

    config = load_config(REPOSITORY / "configs" / "sentiment.yaml")
    assert isinstance(config, ClassificationConfig)
    prepared = prepare_texts(config)
    spec = classifier_network(
        config.model, vocabulary_size=prepared.encoder.size, classes=len(prepared.classes)
    )
    shapes = {
        name: (0.0 if name.endswith("bias") else 0.1, shape)
        for name, shape in spec.weight_shapes.items()
    }
    run = create_run(
        folder,
        "sentiment",
        config_text=to_yaml(config),
        vocabulary={"encoder": prepared.encoder.to_dict(), "classes": list(prepared.classes)},
    )
    metadata = {"task": "sentiment", "classes": list(prepared.classes)}
    model = export_onnx(_random(shapes), spec, metadata=metadata)
    write_atomically(run.onnx_model, model)
    write_manifest(run, [run.config, run.onnx_model])
    summary = {"task": "sentiment", "corpus_fingerprint": prepared.fingerprint}
    write_document(run.summary, "summary", {**summary, "classes": list(prepared.classes)})
    return run.path


def _random(shapes: dict[str, tuple[float, tuple[int, ...]]]) -> Weights:
    """Normal numbers of these deviations and shapes."""
    draw = np.random.default_rng(0)
    return {
        name: draw.normal(scale=scale, size=shape).astype(np.float32)
        for name, (scale, shape) in shapes.items()
    }


GENERATED = 200
SCORED = 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="rounds that count")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = commands_in(Path(folder))
        seconds = measure(commands, repeats=arguments.repeats)
    if arguments.json:
        values = {f"{name}_seconds": found for name, found in seconds.items()}
        print(json.dumps({"machine": machine(), "repeats": arguments.repeats, "values": values}))
        return
    print(f"{machine()}; {arguments.repeats} rounds\n")
    print(f"{'':20}{'seconds':>26}{'fits into the import':>26}")
    for name, found in seconds.items():
        times = summarize(ratios(seconds["import_tensorflow"], found))
        print(f"{name:20}{spread(summarize(found), 3):>26}{spread(times, 1):>26}")


def commands_in(folder: Path) -> dict[str, list[str]]:
    """What is run, on runs that are made in `folder`."""
    writer, _ = make_writer(folder)
    judge = make_judge(folder)
    text = folder / "scored.txt"
    source = REPOSITORY / "data" / "tinyshakespeare.txt"
    text.write_text(source.read_text("utf-8")[:SCORED], encoding="utf-8")
    prime = ["--seed", "ROMEO:", "--random-seed", 1]
    return {
        "import_tensorflow": [sys.executable, "-c", "import tensorflow"],
        "python": [sys.executable, "-c", "pass"],
        "help": rnnkit_command("--help"),
        "generate_200": rnnkit_command("generate", writer, *prime, "--length", GENERATED),
        "predict": rnnkit_command("predict", judge, "what a lovely film"),
        "evaluate_1000": rnnkit_command("evaluate", writer, "--data", text, "--unseen", "skip"),
    }


def measure(commands: dict[str, list[str]], *, repeats: int) -> dict[str, list[float]]:
    """Seconds of every command in every round that counts."""
    rounds = [
        {name: seconds_of(command) for name, command in commands.items()}
        for _ in range(repeats + 1)
    ]
    return {name: [found[name] for found in rounds[1:]] for name in commands}


if __name__ == "__main__":
    main()
