"""Small real experiments for the tests of training: a text, a configuration, and a run."""

import csv
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from rnnkit.config.describe import to_yaml
from rnnkit.runs.directory import RunDirectory, create_run, locked
from rnnkit.runs.records import Summary, read_metrics
from rnnkit.tasks.language_model.config import CharGenerationConfig, WordGenerationConfig
from rnnkit.tasks.task import Config, parse_config, prepare
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.training.events import Event
from rnnkit.training.loop import train
from rnnkit.training.task import TrainingData

TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen jugs.\n" * 12

SETTINGS = """\
version: 1
task: char_generation
data:
  path: text.txt
  validation_fraction: 0.2
  windows: {kind: stream, length: 6}
model: {units: 8, input: {kind: embedding, size: 4}}
training:
  batch_size: 4
  max_steps: 40
  evaluate_every_steps: 10
  checkpoint_every_steps: 4
  optimizer: {name: adam, learning_rate: 0.01}
"""


WORD_SETTINGS = """\
version: 1
task: word_generation
data:
  path: text.txt
  validation_fraction: 0.2
  windows: {kind: stream, length: 6}
model: {units: 8, input: {kind: embedding, size: 4}}
training:
  batch_size: 4
  max_steps: 40
  evaluate_every_steps: 10
  checkpoint_every_steps: 4
  optimizer: {name: adam, learning_rate: 0.01}
"""

LABELLED_SETTINGS = """\
version: 1
task: sentiment
data:
  path: reviews.csv
  validation_fraction: 0.25
model: {units: 6, embedding: {kind: learned, size: 5}}
training:
  batch_size: 8
  max_steps: 30
  evaluate_every_steps: 10
  checkpoint_every_steps: 4
  optimizer: {name: adam, learning_rate: 0.02}
"""


def configure(folder: Path, *overrides: str, text: str = TEXT) -> CharGenerationConfig:
    """The settings above over `text`, with `--set` overrides."""
    (folder / "text.txt").write_text(text, encoding="utf-8")
    config = parse_config(SETTINGS, source="tiny.yaml", base=folder, overrides=overrides)
    assert isinstance(config, CharGenerationConfig)
    return config


def configure_words(folder: Path, *overrides: str, text: str = TEXT) -> WordGenerationConfig:
    """The settings for words over `text`, with `--set` overrides."""
    (folder / "text.txt").write_text(text, encoding="utf-8")
    config = parse_config(WORD_SETTINGS, source="words.yaml", base=folder, overrides=overrides)
    assert isinstance(config, WordGenerationConfig)
    return config


def configure_labelled(folder: Path, *overrides: str) -> ClassificationConfig:
    """The settings for labelled texts over `write_reviews`, with `--set` overrides."""
    if not (folder / "reviews.csv").exists():
        write_reviews(folder / "reviews.csv")
    config = parse_config(LABELLED_SETTINGS, source="r.yaml", base=folder, overrides=overrides)
    assert isinstance(config, ClassificationConfig)
    return config


def write_reviews(path: Path, *, rows: int = 96, seed: int = 0) -> None:
    """Texts of different lengths whose class follows from one word, most of the time."""
    draw = np.random.default_rng(seed)
    praise, blame = ["lovely", "great", "GOOD", "<b>fine</b>"], ["dull", "bad", "awful", "poor"]
    fill = [
        "the",
        "film",
        "was",
        "plot",
        "and",
        "it's",
        "@bob",
        "http://example.org/c",
        "#fun",
        "12",
        "😀",
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for row in range(rows):
            good = row % 3 > 0
            words = list(draw.choice(fill, size=draw.integers(1, 9)))
            words.insert(
                int(draw.integers(0, len(words) + 1)), str(draw.choice(praise if good else blame))
            )
            writer.writerow([row, f"{' '.join(words)} sooooo {row}!", "pos" if good else "neg"])


def start(folder: Path, config: Config, name: str) -> tuple[TrainingData, RunDirectory]:
    """A fresh run directory for `config`."""
    data = prepare(config)
    run = create_run(folder / "runs", name, config_text=to_yaml(config), vocabulary=data.vocabulary)
    return data, run


def train_here(
    config: Config,
    data: TrainingData,
    run: RunDirectory,
    *,
    observe: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[int], bool] = lambda step: False,
) -> Summary:
    """Train in this process."""
    with locked(run):
        return train(config, data, run, observe=observe, should_stop=should_stop)


def train_new(folder: Path, config: Config, name: str, **options: Any) -> RunDirectory:
    """A fresh run, trained to its end."""
    prepared, run = start(folder, config, name)
    train_here(config, prepared, run, **options)
    return run


def stop_after(steps: int) -> Callable[[int], bool]:
    """A `should_stop` that lets so many updates happen."""
    first: list[int] = []

    def should_stop(step: int) -> bool:
        first.append(step)
        return step - first[0] >= steps

    return should_stop


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Everything in a checkpoint except the facts."""
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files if name != "facts.json"}


def assert_same_training(one: RunDirectory, other: RunDirectory) -> None:
    """Both runs ended with the same bits, and tell the same story, times aside."""
    for ours, theirs in (
        (one.last_checkpoint, other.last_checkpoint),
        (one.best_checkpoint, other.best_checkpoint),
    ):
        left, right = arrays(ours), arrays(theirs)
        assert left.keys() == right.keys()
        for name, values in left.items():
            assert values.tobytes() == right[name].tobytes(), name
    assert without_times(one) == without_times(other)
    assert one.onnx_model.read_bytes() == other.onnx_model.read_bytes()


def evaluations(run: RunDirectory) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that belong to evaluations."""
    return [record for record in read_metrics(run) if record.get("evaluated", True)]


def without_times(run: RunDirectory) -> list[dict[str, Any]]:
    """metrics.jsonl without the two keys that differ between equal runs."""
    timed = {"seconds", "tokens_per_second"}
    return [{k: v for k, v in r.items() if k not in timed} for r in read_metrics(run)]


def keys_of(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every leaf of the schema: `a.b`, or `a[variant].b` inside a union."""
    for name, field in section.model_fields.items():
        variants = [
            part
            for part in (field.annotation, *typing.get_args(field.annotation))
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        if not variants:
            yield f"{prefix}{name}"
        elif field.discriminator is None:
            yield from keys_of(variants[0], f"{prefix}{name}.")
        else:
            for variant in variants:
                tag = typing.get_args(variant.model_fields[str(field.discriminator)].annotation)[0]
                yield from keys_of(variant, f"{prefix}{name}[{tag}].")
