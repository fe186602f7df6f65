"""The compiled steps: one weight update, one evaluated batch, one step of sampling."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnkit.config.training import TrainingConfig
from rnnkit.data.batches import Batch
from rnnkit.network.layers import draw_masks, runs_on_gpu, shard_values, use_products
from rnnkit.network.seeds import keep_seeds_on_host
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.text_classification.config import ClassifierConfig
from rnnkit.training.environment import available_cores
from rnnkit.training.objective import Scores, target_scores
from rnnkit.training.optimizer import build_optimizer
from rnnkit.training.precision import choose_products
from rnnkit.training.shards import ShardFunction

States = Sequence[tf.Tensor]


@dataclass(frozen=True)
class Totals:
    """Means over the updates since `reset_totals`; NaN or infinite once one of them was."""

    loss: float
    """Nats per target, as it is minimised (without penalties on weights)."""
    accuracy: float
    """Share of the targets whose most probable value was the right one."""
    gradient_norm: float
    """Before clipping."""


class Learner:
    """What lives while training: the model, its optimizer, the averaged weights, the running
    totals, and the compiled functions over them.

    `arrays` and `restore` move all of it to and from a checkpoint, so that a resumed run goes on
    bit by bit: weights, optimizer slots, averages, totals, and the states of the random streams.
    """

    def __init__(
        self,
        model: keras.Model,
        training: TrainingConfig,
        *,
        state_sizes: Sequence[int] = (),
        shards: int,
        label_smoothing: float = 0.0,
    ) -> None:
        """`model` maps ids int32[batch, time] and states to logits and states; without states it
        maps ids to logits."""
        if runs_on_gpu():
            keep_seeds_on_host(model)
        self.model = model
        self.shards = shards
        self._training = training
        self._state_sizes = state_sizes
        self._label_smoothing = label_smoothing
        # Any: Keras declares its optimizers' attributes for all backends at once.
        self._optimizer: Any = build_optimizer(training.optimizer)
        self._optimizer.build(self.model.trainable_variables)
        self._averages = [tf.Variable(weight.value) for weight in self._averaged_variables()]
        self._totals = [tf.Variable(tf.zeros((), tf.float64)) for _ in range(5)]
        self.products, self.why_not_narrower = choose_products(training.precision)
        use_products(model, self.products)
        self._learn_shards = ShardFunction(self._learn_shard)
        self._score_shards = ShardFunction(self._score_shard)
        self._predict_shards = ShardFunction(self._predict_shard)
        states = [tf.TensorSpec((None, size), tf.float32) for size in self._state_sizes]
        ids = tf.TensorSpec((None, None), tf.int32)
        weights = tf.TensorSpec((None, None), tf.float32)
        rate = tf.TensorSpec((), tf.float32)
        self._update = tf.function(self._update_eagerly, [ids, ids, weights, states, rate])
        self._score = tf.function(self._score_eagerly, [ids, ids, weights, states])
        self._predict = tf.function(self._predict_eagerly, [ids, states])

    # ------------------------------------------------------------------------------ training

    def zero_states(self, batch_size: int) -> list[tf.Tensor]:
        """Hidden (and cell) states before the first token, float32[batch, units] each."""
        return [tf.zeros((batch_size, size)) for size in self._state_sizes]

    def update(self, batch: Batch, states: States, learning_rate: float) -> list[tf.Tensor]:
        """One weight update; returns the final states. Adds to the running totals."""
        rate = tf.constant(learning_rate, tf.float32)
        return self._update(batch.inputs, batch.targets, batch.weights, list(states), rate)

    def _update_eagerly(self, inputs, targets, weights, states, learning_rate):
        parts = self._divide(inputs, targets, weights, *states)
        results = self._learn_shards([(*part, *self._values(n)) for n, part in enumerate(parts)])
        scores, gradients, new_states, others = zip(*results, strict=True)
        scores = _sum_scores(scores)
        for weight, value in zip(self.model.non_trainable_variables, others[-1], strict=True):
            weight.assign(value)
        gradients = self._with_penalties(
            [_sum_gradients(shards) / scores.targets for shards in zip(*gradients, strict=True)]
        )
        norm = tf.linalg.global_norm(gradients)
        if self._training.clip_value is not None:
            limit = self._training.clip_value
            gradients = [tf.clip_by_value(g, -limit, limit) for g in gradients]
        if self._training.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._training.clip_norm)
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(gradients, self.model.trainable_variables)
        draw_masks(self.model)
        if self._training.weight_average is not None:
            self._average(self._training.weight_average)
        added = (scores.loss, scores.correct, scores.targets, norm, 1.0)
        for total, value in zip(self._totals, added, strict=True):
            total.assign_add(tf.cast(value, tf.float64))
        return _join(new_states)

    def _learn_shard(self, ids, targets, weights, *rest):
        """Scores, gradients of the summed loss, final states, and untrained weights afterwards."""
        states, trained, others = self._sort(rest)
        with tf.GradientTape() as tape:
            tape.watch(trained)
            logits, after, others = self._call(ids, states, trained, others, training=True)
            smoothing = self._label_smoothing
            scores = target_scores(logits, targets, weights, label_smoothing=smoothing)
        return tuple(scores), tape.gradient(scores.loss, trained), after, others

    def _with_penalties(self, gradients):
        """Gradients of the loss with those of the penalties on weights, where there are any."""
        with tf.GradientTape() as tape:
            penalties = self.model.losses
            total = tf.add_n([tf.zeros(()), *penalties])
        if not penalties:
            return gradients
        variables = [weight.value for weight in self.model.trainable_variables]
        zero = tf.UnconnectedGradients.ZERO
        added = tape.gradient(total, variables, unconnected_gradients=zero)
        return [loss + penalty for loss, penalty in zip(gradients, added, strict=True)]

    def _divide(self, *tensors):
        """The rows of every tensor in as many parts as there are shards, part by part.

        The shards do not depend on each other, so they run side by side; each keeps to one core,
        which spares its operators the hand-over between threads.
        """
        rows = tf.shape(tensors[0])[0]
        sizes = [(rows + self.shards - 1 - number) // self.shards for number in range(self.shards)]
        return list(zip(*(tf.split(tensor, sizes) for tensor in tensors), strict=True))

    def _values(self, shard):
        """All weights, as the shard with this number has them."""
        trained = [weight.value for weight in self.model.trainable_variables]
        return [*trained, *shard_values(self.model, shard)]

    def _sort(self, tensors):
        """What comes after the batch among the arguments of a shard: states, then weights."""
        states, trained = len(self._state_sizes), len(self.model.trainable_variables)
        return tensors[:states], tensors[states : states + trained], tensors[states + trained :]

    def _call(self, ids, states, trained, others, *, training):
        """Logits, final states and untrained weights; a model without states has one input and
        one output."""
        inputs = [ids, *states] if states else ids
        # Any: Keras declares what it gives without losses and with them as one.
        called: Any = self.model.stateless_call(trained, others, inputs, training=training)
        outputs, others = called
        logits, *new_states = outputs if states else [outputs]
        return logits, new_states, others

    def _average(self, decay: float) -> None:
        # The first averages would be mostly initial weights: the decay rises as
        # (1 + step) / (10 + step) up to its value, as in tf.train.ExponentialMovingAverage.
        step = tf.cast(self._optimizer.iterations.value, tf.float32)
        decay = tf.minimum(decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self._averages, self._averaged_variables(), strict=True):
            average.assign(decay * average + (1.0 - decay) * weight.value)

    def totals(self) -> Totals:
        """What the updates since the last `reset_totals` came to."""
        loss, correct, targets, norm, steps = (float(total.numpy()) for total in self._totals)
        counted = targets if targets > 0.0 else 1.0
        return Totals(loss / counted, correct / counted, norm / max(steps, 1.0))

    def runs_cudnn(self) -> bool:
        """Whether an update is built with cuDNN's operators."""
        graph = self._update.get_concrete_function().graph
        return any(operator.type.startswith("CudnnRNN") for operator in graph.get_operations())

    @property
    def updates(self) -> int:
        """Weight updates made so far."""
        return int(self._optimizer.iterations.numpy())

    def is_finite(self) -> bool:
        """Whether every loss and gradient norm since the last `reset_totals` was."""
        totals = self.totals()
        return math.isfinite(totals.loss) and math.isfinite(totals.gradient_norm)

    def reset_totals(self) -> None:
        """Begin new means."""
        for total in self._totals:
            total.assign(0.0)

    # ---------------------------------------------------------------- evaluation and samples

    def score(self, batch: Batch, states: States) -> tuple[np.ndarray, list[tf.Tensor]]:
        """Sums of loss, hits and targets as float32[3], and the final states."""
        return self._score(batch.inputs, batch.targets, batch.weights, list(states))

    def _score_eagerly(self, inputs, targets, weights, states):
        parts = self._divide(inputs, targets, weights, *states)
        results = self._score_shards([(*part, *self._values(n)) for n, part in enumerate(parts)])
        scores, new_states = zip(*results, strict=True)
        return tf.stack(_sum_scores(scores)), _join(new_states)

    def _score_shard(self, ids, targets, weights, *rest):
        logits, after, _ = self._call(ids, *self._sort(rest), training=False)
        return tuple(target_scores(logits, targets, weights)), after

    def logits(self, ids: np.ndarray, states: States = ()) -> tuple[np.ndarray, list[tf.Tensor]]:
        """Logits of ids int32[batch, time], float32[batch, outputs], after the last token where
        there are some for every token; and the final states."""
        logits, new_states = self._predict(ids, list(states))
        return logits.numpy(), new_states

    def _predict_eagerly(self, ids, states):
        parts = self._divide(ids, *states)
        results = self._predict_shards([(*part, *self._values(n)) for n, part in enumerate(parts)])
        logits, new_states = zip(*results, strict=True)
        return tf.concat(logits, axis=0), _join(new_states)

    def _predict_shard(self, ids, *rest):
        logits, after, _ = self._call(ids, *self._sort(rest), training=False)
        return logits[:, -1, :] if len(logits.shape) == 3 else logits, after

    # ------------------------------------------------------------------ weights and restoring

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Let the model have the averaged weights inside the `with`, where they are wanted."""
        self._swap_averages()
        try:
            yield
        finally:
            self._swap_averages()

    def _swap_averages(self) -> None:
        for average, weight in zip(self._averages, self._averaged_variables(), strict=True):
            current = tf.identity(weight.value)
            weight.assign(average)
            average.assign(current)

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set weights by name, such as `recurrent_0/kernel`; averages begin with them."""
        for layer in self.model.layers:
            for weight in layer.weights:
                if (value := weights.get(f"{layer.name}/{weight.name}")) is not None:
                    weight.assign(value)
        for average, weight in zip(self._averages, self._averaged_variables(), strict=True):
            average.assign(weight.value)

    def _averaged_variables(self) -> list[keras.Variable]:
        return self.model.trainable_variables if self._training.weight_average else []

    def _variables(self) -> dict[str, Any]:
        groups = {
            "model": self.model.variables,
            "optimizer": self._optimizer.variables,
            "average": self._averages,
            "total": self._totals,
        }
        return {
            f"{group}/{index}": variable
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Every variable by name, as NumPy arrays."""
        return {name: np.asarray(variable.numpy()) for name, variable in self._variables().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Set every variable from `arrays`.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        for name, variable in self._variables().items():
            if name not in arrays or arrays[name].shape != tuple(variable.shape):
                found = arrays[name].shape if name in arrays else "nothing"
                raise ValueError(f"{name}: expected {tuple(variable.shape)}, found {found}")
            variable.assign(arrays[name])


def _sum_scores(scores):
    return Scores(*(tf.add_n(values) for values in zip(*scores, strict=True)))


def _sum_gradients(gradients):
    """Of one weight, over the shards; that of an embedding holds only the rows that were used."""
    if isinstance(gradients[0], tf.IndexedSlices):
        values = tf.concat([gradient.values for gradient in gradients], axis=0)
        indices = tf.concat([gradient.indices for gradient in gradients], axis=0)
        return tf.convert_to_tensor(tf.IndexedSlices(values, indices, gradients[0].dense_shape))
    return tf.add_n(gradients)


def _join(states):
    """The final states of all shards, one tensor for each."""
    return [tf.concat(shards, axis=0) for shards in zip(*states, strict=True)]


_LEAST_ROWS = 8
"""Rows of a batch that are worth a shard of their own."""


def count_shards(model: LanguageModelConfig | ClassifierConfig, batch_size: int) -> int:
    """In how many parts a batch is computed side by side: one per core of a CPU.

    Batch normalisation needs the whole batch in one piece, and a GPU wants it so.
    """
    if runs_on_gpu() or model.normalization == "batch":
        return 1
    return max(1, min(available_cores(), batch_size // _LEAST_ROWS))


def set_up(seed: int) -> None:
    """Seed every generator; on a CPU, give each operator one thread and ask for operators that
    repeat bit by bit. Before anything is computed."""
    keras.utils.set_random_seed(seed)
    # On a GPU some of the operators have no repeatable form and would raise.
    if not runs_on_gpu():
        # TensorFlow fixes its threads at its first operator. A program that has used it before
        # keeps those it has, which is slower, not wrong.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(available_cores())
        tf.config.experimental.enable_op_determinism()
