"""The columns of a table: found by name or number, and listed where one is missing."""

import difflib
from dataclasses import dataclass

from rnnkit.data.splits import counted
from rnnkit.errors import DataError
from rnnkit.tables.read import Place, Table, separator_of

_SHOWN_COLUMNS = 20
_SHOWN_LETTERS = 40
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Wording:
    """What the user calls the settings that a message advises to change."""

    text: str = "data.layout.text"
    label: str = "data.layout.label"
    header: str = "data.layout.header: false"
    separator: str = "data.layout.separator"


def find_column(table: Table, wanted: str | int, *, option: str, wording: Wording) -> Place:
    """Return where the column `wanted` is: by name, or by number from 0.

    Args:
        table: that has it.
        wanted: its name or number.
        option: what the user calls this setting, as in `data.layout.text`.
        wording: what the user calls the others.

    Raises:
        DataError: there is none, or more than one; the message lists the columns there are.
    """
    names, found = table.columns or (), list[Place]()
    if table.format == "jsonl" and isinstance(wanted, int):
        raise DataError(
            f"{table.path}: JSON lines have names instead of numbered columns. Set {option} to "
            "a name."
        )
    if isinstance(wanted, int) or table.format == "jsonl":
        known = names if table.format == "jsonl" else range(table.width)
        found += [wanted] if wanted in known else []
    else:
        # Some write a space behind every comma.
        found += [i for i, name in enumerate(names) if wanted == name]
        found = found or [i for i, name in enumerate(names) if wanted == name.strip()]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{table.path}: {len(found)} columns are named {wanted!r}. Give {option} by number: "
            f"{' or '.join(map(str, found))}"
        )
    is_text = table.format in ("csv", "tsv")
    guess = hint = separator = ""
    if isinstance(wanted, str):
        lower = {name.strip().lower(): name for name in names}
        if close := difflib.get_close_matches(wanted.lower(), lower, n=1):
            guess = f" Did you mean {lower[close[0]]!r}?"
        if is_text and names:
            hint = (
                f" If the file has no header, set {wording.header} and give the columns by number."
            )
    if is_text and table.width == 1:
        used = separator_of(table.format, table.options)
        others = (mark for mark in _SEPARATORS if mark != used and mark in table.first[0])
        if other := next(others, None):
            shown = "a tab" if other == "\t" else repr(other)
            separator = f" The columns seem to be separated by {shown}: set {wording.separator}."
    raise DataError(
        f"{table.path}: there is no column {wanted!r} ({option}). {describe_columns(table)}."
        f"{guess}{hint}{separator}"
    )


def describe_columns(table: Table) -> str:
    """Return `The columns are: 'id', 'text'`, or how many there are without names."""
    if table.columns is None:
        return f"The first row has {counted(table.width, 'column')} without names, numbered from 0"
    listed = ", ".join(map(shorten, table.columns[:_SHOWN_COLUMNS]))
    more = table.width - _SHOWN_COLUMNS
    return f"The columns are: {listed}" + (f" and {more:,} more" if more > 0 else "")


def shorten(text: str) -> str:
    """Return a text in quotation marks, its end cut off when it is long."""
    return repr(text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 3]}...")
