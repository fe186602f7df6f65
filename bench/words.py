"""A model of words beside a Kneser-Ney trigram, and what the softmax of many words costs.

    python -m bench.words [--config configs/words.yaml] [--json]

Both models read the same tokens, with the same vocabulary and <unk>, and are scored on the same
held-out part, each token after all before it. The trigram is given the discounts that are best on
the held-out part itself, so that no choice of its constants could make it better. "Training" is the
time in the training loop, evaluation and checkpoints included.

The softmax is timed as the share of a training step with 50,000 words that a network of the same
size with 500 words does not need.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands import REPOSITORY, answer
from bench.kneser_ney import best_discounts, count_trigrams

MANY, FEW = 50_000, 500
BATCH, STEPS, UNITS = 16, 35, 256


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", type=Path, default=REPOSITORY / "configs" / "words.yaml")
    parser.add_argument("--repeats", type=int, default=7, help="timed training steps")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = {
        "trigram": trigram(arguments.config),
        "model": model(arguments.config),
        "softmax": softmax(arguments.repeats),
    }
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print("| model | perplexity per token | training, s |\n|---|---|---|")
    print(f"| Kneser-Ney trigram | {found['trigram']['perplexity']:.1f} | - |")
    own = found["model"]
    print(
        f"| {own['config']} | {own['metrics']['perplexity']['value']:.1f} "
        f"| {own['training_seconds']:.0f} |"
    )
    cost = found["softmax"]
    print(
        f"\nSoftmax of {MANY:,} words: {cost['share']:.0%} of a step of {cost['seconds']:.2f} s "
        f"(LSTM {UNITS}, {BATCH} x {STEPS} tokens)"
    )


def trigram(path: Path) -> dict[str, Any]:
    """Counted on the training part of a configuration, scored on its validation part."""
    from rnnkit.config.load import load_config
    from rnnkit.config.schema import WordGenerationConfig
    from rnnkit.tasks.language_model.data import prepare

    config = load_config(path)
    assert isinstance(config, WordGenerationConfig)
    prepared = prepare(config)
    train, held_out = (
        np.asarray(prepared.split(name)).astype(np.int64) for name in ("train", "validation")
    )
    counted = count_trigrams(train, prepared.vocabulary.size)
    estimated, best = counted.estimated_discounts(), best_discounts(counted, held_out)
    return {
        "tokens": len(train),
        "vocabulary": prepared.vocabulary.size,
        "estimated_discounts": estimated,
        "perplexity_with_estimated_discounts": counted.perplexity(held_out, estimated),
        "discounts": best,
        "perplexity": counted.perplexity(held_out, best),
    }


def model(path: Path) -> dict[str, Any]:
    """Trained and scored by the real commands."""
    with tempfile.TemporaryDirectory() as runs:
        trained = answer("train", path, "--json", "--runs-dir", runs)
        scores = answer("evaluate", trained["run"], "--json", "--split", "validation")
    return {
        "config": path.stem,
        "training_seconds": trained["seconds"],
        "parameters": trained["parameters"],
        "tokens_per_second": trained["metrics"]["tokens_per_second"],
        "metrics": scores["metrics"],
    }


def softmax(repeats: int) -> dict[str, Any]:
    """Seconds of a training step with many words, and how much less it is with few."""
    many, few = (seconds_per_step(size, repeats) for size in (MANY, FEW))
    return {"vocabulary": MANY, "seconds": many, "share": 1.0 - few / many}


def seconds_per_step(vocabulary_size: int, repeats: int) -> float:
    """Median time of an update of an LSTM with tied weights on made-up tokens."""
    from rnnkit.config.schema import EmbeddingInput, ModelConfig, TrainingConfig
    from rnnkit.data.batches import Batch
    from rnnkit.network.keras import build_training_model, state_sizes
    from rnnkit.training.step import Learner, count_shards, set_up

    set_up(0)
    network = ModelConfig(
        cell="lstm", units=UNITS, input=EmbeddingInput(size=UNITS), tie_weights=True
    )
    learner = Learner(
        build_training_model(network, vocabulary_size=vocabulary_size, every_step=True),
        TrainingConfig(max_steps=1),
        state_sizes=state_sizes(network),
        shards=count_shards(network, BATCH),
    )
    ids = np.random.default_rng(0).integers(0, vocabulary_size, (BATCH, STEPS + 1)).astype(np.int32)
    batch = Batch(ids[:, :-1], ids[:, 1:], np.ones((BATCH, STEPS), np.float32), starts_stream=True)
    states = learner.zero_states(BATCH)
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        after = learner.update(batch, states, 1e-3)
        _ = [state.numpy() for state in after]
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])  # the first one is compiled


if __name__ == "__main__":
    main()
