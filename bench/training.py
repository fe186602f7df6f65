"""How fast weights are updated on a CPU: rnnkit, stock Keras and PyTorch, in turns.

    python bench/training.py [--cells gru lstm] [--sizes 256] [--batch 64] [--layers 1] [--json]

Every side trains the same network (embedding of 64, recurrent layers, softmax layer) from the same
initial weights on the same windows of 64 characters of tinyshakespeare, with AdamW and gradients
clipped to norm 1, and carries the recurrent state from window to window. So the losses must agree,
to about four digits in float32 as long as training is not chaotic; hence the low learning rate.

    rnnkit       `Learner.update`, driven as the training loop does
    keras        `Model.fit` with the options that it has by itself
    keras_xla    `Model.fit` of layers that XLA can compile (`use_cudnn=False, jit_compile=True`),
                 the fastest options of stock Keras that we know of
    torch        `torch.nn` on all cores, fused AdamW
    torch_bf16   the same under `torch.autocast("cpu", torch.bfloat16)`

Each side lives in a process of its own and works only when asked to. A turn is the same number of
updates on every side; the sides take their turns one after the other, in an order that rotates,
and every ratio is of two turns of one round. Building, tracing and compiling, the first update
included, is "start", apart from the speed. GPUs are hidden from all sides.

The machine has to be idle: PyTorch's threads wait for each other in turning loops, so that a
second program can make them ten times slower. What others use of the processors is measured
before every network, while all sides wait.
"""

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from generation import REPOSITORY, cores, machine, summarize
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rnnkit.config.schema import CharGenerationConfig
    from rnnkit.data.batches import Batch

LENGTH = 64
EMBEDDING = 64
DEEP_UNITS = 256
"""Models of more than one layer have this size."""
LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM = 5e-4, 0.01, 1.0
EPSILON = 1e-10
"""Of AdamW: so small that it does not matter that PyTorch adds it in another place."""
WARM_UP_STEPS = 2
TURN_SECONDS = 0.5
"""What a turn takes about, when the number of steps is not given."""

Weights = dict[str, NDArray[np.float32]]
"""`layer/weight` of Keras -> values, as `weights_by_name` has them."""


class Turn(NamedTuple):
    """Some updates."""

    seconds: float
    loss: float
    """Mean training loss of them, in nats per character."""


class Started(NamedTuple):
    """A model that has made one update."""

    seconds: float
    parameters: int
    weights: Weights
    """Before the update."""


class Model(NamedTuple):
    """What a side builds for a task."""

    run: Callable[[int], Turn]
    """Makes that many updates."""
    parameters: int
    weights: Weights


@dataclass(frozen=True)
class Task:
    """A model and the size of its batches."""

    cell: str
    units: int
    layers: int
    batch: int

    def config(self) -> "CharGenerationConfig":
        """As rnnkit has it; everything that is not named is off by default."""
        from rnnkit.config.schema import CharGenerationConfig

        text = REPOSITORY / "data" / "tinyshakespeare.txt"
        optimizer = {"name": "adamw", "weight_decay": WEIGHT_DECAY, "epsilon": EPSILON}
        sections = {
            "version": 1,
            "task": "char_generation",
            "data": {"path": str(text), "windows": {"kind": "stream", "length": LENGTH}},
            "model": {
                "cell": self.cell,
                "units": self.units,
                "layers": self.layers,
                "input": {"kind": "embedding", "size": EMBEDDING},
            },
            "training": {
                "batch_size": self.batch,
                "max_epochs": 1,
                "optimizer": optimizer,
                "clip_norm": CLIP_NORM,
            },
        }
        return CharGenerationConfig.model_validate_json(json.dumps(sections))


@dataclass(frozen=True)
class Text:
    """The batches of a task, all full, in order."""

    batches: tuple["Batch", ...]
    vocabulary_size: int

    @classmethod
    def of(cls, task: Task) -> "Text":
        """One pass over the training part."""
        from rnnkit.data.batches import BatchPlan
        from rnnkit.data.prepare import prepare

        config = task.config()
        prepared = prepare(config)
        ids = prepared.split("train")
        plan = BatchPlan(config.data.windows, len(ids), task.batch, 0)
        batches = (plan.batch(ids, 0, index) for index in range(plan.batches_per_epoch - 1))
        return cls(tuple(batches), prepared.vocabulary.size)


# ------------------------------------------------------------------------------------- sides


def rnnkit_model(task: Task, text: Text, weights: Weights | None) -> Model:
    """The training step of rnnkit; its initial weights are everyone's."""
    from rnnkit.model.build import build_training_model, state_sizes, weights_by_name
    from rnnkit.training.step import Learner, count_shards, set_up

    config = task.config()
    set_up(config.seed)
    learner = Learner(
        build_training_model(config.model, vocabulary_size=text.vocabulary_size, every_step=True),
        config.training,
        state_sizes=state_sizes(config.model),
        shards=count_shards(config.model, task.batch),
    )
    states = learner.zero_states(task.batch)
    batches = iter(text.batches)

    def run(steps: int) -> Turn:
        nonlocal states
        learner.reset_totals()
        begin = time.perf_counter()
        for _ in range(steps):
            states = learner.update(next(batches), states, LEARNING_RATE)
        loss = learner.totals().loss
        return Turn(time.perf_counter() - begin, loss)

    return Model(run, learner.model.count_params(), weights_by_name(learner.model))


