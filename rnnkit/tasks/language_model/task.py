"""What a language model does, loaded when it is called."""

from typing import TYPE_CHECKING

from rnnkit.tasks.base import Task
from rnnkit.tasks.language_model.config import LanguageConfig

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.training.task import TrainingData


def language_model(config: LanguageConfig) -> Task:
    """Return the task of a configuration of language models."""

    def prepare(is_new: bool) -> "TrainingData":
        from rnnkit.tasks.language_model.initial import prepare_training

        return prepare_training(config, is_new=is_new)

    return Task(name="language_model", prepare=prepare)
