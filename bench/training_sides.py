"""The ways to train that `training.py` compares."""

import importlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.measure import REPOSITORY, Side, cores

if TYPE_CHECKING:
    from rnnkit.data.batches import Batch
    from rnnkit.tasks.language_model.config import CharGenerationConfig

LENGTH = 64
EMBEDDING = 64
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 5e-4, 0.01, 1.0
EPSILON = 1e-10
"""Of AdamW: so small that it does not matter that PyTorch adds it in another place."""

Weights = Mapping[str, NDArray[np.float32]]
"""`layer/weight` of Keras -> values, as `weights_by_name` has them, in the order of the model."""


class Turn(NamedTuple):
    """Some updates."""

    seconds: float
    loss: float
    """Mean training loss of them, in nats per character."""


class Started(NamedTuple):
    """A model that has made one update."""

    seconds: float
    """What building, tracing and compiling took, the update included."""
    parameters: int
    weights: Weights
    """Before the update."""


class Trainer(NamedTuple):
    """What a side builds for a task."""

    started: Callable[[], Started]
    run: Callable[[int], Turn]
    """Makes that many updates."""


@dataclass(frozen=True)
class Task:
    """A model and the size of its batches."""

    cell: str
    units: int
    layers: int
    batch: int

    def config(self, *, precision: str = "float32") -> "CharGenerationConfig":
        """As rnnkit has it; everything that is not named is off by default.

        Raises:
            ConfigError: rnnkit knows no such precision.
        """
        from rnnkit.tasks.language_model.config import CharGenerationConfig
        from rnnkit.tasks.task import parse_config

        optimizer = {"name": "adamw", "weight_decay": WEIGHT_DECAY, "epsilon": EPSILON}
        sections = {
            "version": 1,
            "task": "char_generation",
            "data": {
                "path": "data/tinyshakespeare.txt",
                "windows": {"kind": "stream", "length": LENGTH},
            },
            "model": {
                "cell": self.cell,
                "units": self.units,
                "layers": self.layers,
                "input": {"kind": "embedding", "size": EMBEDDING},
            },
            "training": {
                "batch_size": self.batch,
                "max_epochs": 1,
                "precision": precision,
                "optimizer": optimizer,
                "clip_norm": CLIP_NORM,
            },
        }
        config = parse_config(json.dumps(sections), source=__file__, base=REPOSITORY)
        assert isinstance(config, CharGenerationConfig)
        return config


@dataclass(frozen=True)
class Text:
    """The batches of a task, all full, in order."""

    batches: tuple["Batch", ...]
    vocabulary_size: int

    @classmethod
    def of(cls, task: Task) -> "Text":
        """One pass over the training part."""
        from rnnkit.data.batches import BatchPlan
        from rnnkit.tasks.language_model.data import prepare, windows_of

        config = task.config()
        prepared = prepare(config)
        ids = prepared.split("train")
        plan = BatchPlan(windows_of(config), len(ids), task.batch, 0)
        batches = (plan.batch(ids, 0, index) for index in range(plan.batches_per_epoch - 1))
        return cls(tuple(batches), prepared.vocabulary.size)


def rnnkit_trainer(task: Task, weights: Weights | None, *, precision: str = "float32") -> Trainer:
    """What `rnnkit train` does between two evaluations; without `weights` it begins with its own
    random ones."""
    from rnnkit.network.keras import weights_by_name
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.language_model.objective import LanguageModelling
    from rnnkit.training.execution import choose_execution, set_up

    config = task.config(precision=precision)
    prepared = prepare(config)
    begin = time.perf_counter()
    execution = choose_execution(
        precision=config.training.precision, batch_size=config.training.batch_size
    )
    set_up(config.seed, execution)
    subject = LanguageModelling(config, prepared, execution=execution)
    learner = subject.learner
    if weights is not None:
        for layer in learner.model.layers:
            layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    initial = weights_by_name(learner.model)
    index = 0

    def run(steps: int) -> Turn:
        nonlocal index
        learner.reset_totals()
        begin = time.perf_counter()
        for _ in range(steps):
            subject.update(0, index, LEARNING_RATE)
            index += 1
        loss = learner.means().loss
        return Turn(time.perf_counter() - begin, loss)

    return _started(begin, run, learner.model.count_params(), initial)


