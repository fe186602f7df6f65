"""Texts as token ids: encoded with a new vocabulary and cached, or with an existing one.

Everything is read in pieces, so that memory does not grow with the text.
"""

import hashlib
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Json, cached, canonical_json
from rnnkit.data.counting import (
    CODE_POINTS,
    CorpusSource,
    CorpusStats,
    DividedText,
    SplitStats,
    clean_pieces,
    code_points,
    count_corpus,
)
from rnnkit.data.files import (
    SourceFile,
    changed_file,
    check_text_file,
    check_unchanged,
    find_files,
)
from rnnkit.data.pieces import read_pieces, read_word_pieces
from rnnkit.errors import DataError
from rnnkit.text.spacing import NEWLINE, spacing, tokenize
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import Vocabulary

CHUNK_BYTES = 2**20
"""Bytes of a file in memory at a time."""

Ids = NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False)
class Corpus:
    """An encoded text."""

    ids: Ids
    """uint8, uint16 or uint32 [tokens], memory-mapped and read-only."""
    stats: CorpusStats
    fingerprint: str
    """SHA-256 of vocabulary and ids."""
    note: str
    """Where the ids are kept."""


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text in the ids of an existing vocabulary."""

    ids: Ids
    """unsigned[tokens]. A token without an id is `<unk>`, or left out if there is none."""
    unseen: dict[str, int]
    """Occurrences of each character, or word, without an id."""
    units: int
    """Characters, or words, after cleaning, those without an id included."""


def open_corpus(source: CorpusSource, *, folder: Path | None = None) -> Corpus:
    """Return the encoded text from the cache `folder` (None: the default one), or encode it.

    Raises DataError when there is nothing to learn from, or when a file changes meanwhile.
    """

    def build(write: ArrayWriter) -> Json:
        stats = count_corpus(source)
        digest = hashlib.sha256(canonical_json(stats.vocabulary.to_dict()))

        def pieces() -> Iterator[Ids]:
            position = 0
            for ids in _encode(source, stats):
                position += len(ids)
                if position > stats.tokens:
                    break
                digest.update(ids.data)
                yield ids
            if position != stats.tokens:
                raise changed_file(source.all_files[0].path)
            for file in source.all_files:
                check_unchanged(file)

        write("ids", pieces(), dtype=id_dtype(stats.vocabulary.size), length=stats.tokens)
        document = asdict(stats) | {"vocabulary": stats.vocabulary.to_dict()}
        return {"stats": document, "fingerprint": digest.hexdigest()}

    entry = cached(_key(source), build, folder=folder)
    stats = _read_stats(entry.document["stats"])
    files = (  # the same content may have other names now
        replace(file, path=str(now.path))
        for file, now in zip(stats.files, source.all_files, strict=True)
    )
    stats = replace(stats, files=tuple(files))
    return Corpus(entry.arrays["ids"], stats, entry.document["fingerprint"], entry.note)


def id_dtype(size: int) -> np.dtype[Any]:
    """Return the smallest unsigned type for ids below `size`, little-endian on every machine."""
    if size <= 2**8:
        return np.dtype(np.uint8)
    return np.dtype("<u2") if size <= 2**16 else np.dtype("<u4")


def _key(source: CorpusSource) -> Json:
    """Return everything that decides the ids, by content and not by name."""
    rules = source.rules
    # The expression of words knows letters from Python's tables, as do case and normalization.
    by_tables = source.kind in ("words", "subwords")
    unicode_matters = by_tables or rules.normalization != "none" or rules.lowercase
    return {
        "files": [[file.sha256 for file in of_split] for of_split in source.files],
        "kind": source.kind,
        "rules": asdict(rules),
        "encoding": source.encoding,
        "vocabulary_size": source.vocabulary_size,
        "minimum_count": source.minimum_count,
        "layout": source.layout,
        "validation_fraction": repr(source.validation_fraction),
        "test_fraction": repr(source.test_fraction),
        "unicode": unicodedata.unidata_version if unicode_matters else "",
    }


def _encode(source: CorpusSource, stats: CorpusStats) -> Iterator[Ids]:
    """Yield the ids piece by piece, split after split."""
    vocabulary = stats.vocabulary
    dtype = id_dtype(vocabulary.size)
    match vocabulary.kind:
        case "characters" | "bytes":
            table = _CodePointTable(vocabulary)
            for file in source.all_files:
                for _, text in clean_pieces(source, file.path):
                    yield table.encode(text)
        case "words":
            for _, tokens in DividedText(source, stats.files).words():
                yield np.fromiter(map(vocabulary.id_of, tokens), dtype, len(tokens))
        case "subwords":
            for _, piece, _ in DividedText(source, stats.files).pieces():
                yield np.array(vocabulary.encode_clean(piece), dtype)
        case _:
            assert_never(vocabulary.kind)


class _CodePointTable:
    """A vocabulary of characters or bytes as an array from code point to id."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._is_bytes = vocabulary.kind == "bytes"
        if not self._is_bytes:
            tokens = np.array([ord(token) for token in vocabulary.tokens], np.int64)
            first = len(vocabulary.special)
            self._ids = np.zeros(CODE_POINTS, id_dtype(vocabulary.size))
            self._ids[tokens] = np.arange(first, first + len(tokens))
            self._known = np.zeros(CODE_POINTS, np.bool_)
            self._known[tokens] = True

    def encode(self, text: str) -> Ids:
        """Return the ids of a cleaned text: unsigned[tokens]; 0 for unseen characters."""
        if self._is_bytes:
            return np.frombuffer(text.encode("utf-8"), np.uint8)
        return self._ids[code_points(text)]

    def seen(self, text: str) -> NDArray[np.bool_]:
        """Return which ids of `encode` are those of their character: bool[tokens]."""
        if self._is_bytes:
            return np.ones(len(text.encode("utf-8")), np.bool_)
        return self._known[code_points(text)]


