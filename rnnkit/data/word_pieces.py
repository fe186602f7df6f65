"""Reading a text in pieces that can become words one after the other, part by part."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rnnkit.data.decoding import read_pieces
from rnnkit.text.cleaning import TextRules

_MOST_PIECES_HELD = 16
_LEAST_HELD = 2**16
_LINE_END_WITHIN = 1000

Note = Callable[[str, str], None]


def read_word_pieces(
    path: Path,
    *,
    encoding: str,
    rules: TextRules,
    chunk_bytes: int,
    note: Note = lambda piece, text: None,
) -> Iterator[str]:
    """The cleaned text of a file in pieces of about `chunk_bytes`, cut where a line or a word ends
    and a blank begins, so that no token reaches across.

    `note(piece, text)` is told every piece as it was read and as it was cleaned. What is longer
    than sixteen pieces without the end of a word is cut anywhere.
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
    """The last newline after a visible character, or else the last space after a letter."""
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
    """Number the part of every piece, from 0; part i + 1 begins at character `starts[i]` or where
    the next line ends, if one does soon after, or else the next word.

    Soon is within 1000 characters and a quarter of what comes after, of the `total`. With
    `lines_only` it is the next line, however long it is. Pieces come as `read_word_pieces` makes
    them; those around the beginning of a part are joined and cut there.
    """
    part = place = 0
    is_cut = True  # whether another part, or the text, has ended right here
    for piece in pieces:
        pending = piece
        while part < len(starts) and place + len(pending) >= starts[part]:
            cut = 0
            if not (is_cut and starts[part] <= place):
                reach = min(_LINE_END_WITHIN, (total - starts[part]) // 4)
                last = max(0, starts[part] - 1 - place)  # the character before the part
                while (cut := _next_end(pending, last, None if lines_only else reach)) is None:
                    more = next(pieces, None)
                    if more is None:
                        cut = len(pending)
                        break
                    pending += more
                yield part, pending[:cut]
            place += cut
            pending = pending[cut:]
            part += 1
            is_cut = True
        if pending:
            yield part, pending
            is_cut = False
        place += len(pending)


def _next_end(text: str, place: int, reach: int | None) -> int | None:
    """The end of the line, or word, that character `place` is in; None when `text` does not tell
    yet."""
    line = text.find("\n", place)
    if line >= 0 and (reach is None or line <= place + reach):
        return line + 1
    if reach is None or len(text) <= place + reach:
        return None
    ends = [end for end in (line, text.find(" ", place)) if end >= 0]
    return min(ends) if ends else None
