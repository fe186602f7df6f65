"""Every file of `configs/` does what its header says, shortened to a few steps."""

import json
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.config.load import load_config
from rnnkit.config.schema import Config
from rnnkit.data.prepare import prepare

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.rglob("*.y*ml"))
NAMES = [path.relative_to(CONFIGS).as_posix() for path in FILES]

PROMISED = {
    "hello.yaml",
    "shakespeare.yaml",
    *(
        f"tutorials/{tutorial}.yaml"
        for tutorial in (
            "char_simple_rnn",
            "char_lstm",
            "char_gru",
            "hello_world",
            "hello_world_lstm",
            "hello_world_gru",
        )
    ),
}

SHORTENED = ("training.max_steps=3", "evaluation.bootstrap_samples=20")


def test_the_promised_configurations_are_there() -> None:
    assert set(NAMES) >= PROMISED


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_its_text_is_there_and_long_enough(path: Path) -> None:
    config = load_config(path)
    prepared = prepare(config)
    assert len(prepared.split("train")) > config.data.windows.length


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_its_header_explains_it_with_commands_that_name_it(path: Path) -> None:
    """What a reader copies from the header must be this file and text that it knows."""
    header = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    assert header, "begins with what it is"
    vocabulary = prepare(load_config(path)).vocabulary
    for line in header:
        if found := re.match(r"#\s+rnnkit (train|generate) (.*)", line):
            words = shlex.split(found[2], comments=True)
            if found[1] == "train":
                assert CONFIGS.parent / words[0] == path
            elif "--seed" in words:
                assert vocabulary.unseen(words[words.index("--seed") + 1]) == ()


def shortened(config: Config) -> list[str]:
    """`--set` options for three steps of the real network, and scores of little text."""
    overrides: list[str] = [*SHORTENED]
    if config.data.validation_fraction:
        overrides.append("data.validation_fraction=0.01")
    if config.training.samples is not None:
        overrides.append("training.samples.length=5")
    if config.training.schedule.warmup_steps:
        overrides.append("training.schedule.warmup_steps=1")
    return [word for override in overrides for word in ("--set", override)]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_trains_writes_and_is_scored(
    run_cli: Callable[..., Any], tmp_path: Path, path: Path
) -> None:
    config = load_config(path)
    trained = run_cli("train", path, "--runs-dir", tmp_path, *shortened(config))
    assert trained.exit_code == 0, trained.stderr
    run = Path(trained.stdout.splitlines()[-1])
    assert run.parent == tmp_path
    assert run.name.startswith(path.stem)

    vocabulary = prepare(config).vocabulary
    seed = vocabulary.tokens[-1] * 3
    written = run_cli("generate", run, "--seed", seed, "--random-seed", "1")
    assert written.exit_code == 0, written.stderr
    assert written.stdout.startswith(seed)
    assert len(written.stdout) == len(seed) + config.generation.length + 1
    assert vocabulary.unseen(written.stdout[:-1]) == ()

    scored = run_cli("evaluate", run, "--json")
    assert scored.exit_code == 0, scored.stderr
    answer = json.loads(scored.stdout)
    held_out = config.data.validation_fraction > 0
    assert answer["split"] == ("validation" if held_out else "train")
    assert answer["run"] == str(run)
    metrics = {name: score["value"] for name, score in answer["metrics"].items()}
    # Three steps from random weights: not much worse than guessing.
    assert 0.0 < metrics["loss"] < 1.5 * math.log(vocabulary.size)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert 0.0 <= metrics["accuracy"] <= 1.0
