"""The tasks, brought together: the one module that knows all of them."""

from typing import assert_never

from rnnkit.config.schema import (
    CharGenerationConfig,
    Config,
    SentimentConfig,
    WordGenerationConfig,
)
from rnnkit.training.task import TrainingData


def prepare(config: Config, *, is_new: bool = True) -> TrainingData:
    """Read, check and encode the data of an experiment. Loads no TensorFlow.

    A run that is resumed (not `is_new`) has its weights in a checkpoint: what they began with
    may be gone and is not read again.

    Raises:
        DataError: the data cannot be used.
        ConfigError: they do not fit the configuration, such as initial weights of another shape.
        RunError: the run that `training.init_from` names is damaged.
    """
    match config:
        case CharGenerationConfig() | WordGenerationConfig():
            from rnnkit.tasks.language_model import initial as language_model

            return language_model.prepare_training(config, is_new=is_new)
        case SentimentConfig():
            from rnnkit.tasks.text_classification import initial as text_classification

            return text_classification.prepare_training(config, is_new=is_new)
        case _:
            assert_never(config)
