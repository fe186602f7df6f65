"""What every task keeps: prepare, train, resume, export, answer, evaluate, report.

A toy task of this file joins by the seams that a new folder in tasks/ uses, a schema in `SCHEMAS`
and a case of `task_of`, and keeps the same contract: no other module knows it.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from rnnkit import experiment
from rnnkit.config.base import RecurrentConfig, Section, Text, Version
from rnnkit.config.rules import Schema, shared_rules
from rnnkit.config.training import TrainingConfig
from rnnkit.data.batches import TextBatchPlan, evaluation_batches
from rnnkit.data.encoded_texts import EncodedTexts
from rnnkit.errors import ConfigError, DataError, InterruptedTrainingError
from rnnkit.inference.intervals import percentile_interval
from rnnkit.inference.runtime import open_model
from rnnkit.network.cells import CHOOSING_CELLS
from rnnkit.network.spec import EmbeddingInput, NetworkSpec, recurrent_layers
from rnnkit.report import report
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.listing import overviews
from rnnkit.runs.records import Estimate, Sample, read_summary
from rnnkit.tasks import task as tasks
from rnnkit.tasks.base import Task
from rnnkit.tasks.results import scores_section
from rnnkit.training.task import TrainingData
from rnnkit.views import view as views
from rnnkit.views.html import render as render_html
from rnnkit.views.terminal import render

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
from experiments import (  # type: ignore[import-not-found]
    LABELLED_SETTINGS,
    SETTINGS,
    TEXT,
    WORD_SETTINGS,
    assert_same_training,
    stop_after,
    write_reviews,
)

FOLDERS = Path(tasks.__file__).parent

# ---------------------------------------------------------------- a toy task: which digit is first
#
# Lines of digits, as in `3 1 4 1`, of the class that their first digit has: small (below 5) or
# large. What it needs of the package is what a folder in tasks/ would import.

DIGITS, CLASSES = 10, ("small", "large")


class DigitData(Section):
    """The sequences."""

    path: Text
    """A file with a sequence of digits per line."""
    held_out: float = 0.25
    """Fraction of the lines that are not trained on, the last ones."""


class DigitConfig(Section):
    """A classifier of sequences of numbers."""

    version: Version
    """Version of this format."""
    task: Literal["first_digit"]
    """What the model learns."""
    seed: int = 0
    """Seed of every random draw."""
    data: DigitData
    """The sequences."""
    model: RecurrentConfig = RecurrentConfig()
    """The network."""
    training: TrainingConfig
    """How it is trained."""


DIGIT_SCHEMA = Schema(
    names=("first_digit",),
    tree=DigitConfig,
    rules=shared_rules(choosing=CHOOSING_CELLS),
    missing={"data.path": "the file with the digits"},
    example="version: 1\ntask: first_digit\n",
)

DIGIT_SETTINGS = """\
version: 1
task: first_digit
data: {path: digits.txt}
model: {units: 6}
training:
  batch_size: 8
  max_steps: 30
  evaluate_every_steps: 10
  checkpoint_every_steps: 4
  optimizer: {name: adam, learning_rate: 0.02}
