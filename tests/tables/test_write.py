"""Writing tables: read again they hold the same, and a file is whole or absent."""

import datetime
import errno
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError, UsageError
from rnnkit.tables.read import TableOptions, read_table
from rnnkit.tables.write import check_output, output_format, replacing, row_writer


@given(
    st.lists(st.lists(st.text("a\",\n\r\t '\\", max_size=6), min_size=3, max_size=3), max_size=8),
    st.booleans(),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], is_tsv: bool
) -> None:
    path = tmp_path_factory.mktemp("table") / ("x.tsv.gz" if is_tsv else "x.csv")
    with replacing(path) as stream:
        write = row_writer(
            stream, "tsv" if is_tsv else "csv", columns=["1", "2"], width=2, added=["3"]
        )
        for number, cells in enumerate(rows):
            write(number, cells[:2], cells[2:])
    table = read_table(path, "tsv" if is_tsv else "csv", TableOptions())
    assert table.columns == ("1", "2", "3")
    chunks = list(table.chunks)
    assert [row for chunk in chunks for row in chunk.rows] == rows
    numbers = [number for chunk in chunks for number in chunk.numbers]
    assert numbers == list(range(2, len(rows) + 2))


def test_nothing_is_left_of_an_output_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("before")

    def write_half() -> None:
        with replacing(path) as stream:
            stream.write("after")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("x.csv", "before")
    ]


@pytest.mark.parametrize("place", ["none/x.csv", "file/x.csv", "/proc/x.csv", "/sys/x.csv.gz"])
def test_a_place_that_cannot_be_written_is_a_message(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / place
    refused = pytest.raises(UsageError, match=r"cannot be written: .*\. Choose another place")
    with refused, replacing(path):
        pass


def test_a_full_disk_stays_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "x.csv"):
        raise OSError(errno.ENOSPC, "full")
    assert list(tmp_path.iterdir()) == []


def test_formats_of_outputs() -> None:
    names = {"a.csv": "csv", "a.tsv.gz": "tsv", "a.ndjson": "jsonl", "a.JSONL": "jsonl"}
    assert {name: output_format(Path(name)) for name in names} == names
    for name in ("a.txt", "a.xlsx", "a.parquet", "a.csv.zip", "a"):
        with pytest.raises(UsageError):
            output_format(Path(name))
    with pytest.raises(UsageError, match=r"--output a\.txt: a \.txt file holds no columns"):
        check_output(Path("a.txt"), source=None, force=False)


def test_typed_values_are_written_as_json_has_them() -> None:
    row = ("a", 1, 1.5, None, True, [1, "\u00e9"], datetime.date(2026, 1, 2))
    names = list("tifnbld")
    separated, lines = io.StringIO(), io.StringIO()
    row_writer(separated, "csv", columns=names, width=7, added=["x"])(1, row, [0.5])
    expected = 't,i,f,n,b,l,d,x\na,1,1.5,,true,"[1, ""\u00e9""]",2026-01-02,0.5\n'
    assert separated.getvalue() == expected
    row_writer(lines, "jsonl", columns=names, width=7, added=["x"])(1, row, [0.5])
    assert json.loads(lines.getvalue()) == {
        **dict(zip(names, row, strict=True)),
        "d": "2026-01-02",
        "x": 0.5,
    }


def test_two_columns_of_one_name_are_no_json() -> None:
    with pytest.raises(DataError, match="Two columns are called 'a'"):
        row_writer(io.StringIO(), "jsonl", columns=["a", "a"], width=2, added=[])


def test_an_output_is_never_the_input(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n")
    os.link(source, tmp_path / "link.csv")
    with pytest.raises(UsageError, match="is the input"):
        check_output(tmp_path / "link.csv", source=source, force=True)
