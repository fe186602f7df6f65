"""Small real experiments for the tests of training: a text, a configuration, and a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit.config.describe import to_yaml
from rnnkit.config.load import parse_config
from rnnkit.config.schema import Config
from rnnkit.data.prepare import Prepared, prepare
from rnnkit.run import RunDirectory, create_run, locked, read_metrics
from rnnkit.training.events import Event
from rnnkit.training.loop import train

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


def configure(folder: Path, *overrides: str, text: str = TEXT) -> Config:
    """The settings above over `text`, with `--set` overrides."""
    (folder / "text.txt").write_text(text, encoding="utf-8")
    return parse_config(SETTINGS, source="tiny.yaml", base=folder, overrides=overrides)


def start(folder: Path, config: Config, name: str) -> tuple[Prepared, RunDirectory]:
    """A fresh run directory for `config`."""
    prepared = prepare(config)
    run = create_run(
        folder / "runs",
        name,
        config_text=to_yaml(config),
        vocabulary=prepared.vocabulary.to_dict(),
    )
    return prepared, run


def train_here(
    config: Config,
    prepared: Prepared,
    run: RunDirectory,
    *,
    observe: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train in this process."""
    with locked(run):
        return train(config, prepared, run, observe=observe, should_stop=should_stop)


def train_new(folder: Path, config: Config, name: str, **options: Any) -> RunDirectory:
    """A fresh run, trained to its end."""
    prepared, run = start(folder, config, name)
    train_here(config, prepared, run, **options)
    return run


def stop_after(steps: int) -> Callable[[], bool]:
    """A `should_stop` that lets so many updates happen."""
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


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


def without_times(run: RunDirectory) -> list[dict[str, Any]]:
    """metrics.jsonl without the two keys that differ between equal runs."""
    timed = {"seconds", "tokens_per_second"}
    return [{k: v for k, v in r.items() if k not in timed} for r in read_metrics(run)]
