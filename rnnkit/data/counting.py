"""Choosing the vocabulary of a corpus: everything about a text except its ids.

The vocabulary of characters and bytes is that of the whole text; as in char-rnn and nanoGPT the
held-out text counts too, so that it never holds a character without an id. Words and subwords are
chosen from the training split alone: a word that only the held-out splits have is as unknown there
as in any new text. So their text is divided first, in characters, and each split is tokenized by
itself. Memory grows with the number of different words, not with the text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.files import FileIdentity, SourceFile
from rnnkit.data.pieces import Note, divide, read_pieces, read_word_pieces
from rnnkit.data.splits import counted, split_contiguous
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import Layout, tokenize
from rnnkit.text.stored import subword_vocabulary
from rnnkit.text.subwords import train_exact_subwords
from rnnkit.text.vocabulary import MARKS, REPLACEMENT, UNKNOWN, Kind, Vocabulary

CODE_POINTS = 0x110000
_SPLITS = 3


@dataclass(frozen=True)
class CorpusSource:
    """The files of a corpus and everything else that decides its ids.

    `files[i]` are those of the training, validation and test split; the first ones are divided by
    the fractions. Characters and bytes have all files in the first place and are divided later.
    """

    files: tuple[tuple[FileIdentity, ...], ...]
    kind: Kind
    rules: TextRules
    encoding: str
    vocabulary_size: int | None = None
    minimum_count: int = 1
    layout: Layout = "text"
    validation_fraction: float = 0.0
    test_fraction: float = 0.0
    chunk_bytes: int = 2**20

    @property
    def all_files(self) -> tuple[FileIdentity, ...]:
        """All files, those of the training split first."""
        return tuple(file for of_split in self.files for file in of_split)


@dataclass(frozen=True)
class SplitStats:
    """One split of a text of words or subwords."""

    start: int
    """Position of its first token in the whole."""
    tokens: int
    unknown: int
    """Tokens that are `<unk>`."""
    marks: int
    """Tokens that only determine the spacing of others."""


@dataclass(frozen=True)
class CorpusStats:
    """Everything about a text except its ids."""

    vocabulary: Vocabulary
    tokens: int
    characters: int
    """Characters after cleaning."""
    rare: int
    """Different characters that became `<unk>`; of words, those of the training split."""
    rare_occurrences: int
    damaged_characters: int
    """Occurrences of U+FFFD, which an earlier conversion wrote for unreadable bytes."""
    files: tuple[SourceFile, ...]
    splits: tuple[SplitStats, ...] = ()
    """The training, validation and test split of words and subwords, whose vocabulary depends on
    them."""


class _FileMeter:
    """Counts of a file, added up piece by piece."""

    def __init__(self) -> None:
        self.characters = self.damaged = self._lf = self._crlf = self._cr = 0

    def add(self, piece: str, text: str) -> None:
        """Count a `piece` of the file, whose cleaned form is `text`."""
        pairs = piece.count("\r\n") if "\r" in piece else 0
        self._crlf += pairs
        self._cr += piece.count("\r") - pairs
        self._lf += piece.count("\n") - pairs
        self.characters += len(text)
        self.damaged += text.count(REPLACEMENT)

    def result(self, source: FileIdentity) -> SourceFile:
        """Return the file with its counts."""
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


def count_corpus(source: CorpusSource) -> CorpusStats:
    """Read all files and choose the vocabulary.

    Of words the `vocabulary_size` most frequent ones of the training split (None: all) that occur
    at least `minimum_count` times there; of equally frequent ones those first in order of code
    points. Raises DataError when there is nothing to learn from.
    """
    match source.kind:
        case "characters" | "bytes":
            return _count_characters(source)
        case "words":
            return _count_words(source)
        case "subwords":
            return _count_subwords(source)
        case _:
            assert_never(source.kind)


def clean_pieces(source: CorpusSource, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a file as they were read and as they were cleaned."""
    rules = source.rules
    for piece in read_pieces(
        path, encoding=source.encoding, rules=rules, chunk_bytes=source.chunk_bytes
    ):
        yield piece, rules.apply(piece)


