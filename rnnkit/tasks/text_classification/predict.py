"""Classes for texts, and how predictions are printed and written as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnkit.inference.decision import softmax
from rnnkit.runs.files import Document
from rnnkit.tables.read import FaultKind
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.text.encoder import UNKNOWN
from rnnkit.views.formats import one_line


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes of texts.

    `labels` int64[texts] are indices of classes, `probabilities` float64[texts, classes], `empty`
    bool[texts] marks texts in which nothing could be read.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    empty: np.ndarray


def predict(classifier: Classifier, texts: Sequence[str]) -> Predictions:
    """Predict the class of every text; one without any token counts as one unknown token."""
    encoded = classifier.encoder.encode_many(texts)
    probabilities = softmax(classify(classifier, encoded), classifier.decision.temperature)
    empty = [
        ids == [UNKNOWN] and not classifier.encoder.tokenize(text)
        for ids, text in zip(encoded, texts, strict=True)
    ]
    return Predictions(
        labels=classifier.choose(probabilities),
        probabilities=probabilities,
        empty=np.array(empty, dtype=bool),
    )


def prediction_line(
    classes: Sequence[str],
    label: int,
    probabilities: np.ndarray,
    *,
    text: str | None,
    every: bool = False,
) -> str:
    """Return `positive 0.97`, and the text where there are several.

    Args:
        classes: their names.
        label: index of the class.
        probabilities: float64[classes].
        text: None for a text that is alone.
        every: whether the probabilities of all classes are shown.
    """
    names = [one_line(name) for name in classes]
    line = names[label]
    if text is not None:
        from rnnkit.views.terminal import display_width  # a lone text is answered without it

        line += " " * (max(map(display_width, names)) - display_width(line))
    if every:
        pairs = zip(names, probabilities, strict=True)
        line += "  " + "  ".join(f"{name} {value:.2f}" for name, value in pairs)
    else:
        line += f" {probabilities[label]:.2f}"
    return line if text is None else f"{line}  {one_line(text)}".rstrip()


def prediction_document(
    classifier: Classifier, texts: Sequence[str], *, run: str, explained: bool = False
) -> Document:
    """Return the predictions of texts as JSON values: what `rnnkit predict --json` prints."""
    from rnnkit.tasks.text_classification.explain import explain

    predictions = predict(classifier, texts)
    documents: list[Document] = []
    for text, label, values, empty in zip(
        texts, predictions.labels, predictions.probabilities, predictions.empty, strict=True
    ):
        document: Document = {
            "text": text,
            "label": classifier.classes[label],
            "probability": float(values[label]),
            "probabilities": dict(zip(classifier.classes, values.tolist(), strict=True)),
            "empty": bool(empty),
        }
        if explained:
            document["tokens"] = [
                {"token": effect.token, "change": effect.change, "known": effect.is_known}
                for effect in explain(classifier, text, label=int(label))
            ]
        documents.append(document)
    return {
        "run": run,
        "classes": list(classifier.classes),
        "temperature": classifier.decision.temperature,
        "threshold": classifier.decision.threshold,
        "predictions": documents,
    }


@dataclass
class Tally:
    """Counts of what was predicted: rows, rows without a token, rows of each class, and rows that
    were left out by kind of fault."""

    rows: int = 0
    empty: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    dropped: dict[FaultKind, int] = field(default_factory=dict)
    first_dropped: str = ""

    def add(self, predictions: Predictions, classes: Sequence[str]) -> None:
        """Count one more chunk."""
        self.rows += len(predictions.labels)
        self.empty += int(predictions.empty.sum())
        found = np.bincount(predictions.labels, minlength=len(classes))
        for name, count in zip(classes, found, strict=True):
            self.counts[name] = self.counts.get(name, 0) + int(count)
