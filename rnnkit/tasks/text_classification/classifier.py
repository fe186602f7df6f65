"""A finished classifier, opened for inference: texts to logits, probabilities and classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnkit.errors import RunError, UsageError
from rnnkit.inference.decision import Decision, read_decision
from rnnkit.inference.runtime import check_vocabulary_size, open_model
from rnnkit.inference.scores import check_finite
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.text.encoder import PAD, UNKNOWN, TextEncoder

TASKS = ("text_classification", "sentiment")

RunGraph = Callable[[np.ndarray], np.ndarray]
Progress = Callable[[int, int], None]

TOKENS_AT_ONCE = 16384
"""Ids in one batch, padding included: enough for large matrices, few enough for the caches."""

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Classifier:
    """A classifier of texts into `classes`.

    `run_graph` takes ids int64[batch, time], padded with 0 on the right, and returns logits
    float32[batch, classes].
    """

    encoder: TextEncoder
    classes: tuple[str, ...]
    decision: Decision
    run_graph: RunGraph

    def choose(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the class of each row of float64[rows, classes] by the decision: int64[rows]."""
        return self.decision.choose(probabilities, self.classes)


def load_classifier(run: RunDirectory, *, threads: int = 1) -> Classifier:
    """Open the classifier of a run, with the decision that is stored in it.

    Raises:
        RunError: a file is missing, damaged, foreign, or from a newer version.
    """
    model = open_model(run, tasks=TASKS, threads=threads)
    if model.state_sizes:
        raise RunError(f"{run.onnx_model}: not a classifier of rnnkit (it reads recurrent states)")
    encoder, classes = read_encoder(run)
    check_vocabulary_size(run, model, encoder.size)
    if model.metadata.classes != classes:
        raise RunError(
            f"{run.onnx_model}: is for the classes {', '.join(model.metadata.classes or ())}, "
            f"but vocabulary.json has {', '.join(classes)}; the files do not belong together"
        )
    return Classifier(
        encoder=encoder,
        classes=classes,
        decision=read_decision(run, classes),
        run_graph=lambda ids: model.run_graph(ids, ())[0],
    )


def with_threshold(classifier: Classifier, threshold: float) -> Classifier:
    """Return the classifier with another threshold, on the class of its own decision.

    Raises:
        UsageError: there are more than two classes.
    """
    if len(classifier.classes) != 2:
        raise UsageError(
            f"A threshold is for two classes; this run has {len(classifier.classes)}: "
            f"{', '.join(classifier.classes)}."
        )
    positive = classifier.decision.positive or classifier.classes[1]
    decision = replace(classifier.decision, threshold=threshold, positive=positive)
    return replace(classifier, decision=decision)


def read_encoder(run: RunDirectory) -> tuple[TextEncoder, tuple[str, ...]]:
    """Return the vocabulary and the classes of a run.

    Raises:
        RunError: the vocabulary is missing or damaged.
    """
    content = read_document(run.vocabulary, "vocabulary")
    try:
        encoder, classes = TextEncoder.from_dict(content["encoder"]), content["classes"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise RunError(f"{run.vocabulary}: damaged: its classes are not a list of names")
    return encoder, tuple(classes)


def classify(
    classifier: Classifier,
    encoded: Sequence[Sequence[int]] | Sequence[np.ndarray],
    *,
    progress: Progress = lambda done, total: None,
) -> np.ndarray:
    """Return logits float32[rows, classes] of encoded texts, in their order.

    Rows are sorted by length and read in batches, so that little of a batch is padding. A row
    without ids is read as one unknown token. `progress(done, total)` is called with rows.

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    lengths = np.array([len(row) for row in encoded], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    logits = np.empty((len(encoded), len(classifier.classes)), dtype=np.float32)
    start = 0
    while start < len(order):
        rows = order[start : start + _batch_rows(lengths[order[start:]])]
        ids = pad([encoded[row] for row in rows])
        logits[rows] = classifier.run_graph(ids)
        start += len(rows)
        progress(start, len(order))
    check_finite(logits)
    return logits


def pad(rows: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> np.ndarray:
    """Join rows of ids: `[[5, 6], []]` -> `[[5, 6], [1, 0]]`, int64[rows, time]."""
    ids = np.full((len(rows), max([1, *map(len, rows)])), PAD, dtype=np.int64)
    for row, target in zip(rows, ids, strict=True):
        if len(row):
            target[: len(row)] = row
        else:
            target[0] = UNKNOWN
    return ids


def _batch_rows(lengths: np.ndarray) -> int:
    """Return how many of the next rows, with rising `lengths` int64[rows], make one batch."""
    lengths = np.maximum(lengths[:ROWS_AT_ONCE], 1)
    tokens = lengths * np.arange(1, len(lengths) + 1)
    return max(1, int(np.searchsorted(tokens, TOKENS_AT_ONCE, side="right")))