"""


def encode_digits(lines: Sequence[str]) -> EncodedTexts:
    """Encode digits as ids 1 to 10, since 0 is padding."""
    rows = [np.array(line.split(), np.int32) + 1 for line in lines]
    return EncodedTexts(
        ids=np.concatenate([np.zeros(0, np.int32), *rows]),
        offsets=np.cumsum([0, *map(len, rows)]),
        labels=np.array([row[0] > 5 for row in rows], np.int32),
    )


def read_digits(config: DigitConfig) -> tuple[EncodedTexts, EncodedTexts]:
    """Return training and held-out sequences."""
    try:
        lines = Path(config.data.path).read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{config.data.path}: cannot be read: {error.strerror}") from error
    train = round(len(lines) * (1.0 - config.data.held_out))
    return encode_digits(lines[:train]), encode_digits(lines[train:])


def digit_network(config: DigitConfig) -> NetworkSpec:
    """Return the network from digits to the logits of both classes."""
    entry = EmbeddingInput(DIGITS + 1, 4)
    layers = recurrent_layers(config.model, inputs=entry.width)
    return NetworkSpec(entry, layers, outputs=2, every_step=False, poolings=("last",))


class DigitLearning:
    """Batches, scores and models of the toy task: the protocol `Learning` of training."""

    def __init__(self, config: DigitConfig, execution: Any) -> None:
        from rnnkit.network.keras import build_training_model
        from rnnkit.training.objective import cross_entropy
        from rnnkit.training.step import Learner

        self._config, self._spec = config, digit_network(config)
        self._train, self._held_out = read_digits(config)
        self._plan = TextBatchPlan(self._train.lengths, config.training.batch_size, config.seed)
        self.batches_per_epoch = self._plan.batches_per_epoch
        self.chance_loss = float(np.log(2.0))
        model = build_training_model(self._spec)
        self.learner = Learner(model, config.training, cross_entropy(), execution=execution)

    def start(self) -> None:
        """Leave the random initial weights."""

    def update(self, epoch: int, index: int, learning_rate: float) -> int:
        batch = self._plan.batch(self._train, epoch, index)
        self.learner.update(batch, [], learning_rate)
        return int(np.count_nonzero(batch.inputs))

    def score(self, check_for_stop: Callable[[], None]) -> dict[str, float]:
        losses = np.zeros(0)
        for rows, ids in evaluation_batches(self._held_out, 16):
            check_for_stop()
            logits, _ = self.learner.predict(ids)
            losses = np.append(losses, row_losses(logits, self._held_out.labels[rows]))
        return {"loss": float(losses.mean())}

    def describe(self, loss: float) -> dict[str, float]:
        return {}

    def samples(self, step: int) -> tuple[Sample, ...]:
        return ()

    def recurrent_state(self) -> dict[str, np.ndarray]:
        return {}

    def restore_recurrent_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        pass

    def export(self, run: RunDirectory) -> int:
        from rnnkit.training.export import export_models

        return export_models(run, self._spec, {"task": "first_digit", "classes": list(CLASSES)})


def row_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the loss of each row in nats, float64[rows]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


@dataclass(frozen=True)
class DigitEvaluation:
    """The scores of a run of the toy task."""

    metrics: dict[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        return {"metrics": {name: vars(score) for name, score in self.metrics.items()}}

    def view(self) -> views.View:
        shown = (scores_section("Scores", self.metrics),)
        return views.View("Scores", "digits", shown, document=self.to_json())


def digit_task(config: DigitConfig) -> Task:
    """Return the toy task for a configuration."""

    def prepare(is_new: bool) -> TrainingData:
        train, held_out = read_digits(config)
        return TrainingData(
            fingerprint=hashlib.sha256(train.ids.tobytes() + held_out.ids.tobytes()).hexdigest(),
            notes=(),
            vocabulary={"digits": DIGITS},
            summary=None,
            classes=CLASSES,
            parameters=digit_network(config).parameters(),
            token_unit="digits",
            build=lambda execution: DigitLearning(config, execution),
        )

    def evaluate(run: RunDirectory, **options: Any) -> DigitEvaluation:
        _, held_out = read_digits(config)
        model = open_model(run, tasks=("first_digit",))
        correct = np.zeros(0)
        for rows, ids in evaluation_batches(held_out, 16):
            logits, _ = model.run_graph(ids.astype(np.int64), [])
            correct = np.append(correct, logits.argmax(axis=1) == held_out.labels[rows])
        drawn = np.random.default_rng(config.seed).choice(correct, (len(correct), 200)).mean(axis=0)
        return DigitEvaluation({"accuracy": percentile_interval(float(correct.mean()), drawn)})

    def show(
        run: RunDirectory, *, scored: bool, training: views.Section, **options: Any
    ) -> views.View:
        scores = evaluate(run).view().sections if scored else ()
        return views.View("First digit", run.name, (*scores, training), command="report")

    return Task(name="first_digit", prepare=prepare, evaluate=evaluate, report=show)


@pytest.fixture(autouse=True)
def toy_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the toy task to the table of schemas and to `task_of`: the two lines of a task."""
    known = tasks.task_of
    monkeypatch.setitem(tasks.SCHEMAS, "first_digit", DIGIT_SCHEMA)
    monkeypatch.setattr(
        tasks, "task_of", lambda c: digit_task(c) if isinstance(c, DigitConfig) else known(c)
    )


# ----------------------------------------------------------------------------------- the contract


def write_text(folder: Path) -> None:
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")


