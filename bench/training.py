"""How fast weights are updated on a CPU: rnnkit, stock Keras and PyTorch, in turns.

    python -m bench.training [--full] [--cells gru lstm] [--sizes 256] [--batch 64] [--layers 1]
                             [--sides rnnkit keras] [--json]

Every side trains the same network (embedding of 64, recurrent layers, softmax layer) from the same
initial weights on the same windows of 64 characters of tinyshakespeare, with AdamW and gradients
clipped to norm 1, and carries the recurrent state from window to window. So the losses must agree,
to about four digits in float32 as long as training is not chaotic; hence the low learning rate.

    rnnkit          what `rnnkit train` does between two evaluations
    rnnkit_bf16     the same with `training.precision: bfloat16`
    keras           `Model.fit` with the options that it has by itself
    keras_unrolled  the same with layers that are not a loop (`unroll=True`)
    keras_xla       the same compiled by XLA (`jit_compile=True`), a SimpleRNN unrolled
    torch           `torch.nn` on all cores, fused AdamW
    torch_bf16      the same under `torch.autocast("cpu", torch.bfloat16)`

Each side lives in a process of its own and works only when asked to. A turn is the same number of
updates on every side; the sides take their turns one after the other, in an order that rotates,
and every ratio is of two turns of one round. Building, tracing and compiling, the first update
included, is "start", apart from the speed. GPUs are hidden from all sides. Keras and PyTorch have
the threads that they choose by themselves, one for each core, and PyTorch is not made to train the
second of two biases that Keras and rnnkit do not have.

By default every network has batches of 64, those of one layer of 256 batches of 32 too, and two
layers have 256 units. `--full`, or naming sizes, layers or batches, is every combination.

The machine has to be idle: PyTorch's threads wait for each other in turning loops, so that a
second program can make them ten times slower. What others use of the processors is measured
before every network, while all sides wait.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench.measure import (
    Worker,
    busy_beside,
    in_turns,
    machine,
    missing,
    ratios,
    rounded,
    spread,
    working,
)
from bench.training_sides import LENGTH, SIDES, Started, Task, Text, Turn

CELLS = ("simple_rnn", "lstm", "gru")
SIZES = (64, 128, 256, 512)
LAYERS = (1, 2)
BATCHES = (64, 32)
MIDDLE = 256
"""The size of networks of two layers, and of those with small batches."""
WARM_UP_STEPS = 2
TURN_SECONDS = 0.5
"""What a turn takes about, when the number of steps is not given."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every combination, not only the usual")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--sizes", nargs="+", type=int)
    parser.add_argument("--layers", nargs="+", type=int)
    parser.add_argument("--batch", nargs="+", type=int)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), metavar="SIDE")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every side")
    parser.add_argument(
        "--steps", type=int, help=f"updates per turn; about {TURN_SECONDS} s when not given"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    left_out = unavailable()
    sides = {
        name: side
        for name, side in SIDES.items()
        if name not in left_out and (name == "rnnkit" or name in arguments.sides)
    }
    sizes, layers, batches = arguments.sizes, arguments.layers, arguments.batch
    everything = bool(arguments.full or sizes or layers or batches)
    tasks = [
        Task(cell, units, count, batch)
        for batch in batches or BATCHES
        for cell in arguments.cells
        for count in layers or LAYERS
        for units in sizes or SIZES
        if everything or is_usual(units, count, batch)
    ]
    begin = time.perf_counter()
    rows = []
    with working(sides) as workers:
        for task in tasks:
            rows.append(measure(task, workers, repeats=arguments.repeats, steps=arguments.steps))
            print_row(rows[-1], file=sys.stderr if arguments.json else sys.stdout)
    document = {
        "machine": machine(),
        "window": LENGTH,
        "repeats": arguments.repeats,
        "seconds": round(time.perf_counter() - begin, 1),
        "left_out": left_out,
        "rows": rows,
    }
    if arguments.json:
        print(json.dumps(document, indent=1))
    else:
        print(f"\n{document['machine']}; {arguments.repeats} turns; {document['seconds']:.0f} s")
        for name, reason in left_out.items():
            print(f"{name}: left out, {reason}")


def unavailable() -> dict[str, str]:
    """Names of the sides that cannot be measured here, and why."""
    from rnnkit.errors import ConfigError

    found = missing(SIDES)
    try:
        Task("gru", MIDDLE, 1, BATCHES[0]).config(precision="bfloat16")
    except ConfigError:
        found["rnnkit_bf16"] = "this rnnkit has no training.precision: bfloat16"
    return found


def is_usual(units: int, layers: int, batch: int) -> bool:
    """Whether a network is measured without `--full`."""
    return units == MIDDLE if layers > 1 else batch == BATCHES[0] or units == MIDDLE


def measure(
    task: Task, workers: Mapping[str, Worker], *, repeats: int, steps: int | None
) -> dict[str, Any]:
    """All figures of a task: speeds in characters per second, and how often rnnkit's speed is
    that of each other side."""
    started: dict[str, Started] = {}
    for name, worker in workers.items():
        initial = started["rnnkit"].weights if started else None
        worker.start(task, initial)
        started[name] = worker.call("started")
    for worker in workers.values():
        worker.call("run", WARM_UP_STEPS)
    paces = [
        worker.call("run", WARM_UP_STEPS).seconds / WARM_UP_STEPS for worker in workers.values()
    ]
    most = (len(Text.of(task).batches) - 1 - 2 * WARM_UP_STEPS) // repeats
    steps = min(most, steps or max(3, round(TURN_SECONDS / statistics.mean(paces))))
    busy = busy_beside()
    turns: dict[str, list[Turn]] = in_turns(
        workers, repeats, lambda name, worker: worker.call("run", steps)
    )
    characters = steps * task.batch * LENGTH
    speeds = {name: [characters / turn.seconds for turn in turns[name]] for name in turns}
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
                "loss_above_rnnkit": round(turns[name][-1].loss - turns["rnnkit"][-1].loss, 5),
            }
            for name in turns
        },
        "rnnkit_over": over("rnnkit", speeds),
        "rnnkit_bf16_over": over("rnnkit_bf16", speeds) if "rnnkit_bf16" in speeds else {},
    }


def over(ours: str, speeds: Mapping[str, list[float]]) -> dict[str, Any]:
    """How often the speed of `ours` is that of every other side, turn by turn."""
    return {
        name: rounded(ratios(speeds[ours], theirs), 3)
        for name, theirs in speeds.items()
        if name != ours
    }


def print_row(row: dict[str, Any], *, file: Any) -> None:
    """One task, a line for every side."""
    busy = row["busy_beside"] or 0.0
    beside = f"; {busy:.0%} busy with other programs" if busy > 0.05 else ""
    print(
        f"\n{row['cell']} {row['units']} x {row['layers']}, batch {row['batch']}: "
        f"{row['steps_per_turn']} updates a turn, loss of the last after {row['updates']}"
        f"{beside}\n"
        f"{'':15}{'thousand characters/s':>28}{'rnnkit is .. times as fast':>28}"
        f"{'start, s':>10}{'loss':>9}",
        file=file,
    )
    for name, side in row["sides"].items():
        speed = spread(side["characters_per_second"], 1, 1e-3)
        ratio = spread(row["rnnkit_over"][name], 2) if name in row["rnnkit_over"] else ""
        start, loss = side["start_seconds"], side["loss_of_last_turn"]
        line = f"{name:15}{speed:>28}{ratio:>28}{start:>10.1f}{loss:>9.4f}"
        print(line, file=file, flush=True)


if __name__ == "__main__":
    main()
