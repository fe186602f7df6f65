"""Texts on the command line: arguments, or the lines of standard input."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from rnnkit.errors import DataError, UsageError


def run_and_texts(
    arguments: Sequence[str], run_option: str | None, runs_dir: Path
) -> tuple[str | None, list[str]]:
    """Tell the run from the texts: the first argument is one if a run is there."""
    if run_option is not None:
        return run_option, list(arguments)
    if arguments and _is_run(arguments[0], runs_dir):
        return arguments[0], list(arguments[1:])
    return None, list(arguments)


def _is_run(name: str, runs_dir: Path) -> bool:
    try:
        return any((path / "manifest.json").is_file() for path in (Path(name), runs_dir / name))
    except (OSError, ValueError):  # a text that is too long for a path, or holds what none may
        return False


def check_encoding(encoding: str) -> None:
    """Raise UsageError unless `--encoding` names an encoding of text.

    Python's codecs also know `hex`, `base64` and `rot13`, which are none.
    """
    import codecs

    try:
        # The interpreter itself tells text encodings by this attribute.
        is_text = codecs.lookup(encoding)._is_text_encoding  # pyright: ignore[reportAttributeAccessIssue]
    except (LookupError, ValueError):  # unknown, or a name with a NUL character
        is_text = False
    if not is_text:
        raise UsageError(
            f"--encoding {encoding!r}: not an encoding of text that Python knows; expected for "
            "example utf-8, latin-1 or cp1252."
        )


def standard_input() -> BinaryIO:
    """Return the bytes of standard input.

    Raises:
        UsageError: it is closed, as after `<&-`.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(
            "Standard input is closed; give the texts as arguments, or redirect a file to it."
        )
    return sys.stdin.buffer


def is_typed() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def stdin_pieces(encoding: str) -> Iterator[list[str]]:
    """Read the lines of standard input, yielding as many at a time as have arrived.

    Raises:
        UsageError: standard input is closed, or `encoding` is none of text.
        DataError: it is not text in `encoding`.
    """
    import codecs
    import io

    check_encoding(encoding)
    stream = standard_input()
    read = getattr(stream, "read1", stream.read)
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)("strict"), translate=True
    )
    rest, done, ended = "", 0, False
    while not ended:
        data = read(2**18)
        ended = not data
        try:
            rest += decoder.decode(data, final=ended)
        except UnicodeError as error:
            where = f"after line {done:,}" if done else "from its first line on"
            raise DataError(
                f"Standard input is not {encoding} {where} ({error}). Name its encoding, for "
                "example --encoding latin-1"
            ) from error
        if not done:
            rest = rest.removeprefix("\ufeff")
        *lines, rest = rest.split("\n")
        if ended and rest:
            lines.append(rest)
        if lines:
            done += len(lines)
            yield lines
