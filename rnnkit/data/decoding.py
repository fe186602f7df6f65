"""From the bytes of a file to its text, piece by piece."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from rnnkit.data.sources import UTF8_BOM, binary_file, naming
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules

_SHOWN_BYTES = 4
_BLOCK_BYTES = 2**20
_C1 = bytes(range(0x80, 0xA0))
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"


def read_pieces(path: Path, *, encoding: str, rules: TextRules, chunk_bytes: int) -> Iterator[str]:
    """The decoded text in pieces of about `chunk_bytes`, not yet cleaned.

    The pieces joined are the text without its byte order mark; they are cut where `rules` give
    the same result piece by piece as on the whole, and never inside a CRLF.
    Raises DataError naming the place that is not text in `encoding`.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    with naming(path), path.open("rb", buffering=0) as file:
        offset = 0
        if encoding == "utf-8" and file.read(len(UTF8_BOM)) == UTF8_BOM:
            offset = len(UTF8_BOM)
        file.seek(offset)
        pending = ""
        while True:
            chunk = file.read(chunk_bytes)
            if (nul := chunk.find(b"\0")) >= 0:
                raise binary_file(path, offset + nul, chunk)
            incomplete = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _explain(
                    path,
                    encoding=encoding,
                    offset=offset - incomplete + error.start,
                    found=error.object[error.start : error.end],
                ) from None
            offset += len(chunk)
            if not chunk:
                break
            searched = len(pending)
            pending += text
            if cut := rules.last_safe_cut(pending, start=searched):
                yield pending[:cut]
                pending = pending[cut:]
        if pending + text:
            yield pending + text


def _explain(path: Path, *, encoding: str, offset: int, found: bytes) -> DataError:
    """The error for the bytes `found` at `offset`, with the encoding that would work."""
    line, before_is_ascii = _look_before(path, offset)
    shown = " ".join(f"{byte:02X}" for byte in found[:_SHOWN_BYTES])
    where = f"{path}: line {line:,}, byte {offset:,} (from 0): {shown} is not {encoding}."
    if encoding != "utf-8":
        other = "utf-8" if _is_utf8(path) else "latin-1"
        return DataError(f"{where} {_advise(other)}")
    other = "cp1252" if _holds(path, _C1) and not _holds(path, _NOT_IN_CP1252) else "latin-1"
    if before_is_ascii:
        return DataError(f"{where} {_advise(other)}")
    at_end = offset + len(found) == path.stat().st_size
    return DataError(
        f"{where} There is proper UTF-8 before it, so the file probably "
        f"{'breaks off inside' if at_end else 'is damaged at'} this character: repair it or get "
        f"it again. If it is {other} after all: {_advise(other)}"
    )


def _advise(encoding: str) -> str:
    return f"Set data.encoding: {encoding} (for evaluate --data: --encoding {encoding})"


def _look_before(path: Path, offset: int) -> tuple[int, bool]:
    """The line (from 1) that byte `offset` is in, and whether all before it is ASCII."""
    line, is_ascii, last = 1, True, b""
    for block in _blocks(path):
        before = block[:offset]
        line += before.count(b"\n") + before.count(b"\r") - (last + before).count(b"\r\n")
        is_ascii = is_ascii and (before.isascii() or (not last and _is_ascii_after_bom(before)))
        offset -= len(before)
        last = before[-1:]
        if not offset:
            break
    return line, is_ascii


def _is_ascii_after_bom(beginning: bytes) -> bool:
    return beginning.removeprefix(UTF8_BOM).isascii()


def _holds(path: Path, values: bytes) -> bool:
    return any(len(block.translate(None, values)) < len(block) for block in _blocks(path))


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(path):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