def code_points(text: str) -> NDArray[np.unsignedinteger]:
    """Return the code point of every character: unsigned[characters]."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _count_characters(source: CorpusSource) -> CorpusStats:
    counts = np.zeros(CODE_POINTS, np.int64)
    tokens = damaged = 0
    files = []
    as_bytes = source.kind == "bytes"
    for file in source.all_files:
        meter = _FileMeter()
        for piece, text in clean_pieces(source, file.path):
            meter.add(piece, text)
            tokens += len(text.encode()) if as_bytes and not text.isascii() else len(text)
            found = np.bincount(code_points(text))
            counts[: len(found)] += found
        damaged += meter.damaged
        files.append(meter.result(file))
    _check_variety(counts, files)
    kept = np.flatnonzero(counts >= source.minimum_count)
    rare = np.flatnonzero((counts > 0) & (counts < source.minimum_count))
    if as_bytes:
        vocabulary, rare = Vocabulary(source.rules, "bytes"), rare[:0]
    elif not len(kept):
        raise DataError(
            f"Every character occurs less than data.minimum_count {source.minimum_count:,} "
            f"times (the commonest {counted(int(counts.max()), 'time')}), so none is left. Lower "
            "it."
        )
    else:
        characters = tuple(map(chr, kept.tolist()))
        vocabulary = Vocabulary(source.rules, "characters", characters, len(rare) > 0)
    return CorpusStats(
        vocabulary=vocabulary,
        tokens=tokens,
        characters=sum(file.characters for file in files),
        rare=len(rare),
        rare_occurrences=int(counts[rare].sum()),
        damaged_characters=damaged,
        files=tuple(files),
    )


@dataclass(frozen=True)
class DividedText:
    """A measured text of words or subwords and the characters at which its splits begin."""

    source: CorpusSource
    files: tuple[SourceFile, ...]
    damaged: int = 0

    def pieces(self) -> Iterator[tuple[int, str, bool]]:
        """Yield (split, piece of the cleaned text, whether a new text begins with it)."""
        source = self.source
        first, *others = source.files
        total = sum(file.characters for file in self.files[: len(first)])
        splits = split_contiguous(
            total,
            validation_fraction=source.validation_fraction,
            test_fraction=source.test_fraction,
        )
        starts = (splits.validation.start, splits.test.start)
        lines_only = source.layout == "sentences"
        before = -1
        for split, text in divide(self._read(first), starts, total, lines_only=lines_only):
            yield split, text, split != before
            before = split
        for split, files in enumerate(others, start=1):
            for index, text in enumerate(self._read(files)):
                yield split, text, index == 0

    def words(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (split, tokens of a piece); a new text begins without a token before it."""
        after: str | None = None
        for split, piece, begins in self.pieces():
            tokens = tokenize(piece, self.source.layout, after=None if begins else after)
            yield split, tokens
            after = tokens[-1] if tokens else after

    def _read(self, files: Sequence[FileIdentity]) -> Iterator[str]:
        """Yield the pieces of files one after the other, each file beginning with a new line."""
        for index, file in enumerate(files):
            ended = True
            for text in _word_pieces(self.source, file.path, lambda piece, text: None):
                yield text
                ended = text.endswith("\n")
            if not ended and (index + 1 < len(files) or self.source.layout == "sentences"):
                yield "\n"


def _word_pieces(source: CorpusSource, path: Path, note: Note) -> Iterator[str]:
    return read_word_pieces(
        path,
        encoding=source.encoding,
        rules=source.rules,
        chunk_bytes=source.chunk_bytes,
        note=note,
    )


def _measure(source: CorpusSource) -> DividedText:
    files, damaged = [], 0
    for file in source.all_files:
        meter = _FileMeter()
        for _ in _word_pieces(source, file.path, meter.add):
            pass
        files.append(meter.result(file))
        damaged += meter.damaged
    return DividedText(source, tuple(files), damaged)


