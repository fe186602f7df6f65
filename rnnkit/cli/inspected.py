"""RUN or CONFIG: what a command of `rnnkit inspect` looks into."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.options import complete_run

if TYPE_CHECKING:
    from rnnkit.inspection.subject import Subject


def subject_argument() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the argument `[RUN|CONFIG]`; the parameter is `target`."""
    return click.argument(
        "target", metavar="[RUN|CONFIG]", required=False, shell_complete=complete_run
    )


def open_subject(target: str | None, *, runs_dir: Path) -> "Subject":
    """Open a run, the newest finished one when `target` is None, or a configuration file.

    Raises:
        RunError: there is no such run, or it is damaged.
        ConfigError: the configuration cannot be used.
        DataError: the data of the configuration cannot be read.
    """
    from rnnkit.inspection.subject import open_config, open_run
    from rnnkit.runs.directory import find_run
    from rnnkit.tasks.task import SCHEMAS

    if target is not None and _is_config(target):
        return open_config(Path(target))
    run = find_run(target, runs_dir=runs_dir, tasks=tuple(SCHEMAS))
    if target is None:
        click.echo(f"Using the newest run, {run.path}", err=True)
    return open_run(run)


def _is_config(target: str) -> bool:
    """Whether a configuration file is meant: a run of that name would be a folder."""
    path = Path(target)
    return path.suffix in (".yaml", ".yml") and not path.is_dir()
