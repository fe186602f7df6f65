"""Training of classifiers: one class for every text."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from rnnkit.data.batches import TextBatchPlan, evaluation_batches
from rnnkit.inference.decision import softmax
from rnnkit.inference.scores import WeightedScores, target_losses
from rnnkit.network.keras import build_training_model
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.records import Sample
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import PreparedTexts
from rnnkit.tasks.text_classification.network import classifier_network
from rnnkit.training.execution import Execution
from rnnkit.training.export import export_models
from rnnkit.training.objective import cross_entropy
from rnnkit.training.step import Learner

_EVALUATED_AT_ONCE = 256
"""Texts of a batch that is only scored; no activations are kept for a backward pass."""


class Classification:
    """What the loop needs of a classifier: batches, scores, models."""

    def __init__(
        self,
        config: ClassificationConfig,
        prepared: PreparedTexts,
        *,
        execution: Execution,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Build the network.

        Args:
            config: what is trained.
            prepared: the texts of `config`.
            execution: how it is computed.
            weights: replace random initial ones, by name, such as `recurrent_0/kernel`.
        """
        self._config, self._prepared = config, prepared
        self._initial_weights = weights or {}
        training = config.training
        self._train = prepared.split("train")
        self._plan = TextBatchPlan(
            lengths=self._train.lengths, batch_size=training.batch_size, seed=config.seed
        )
        self._class_weights = class_weights(config, prepared)
        self._spec = classifier_network(
            config.model,
            vocabulary_size=prepared.encoder.size,
            classes=len(prepared.classes),
            vector_size=None if prepared.vectors is None else prepared.vectors.shape[1],
        )
        self.batches_per_epoch = self._plan.batches_per_epoch
        self.chance_loss = math.log(max(2, len(prepared.classes)))
        self.learner = Learner(
            build_training_model(self._spec),
            training,
            cross_entropy(label_smoothing=training.label_smoothing),
            execution=execution,
        )

    def start(self) -> None:
        """Replace random initial weights where others are configured."""
        self.learner.set_weights(self._initial_weights)

    def update(self, epoch: int, index: int, learning_rate: float) -> int:
        """Make one weight update on batch `index` of `epoch`; returns the number of its tokens."""
        batch = self._plan.batch(self._train, epoch, index, self._class_weights)
        self.learner.update(batch, [], learning_rate)
        return int(np.count_nonzero(batch.inputs))

    def score(self, check_for_stop: Callable[[], None]) -> dict[str, float]:
        """Return the scores of the validation split by name; {} when nothing is held out.

        The loss is that of the texts as they are: without class weights and label smoothing.
        """
        texts = self._prepared.split("validation")
        if not len(texts):
            return {}
        logits = np.empty((len(texts), len(self._prepared.classes)), np.float32)
        for rows, ids in evaluation_batches(texts, _EVALUATED_AT_ONCE):
            check_for_stop()
            logits[rows], _ = self.learner.predict(ids)
        return classification_scores(logits, texts.labels)

    def describe(self, loss: float) -> dict[str, float]:
        """Return nothing: the loss of classes is given in nats only."""
        return {}

    def samples(self, step: int) -> tuple[Sample, ...]:
        """Return nothing: a classifier generates no text."""
        return ()

    def recurrent_state(self) -> dict[str, np.ndarray]:
        """Return nothing: every text begins with zero states."""
        return {}

    def restore_recurrent_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set nothing."""

    def export(self, run: RunDirectory) -> int:
        """Write the models of the best checkpoint; returns its step."""
        classes = list(self._prepared.classes)
        return export_models(run, self._spec, {"task": self._config.task, "classes": classes})


def class_weights(config: ClassificationConfig, prepared: PreparedTexts) -> np.ndarray | None:
    """float32[classes], inversely proportional to the classes' frequency with mean 1 over the
    training texts (King and Zeng 2001); None where all count the same."""
    if config.training.class_weights == "none":
        return None
    counts = np.bincount(prepared.split("train").labels, minlength=len(prepared.classes))
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def classification_scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return loss (nats per text), accuracy, balanced accuracy, macro F1 and ROC-AUC.

    Where the loss is not finite it is all; where some class has no text there is no ROC-AUC.

    Args:
        logits: float32[rows, classes].
        labels: int32[rows].
    """
    loss = float(target_losses(logits, labels.astype(np.int64)).mean())
    if not np.isfinite(loss):  # diverged: the loop goes back
        return {"loss": loss}
    classes = [str(code) for code in range(logits.shape[1])]
    scores = WeightedScores(
        softmax(logits), labels, logits.argmax(axis=1), classes, bins=1, positive=1
    )(np.ones(len(labels)))
    names = ["accuracy", "balanced_accuracy", "macro_f1"]
    if len(np.unique(labels)) == len(classes):
        names.append("roc_auc")
    return {"loss": loss, **{name: scores[name] for name in names}}
