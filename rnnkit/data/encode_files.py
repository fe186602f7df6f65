"""Text files in the ids of a vocabulary that exists already."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.decoding import read_pieces
from rnnkit.data.encode import CodePointTable, id_dtype
from rnnkit.data.sources import check_text_file, find_files
from rnnkit.data.word_pieces import read_word_pieces
from rnnkit.errors import DataError
from rnnkit.text.spacing import NEWLINE, spacing, tokenize
from rnnkit.text.vocabulary import Vocabulary

CHUNK_BYTES = 2**20
"""How much of a file is in memory at a time."""


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text in the ids of an existing vocabulary."""

    ids: NDArray[np.unsignedinteger]
    """unsigned[tokens]. What has no id is `<unk>`, or left out if there is none."""
    unseen: dict[str, int]
    """How often each character, or word, without an id occurs."""
    units: int
    """Characters, or words, after cleaning, those without an id included."""


_Piece = tuple[NDArray[np.unsignedinteger], int, Counter[str]]


def encode_files(
    paths: Sequence[str],
    vocabulary: Vocabulary,
    encoding: str,
    *,
    chunk_bytes: int = CHUNK_BYTES,
) -> EncodedText:
    """Encode text files (or glob patterns) with an existing vocabulary.

    The ids lie in an unnamed temporary file, so memory does not grow with the text.
    Raises DataError for files that are missing or no text, or when fewer than two ids result.
    """
    files, _ = find_files(paths)
    dtype = id_dtype(vocabulary.size)
    unseen: Counter[str] = Counter()
    units = tokens = 0
    with tempfile.TemporaryFile() as scratch:
        for path in files:
            check_text_file(path, encoding=encoding)
            for ids, read, missing in _pieces(path, vocabulary, encoding, chunk_bytes):
                units += read
                unseen += missing
                tokens += len(ids)
                scratch.write(ids.astype(dtype, copy=False).data)
        if tokens < 2:
            raise DataError(
                f"{', '.join(map(str, files))}: only {tokens} of {units:,} {vocabulary.unit} "
                "are known to the model; at least two are needed, one to start from and one to "
                "predict."
            )
        scratch.flush()
        mapped = np.memmap(scratch, dtype=dtype, mode="r", shape=(tokens,))
    return EncodedText(ids=mapped, unseen=dict(unseen), units=units)


def _pieces(
    path: Path, vocabulary: Vocabulary, encoding: str, chunk_bytes: int
) -> Iterator[_Piece]:
    """(ids, units read, units without an id), piece by piece."""
    match vocabulary.kind:
        case "characters" | "bytes":
            return _characters(path, vocabulary, encoding, chunk_bytes)
        case "words":
            return _words(path, vocabulary, encoding, chunk_bytes)
        case "subwords":
            return _subwords(path, vocabulary, encoding, chunk_bytes)
        case _:
            assert_never(vocabulary.kind)


def _characters(
    path: Path, vocabulary: Vocabulary, encoding: str, chunk_bytes: int
) -> Iterator[_Piece]:
    table, rules = CodePointTable(vocabulary), vocabulary.cleaning
    for piece in read_pieces(path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes):
        text = rules.apply(piece)
        ids, seen = table.encode(text), table.seen(text)
        missing = Counter(text[index] for index in np.flatnonzero(~seen))
        yield ids if vocabulary.has_unknown or not missing else ids[seen], len(text), missing


def _words(path: Path, vocabulary: Vocabulary, encoding: str, chunk_bytes: int) -> Iterator[_Piece]:
    layout, after = vocabulary.layout, None
    for text in read_word_pieces(
        path, encoding=encoding, rules=vocabulary.cleaning, chunk_bytes=chunk_bytes
    ):
        tokens = tokenize(text, layout, after=after)
        yield _word_ids(vocabulary, tokens)
        after = tokens[-1] if tokens else after
    if layout == "sentences" and after not in (None, NEWLINE):
        yield _word_ids(vocabulary, [NEWLINE])


def _word_ids(vocabulary: Vocabulary, tokens: list[str]) -> _Piece:
    ids = np.fromiter(map(vocabulary.id_of, tokens), np.uint32, len(tokens))
    missing = Counter(
        spacing(token, vocabulary.layout).spelled for token in tokens if not vocabulary.knows(token)
    )
    return ids, len(tokens), missing


def _subwords(
    path: Path, vocabulary: Vocabulary, encoding: str, chunk_bytes: int
) -> Iterator[_Piece]:
    for text in read_word_pieces(
        path, encoding=encoding, rules=vocabulary.cleaning, chunk_bytes=chunk_bytes
    ):
        yield np.array(vocabulary.encode_clean(text), np.uint32), len(text), Counter()
