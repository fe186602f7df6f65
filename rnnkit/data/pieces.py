"""Reading a text file in pieces: decoded, cleaned, cut between words, divided into splits."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rnnkit.data.files import UTF8_BOM, binary_file, naming
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules

_MOST_PIECES_HELD = 16
_LEAST_HELD = 2**16
_LINE_END_WITHIN = 1000
_SHOWN_BYTES = 4
_BLOCK_BYTES = 2**20
_C1 = bytes(range(0x80, 0xA0))
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"

Note = Callable[[str, str], None]
"""Called with every piece as it was read and as it was cleaned."""


def read_pieces(path: Path, *, encoding: str, rules: TextRules, chunk_bytes: int) -> Iterator[str]:
    """Yield the decoded text in pieces of about `chunk_bytes`, not yet cleaned.

    The pieces joined are the text without its byte order mark; they are cut where `rules` give
    the same result piece by piece as on the whole, and never inside a CRLF.
    Raises DataError naming the place where the bytes are not text in `encoding`.
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


def read_word_pieces(
    path: Path,
    *,
    encoding: str,
    rules: TextRules,
    chunk_bytes: int,
    note: Note = lambda piece, text: None,
) -> Iterator[str]:
    """Yield the cleaned text of a file in pieces of about `chunk_bytes`, cut where a line or a word
    ends and whitespace begins, so that no token reaches across.

    Text of more than sixteen pieces without the end of a word is cut anywhere.
    """
    pending = ""
    for piece in read_pieces(path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes):
        text = rules.apply(piece)
        note(piece, text)
        pending += text
        cut = _last_word_end(pending)
        if not cut and len(pending) > max(_LEAST_HELD, _MOST_PIECES_HELD * chunk_bytes):
            cut = len(pending)
        if cut:
            yield pending[:cut]
            pending = pending[cut:]
    if pending:
        yield pending


def _last_word_end(text: str) -> int:
    """Return the last newline after a visible character, or else the last space after a letter."""
    cut = len(text)
    while (cut := text.rfind("\n", 0, cut)) > 0:
        if not text[cut - 1].isspace():
            return cut
    cut = len(text)
    while (cut := text.rfind(" ", 0, cut)) > 0:
        if text[cut - 1].isalnum():
            return cut
    return 0


def divide(
    pieces: Iterator[str], starts: Sequence[int], total: int, *, lines_only: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield pieces with the number of their split, from 0.

    Split i + 1 begins at character `starts[i]` of `total`, or after the next newline if there is
    one within 1000 characters and a quarter of the remaining text, or else after the next word;
    with `lines_only` after the next newline, however far it is. A split that would begin at the
    end of the text is empty. Pieces come as `read_word_pieces` makes them; those around the
    beginning of a split are joined and cut there.
    """
    split = place = 0
    is_cut = True  # whether a split, or the text before, ends here
    for piece in pieces:
        pending = piece
        while split < len(starts) and starts[split] < min(total, place + len(pending) + 1):
            cut = 0
            if not (is_cut and starts[split] <= place):
                reach = min(_LINE_END_WITHIN, (total - starts[split]) // 4)
                last = max(0, starts[split] - 1 - place)  # the character before it
                while (cut := _next_end(pending, last, None if lines_only else reach)) is None:
                    more = next(pieces, None)
                    if more is None:
                        cut = len(pending)
                        break
                    pending += more
                yield split, pending[:cut]
            place += cut
            pending = pending[cut:]
            split += 1
            is_cut = True
        if pending:
            yield split, pending
            is_cut = False
        place += len(pending)


def _next_end(text: str, place: int, reach: int | None) -> int | None:
    """Return the end of the line, or word, of character `place`; None where it is after `text`."""
    line = text.find("\n", place)
    if line >= 0 and (reach is None or line <= place + reach):
        return line + 1
    if reach is None or len(text) <= place + reach:
        return None
    ends = [end for end in (line, text.find(" ", place)) if end >= 0]
    return min(ends) if ends else None


def _explain(path: Path, *, encoding: str, offset: int, found: bytes) -> DataError:
    """Return the error for the bytes `found` at `offset`, with an encoding that would work."""
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
    """Return the line (from 1) of byte `offset`, and whether all bytes before it are ASCII."""
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
