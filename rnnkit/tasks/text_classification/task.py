"""What a classifier of texts does, loaded when it is called."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.base import FoldResults, Task
from rnnkit.tasks.text_classification.config import ClassificationConfig

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.training.task import TrainingData


def text_classification(config: ClassificationConfig) -> Task:
    """Return the task of a configuration of classifiers."""

    def prepare(is_new: bool) -> "TrainingData":
        from rnnkit.tasks.text_classification.initial import prepare_training

        return prepare_training(config, is_new=is_new)

    def score_folds(runs: Sequence[RunDirectory]) -> FoldResults:
        from rnnkit.tasks.text_classification.crossval import score_folds

        return score_folds(config, runs)

    return Task(name="text_classification", prepare=prepare, score_folds=score_folds)
