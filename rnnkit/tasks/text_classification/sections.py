"""Sections of a report that only a classifier has: scores, confusion matrix, errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from rnnkit.data.splits import SplitName
from rnnkit.inference.decision import Decision
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import Document, read_document
from rnnkit.runs.records import Estimate, MetricsLine, finite, metric
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.curves import curve_figures
from rnnkit.tasks.text_classification.data_section import data_section
from rnnkit.tasks.text_classification.evaluation import ClassEvaluation, Mistake, evaluate
from rnnkit.views.formats import MISSING, clip, count, number, percent, shorten
from rnnkit.views.view import (
    Block,
    Cell,
    Entries,
    Entry,
    Grid,
    Group,
    Heading,
    Matrix,
    Notes,
    Pair,
    Section,
    Text,
    Tile,
    View,
    table,
)

MISTAKES = 20
"""Texts in the list of the worst errors."""

FEW_CLASSES = 3
"""Their confusion matrix has room beside the scores."""

MOST_CLASSES_IN_MATRIX = 16
MOST_CONFUSIONS = 20
TEXT_LENGTH = 600

_SCORES = (
    "loss", "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
    "roc_auc", "pr_auc", "brier", "ece",
)  # fmt: skip


@dataclass(frozen=True)
class ClassReport:
    """What a report shows of a classifier beside its training."""

    data: Document | None
    """Content of data.json; None for a run that was made without it."""
    maximum_length: int
    """Tokens that are read of a text."""
    calibration_bins: int = 15
    evaluation: ClassEvaluation | None = None
    """None where the texts are gone or training has not finished."""


def read_report(
    run: RunDirectory,
    config: ClassificationConfig,
    *,
    split: SplitName | None,
    scored: bool,
    announce: Callable[[str], None],
) -> ClassReport:
    """Read the data of a report, and where `scored` evaluate the classifier of the run.

    Raises:
        DataError: the texts are missing or have changed, or the split is empty.
        RunError: a file is missing or damaged.
    """
    evaluation = None
    if scored:
        announce("Classifying held-out texts")
        evaluation = evaluate(run, config, split=split, worst=MISTAKES)
    return ClassReport(
        data=read_document(run.data_summary, "data") if run.data_summary.exists() else None,
        maximum_length=config.data.maximum_length,
        calibration_bins=config.evaluation.calibration_bins,
        evaluation=evaluation,
    )


def report_view(found: ClassReport, *, training: Section, lines: Sequence[MetricsLine]) -> View:
    """Return the sections of a report in their order, `training` among them, and its tiles."""
    sections = [training, *data_section(found.data, maximum_length=found.maximum_length)]
    tiles: list[Tile] = []
    if (scored := found.evaluation) is not None:
        few = len(scored.texts.classes) <= FEW_CLASSES
        figures, bins = curve_figures(scored, calibration_bins=found.calibration_bins)
        sections = [
            _scores(scored, with_matrix=few),
            *(() if few else (_confusion(scored),)),
            Section("Curves", (Grid(figures), bins), name="curves"),
            *sections,
            _mistakes(scored.worst),
        ]
        tiles = [
            _tile(scored.metrics[name], title, written)
            for name, title, written in (
                ("accuracy", f"Accuracy, {scored.split}", percent),
                ("macro_f1", "Macro F1", percent),
                ("roc_auc", "ROC AUC", _three_digits),
                ("ece", "Calibration error", _three_digits),
            )
        ]
    return View(
        title="Text classification",
        subject="",
        command="report",
        sections=tuple(sections),
        tiles=tuple(tiles),
        notes=scored.texts.notes if scored is not None else (),
    )


def _three_digits(value: float) -> str:
    return number(value, 3)


def _tile(score: Estimate, title: str, written: Callable[[float], str]) -> Tile:
    if finite(score.value) is None:
        return Tile(title, MISSING, "not defined")
    return Tile(title, written(score.value), _interval(score, written, between=" to "))


def _interval(score: Estimate, written: Callable[[float], str], *, between: str) -> str:
    if score.low is None or score.high is None:
        return ""
    return f"{written(score.low)}{between}{written(score.high)}"


def _scores(found: ClassEvaluation, *, with_matrix: bool) -> Section:
    metrics, classes = found.metrics, found.texts.classes
    overall = table(
        ("score", "value", "95 % interval"),
        [
            (
                "loss (nats)" if name == "loss" else metric(name).title,
                number(finite(metrics[name].value), 4),
                _interval(metrics[name], lambda value: number(value, 4), between=" to ") or MISSING,
            )
            for name in _SCORES
            if name in metrics
        ],
        left=("score",),
        caption="All classes",
    )
    by_class: Block = table(
        ("class", "precision", "recall", "F1", "texts"),
        [
            (
                name,
                *(
                    Cell(
                        number(finite(score.value), 3),
                        below=_interval(score, _three_digits, between="–"),
                    )
                    for score in (
                        metrics[f"{kind}_{name}"] for kind in ("precision", "recall", "f1")
                    )
                ),
                number(int(support)),
            )
            for name, support in zip(classes, found.scores.confusion.sum(axis=1), strict=True)
        ],
        left=("class",),
        caption="Every class by itself, with 95 % intervals",
    )
    if len(classes) > MOST_CLASSES_IN_MATRIX:
        by_class = Group(f"The {len(classes)} classes one by one", (by_class,))
    matrix = (Heading("Confusion matrix"), _matrix(found)) if with_matrix else ()
    notes = found.scores.notes
    interval = _interval(metrics["accuracy"], percent, between=" to ")
    return Section(
        "Scores",
        (
            Pair((overall,), (by_class, *matrix)),
            Text(_decision(found.decision), strong="Decision."),
            *((Notes(tuple(notes)),) if notes else ()),
        ),
        lead=f"{count(found.rows, 'text')} of the {found.split} split, scored with the best "
        f"model. {percent(metrics['accuracy'].value)} are right"
        f"{', with 95 % confidence ' if interval else ''}{interval}.",
        name="scores",
    )


def _decision(decision: Decision) -> str:
    if decision.how:
        return f"{decision.how[:1].upper()}{decision.how[1:]}."
    chosen = "The class with the highest probability is chosen"
    if decision.threshold is not None:
        chosen = (
            f"Class {decision.positive} is chosen from a probability of {decision.threshold:.4f} on"
        )
    return f"{chosen}; logits are divided by a temperature of {decision.temperature:.4g}."


# --------------------------------------------------------------------------- confusion matrix


def _confusion(found: ClassEvaluation) -> Section:
    counts, classes = found.scores.confusion, found.texts.classes
    wrong = int(counts.sum() - np.trace(counts))
    off = counts.copy()
    np.fill_diagonal(off, 0)
    lead = ""
    if wrong:
        true, predicted = np.unravel_index(int(off.argmax()), off.shape)
        lead = (
            f"{count(wrong, 'text')} of {int(counts.sum()):,} went wrong; the most frequent "
            f"error takes {shorten(classes[int(true)])} for {shorten(classes[int(predicted)])} "
            f"({count(int(off.max()), 'time')})."
        )
    if len(classes) <= MOST_CLASSES_IN_MATRIX:
        return Section("Confusion matrix", (_matrix(found),), lead=lead, name="confusion")
    order = np.argsort(-off, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(classes)) for place in order]
    rows = [
        (
            classes[true],
            classes[predicted],
            number(int(off[true, predicted])),
            percent(float(off[true, predicted] / counts[true].sum())),
        )
        for true, predicted in pairs
        if off[true, predicted]
    ]
    content = table(
        ("true", "predicted", "texts", "fraction of the true class"),
        rows,
        left=("true", "predicted"),
        caption=f"The most frequent errors between {len(classes)} classes",
    )
    return Section("Confusion matrix", (content,), lead=lead, name="confusion")


def _matrix(found: ClassEvaluation) -> Matrix:
    return Matrix(
        found.texts.classes,
        tuple(map(tuple, found.scores.confusion.tolist())),
        caption="Rows are true classes, columns predicted ones; fractions are of the row",
    )


# ------------------------------------------------------------------------------------- errors


def _mistakes(mistakes: Sequence[Mistake]) -> Section:
    if not mistakes:
        return Section("Worst errors", lead="Every text was classified right.", name="errors")
    items = []
    for mistake in mistakes:
        file = "/".join(PurePath(mistake.file).parts[-2:])  # its folder and its name
        label = (
            f"true {mistake.label} with {percent(mistake.true_probability, 2)}, predicted "
            f"{mistake.predicted} · {file}, row {mistake.row:,}"
        )
        items.append(Entry((("", clip(mistake.text, TEXT_LENGTH)),), label=label))
    return Section(
        "Worst errors",
        (Entries(tuple(items)),),
        lead="Wrong predictions whose true class got the least probability. Some of them are "
        "often wrong labels.",
        name="errors",
    )
