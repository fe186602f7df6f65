"""Options and arguments that several commands share, spelled and documented once."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from rnnkit.cli.answer import printable

if TYPE_CHECKING:  # read by commands that open a run
    from rnnkit.runs.directory import RunDirectory

DEFAULT_RUNS_DIR = "runs"


class FiniteRange(click.FloatRange):
    """A number option in a range, which refuses `nan` and `inf`: comparisons let nan through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert as `click.FloatRange` does."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


type_of_directory = click.Path(path_type=Path, file_okay=True, dir_okay=True)


def complete_run(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the runs below --runs-dir, or files when a path is being typed."""
    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="dir")]
    runs_dir = Path(context.params.get("runs_dir") or DEFAULT_RUNS_DIR)
    try:
        names = sorted(entry.name for entry in runs_dir.iterdir() if entry.is_dir())
    except OSError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def run_argument(
    *, required: bool = False, many: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the argument RUN: the parameter is `run`, or `runs` (a tuple) when `many`."""
    return click.argument(
        "runs" if many else "run",
        metavar=("RUN..." if many else "RUN") if required else "[RUN]",
        required=required,
        nargs=-1 if many else 1,
        shell_complete=complete_run,
    )


def choose_run(run: str | None, *, runs_dir: Path, tasks: Sequence[str]) -> "RunDirectory":
    """Return the named run, or the newest finished one whose task is among `tasks`.

    Raises:
        RunError: there is none, or the directory holds no run.
    """
    from rnnkit.runs.directory import find_run

    directory = find_run(run, runs_dir=runs_dir, tasks=tasks)
    if run is None:
        click.echo(f"Using the newest run, {printable(str(directory.path))}", err=True)
    return directory


runs_dir_option = click.option(
    "--runs-dir",
    type=type_of_directory,
    default=DEFAULT_RUNS_DIR,
    envvar="RNNKIT_RUNS_DIR",
    show_default=True,
    show_envvar=True,
    is_eager=True,
    help="Folder that holds the runs.",
)

quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="Show no progress, only the answer and errors."
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the answer as one JSON document."
)
