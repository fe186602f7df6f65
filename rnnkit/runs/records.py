"""What the files of a run hold, as values: metrics, lines of metrics.jsonl, the summary, scores.

Reading is lenient: a value of an unexpected type counts as unknown, and every key that a record
does not know is kept in `other` and written back.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from rnnkit.errors import DataError, RunError
from rnnkit.runs.directory import RunDirectory, check_finished
from rnnkit.runs.files import Document, encode_text, read_bytes, read_document, write_document

# ----------------------------------------------------------------------------------- metrics


@dataclass(frozen=True)
class Metric:
    """A measured quantity: its name in files and what a reader has to know of it."""

    name: str
    title: str
    """As tables and charts call it."""
    unit: str = ""
    lower_is_better: bool | None = None
    """None for quantities that are neither good nor bad, such as the learning rate."""
    digits: int = 4
    """Decimals in tables."""
    bounds: tuple[float, float] = (0.0, math.inf)
    """Least and greatest value that is possible."""


def _score(name: str, title: str) -> Metric:
    """Return a metric between 0 and 1 that is better the higher it is."""
    return Metric(name, title, lower_is_better=False, bounds=(0.0, 1.0))


_METRICS = {
    metric.name: metric
    for metric in (
        Metric("loss", "loss", "nats", lower_is_better=True),
        _score("accuracy", "accuracy"),
        Metric("bits_per_character", "bits per character", "bits", lower_is_better=True, digits=3),
        Metric("perplexity", "perplexity", lower_is_better=True),
        Metric("perplexity_per_word", "perplexity per word", lower_is_better=True, digits=2),
        _score("balanced_accuracy", "balanced accuracy"),
        _score("macro_precision", "precision, mean of classes"),
        _score("macro_recall", "recall, mean of classes"),
        _score("macro_f1", "F1, mean of classes"),
        _score("roc_auc", "area under ROC"),
        _score("pr_auc", "area under precision-recall"),
        Metric("brier", "Brier score", lower_is_better=True, bounds=(0.0, 2.0)),
        replace(_score("ece", "expected calibration error"), lower_is_better=True),
        Metric("learning_rate", "learning rate", digits=6),
        Metric("gradient_norm", "gradient norm", digits=3),
        Metric("tokens_per_second", "tokens per second", "tokens/s", digits=0),
        Metric("step", "step", digits=0),
        Metric("steps", "steps", digits=0),
        Metric("epoch", "epoch", digits=2),
        Metric("seconds", "seconds", "s", digits=1),
        Metric("minutes", "minutes", "min", digits=1),
        Metric("parameters", "parameters", digits=0),
    )
}

_OF_A_CLASS = {"precision_": "precision", "recall_": "recall", "f1_": "F1"}
_SPLITS = {"train_": "training", "validation_": "validation"}


def metric(name: str) -> Metric:
    """Return the metric of a name in a file, `train_` and `validation_` understood as its split.

    `metric("validation_loss").title` is `validation loss`. A name that is not known is its own
    title.
    """
    if name in _METRICS:
        return _METRICS[name]
    for prefix, split in _SPLITS.items():
        if (known := _METRICS.get(name.removeprefix(prefix))) and name.startswith(prefix):
            return replace(known, name=name, title=f"{split} {known.title}")
    for prefix, score in _OF_A_CLASS.items():
        if name.startswith(prefix):
            return _score(name, f"{score} of {name.removeprefix(prefix)}")
    return Metric(name, name.replace("_", " "))


@dataclass(frozen=True)
class Estimate:
    """A score with the ends of its 95 % interval, None when there is too little data for one."""

    value: float
    low: float | None
    high: float | None


def finite(value: object) -> float | None:
    """Return `value` when it is a finite number, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


# ----------------------------------------------------------------------------- metrics.jsonl


