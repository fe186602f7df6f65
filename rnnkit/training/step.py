"""The compiled steps of training: one weight update, one scored batch, one prediction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnkit.config.training import TrainingConfig
from rnnkit.data.batches import Batch
from rnnkit.network.layers import draw_masks, keep_seeds_on_host, shard_values, use_kernel
from rnnkit.training.execution import Execution, ShardFunction
from rnnkit.training.objective import Objective, Sums
from rnnkit.training.optimizer import (
    WeightAverages,
    add_penalties,
    build_optimizer,
    clip_gradients,
)

States = Sequence[tf.Tensor]


@dataclass(frozen=True)
class Means:
    """Means over the updates of some interval; NaN or infinite once one of them was."""

    loss: float
    """Per target, as it is minimised (without penalties on weights)."""
    metrics: Mapping[str, float]
    """Per target, by the names of the objective."""
    gradient_norm: float
    """Per update, before clipping."""

    @property
    def is_finite(self) -> bool:
        """Whether every loss and gradient norm was."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


class Learner:
    """A model in training: its optimizer, averaged weights, running totals, compiled functions.

    `arrays` and `restore` move all of them to and from a checkpoint, so that a resumed run
    continues bit by bit: weights, optimizer slots, averages, totals, states of random streams.
    """

    def __init__(
        self,
        model: keras.Model,
        training: TrainingConfig,
        objective: Objective,
        *,
        execution: Execution,
        state_sizes: Sequence[int] = (),
    ) -> None:
        """`model` maps inputs and float32[batch, size] states to outputs and states; without
        states it maps inputs to outputs."""
        if execution.on_gpu:
            keep_seeds_on_host(model)
        use_kernel(model, on_gpu=execution.on_gpu, matmul_dtype=execution.matmul_dtype)
        self.model = model
        self.execution = execution
        self._training, self._objective = training, objective
        self._state_sizes = state_sizes
        # Any: Keras declares its optimizers' attributes for all backends at once.
        self._optimizer: Any = build_optimizer(training.optimizer)
        self._optimizer.build(model.trainable_variables)
        self.averages = WeightAverages(model.trainable_variables, training.weight_average)
        # Loss, metrics, targets, gradient norm, updates.
        totals = len(objective.metrics) + 4
        self._totals = [tf.Variable(tf.zeros((), tf.float64)) for _ in range(totals)]
        self._compile()

    def _compile(self) -> None:
        on_gpu, objective = self.execution.on_gpu, self._objective
        self._learn_shards = ShardFunction(self._learn_shard, on_gpu=on_gpu)
        self._score_shards = ShardFunction(self._score_shard, on_gpu=on_gpu)
        self._predict_shards = ShardFunction(self._predict_shard, on_gpu=on_gpu)
        states = [tf.TensorSpec((None, size), tf.float32) for size in self._state_sizes]
        batch = [objective.inputs, objective.targets, objective.weights, states]
        rate = tf.TensorSpec((), tf.float32)
        self._update = tf.function(self._update_eagerly, [*batch, rate])
        self._score = tf.function(self._score_eagerly, batch)
        self._predict = tf.function(self._predict_eagerly, [objective.inputs, states])

    # ------------------------------------------------------------------------------- updates

    def zero_states(self, batch_size: int) -> list[tf.Tensor]:
        """Return the recurrent states before the first step, float32[batch, units] each."""
        return [tf.zeros((batch_size, size)) for size in self._state_sizes]

    def update(self, batch: Batch, states: States, learning_rate: float) -> list[tf.Tensor]:
        """Make one weight update, add to the running totals, and return the final states."""
        rate = tf.constant(learning_rate, tf.float32)
        return self._update(batch.inputs, batch.targets, batch.weights, list(states), rate)

    def _update_eagerly(self, inputs, targets, weights, states, learning_rate):
        shards = self._divide(inputs, targets, weights, *states)
        results = self._learn_shards([(*s, *self._values(n)) for n, s in enumerate(shards)])
        sums, gradients, new_states, others = zip(*results, strict=True)
        sums = _add_sums(sums)
        for weight, value in zip(self.model.non_trainable_variables, others[-1], strict=True):
            weight.assign(value)
        means = [_add_gradients(each) / sums.targets for each in zip(*gradients, strict=True)]
        gradients = add_penalties(self.model, means)
        norm = tf.linalg.global_norm(gradients)
        gradients = clip_gradients(
            gradients,
            norm=norm,
            clip_norm=self._training.clip_norm,
            clip_value=self._training.clip_value,
        )
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(gradients, self.model.trainable_variables)
        draw_masks(self.model)
        self.averages.update(self._optimizer.iterations.value)
        added = (sums.loss, *sums.metrics, sums.targets, norm, 1.0)
        for total, value in zip(self._totals, added, strict=True):
            total.assign_add(tf.cast(value, tf.float64))
        return _join(new_states)

    def _learn_shard(self, inputs, targets, weights, *rest):
        """Sums, gradients of the summed loss, final states, untrained weights afterwards."""
        states, trained, others = self._sort(rest)
        with tf.GradientTape() as tape:
            tape.watch(trained)
            outputs, after, others = self._call(inputs, states, trained, others, training=True)
            sums = self._objective.measure(outputs, targets, weights, training=True)
        return tuple(sums), tape.gradient(sums.loss, trained), after, others

    @property
    def updates(self) -> int:
        """Weight updates made so far."""
        return int(self._optimizer.iterations.numpy())

    def has_cudnn(self) -> bool:
        """Whether an update is built with cuDNN's operators."""
        graph = self._update.get_concrete_function().graph
        return any(operator.type.startswith("CudnnRNN") for operator in graph.get_operations())

    # ------------------------------------------------------------------------ running totals

    def totals(self) -> tuple[float, ...]:
        """Return the sums since `reset_totals`: loss, metrics, targets, gradient norm, updates."""
        return tuple(float(total.numpy()) for total in self._totals)

    def means(self, since: Sequence[float] = ()) -> Means:
        """Return the means over the updates since `reset_totals`, or since it had the totals
        `since`."""
        totals = self.totals()
        loss, *sums, targets, norm, updates = (
            total - before
            for total, before in zip(totals, since or [0.0] * len(totals), strict=True)
        )
        counted = targets if targets > 0.0 else 1.0
        names = self._objective.metrics
        metrics = {name: value / counted for name, value in zip(names, sums, strict=True)}
        return Means(loss / counted, metrics, norm / max(updates, 1.0))

    def is_finite(self) -> bool:
        """Whether every loss and gradient norm since `reset_totals` was finite."""
        return self.means().is_finite

    def reset_totals(self) -> None:
        """Begin new means."""
        for total in self._totals:
            total.assign(0.0)

    # ---------------------------------------------------------------- evaluation and samples

    def score(self, batch: Batch, states: States) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return sums of loss, metrics and targets, float32[2 + metrics], and the final states."""
        return self._score(batch.inputs, batch.targets, batch.weights, list(states))

    def zero_sums(self) -> tf.Tensor:
        """Return what the sums of `score` are added to, float64[2 + metrics]."""
        return tf.zeros(len(self._objective.metrics) + 2, tf.float64)

    def mean_scores(self, sums: Any) -> dict[str, float]:
        """Return `loss` and the metrics by name from added sums of `score`."""
        *values, targets = map(float, np.asarray(sums))
        names = ("loss", *self._objective.metrics)
        return {name: value / targets for name, value in zip(names, values, strict=True)}

    def _score_eagerly(self, inputs, targets, weights, states):
        shards = self._divide(inputs, targets, weights, *states)
        results = self._score_shards([(*s, *self._values(n)) for n, s in enumerate(shards)])
        sums, new_states = zip(*results, strict=True)
        sums = _add_sums(sums)
        return tf.stack([sums.loss, *sums.metrics, sums.targets]), _join(new_states)

    def _score_shard(self, inputs, targets, weights, *rest):
        outputs, after, _ = self._call(inputs, *self._sort(rest), training=False)
        return tuple(self._objective.measure(outputs, targets, weights, training=False)), after

    def predict(
        self, inputs: np.ndarray, states: States = ()
    ) -> tuple[np.ndarray, list[tf.Tensor]]:
        """Return the outputs, float32[batch, outputs], after the last step where there are some
        for every step; and the final states. `inputs` are int32[batch, time] ids or numbers."""
        outputs, new_states = self._predict(inputs, list(states))
        return outputs.numpy(), new_states

    def _predict_eagerly(self, inputs, states):
        shards = self._divide(inputs, *states)
        results = self._predict_shards([(*s, *self._values(n)) for n, s in enumerate(shards)])
        outputs, new_states = zip(*results, strict=True)
        return tf.concat(outputs, axis=0), _join(new_states)

    def _predict_shard(self, inputs, *rest):
        outputs, after, _ = self._call(inputs, *self._sort(rest), training=False)
        return outputs[:, -1, :] if len(outputs.shape) == 3 else outputs, after

    # -------------------------------------------------------------------------------- shards

    def _divide(self, *tensors):
        """The rows of every tensor in as many slices as there are shards, shard by shard.

        The shards do not depend on each other, so they run side by side; each keeps to one core,
        which spares its operators the hand-over between threads.
        """
        count = self.execution.shards
        rows = tf.shape(tensors[0])[0]
        sizes = [(rows + count - 1 - number) // count for number in range(count)]
        return list(zip(*(tf.split(tensor, sizes) for tensor in tensors), strict=True))

    def _values(self, shard):
        """All weights, as the shard with this number has them."""
        trained = [weight.value for weight in self.model.trainable_variables]
        return [*trained, *shard_values(self.model, shard)]

    def _sort(self, tensors):
        """Arguments of a shard after the batch: states, trained weights, other weights."""
        states, trained = len(self._state_sizes), len(self.model.trainable_variables)
        return tensors[:states], tensors[states : states + trained], tensors[states + trained :]

    def _call(self, inputs, states, trained, others, *, training):
        """Outputs, final states and untrained weights; a model without states has one input and
        one output."""
        arguments = [inputs, *states] if states else inputs
        # Any: Keras declares the results without losses and with them as one.
        called: Any = self.model.stateless_call(trained, others, arguments, training=training)
        results, others = called
        outputs, *new_states = results if states else [results]
        return outputs, new_states, others

    # ------------------------------------------------------------------ weights and restoring

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set weights by name, such as `recurrent_0/kernel`; averages begin with them."""
        for layer in self.model.layers:
            for weight in layer.weights:
                if (value := weights.get(f"{layer.name}/{weight.name}")) is not None:
                    weight.assign(value)
        self.averages.restart()

    def _variables(self) -> dict[str, Any]:
        groups = {
            "model": self.model.variables,
            "optimizer": self._optimizer.variables,
            "average": self.averages.variables,
            "total": self._totals,
        }
        return {
            f"{group}/{index}": variable
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every variable by name, as NumPy arrays."""
        return {name: np.asarray(variable.numpy()) for name, variable in self._variables().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set every variable from `arrays`.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        for name, variable in self._variables().items():
            if name not in arrays or arrays[name].shape != tuple(variable.shape):
                found = arrays[name].shape if name in arrays else "nothing"
                raise ValueError(f"{name}: expected {tuple(variable.shape)}, found {found}")
            variable.assign(arrays[name])


def _add_sums(shards):
    """Sums over the shards, each a tuple of loss, metrics and targets."""
    losses, metrics, targets = zip(*shards, strict=True)
    added = tuple(tf.add_n(values) for values in zip(*metrics, strict=True))
    return Sums(tf.add_n(losses), added, tf.add_n(targets))


def _add_gradients(gradients):
    """Gradients of one weight over the shards; an embedding's has only the rows that were used."""
    if isinstance(gradients[0], tf.IndexedSlices):
        values = tf.concat([gradient.values for gradient in gradients], axis=0)
        indices = tf.concat([gradient.indices for gradient in gradients], axis=0)
        return tf.convert_to_tensor(tf.IndexedSlices(values, indices, gradients[0].dense_shape))
    return tf.add_n(gradients)


def _join(states):
    """The final states of all shards, one tensor for each."""
    return [tf.concat(shards, axis=0) for shards in zip(*states, strict=True)]
