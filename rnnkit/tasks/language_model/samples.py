"""Text written during training, by the model as it is at that step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnkit.errors import DataError
from rnnkit.runs.records import Sample
from rnnkit.tasks.language_model.config import LanguageConfig, SamplesConfig
from rnnkit.tasks.language_model.data import LanguageData
from rnnkit.text.vocabulary import Vocabulary

if TYPE_CHECKING:  # step.py imports TensorFlow; the prompt is checked before that
    from rnnkit.training.step import Learner


def sample_prompt(
    config: LanguageConfig, prepared: LanguageData
) -> tuple[list[int], tuple[str, ...]]:
    """Return the token ids that samples start from, none when no samples are wanted, and notes.

    A prompt that the vocabulary cannot express (the configuration of another text) is replaced by
    the first token of the training text, as without a prompt, and a note says so.

    Raises:
        DataError: the prompt is empty, as one of whitespace is to a model of words.
    """
    if config.training.samples is None:
        return [], ()
    first = [int(prepared.split("train")[0])]
    prompt = config.training.samples.prompt
    if prompt is None:
        return first, ()
    vocabulary = prepared.vocabulary
    beginning = vocabulary.opening(prompt)
    unseen = vocabulary.unseen(beginning)
    if beginning and not unseen:
        return vocabulary.encode(beginning), ()
    if not beginning:
        raise DataError("training.samples.prompt is empty; give another text or leave it out")
    return first, (
        f"training.samples.prompt has {vocabulary.unit} that the text lacks: "
        f"{vocabulary.name_units(unseen)}; samples start from the first token of the text instead.",
    )


def write_samples(
    learner: "Learner",
    prompt: Sequence[int],
    samples: SamplesConfig,
    *,
    vocabulary: Vocabulary,
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
