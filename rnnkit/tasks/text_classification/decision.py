"""Choose the decision of a classifier: temperature and threshold, on the validation split."""

from dataclasses import replace

from rnnkit.errors import DataError, UsageError
from rnnkit.inference.decision import (
    Decision,
    Goal,
    choose_threshold,
    fit_temperature,
    with_temperature,
    write_decision,
)
from rnnkit.inference.scores import row_losses
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.text_classification.classified import classify_texts
from rnnkit.tasks.text_classification.classifier import load_classifier
from rnnkit.tasks.text_classification.config import ClassificationConfig


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