def write_digits(folder: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [draw.integers(0, DIGITS, draw.integers(2, 7)) for _ in range(96)]
    (folder / "digits.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows))


@dataclass(frozen=True)
class Tiny:
    """A small experiment of one task."""

    settings: str
    write: Callable[[Path], None]
    names: tuple[str, ...]


TINY = {
    "characters": Tiny(SETTINGS, write_text, ("char_generation",)),
    "words": Tiny(WORD_SETTINGS, write_text, ("word_generation",)),
    "classes": Tiny(
        LABELLED_SETTINGS,
        lambda folder: write_reviews(folder / "reviews.csv"),
        ("text_classification", "sentiment"),
    ),
    "digits": Tiny(DIGIT_SETTINGS, write_digits, ("first_digit",)),
}


def configure(folder: Path, tiny: Tiny, *overrides: str) -> tasks.Config:
    tiny.write(folder)
    return tasks.parse_config(tiny.settings, source="tiny", base=folder, overrides=overrides)


def train(folder: Path, config: tasks.Config, name: str, stop: Any = None) -> RunDirectory:
    hooks: Any = {"observe": lambda event: None, "should_stop": stop or (lambda step: False)}
    return experiment.start(config, name=name, runs_dir=folder / "runs", **hooks).run


def test_every_task_is_tried_and_has_the_same_files() -> None:
    assert set(tasks.SCHEMAS) == {name for tiny in TINY.values() for name in tiny.names}
    folders = [path.parent for path in FOLDERS.glob("*/task.py")]
    assert len(folders) >= 2
    names = (
        "config", "data", "evaluation", "initial", "network", "objective", "rules", "sections",
        "subject", "task",
    )  # fmt: skip
    files = {f"{name}.py" for name in names}
    for folder in folders:
        assert not files - {path.name for path in folder.iterdir()}, folder


@pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)
def test_data_are_prepared_alike_each_time(tiny: Tiny, tmp_path: Path) -> None:
    config = configure(tmp_path, tiny)
    first, again = tasks.prepare(config), tasks.prepare(config, is_new=False)
    assert first.fingerprint == again.fingerprint
    assert first.parameters == again.parameters > 0
    assert json.loads(json.dumps(first.vocabulary)) == first.vocabulary
    missing = tasks.parse_config(tiny.settings, source="tiny", base=tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        tasks.prepare(missing)


@pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)
def test_wrong_keys_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    for override in ("model.unitz=3", "model.units=0", "training.max_steps=null"):
        with pytest.raises(ConfigError, match=override.partition("=")[0].split(".")[0]):
            configure(tmp_path, tiny, override)


@pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)
def test_run_is_trained_answers_and_is_shown(tiny: Tiny, tmp_path: Path) -> None:
    config = configure(tmp_path, tiny)
    run = train(tmp_path, config, "whole")
    summary = read_summary(run)
    assert summary.stopped_by == "max_steps"
    assert run.keras_model.is_file()
    assert summary.parameters == tasks.prepare(config).parameters

    model = open_model(run, tasks=tiny.names)
    states = [np.zeros((2, size), np.float32) for size in model.state_sizes]
    logits, _ = model.run_graph(np.ones((2, 3), np.int64), states)
    assert np.isfinite(logits).all()

    task = tasks.task_of(tasks.load_config(run.config))
    scores = task.evaluate(
        run, split=None, data=(), encoding=None, progress=lambda done, total: None
    )
    written = json.loads(json.dumps(scores.to_json()))["metrics"]
    assert "accuracy" in written
    for name, score in scores.metrics.items():
        assert score.low is None or score.low <= score.value <= (score.high or score.value), name
        assert written[name]["value"] == pytest.approx(score.value)
    assert "accuracy" in render(scores.view())

    page = report(run)
    names = [section.heading for section in page.sections]
    assert {"Training", "Configuration", "Environment"} <= set(names)
    assert len(names) > 3
    assert "whole" in render_html(page)
    (listed,) = overviews(tmp_path / "runs")
    assert (listed.status, listed.task) == ("finished", config.task)


@pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)
def test_interrupted_run_ends_as_one_that_was_not(tiny: Tiny, tmp_path: Path) -> None:
    config = configure(tmp_path, tiny)
    whole = train(tmp_path, config, "whole")
    with pytest.raises(InterruptedTrainingError):
        train(tmp_path, config, "stopped", stop_after(13))
    resumed = experiment.resume(
        "stopped",
        runs_dir=tmp_path / "runs",
        observe=lambda event: None,
        should_stop=lambda step: False,
    )
    assert_same_training(whole, resumed.run)


def test_toy_task_learns(tmp_path: Path) -> None:
    config = configure(tmp_path, TINY["digits"], "training.max_steps=150")
    run = train(tmp_path, config, "longer")
    scores = tasks.task_of(config).evaluate(run)
    assert scores.metrics["accuracy"].value > 0.9


def test_toy_task_has_no_folds_and_no_views_of_its_network(tmp_path: Path) -> None:
    from rnnkit.errors import UsageError
    from rnnkit.inspection.subject import open_config

    config = configure(tmp_path, TINY["digits"])
    with pytest.raises(ConfigError, match="crossval"):
        experiment.crossvalidate(
            config,
            name="folds",
            runs_dir=tmp_path / "runs",
            observe=lambda event: None,
            should_stop=lambda step: False,
        )
    (tmp_path / "tiny.yaml").write_text(DIGIT_SETTINGS)
    with pytest.raises(UsageError, match="first_digit"):
        open_config(tmp_path / "tiny.yaml")
