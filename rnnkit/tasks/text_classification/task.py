"""What a classifier of texts does, loaded when it is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.base import Evaluation, FoldResults, Task
from rnnkit.tasks.text_classification.config import ClassificationConfig

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.runs.records import MetricsLine
    from rnnkit.tasks.text_classification.subject import ClassifierSubject
    from rnnkit.training.task import TrainingData
    from rnnkit.views.view import Section, View


def text_classification(config: ClassificationConfig) -> Task:
    """Return the task of a configuration of classifiers."""

    def prepare(is_new: bool) -> "TrainingData":
        from rnnkit.tasks.text_classification.initial import prepare_training

        return prepare_training(config, is_new=is_new)

    def score_folds(runs: Sequence[RunDirectory]) -> FoldResults:
        from rnnkit.tasks.text_classification.classified import score_folds

        return score_folds(config, runs)

    def evaluate(run: RunDirectory, **options: Any) -> Evaluation:
        from rnnkit.tasks.text_classification.evaluation import evaluate

        return evaluate(run, config, **options)

    def report(
        run: RunDirectory,
        *,
        training: "Section",
        lines: "Sequence[MetricsLine]",
        **options: Any,
    ) -> "View":
        from rnnkit.tasks.text_classification.sections import read_report, report_view

        found = read_report(run, config, **options)
        return report_view(found, training=training, lines=lines)

    def subject(source: RunDirectory | Path) -> "ClassifierSubject":
        from rnnkit.tasks.text_classification.subject import trained_subject, untrained_subject

        if isinstance(source, RunDirectory):
            return trained_subject(source, config)
        return untrained_subject(source, config)

    return Task(
        name="text_classification",
        prepare=prepare,
        evaluate=evaluate,
        report=report,
        subject=subject,
        score_folds=score_folds,
        has_decision=True,
    )
