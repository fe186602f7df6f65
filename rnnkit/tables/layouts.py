"""The layouts of labelled texts: tables, a file for each class, a folder for each class."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from rnnkit.data.opening import COMPRESSED, bare_name, open_text
from rnnkit.data.sources import find_files, naming
from rnnkit.errors import DataError
from rnnkit.tables.read import line_of_row, read_table
from rnnkit.tables.rows import CHUNK_ROWS, Columns, TableChunk

if TYPE_CHECKING:
    from rnnkit.tasks.text_classification.config import Layout

SENTIMENT140 = Columns(text=5, label=0, header=False, separator=",", width=6)
_SOME_NAMES = 5


def read_layout(
    patterns: Sequence[str], layout: "Layout", *, encoding: str
) -> tuple[tuple[Path, ...], Iterator[TableChunk], tuple[str, ...]]:
    """The files, their rows in order, and notes.

    Raises DataError for what is missing or not of this layout, at once or while rows are taken.
    """
    match layout.kind:
        case "table" | "sentiment140":
            files, notes = find_files(patterns)
            columns = table_columns(layout)
            assert columns is not None
            chunks = (
                chunk for path in files for chunk in read_table(path, columns, encoding=encoding)
            )
            return files, chunks, notes
        case "files":
            files, notes = find_files(patterns)
            return files, _read_lines(files, encoding=encoding), notes
        case "folders":
            files = _files_of_classes(_find_folders(patterns))
            return files, _read_whole_files(files, encoding=encoding), ()
        case _:
            assert_never(layout)


def table_columns(layout: "Layout") -> Columns | None:
    """Where a table has its text and label; None for layouts that are no tables."""
    match layout.kind:
        case "table":
            return Columns(layout.text, layout.label, layout.header, layout.separator)
        case "sentiment140":
            return SENTIMENT140
        case "files" | "folders":
            return None
        case _:
            assert_never(layout)


def describe_row(path: Path, row: int, layout: "Layout", *, encoding: str) -> str:
    """Where a row is, for messages: `tweets.csv: row 17 (line 21)`."""
    match layout.kind:
        case "table" | "sentiment140":
            columns = table_columns(layout)
            assert columns is not None
            line = line_of_row(path, row, columns, encoding=encoding)
            return f"{path}: row {row:,}" + ("" if line == row else f" (line {line:,})")
        case "files":
            return f"{path}: line {row:,}"
        case "folders":
            return f"{path}"
        case _:
            assert_never(layout)


def label_of_file(path: Path) -> str:
    """The label of a file of one class: `data/pos.txt.gz` -> `pos`."""
    return bare_name(path).removesuffix(".txt")


def _read_lines(files: Sequence[Path], *, encoding: str) -> Iterator[TableChunk]:
    """Every line that is not blank is a text; a row is a line."""
    for path in files:
        label = label_of_file(path)
        rows, texts = [], []
        with open_text(path, encoding=encoding) as lines:
            for row, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append(row)
                    texts.append(line.rstrip("\r\n"))
                    if len(rows) == CHUNK_ROWS:
                        yield TableChunk(path, rows, texts, [label] * len(rows))
                        rows, texts = [], []
        yield TableChunk(path, rows, texts, [label] * len(rows))


def _read_whole_files(files: Sequence[Path], *, encoding: str) -> Iterator[TableChunk]:
    """Every file is a text, row 1 of itself; an empty file is a missing text."""
    for path in files:
        with naming(path):
            empty = path.stat().st_size == 0
        if empty:
            text = ""
        else:
            with open_text(path, encoding=encoding) as file:
                text = file.read()
        yield TableChunk(path, [1], [text], [path.parent.name])


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
    """The files of every class folder in `folders`, by name; hidden ones are passed over."""
    found: list[Path] = []
    for folder in folders:
        with naming(folder):
            entries = sorted(folder.iterdir())
        classes = [entry for entry in entries if entry.is_dir() and entry.name[0] not in "._"]
        if not classes:
            suffixes = {".txt", *COMPRESSED}
            here = [entry.name for entry in entries if entry.suffix in suffixes][:_SOME_NAMES]
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
