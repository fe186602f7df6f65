"""Training of language models: every token from those before it."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from rnnkit.data.batches import BatchPlan
from rnnkit.data.text_counts import TextCounts, count_text
from rnnkit.network.keras import build_training_model
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.records import Sample
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.data import LanguageData, windows_of
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.language_model.samples import write_samples
from rnnkit.training.execution import Execution
from rnnkit.training.export import export_models
from rnnkit.training.objective import cross_entropy
from rnnkit.training.step import Learner


class LanguageModelling:
    """What the loop needs of a language model: batches, recurrent states, scores, samples."""

    def __init__(
        self,
        config: LanguageConfig,
        prepared: LanguageData,
        *,
        execution: Execution,
        prompt: Sequence[int] = (),
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Build the network.

        Args:
            config: what is trained.
            prepared: the text of `config`.
            execution: how it is computed.
            prompt: ids that samples begin with.
            weights: replace random initial ones, by name, such as `recurrent_0/kernel`.
        """
        self._config, self._prepared = config, prepared
        self._prompt, self._initial_weights = prompt, weights or {}
        self._ids = prepared.split("train")
        self._plan = BatchPlan(
            windows=windows_of(config),
            tokens=len(self._ids),
            batch_size=config.training.batch_size,
            seed=config.seed,
        )
        self._context = windows_of(config).context
        self._spec = language_network(
            config.model,
            vocabulary_size=prepared.vocabulary.size,
            vector_size=None if prepared.vectors is None else prepared.vectors.shape[1],
            every_step=self._context is None,
        )
        self.batches_per_epoch = self._plan.batches_per_epoch
        self.chance_loss = math.log(max(2, prepared.vocabulary.size))
        self.learner = Learner(
            build_training_model(self._spec),
            config.training,
            cross_entropy(),
            execution=execution,
            state_sizes=[state.units for state in self._spec.states],
        )
        self._states = self.learner.zero_states(config.training.batch_size)

    def start(self) -> None:
        """Replace random initial weights by those that are given, and by pretrained vectors."""
        self.learner.set_weights(self._initial_weights)

    def update(self, epoch: int, index: int, learning_rate: float) -> int:
        """One weight update on batch `index` of `epoch`, after the states of the one before.

        Returns the number of targets."""
        batch = self._plan.batch(self._ids, epoch, index)
        if batch.starts_stream:
            self._states = self.learner.zero_states(self._config.training.batch_size)
        self._states = self.learner.update(batch, self._states, learning_rate)
        return int(batch.weights.sum())

    def score(self, check_for_stop: Callable[[], None]) -> dict[str, float]:
        """Return loss (nats per token) and accuracy on the validation split, on as many streams
        as the text fills; {} when nothing is held out."""
        ids = self._prepared.split("validation")
        if not len(ids):
            return {}
        windows = windows_of(self._config)
        streams = self._config.training.batch_size
        if windows.kind == "stream":
            streams = min(streams, max(1, (len(ids) - 1) // windows.length))
        plan = BatchPlan(windows=windows, tokens=len(ids), batch_size=streams, seed=0)
        # Added up where they are computed: reading them would make a GPU wait at every batch.
        sums, states = self.learner.zero_sums(), self.learner.zero_states(streams)
        for index in range(plan.batches_per_epoch):
            check_for_stop()
            batch = plan.batch(ids, 0, index)
            if batch.starts_stream:
                states = self.learner.zero_states(streams)
            scores, states = self.learner.score(batch, states)
            sums += tf.cast(scores, tf.float64)
        return self.learner.mean_scores(sums)

    def describe(self, loss: float) -> dict[str, float]:
        """The loss in other units: bits per character, and where tokens are not those, the
        perplexity per word. Both count as `rnnkit evaluate` does."""
        extent = self._extent
        units = {"bits_per_character": loss / math.log(2.0) * extent.tokens / extent.characters}
        if self._config.task == "word_generation" and extent.words:
            # Finite even where a word costs more nats than a number can hold.
            nats = min(loss * extent.tokens / extent.words, 700.0)
            units["perplexity_per_word"] = math.exp(nats)
        return units

    @cached_property
    def _extent(self) -> TextCounts:
        """That of the text that is scored."""
        validation = self._prepared.split("validation")
        ids = validation if len(validation) else self._ids
        return count_text(self._prepared.vocabulary, ids)

    def samples(self, step: int) -> list[Sample]:
        """Return texts generated at this step, where they are wanted."""
        if self._config.training.samples is None:
            return []
        return write_samples(
            self.learner,
            self._prompt,
            self._config.training.samples,
            vocabulary=self._prepared.vocabulary,
            context=self._context,
            seed=(self._config.seed, step),
        )

    def recurrent_state(self) -> dict[str, np.ndarray]:
        """Return the final states of the last batch, for a checkpoint."""
        return {f"state/{i}": state.numpy() for i, state in enumerate(self._states)}

    def restore_recurrent_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set them; raises KeyError when one is missing."""
        self._states = [tf.constant(arrays[f"state/{index}"]) for index in range(len(self._states))]

    def export(self, run: RunDirectory) -> int:
        """Write the models of the best checkpoint; returns its step."""
        metadata = {
            "task": self._config.task,
            "context": self._context,
            "generation": self._config.generation.model_dump(mode="json"),
        }
        return export_models(run, self._spec, metadata)
