"""What a language model does, loaded when it is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.base import Evaluation, Task
from rnnkit.tasks.language_model.config import LanguageConfig

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.runs.records import MetricsLine
    from rnnkit.tasks.language_model.subject import LanguageSubject
    from rnnkit.training.task import TrainingData
    from rnnkit.views.view import Section, View


def language_model(config: LanguageConfig) -> Task:
    """Return the task of a configuration of language models."""

    def prepare(is_new: bool) -> "TrainingData":
        from rnnkit.tasks.language_model.initial import prepare_training

        return prepare_training(config, is_new=is_new)

    def evaluate(run: RunDirectory, **options: Any) -> "Evaluation":
        from rnnkit.tasks.language_model.evaluation import evaluate

        return evaluate(run, config, **options)

    def report(
        run: RunDirectory,
        *,
        training: "Section",
        lines: "Sequence[MetricsLine]",
        **options: Any,
    ) -> "View":
        from rnnkit.tasks.language_model.sections import read_report, report_view

        found = read_report(run, config, **options)
        return report_view(found, training=training, lines=lines)

    def subject(source: RunDirectory | Path) -> "LanguageSubject":
        from rnnkit.tasks.language_model.subject import trained_subject, untrained_subject

        if isinstance(source, RunDirectory):
            return trained_subject(source, config)
        return untrained_subject(source, config)

    return Task(
        name="language_model", prepare=prepare, evaluate=evaluate, report=report, subject=subject
    )
