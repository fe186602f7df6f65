"""Reading tables: rows and their numbers, cells that are text, and what cannot be read."""

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError
from rnnkit.tables import read as reader
from rnnkit.tables.layouts import Layout, describe_row, read_layout
from rnnkit.tables.read import Fault, TableOptions, format_of, line_of_row, read_table

NAMED = Layout()
Row = tuple[int, str | None, str | None]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def read(
    path: Path, layout: Layout = NAMED, *, encoding: str = "utf-8"
) -> tuple[list[Row], list[Fault]]:
    rows: list[Row] = []
    faults: list[Fault] = []
    for chunk in read_layout([path], layout, encoding=encoding):
        rows += zip(chunk.rows, chunk.texts, chunk.labels, strict=True)
        faults += chunk.faults
    return rows, faults


def problem(path: Path, layout: Layout = NAMED, *, encoding: str = "utf-8") -> str:
    with pytest.raises(DataError) as caught:
        read(path, layout, encoding=encoding)
    assert str(path) in str(caught.value)
    return str(caught.value)


# ----------------------------------------------------------------------------- CSV and TSV


def test_rows_have_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'label,text\npos,"two\nlines"\n\nneg,"a ""b"", c"\r\nneg,d')
    rows, faults = read(path)
    assert rows == [(2, "two\nlines", "pos"), (4, 'a "b", c', "neg"), (5, "d", "neg")]
    assert not faults
    assert [line_of_row(path, row, "csv", TableOptions()) for row in (1, 2, 4, 5)] == [1, 2, 5, 6]


def test_words_that_look_like_missing_values_or_numbers_are_texts(tmp_path: Path) -> None:
    words = ["NA", "null", "None", "nan", "1e5", "007", "True", " ", "n/a"]
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"{word},01\n" for word in words))
    rows, _ = read(path)
    assert [text for _, text, _ in rows] == words
    assert {label for _, _, label in rows} == {"01"}


def test_columns_by_number_with_and_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "0,x,first\n4,y,second\n")
    assert read(path, Layout(text=2, label=0, header=False))[0] == [
        (1, "first", "0"),
        (2, "second", "4"),
    ]
    assert read(path, Layout(text=2, label=0))[0] == [(2, "second", "4")]


def test_separators(tmp_path: Path) -> None:
    expected = [(2, "a, b", "x")]
    assert read(write(tmp_path / "a.tsv", "text\tlabel\na, b\tx\n"))[0] == expected
    semicolons = write(tmp_path / "a.csv", "text;label\na, b;x\n")
    assert read(semicolons, Layout(separator=";"))[0] == expected
    assert "separated by ';': set data.layout.separator" in problem(semicolons)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,Text,sentiment\n1,a,x\n")
    message = problem(path, Layout(label="sentiment"))
    assert "no column 'text' (data.layout.text)" in message
    assert "'id', 'Text', 'sentiment'" in message
    assert "Did you mean 'Text'?" in message
    assert "header: false" in message
    message = problem(path, Layout(text=3, label=0))
    assert "no column 3 (data.layout.text). The columns are: 'id'" in message
    assert "2 columns are named 'a'" in problem(
        write(tmp_path / "b.csv", "a,a,label\n1,2,3\n"), Layout(text="a")
    )
    assert "4 columns instead of 6" in problem(
        write(tmp_path / "c.csv", "a,b,c,d\n"), Layout("sentiment140")
    )


def test_ragged_rows_and_repeated_headers_are_faults_with_their_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        'id,text,label\n1,a,x\n2,b\n3,c,x,9\nid,text,label\n4,"d\nd",x\n5,"e\n6,f,x\n',
    )
    rows, faults = read(path)
    assert [row[0] for row in rows] == [2, 6]
    assert [(fault.row, fault.kind) for fault in faults] == [
        (3, "columns"),
        (4, "columns"),
        (5, "header"),
        (7, "columns"),
    ]
    assert faults[0].detail == "2 columns instead of 3"
    assert faults[1].detail == "4 columns instead of 3"
    assert faults[3].detail == "a quotation mark is never closed and takes in 2 lines"


