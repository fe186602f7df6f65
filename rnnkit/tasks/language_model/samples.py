"""Text written during training, by the model as it is at that step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnkit.errors import DataError
from rnnkit.runs.records import Sample
from rnnkit.tasks.language_model.config import LanguageConfig, SamplesConfig
from rnnkit.tasks.language_model.data import Prepared
from rnnkit.text.language import LanguageVocabulary, name_unseen, unit_of

if TYPE_CHECKING:  # step.py imports TensorFlow; the prompt is checked before that
    from rnnkit.training.step import Learner


def sample_prompt(config: LanguageConfig, prepared: Prepared) -> list[int]:
    """Token ids that samples start from; empty when none are wanted.

    Raises:
        DataError: `training.samples.prime` is empty or has characters or words that the
            vocabulary lacks.
    """
    if config.training.samples is None:
        return []
    prompt = config.training.samples.prime
    if prompt is None:
        return [int(prepared.split("train")[0])]
    vocabulary = prepared.vocabulary
    beginning = vocabulary.opening(prompt)
    unseen = vocabulary.unseen(beginning)
    if unseen or not beginning:
        named = name_unseen(vocabulary, unseen)
        lacking = f"has {unit_of(vocabulary)} that the text lacks: {named}"
        found = lacking if beginning else "is empty"
        raise DataError(f"training.samples.prime {found}; choose another text or leave it out")
    return vocabulary.encode(beginning)


def write_samples(
    learner: "Learner",
    prompt: Sequence[int],
    samples: SamplesConfig,
    *,
    vocabulary: LanguageVocabulary,
    context: int | None,
    seed: tuple[int, int],
) -> list[Sample]:
    """Return one text per temperature, sampled side by side.

    Args:
        learner: the model.
        prompt: token ids to start from, at least one.
        samples: temperatures and length.
        vocabulary: turns ids into text.
        context: tokens seen at once by a model of sliding windows; None carries the state.
        seed: run seed and step, so that a resumed run writes the same samples.
    """
    generator = np.random.default_rng(seed)
    temperatures = np.array(samples.temperatures, np.float64)[:, None]
    rows = len(temperatures)
    ids = np.tile(np.array(prompt, np.int32), (rows, 1))
    states = learner.zero_states(rows)
    fed = ids if context is None else ids[:, -context:]
    for _ in range(samples.length):
        logits, new_states = learner.predict(fed, states)
        if vocabulary.unknown_id is not None:
            logits[:, vocabulary.unknown_id] = -np.inf
        # Adding Gumbel noise and taking the largest draws from the softmax (Gumbel 1954); the
        # noise is scaled instead of the logits, so that temperature 0 is greedy.
        noise = generator.gumbel(size=logits.shape)
        drawn = np.argmax(logits + temperatures * noise, axis=-1).astype(np.int32)[:, None]
        ids = np.concatenate([ids, drawn], axis=1)
        if context is None:
            fed, states = drawn, new_states
        else:
            fed = ids[:, -context:]
    return [
        Sample(temperature, vocabulary.decode([int(i) for i in row]))
        for temperature, row in zip(samples.temperatures, ids, strict=True)
    ]
