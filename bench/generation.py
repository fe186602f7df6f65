"""How many characters a second `rnnkit generate` writes, beside others and beside the least time
that reading the weights takes.

    python -m bench.generation [--repeats 7] [--json]

One GRU layer of 256 with an embedding of 64 over 65 characters, random weights, the same on every
side; that their logits agree is checked before anything is timed. Each character is drawn from the
softmax. The sides take their turns one after the other, each in a process of its own:

    rnnkit           in Python: `generate`, the state carried along
    command          `rnnkit generate`, writing into a pipe, its start taken off
    keras_window     the loop of the classic tutorials: `Model.predict` of a window of 64 characters
                     that slides, once for each character
    keras_stateful   the same of one character, by a model that keeps its state
    tensorflow_step  one `tf.function` for a character, state and draw inside, as TensorFlow's own
                     tutorial of text generation has it
    torch            `torch.nn.GRU`, the state carried along, on one thread
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.measure import (
    Side,
    Worker,
    busy_beside,
    in_turns,
    machine,
    missing,
    ratios,
    rnnkit_command,
    rounded,
    seconds_of,
    spread,
    working,
)
from bench.start import EMBEDDING, UNITS, Weights, make_writer
from bench.training_sides import Task, torch_weights

CONTEXT = 64
"""Characters that the sliding window holds."""


class Writer(NamedTuple):
    """A model that writes."""

    logits: Callable[[np.ndarray], np.ndarray]
    """Of the last of the ids int[time], from a zero state: float32[vocabulary]."""
    write: Callable[[int], float]
    """Writes that many characters and returns the seconds."""


def rnnkit_writer(run: Path, weights: Weights) -> Writer:
    """What `rnnkit generate` does."""
    from rnnkit.inference.decoding import decode
    from rnnkit.inference.sampling import SamplingOptions
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.language_model.generate import read_prompt
    from rnnkit.tasks.language_model.model import load_language_model

    model = load_language_model(RunDirectory(run))
    prompt = read_prompt(model.vocabulary, "ROMEO:", unseen="skip")

    def logits(ids: np.ndarray) -> np.ndarray:
        found, _ = model.step(ids[np.newaxis].astype(np.int64), model.zero_states(1))
        return found[0, -1]

    def write(length: int) -> float:
        begin = time.perf_counter()
        for _ in decode(model, prompt, length=length, options=[SamplingOptions()]):
            pass
        return time.perf_counter() - begin

    return Writer(logits, write)


def keras_window(run: Path, weights: Weights) -> Writer:
    """The loop of the classic tutorials: `Model.predict` of a window that slides, for each
    character."""
    model = _keras_model(weights, batch_shape=(None, None))

    def logits(ids: np.ndarray) -> np.ndarray:
        return model.predict(ids[np.newaxis], verbose=0)[0, -1]

    def write(length: int) -> float:
        window = np.zeros((1, CONTEXT), np.int32)
        draw = np.random.default_rng(0)
        begin = time.perf_counter()
        for _ in range(length):
            chosen = _drawn(draw, model.predict(window, verbose=0)[0, -1])
            window = np.append(window[:, 1:], [[chosen]], axis=1)
        return time.perf_counter() - begin

    return Writer(logits, write)


def keras_stateful(run: Path, weights: Weights) -> Writer:
    """The same of one character, by a model that keeps its state."""
    model = _keras_model(weights, batch_shape=(1, None), stateful=True)

    def logits(ids: np.ndarray) -> np.ndarray:
        for layer in model.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()
        return model.predict(ids[np.newaxis], verbose=0)[0, -1]

    def write(length: int) -> float:
        chosen, draw = 0, np.random.default_rng(0)
        begin = time.perf_counter()
        for _ in range(length):
            read = np.array([[chosen]], np.int32)
            chosen = _drawn(draw, model.predict(read, verbose=0)[0, -1])
        return time.perf_counter() - begin

    return Writer(logits, write)


def tensorflow_step(run: Path, weights: Weights) -> Writer:
    """One compiled step with the state and the draw inside, as TensorFlow's own tutorial of text
    generation has it; its result stays a tensor until the end."""
    import keras
    import tensorflow as tf

    embedding = keras.layers.Embedding(*weights["embedding/embeddings"].shape)
    recurrent = keras.layers.GRU(UNITS, return_sequences=True, return_state=True)
    output = keras.layers.Dense(weights["logits/bias"].size)

    def call(ids: Any, state: Any) -> tuple[Any, Any]:
        y, state = recurrent(embedding(ids), initial_state=state)
        return output(y)[:, -1], state

    @tf.function(input_signature=[tf.TensorSpec((1, 1), tf.int32), tf.TensorSpec((1, UNITS))])
    def step(ids: Any, state: Any) -> tuple[Any, Any]:
        scores, state = call(ids, state)
        return tf.random.categorical(scores, 1, tf.int32), state

    call(np.zeros((1, 1), np.int32), np.zeros((1, UNITS), np.float32))
    values = list(weights.values())
    for layer in (embedding, recurrent, output):
        layer.set_weights([values.pop(0) for _ in layer.weights])

    def logits(ids: np.ndarray) -> np.ndarray:
        found, _ = call(ids[np.newaxis], tf.zeros((1, UNITS)))
        return np.asarray(found)[0]

    def write(length: int) -> float:
        ids, state = tf.zeros((1, 1), tf.int32), tf.zeros((1, UNITS))
        made = []
        begin = time.perf_counter()
        for _ in range(length):
            ids, state = step(ids, state)
            made.append(ids)
        tf.concat(made, axis=1).numpy()
        return time.perf_counter() - begin

    return Writer(logits, write)


def torch_loop(run: Path, weights: Weights) -> Writer:
    """`torch.nn` with the usual loop, on one thread: of so small products, two make it slower."""
    torch: Any = importlib.import_module("torch")  # an optional dependency
    nn = torch.nn
    torch.set_num_threads(1)
    size = weights["logits/bias"].size
    network = nn.ModuleDict(
        {
            "embedding": nn.Embedding(size, EMBEDDING),
            "recurrent": nn.GRU(EMBEDDING, UNITS),
            "logits": nn.Linear(UNITS, size),
        }
    )
    named = torch_weights(Task("gru", UNITS, 1, 1), weights)
    network.load_state_dict({name: torch.from_numpy(values) for name, values in named})

    def call(ids: Any, state: Any) -> tuple[Any, Any]:
        y, state = network["recurrent"](network["embedding"](ids), state)
        return network["logits"](y[-1]), state

    @torch.inference_mode()
    def logits(ids: np.ndarray) -> np.ndarray:
        found, _ = call(torch.from_numpy(ids.astype(np.int64)[:, np.newaxis]), None)
        return found[0].numpy()

    @torch.inference_mode()
    def write(length: int) -> float:
        ids, state = torch.zeros((1, 1), dtype=torch.int64), None
        begin = time.perf_counter()
        for _ in range(length):
            scores, state = call(ids, state)
            ids = torch.multinomial(torch.softmax(scores, -1), 1)
            ids.item()
        return time.perf_counter() - begin

    return Writer(logits, write)


def _keras_model(
    weights: Weights, *, batch_shape: tuple[int | None, ...], stateful: bool = False
) -> Any:
    """The network from stock Keras layers."""
    import keras

    size = weights["logits/bias"].size
    model = keras.Sequential(
        [
            keras.Input(batch_shape=batch_shape, dtype="int32"),
            keras.layers.Embedding(size, EMBEDDING),
            keras.layers.GRU(UNITS, return_sequences=True, stateful=stateful),
            keras.layers.Dense(size),
        ]
    )
    model.set_weights(list(weights.values()))
    return model


def _drawn(draw: np.random.Generator, logits: np.ndarray) -> int:
    """A character from the softmax of its logits, by the Gumbel-max trick (Gumbel 1954)."""
    return int((logits + draw.gumbel(size=logits.shape)).argmax())


SIDES = {
    "rnnkit": Side("rnnkit.tasks.language_model.generate", rnnkit_writer),
    "keras_window": Side("keras", keras_window),
    "keras_stateful": Side("keras", keras_stateful),
    "tensorflow_step": Side("keras", tensorflow_step),
    "torch": Side("torch", torch_loop),
}


SHORT, LONG = 200, 20_000
"""Characters of the two commands whose difference is the speed without the start."""
TURN_SECONDS = 1.0
WARM_UP = 10
TOLERANCE = 1e-3
"""How far apart logits may be."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="turns of every side")
    parser.add_argument("--turn", type=float, default=TURN_SECONDS, help="seconds of each, about")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, working(SIDES) as workers:
        run, weights = make_writer(Path(folder))
        found = measure(run, weights, workers, repeats=arguments.repeats, seconds=arguments.turn)
    document = {"machine": machine(), "left_out": missing(SIDES), **found}
    if arguments.json:
        print(json.dumps(document, indent=1))
        return
    print(f"{machine()}; {arguments.repeats} turns\n")
    print(f"{'':18}{'characters per second':>32}{'rnnkit is .. times as fast':>32}")
    for name, side in found["sides"].items():
        ratio = spread(found["rnnkit_over"][name], 2) if name in found["rnnkit_over"] else ""
        print(f"{name:18}{spread(side['characters_per_second'], 0):>32}{ratio:>32}")