def test_misplaced_quotation_marks_are_faults_of_their_rows_only(tmp_path: Path) -> None:
    sound = [f"{n},x" for n in range(1, 21)]
    broken = '"he said "no" to me",x'
    for at in (1, 2, 11):
        lines = ["text,label", *sound]
        lines.insert(at, broken)
        rows, faults = read(write(tmp_path / "a.csv", "\n".join(lines)))
        assert [text for _, text, _ in rows] == [str(n) for n in range(1, 21)]
        assert [(fault.row, fault.kind) for fault in faults] == [(at + 1, "columns")]
        assert "closing quotation mark" in faults[0].detail
    message = problem(write(tmp_path / "b.csv", '"a"b,c\n1,2\n'))
    assert "row 1, the first one" in message
    rows, faults = read(write(tmp_path / "c.csv", 'text,label\n1,x,"2\n3"\n4,x\n'))
    assert rows == [(3, "4", "x")]
    assert "over 2 lines (a quotation mark too many" in faults[0].detail


def test_a_quotation_mark_that_is_never_closed_does_not_take_all_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LARGEST_CELL", 100)
    path = write(tmp_path / "a.csv", 'text,label\na,x\n"b,x\n' + "c,y\n" * 200)
    rows, faults = read(path)
    assert rows[0] == (2, "a", "x")
    assert len(rows) > 150
    assert faults[0].row == 3
    assert "a cell of more than 100 characters" in faults[0].detail


def test_a_text_may_be_longer_than_the_limit_of_the_csv_module(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    path = write(tmp_path / "a.csv", f'text,label\n"{"long " * 40_000}",x\n')
    rows, _ = read(path)
    assert len(rows[0][1] or "") == 200_000
    assert csv.field_size_limit() == limit


CELLS = st.text(st.sampled_from('ab ,"\n\r;é'), max_size=4)


@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_rows_are_those_of_the_csv_module(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], chunk_rows: int
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    table = [["A", "B", "C"], *table]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "CHUNK_ROWS", chunk_rows)
        rows, faults = read(path, Layout(text=1, label=2, header=False))
    sound = [(i, row[1], row[2]) for i, row in enumerate(table, start=1) if len(row) == 3]
    blank = [i for i, row in enumerate(table, start=1) if len(row) == 1 and not row[0].strip()]
    assert rows == sound
    assert sorted([row[0] for row in rows] + [f.row for f in faults] + blank) == list(
        range(1, len(table) + 1)
    )
    before = 0
    for number, row in enumerate(table, start=1):
        assert line_of_row(path, number, "csv", TableOptions()) == before + 1
        written = io.StringIO()
        csv.writer(written, quoting=csv.QUOTE_ALL).writerow(row)
        before += len(list(io.StringIO(written.getvalue(), newline="")))


@given(st.text(st.sampled_from('ab,,"\n\n\r'), max_size=40), st.integers(1, 4))
def test_chunks_of_any_size_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, body: str, chunk_rows: int
) -> None:
    path = write(tmp_path_factory.mktemp("table") / "a.csv", "A,B,C\n" + body)
    layout = Layout(text=1, label=2, header=False)
    expected = read(path, layout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "CHUNK_ROWS", chunk_rows)
        assert read(path, layout) == expected
        patch.setattr(reader, "CHUNK_CHARACTERS", 3)
        assert read(path, layout) == expected


# ------------------------------------------------------------------------ files and encodings


def test_compressed_files(tmp_path: Path) -> None:
    content = b"text,label\na,x\n"
    packed = write(tmp_path / "a.csv.gz", gzip.compress(content, mtime=0))
    archive = tmp_path / "b.tsv.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("folder/", "")
        file.writestr("folder/b.tsv", content.replace(b",", b"\t"))
        file.writestr("__MACOSX/._b.tsv", b"\0")
    assert read(packed)[0] == read(archive)[0] == [(2, "a", "x")]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\na,x\n"))[0] == [(2, "a", "x")]
    wide = write(tmp_path / "b.csv", "text,label\nä,x\n".encode("utf-16"))
    assert read(wide, encoding="utf-16")[0] == [(2, "ä", "x")]


def damaged_gzip() -> bytes:
    return gzip.compress(b"text,label\n" + bytes(str(list(range(9999))), "ascii"))[:-2000]


