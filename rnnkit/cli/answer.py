"""How answers are written to standard output, JSON documents and plain tables, and how the wait
for them looks.

Tables are the same on a terminal and in a pipe: aligned text, one row a line, nothing cut.
"""

import contextlib
import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click


def print_json(document: Any) -> None:
    """Print one JSON document; NaN and infinities, which JSON lacks, become null."""
    click.echo(json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str]
) -> str:
    """Align columns with two spaces between them.

    Args:
        header: names of the columns, or empty strings.
        rows: cells, as many in each row as in the header.
        left: the columns that are aligned on the left; numbers belong on the right.
    """
    lines = [[printable(cell) for cell in line] for line in (header, *rows)]
    widths = [max(display_width(line[i]) for line in lines) for i in range(len(header))]
    formatted = []
    for line in lines:
        cells = []
        for name, cell, width in zip(header, line, widths, strict=True):
            padding = " " * (width - display_width(cell))
            cells.append(cell + padding if name in left else padding + cell)
        formatted.append("  ".join(cells).rstrip())
    return "\n".join(formatted)


def printable(text: str) -> str:
    """Return the text on one line, without characters that would move the cursor of a terminal.

    Those that change the direction of writing (U+202E) are among them.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def display_width(text: str) -> int:
    """Columns that a terminal gives to the text: wide characters take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def format_number(value: float | None, digits: int = 0) -> str:
    """`12,345` or `1.5891`; `-` for what is not known."""
    return "-" if value is None else f"{value:,.{digits}f}"


def sparkline(values: Sequence[float]) -> str:
    """Draw a curve in one line: `[4.0, 2.0, 1.0]` -> `█▃▁`."""
    bars = "▁▂▃▄▅▆▇█"
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(bars[round((value - low) / span * (len(bars) - 1))] for value in values)


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