def keras_trainer(
    task: Task, weights: Weights, *, unroll: bool = False, xla: bool = False
) -> Trainer:
    """`Model.fit`; only its steps are timed, not what it does before and after them.

    XLA gets the unrolled loop of a SimpleRNN, which makes that faster. Of the other cells that
    would compile for minutes and then be slower.

    Its losses differ in the fourth digit: Keras takes the norm of the embedding's gradient before
    it has added up the rows of the same character, so it clips otherwise.
    """
    import keras

    text = Text.of(task)
    inputs = np.concatenate([batch.inputs for batch in text.batches])
    targets = np.concatenate([batch.targets for batch in text.batches])
    begin = time.perf_counter()
    keras.utils.clear_session()
    layer = {
        "simple_rnn": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }[task.cell]
    options = {"unroll": unroll}
    match xla, task.cell:
        case True, "simple_rnn":
            options["unroll"] = True
        case True, _:  # what these layers ask the device about cannot be compiled
            options["use_cudnn"] = False
    model = keras.Sequential([keras.Input(batch_shape=(task.batch, LENGTH), dtype="int32")])
    model.add(keras.layers.Embedding(text.vocabulary_size, EMBEDDING))
    for _ in range(task.layers):
        model.add(layer(task.units, return_sequences=True, stateful=True, **options))
    model.add(keras.layers.Dense(text.vocabulary_size))
    model.compile(
        optimizer=keras.optimizers.AdamW(
            LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            epsilon=EPSILON,
            global_clipnorm=CLIP_NORM,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True if xla else "auto",  # type: ignore[arg-type]  # declared as a text
    )
    model.set_weights(list(weights.values()))
    position = 0

    def run(steps: int) -> Turn:
        nonlocal position
        rows = slice(position, position + steps * task.batch)
        position = rows.stop
        times: list[float] = []
        # Neither of the two makes `fit` wait for its updates one by one, as `on_train_batch_end`
        # would.
        clock = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: times or times.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()),
        )
        history = model.fit(
            inputs[rows],
            targets[rows],
            batch_size=task.batch,
            shuffle=False,
            verbose=0,  # type: ignore[arg-type]  # declared as a text
            callbacks=[clock],
        )
        return Turn(times[1] - times[0], history.history["loss"][0])

    return _started(begin, run, model.count_params(), weights)


def torch_trainer(task: Task, weights: Weights, *, bfloat16: bool = False) -> Trainer:
    """`torch.nn` with the usual loop around it."""
    torch: Any = importlib.import_module("torch")  # an optional dependency
    nn = torch.nn
    text = Text.of(task)
    pairs = iter(
        [
            tuple(
                torch.from_numpy(np.ascontiguousarray(ids.T, dtype=np.int64))
                for ids in (batch.inputs, batch.targets)
            )
            for batch in text.batches
        ]
    )
    begin = time.perf_counter()
    torch.set_num_threads(cores())
    layer = {"simple_rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[task.cell]
    embedding = nn.Embedding(text.vocabulary_size, EMBEDDING)
    recurrent = layer(EMBEDDING, task.units, num_layers=task.layers)
    logits = nn.Linear(task.units, text.vocabulary_size)
    network = nn.ModuleDict({"embedding": embedding, "recurrent": recurrent, "logits": logits})
    network.load_state_dict(
        {name: torch.from_numpy(values) for name, values in torch_weights(task, weights)}
    )
    if task.cell != "gru":  # its second bias would only double the steps of the first
        for index in range(task.layers):
            getattr(recurrent, f"bias_hh_l{index}").requires_grad_(False)
    parameters = [values for values in network.parameters() if values.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY, eps=EPSILON, fused=True
    )
    states: Any = None

    def run(steps: int) -> Turn:
        nonlocal states
        losses = []
        begin = time.perf_counter()
        for _ in range(steps):
            inputs, targets = next(pairs)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                outputs, states = recurrent(embedding(inputs), states)
                scores = logits(outputs)
            loss = nn.functional.cross_entropy(scores.flatten(0, 1).float(), targets.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
            optimizer.step()
            states = torch.utils._pytree.tree_map(torch.Tensor.detach, states)
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        return Turn(time.perf_counter() - begin, mean)

    return _started(begin, run, sum(values.numel() for values in parameters), weights)


def torch_weights(task: Task, weights: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Weights of Keras under the names and in the layout of `torch.nn`.

    PyTorch has gates by rows, GRU's as reset, update, new, and two biases for every cell.
    """
    order = {"simple_rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}[task.cell]

    def by_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        gates = np.split(matrix, len(order), axis=-1)
        return np.ascontiguousarray(np.concatenate([gates[gate] for gate in order], axis=-1).T)

    yield "embedding.weight", weights["embedding/embeddings"]
    for index in range(task.layers):
        bias = weights[f"recurrent_{index}/bias"]
        biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        yield f"recurrent.weight_ih_l{index}", by_rows(weights[f"recurrent_{index}/kernel"])
        yield (
            f"recurrent.weight_hh_l{index}",
            by_rows(weights[f"recurrent_{index}/recurrent_kernel"]),
        )
        yield f"recurrent.bias_ih_l{index}", by_rows(biases[0])
        yield f"recurrent.bias_hh_l{index}", by_rows(biases[1])
    yield "logits.weight", np.ascontiguousarray(weights["logits/kernel"].T)
    yield "logits.bias", weights["logits/bias"]


def _started(
    begin: float, run: Callable[[int], Turn], parameters: int, weights: Weights
) -> Trainer:
    """A trainer that has made its first update."""
    run(1)
    started = Started(time.perf_counter() - begin, parameters, weights)
    return Trainer(lambda: started, run)


SIDES = {
    "rnnkit": Side("rnnkit.tasks.language_model.objective", rnnkit_trainer),
    "rnnkit_bf16": Side(
        "rnnkit.tasks.language_model.objective", partial(rnnkit_trainer, precision="bfloat16")
    ),
    "keras": Side("keras", keras_trainer),
    "keras_unrolled": Side("keras", partial(keras_trainer, unroll=True)),
    "keras_xla": Side("keras", partial(keras_trainer, xla=True)),
    "torch": Side("torch", torch_trainer),
    "torch_bf16": Side("torch", partial(torch_trainer, bfloat16=True)),
}
