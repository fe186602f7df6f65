"""Opening text files of any encoding, compressed or not, so that a wrong one is named.

Bytes that are not text in the encoding do not stop the reading: Python's `surrogateescape` turns
them into lone surrogates (U+DC80 to U+DCFF), so that readers of tables can name the row.
"""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rnnkit.data.files import UTF8_BOM, naming
from rnnkit.errors import DataError

COMPRESSED = (".gz", ".zip")
UNDECODED = re.compile("[\ud800-\udfff]")
"""A byte that could not be decoded, or half of a surrogate pair."""

_SAMPLE_BYTES = 64 * 1024
_MOST_CONTROL = 0.1
_CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
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
        check_sample(path, sample, encoding=encoding)
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
        except (EOFError, zlib.error):
            raise DataError(
                f"{path} is damaged or incomplete: it cannot be decompressed to its end. Get it "
                "again."
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


def check_sample(path: Path, sample: bytes, *, encoding: str) -> None:
    """Raise DataError when the first bytes of a file do not look like text in `encoding`."""
    wide = encoding.lower().startswith(_WIDE)
    if not sample.removeprefix(UTF8_BOM):
        raise DataError(f"{path} is empty. Give a file with texts in it.")
    for magic, name, advice in _KNOWN_FORMATS:
        if sample.startswith(magic):
            raise DataError(f"{path} is {name}, not text. {advice}.")
    if sample.startswith(UTF8_BOM) and encoding.lower().replace("_", "-") not in (
        "utf-8",
        "utf8",
        "utf-8-sig",
    ):
        raise DataError(
            f"{path} begins with the byte order mark of UTF-8 (EF BB BF), but is read as "
            f"{encoding}. Set data.encoding: utf-8, or --encoding utf-8"
        )
    if wide:
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
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > _MOST_CONTROL * len(sample):
        raise DataError(
            f"{path} is not a text file: {controls:,} of its first {len(sample):,} bytes are "
            "control characters. Extract the text from it first."
        )


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
    try:
        raw.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    # Between 80 and 9F latin-1 has control characters only, cp1252 has typographic quotes.
    if any(0x80 <= byte <= 0x9F for byte in raw):
        try:
            raw.decode("cp1252")
            return "cp1252"
        except UnicodeDecodeError:
            pass
    return "latin-1"
