"""What `rnnkit evaluate` does and prints for classifiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_number, format_table, print_json, printable, progress_bar
from rnnkit.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from rnnkit.inference.compare import Comparison
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.runs.records import Estimate
    from rnnkit.tasks.text_classification.classifier import Classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.data import PreparedTexts
    from rnnkit.tasks.text_classification.evaluation import ClassifiedTexts

SHOWN_CHARACTERS = 200
"""Of a mistaken text; --json has all of it."""


@dataclass(frozen=True)
class ClassOptions:
    """The options of `rnnkit evaluate` that are for classifiers alone."""

    goal: str | None
    positive: str | None
    calibrate: bool
    reset_decision: bool
    worst: int | None
    compare: str | None

    @property
    def used(self) -> list[str]:
        """The options that were given, as they are written."""
        given = {
            "--threshold": self.goal is not None,
            "--positive": self.positive is not None,
            "--calibrate": self.calibrate,
            "--reset-decision": self.reset_decision,
            "--worst": self.worst is not None,
            "--compare": self.compare is not None,
        }
        return [name for name, is_given in given.items() if is_given]


def evaluate_classes(
    directory: "RunDirectory",
    config: "ClassificationConfig",
    options: ClassOptions,
    *,
    split: Any,
    files: Sequence[str],
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Score the classifier of a run and print what came out."""
    from rnnkit.inference.decision import parse_goal, remove_decision
    from rnnkit.inference.scores import score_probabilities, worst_errors
    from rnnkit.tasks.text_classification.classifier import load_classifier
    from rnnkit.tasks.text_classification.evaluation import (
        classify_files,
        classify_part,
        prepared_texts,
    )

    if options.goal is not None:
        parse_goal(options.goal)  # before anything that takes time
    elif options.positive is not None:
        raise UsageError("--positive is the class that --threshold is about; give both.")
    if options.reset_decision and remove_decision(directory):
        click.echo(f"Removed {directory.decision}", err=True)
    classifier = load_classifier(directory)
    if options.goal is not None:
        _check_positive(classifier, options.positive)
    chooses = options.goal is not None or options.calibrate
    prepared = prepared_texts(directory, config) if chooses or not files else None
    notes: list[str] = []
    with progress_bar("classifying") as progress:
        if chooses:
            assert prepared is not None
            classifier = _choose(directory, classifier, prepared, options)
        if prepared is None or files:
            texts = classify_files(directory, config, files)
        else:
            texts = classify_part(classifier, prepared, split=split, progress=progress)
    notes += texts.notes
    if chooses and texts.split == "validation":
        notes.append(
            "The decision was chosen on these very texts, so the scores that depend on it are a "
            "little too good."
        )
    decision = classifier.decision
    if decision.how:
        notes.append(f"Decision stored in the run: {decision.how}.")
    choice: Any = {
        "threshold": decision.threshold,
        "positive": decision.positive_index(texts.classes),
    }
    bootstrap: Any = {"resamples": config.evaluation.bootstrap_samples, "seed": config.seed}
    with progress_bar("resampling") as progress:
        scores = score_probabilities(
            texts.probabilities,
            texts.labels,
            texts.classes,
            bins=config.evaluation.calibration_bins,
            progress=progress,
            **bootstrap,
            **choice,
        )
    notes += scores.notes
    comparison, second = None, None
    if options.compare is not None:
        second, comparison = _compare(
            options.compare, texts, classifier, files=files, runs_dir=runs_dir, bootstrap=bootstrap
        )
    predicted = classifier.choose(texts.probabilities)
    worst = worst_errors(texts.probabilities, texts.labels, options.worst or 0, **choice)
    errors = [_error(texts, int(i), int(predicted[i])) for i in worst]
    for note in notes:
        click.echo(note, err=True)
    if as_json:
        print_json(
            {
                "run": str(directory.path),
                "split": texts.split,
                "data": list(files) or None,
                "rows": len(texts),
                "classes": list(texts.classes),
                "decision": vars(decision),
                "metrics": {name: vars(score) for name, score in scores.metrics.items()},
                "confusion_matrix": {
                    "classes": list(texts.classes),
                    "counts": scores.confusion.tolist(),
                },
                "worst": errors,
                "comparison": _comparison_document(second, comparison),
                "notes": notes,
            }
        )
        return
    subject = f"{texts.split} texts" if texts.split else ", ".join(files)
    click.echo(f"{directory.path} on {subject}, {len(texts):,} rows\n")
    click.echo(estimates_table(scores.metrics))
    click.echo("\nConfusion matrix (one row for each true class, one column for each predicted)\n")
    click.echo(_confusion_table(scores.confusion, texts.classes))
    if errors:
        click.echo("\nWorst errors\n")
        for error in errors:
            click.echo(_error_lines(error))
    if comparison is not None and second is not None:
        click.echo(f"\n{second.path} on the same texts\n")
        click.echo(_comparison_text(comparison))


def estimates_table(metrics: "Mapping[str, Estimate]") -> str:
    """Scores with the ends of their intervals, one a line."""
    rows = [
        (name, *(format_number(number, 4) for number in (score.value, score.low, score.high)))
        for name, score in metrics.items()
    ]
    return format_table(("metric", "value", "low", "high"), rows, left=("metric",))


# ------------------------------------------------------------------------------------ decisions


def _check_positive(classifier: "Classifier", positive: str | None) -> None:
    classes = classifier.classes
    if len(classes) != 2:
        raise UsageError(
            f"--threshold is for two classes; this run has {len(classes)}: {', '.join(classes)}."
        )
    if positive is not None and positive not in classes:
        raise UsageError(f"--positive {positive!r}: this run has the classes {', '.join(classes)}.")


