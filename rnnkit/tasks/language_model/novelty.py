"""How much of a generated text was copied from the training text.

Both are compared token by token, as the model read and wrote them: the longest stretch that they
share, and the fractions of sequences of n tokens that the training text does not have (McCoy et al.
2021). For a model of characters these are characters, for one of words words.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rnnkit.data.pieces import read_pieces
from rnnkit.errors import DataError, UsageError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.records import check_same_data
from rnnkit.tasks.language_model.data import CHUNK_BYTES, LanguageData, prepare
from rnnkit.tasks.language_model.suffix_automaton import TooLargeError, build, compare
from rnnkit.text.vocabulary import REPLACEMENT, Vocabulary

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.config import LanguageConfig

SIZES = (4, 8, 16)
"""Lengths of the sequences, in tokens, of which the new ones are counted."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainingText:
    """The text that a run was trained on, and how it was read."""

    prepared: LanguageData
    encoding: str


@dataclass(frozen=True)
class Copy:
    """A stretch of a generated text that stands in the training text too.

    `file` and `line` (from 1) are where its first word stands there for the first time; None where
    it cannot be found as it is written, because it goes from one file into the next.
    """

    text: str
    tokens: int
    file: str | None
    line: int | None


@dataclass(frozen=True)
class Novelty:
    """What is new in a text.

    `longest_copy` is None where no token of the text is in the training text. `new` has, for
    every n of `SIZES`, the fraction of the sequences of n tokens in the text that the training text
    does not have; None where the text is shorter than that.
    """

    longest_copy: Copy | None
    new: dict[int, float | None]


def training_text(run: RunDirectory, config: "LanguageConfig") -> TrainingText:
    """Return the text of a run, which must not have changed since training.

    Raises:
        DataError: it is missing or has changed.
        RunError: the run has not finished, or its summary is damaged.
    """
    path = config.data.path
    files = (path,) if isinstance(path, str) else path
    try:
        prepared = prepare(config)
        check_same_data(run, prepared.fingerprint, files=files, alternative="leave --novelty out")
    except DataError as error:
        raise DataError(f"--novelty needs the text that the run was trained on. {error}") from error
    return TrainingText(prepared, config.data.encoding)


def measure(
    ids: Sequence[int],
    known: TrainingText,
    *,
    progress: Progress = lambda done, total: None,
) -> Novelty:
    """Compare a generated text, as token ids, with the training text.

    Memory does not grow with the training text; 100 million characters take some seconds.

    Raises:
        UsageError: the generated text is too long.
    """
    corpus = known.prepared.split("train")
    try:
        automaton = build(ids)
    except TooLargeError as error:
        raise UsageError(
            f"--novelty: the text is too long to be compared ({error}). Choose a smaller --length."
        ) from error
    shared = compare(automaton, corpus, sizes=SIZES, progress=progress)
    new = {
        size: float(1.0 - shared.present[size][size - 1 :].mean()) if len(ids) >= size else None
        for size in SIZES
    }
    if not shared.length:
        return Novelty(None, new)
    copied = corpus[shared.start : shared.start + shared.length].tolist()
    text = known.prepared.vocabulary.decode(copied)
    place = _find(text, known)
    file, line = place if place is not None else (None, None)
    return Novelty(Copy(text, shared.length, file, line), new)


def _find(text: str, known: TrainingText) -> tuple[str, int] | None:
    """File and line (from 1) where `text` first begins, cleaned as the model saw it."""
    vocabulary = known.prepared.vocabulary
    # A stretch of bytes may begin and end inside a character.
    text = text.strip(REPLACEMENT)
    pattern = _pattern(text, vocabulary)
    kept = 2 * len(text)
    for file in known.prepared.files:
        pending, line = "", 1
        for piece in read_pieces(
            Path(file.path),
            encoding=known.encoding,
            rules=vocabulary.cleaning,
            chunk_bytes=CHUNK_BYTES,
        ):
            pending += vocabulary.clean(piece)
            if match := pattern.search(pending):
                spaces = len(match[0]) - len(match[0].lstrip())
                return file.path, line + pending.count("\n", 0, match.start() + spaces)
            gone = max(0, len(pending) - kept)
            line += pending.count("\n", 0, gone)
            pending = pending[gone:]
    return None


def _pattern(text: str, vocabulary: Vocabulary) -> re.Pattern[str]:
    """Return a pattern of the text: whole words, any spaces in the layout `sentences`."""
    if vocabulary.kind != "words":
        return re.compile(re.escape(text))
    if vocabulary.layout == "sentences":
        lines = [map(re.escape, line.split()) for line in text.split("\n")]
        found = r"[^\S\n]*\n[^\S\n]*".join(r"[^\S\n]+".join(words) for words in lines)
    else:
        found = re.escape(text)
    before = r"(?<!\w)" if re.match(r"\w", text) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", text) else ""
    return re.compile(before + found + after)
