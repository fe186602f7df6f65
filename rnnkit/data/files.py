"""Text files: finding them, checking that they are text, opening them, noticing changes.

Language models read plain files; tables may be compressed and in any encoding. Bytes of a table
that are not text in the encoding do not stop the reading: Python's `surrogateescape` turns them
into lone surrogates (U+DC80 to U+DCFF), so that readers of tables can name the row.
"""

import glob
import gzip
import hashlib
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rnnkit.errors import DataError

UTF8_BOM = b"\xef\xbb\xbf"
_UTF8_NAMES = ("utf-8", "utf8", "utf-8-sig")
_WIDE_BOMS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_SAMPLE_BYTES = 64 * 1024
_CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
COMPRESSED = (".gz", ".zip")
UNDECODED = re.compile("[\ud800-\udfff]")
"""A byte that could not be decoded, or half of a surrogate pair."""

_WIDE = ("utf16", "utf32", "utf-16", "utf-32", "utf_16", "utf_32")
_GZIP = b"\x1f\x8b"
_KNOWN_FORMATS = (
    (_GZIP, "gzip-compressed data", "Give it a name that ends in .gz"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", "Save the table as CSV"),
    (b"PAR1", "a Parquet file", "Give it a name that ends in .parquet"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the table as CSV"),
    (b"%PDF", "a PDF file", "Extract the text first"),
    (b"BZh", "bzip2-compressed data", "Decompress it first"),
    (b"\xfd7zXZ\x00", "xz-compressed data", "Decompress it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data", "Decompress it first"),
)


@dataclass(frozen=True)
class SourceFile:
    """A text file and its counts."""

    path: str
    bytes: int
    sha256: str
    has_bom: bool
    """Whether it begins with a UTF-8 byte order mark, which is not part of the text."""
    characters: int
    """Characters after cleaning."""
    lf: int
    """Newlines of Unix in the file."""
    crlf: int
    """Newlines of Windows."""
    cr: int
    """Newlines of old Macs."""


@dataclass(frozen=True)
class FileIdentity:
    """A file at the time when it was checked: place, time of change and content."""

    path: Path
    bytes: int
    modified_ns: int
    has_bom: bool
    sha256: str


def find_files(patterns: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of `patterns` (paths or glob patterns), and notes about them.

    Files come in the order of the patterns, those of one pattern by name; one that is named
    twice is taken once. Folders that a pattern matches are skipped.
    Raises DataError for what does not exist.
    """
    found: dict[Path, None] = {}
    notes = []
    for pattern in patterns:
        for path in _matches(pattern):
            if path in found:
                notes.append(f"{path} is named twice; it is read once.")
            found[path] = None
    if not found:
        raise DataError("No text file is given. Name one in data.path.")
    return tuple(found), tuple(notes)


def _matches(pattern: str) -> list[Path]:
    if "\0" in pattern:
        raise DataError(f"{pattern!r} is not a path: it holds a NUL character.")
    with naming(pattern):
        if os.path.lexists(pattern) or not glob.has_magic(pattern):
            return [Path(pattern)]
        # Path.glob takes no absolute pattern.
        matched = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    files = sorted(path for path in matched if not path.is_dir())
    if not files:
        only = "only folders" if matched else "no file"
        raise DataError(
            f"{pattern}: the pattern matches {only}. Check the spelling; in a configuration "
            "file it is relative to that file."
        )
    return files


def identify(path: Path, *, encoding: str) -> FileIdentity:
    """Check that the file looks like text in `encoding` and hash its content.

    Raises DataError when it does not, or when it changes meanwhile.
    """
    sample, status = check_text_file(path, encoding=encoding)
    with naming(path), path.open("rb", buffering=0) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    identity = FileIdentity(
        path=path,
        bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        has_bom=sample.startswith(UTF8_BOM),
        sha256=sha256,
    )
    check_unchanged(identity)
    return identity


def check_text_file(path: Path, *, encoding: str) -> tuple[bytes, os.stat_result]:
    """Return the first bytes and the status of a regular file of text.

    Raises DataError when it does not look like text in `encoding`.
    """
    with naming(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                f"{path} is a folder, not a text file. To read the files in it, use a pattern "
                f"such as {path / '*.txt'}"
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(
                f"{path} is not a regular file, and it has to be read more than once. Save its "
                "text to a file first."
            )
        with path.open("rb") as file:
            sample = file.read(_SAMPLE_BYTES)
    _check_mark(path, sample, encoding=encoding, expected="text")
    for mark, name in _WIDE_BOMS:
        if sample.startswith(mark):
            raise DataError(
                f"{path} begins with the byte order mark of {name}, which is not read here. "
                f"Convert it: iconv -f {name} -t UTF-8 {path.name} > converted.txt"
            )
    if (nul := sample.find(b"\0")) >= 0:
        raise binary_file(path, nul, sample)
    _check_controls(path, sample, most=0.3)
    return sample, status


def _check_mark(path: Path, sample: bytes, *, encoding: str, expected: str) -> None:
    """Refuse an empty file, and the byte order mark of UTF-8 before text in another encoding."""
    if not sample.removeprefix(UTF8_BOM):
        raise DataError(f"{path} is empty. Give a file with {expected} in it.")
    if sample.startswith(UTF8_BOM) and encoding.lower().replace("_", "-") not in _UTF8_NAMES:
        raise DataError(
            f"{path} begins with the byte order mark of UTF-8 (EF BB BF), but is read as "
            f"{encoding}. Set data.encoding: utf-8, or --encoding utf-8"
        )


def _check_controls(path: Path, sample: bytes, *, most: float) -> None:
    """Refuse a sample of which more than the fraction `most` are control characters."""
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > most * len(sample):
        raise DataError(
            f"{path} is not a text file: {controls:,} of its first {len(sample):,} bytes are "
            "control characters. Extract the text from it first."
        )


def binary_file(path: Path, offset: int, surroundings: bytes) -> DataError:
    """Return the error for a NUL byte at `offset`, found in `surroundings`."""
    even, odd = surroundings[::2].count(0), surroundings[1::2].count(0)
    if (even == 0 or odd == 0) and 5 * (even + odd) > len(surroundings) and even + odd > 1:
        return DataError(
            f"{path} is not UTF-8 text: every second byte is NUL, as in UTF-16. Convert it: "
            f"iconv -f UTF-16{'LE' if even == 0 else 'BE'} -t UTF-8 {path.name} > converted.txt"
        )
    return DataError(
        f"{path} is not a text file: byte {offset:,} is NUL. Extract the text from it first."
    )


def check_unchanged(identity: FileIdentity) -> None:
    """Raise DataError when the file was written to since it was identified."""
    with naming(identity.path):
        now = identity.path.stat()
    if (now.st_size, now.st_mtime_ns) != (identity.bytes, identity.modified_ns):
        raise changed_file(identity.path)


def changed_file(path: Path) -> DataError:
    """Return the error for a file that another process writes to."""
    return DataError(
        f"{path} changed while it was being read. Start again when nothing writes to it."
    )


@contextmanager
def naming(path: Path | str, *, key: str = "data.path") -> Iterator[None]:
    """Turn an error of the operating system or of decompressing `path` into a DataError.

    `key` of the configuration names the file.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist. Check {key}; in a configuration file it is relative to "
            "that file."
        ) from None
    except PermissionError:
        raise DataError(f"{path} may not be read: permission denied.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(
            f"{path} is damaged or incomplete: it cannot be decompressed to its end. Get it again."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


# ------------------------------------------------------------- tables, compressed or not


def bare_name(path: Path) -> str:
    """Return the file's name without `.gz` or `.zip`: `tweets.csv.gz` -> `tweets.csv`."""
    return path.stem if path.suffix.lower() in COMPRESSED else path.name


@contextmanager
def open_text(path: Path, *, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Open the decompressed text of `path`, newlines unchanged.

    A UTF-8 byte order mark is dropped. Undecodable bytes become lone surrogates (see above).
    Raises DataError, also while the text is read, for a file that is missing, unreadable, empty,
    binary, not what its suffix says, or a ZIP archive of several files.
    """
    with _naming_damage(path, encoding):
        with _open_bytes(path) as file:
            sample = file.read(_SAMPLE_BYTES)
        _check_table(path, sample, encoding=encoding)
        codec = "utf-8-sig" if sample.startswith(UTF8_BOM) else encoding
        with (
            _open_bytes(path) as file,
            io.TextIOWrapper(file, encoding=codec, errors="surrogateescape", newline="") as text,
        ):
            yield text


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, not a file. For one folder per class set "
            "data.layout: {kind: folders}; for the files in it use a pattern such as "
            f"{path / '*.csv'}"
        )
    match path.suffix.lower():
        case ".gz":
            with gzip.open(path, "rb") as file:
                # gzip's file reads, but is typed as less than what TextIOWrapper takes.
                yield file  # pyright: ignore[reportReturnType]
        case ".zip":
            with zipfile.ZipFile(path) as archive, _open_member(path, archive) as file:
                yield file
        case _:
            with path.open("rb") as file:
                yield file


def _open_member(path: Path, archive: zipfile.ZipFile) -> IO[bytes]:
    try:
        return archive.open(_only_member(path, archive))
    except (RuntimeError, NotImplementedError) as error:
        # Encrypted, or packed by a method that Python does not know.
        raise DataError(f"{path} cannot be unpacked: {error}. Unpack it first.") from None


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5])
        more = f" and {len(members) - 5:,} more" if len(members) > 5 else ""
        holds = f"{len(members):,} files ({names}{more})" if members else "no file"
        raise DataError(
            f"{path} holds {holds}, and exactly one is expected. Unpack it and name the files "
            "you want."
        )
    return members[0]


@contextmanager
def _naming_damage(path: Path, encoding: str) -> Iterator[None]:
    """Turn errors of decompressing and decoding into a DataError."""
    with naming(path):
        try:
            yield
        except gzip.BadGzipFile:
            raise _bad_gzip(path) from None
        except zipfile.BadZipFile:
            raise DataError(
                f"{path} is not a ZIP archive, or a damaged one. Rename it without .zip, or get "
                "it again."
            ) from None
        except UnicodeError as error:
            raise DataError(
                f"{path} is not {encoding}: {error}. Set data.encoding (or --encoding) to that of "
                "the file."
            ) from None


def _bad_gzip(path: Path) -> DataError:
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP)) == _GZIP
    if is_gzip:
        return DataError(
            f"{path} is damaged: its checksum is wrong, or bytes that are not gzip-compressed "
            "follow the compressed text. Get it again, or decompress it and name the result."
        )
    return DataError(
        f"{path} is not gzip-compressed, though its name ends in {path.suffix}. Rename it without "
        f"{path.suffix}, or get it again."
    )


def _check_table(path: Path, sample: bytes, *, encoding: str) -> None:
    """Refuse a file whose first bytes do not look like a table of texts in `encoding`."""
    _check_mark(path, sample, encoding=encoding, expected="texts")
    for magic, name, advice in _KNOWN_FORMATS:
        if sample.startswith(magic):
            raise DataError(f"{path} is {name}, not text. {advice}.")
    if encoding.lower().startswith(_WIDE):
        return
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            f"{path} begins with the byte order mark of UTF-16, but is read as {encoding}. Set "
            "data.encoding: utf-16, or --encoding utf-16"
        )
    if (nul := sample.find(b"\0")) >= 0:
        raise DataError(
            f"{path} is not a text file: byte {nul:,} is NUL. If it is UTF-16, set "
            "data.encoding: utf-16, or --encoding utf-16"
        )
    _check_controls(path, sample, most=0.1)


def describe_undecoded(text: str, *, encoding: str) -> str:
    r"""Return the problem of an undecodable `text`, with an encoding that would work.

    `"caf\udce9"` read as UTF-8 -> `byte E9 is not utf-8 (set data.encoding ..)`
    """
    found = UNDECODED.search(text)
    assert found is not None
    code = ord(found[0])
    if not 0xDC80 <= code <= 0xDCFF:
        return f"U+{code:04X} is half of a surrogate pair, not a character"
    raw = bytes(ord(character) - 0xDC00 for character in UNDECODED.findall(text))
    return (
        f"byte {code - 0xDC00:02X} is not {encoding} (set data.encoding or --encoding, perhaps "
        f"{_guess(raw)})"
    )


def _guess(raw: bytes) -> str:
    """Return the probable encoding of single bytes above 7F."""
    # Between 80 and 9F latin-1 has control characters only, cp1252 has typographic quotes.
    quotes = ("cp1252",) if any(0x80 <= byte <= 0x9F for byte in raw) else ()
    for encoding in ("utf-8", *quotes):
        with suppress(UnicodeDecodeError):
            raw.decode(encoding)
            return encoding
    return "latin-1"