@dataclass(frozen=True)
class Sample:
    """A text that a language model generated during training."""

    temperature: float
    text: str

    def to_json(self) -> Document:
        """Return the sample as an entry of `samples`."""
        return {"temperature": self.temperature, "text": self.text}


@dataclass(frozen=True)
class MetricsLine:
    """One line of metrics.jsonl: an evaluation, or the training loss between two of them."""

    step: int
    epoch: float | None = None
    seconds: float | None = None
    """Time in the training loop, over all resumes."""
    learning_rate: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    """`train_loss`, `validation_loss`, `gradient_norm`, `tokens_per_second` .., by name."""
    samples: tuple[Sample, ...] = ()
    is_evaluation: bool = True
    other: Document = field(default_factory=dict)
    """Keys of the file that are none of the above."""

    def metric(self, name: str) -> float | None:
        """Return a metric where it was recorded and is finite."""
        return finite(self.metrics.get(name))

    def value(self, name: str) -> float | None:
        """Return a field (`step`, `seconds` ..) or metric that is known and finite."""
        own = name in ("step", "epoch", "seconds", "learning_rate")
        return finite(getattr(self, name)) if own else self.metric(name)

    def to_json(self) -> Document:
        """Return the line as in the file; the reverse of `from_json`."""
        fixed = {
            "step": self.step,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "learning_rate": self.learning_rate,
        }
        return {
            **{name: value for name, value in fixed.items() if value is not None},
            **({} if self.is_evaluation else {"evaluated": False}),
            **self.metrics,
            **self.other,
            **({"samples": [s.to_json() for s in self.samples]} if self.samples else {}),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read a line, `step` a whole number; numbers that are no field are metrics."""
        rest = dict(record)
        line = cls(
            step=rest.pop("step"),
            epoch=_take(rest, "epoch", _NUMBER),
            seconds=_take(rest, "seconds", _NUMBER),
            learning_rate=_take(rest, "learning_rate", _NUMBER),
            samples=_take_samples(rest),
            is_evaluation=rest.get("evaluated") is not False,
        )
        if not line.is_evaluation:
            del rest["evaluated"]
        metrics = {name: value for name, value in rest.items() if _is_number(value)}
        other = {name: value for name, value in rest.items() if name not in metrics}
        return replace(line, metrics=metrics, other=other)


def encode_lines(lines: Sequence[MetricsLine]) -> bytes:
    """Return metrics.jsonl as bytes."""
    return encode_metrics([line.to_json() for line in lines])


def read_lines(run: RunDirectory) -> list[MetricsLine]:
    """Read metrics.jsonl; no lines when nothing has been recorded yet.

    Raises:
        RunError: a line is damaged.
    """
    return [MetricsLine.from_json(record) for record in read_metrics(run)]


def encode_metrics(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return records as JSON lines."""
    return b"".join(
        encode_text(json.dumps(record, ensure_ascii=False) + "\n") for record in records
    )


def read_metrics(run: RunDirectory) -> list[Document]:
    """Read metrics.jsonl as JSON objects, each with a whole number `step`.

    Raises:
        RunError: a line is damaged.
    """
    if not run.metrics.exists():
        return []
    records = []
    for number, line in enumerate(read_bytes(run.metrics).splitlines(), start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            raise RunError(f"{run.metrics}:{number}: damaged, expected one evaluation in JSON")
        records.append(record)
    return records


# ------------------------------------------------------------------------------ summary.json


@dataclass(frozen=True)
class Summary:
    """Result of a finished training; None where a file of an older version does not say."""

    run: str | None = None
    """Path of the directory when training ended."""
    task: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    """Local time with its distance from UTC, ISO 8601."""
    seconds: float | None = None
    """Time in the training loop, over all resumes."""
    steps: int | None = None
    epochs: float | None = None
    best_step: int | None = None
    """Step of the weights that were kept."""
    stopped_by: str | None = None
    """The limit that ended training, as in `max_steps`."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Those of the evaluation at `best_step`."""
    corpus_fingerprint: str | None = None
    parameters: int | None = None
    cell: str | None = None
    units: int | tuple[int, ...] = ()
    layers: int | None = None
    classes: tuple[str, ...] = ()
    """Of a classifier."""
    other: Document = field(default_factory=dict)
    """Keys of the file that are none of the above."""

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of every layer."""
        return (self.units,) * (self.layers or 1) if isinstance(self.units, int) else self.units

    def metric(self, name: str) -> float | None:
        """Return a metric where it was recorded and is finite."""
        return finite(self.metrics.get(name))

    def to_json(self) -> Document:
        """Return the content of summary.json; the reverse of `from_json`."""
        content = {name: getattr(self, name) for name in _SUMMARY_KINDS}
        if not self.classes:
            del content["classes"]
        return {**content, **self.other}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read the content of summary.json."""
        rest = dict(content)
        known = {name: _take(rest, name, kind) for name, kind in _SUMMARY_KINDS.items()}
        metrics, units = known.pop("metrics") or {}, known.pop("units")
        classes: Any = known.pop("classes") or ()
        return cls(
            **known,
            classes=tuple(classes),
            metrics={name: value for name, value in metrics.items() if _is_number(value)},
            units=units if isinstance(units, int) else tuple(units or ()),
            other=rest,
        )


_NUMBER = (int, float)
_SUMMARY_KINDS: Mapping[str, tuple[type, ...]] = {
    "run": (str,),
    "task": (str,),
    "started_at": (str,),
    "finished_at": (str,),
    "seconds": _NUMBER,
    "steps": (int,),
    "epochs": _NUMBER,
    "best_step": (int,),
    "stopped_by": (str,),
    "metrics": (dict,),
    "corpus_fingerprint": (str,),
    "parameters": (int,),
    "cell": (str,),
    "units": (int, list, tuple),
    "layers": (int,),
    "classes": (list, tuple),
}
"""Fields of the summary in the order of the file, and the types that their values may have."""


def write_summary(run: RunDirectory, summary: Summary) -> None:
    """Write summary.json, which makes the run a finished one.

    Raises:
        RunError: it cannot be written.
    """
    write_document(run.summary, "summary", summary.to_json())


def check_same_data(
    run: RunDirectory,
    fingerprint: str,
    *,
    files: Sequence[str],
    alternative: str = "score another one with --data FILE",
) -> None:
    """Check that the data of a run are those that it was trained on.

    Args:
        run: a finished run.
        fingerprint: that of the data as they are now.
        files: where they are.
        alternative: what a user can do who does not have the old data any more.

    Raises:
        DataError: they have changed.
        RunError: the run has not finished, or its summary is damaged.
    """
    check_finished(run)
    if read_summary(run).corpus_fingerprint != fingerprint:
        raise DataError(
            f"{', '.join(files)}: the text has changed since this run was trained, so its splits "
            f"are no longer the same. Restore the text, or {alternative}."
        )


def read_summary(run: RunDirectory) -> Summary:
    """Read summary.json.

    Raises:
        RunError: it is missing, damaged, or from a newer version.
    """
    return Summary.from_json(read_document(run.summary, "summary"))


# ------------------------------------------------------------------------- reading leniently


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _take(document: Document, name: str, kinds: tuple[type, ...]) -> Any:
    """Remove and return a value of the expected types; None, and nothing removed, for others."""
    value = document.get(name)
    if value is None or (isinstance(value, kinds) and not isinstance(value, bool)):
        return document.pop(name, None)
    return None


def _take_samples(document: Document) -> tuple[Sample, ...]:
    samples = document.get("samples")
    if not isinstance(samples, list) or not all(map(_is_sample, samples)):
        return ()
    return tuple(Sample(**sample) for sample in document.pop("samples"))


def _is_sample(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"temperature", "text"}
        and _is_number(value["temperature"])
        and isinstance(value["text"], str)
    )
