"""Texts into the ids of words or subwords, piece by piece.

The vocabulary is chosen from the training part alone: a word that stands in the held-out parts
only has to be as unknown there as in any new text. So the division comes first, in characters,
as for a model of characters, and each part is tokenised by itself. The memory needed grows with
the number of different words, not with the text.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.encode import CorpusFacts, FileMeter, PartFacts, id_dtype
from rnnkit.data.sources import FileIdentity, SourceFile
from rnnkit.data.splits import split_contiguous
from rnnkit.data.word_pieces import divide, read_word_pieces
from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import Layout, tokenize
from rnnkit.text.stored import subword_vocabulary
from rnnkit.text.subwords import train_exact_subwords
from rnnkit.text.vocabulary import MARKS, UNKNOWN, Vocabulary

PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class WordSource:
    """Where the parts of a text come from: `files[i]` are those of part i, and the first ones are
    divided by the fractions."""

    files: tuple[tuple[FileIdentity, ...], ...]
    validation_fraction: float
    test_fraction: float
    encoding: str
    rules: TextRules
    layout: Layout
    chunk_bytes: int


@dataclass(frozen=True)
class _Text:
    """The source, measured: `starts` are the characters at which the parts begin that are cut
    off the first files."""

    source: WordSource
    files: tuple[SourceFile, ...]
    starts: tuple[int, ...]
    damaged: int

    def pieces(self) -> Iterator[tuple[int, str, bool]]:
        """Every piece of the cleaned text as (part, text, whether a new text begins with it)."""
        first, *others = self.source.files
        lines_only = self.source.layout == "sentences"
        before = -1
        total = sum(file.characters for file in self.files[: len(first)])
        divided = divide(self._read(first), self.starts, total, lines_only=lines_only)
        for part, text in divided:
            yield part, text, part != before
            before = part
        for part, files in enumerate(others, start=1):
            for index, text in enumerate(self._read(files)):
                yield part, text, index == 0

    def _read(self, files: Sequence[FileIdentity]) -> Iterator[str]:
        """The pieces of files one after the other, each file beginning with a new line."""
        for index, file in enumerate(files):
            ended = True
            for text in _pieces_of(self.source, file.path):
                yield text
                ended = text.endswith("\n")
            if not ended and (index + 1 < len(files) or self.source.layout == "sentences"):
                yield "\n"


def _pieces_of(
    source: WordSource, path: Path, note: Callable[[str, str], None] = lambda piece, text: None
) -> Iterator[str]:
    return read_word_pieces(
        path,
        encoding=source.encoding,
        rules=source.rules,
        chunk_bytes=source.chunk_bytes,
        note=note,
    )


def _measure(source: WordSource) -> _Text:
    """Read everything once."""
    files, damaged = [], 0
    for file in (file for files_of_part in source.files for file in files_of_part):
        meter = FileMeter()
        for _ in _pieces_of(source, file.path, meter.add):
            pass
        files.append(meter.result(file))
        damaged += meter.damaged
    return _text(source, tuple(files), damaged)


def _text(source: WordSource, files: tuple[SourceFile, ...], damaged: int) -> _Text:
    splits = split_contiguous(
        sum(file.characters for file in files[: len(source.files[0])]),
        validation_fraction=source.validation_fraction,
        test_fraction=source.test_fraction,
    )
    return _Text(source, files, (splits.validation.start, splits.test.start), damaged)


def _starts(source: WordSource, tokens: Sequence[int]) -> list[int]:
    """Where each part begins: those with files of their own come last."""
    order = sorted(range(len(PARTS)), key=lambda part: (bool(part and source.files[part]), part))
    starts, place = [0] * len(PARTS), 0
    for part in order:
        starts[part] = place
        place += tokens[part]
    return starts


def count_words(
    source: WordSource, *, vocabulary_size: int | None, minimum_count: int
) -> CorpusFacts:
    """Choose the words: the `vocabulary_size` most frequent ones of the training part (None: all)
    that occur at least `minimum_count` times there; of equally frequent ones those first in order
    of code points.

    Raises DataError when there is nothing to learn from.
    """
    text = _measure(source)
    counts: list[Counter[str]] = [Counter() for _ in PARTS]
    after: str | None = None
    for part, piece, begins in text.pieces():
        tokens = tokenize(piece, source.layout, after=None if begins else after)
        counts[part].update(tokens)
        after = tokens[-1] if tokens else after
    marks = MARKS[source.layout]
    words = Counter({token: n for token, n in counts[0].items() if token not in marks})
    unknown = words.pop(UNKNOWN, 0) if source.layout == "sentences" else 0
    _check_words(words, text.files)
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    kept = [token for token, count in ordered[:vocabulary_size] if count >= minimum_count]
    if not kept:
        raise DataError(
            f"Every word occurs less than data.minimum_count {minimum_count:,} times (the "
            f"commonest, {ordered[0][0]!r}, {ordered[0][1]:,} times), so none is left. Lower it."
        )
    vocabulary = Vocabulary(
        source.rules, "words", (*marks, *kept), has_unknown=True, layout=source.layout
    )
    known = {*kept, *marks}
    starts = _starts(source, [of_part.total() for of_part in counts])
    parts = tuple(
        PartFacts(
            start=start,
            tokens=of_part.total(),
            unknown=sum(n for token, n in of_part.items() if token not in known),
            marks=sum(of_part[mark] for mark in marks),
        )
        for start, of_part in zip(starts, counts, strict=True)
    )
    return CorpusFacts(
        vocabulary=vocabulary,
        tokens=sum(part.tokens for part in parts),
        characters=sum(file.characters for file in text.files),
        rare=len(words) - len(kept),
        rare_occurrences=parts[0].unknown - unknown,
        damaged_characters=text.damaged,
        files=text.files,
        parts=parts,
    )


def encode_words(source: WordSource, facts: CorpusFacts) -> Iterator[NDArray[np.unsignedinteger]]:
    """Read everything again and yield the ids piece by piece, part after part."""
    vocabulary = facts.vocabulary
    id_of, dtype = vocabulary.id_of, id_dtype(vocabulary.size)
    after: str | None = None
    for _, piece, begins in _text(source, facts.files, 0).pieces():
        tokens = tokenize(piece, source.layout, after=None if begins else after)
        after = tokens[-1] if tokens else after
        yield np.fromiter(map(id_of, tokens), dtype, len(tokens))


def count_subwords(source: WordSource, *, vocabulary_size: int) -> CorpusFacts:
    """Learn the subwords from the training part and count those of every part."""
    text = _measure(source)
    content = train_exact_subwords(
        (piece for part, piece, _ in text.pieces() if part == 0), vocabulary_size=vocabulary_size
    )
    vocabulary = subword_vocabulary(source.rules, content)
    tokens = [0 for _ in PARTS]
    for part, piece, _ in text.pieces():
        tokens[part] += len(vocabulary.encode_clean(piece))
    characters = sum(file.characters for file in text.files)
    if tokens[0] < 2:
        raise _too_short(text.files, f"{tokens[0]} subwords")
    return CorpusFacts(
        vocabulary=vocabulary,
        tokens=sum(tokens),
        characters=characters,
        rare=0,
        rare_occurrences=0,
        damaged_characters=text.damaged,
        files=text.files,
        parts=tuple(
            PartFacts(start=start, tokens=number, unknown=0, marks=0)
            for start, number in zip(_starts(source, tokens), tokens, strict=True)
        ),
    )


def encode_subwords(
    source: WordSource, facts: CorpusFacts
) -> Iterator[NDArray[np.unsignedinteger]]:
    """Read everything again and yield the ids piece by piece, part after part."""
    vocabulary = facts.vocabulary
    dtype = id_dtype(vocabulary.size)
    for _, piece, _ in _text(source, facts.files, 0).pieces():
        yield np.array(vocabulary.encode_clean(piece), dtype)


def _check_words(words: Counter[str], files: Sequence[SourceFile]) -> None:
    if words.total() < 2:
        raise _too_short(files, f"{words.total()} words")
    if len(words) == 1:
        (word,) = words
        raise DataError(
            f"The training part of {_name(files)} holds nothing but {word!r}, {words.total():,} "
            "times; there is nothing to learn. Give a text with different words."
        )


def _too_short(files: Sequence[SourceFile], found: str) -> DataError:
    return DataError(
        f"The training part of {_name(files)} has {found}; there have to be two, one to start "
        "from and one to predict. Give a longer text, or hold out less."
    )


def _name(files: Sequence[SourceFile]) -> str:
    return files[0].path if len(files) == 1 else f"{len(files):,} files"
