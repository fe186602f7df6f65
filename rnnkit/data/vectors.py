"""Pretrained word vectors, in the text formats of GloVe and word2vec.

GloVe (Pennington, Socher and Manning 2014) writes a word and its numbers on every line; word2vec
(Mikolov et al. 2013) and fastText do the same below a first line with the number of vectors and
their length. Such files hold millions of words, a data set thousands: the file is read once from
front to back, and only wanted words are kept. So the numbers of these are checked, and of every
other line the number of fields.
"""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.files import UTF8_BOM, naming
from rnnkit.errors import DataError

_LONGEST_LINE = 1 << 20
_LINES_PER_REPORT = 20_000
_SHOWN = 60
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, eq=False)
class Vectors:
    """`matrix` float32[wanted, width] in the order asked for, `found` bool[wanted].

    Rows of words that were not found are sampled from a normal distribution with the mean and
    deviation of the found ones in each dimension, always with the same seed.
    """

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]
    width: int


def read_vectors(
    path: Path | str,
    wanted: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Vectors:
    """Read the vectors of the `wanted` words, which are distinct.

    A word that is in the file twice has its first vector, as in gensim. Words are compared as
    UTF-8 and may hold spaces, as those of GloVe 840B do. `progress` is called now and then with
    the bytes read of the file and its size.

    Raises DataError, with the number of the line where there is one, for a file that is missing,
    empty, binary or incomplete, for a line with too few or too many numbers, for a wanted vector
    with something else than finite numbers, and when no wanted word is in the file.
    """
    path = Path(path)
    with naming(path, key="model.embedding.path"), path.open("rb") as raw:
        size = path.stat().st_size
        report = (lambda: progress(raw.tell(), size)) if progress else None
        lines = _numbered_lines(path, _decompressed(path, raw), report)
        vectors = _read_wanted(path, lines, wanted)
    if report and progress:
        progress(size, size)
    return vectors


def _read_wanted(path: Path, lines: Iterator[tuple[int, bytes]], wanted: Sequence[str]) -> Vectors:
    announced, width, lines = _read_head(path, lines)
    rows = {word.encode("utf-8", "replace"): row for row, word in enumerate(wanted)}
    matrix = np.zeros((len(wanted), width), np.float32)
    found = np.zeros(len(wanted), np.bool_)
    number = count = 0
    for number, line in lines:
        word = line[: line.find(b" ")]
        values: Sequence[bytes] | None = None
        if line.count(b" ") != width or not word:
            word, values = _split_carefully(path, number, line, width)
        count += 1
        row = rows.get(word)
        if row is None or found[row]:
            continue
        values = values or line.split(b" ")[1:]
        matrix[row] = _numbers(path, number, word, values)
        found[row] = True
    if announced is not None and count < announced:
        raise DataError(
            f"{path}: the first line announces {announced:,} vectors, but the file ends after "
            f"{count:,}, at line {number:,}. Get the file again, or correct that line if you "
            "shortened the file yourself."
        )
    if not found.any():
        raise DataError(
            f"{path} holds none of the {len(wanted):,} tokens of the vocabulary. Check that it "
            "is a file of word vectors of the same language, and that data.tokens.lowercase is "
            "as in it: most published vectors are of lower-case words."
        )
    return Vectors(_fill_missing(matrix, found), found, width)


def _read_head(
    path: Path, lines: Iterator[tuple[int, bytes]]
) -> tuple[int | None, int, Iterator[tuple[int, bytes]]]:
    """Return the number of vectors if the file announces it, their length, and their lines."""
    number, first = next(lines, (0, b""))
    if not first:
        raise DataError(f"{path} is empty. Give a file of word vectors in text form.")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        announced, width = map(int, fields)
        if width < 1:
            raise DataError(f"{path}: the first line announces vectors of no numbers.")
        return announced, width, lines
    # The word, and more of it when it holds spaces, ends where numbers begin.
    width = len(fields) - next(
        (i for i, f in enumerate(fields[1:], 1) if _is_number(f)), len(fields)
    )
    if width == 0:
        raise DataError(
            f"{path}:{number}: a word and its numbers were expected, or the number of vectors "
            f"and their length, but the line is {_shown(first)}. Give a file of word vectors in "
            "the text format of GloVe or word2vec."
        )
    return None, width, chain([(number, first)], lines)


def _numbered_lines(
    path: Path, file: io.BufferedIOBase, report: Callable[[], None] | None
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers from 1, without line ends; empty ones are left out."""
    # Bounded: a binary file may be one line of gigabytes.
    for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), start=1):
        if (len(line) == _LONGEST_LINE and not line.endswith(b"\n")) or b"\0" in line:
            raise DataError(
                f"{path}:{number}: this is not a line of text. The binary format of word2vec is "
                "not read: convert it to text, with gensim for example "
                "(KeyedVectors.save_word2vec_format(..., binary=False))."
            )
        if number == 1:
            line = line.removeprefix(UTF8_BOM)
        if report and number % _LINES_PER_REPORT == 0:
            report()
        # word2vec ends its lines with a space; a word may begin with one.
        line = line.rstrip(b" \t\r\n")
        if line:
            yield number, line


def _split_carefully(path: Path, number: int, line: bytes, width: int) -> tuple[bytes, list[bytes]]:
    """Split a line that is not a word without spaces followed by `width` numbers."""
    line = line.replace(b"\t", b" ")
    word, *values = line.rsplit(b" ", width)
    if len(values) == width and word and all(map(_is_number, values)):
        word = word.rstrip(b" ") or word
        # "a b 0.1 0.2" is a word with a space; "a 0.3 0.1 0.2" is a longer vector.
        if not all(map(_is_fraction, word.split()[1:] or [b""])):
            return word, values
    word, *values = line.split()
    if len(values) == width and all(map(_is_number, values)):
        return word, values  # more than one space between numbers
    numbers = len(line.split()) - 1
    raise DataError(
        f"{path}:{number}: {numbers} number{'s' * (numbers != 1)} after the word, but the vectors "
        f"of this file have {width}: {_shown(line)}. The file is damaged or incomplete: get it "
        "again, or remove the line."
    )


def _numbers(path: Path, number: int, word: bytes, values: Sequence[bytes]) -> list[float]:
    try:
        numbers = list(map(float, values))
    except ValueError:
        wrong = next(value for value in values if not _is_number(value))
        raise DataError(
            f"{path}:{number}: {_shown(wrong)} in the vector of {_shown(word)} is not a number. "
            "Get the file again, or remove the line."
        ) from None
    with np.errstate(over="ignore"):
        finite = np.isfinite(np.array(numbers).astype(np.float32))
    if not finite.all():
        wrong = values[int(np.argmin(finite))]
        raise DataError(
            f"{path}:{number}: {_shown(wrong)} in the vector of {_shown(word)} is not a finite "
            "number. Remove the line, or use other vectors."
        )
    return numbers


def _fill_missing(matrix: NDArray[np.float32], found: NDArray[np.bool_]) -> NDArray[np.float32]:
    present = matrix[found].astype(np.float64)
    missing = (int(np.count_nonzero(~found)), matrix.shape[1])
    sampled = np.random.default_rng(0).standard_normal(missing)
    matrix[~found] = present.mean(axis=0) + present.std(axis=0) * sampled
    return matrix


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_fraction(field: bytes) -> bool:
    """Return whether it is written like the numbers of vectors: 0.1, 1e-3, not 2009 or nan."""
    return _is_number(field) and (b"." in field or b"e-" in field.lower())


def _shown(content: bytes) -> str:
    text = content.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _decompressed(path: Path, raw: io.BufferedReader) -> io.BufferedIOBase:
    start = raw.peek(4)[:4]
    if start.startswith(_ZIP):
        raise DataError(f"{path} is a ZIP archive. Unpack it and name the file of one width in it.")
    if start.startswith(_GZIP):
        # GzipFile reads lines slowly; BufferedReader does it in C.
        return io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 18)  # pyright: ignore[reportArgumentType]
    return raw
