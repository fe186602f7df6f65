"""What a measurement ran on, and how idle that was."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("tensorflow", "keras", "onnxruntime", "numpy", "torch")


def machine() -> str:
    """Processor and cores that this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{model}, {cores()} cores, Python {platform.python_version()}"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def busy_beside(seconds: float = 0.3) -> float | None:
    """Part of the processors' time that others use while this process sleeps; None where that is
    not known."""
    counters = Path("/proc/stat")
    if not counters.exists():
        return None

    def ticks() -> NDArray[np.int64]:
        first = counters.read_text().splitlines()[0]  # cpu user nice system idle iowait ..
        return np.array(first.split()[1:9], np.int64)

    before = ticks()
    time.sleep(seconds)
    spent = ticks() - before
    return round(1.0 - int(spent[3:5].sum()) / max(1, int(spent.sum())), 2)


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Median and spread."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def rounded(values: Sequence[float], digits: int) -> dict[str, Any]:
    """Median, spread and the values themselves."""
    figures = {name: round(value, digits) for name, value in summarize(values).items()}
    return {**figures, "values": [round(value, digits) for value in values]}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, how often theirs goes into ours."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def spread(figures: Mapping[str, float], digits: int, factor: float = 1.0) -> str:
    """`1.52 (1.50 to 1.55)`: median, lowest and highest."""
    median, lowest, highest = (
        f"{figures[name] * factor:,.{digits}f}" for name in ("median", "lowest", "highest")
    )
    return f"{median} ({lowest} to {highest})"


Results = dict[str, Any]


class NotMeasuredError(Exception):
    """The results lack something."""


def read_results() -> Results:
    """The figures that the documentation quotes."""
    return json.loads((REPOSITORY / "bench" / "results.json").read_text("utf-8"))


def part(results: Results, *path: str | int) -> Any:
    """`results[path[0]][path[1]]..`

    Raises:
        NotMeasuredError: there is no such thing.
    """
    found: Any = results
    for key in path:
        try:
            found = found[key]
        except (KeyError, IndexError) as error:
            raise NotMeasuredError(".".join(map(str, path))) from error
    return found


REPOSITORY = Path(__file__).resolve().parents[1]


def rnnkit_command(*arguments: object) -> list[str]:
    """The command a user would type, for this interpreter."""
    return [sys.executable, "-m", "rnnkit", *map(str, arguments)]


def answer(*arguments: object) -> dict[str, Any]:
    """What `rnnkit ARGUMENTS` prints, as JSON."""
    done = subprocess.run(rnnkit_command(*arguments), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def seconds_of(command: list[str]) -> float:
    """Wall time of a whole process, its output thrown away through a pipe."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    # An installed package is compiled; ours is after the first round if Python may write that.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, env=environment)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stderr)
        done.check_returncode()
    return seconds


PAUSE_SECONDS = 0.05
"""Before every turn, for threads of the turn before that still wait in turning loops."""


@dataclass(frozen=True)
class Side:
    """One way to do what is measured."""

    package: str
    """What has to be installed, and is imported before anything is timed."""
    build: Callable[..., Any]
    """A function of a module: arguments -> what answers the calls."""


class Worker:
    """A side in a process of its own."""

    def __init__(self, side: Side) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(side, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def start(self, *arguments: Any) -> float:
        """Build the side anew, in place of what was before; returns the seconds it took."""
        return self._ask("", arguments)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of what was built."""
        return self._ask(name, arguments)

    def _ask(self, name: str, arguments: tuple[Any, ...]) -> Any:
        try:
            self._connection.send((name, arguments))
            return self._connection.recv()
        except (EOFError, BrokenPipeError) as error:
            raise SystemExit("A side has failed; its traceback stands above.") from error

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(side: Side, connection: Connection) -> None:
    """Answer a `Worker`, in its process, until it goes."""
    importlib.import_module(side.package)
    subject = None
    with contextlib.suppress(EOFError):
        while True:
            name, arguments = connection.recv()
            if name:
                connection.send(getattr(subject, name)(*arguments))
                continue
            begin = time.perf_counter()
            subject = side.build(*arguments)
            connection.send(time.perf_counter() - begin)


def missing(sides: Mapping[str, Side]) -> dict[str, str]:
    """Names of the sides that cannot be measured here, and why."""
    return {
        name: f"{side.package} is not installed"
        for name, side in sides.items()
        if importlib.util.find_spec(side.package.partition(".")[0]) is None
    }


@contextlib.contextmanager
def working(sides: Mapping[str, Side]) -> Iterator[dict[str, Worker]]:
    """A worker for each of `sides` that is installed; GPUs are hidden from all of them."""
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    lacking = missing(sides)
    workers = {name: Worker(side) for name, side in sides.items() if name not in lacking}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def in_turns(
    workers: Mapping[str, Worker], repeats: int, turn: Callable[[str, Worker], Any]
) -> dict[str, list[Any]]:
    """What `turn(name, worker)` returns, `repeats` times for each worker.

    They take their turns one after the other, in an order that rotates from round to round, so
    that results with the same index met the same machine.
    """
    found: dict[str, list[Any]] = {name: [] for name in workers}
    names = list(workers)
    for index in range(repeats):
        first = index % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE_SECONDS)
            found[name].append(turn(name, workers[name]))
    return found
