"""Evaluate a classifier: scores on held-out texts, the worst errors, comparison with another, and
the choice of its decision on the validation split."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from rnnkit.data.splits import SplitName
from rnnkit.errors import DataError, UsageError
from rnnkit.inference.decision import (
    Decision,
    Goal,
    choose_threshold,
    fit_temperature,
    with_temperature,
    write_decision,
)
from rnnkit.inference.intervals import Comparison, compare_predictions
from rnnkit.inference.scores import (
    ClassificationScores,
    row_losses,
    score_probabilities,
    worst_errors,
)
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import Document
from rnnkit.runs.records import Estimate
from rnnkit.tasks.results import scores_section
from rnnkit.tasks.text_classification.classified import (
    ClassifiedTexts,
    check_same_texts,
    classify_texts,
)
from rnnkit.tasks.text_classification.classifier import load_classifier
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.views.formats import MISSING, one_line, shorten, signed
from rnnkit.views.view import Block, Matrix, Section, Text, View, table

SHOWN_CHARACTERS = 200
"""Of a misclassified text on a terminal; the JSON document has all of it."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mistake:
    """A text that got a wrong class."""

    file: str
    row: int
    label: str
    predicted: str
    probability: float
    """Of the predicted class."""
    true_probability: float
    """Of the true class."""
    text: str

    def to_json(self) -> Document:
        """Return the entry of `worst` in the JSON document."""
        document = asdict(self)
        del document["true_probability"]
        return document


@dataclass(frozen=True, eq=False)
class ClassEvaluation:
    """The scores of a classifier on one split of its own texts or on other files."""

    run: str
    texts: ClassifiedTexts
    data: tuple[str, ...]
    """Other files than those of the run, as they were named."""
    decision: Decision
    scores: ClassificationScores
    worst: tuple[Mistake, ...]
    notes: tuple[str, ...]
    compared_with: str | None = None
    """The run of `comparison`."""
    comparison: Comparison | None = None

    @property
    def split(self) -> SplitName | None:
        """The split that was scored; None for other files."""
        return self.texts.split

    @property
    def rows(self) -> int:
        """Number of texts."""
        return len(self.texts)

    @property
    def metrics(self) -> dict[str, Estimate]:
        """Scores with their 95 % intervals."""
        return self.scores.metrics

    def to_json(self) -> Document:
        """Return the document of `rnnkit evaluate --json`."""
        return {
            "run": self.run,
            "split": self.split,
            "data": list(self.data) or None,
            "rows": self.rows,
            "classes": list(self.texts.classes),
            "decision": asdict(self.decision),
            "metrics": {name: asdict(score) for name, score in self.metrics.items()},
            "confusion_matrix": {
                "classes": list(self.texts.classes),
                "counts": self.scores.confusion.tolist(),
            },
            "worst": [mistake.to_json() for mistake in self.worst],
            "comparison": self._comparison_to_json(),
            "notes": list(self.notes),
        }

    def view(self) -> View:
        """Return the view of the evaluation: scores, confusion matrix, errors, comparison."""
        subject = f"{self.split} texts" if self.split else ", ".join(self.data)
        matrix = Matrix(
            self.texts.classes,
            tuple(map(tuple, self.scores.confusion.tolist())),
            caption="Rows are true classes, columns predicted ones",
        )
        sections = [
            scores_section(f"{self.run} on {subject}, {self.rows:,} rows", self.metrics),
            Section(
                "Confusion matrix (one row for each true class, one column for each predicted)",
                (matrix,),
                spaced=True,
            ),
        ]
        if self.worst:
            lines = "\n".join(map(_mistake_lines, self.worst))
            sections.append(Section("Worst errors", (Text(lines),), spaced=True))
        if self.comparison is not None:
            heading = f"{self.compared_with} on the same texts"
            sections.append(Section(heading, _comparison_blocks(self.comparison), spaced=True))
        return View(
            title="Evaluation",
            subject=self.run,
            command="evaluate",
            sections=tuple(sections),
            document=self.to_json(),
            notes=self.notes,
        )

    def _comparison_to_json(self) -> Document | None:
        if self.comparison is None:
            return None
        document = asdict(self.comparison)
        test = document.pop("mcnemar")
        return {
            "run": self.compared_with,
            "both_right": document["both_right"],
            "both_wrong": document["both_wrong"],
            "only_first_right": test["only_first"],
            "only_second_right": test["only_second"],
            "p_value": test["p_value"],
            "exact": test["exact"],
            "differences": document["differences"],
        }


# ----------------------------------------------------------------------------------- evaluate


def evaluate(
    run: RunDirectory,
    config: ClassificationConfig,
    *,
    split: SplitName | None = None,
    data: Sequence[str] = (),
    encoding: str | None = None,
    worst: int = 0,
    progress: Progress = lambda done, total: None,
) -> ClassEvaluation:
    """Score the classifier of a run with the decision that is stored in it.

    Args:
        run: a finished run, or with `data` a stopped one that has a model.
        config: that of the run.
        split: of the run's own texts; test, or where it is empty validation or training.
        data: other files or glob patterns, in the layout of the run's own.
        encoding: of `data`; that of the run's own texts when not given.
        worst: number of mistakes to return, the most mistaken first.
        progress: is called with texts, then with resamples.

    Raises:
        DataError: the texts are missing or have changed, or the split is empty.
        RunError: the run has not finished, or a file is missing or damaged.
    """
    classifier = load_classifier(run)
    texts = classify_texts(
        classifier, run, config, split=split, data=data, encoding=encoding, progress=progress
    )
    decision, notes = classifier.decision, [*texts.notes]
    if decision.how:
        if "validation texts" in decision.how and texts.split == "validation":
            notes.append(
                "The decision was chosen on these very texts, so the scores that depend on it are "
                "a little too good."
            )
        notes.append(f"Decision stored in the run: {decision.how}.")
    scores = score_probabilities(
        texts.probabilities,
        texts.labels,
        texts.classes,
        resamples=config.evaluation.bootstrap_samples,
        seed=config.seed,
        bins=config.evaluation.calibration_bins,
        decision=decision,
        progress=progress,
    )
    predicted = texts.predicted(decision)
    chosen = worst_errors(texts.probabilities, texts.labels, predicted, worst)
    return ClassEvaluation(
        run=str(run.path),
        texts=texts,
        data=tuple(data),
        decision=decision,
        scores=scores,
        worst=_mistakes(texts, chosen.tolist(), predicted.tolist()),
        notes=(*notes, *scores.notes),
    )