def _choose(
    directory: "RunDirectory",
    classifier: "Classifier",
    prepared: "PreparedTexts",
    options: ClassOptions,
) -> "Classifier":
    """The classifier with a decision chosen on the validation split, which is stored."""
    from rnnkit.inference.decision import (
        choose_threshold,
        fit_temperature,
        parse_goal,
        with_temperature,
        write_decision,
    )
    from rnnkit.inference.scores import row_losses
    from rnnkit.tasks.text_classification.evaluation import classify_part

    if not len(prepared.validation):
        raise DataError(
            "Threshold and temperature are chosen on the validation split, and this run has none "
            "(data.validation_fraction is 0)."
        )
    texts = classify_part(classifier, prepared, split="validation")
    decision = classifier.decision
    if options.calibrate:
        before = row_losses(texts.probabilities, texts.labels).mean()
        temperature = fit_temperature(texts.logits, texts.labels)
        decision = with_temperature(decision, temperature)
        texts = texts.with_decision(decision)
        after = row_losses(texts.probabilities, texts.labels).mean()
        click.echo(
            f"Temperature {temperature:.4f}: the loss on the validation split goes from "
            f"{before:.4f} to {after:.4f}.",
            err=True,
        )
    if options.goal is not None:
        goal = parse_goal(options.goal)
        positive = options.positive or classifier.classes[1]
        index = classifier.classes.index(positive)
        threshold = choose_threshold(texts.probabilities[:, index], texts.labels == index, goal)
        decision = replace(decision, threshold=threshold, positive=positive, goal=str(goal))
        click.echo(f"Threshold for {goal}: {positive} from {threshold:.4f} on.", err=True)
    decision = decision.described(rows=len(texts))
    write_decision(directory, decision)
    click.echo(f"Stored in {directory.decision}", err=True)
    return replace(classifier, decision=decision)


# ------------------------------------------------------------------------------------ comparison


def _compare(
    name: str,
    texts: "ClassifiedTexts",
    classifier: "Classifier",
    *,
    files: Sequence[str],
    runs_dir: Path,
    bootstrap: Any,
) -> "tuple[RunDirectory, Comparison]":
    from rnnkit.inference.compare import compare_predictions
    from rnnkit.runs.directory import named_run, verify_files
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.classifier import load_classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.evaluation import (
        check_same_texts,
        classify_files,
        classify_split,
    )

    run = named_run(name, runs_dir=runs_dir)
    verify_files(run, run.config)
    config = load_config(run.config)
    if not isinstance(config, ClassificationConfig):
        raise UsageError(f"--compare {run.path}: is no classifier.")
    second = load_classifier(run)
    other = (
        classify_files(run, config, files)
        if files
        else classify_split(run, config, split=texts.split)
    )
    chosen = second.choose(other.probabilities)
    other = check_same_texts(texts, other)
    # Chosen before the classes were put in another order: a threshold is about one of them.
    order = [other.classes.index(label) for label in second.classes]
    comparison = compare_predictions(
        classifier.choose(texts.probabilities),
        _renumber(chosen, order),
        texts.labels,
        texts.classes,
        **bootstrap,
    )
    return run, comparison


def _renumber(chosen: "np.ndarray", order: Sequence[int]) -> "np.ndarray":
    import numpy as np

    return np.array(order)[chosen]


def _comparison_document(
    second: "RunDirectory | None", comparison: "Comparison | None"
) -> dict[str, Any] | None:
    if second is None or comparison is None:
        return None
    test = comparison.mcnemar
    return {
        "run": str(second.path),
        "both_right": comparison.both_right,
        "both_wrong": comparison.both_wrong,
        "only_first_right": test.only_first,
        "only_second_right": test.only_second,
        "p_value": test.p_value,
        "exact": test.exact,
        "differences": {name: vars(value) for name, value in comparison.differences.items()},
    }


def _comparison_text(comparison: "Comparison") -> str:
    test = comparison.mcnemar
    kind = "exact binomial" if test.exact else "chi-squared with continuity correction"
    rows = [
        (name, *(f"{number:+.4f}" for number in (value.value, value.low, value.high)))
        for name, value in comparison.differences.items()
    ]
    differences = format_table(
        ("second minus first", "value", "low", "high"), rows, left=("second minus first",)
    )
    return (
        f"both right {comparison.both_right:,}, both wrong {comparison.both_wrong:,}, only the "
        f"first right {test.only_first:,}, only the second right {test.only_second:,}\n"
        f"McNemar's test: p = {test.p_value:.4g} ({kind})\n\n{differences}"
    )


# ----------------------------------------------------------------------------------- what is shown


def _confusion_table(confusion: "np.ndarray", classes: Sequence[str]) -> str:
    rows = [
        (name, *(f"{count:,}" for count in counts))
        for name, counts in zip(classes, confusion.tolist(), strict=True)
    ]
    return format_table(("", *classes), rows, left=("",))


def _error(texts: "ClassifiedTexts", index: int, predicted: int) -> dict[str, Any]:
    label = int(texts.labels[index])
    return {
        "file": texts.files[index],
        "row": int(texts.rows[index]),
        "label": texts.classes[label],
        "predicted": texts.classes[predicted],
        "probability": float(texts.probabilities[index, predicted]),
        "text": texts.texts[index],
    }


def _error_lines(error: dict[str, Any]) -> str:
    text = printable(error["text"])
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return (
        f"{error['file']}:{error['row']}: {error['label']}, predicted {error['predicted']} "
        f"{error['probability']:.2f}\n  {shown}"
    )
