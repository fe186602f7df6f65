"""What a report tells: read from the run directory, scored anew where the data is still there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from rnnkit.errors import DataError
from rnnkit.runs.directory import RunDirectory, is_in_training
from rnnkit.runs.files import read_document
from rnnkit.runs.listing import Story, story
from rnnkit.runs.records import read_metrics

if TYPE_CHECKING:
    import numpy as np

    from rnnkit.data.splits import SplitName
    from rnnkit.inference.decision import Decision
    from rnnkit.inference.scores import ClassificationScores
    from rnnkit.tasks.language_model.config import LanguageConfig
    from rnnkit.tasks.language_model.position import PositionLosses
    from rnnkit.tasks.task import Config
    from rnnkit.tasks.text_classification.config import ClassificationConfig

Announce = Callable[[str], None]

MISTAKES = 20
"""Texts in the list of the worst errors."""


@dataclass(frozen=True)
class Report:
    """Everything that a page shows."""

    task: str
    story: Story
    config_text: str
    """The complete configuration as YAML."""
    records: tuple[dict[str, Any], ...]
    """Lines of metrics.jsonl, samples included."""
    notes: tuple[str, ...]
    """What keeps the report from being complete."""
    details: "LanguageDetails | SentimentDetails"


@dataclass(frozen=True)
class LanguageDetails:
    """What only a language model has."""

    unit: Literal["characters", "bytes", "words", "subwords"]
    positions: "PositionLosses | None" = None
    split: str | None = None
    corpus: tuple[tuple[str, int], ...] = ()
    """Tokens of the whole and of its parts, and of the vocabulary."""


@dataclass(frozen=True)
class SentimentDetails:
    """What only a classifier has."""

    data: dict[str, Any] | None
    """Contents of data.json; None for a run that was made without it."""
    maximum_length: int
    classification: "Classification | None" = None


@dataclass(frozen=True, eq=False)
class Classification:
    """Predictions for a split: `probabilities` float64[rows, classes], `labels` int[rows]."""

    split: str
    probabilities: "np.ndarray"
    labels: "np.ndarray"
    scores: "ClassificationScores"
    calibration: tuple[tuple[float, float, int], ...]
    mistakes: tuple["Mistake", ...]
    decision: "Decision"
    notes: tuple[str, ...] = ()

    @property
    def positive(self) -> int:
        """Index of the class that thresholds and curves of two classes are about."""
        return self.decision.positive_index(self.scores.classes)


@dataclass(frozen=True)
class Mistake:
    """A text whose class was missed."""

    place: str
    """File and row, as a user finds it."""
    text: str
    true: str
    predicted: str
    probability: float
    """Of the true class."""


def gather(
    run: RunDirectory,
    *,
    split: "SplitName | None" = None,
    announce: Announce = lambda line: None,
) -> Report:
    """Read a run, finished or not, and score the best model on held-out data.

    Without `split`, data that is missing or has changed since costs the report the part that
    needs it, and a note says so.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration cannot be read.
        DataError: the `split` that was asked for cannot be scored.
    """
    from rnnkit.config.describe import to_yaml
    from rnnkit.tasks.task import load_config

    told = story(run)
    config = load_config(run.config)
    notes = []
    if is_in_training(run):
        notes.append("This run is still in training; the report shows what there is so far.")
    elif not run.is_finished:
        notes.append(
            "Training has not finished; the report shows what there is so far. "
            f"Go on with: rnnkit train --resume {run.path}"
        )
    records = tuple(read_metrics(run))
    try:
        details, more = _details(run, config, split=split, announce=announce)
    except DataError as error:
        if split is not None:
            raise
        details, more = _without_scores(run, config), [f"Nothing was scored anew: {error}"]
    return Report(
        task=config.task,
        story=told,
        config_text=to_yaml(config),
        records=records,
        notes=(*notes, *more),
        details=details,
    )


def _without_scores(run: RunDirectory, config: "Config") -> LanguageDetails | SentimentDetails:
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    if not isinstance(config, ClassificationConfig):
        return LanguageDetails(unit=config.data.tokens)
    return SentimentDetails(data=_data_summary(run), maximum_length=config.data.maximum_length)


def _details(
    run: RunDirectory, config: "Config", *, split: "SplitName | None", announce: Announce
) -> tuple[LanguageDetails | SentimentDetails, Sequence[str]]:
    """What belongs to the task, and notes."""
    if not run.is_finished:
        if split is not None:
            raise DataError(f"{run.path}: has no model to score the {split} part with yet.")
        return _without_scores(run, config), ()
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    if not isinstance(config, ClassificationConfig):
        return _language_details(run, config, split=split, announce=announce)
    return _sentiment_details(run, config, split=split, announce=announce)


def _language_details(
    run: RunDirectory,
    config: "LanguageConfig",
    *,
    split: "SplitName | None",
    announce: Announce,
) -> tuple[LanguageDetails, Sequence[str]]:
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.language_model.evaluated_text import text_of_run
    from rnnkit.tasks.language_model.model import load_language_model
    from rnnkit.tasks.language_model.position import loss_by_position

    session = load_language_model(run)
    text = text_of_run(run, config, split=split)
    announce(f"Reading the {text.split} text for the loss by position")
    prepared = prepare(config)
    parts = (
        ("characters", prepared.characters),
        ("training tokens", len(prepared.split("train"))),
        ("validation tokens", len(prepared.split("validation"))),
        ("test tokens", len(prepared.split("test"))),
        ("vocabulary", prepared.vocabulary.size),
    )
    details = LanguageDetails(
        unit=config.data.tokens,
        positions=loss_by_position(session, text.ids),
        split=text.split,
        corpus=parts,
    )
    return details, text.notes


def _sentiment_details(
    run: RunDirectory,
    config: "ClassificationConfig",
    *,
    split: "SplitName | None",
    announce: Announce,
) -> tuple[SentimentDetails, Sequence[str]]:
    from rnnkit.inference.decision import read_decision
    from rnnkit.inference.scores import (
        calibration_curve,
        predicted_classes,
        score_probabilities,
        worst_errors,
    )
    from rnnkit.tasks.text_classification.evaluation import classify_split

    announce("Classifying held-out texts")
    texts = classify_split(run, config, split=split)
    classes = texts.classes
    decision = read_decision(run, classes)
    choice: Any = {
        "threshold": decision.threshold,
        "positive": decision.positive_index(classes),
    }
    probabilities, labels = texts.probabilities, texts.labels
    bins = config.evaluation.calibration_bins
    predicted = predicted_classes(probabilities, **choice)
    mistakes = tuple(
        Mistake(
            place=f"{_near_name(texts.files[i])}, row {texts.rows[i]:,}",
            text=texts.texts[i],
            true=classes[labels[i]],
            predicted=classes[predicted[i]],
            probability=float(probabilities[i, labels[i]]),
        )
        for i in worst_errors(probabilities, labels, MISTAKES, **choice)
    )
    classification = Classification(
        split=texts.split or "",
        probabilities=probabilities,
        labels=labels,
        scores=score_probabilities(
            probabilities,
            labels,
            classes,
            resamples=config.evaluation.bootstrap_samples,
            seed=config.seed,
            bins=bins,
            **choice,
        ),
        calibration=tuple(calibration_curve(probabilities, labels, bins)),
        mistakes=mistakes,
        decision=decision,
    )
    details = SentimentDetails(
        data=_data_summary(run),
        maximum_length=config.data.maximum_length,
        classification=classification,
    )
    return details, texts.notes


def _near_name(file: str) -> str:
    """File name and folder: `/home/me/data/x.csv` -> `data/x.csv`."""
    return "/".join(PurePath(file).parts[-2:])


def _data_summary(run: RunDirectory) -> dict[str, Any] | None:
    return read_document(run.data_summary, "data") if run.data_summary.exists() else None
