"""Scores of the folds of a cross-validation, each on the texts that it never saw."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rnnkit.inference.scores import score_probabilities
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.base import FoldResults

if TYPE_CHECKING:  # the task loads this module when it is called
    from rnnkit.tasks.text_classification.classified import ClassifiedTexts
    from rnnkit.tasks.text_classification.config import ClassificationConfig


def score_folds(config: "ClassificationConfig", runs: Sequence[RunDirectory]) -> FoldResults:
    """Score every fold on its own test split.

    Args:
        config: what the folds have in common.
        runs: the finished runs of all folds, in their order.

    Raises:
        DataError: the texts are missing or have changed.
        RunError: a file of a run is missing or damaged.
    """
    folds = [_classified(config, run, number, len(runs)) for number, run in enumerate(runs, 1)]
    scores = []
    for texts in folds:
        scored = score_probabilities(
            texts.probabilities,
            texts.labels,
            texts.classes,
            resamples=0,
            bins=config.evaluation.calibration_bins,
        )
        scores.append({name: metric.value for name, metric in scored.metrics.items()})
    return FoldResults(tuple(scores), _out_of_fold(folds), sum(map(len, folds)))


def _classified(
    config: "ClassificationConfig", run: RunDirectory, number: int, of: int
) -> "ClassifiedTexts":
    from rnnkit.tasks.text_classification.classified import classify_split
    from rnnkit.tasks.text_classification.config import Fold

    data = config.data.model_copy(update={"fold": Fold(number=number, of=of)})
    return classify_split(run, config.model_copy(update={"data": data}), split="test")


def _out_of_fold(folds: Sequence["ClassifiedTexts"]) -> bytes:
    """out_of_fold.csv: a row for every text with its place, its class, and the prediction of the
    fold that was trained without it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    classes = folds[0].classes
    writer.writerow(
        ["fold", "file", "row", "label", "predicted", *(f"probability_{name}" for name in classes)]
    )
    for number, texts in enumerate(folds, start=1):
        for row in _rows(texts):
            writer.writerow([number, *row])
    return buffer.getvalue().encode("utf-8", errors="surrogatepass")


def _rows(texts: "ClassifiedTexts") -> Iterator[list[Any]]:
    places = zip(texts.files, texts.rows, texts.labels, texts.probabilities, strict=True)
    for file, row, label, probabilities in places:
        predicted = texts.classes[int(probabilities.argmax())]
        yield [
            file,
            int(row),
            texts.classes[int(label)],
            predicted,
            *(f"{probability:.6f}" for probability in probabilities),
        ]
