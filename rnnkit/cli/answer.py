"""How answers are written: views, JSON documents, files, and the progress while they are made.

Tables are the same on a terminal and in a pipe: aligned text, one row a line, nothing cut.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rnnkit.views.view import View


def emit(
    view: "View",
    *,
    as_json: bool,
    html_path: Path | None = None,
    png_path: Path | None = None,
) -> None:
    """Write a view: its notes to standard error, files that are asked for, then the answer.

    The files come first, so that they are whole even if the reader of the answer stops early.
    """
    from rnnkit.runs.directory import write_atomically

    for note in view.notes:
        click.echo(note, err=True)
    if html_path is not None:
        from rnnkit.views.html import render

        write_atomically(html_path, render(view).encode())
        click.echo(f"Wrote {html_path}", err=True)
    if png_path is not None:
        from rnnkit.views.figures import draw_png

        assert view.picture is not None, f"{view.title} has no picture"
        write_atomically(png_path, draw_png(view.picture))
        click.echo(f"Wrote {png_path}", err=True)
    if as_json:
        print_json(view.document)
    else:
        from rnnkit.views import terminal

        click.echo(terminal.render(view, colour=has_colour()))


def has_colour() -> bool:
    """Return whether answers may be coloured: on a terminal, unless NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def print_json(document: Any) -> None:
    """Print one JSON document; NaN and infinities, which JSON lacks, become null."""
    from rnnkit.views.json import dumps

    click.echo(dumps(document))


def printable(text: str) -> str:
    """Return the text on one line, without characters that would move the cursor."""
    from rnnkit.views.formats import one_line

    return one_line(text)


@contextlib.contextmanager
def progress_bar(activity: str) -> Iterator[Callable[[int, int], None]]:
    """`progress(done, total)` that draws a bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(activity)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def keep_numpy_to_one_thread() -> None:
    """Halve the time that NumPy takes to load, where no matrix product is NumPy's.

    Its OpenBLAS starts a thread for every core as it is loaded, and these get in the way of
    everything else that is being loaded then.
    """
    if "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