def keras_model(task: Task, text: Text, weights: Weights | None, *, xla: bool = False) -> Model:
    """`Model.fit`; only its steps are timed, not what it does before and after them.

    Its losses differ in the fourth digit: Keras takes the norm of the embedding's gradient before
    it has added up the rows of the same character, so it clips otherwise.
    """
    import keras

    assert weights is not None
    keras.utils.clear_session()
    layer = {
        "simple_rnn": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }[task.cell]
    options = {"use_cudnn": False} if xla and task.cell != "simple_rnn" else {}
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
    inputs = np.concatenate([batch.inputs for batch in text.batches])
    targets = np.concatenate([batch.targets for batch in text.batches])
    position = 0

    def run(steps: int) -> Turn:
        nonlocal position
        times: list[float] = []
        rows = slice(position, position + steps * task.batch)
        position = rows.stop
        history = model.fit(
            inputs[rows],
            targets[rows],
            batch_size=task.batch,
            shuffle=False,
            verbose=0,  # type: ignore[arg-type]  # declared as a text
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_batch_begin=lambda batch, logs: times.append(time.perf_counter()),
                    on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()),
                )
            ],
        )
        return Turn(times[-1] - times[0], history.history["loss"][0])

    return Model(run, model.count_params(), weights)


def torch_model(task: Task, text: Text, weights: Weights | None, *, bf16: bool = False) -> Model:
    """`torch.nn` with the usual loop around it."""
    torch: Any = importlib.import_module("torch")  # an optional dependency
    nn = torch.nn
    assert weights is not None
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
    pairs = iter(
        [
            tuple(
                torch.from_numpy(np.ascontiguousarray(ids.T, dtype=np.int64))
                for ids in (batch.inputs, batch.targets)
            )
            for batch in text.batches
        ]
    )
    states: Any = None

    def run(steps: int) -> Turn:
        nonlocal states
        losses = []
        begin = time.perf_counter()
        for _ in range(steps):
            inputs, targets = next(pairs)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
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

    return Model(run, sum(values.numel() for values in parameters), weights)


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


@dataclass(frozen=True)
class Side:
    """One way to train."""

    package: str
    """What has to be installed, and is imported before anything is timed."""
    build: Callable[[Task, Text, Weights | None], Model]


SIDES = {
    "rnnkit": Side("rnnkit.training.step", rnnkit_model),
    "keras": Side("keras", keras_model),
    "keras_xla": Side("keras", partial(keras_model, xla=True)),
    "torch": Side("torch", torch_model),
    "torch_bf16": Side("torch", partial(torch_model, bf16=True)),
}

# ----------------------------------------------------------------------------------- workers


class Worker:
    """A side in a process of its own."""

    def __init__(self, side: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=serve, args=(side, theirs), daemon=True)
        process.start()
        theirs.close()

    def start(self, task: Task, weights: Weights | None) -> Started:
        """Build the model of `task`, in place of the one before, and make one update."""
        self._connection.send((task, weights))
        return self._connection.recv()

    def run(self, steps: int) -> Turn:
        """Make that many updates."""
        self._connection.send(steps)
        return self._connection.recv()


def serve(name: str, connection: Connection) -> None:
    """Answer a `Worker`, in its process, until it goes."""
    side = SIDES[name]
    importlib.import_module(side.package)
    model = None
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if isinstance(request, int):
            assert model is not None
            connection.send(model.run(request))
            continue
        task, weights = request
        text = Text.of(task)
        begin = time.perf_counter()
        model = side.build(task, text, weights)
        model.run(1)
        connection.send(Started(time.perf_counter() - begin, model.parameters, model.weights))


# ------------------------------------------------------------------------------- measurement