def _count_words(source: CorpusSource) -> CorpusStats:
    text = _measure(source)
    counts: list[Counter[str]] = [Counter() for _ in range(_SPLITS)]
    for split, tokens in text.words():
        counts[split].update(tokens)
    marks = MARKS[source.layout]
    words = Counter({token: n for token, n in counts[0].items() if token not in marks})
    written_unknown = words.pop(UNKNOWN, 0) if source.layout == "sentences" else 0
    kept = _choose_words(source, words, text.files)
    vocabulary = Vocabulary(
        source.rules, "words", (*marks, *kept), has_unknown=True, layout=source.layout
    )
    known = {*kept, *marks}
    unknown = [sum(n for token, n in one.items() if token not in known) for one in counts]
    splits = _split_stats(
        source,
        tokens=[one.total() for one in counts],
        unknown=unknown,
        marks=[sum(one[mark] for mark in marks) for one in counts],
    )
    rare = (len(words) - len(kept), unknown[0] - written_unknown)
    return _stats(text, vocabulary, splits, rare=rare)


def _choose_words(
    source: CorpusSource, words: Counter[str], files: Sequence[SourceFile]
) -> list[str]:
    if words.total() < 2:
        raise _too_short(files, counted(words.total(), "word"))
    if len(words) == 1:
        (word,) = words
        raise DataError(
            f"The training split of {_name(files)} holds nothing but {word!r}, "
            f"{words.total():,} times; there is nothing to learn. Give a text with different "
            "words."
        )
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    kept = [word for word, n in ordered[: source.vocabulary_size] if n >= source.minimum_count]
    if not kept:
        raise DataError(
            f"Every word occurs less than data.minimum_count {source.minimum_count:,} times (the "
            f"commonest, {ordered[0][0]!r}, {counted(ordered[0][1], 'time')}), so none is left. "
            "Lower it."
        )
    return kept


def _count_subwords(source: CorpusSource) -> CorpusStats:
    assert source.vocabulary_size is not None
    text = _measure(source)
    training = (piece for split, piece, _ in text.pieces() if split == 0)
    content = train_exact_subwords(training, vocabulary_size=source.vocabulary_size)
    vocabulary = subword_vocabulary(source.rules, content)
    tokens = [0] * _SPLITS
    for split, piece, _ in text.pieces():
        tokens[split] += len(vocabulary.encode_clean(piece))
    if tokens[0] < 2:
        raise _too_short(text.files, counted(tokens[0], "subword"))
    none = [0] * _SPLITS
    splits = _split_stats(source, tokens=tokens, unknown=none, marks=none)
    return _stats(text, vocabulary, splits, rare=(0, 0))


def _stats(
    text: DividedText,
    vocabulary: Vocabulary,
    splits: tuple[SplitStats, ...],
    *,
    rare: tuple[int, int],
) -> CorpusStats:
    return CorpusStats(
        vocabulary=vocabulary,
        tokens=sum(split.tokens for split in splits),
        characters=sum(file.characters for file in text.files),
        rare=rare[0],
        rare_occurrences=rare[1],
        damaged_characters=text.damaged,
        files=text.files,
        splits=splits,
    )


def _split_stats(
    source: CorpusSource, *, tokens: list[int], unknown: list[int], marks: list[int]
) -> tuple[SplitStats, ...]:
    """Return the splits with their first positions; those with files of their own come last."""
    order = sorted(range(_SPLITS), key=lambda split: (bool(split and source.files[split]), split))
    starts, place = [0] * _SPLITS, 0
    for split in order:
        starts[split] = place
        place += tokens[split]
    return tuple(map(SplitStats, starts, tokens, unknown, marks))


def _check_variety(counts: NDArray[np.int64], files: Sequence[SourceFile]) -> None:
    total = int(counts.sum())
    if total < 2:
        raise DataError(
            f"{_name(files, 'The')} has {counted(total, 'character')} after cleaning; at least two "
            "are needed, one to start from and one to predict. Give a longer text."
        )
    different = np.flatnonzero(counts)
    if len(different) == 1:
        raise DataError(
            f"{_name(files, 'The')} holds nothing but the character {chr(different[0])!r}, "
            f"{total:,} times; there is nothing to learn. Give a text with different characters."
        )


def _too_short(files: Sequence[SourceFile], found: str) -> DataError:
    return DataError(
        f"The training split of {_name(files)} has {found}; at least two are needed, one to start "
        "from and one to predict. Give a longer text, or hold out less."
    )


def _name(files: Sequence[SourceFile], article: str = "the") -> str:
    return files[0].path if len(files) == 1 else f"{article} text of {len(files):,} files"
