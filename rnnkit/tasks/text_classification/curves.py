"""Figures of a report about a classifier's probabilities: ROC, precision, calibration."""

from collections.abc import Iterator, Sequence

import numpy as np

from rnnkit.inference.scores import Ranking, calibration_curve
from rnnkit.tasks.text_classification.evaluation import ClassEvaluation
from rnnkit.views.formats import number, percent, shorten
from rnnkit.views.plot import Axis, Bars, Figure, Histogram, Line, Panel, Point, Rule, Stems
from rnnkit.views.view import Group, table

MOST_CURVES = 6


def curve_figures(
    found: ClassEvaluation, *, calibration_bins: int
) -> tuple[tuple[Figure, ...], Group]:
    """Return the figures, each with a sentence on what it shows, and the table of bins."""
    bins = calibration_curve(found.texts.probabilities, found.texts.labels, calibration_bins)
    figures = (*_threshold_figures(found), _calibration_figure(found, bins), _separation(found))
    rows = [(f"{c:.3f}", f"{a:.3f}", number(n)) for c, a, n in bins]
    header = ("confidence", "fraction correct", "texts")
    return figures, Group(
        "The bins of the calibration figure as a table",
        (table(header, rows, caption="Bins of confidence"),),
    )


def _threshold_figures(found: ClassEvaluation) -> Iterator[Figure]:
    classes, labels = found.texts.classes, found.texts.labels
    supports = np.bincount(labels, minlength=len(classes))
    # A class that every text has, or none, has no curve.
    defined = [i for i in range(len(classes)) if 0 < supports[i] < len(labels)]
    if len(classes) == 2:
        shown = [i for i in defined if i == found.decision.positive_index(classes)]
    else:
        shown = sorted(defined, key=lambda i: -supports[i])[:MOST_CURVES]
    if not shown:
        return
    roc, precision_recall = [], []
    for i in shown:
        ranking = Ranking(found.texts.probabilities[:, i], labels == i)
        areas = ranking.areas(np.ones(len(labels)))
        for lines, points, area in zip(
            (roc, precision_recall), ranking.curves(), areas, strict=True
        ):
            lines.append(Line(f"{shorten(classes[i])} ({area:.3f})", points[:, 0], points[:, 1]))
    which = "Areas under the curves are in parentheses" + (
        f"; of {len(classes)} classes, the {len(shown)} most frequent against the rest."
        if len(shown) < len(defined) and len(classes) > 2
        else ", each class against the rest."
        if len(classes) > 2
        else "."
    )
    point, sentence = _operating_point(found) if len(classes) == 2 else (None, "")
    caption = f"{which} {sentence}".strip()
    rate = supports[shown[0]] / len(labels)
    false_positives, recall, precision = point or (None, None, None)
    yield _unit_square(
        "roc",
        ("ROC", "ROC curves"),
        ("false positives among the negatives", "true positives among the positives"),
        [*roc, *_marks((false_positives, recall), (0.0, 1.0))],
        f"{', '.join(line.label for line in roc)}. {sentence}",
        caption,
    )
    chance = (rate, rate) if len(classes) == 2 else None
    yield _unit_square(
        "precision-recall",
        ("Precision and recall", "Precision-recall curves"),
        ("recall", "precision"),
        [*precision_recall, *_marks((recall, precision), chance)],
        f"{', '.join(line.label for line in precision_recall)}. {sentence}",
        caption,
    )


def _marks(
    point: tuple[float | None, float | None], chance: tuple[float, float] | None
) -> Iterator[Line | Point]:
    """Yield the operating point and the line of chance, where they are known."""
    if point[0] is not None and point[1] is not None:
        yield Point("decision", point[0], point[1], in_legend=True)
    if chance is not None:
        yield Line("chance", (0.0, 1.0), chance, kind="reference")


def _unit_square(
    name: str,
    titles: tuple[str, str],
    axes: tuple[str, str],
    marks: Sequence[Line | Point],
    description: str,
    caption: str,
) -> Figure:
    panel = Panel(
        axes[1],
        tuple(marks),
        x=Axis(axes[0], low=-0.01, high=1.01),
        y=Axis(low=-0.01, high=1.03),
        legend="lower right" if name == "roc" else "lower left",
        grid="both",
    )
    return Figure(name, (panel,), f"{titles[1]}: {description}", titles[0], caption, height=3.7)