def _mistakes(
    texts: ClassifiedTexts, chosen: Sequence[int], predicted: Sequence[int]
) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            file=texts.files[index],
            row=int(texts.rows[index]),
            label=texts.classes[texts.labels[index]],
            predicted=texts.classes[predicted[index]],
            probability=float(texts.probabilities[index, predicted[index]]),
            true_probability=float(texts.probabilities[index, texts.labels[index]]),
            text=texts.texts[index],
        )
        for index in chosen
    )


# ---------------------------------------------------------------------------------- comparison


def compare(
    first: ClassEvaluation,
    second: RunDirectory,
    config: ClassificationConfig,
    *,
    resamples: int,
    seed: int,
) -> ClassEvaluation:
    """Return an evaluation with the comparison of another classifier on the same texts.

    Args:
        first: the evaluation of one run.
        second: another run.
        config: that of the other run.
        resamples: of the texts, for the intervals of the differences.
        seed: of the resampling.

    Raises:
        DataError: the runs hold out different texts, or have different classes.
    """
    classifier, texts = load_classifier(second), first.texts
    other = classify_texts(classifier, second, config, split=texts.split, data=first.data)
    comparison = compare_predictions(
        texts.predicted(first.decision),
        check_same_texts(texts, other).predicted(classifier.decision),
        texts.labels,
        texts.classes,
        resamples=resamples,
        seed=seed,
    )
    return replace(first, compared_with=str(second.path), comparison=comparison)


# ------------------------------------------------------------------------------------ decision


def choose_decision(
    run: RunDirectory,
    config: ClassificationConfig,
    *,
    goal: Goal | None = None,
    positive: str | None = None,
    calibrate: bool = False,
) -> tuple[Decision, tuple[str, ...]]:
    """Choose temperature and threshold on the validation split and store them in the run.

    Args:
        run: a finished run.
        config: that of the run.
        goal: what the threshold is chosen for; None leaves it as it is.
        positive: the class that the threshold is about; the second one when not given.
        calibrate: fit a temperature (Guo et al. 2017).

    Returns:
        The decision, and sentences on what was chosen.

    Raises:
        UsageError: a threshold for more than two classes, or an unknown class.
        DataError: there is no validation split, or no threshold reaches the goal.
    """
    classifier = load_classifier(run)
    classes = classifier.classes
    if goal is not None and len(classes) != 2:
        raise UsageError(
            f"--threshold is for two classes; this run has {len(classes)}: {', '.join(classes)}."
        )
    if goal is not None and positive is not None and positive not in classes:
        raise UsageError(f"--positive {positive!r}: this run has the classes {', '.join(classes)}.")
    if not config.data.validation_fraction:
        raise DataError(
            "Threshold and temperature are chosen on the validation split, and this run has none "
            "(data.validation_fraction is 0)."
        )
    texts = classify_texts(classifier, run, config, split="validation")
    decision, said = classifier.decision, []
    if calibrate:
        before = row_losses(texts.probabilities, texts.labels).mean()
        temperature = fit_temperature(texts.logits, texts.labels)
        decision = with_temperature(decision, temperature)
        texts = texts.with_decision(decision)
        after = row_losses(texts.probabilities, texts.labels).mean()
        said.append(
            f"Temperature {temperature:.4f}: the loss on the validation split goes from "
            f"{before:.4f} to {after:.4f}."
        )
    if goal is not None:
        positive = positive or classes[1]
        index = classes.index(positive)
        threshold = choose_threshold(texts.probabilities[:, index], texts.labels == index, goal)
        decision = replace(decision, threshold=threshold, positive=positive, goal=str(goal))
        said.append(f"Threshold for {goal}: {positive} from {threshold:.4f} on.")
    decision = decision.described(rows=len(texts))
    write_decision(run, decision)
    return decision, (*said, f"Stored in {run.decision}")


# ---------------------------------------------------------------------------------------- view


def _mistake_lines(mistake: Mistake) -> str:
    return (
        f"{mistake.file}:{mistake.row}: {mistake.label}, predicted {mistake.predicted} "
        f"{mistake.probability:.2f}\n  {shorten(one_line(mistake.text), SHOWN_CHARACTERS)}"
    )


def _comparison_blocks(comparison: Comparison) -> tuple[Block, ...]:
    test = comparison.mcnemar
    kind = "exact binomial" if test.exact else "chi-squared with continuity correction"
    rows = [
        (name, *(_signed(value) for value in (score.value, score.low, score.high)))
        for name, score in comparison.differences.items()
    ]
    return (
        Text(
            f"both right {comparison.both_right:,}, both wrong {comparison.both_wrong:,}, only the "
            f"first right {test.only_first:,}, only the second right {test.only_second:,}\n"
            f"McNemar's test: p = {test.p_value:.4g} ({kind})"
        ),
        table(("second minus first", "value", "low", "high"), rows, left=("second minus first",)),
    )


def _signed(value: float | None) -> str:
    return MISSING if value is None else signed(value)
