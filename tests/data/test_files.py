"""Finding text files, refusing what is none, and decoding piece by piece."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data.files import check_unchanged, find_files, identify
from rnnkit.data.pieces import read_pieces
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules

RULES = [TextRules(), TextRules("keep"), TextRules("normalize", "NFC", True)]


def read(path: Path, *, encoding: str = "utf-8", chunk_bytes: int = 7) -> str:
    pieces = read_pieces(path, encoding=encoding, rules=TextRules(), chunk_bytes=chunk_bytes)
    return "".join(pieces)


def test_files_come_in_the_given_order_and_those_of_a_pattern_by_name(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "z.txt", "c.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "folder.txt" / "deep.txt").write_text("deep")

    def names(*patterns: str) -> list[str]:
        files, _ = find_files([str(tmp_path / pattern) for pattern in patterns])
        return [path.name for path in files]

    assert names("*.txt") == ["a.txt", "b.txt", "z.txt"]
    assert names("z.txt", "c.*", "a.txt") == ["z.txt", "c.md", "a.txt"]
    assert names("**/*.txt") == ["a.txt", "b.txt", "deep.txt", "z.txt"]
    assert names("b.txt", "*.txt") == ["b.txt", "a.txt", "z.txt"]
    _, notes = find_files([str(tmp_path / "b.txt"), str(tmp_path / "*.txt")])
    assert len(notes) == 1
    assert "b.txt is named twice" in notes[0]


def test_a_name_that_looks_like_a_pattern_is_a_name_when_it_exists(tmp_path: Path) -> None:
    for name in ("poems [1].txt", "poems 1.txt"):
        (tmp_path / name).write_text(name)
    files, _ = find_files([str(tmp_path / "poems [1].txt")])
    assert [path.name for path in files] == ["poems [1].txt"]


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [
        (["nothing*.txt"], "pattern matches no file. Check the spelling"),
        (["fold*"], "pattern matches only folders"),
        (["a\0b"], "holds a NUL character"),
        ([], "No text file is given"),
    ],
)
def test_patterns_without_files_are_named(
    tmp_path: Path, patterns: list[str], problem: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=problem) as caught:
        find_files([str(tmp_path / pattern) for pattern in patterns])
    assert not patterns or str(tmp_path)[:5] in str(caught.value)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "encoding", "problem"),
    [
        (lambda path: None, "utf-8", "does not exist"),
        (make_folder, "utf-8", r"is a folder.*x\.txt/\*\.txt"),
        (make_pipe, "utf-8", "not a regular file"),
        (holding(b""), "utf-8", "is empty"),
        (holding(b"\xef\xbb\xbf"), "utf-8", "is empty"),
        (holding(b"abc\0def"), "utf-8", "byte 3 is NUL"),
        (holding(b"\x7fELF\x01\x02\x03\x04"), "utf-8", "not a text file: 5 of its first 8 bytes"),
        (holding("text".encode("utf-16")), "utf-8", "of UTF-16.*iconv -f UTF-16 -t UTF-8 x.txt"),
        (holding("text".encode("utf-32")), "latin-1", "of UTF-32.*iconv -f UTF-32"),
        (holding("text".encode("utf-16-le")), "utf-8", "iconv -f UTF-16LE"),
        (holding("text".encode("utf-16-be")), "cp1252", "iconv -f UTF-16BE"),
        (holding(b"\xef\xbb\xbftext"), "latin-1", "Set data.encoding: utf-8"),
    ],
)
def test_what_is_no_text_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], object], encoding: str, problem: str
) -> None:
    path = tmp_path / "x.txt"
    make(path)
    with pytest.raises(DataError, match=problem) as caught:
        identify(path, encoding=encoding)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("text")
    path.chmod(0)
    with pytest.raises(DataError, match=r"x\.txt may not be read: permission denied"):
        identify(path, encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (PermissionError(13, "Permission denied"), "may not be read"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_what_the_system_says_about_a_file_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, problem: str
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("text")

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=rf"x\.txt {problem}"):
        identify(path, encoding="utf-8")
    with pytest.raises(DataError, match=rf"x\.txt {problem}"):
        read(path)


def test_a_file_that_is_written_to_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("text")
    identity = identify(path, encoding="utf-8")
    check_unchanged(identity)
    path.write_text("longer text")
    with pytest.raises(DataError, match="changed while it was being read"):
        check_unchanged(identity)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    bom=st.booleans(),
    chunk_bytes=st.integers(1, 20),
    rules=st.sampled_from(RULES),
)
def test_the_pieces_make_the_text_and_no_crlf_is_cut(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    bom: bool,
    chunk_bytes: int,
    rules: TextRules,
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.txt"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
    pieces = list(read_pieces(path, encoding="utf-8", rules=rules, chunk_bytes=chunk_bytes))
    if bom or not text.startswith("\ufeff"):
        assert "".join(pieces) == text
    assert all(pieces)
    for first, second in pairwise(pieces):
        assert not (first.endswith("\r") and second.startswith("\n"))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_single_byte_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes("Fünf Ärzte, déjà vu".encode(encoding))
    assert read(path, encoding=encoding) == "Fünf Ärzte, déjà vu"


@pytest.mark.parametrize(
    ("content", "encoding", "place", "advice"),
    [
        (b"one\ntwo caf\xe9 x", "utf-8", "line 2, byte 11 .from 0.: E9 is", "encoding: latin-1"),
        (b"a\r\nb\rc \x93quoted\x94", "utf-8", "line 3, byte 7 ", "encoding: cp1252"),
        (b"\xe9 and \x81", "utf-8", "line 1, byte 0 ", "encoding: latin-1"),
        (b"\xef\xbb\xbfa\xff", "utf-8", "line 1, byte 4 .*FF", "encoding: latin-1"),
        ("é € ".encode() + b"\xe9 x", "utf-8", "byte 7 ", "is damaged at this character"),
        ("abc é€".encode()[:-1], "utf-8", "byte 6 .*E2 82", "breaks off inside this character"),
        (b"abc\n\x8d", "cp1252", "line 2, byte 4 .*8D is not cp1252", "encoding: latin-1"),
        ("abc \u074d".encode(), "cp1252", "byte 5 .*8D", "encoding: utf-8"),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 3, 4096])
def test_bytes_that_are_not_in_the_encoding_are_located(
    tmp_path: Path, content: bytes, encoding: str, place: str, advice: str, chunk_bytes: int
) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{place}.*{advice}") as caught:
        read(path, encoding=encoding, chunk_bytes=chunk_bytes)
    assert str(path) in str(caught.value)


@given(st.binary(max_size=60).map(lambda content: content.replace(b"\0", b"\xc3")))
def test_the_advised_encoding_works(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "advice.txt"
    path.write_bytes(content)
    for encoding in ("utf-8", "cp1252"):
        try:
            read(path, encoding=encoding)
        except DataError as error:
            advised = str(error).rsplit(" ", 1)[-1]
            assert advised != encoding
            read(path, encoding=advised)


def test_a_nul_far_from_the_beginning_is_located(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"text " * 1000 + b"\0 more")
    with pytest.raises(DataError, match="byte 5,000 is NUL"):
        read(path)