def archive_of(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, "text,label\na,x\n")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\r\n  \n", "nothing but empty lines"),
        ("a.csv", b"text,label\n\0\1\2", "is not a text file"),
        ("a.csv", bytes(range(1, 32)) * 20, "control characters"),
        ("a.csv", gzip.compress(b"x", mtime=0), "gzip-compressed data, not text"),
        ("a.csv", archive_of("x"), "Save the table as CSV"),
        ("a.csv", b"PAR1xxxx", "is a Parquet file"),
        ("a.csv", "text,label\n".encode("utf-16"), "data.encoding: utf-16, or --encoding utf-16"),
        ("a.csv.gz", b"text,label\n", "is not gzip-compressed"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("a.csv.gz", damaged_gzip(), "damaged or incomplete"),
        ("a.csv.zip", b"text,label\n", "is not a ZIP archive"),
        ("a.csv.zip", archive_of("a.csv", "b.csv"), "holds 2 files (a.csv, b.csv)"),
        ("a.csv.zip", archive_of(), "holds no file"),
        ("a.parquet", b"text,label\n", "not a Parquet file"),
        ("a.parquet", b"PAR1 and then nothing", "cannot be read as Parquet"),
        ("a.parquet", b"", "is empty"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    assert expected in problem(write(tmp_path / name, content))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "does not exist" in problem(tmp_path / "none.csv")
    assert "does not exist" in problem(tmp_path / "none.csv.gz")
    assert "does not exist" in problem(tmp_path / "none.parquet")
    assert "is a folder" in problem(tmp_path)


# ----------------------------------------------------------------------------- JSON and Parquet


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": "a\nb", "label": 4, "other": [1]}),
        "",
        json.dumps({"label": True, "text": "c"}),
        "{broken",
        "[1, 2]",
        json.dumps({"text": None, "label": "x"}),
        json.dumps({"label": 1.0}),
        json.dumps({"text": {}, "label": "x"}),
    ]
    rows, faults = read(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert rows == [(1, "a\nb", "4"), (3, "c", "true"), (6, None, "x"), (7, None, "1")]
    assert [(fault.row, fault.kind) for fault in faults] == [(n, "json") for n in (4, 5, 8)]
    message = problem(tmp_path / "a.jsonl", Layout(text="texts"))
    assert "Did you mean 'text'?" in message
    assert "names instead of numbered columns" in problem(
        tmp_path / "a.jsonl", Layout(text=0, label=1)
    )


def test_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"label": [0, 4, None], "text": ["NA", None, "c"], "day": [1, 2, 3]})
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    assert read(path)[0] == [(1, "NA", "0"), (2, None, "4"), (3, "c", None)]
    assert read(path, Layout(text=1, label=0, header=False))[0] == read(path)[0]
    assert "'label', 'text', 'day'" in problem(path, Layout(text="body"))


def test_parquet_with_damaged_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"text": ["some text", "more"], "label": ["x", "y"]})
    frame.to_parquet(path, compression=None)
    path.write_bytes(path.read_bytes().replace(b"some text", b"some \xff\xffxt"))
    assert "cannot be read as Parquet" in problem(path)


def test_parquet_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CHUNK_ROWS", 3)
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"text": list("abcdefg"), "label": range(7)}, index=list("tuvwxyz"))
    frame.to_parquet(path)
    table = read_table(path, "parquet", TableOptions())
    assert (table.columns, table.size) == (("text", "label"), 7)
    chunks = list(table.chunks)
    assert [list(chunk.numbers) for chunk in chunks] == [[1, 2, 3], [4, 5, 6], [7]]
    assert [chunk.position for chunk in chunks] == [3, 6, 7]
    assert chunks[2].rows == [("g", 6)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zip"])
def test_the_position_ends_at_the_size(tmp_path: Path, name: str) -> None:
    content = b"text,label\n" + b"a,x\n" * 20_000
    if name.endswith("zip"):
        content = archive_of("a.csv")
    path = write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    table = read_table(path, "csv", TableOptions())
    positions = [chunk.position for chunk in table.chunks]
    assert positions == sorted(positions)
    assert positions[-1] == table.size


def test_formats_are_told_by_the_name() -> None:
    names = {"a.CSV": "csv", "a.tsv.zip": "tsv", "a.ndjson.gz": "jsonl", "a.txt": "lines"}
    assert {name: format_of(Path(name)) for name in names} == names
    assert format_of(Path("a.xyz")) is None
    assert format_of(Path("a.gz")) is None


def test_a_row_is_described_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"a\nb",x\nc,y\n')
    assert describe_row(path, 3, NAMED, encoding="utf-8") == f"{path}: row 3 (line 4)"
    assert describe_row(path, 3, Layout("files"), encoding="utf-8") == f"{path}: line 3"