def measure(
    task: Task, workers: dict[str, Worker], *, repeats: int, steps: int | None
) -> dict[str, Any]:
    """All figures of a task: speeds in characters per second, and how often rnnkit's speed is
    that of each other side."""
    started: dict[str, Started] = {}
    for name, worker in workers.items():
        initial = started["rnnkit"].weights if started else None
        started[name] = worker.start(task, initial)
    for worker in workers.values():
        worker.run(WARM_UP_STEPS)
    most = (len(Text.of(task).batches) - 1 - 2 * WARM_UP_STEPS) // repeats
    paces = [worker.run(WARM_UP_STEPS).seconds / WARM_UP_STEPS for worker in workers.values()]
    busy = busy_beside()
    steps = min(most, steps or max(3, round(TURN_SECONDS / statistics.mean(paces))))
    turns: dict[str, list[Turn]] = {name: [] for name in workers}
    names = list(workers)
    for index in range(repeats):
        first = index % len(names)
        for name in names[first:] + names[:first]:
            turns[name].append(workers[name].run(steps))
    characters = steps * task.batch * LENGTH
    speeds = {name: [characters / turn.seconds for turn in turns[name]] for name in names}
    ratios = {
        name: [ours / theirs for ours, theirs in zip(speeds["rnnkit"], speeds[name], strict=True)]
        for name in names
        if name != "rnnkit"
    }
    return {
        "cell": task.cell,
        "units": task.units,
        "layers": task.layers,
        "batch": task.batch,
        "steps_per_turn": steps,
        "busy_beside": busy,
        "updates": 1 + 2 * WARM_UP_STEPS + repeats * steps,
        "sides": {
            name: {
                "parameters": started[name].parameters,
                "start_seconds": round(started[name].seconds, 3),
                "characters_per_second": rounded(speeds[name], 0),
                "loss_of_last_turn": round(turns[name][-1].loss, 5),
            }
            for name in names
        },
        "rnnkit_over": {name: rounded(values, 3) for name, values in ratios.items()},
    }


def busy_beside() -> float | None:
    """Part of the processors' time that others use while no side works; None where that is not
    known."""
    counters = Path("/proc/stat")
    if not counters.exists():
        return None

    def ticks() -> NDArray[np.int64]:
        first = counters.read_text().splitlines()[0]  # cpu user nice system idle iowait ..
        return np.array(first.split()[1:9], np.int64)

    before = ticks()
    time.sleep(0.3)
    spent = ticks() - before
    return round(1.0 - int(spent[3:5].sum()) / max(1, int(spent.sum())), 2)


def rounded(values: list[float], digits: int) -> dict[str, Any]:
    """Median, spread and the values themselves."""
    figures = {name: round(value, digits) for name, value in summarize(values).items()}
    return {**figures, "values": [round(value, digits) for value in values]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["simple_rnn", "lstm", "gru"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512])
    parser.add_argument("--batch", nargs="+", type=int, default=[32, 64])
    parser.add_argument(
        "--layers",
        nargs="+",
        type=int,
        default=[1, 2],
        help=f"more than one is measured with {DEEP_UNITS} units only",
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of every side")
    parser.add_argument(
        "--steps", type=int, help=f"updates per turn; about {TURN_SECONDS} s when not given"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    tasks = [
        Task(cell, units, layers, batch)
        for batch in arguments.batch
        for cell in arguments.cells
        for layers in arguments.layers
        for units in arguments.sizes
        if layers == 1 or units == DEEP_UNITS
    ]
    sys.path.insert(0, str(REPOSITORY))
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    missing = {
        name: f"{side.package} is not installed"
        for name, side in SIDES.items()
        if importlib.util.find_spec(side.package.partition(".")[0]) is None
    }
    workers = {name: Worker(name) for name in SIDES if name not in missing}
    begin = time.perf_counter()
    rows = []
    for task in tasks:
        row = measure(task, workers, repeats=arguments.repeats, steps=arguments.steps)
        rows.append(row)
        print_row(row, file=sys.stderr if arguments.json else sys.stdout)
    document = {
        "machine": machine(),
        "window": LENGTH,
        "repeats": arguments.repeats,
        "seconds": round(time.perf_counter() - begin, 1),
        "left_out": missing,
        "rows": rows,
    }
    if arguments.json:
        print(json.dumps(document, indent=1))
    else:
        print(f"\n{document['machine']}; {arguments.repeats} turns; {document['seconds']:.0f} s")
        for name, reason in missing.items():
            print(f"{name}: left out, {reason}")


def print_row(row: dict[str, Any], *, file: Any) -> None:
    """One task, a line for every side."""
    busy = row["busy_beside"] or 0.0
    beside = f"; {busy:.0%} busy with other programs" if busy > 0.05 else ""
    print(
        f"\n{row['cell']} {row['units']} x {row['layers']}, batch {row['batch']}: "
        f"{row['steps_per_turn']} updates a turn, loss of the last after {row['updates']}"
        f"{beside}\n"
        f"{'':12}{'thousand characters/s':>28}{'rnnkit is .. times as fast':>28}"
        f"{'start, s':>10}{'loss':>9}",
        file=file,
    )
    for name, side in row["sides"].items():
        speed = spread(side["characters_per_second"], 1e-3, 1)
        ratio = spread(row["rnnkit_over"][name], 1, 2) if name in row["rnnkit_over"] else ""
        start, loss = side["start_seconds"], side["loss_of_last_turn"]
        line = f"{name:12}{speed:>28}{ratio:>28}{start:>10.1f}{loss:>9.4f}"
        print(line, file=file, flush=True)


def spread(figures: dict[str, float], factor: float, digits: int) -> str:
    """`1.52 (1.50 to 1.55)`: median, lowest and highest."""
    median, lowest, highest = (
        f"{figures[name] * factor:,.{digits}f}" for name in ("median", "lowest", "highest")
    )
    return f"{median} ({lowest} to {highest})"


if __name__ == "__main__":
    main()
