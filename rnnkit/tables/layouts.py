"""The layouts of labelled texts: columns of a table, a file or a folder for each class."""

import difflib
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

from rnnkit.data.files import COMPRESSED, bare_name, find_files, naming, open_text
from rnnkit.data.splits import counted
from rnnkit.errors import DataError
from rnnkit.tables.read import (
    Chunk,
    Fault,
    Format,
    Place,
    Table,
    TableOptions,
    cell_at,
    cell_text,
    format_of,
    line_of_row,
    read_table,
    separator_of,
)

_SHOWN_COLUMNS = 20
_SHOWN_LETTERS = 40
_SEPARATORS = ",;\t|"

SENTIMENT140_TEXT, SENTIMENT140_LABEL, _SENTIMENT140_WIDTH = 5, 0, 6
"""Columns of the original files of Sentiment140, from 0, and their number."""


@dataclass(frozen=True)
class Wording:
    """What the user calls the settings that a message advises to change."""

    text: str = "data.layout.text"
    label: str = "data.layout.label"
    header: str = "data.layout.header: false"
    separator: str = "data.layout.separator"


_WORDING = Wording()


@dataclass(frozen=True)
class Layout:
    """Where texts and labels are in the files; text and label are names or numbers from 0.

    All but `kind` is for `table`; a separator of None is the usual one of the file's format.
    """

    kind: Literal["table", "sentiment140", "files", "folders"] = "table"
    text: str | int = "text"
    label: str | int = "label"
    header: bool = True
    separator: str | None = None


@dataclass(frozen=True, eq=False)
class LabelledChunk:
    """Consecutive texts of one file and their labels, as they are in the file.

    `rows` are row numbers, from 1. None or "" is a missing text or label. Rows whose form is
    faulty are in `faults` only.
    """

    path: Path
    rows: Sequence[int]
    texts: Sequence[str | None]
    labels: Sequence[str | None]
    faults: Sequence[Fault] = ()


