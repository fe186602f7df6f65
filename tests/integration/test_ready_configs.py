"""Every file of `configs/` does what its header says, shortened to a few steps."""

import json
import math
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rnnkit.config.base import layer_sizes
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.config import LanguageConfig, WordGenerationConfig
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.task import load_config
from rnnkit.tasks.text_classification.config import ClassificationConfig

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.rglob("*.y*ml"))
NAMES = [path.relative_to(CONFIGS).as_posix() for path in FILES]
CLASSIFIERS = [path for path in FILES if isinstance(load_config(path), ClassificationConfig)]
WRITERS = [path for path in FILES if path not in CLASSIFIERS]
TREEBANK = CONFIGS / "ptb.yaml"
"""Its text may not be passed on."""


def name_of(path: Path) -> str:
    """`tutorials/hello_world.yaml`"""
    return path.relative_to(CONFIGS).as_posix()


PROMISED = {
    "hello.yaml",
    "shakespeare.yaml",
    "shakespeare_best.yaml",
    "shakespeare_gpu.yaml",
    "words.yaml",
    "subwords.yaml",
    "ptb.yaml",
    "sentiment.yaml",
    "sentiment140.yaml",
    "imdb.yaml",
    *(
        f"tutorials/{tutorial}.yaml"
        for tutorial in (
            "forward_by_hand",
            "char_simple_rnn",
            "char_lstm",
            "char_gru",
            "word_lstm",
            "hello_world",
            "hello_world_lstm",
            "hello_world_gru",
            "sentiment140_simple_rnn",
            "sentiment140_glove",
        )
    ),
}

SHORTENED = ("training.max_steps=3", "evaluation.bootstrap_samples=20")


def test_the_promised_configurations_are_there() -> None:
    assert set(NAMES) >= PROMISED


