"""What training of a language model starts from: data, prompt of the samples, given weights."""

from typing import TYPE_CHECKING

import numpy as np

from rnnkit.network.spec import NetworkSpec, check_given_weights
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import LanguageData, prepare
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.language_model.samples import sample_prompt
from rnnkit.training.task import Learning, TrainingData

if TYPE_CHECKING:  # loads TensorFlow
    from rnnkit.training.execution import Execution


def prepare_training(config: LanguageConfig, *, is_new: bool) -> TrainingData:
    """Prepare the text, and check everything that can be checked without TensorFlow.

    Raises:
        DataError: the text cannot be used.
        ConfigError: `model.initial_weights` do not fit the vocabulary.
    """
    prepared = prepare(config)
    prompt, prompt_notes = sample_prompt(config, prepared)
    weights = initial_weights(config, prepared) if is_new else {}

    def build(execution: "Execution") -> Learning:
        from rnnkit.tasks.language_model.objective import LanguageModelling

        return LanguageModelling(
            config, prepared, execution=execution, prompt=prompt, weights=weights
        )

    return TrainingData(
        fingerprint=prepared.fingerprint,
        notes=(*prepared.notes, *prompt_notes),
        vocabulary=prepared.vocabulary.to_dict(),
        summary=None,  # the vocabulary has all of it
        classes=(),
        parameters=_network(config, prepared).parameters(),
        token_unit=config.data.tokens,
        build=build,
    )


def initial_weights(config: LanguageConfig, prepared: LanguageData) -> dict[str, np.ndarray]:
    """Return what replaces random initial weights, by name, such as `recurrent_0/kernel`.

    Raises:
        ConfigError: a weight that the configuration gives has another shape.
    """
    vectors, given = prepared.vectors, config.model.initial_weights or {}
    check_given_weights(_network(config, prepared), given)
    weights = {name: np.array(value, np.float32) for name, value in given.items()}
    return weights if vectors is None else {**weights, "embedding/embeddings": vectors}


def _network(config: LanguageConfig, prepared: LanguageData) -> NetworkSpec:
    return language_network(
        config.model,
        vocabulary_size=prepared.vocabulary.size,
        vector_size=None if prepared.vectors is None else prepared.vectors.shape[1],
    )
