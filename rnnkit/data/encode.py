"""Counting and encoding of characters with NumPy, in pieces: the memory needed does not grow with
the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.decoding import read_pieces
from rnnkit.data.sources import FileIdentity, SourceFile
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import REPLACEMENT, Vocabulary

Tokens = Literal["characters", "bytes"]
_CODE_POINTS = 0x110000


@dataclass(frozen=True)
class PartFacts:
    """One part of a text of words or subwords."""

    start: int
    """Position of its first token in the whole."""
    tokens: int
    unknown: int
    """Tokens that are `<unk>`."""
    marks: int
    """Tokens that only say how others are spaced."""


@dataclass(frozen=True)
class CorpusFacts:
    """Everything about a text except the ids themselves."""

    vocabulary: Vocabulary
    tokens: int
    characters: int
    """Characters after cleaning."""
    rare: int
    """Different characters that became `<unk>`; of words, those of the training part."""
    rare_occurrences: int
    """How often they occur there."""
    damaged_characters: int
    """Occurrences of U+FFFD, which stands for what an earlier conversion could not read."""
    files: tuple[SourceFile, ...]
    parts: tuple[PartFacts, ...] = ()
    """Of words and subwords, whose vocabulary depends on them: the training, validation and test
    part, in this order. Characters are divided when they are used."""


class FileMeter:
    """What is found in a file, added up piece by piece."""

    def __init__(self) -> None:
        self.characters = self.damaged = self._lf = self._crlf = self._cr = 0

    def add(self, piece: str, text: str) -> None:
        """`piece` as it stands in the file, `text` after cleaning."""
        pairs = piece.count("\r\n") if "\r" in piece else 0
        self._crlf += pairs
        self._cr += piece.count("\r") - pairs
        self._lf += piece.count("\n") - pairs
        self.characters += len(text)
        self.damaged += text.count(REPLACEMENT)

    def result(self, source: FileIdentity) -> SourceFile:
        """The file and what was found in it."""
        return SourceFile(
            path=str(source.path),
            bytes=source.bytes,
            sha256=source.sha256,
            has_bom=source.has_bom,
            characters=self.characters,
            lf=self._lf,
            crlf=self._crlf,
            cr=self._cr,
        )


class CodePointTable:
    """A vocabulary as an array from code point to id."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.dtype = id_dtype(vocabulary.size)
        self._kind = vocabulary.kind
        if vocabulary.kind == "characters":
            tokens = np.array([ord(token) for token in vocabulary.tokens], np.int64)
            first = int(vocabulary.has_unknown)
            self._ids = np.zeros(_CODE_POINTS, self.dtype)
            self._ids[tokens] = np.arange(first, first + len(tokens))
            self._known = np.zeros(_CODE_POINTS, np.bool_)
            self._known[tokens] = True

    def encode(self, text: str) -> NDArray[np.unsignedinteger]:
        """Ids of a cleaned text: unsigned[tokens]; what is unseen gets id 0."""
        if self._kind == "bytes":
            return np.frombuffer(text.encode("utf-8"), np.uint8)
        return self._ids[_code_points(text)]

    def seen(self, text: str) -> NDArray[np.bool_]:
        """bool[tokens]: which of the ids that `encode` returns stand for their character."""
        if self._kind == "bytes":
            return np.ones(len(text.encode("utf-8")), np.bool_)
        return self._known[_code_points(text)]


def id_dtype(size: int) -> np.dtype[Any]:
    """The smallest unsigned type for ids below `size`, little-endian on every machine."""
    if size <= 2**8:
        return np.dtype(np.uint8)
    return np.dtype("<u2") if size <= 2**16 else np.dtype("<u4")


def count_corpus(
    sources: Sequence[FileIdentity],
    *,
    encoding: str,
    rules: TextRules,
    kind: Tokens,
    minimum_count: int,
    chunk_bytes: int,
) -> CorpusFacts:
    """Read all files once and make the vocabulary of the whole text.

    As in char-rnn and nanoGPT the held-out part counts too, so that it never holds a character
    without an id. Raises DataError when there is nothing to learn from.
    """
    counts = np.zeros(_CODE_POINTS, np.int64)
    tokens = damaged = 0
    files = []
    for source in sources:
        size, meter = 0, FileMeter()
        for piece in read_pieces(
            source.path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes
        ):
            text = rules.apply(piece)
            meter.add(piece, text)
            size += len(text) if kind == "characters" or text.isascii() else len(text.encode())
            found = np.bincount(_code_points(text))
            counts[: len(found)] += found
        tokens += size
        damaged += meter.damaged
        files.append(meter.result(source))
    _check_variety(counts, files)
    kept = np.flatnonzero(counts >= minimum_count)
    rare = np.flatnonzero((counts > 0) & (counts < minimum_count))
    match kind:
        case "bytes":
            vocabulary = Vocabulary(rules, kind)
            rare = rare[:0]
        case "characters":
            if not len(kept):
                raise DataError(
                    f"Every character occurs less than data.minimum_count {minimum_count:,} "
                    f"times (the commonest {counts.max():,} times), so none is left. Lower it."
                )
            vocabulary = Vocabulary(rules, kind, tuple(map(chr, kept.tolist())), len(rare) > 0)
        case _:
            assert_never(kind)
    return CorpusFacts(
        vocabulary=vocabulary,
        tokens=tokens,
        characters=sum(file.characters for file in files),
        rare=len(rare),
        rare_occurrences=int(counts[rare].sum()),
        damaged_characters=damaged,
        files=tuple(files),
    )


def encode_corpus(
    facts: CorpusFacts, *, encoding: str, chunk_bytes: int
) -> Iterator[NDArray[np.unsignedinteger]]:
    """Read all files again and yield their ids piece by piece."""
    table = CodePointTable(facts.vocabulary)
    rules = facts.vocabulary.cleaning
    for file in facts.files:
        for piece in read_pieces(
            Path(file.path), encoding=encoding, rules=rules, chunk_bytes=chunk_bytes
        ):
            yield table.encode(rules.apply(piece))


def _code_points(text: str) -> NDArray[np.unsignedinteger]:
    """unsigned[characters]: the code point of every character."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _check_variety(counts: NDArray[np.int64], files: Sequence[SourceFile]) -> None:
    name = files[0].path if len(files) == 1 else f"The text of {len(files):,} files"
    total = int(counts.sum())
    if total < 2:
        raise DataError(
            f"{name} has {total} character{'' if total == 1 else 's'} after cleaning; there has "
            "to be at least one to start from and one to predict. Give a longer text."
        )
    different = np.flatnonzero(counts)
    if len(different) == 1:
        raise DataError(
            f"{name} holds nothing but the character {chr(different[0])!r}, {total:,} times; "
            "there is nothing to learn. Give a text with different characters."
        )