def _read_stats(content: Mapping[str, Any]) -> CorpusStats:
    return CorpusStats(
        **{
            **content,
            "vocabulary": read_vocabulary(content["vocabulary"]),
            "files": tuple(SourceFile(**file) for file in content["files"]),
            "splits": tuple(SplitStats(**split) for split in content["splits"]),
        }
    )


_Piece = tuple[Ids, int, Counter[str]]
"""Ids, number of units read, and units without an id."""


def encode_files(
    paths: Sequence[str],
    vocabulary: Vocabulary,
    encoding: str,
    *,
    chunk_bytes: int = CHUNK_BYTES,
) -> EncodedText:
    """Encode text files (or glob patterns) with an existing vocabulary.

    The ids are kept in an unnamed temporary file, so memory does not grow with the text.
    Raises DataError for files that are missing or no text, or when fewer than two ids result.
    """
    files, _ = find_files(paths)
    dtype = id_dtype(vocabulary.size)
    unseen: Counter[str] = Counter()
    units = tokens = 0
    with tempfile.TemporaryFile() as scratch:
        for path in files:
            check_text_file(path, encoding=encoding)
            for ids, read, missing in _pieces_of(path, vocabulary, encoding, chunk_bytes):
                units += read
                unseen += missing
                tokens += len(ids)
                scratch.write(ids.astype(dtype, copy=False).data)
        if tokens < 2:
            raise DataError(
                f"{', '.join(map(str, files))}: the model knows only {tokens} of {units:,} "
                f"{vocabulary.unit}; at least two are needed, one to start from and one to "
                "predict."
            )
        scratch.flush()
        mapped = np.memmap(scratch, dtype=dtype, mode="r", shape=(tokens,))
    return EncodedText(ids=mapped, unseen=dict(unseen), units=units)


def _pieces_of(
    path: Path, vocabulary: Vocabulary, encoding: str, chunk_bytes: int
) -> Iterator[_Piece]:
    rules = vocabulary.cleaning
    words = read_word_pieces(path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes)
    match vocabulary.kind:
        case "characters" | "bytes":
            table = _CodePointTable(vocabulary)
            for piece in read_pieces(path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes):
                text = rules.apply(piece)
                ids, seen = table.encode(text), table.seen(text)
                missing = Counter(text[index] for index in np.flatnonzero(~seen))
                kept = ids if vocabulary.has_unknown or not missing else ids[seen]
                yield kept, len(text), missing
        case "words":
            yield from _pieces_of_words(words, vocabulary)
        case "subwords":
            for text in words:
                yield np.array(vocabulary.encode_clean(text), np.uint32), len(text), Counter()
        case _:
            assert_never(vocabulary.kind)


def _pieces_of_words(texts: Iterator[str], vocabulary: Vocabulary) -> Iterator[_Piece]:
    layout, after = vocabulary.layout, None
    for text in texts:
        tokens = tokenize(text, layout, after=after)
        yield _word_ids(vocabulary, tokens)
        after = tokens[-1] if tokens else after
    if layout == "sentences" and after not in (None, NEWLINE):
        yield _word_ids(vocabulary, [NEWLINE])


def _word_ids(vocabulary: Vocabulary, tokens: list[str]) -> _Piece:
    ids = np.fromiter(map(vocabulary.id_of, tokens), np.uint32, len(tokens))
    unknown = (token for token in tokens if not vocabulary.knows(token))
    missing = Counter(spacing(token, vocabulary.layout).spelled for token in unknown)
    return ids, len(tokens), missing