def _operating_point(found: ClassEvaluation) -> tuple[tuple[float, float, float] | None, str]:
    """Return false positive rate, recall and precision of the decision, and a sentence on it."""
    positive = found.decision.positive_index(found.texts.classes)
    counts = found.scores.confusion.astype(np.float64)
    correct, wrong = counts[positive, positive], counts[1 - positive, positive]
    truth, called = counts[positive].sum(), correct + wrong
    if not truth or not called or truth == counts.sum():
        return None, ""
    point = (wrong / counts[1 - positive].sum(), correct / truth, correct / called)
    sentence = (
        f"The decision in use finds {percent(point[1])} of the class with a precision of "
        f"{percent(point[2])}."
    )
    return (float(point[0]), float(point[1]), float(point[2])), sentence


def _calibration_figure(found: ClassEvaluation, bins: list[tuple[float, float, int]]) -> Figure:
    rows, least = len(found.texts), 1.0 / len(found.texts.classes)
    mean = sum(confidence * n for confidence, _, n in bins) / rows
    right = sum(accuracy * n for _, accuracy, n in bins) / rows
    gap = mean - right
    verdict = (
        "well calibrated on average"
        if abs(gap) < 0.01
        else f"{'overconfident' if gap > 0 else 'underconfident'} by {percent(abs(gap))} on average"
    )
    caption = (
        f"The model is {verdict}: mean confidence {percent(mean)}, {percent(right)} correct. "
        f"Expected calibration error {found.metrics['ece'].value:.3f}."
    )
    confidence, accuracy, counts = np.array(bins, dtype=np.float64).reshape(-1, 3).T
    width = 0.6 * float(np.diff(np.sort(confidence)).min()) if len(confidence) > 1 else 0.05
    axis = Axis(low=max(0.0, least - 0.03), high=1.01)
    upper = Panel(
        "fraction correct",
        (
            Line("perfectly calibrated", (least, 1.0), (least, 1.0), kind="reference"),
            Stems(confidence, confidence, accuracy),
            Line("this model", confidence, accuracy, colour=0),
        ),
        x=axis,
        y=Axis(low=min(float(accuracy.min()), least) - 0.03, high=1.03),
        legend="upper left",
        height=3.0,
    )
    lower = Panel(
        "fraction of all predictions",
        (Bars(counts / counts.sum(), x=confidence, width=width),),
        x=Axis("confidence: probability of the predicted class", low=axis.low, high=axis.high),
        y=Axis(unit="percent"),
    )
    description = f"Reliability diagram. {caption}"
    return Figure("calibration", (upper, lower), description, "Calibration", caption, height=3.7)


def _separation(found: ClassEvaluation) -> Figure:
    """Return how well the probabilities tell the classes apart."""
    classes, labels = found.texts.classes, found.texts.labels
    probabilities = found.texts.probabilities
    rule: tuple[Rule, ...] = ()
    if len(classes) == 2:
        positive = found.decision.positive_index(classes)
        title, x_label = "Probabilities by true class", "probability of the positive class"
        values, groups = probabilities[:, positive], labels
        names = [f"true {shorten(name)}" for name in classes]
        caption = f"Probability of {shorten(classes[positive])}, for the texts of each class."
        if (threshold := found.decision.threshold) is not None:
            rule = (Rule(f"threshold {threshold:.3f}", threshold),)
    else:
        title, x_label = "Confidence of right and wrong", "probability of the predicted class"
        values = probabilities.max(axis=1)
        groups = (probabilities.argmax(axis=1) == labels).astype(np.int64)
        names = ["wrong", "right"]
        caption = "Probability of the predicted class, for wrong and right predictions."
    edges = np.linspace(0.0, 1.0, 31)
    counts = [np.histogram(values[groups == group], edges)[0] for group in range(2)]
    histograms = [
        Histogram(edges, counts_of_group, name, outlined=True)
        for name, counts_of_group in zip(names, counts, strict=True)
    ]
    panel = Panel("texts", (*histograms, *rule), x=Axis(x_label, low=0.0, high=1.0), legend="above")
    return Figure("separation", (panel,), f"Two histograms. {caption}", title, caption, height=3.7)
