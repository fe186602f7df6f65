"""Compressed files: what is wrong with one is said as it is."""

import gzip
from pathlib import Path

import pytest

from rnnkit.data.files import open_text
from rnnkit.errors import DataError

PACKED = gzip.compress(b"text,label\ngood,yes\n", mtime=0)  # the same bytes in every process


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PACKED + b"more", "not gzip-compressed follow the compressed text"),
        (PACKED[:-8] + bytes(8), "its checksum is wrong"),
        (PACKED[:-9], "cannot be decompressed to its end"),
        (b"text,label\n", r"not gzip-compressed, though its name ends in \.gz"),
    ],
    ids=["followed", "checksum", "cut", "plain"],
)
def test_a_broken_gzip_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "texts.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem), open_text(path, encoding="utf-8") as text:
        text.read()


def test_members_and_padding_are_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt.gz"
    path.write_bytes(PACKED + gzip.compress(b"bad,no\n") + bytes(512))
    with open_text(path, encoding="utf-8") as text:
        assert text.read() == "text,label\ngood,yes\nbad,no\n"
