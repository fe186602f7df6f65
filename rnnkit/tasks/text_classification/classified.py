"""Labelled texts with the predictions of a run's classifier."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from rnnkit.data.splits import SplitName, choose_split
from rnnkit.errors import DataError
from rnnkit.inference.decision import Decision
from rnnkit.inference.scores import softmax
from rnnkit.runs.directory import RunDirectory, check_finished
from rnnkit.runs.records import check_same_data
from rnnkit.tasks.text_classification.classifier import (
    Classifier,
    Progress,
    classify,
    load_classifier,
)

if TYPE_CHECKING:
    from rnnkit.tables.labelled import LabelledTexts
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.data import PreparedTexts


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
        """The same texts with the probabilities of another decision."""
        return replace(self, probabilities=softmax(self.logits, decision.temperature))


def classify_split(
    run: RunDirectory, config: "ClassificationConfig", *, split: SplitName | None = None
) -> ClassifiedTexts:
    """Classify the texts of one split of a run's own data.

    Without `split` the test split, or where it is empty validation or training, with a note.

    Raises:
        DataError: the texts are missing or have changed, or that split is empty.
        RunError: a file of the run is missing or damaged.
    """
    classifier = load_classifier(run)
    return classify_part(classifier, prepared_texts(run, config), split=split)


def classify_files(
    run: RunDirectory,
    config: "ClassificationConfig",
    files: Sequence[str],
    *,
    encoding: str | None = None,
) -> ClassifiedTexts:
    """Classify labelled texts of other files, in the layout of the run's own.

    Raises:
        DataError: the files cannot be read, or have labels that the run does not know.
        RunError: a file of the run is missing or damaged.
    """
    from rnnkit.tasks.text_classification.data import read_any_texts

    classifier = load_classifier(run)
    if encoding is not None:
        data = config.data.model_copy(update={"encoding": encoding})
        config = config.model_copy(update={"data": data})
    texts = read_any_texts(files, config, classes=classifier.classes)
    return _classified(
        classifier, texts, classifier.encoder.encode_many(texts.texts), split=None, notes=()
    )


def prepared_texts(run: RunDirectory, config: "ClassificationConfig") -> "PreparedTexts":
    """The run's own texts and splits, checked to be those that it was trained on.

    Raises:
        DataError: the texts are missing or are no longer what they were.
        RunError: the run has no summary, or a damaged one.
    """
    from rnnkit.tasks.text_classification.config import LearnedEmbedding
    from rnnkit.tasks.text_classification.data import prepare_texts

    check_finished(run)
    # The vectors that training started from change nothing here, and may be gigabytes.
    model = config.model.model_copy(update={"embedding": LearnedEmbedding()})
    prepared = prepare_texts(config.model_copy(update={"model": model}))
    path = config.data.path
    files = (path,) if isinstance(path, str) else path
    check_same_data(run, prepared.fingerprint, files=files)
    return prepared


def classify_part(
    classifier: Classifier,
    prepared: "PreparedTexts",
    *,
    split: SplitName | None,
    progress: Progress = lambda done, total: None,
) -> ClassifiedTexts:
    """One split of `prepared_texts`; without `split` as in `classify_split`.

    Raises:
        DataError: that split is empty.
    """
    names: tuple[SplitName, ...] = get_args(SplitName)
    split, notes = choose_split({name: len(prepared.split(name)) for name in names}, split)
    encoded = prepared.split(split)
    ids = [encoded.row(i) for i in range(len(encoded))]
    return _classified(
        classifier, prepared.split_of(split), ids, split=split, notes=notes, progress=progress
    )


def check_same_texts(first: ClassifiedTexts, second: ClassifiedTexts) -> ClassifiedTexts:
    """`second` with the classes in the order of `first`, for comparing the two text by text.

    Raises:
        DataError: they are different texts, or have different labels or classes.
    """
    if set(first.classes) != set(second.classes):
        raise DataError(
            f"The runs do not have the same classes ({', '.join(first.classes)}; "
            f"{', '.join(second.classes)}), so they cannot be compared."
        )
    order = [second.classes.index(name) for name in first.classes]
    position = np.argsort(order)
    same_labels = len(first) == len(second) and np.array_equal(
        first.labels, position[second.labels]
    )
    if not same_labels or first.texts != second.texts:
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


def _classified(
    classifier: Classifier,
    texts: "LabelledTexts",
    ids: Sequence[Sequence[int]] | Sequence[np.ndarray],
    *,
    split: SplitName | None,
    notes: Sequence[str],
    progress: Progress = lambda done, total: None,
) -> ClassifiedTexts:
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
        notes=(*notes, *(texts.notes if split is None else ())),
    )
