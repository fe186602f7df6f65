"""Show training while it runs, a progress bar on a terminal, plain lines elsewhere; and stop it.

Everything goes to standard error.
"""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rnnkit.runs.records import MetricsLine
    from rnnkit.training.events import Evaluated, Event, Stepped

Observer = Callable[["Event"], None]

WIDTH = 80
"""Columns of the narrowest terminal that the lines fit."""


@contextlib.contextmanager
def training_display(*, quiet: bool = False) -> Iterator[Observer]:
    """Yield an observer that shows the events of training, with a bar where there is a terminal."""
    if quiet:
        yield lambda event: None
        return
    with contextlib.ExitStack() as stack:
        bar: _Bar | None = None
        unit = ""

        def observe(event: "Event") -> None:
            from rnnkit.training.events import Started

            nonlocal bar, unit
            if isinstance(event, Started):
                unit = event.token_unit
                if bar is None and sys.stderr.isatty():
                    bar = stack.enter_context(_bar())  # rich is not loaded before
            if bar is None:
                _show(event, click_line, unit=unit)
            else:
                bar.show(event, unit)

        yield observe


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[int], bool]]:
    """Yield `should_stop`, which is true once Ctrl-C, SIGTERM or SIGHUP has been received.

    Before `should_stop` is asked for the first time nothing is lost by quitting at once, and a
    signal does; so does the second one.
    """
    received: list[int] = []
    is_training = False

    def note(number: int, frame: object) -> None:
        if received or not is_training:
            raise KeyboardInterrupt
        received.append(number)
        # In place of the bar and the terminal's ^C, which would stay above it.
        start = "\r\x1b[2K" if sys.stderr.isatty() else ""
        click_line(f"{start}Stopping after this step; Ctrl-C again quits at once.")

    def should_stop(step: int) -> bool:
        nonlocal is_training
        is_training = True
        return bool(received)

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield should_stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass(frozen=True)
class _Bar:
    """The progress bar of one training."""

    progress: "Progress"
    task: "TaskID"

    def show(self, event: "Event", unit: str) -> None:
        """Move the bar, or print a line above it."""
        from rnnkit.training.events import Stepped

        if isinstance(event, Stepped):
            total = f"/{event.total_steps:,}" if event.total_steps else ""
            self.progress.update(
                self.task,
                description=f"{event.line.step:,}{total}",
                completed=event.line.step,
                total=event.total_steps,
                numbers=_bar_numbers(event, unit),
            )
        else:
            _show(event, self._line, unit=unit)

    def _line(self, text: str) -> None:
        self.progress.console.print(text, markup=False, soft_wrap=True)


@contextlib.contextmanager
def _bar() -> Iterator[_Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[numbers]}"),
        console=Console(stderr=True, highlight=False),
        transient=True,
    ) as progress:
        yield _Bar(progress, progress.add_task("compiling", total=None, numbers=""))


def click_line(text: str) -> None:
    """One line on standard error."""
    click.echo(text, err=True)


def _show(event: "Event", line: Callable[[str], None], *, unit: str = "") -> None:
    from rnnkit.training.events import (
        Evaluated,
        Exporting,
        Notice,
        Recovered,
        Started,
        Stepped,
    )

    match event:
        case Notice(text=text):
            line(text)
        case Started():
            resumed = f", going on after step {event.step:,}" if event.step else ""
            total = f", {_steps(event.total_steps)} in all" if event.total_steps else ""
            line(
                f"Training {event.parameters:,} parameters on {event.device} (kernel: "
                f"{event.kernel}){resumed}: {_steps(event.steps_per_epoch)} per epoch{total}."
            )
        case Stepped():
            pass  # a line per evaluation is enough where nothing can be redrawn
        case Evaluated():
            line(_evaluation(event, unit))
            for sample in event.line.samples:
                text = sample.text.replace("\n", "\n    ")
                line(f"  temperature {sample.temperature:g}:\n    {text}")
        case Recovered():
            line(
                f"The loss diverged at step {event.diverged_at_step:,}: back to "
                f"step {event.back_to_step:,} with the learning rate times "
                f"{event.learning_rate_scale:g}."
            )
        case Exporting():
            line(f"Writing model.keras and model.onnx (best step: {event.best_step:,}).")
        case _:
            assert_never(event)


_UNITS = {"characters": "char", "words": "words", "subwords": "subwords", "bytes": "bytes"}
"""Short forms of what the speed counts."""


def _bar_numbers(event: "Stepped", unit: str) -> str:
    """Numbers right of the bar, which all have room on a terminal of 80 columns."""
    parts = _numbers(event.line, unit)
    names = ("speed", "train_loss", "train_accuracy", "gradient_norm")
    if "bits_per_character" in parts:
        names = ("speed", "train_loss", "bits_per_character", "gradient_norm")
    shown = [parts[name].removeprefix("train ") for name in names if name in parts]
    return "  ".join((*shown, _time_left(event.seconds_left)))


def _evaluation(event: "Evaluated", unit: str) -> str:
    """One evaluation in one or two lines of at most 80 columns."""
    line = event.line
    parts = [f"step {line.step:,}"]
    if line.epoch is not None:
        parts.append(f"epoch {line.epoch:.2f}")
    if line.seconds is not None:
        parts.append(f"{line.seconds:.0f} s")
    numbers = _numbers(line, unit)
    names = ("train_loss", "validation_loss", "validation_accuracy", "validation_macro_f1",
             "bits_per_character", "perplexity_per_word", "gradient_norm", "speed")  # fmt: skip
    parts += [numbers[name] for name in names if name in numbers]
    parts += ["best"] * event.is_best
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + 2 + len(part) > WIDTH:
            rows.append("  " + part)
        else:
            rows[-1] += "  " + part
    return "\n".join(rows)


def _numbers(line: "MetricsLine", unit: str) -> dict[str, str]:
    """Metrics of a line in words, by their names; the same in the bar and in the log."""
    forms = {
        "train_loss": "train loss {:.3f}",
        "train_accuracy": "accuracy {:.1%}",
        "validation_loss": "validation loss {:.4f}",
        "validation_accuracy": "accuracy {:.1%}",
        "validation_macro_f1": "F1 {:.1%}",
        "bits_per_character": "{:.3f} bits/char",
        "perplexity_per_word": "{:.1f} perplexity/word",
        "gradient_norm": "grad {:.2f}",
    }
    found = {name: line.metric(name) for name in forms}
    numbers = {
        name: forms[name].format(value).replace("%", " %")
        for name, value in found.items()
        if value is not None
    }
    speed = line.metric("tokens_per_second")
    if speed is not None:
        numbers["speed"] = f"{speed / 1000:,.1f}k {_UNITS.get(unit, 'tokens')}/s"
    return numbers


def _time_left(seconds: float | None) -> str:
    """`75.0` -> `1:15`; with hours when there are any."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _steps(count: int) -> str:
    return f"{count:,} step" + ("s" if count != 1 else "")