def find_layout_files(
    patterns: Sequence[str], layout: Layout
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of paths or glob patterns in their order, and notes.

    Raises:
        DataError: a file or folder is missing.
    """
    if layout.kind == "folders":
        return _files_of_classes(_find_folders(patterns)), ()
    return find_files(patterns)


def read_layout(files: Sequence[Path], layout: Layout, *, encoding: str) -> Iterator[LabelledChunk]:
    """Yield the rows of the files in order.

    Raises:
        DataError: a file is not of this layout.
    """
    for path in files:
        match layout.kind:
            case "table" | "sentiment140":
                yield from _read_table(path, layout, encoding=encoding)
            case "files":
                yield from _read_lines(path, encoding=encoding)
            case "folders":
                yield _read_whole_file(path, encoding=encoding)
            case _:
                assert_never(layout.kind)


def describe_row(path: Path, row: int, layout: Layout, *, encoding: str) -> str:
    """Return where a row is, for messages: `tweets.csv: row 17 (line 21)`."""
    if layout.kind in ("files", "folders"):
        return f"{path}: line {row:,}" if layout.kind == "files" else f"{path}"
    return describe_table_row(path, row, _table_format(path), _table_options(layout, encoding))


def describe_table_row(path: Path, row: int, file_format: Format, options: TableOptions) -> str:
    """Return where a row of a table is: `tweets.csv: row 17 (line 21)`."""
    line = line_of_row(path, row, file_format, options)
    return f"{path}: row {row:,}" + ("" if line == row else f" (line {line:,})")


def label_of_file(path: Path) -> str:
    """Return the label of a file of one class: `data/pos.txt.gz` -> `pos`."""
    return bare_name(path).removesuffix(".txt")


# --------------------------------------------------------------------------------------- tables


def _table_format(path: Path) -> Format:
    """Return the format by the file's name; any name that tells none is CSV."""
    found = format_of(path)
    return "csv" if found in (None, "lines") else found


def _table_options(layout: Layout, encoding: str) -> TableOptions:
    if layout.kind == "sentiment140":
        return TableOptions(encoding, header=False, separator=",", width=_SENTIMENT140_WIDTH)
    return TableOptions(encoding, layout.header, layout.separator)


def _read_table(path: Path, layout: Layout, *, encoding: str) -> Iterator[LabelledChunk]:
    table = read_table(path, _table_format(path), _table_options(layout, encoding))
    text, label = layout.text, layout.label
    if layout.kind == "sentiment140":
        text, label = SENTIMENT140_TEXT, SENTIMENT140_LABEL
    text_at = find_column(table, text, option=_WORDING.text, wording=_WORDING)
    label_at = find_column(table, label, option=_WORDING.label, wording=_WORDING)
    for chunk in table.chunks:
        yield _labelled_chunk(table, chunk, text_at, label_at)


def _labelled_chunk(table: Table, chunk: Chunk, text_at: Place, label_at: Place) -> LabelledChunk:
    texts = [cell_at(row, text_at) for row in chunk.rows]
    labels = [cell_at(row, label_at) for row in chunk.rows]
    is_typed, header = table.format not in ("csv", "tsv"), None
    if not is_typed and table.columns is not None:
        header = table.first[int(text_at)], table.first[int(label_at)]
    if not is_typed and (header is None or header[0] not in texts):
        return LabelledChunk(table.path, chunk.numbers, texts, labels, chunk.faults)
    faults, sound = [*chunk.faults], []
    for row, text, label in zip(chunk.numbers, texts, labels, strict=True):
        if (text, label) == header:
            faults.append(Fault(row, "header", "the header once more"))
        elif isinstance(text, dict | list) or isinstance(label, dict | list):
            faults.append(Fault(row, "json", "text or label is a list or an object"))
        else:
            sound.append((row, cell_text(text), cell_text(label)))
    faults.sort(key=lambda fault: fault.row)
    numbers, texts, labels = zip(*sound, strict=True) if sound else ((), (), ())
    return LabelledChunk(table.path, numbers, texts, labels, faults)


# -------------------------------------------------------------------------------------- columns


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


# ---------------------------------------------------------------------------- files and folders


def _read_lines(path: Path, *, encoding: str) -> Iterator[LabelledChunk]:
    """Read every line with something else than whitespace as a text; a row is a line."""
    label = label_of_file(path)
    for chunk in read_table(path, "lines", TableOptions(encoding)).chunks:
        lines = zip(chunk.numbers, chunk.rows, strict=True)
        found = [(number, cell_at(row, 0)) for number, row in lines if cell_at(row, 0).strip()]
        rows = [number for number, _ in found]
        yield LabelledChunk(path, rows, [text for _, text in found], [label] * len(rows))


def _read_whole_file(path: Path, *, encoding: str) -> LabelledChunk:
    """Read a file as one text, row 1 of itself; an empty file is a missing text."""
    with naming(path):
        text, is_empty = "", path.stat().st_size == 0
    if not is_empty:
        with open_text(path, encoding=encoding) as file:
            text = file.read()
    return LabelledChunk(path, [1], [text], [path.parent.name])


def _find_folders(patterns: Sequence[str]) -> list[Path]:
    folders: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        with naming(path):
            is_folder, exists = path.is_dir(), path.exists()
        if is_folder:
            folders[path] = None
            continue
        if exists:
            raise DataError(
                f"{path} is a file. data.layout: {{kind: folders}} takes the folder that holds "
                "one folder per class."
            )
        # Path.glob takes no absolute pattern.
        matches = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
        found = [match for match in matches if match.is_dir()]
        if not found:
            raise DataError(f"{pattern}: there is no such folder. Check data.path.")
        folders.update(dict.fromkeys(found))
    return list(folders)


def _files_of_classes(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of every class folder in `folders`, by name, without hidden ones."""
    found: list[Path] = []
    for folder in folders:
        with naming(folder):
            entries = sorted(folder.iterdir())
        classes = [entry for entry in entries if entry.is_dir() and entry.name[0] not in "._"]
        if not classes:
            suffixes = {".txt", *COMPRESSED}
            here = [entry.name for entry in entries if entry.suffix in suffixes][:5]
            holds = f" It holds files ({', '.join(here)}): name the folder above." if here else ""
            raise DataError(f"{folder} holds no folders, and one per class is expected.{holds}")
        for name in classes:
            with naming(name):
                files = sorted(entry for entry in name.iterdir() if entry.name[0] != ".")
            found.extend(entry for entry in files if entry.is_file())
    if not found:
        listed = ", ".join(map(str, folders))
        raise DataError(f"{listed}: the folders of the classes hold no files.")
    return tuple(found)
