"""Labelled texts with the predictions of a run's classifier, and the scores of folds."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnkit.data.splits import SplitName, choose_split
from rnnkit.errors import DataError
from rnnkit.inference.decision import Decision, softmax
from rnnkit.inference.scores import score_probabilities
from rnnkit.runs.directory import RunDirectory, check_finished
from rnnkit.runs.records import check_same_data
from rnnkit.tables.labelled import read_labelled
from rnnkit.tasks.base import FoldResults
from rnnkit.tasks.text_classification.classifier import (
    Classifier,
    Progress,
    classify,
    load_classifier,
)
from rnnkit.tasks.text_classification.config import ClassificationConfig, Fold, LearnedEmbedding
from rnnkit.tasks.text_classification.data import PreparedTexts, labelled_source, prepare_texts


@dataclass(frozen=True, eq=False)
class ClassifiedTexts:
    """Texts as in their files, and the predictions of a classifier.

    `labels` int[texts] are the true classes, `logits` float32[texts, classes] the output of the
    network, `probabilities` float64[texts, classes] those at the temperature of the decision.
    `files` and `rows` have the place of every text. `split` is None for other files than the
    run's own.
    """

    texts: list[str]
    labels: np.ndarray
    rows: np.ndarray
    files: list[str]
    classes: tuple[str, ...]
    logits: np.ndarray
    probabilities: np.ndarray
    split: SplitName | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def with_decision(self, decision: Decision) -> "ClassifiedTexts":
        """Return the same texts with the probabilities of another decision."""
        return replace(self, probabilities=softmax(self.logits, decision.temperature))

    def predicted(self, decision: Decision) -> np.ndarray:
        """Return the class of each text by a decision: int64[texts]."""
        return decision.choose(self.probabilities, self.classes)


def classify_texts(
    classifier: Classifier,
    run: RunDirectory,
    config: ClassificationConfig,
    *,
    split: SplitName | None = None,
    data: Sequence[str] = (),
    encoding: str | None = None,
    progress: Progress = lambda done, total: None,
) -> ClassifiedTexts:
    """Classify the texts of one split of a run's own data, or labelled texts of other files.

    Args:
        classifier: that of the run.
        run: where it is.
        config: that of the run.
        split: the test split if None, or where it is empty validation or training, with a note.
        data: other files or glob patterns, in the layout of the run's own.
        encoding: of `data`; None takes that of the run's own texts.
        progress: called with texts.

    Raises:
        DataError: the texts are missing or have changed, the split is empty, or the files have
            labels that the run does not know.
        RunError: a file of the run is missing or damaged.
    """
    if data:
        source = labelled_source(config.data, classifier.classes)
        texts = read_labelled(data, replace(source, encoding=encoding or source.encoding))
        ids, split, notes = classifier.encoder.encode_many(texts.texts), None, texts.notes
    else:
        prepared = prepared_texts(run, config)
        sizes: dict[SplitName, int] = {
            name: len(places) for name, places in prepared.indices.items()
        }
        split, notes = choose_split(sizes, split)
        texts, encoded = prepared.split_of(split), prepared.split(split)
        ids = [encoded.row(i) for i in range(len(encoded))]
    logits = classify(classifier, ids, progress=progress)
    return ClassifiedTexts(
        texts=list(texts.texts),
        labels=texts.labels,
        rows=texts.rows,
        files=[texts.files[number] for number in texts.file_numbers],
        classes=classifier.classes,
        logits=logits,
        probabilities=softmax(logits, classifier.decision.temperature),
        split=split,
        notes=notes,
    )


def prepared_texts(run: RunDirectory, config: ClassificationConfig) -> PreparedTexts:
    """Return the run's own texts and splits, checked to be those that it was trained on.

    Raises:
        DataError: the texts are missing or are no longer what they were.
        RunError: the run has no summary, or a damaged one.
    """
    check_finished(run)
    # The vectors that training started from change nothing here, and may be gigabytes.
    model = config.model.model_copy(update={"embedding": LearnedEmbedding()})
    prepared = prepare_texts(config.model_copy(update={"model": model}))
    path = config.data.path
    check_same_data(run, prepared.fingerprint, files=(path,) if isinstance(path, str) else path)
    return prepared


def check_same_texts(first: ClassifiedTexts, second: ClassifiedTexts) -> ClassifiedTexts:
    """Return `second` with the classes in the order of `first`, to compare the two text by text.

    Raises:
        DataError: they are different texts, or have different labels or classes.
    """
    if set(first.classes) != set(second.classes):
        raise DataError(
            f"The runs do not have the same classes ({', '.join(first.classes)}; "
            f"{', '.join(second.classes)}), so they cannot be compared."
        )
    order = [second.classes.index(name) for name in first.classes]
    labels = np.argsort(order)[second.labels]
    if first.texts != second.texts or not np.array_equal(first.labels, labels):
        where = f"{first.split} splits" if first.split else "files"
        raise DataError(
            f"The {where} of the two runs hold different texts, so that one of them may have "
            "learned from what the other is scored on. Compare them on texts that neither has "
            "seen, with --data FILE."
        )
    return replace(
        second,
        labels=first.labels,
        classes=first.classes,
        logits=second.logits[:, order],
        probabilities=second.probabilities[:, order],
    )


# ------------------------------------------------------------------------------ cross-validation


def score_folds(config: ClassificationConfig, runs: Sequence[RunDirectory]) -> FoldResults:
    """Score every fold on its own test split, which it never saw.

    Args:
        config: what the folds have in common.
        runs: the finished runs of all folds, in their order.

    Raises:
        DataError: the texts are missing or have changed.
        RunError: a file of a run is missing or damaged.
    """
    folds, scores = [], []
    for number, run in enumerate(runs, start=1):
        data = config.data.model_copy(update={"fold": Fold(number=number, of=len(runs))})
        own = config.model_copy(update={"data": data})
        texts = classify_texts(load_classifier(run), run, own, split="test")
        scored = score_probabilities(
            texts.probabilities,
            texts.labels,
            texts.classes,
            resamples=0,
            bins=config.evaluation.calibration_bins,
        )
        folds.append(texts)
        scores.append({name: metric.value for name, metric in scored.metrics.items()})
    return FoldResults(tuple(scores), _out_of_fold(folds), sum(map(len, folds)))


def _out_of_fold(folds: Sequence[ClassifiedTexts]) -> bytes:
    """Return out_of_fold.csv: every text with its place, its class, and the prediction of the fold
    that was trained without it."""
    buffer, classes = io.StringIO(), folds[0].classes
    writer = csv.writer(buffer, lineterminator="\n")
    names = (f"probability_{name}" for name in classes)
    writer.writerow(["fold", "file", "row", "label", "predicted", *names])
    for number, texts in enumerate(folds, start=1):
        rows = zip(texts.files, texts.rows, texts.labels, texts.probabilities, strict=True)
        for file, row, label, values in rows:
            predicted = classes[int(values.argmax())]
            digits = (f"{value:.6f}" for value in values)
            writer.writerow([number, file, int(row), classes[int(label)], predicted, *digits])
    return buffer.getvalue().encode("utf-8", errors="surrogatepass")