def measure(
    run: Path, weights: Weights, workers: Mapping[str, Worker], *, repeats: int, seconds: float
) -> dict[str, Any]:
    """All figures, taken in turns."""
    for worker in workers.values():
        worker.start(run, weights)
    apart = logits_apart(workers, size=weights["logits/bias"].size)
    lengths = {}
    for name, worker in workers.items():
        worker.call("write", WARM_UP)
        pace = worker.call("write", WARM_UP) / WARM_UP
        lengths[name] = max(WARM_UP, round(seconds / pace))
    busy = busy_beside()

    def turn(name: str, worker: Worker) -> Any:
        match name:
            case "command":
                return command_rate(run)
            case _:
                return lengths[name] / worker.call("write", lengths[name])

    everyone = {**workers, "command": workers["rnnkit"]}
    rates = in_turns(everyone, repeats, turn)
    return {
        "repeats": repeats,
        "busy_beside": busy,
        "values": {
            "library_tokens_per_second": rates["rnnkit"],
            "command_tokens_per_second": rates["command"],
        },
        "sides": {
            name: {
                "characters_per_turn": lengths.get(name, LONG - SHORT),
                "characters_per_second": rounded(rates[name], 1),
                "logits_apart": apart.get(name, 0.0),
            }
            for name in rates
        },
        "rnnkit_over": {
            name: rounded(ratios(rates["rnnkit"], theirs), 3)
            for name, theirs in rates.items()
            if name not in ("rnnkit", "command")
        },
    }


def logits_apart(workers: Mapping[str, Worker], *, size: int) -> dict[str, float]:
    """The largest difference of each side's logits from rnnkit's, after 64 characters.

    Raises:
        SystemExit: a side computes something else.
    """
    ids = np.random.default_rng(0).integers(size, size=64).astype(np.int32)
    logits = {name: worker.call("logits", ids) for name, worker in workers.items()}
    apart = {name: float(np.abs(found - logits["rnnkit"]).max()) for name, found in logits.items()}
    wrong = [name for name, difference in apart.items() if difference > TOLERANCE]
    if wrong:
        raise SystemExit(f"logits of {', '.join(wrong)} are not those of rnnkit: {apart}")
    return apart


def command_rate(run: Path) -> float:
    """Characters per second of the command: of a long text without what a short one takes."""
    short, long = (
        seconds_of(
            rnnkit_command(
                "generate", run, "--seed", "ROMEO:", "--length", length, "--random-seed", 1
            )
        )
        for length in (SHORT, LONG)
    )
    return (LONG - SHORT) / (long - short)


if __name__ == "__main__":
    main()
