"""Show training while it runs, a progress bar on a terminal, plain lines elsewhere; and stop it.

Everything goes to standard error.
"""

import contextlib
import math
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rnnkit.training.events import Event, Stepped

Observer = Callable[["Event"], None]


@contextlib.contextmanager
def training_display() -> Iterator[Observer]:
    """Yield an observer that shows the events of training, with a bar where there is a terminal."""
    if not sys.stderr.isatty():
        yield lambda event: _show(event, click_line)
        return
    with contextlib.ExitStack() as stack:
        bar: _Bar | None = None

        def observe(event: "Event") -> None:
            from rnnkit.training.events import Started

            nonlocal bar
            if bar is None and isinstance(event, Started):
                bar = stack.enter_context(_bar())  # rich is not loaded before
            if bar is None:
                _show(event, click_line)
            else:
                bar.show(event)

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
        click_line("Stopping after this step; Ctrl-C again quits at once.")

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

    def show(self, event: "Event") -> None:
        """Move the bar, or print a line above it."""
        from rnnkit.training.events import Stepped

        if isinstance(event, Stepped):
            total = f"/{event.total_steps:,}" if event.total_steps else ""
            self.progress.update(
                self.task,
                description=f"{event.step:,}{total}",
                completed=event.step,
                total=event.total_steps,
                numbers=_step_numbers(event),
            )
        else:
            _show(event, self._line)

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


def _show(event: "Event", line: Callable[[str], None]) -> None:
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
            going_on = f", going on after step {event.step:,}" if event.step else ""
            total = f", {_steps(event.total_steps)} in all" if event.total_steps else ""
            line(
                f"Training {event.parameters:,} parameters on {event.device} (kernel: "
                f"{event.kernel}){going_on}: {_steps(event.steps_per_epoch)} per epoch{total}."
            )
        case Stepped():
            pass  # a line per evaluation is enough where nothing can be redrawn
        case Evaluated():
            line(_evaluation_line(event.record, is_best=event.is_best))
            for sample in event.record.get("samples", []):
                text = sample["text"].replace("\n", "\n    ")
                line(f"  temperature {sample['temperature']:g}:\n    {text}")
        case Recovered():
            line(
                f"The loss became NaN or infinite at step {event.diverged_at_step:,}: back to "
                f"step {event.back_to_step:,} with the learning rate times "
                f"{event.learning_rate_scale:g}."
            )
        case Exporting():
            line(f"Writing model.keras and model.onnx (best step: {event.best_step:,}).")
        case _:
            assert_never(event)


def _step_numbers(event: "Stepped") -> str:
    """What stands right of the bar; all of it has room on a terminal of 80 columns."""
    if event.bits_per_character is None:
        unit, score = "tokens/s", f"accuracy {100 * event.train_accuracy:.1f} %"
    else:
        unit, score = "char/s", f"{event.bits_per_character:.3f} bits/char"
    return "  ".join(
        (
            f"{event.tokens_per_second / 1000:,.1f}k {unit}",
            f"loss {event.train_loss:.3f}",
            score,
            f"grad {event.gradient_norm:.2f}",
            _time_left(event.seconds_left),
        )
    )


def _time_left(seconds: float | None) -> str:
    """`75.0` -> `1:15`; with hours when there are any."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _steps(count: int) -> str:
    return f"{count:,} step" + ("s" if count != 1 else "")


def _evaluation_line(record: dict[str, Any], *, is_best: bool) -> str:
    parts = [
        f"step {record['step']:,}",
        f"epoch {record['epoch']:.2f}",
        f"{record['seconds']:.0f} s",
        f"train loss {record['train_loss']:.4f}",
    ]
    if "validation_loss" in record:
        parts.append(f"validation loss {record['validation_loss']:.4f}")
        parts.append(f"accuracy {100 * record['validation_accuracy']:.1f} %")
    if "validation_macro_f1" in record:
        parts.append(f"F1 {100 * record['validation_macro_f1']:.1f} %")
    if "bits_per_character" in record:
        parts.append(f"{record['bits_per_character']:.3f} bits/char")
    if math.isfinite(record["gradient_norm"]):
        parts.append(f"gradient {record['gradient_norm']:.2f}")
    parts.append(f"{record['tokens_per_second'] / 1000:,.1f}k tokens/s")
    return "  ".join(parts) + ("  best" if is_best else "")
