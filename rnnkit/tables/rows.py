"""Rows of tables: what reading gives, whatever the format, and where the columns are."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnnkit.errors import DataError

CHUNK_ROWS = 50_000
_SHOWN_COLUMNS = 20
_SEPARATORS = ",;\t|"

FaultKind = Literal["columns", "header", "json", "text", "label", "unmapped", "bytes"]


@dataclass(frozen=True)
class Fault:
    """Why a row cannot be used. `detail` ends a sentence that begins with `row 17: `."""

    row: int
    kind: FaultKind
    detail: str


@dataclass(frozen=True, eq=False)
class TableChunk:
    """Consecutive rows of one file; those with a fault of form are in `faults` only."""

    path: Path
    rows: Sequence[int]
    """Row numbers, from 1."""
    texts: list[str | None]
    """None or "" where there is none."""
    labels: list[str | None]
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Columns:
    """Where text and label stand: names, or numbers from 0."""

    text: str | int
    label: str | int
    header: bool = True
    separator: str | None = None
    """Of CSV; None decides by the file's name."""
    width: int | None = None
    """Columns that there must be; None takes what the first row has."""


def column_number(
    path: Path,
    name: str | int,
    key: str,
    names: list[str],
    columns: Columns,
    *,
    separator: str,
) -> int:
    """Which of the columns `names` is `name`, from 0; `key` is what data.layout calls it.

    Raises DataError that lists the columns there are.
    """
    if isinstance(name, int):
        if name < len(names):
            return name
        raise DataError(
            f"{path}: there is no column {name}: the first row has {count_columns(len(names))}, "
            f"numbered from 0. Set data.layout.{key}.{_about_separator(names, separator)}"
        )
    # Some write a space behind every comma.
    found = [i for i, other in enumerate(names) if name in (other, other.strip())]
    if len(found) > 1:
        raise DataError(
            f"{path}: {len(found)} columns are named {name!r}. Give data.layout.{key} by number: "
            f"{' or '.join(map(str, found))}"
        )
    if found:
        return found[0]
    raise missing_column(
        path,
        name,
        key,
        names,
        hint=" If the file has no header, set data.layout.header: false and give the columns by "
        f"number.{_about_separator(names, separator)}",
    )


def missing_column(
    path: Path, name: str, key: str, names: Sequence[str], *, hint: str = ""
) -> DataError:
    """The error for a column that is not among `names`."""
    listed = ", ".join(map(_short, names[:_SHOWN_COLUMNS]))
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    lower = {other.strip().lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    return DataError(
        f"{path}: there is no column {name!r} (data.layout.{key}). The columns are: "
        f"{listed}{more}.{guess}{hint}"
    )


def _about_separator(names: list[str], separator: str) -> str:
    if len(names) > 1:
        return ""
    other = next((mark for mark in _SEPARATORS if mark != separator and mark in names[0]), None)
    if other is None:
        return ""
    shown = "a tab" if other == "\t" else repr(other)
    return f" The columns seem to be separated by {shown}: set data.layout.separator."


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:37]}...")


def count_columns(number: int) -> str:
    """`1 column`, `2 columns`."""
    return f"{number:,} column" + ("" if number == 1 else "s")


def cell_text(value: object) -> str | None:
    """A typed value as a CSV file would hold it: `4.0 -> "4"`, `True -> "true"`, NaN -> None."""
    match value:
        case str():
            return value
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if math.isnan(value):
            return None
        case float() if value.is_integer():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", errors="surrogateescape")
        case _:
            return None if str(value) in ("<NA>", "NaT") else str(value)