@pytest.fixture(scope="module")
def treebank(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """`--set` options for a little text in the layout of the Penn Treebank."""
    folder = tmp_path_factory.mktemp("ptb")
    for name in ("train", "valid", "test"):
        text = " the <unk> of N million is n't black \n mr. vinken said so \n" * 60
        (folder / f"ptb.{name}.txt").write_text(text, encoding="utf-8")
    parts = {"path": "train", "validation_path": "valid", "test_path": "test"}
    return [f"data.{key}={folder}/ptb.{name}.txt" for key, name in parts.items()]


def writer(path: Path, overrides: Sequence[str] = ()) -> LanguageConfig:
    config = load_config(path, overrides)
    assert not isinstance(config, ClassificationConfig)
    return config


@pytest.mark.parametrize("path", WRITERS, ids=name_of)
def test_its_text_is_there_and_long_enough(path: Path, treebank: list[str]) -> None:
    config = writer(path, treebank if path == TREEBANK else ())
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
    has_text = path in WRITERS and path != TREEBANK
    vocabulary = prepare(writer(path)).vocabulary if has_text else None
    for line in header:
        if found := re.match(r"#\s+rnnkit (train|generate) (.*)", line):
            words = shlex.split(found[2].rstrip("\\"), comments=True)
            if found[1] == "train":
                assert CONFIGS.parent / words[0] == path
            elif "--seed" in words and vocabulary is not None:
                assert vocabulary.unseen(words[words.index("--seed") + 1]) == ()


def shortened(config: LanguageConfig, text: Sequence[str]) -> list[str]:
    """`--set` options for three steps of the real network, and scores of little text."""
    overrides: list[str] = [*SHORTENED, *text]
    if max(layer_sizes(config.model)) >= 512:
        overrides.append("training.batch_size=8")
    if config.data.validation_fraction and not text:
        overrides.append("data.validation_fraction=0.01")
    if config.training.samples is not None:
        overrides.append("training.samples.length=5")
    if config.training.schedule.warmup_steps:
        overrides.append("training.schedule.warmup_steps=1")
    return [word for override in overrides for word in ("--set", override)]


@pytest.mark.slow
@pytest.mark.parametrize("path", WRITERS, ids=name_of)
def test_it_trains_writes_and_is_scored(
    run_cli: Callable[..., Any], tmp_path: Path, path: Path, treebank: list[str]
) -> None:
    text = treebank if path == TREEBANK else ()
    config = writer(path, text)
    trained = run_cli("train", path, "--runs-dir", tmp_path, *shortened(config, text))
    assert trained.exit_code == 0, trained.stderr
    run = Path(trained.stdout.splitlines()[-1])
    assert run.parent == tmp_path
    assert run.name.startswith(path.stem)

    vocabulary = load_language_model(RunDirectory(run)).vocabulary
    seed = vocabulary.tokens[-1] * 3 if vocabulary.kind in ("characters", "bytes") else "the"
    seed = "Rivers carry" if path.stem == "word_lstm" else seed
    written = run_cli("generate", run, "--seed", seed, "--random-seed", "1")
    assert written.exit_code == 0, written.stderr
    assert written.stdout.startswith(seed)
    if vocabulary.kind in ("characters", "bytes"):
        assert len(written.stdout) == len(seed) + config.generation.length + 1
    assert vocabulary.unseen(written.stdout[:-1]) == ()

    scored = run_cli("evaluate", run, "--json")
    assert scored.exit_code == 0, scored.stderr
    answer = json.loads(scored.stdout)
    held_out = config.data.validation_fraction > 0
    if isinstance(config, WordGenerationConfig):
        held_out = held_out or config.data.validation_path is not None
    has_test = config.data.test_fraction > 0
    if isinstance(config, WordGenerationConfig):
        has_test = has_test or config.data.test_path is not None
    expected = "test" if has_test else "validation" if held_out else "train"
    assert answer["split"] == expected
    assert answer["run"] == str(run)
    metrics = {name: score["value"] for name, score in answer["metrics"].items()}
    # Three steps from random weights: not much worse than guessing.
    assert 0.0 < metrics["loss"] < 1.5 * math.log(vocabulary.size)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert 0.0 <= metrics["accuracy"] <= 1.0


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Few texts in every layout that a configuration reads, and few vectors."""
    folder = tmp_path_factory.mktemp("texts")
    tweets = folder / "tweets.csv"
    lines = [f'"{4 * (i % 2)}","{i}","d","q","u","@bob a {i} day, {i % 2}"' for i in range(60)]
    tweets.write_text("\n".join(lines) + "\n", encoding="latin-1")
    for i in range(40):
        (folder / "reviews" / ("neg", "pos")[i % 2]).mkdir(parents=True, exist_ok=True)
        place = folder / "reviews" / ("neg", "pos")[i % 2] / f"{i}.txt"
        place.write_text(f"A film, number {i} of many.<br />Seen twice.", encoding="utf-8")
    vectors = folder / "vectors.txt"
    vectors.write_text("day 0.1 0.2 0.3\nbob 0.2 -0.1 0.4\nfilm 0.3 0.1 -0.2\n", "utf-8")
    return {"sentiment140": tweets, "folders": folder / "reviews", "vectors": vectors}


@pytest.mark.slow
@pytest.mark.parametrize("path", CLASSIFIERS, ids=name_of)
def test_it_trains_predicts_and_is_scored(
    run_cli: Callable[..., Any], tmp_path: Path, path: Path, made_up: dict[str, Path]
) -> None:
    config = load_config(path)
    assert isinstance(config, ClassificationConfig)
    overrides = [*SHORTENED, "training.batch_size=8"]
    if config.training.schedule.warmup_steps:
        overrides.append("training.schedule.warmup_steps=1")
    if config.data.layout.kind in made_up:
        overrides.append(f"data.path={made_up[config.data.layout.kind]}")
    if config.model.embedding.kind == "pretrained":
        overrides.append(f"model.embedding.path={made_up['vectors']}")
    options = [word for override in overrides for word in ("--set", override)]
    trained = run_cli("train", path, "--runs-dir", tmp_path, *options)
    assert trained.exit_code == 0, trained.stderr
    run = Path(trained.stdout.splitlines()[-1])
    scored = run_cli("evaluate", run, "--json")
    assert scored.exit_code == 0, scored.stderr
    metrics = {name: score["value"] for name, score in json.loads(scored.stdout)["metrics"].items()}
    assert 0.0 < metrics["loss"] < 2.0
    assert 0.0 <= metrics["accuracy"] <= 1.0
    predicted = run_cli("predict", run, "what a lovely film")
    assert predicted.exit_code == 0, predicted.stderr
    label, probability = predicted.stdout.split()
    assert label in ("negative", "positive")
    assert 0.5 <= float(probability) <= 1.0
