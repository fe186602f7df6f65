"""The part of a report about a classifier's probabilities: ROC, precision, calibration."""

from collections.abc import Iterator

import numpy as np

from rnnkit.report.gather import Classification
from rnnkit.views.figures import (
    Curve,
    Marker,
    reliability,
    thinned,
    threshold_curves,
    two_histograms,
)
from rnnkit.views.markup import Html, Part, details, part, table, tag
from rnnkit.views.words import number, share, short

MOST_CURVES = 6


def curves_part(found: Classification) -> Part:
    """Curves and distributions, each with a sentence on what it says."""
    drawn = [*_threshold_figures(found), _calibration_figure(found), _separation_figure(found)]
    return part("curves", "Curves", tag("div", *drawn, class_="figures"))


def _threshold_figures(found: Classification) -> Iterator[Html]:
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    classes, labels = found.scores.classes, found.labels
    supports = np.bincount(labels, minlength=len(classes))
    # A class that every text has, or none, has no curve.
    defined = [i for i in range(len(classes)) if 0 < supports[i] < len(labels)]
    if len(classes) == 2:
        shown = [i for i in defined if i == found.positive]
    else:
        shown = sorted(defined, key=lambda i: -supports[i])[:MOST_CURVES]
    if not shown:
        return
    roc, precision_recall = [], []
    for i in shown:
        truth, score = labels == i, found.probabilities[:, i]
        alarms, hits, _ = roc_curve(truth, score)
        points = thinned(np.column_stack([alarms, hits]))
        area = float(auc(alarms, hits))
        roc.append(Curve(f"{short(classes[i])} ({area:.3f})", points[:, 0], points[:, 1]))
        precision, recall, _ = precision_recall_curve(truth, score)
        points = thinned(np.column_stack([recall, precision]))
        area = float(average_precision_score(truth, score))
        precision_recall.append(
            Curve(f"{short(classes[i])} ({area:.3f})", points[:, 0], points[:, 1])
        )
    point, operating = _operating_point(found) if len(classes) == 2 else (None, "")
    which = "Areas under the curves stand beside the names" + (
        f"; of {len(classes)} classes, the {len(shown)} most frequent against the rest."
        if len(shown) < len(defined) and len(classes) > 2
        else ", each class against the rest."
        if len(classes) > 2
        else "."
    )
    picture = threshold_curves(
        roc,
        name="roc",
        description=f"ROC curves: {_listed(roc)}. {operating}",
        x_label="false positives among the negatives",
        y_label="true positives among the positives",
        chance=Curve("chance", (0.0, 1.0), (0.0, 1.0)),
        operating_point=None if point is None else Marker("decision", point[0], point[1]),
    )
    yield tag("figure", tag("h3", "ROC"), picture, tag("figcaption", which, f" {operating}"))
    rate = supports[shown[0]] / len(labels)
    picture = threshold_curves(
        precision_recall,
        name="precision-recall",
        description=f"Precision-recall curves: {_listed(precision_recall)}. {operating}",
        x_label="recall",
        y_label="precision",
        chance=Curve("chance", (0.0, 1.0), (rate, rate)) if len(classes) == 2 else None,
        operating_point=None if point is None else Marker("decision", point[1], point[2]),
        legend="lower left",
    )
    yield tag(
        "figure",
        tag("h3", "Precision and recall"),
        picture,
        tag("figcaption", which, f" {operating}"),
    )


def _listed(curves: list[Curve]) -> str:
    return ", ".join(curve.label for curve in curves)


def _operating_point(found: Classification) -> tuple[tuple[float, float, float] | None, str]:
    """False positive rate, recall and precision of the decision in use, and a sentence on it."""
    positive = found.positive
    counts = found.scores.confusion.astype(np.float64)
    hits, alarms = counts[positive, positive], counts[1 - positive, positive]
    truth, called = counts[positive].sum(), hits + alarms
    if not truth or not called or truth == counts.sum():
        return None, ""
    point = (alarms / counts[1 - positive].sum(), hits / truth, hits / called)
    words = (
        f"The decision in use finds {share(point[1])} of the class with a precision of "
        f"{share(point[2])}."
    )
    return (float(point[0]), float(point[1]), float(point[2])), words


def _calibration_figure(found: Classification) -> Html:
    ece = found.scores.metrics["ece"]
    confidence = sum(c * rows for c, _, rows in found.calibration) / len(found.labels)
    right = sum(a * rows for _, a, rows in found.calibration) / len(found.labels)
    gap = confidence - right
    verdict = (
        "on the whole as sure as it may be"
        if abs(gap) < 0.01
        else f"{'too sure' if gap > 0 else 'not sure enough'} by {share(abs(gap))} on average"
    )
    words = (
        f"The model is {verdict}: mean confidence {share(confidence)}, {share(right)} right. "
        f"Expected calibration error {ece.value:.3f}."
    )
    picture = reliability(
        found.calibration,
        classes=len(found.scores.classes),
        name="calibration",
        description=f"Reliability diagram. {words}",
    )
    rows = [(f"{c:.3f}", f"{a:.3f}", number(n)) for c, a, n in found.calibration]
    return tag(
        "figure",
        tag("h3", "Calibration"),
        picture,
        tag("figcaption", words),
        details(
            "The bins as a table",
            table(
                ("confidence", "share that is right", "texts"),
                rows,
                caption="Bins of confidence",
                text_columns=(),
            ),
        ),
    )


def _separation_figure(found: Classification) -> Html:
    """How well the probabilities tell the classes apart."""
    classes, labels = found.scores.classes, found.labels
    if len(classes) == 2:
        title, x_label = "Probabilities by true class", "probability of the positive class"
        values, groups = found.probabilities[:, found.positive], labels
        names = [f"true {short(name)}" for name in classes]
        positive = short(classes[found.positive])
        words = f"Probability of {positive}, for the texts of each class."
    else:
        title, x_label = "Confidence of right and wrong", "probability of the predicted class"
        values = found.probabilities.max(axis=1)
        groups = (found.probabilities.argmax(axis=1) == labels).astype(np.int64)
        names = ["wrong", "right"]
        words = "Probability of the predicted class, for wrong and right predictions."
    edges = np.linspace(0.0, 1.0, 31)
    counts = [np.histogram(values[groups == group], edges)[0] for group in range(2)]
    threshold = found.decision.threshold if len(classes) == 2 else None
    picture = two_histograms(
        edges,
        list(zip(names, counts, strict=True)),
        name="separation",
        description=f"Two histograms. {words}",
        x_label=x_label,
        limit=threshold,
        limit_label="" if threshold is None else f"threshold {threshold:.3f}",
    )
    return tag("figure", tag("h3", title), picture, tag("figcaption", words))
