"""Data of a language model: from the `data` section to ids, splits, vocabulary and vectors."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.config.base import layer_sizes
from rnnkit.data.batches import Windows
from rnnkit.data.corpus import CHUNK_BYTES, open_corpus
from rnnkit.data.counting import CorpusSource, CorpusStats, SplitStats
from rnnkit.data.files import FileIdentity, SourceFile, find_files, identify
from rnnkit.data.splits import SplitName, Splits, counted, split_contiguous
from rnnkit.data.vectors import read_vectors
from rnnkit.errors import ConfigError, DataError
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary

_LITTLE_KNOWN = 0.8


@dataclass(frozen=True, eq=False)
class LanguageData:
    """A text ready for training."""

    ids: NDArray[np.unsignedinteger]
    """uint8, uint16 or uint32 [tokens], memory-mapped and read-only."""
    vocabulary: Vocabulary
    splits: Splits
    fingerprint: str
    """SHA-256 of vocabulary and ids."""
    characters: int
    """Characters in the whole text after cleaning."""
    notes: tuple[str, ...]
    """Messages for the user, one sentence or two each."""
    files: tuple[SourceFile, ...]
    vectors: NDArray[np.float32] | None = None
    """Pretrained vectors, float32[vocabulary, width]."""

    def split(self, name: SplitName) -> NDArray[np.unsignedinteger]:
        """Return the ids of one split, unsigned[tokens of it]; a view, nothing is copied."""
        positions: range = getattr(self.splits, name)
        return self.ids[positions.start : positions.stop]


def prepare(
    config: LanguageConfig, *, cache_dir: Path | None = None, chunk_bytes: int = CHUNK_BYTES
) -> LanguageData:
    """Read, clean, count and encode the text of `config.data`, or take it from the cache.

    The vocabulary of characters is that of the whole text, that of words and subwords is chosen
    from the training split alone. Files are cleaned one by one and joined without anything between
    them; of words and subwords, each begins with a new line. Memory does not grow with the text,
    only with the number of different words.

    Raises DataError for files that are missing or no text, and for a text that is too short for
    the windows, the batch size or the held-out splits of this configuration.
    """
    data = config.data
    files, notes = _find_split_files(config)
    identities = tuple(
        tuple(identify(path, encoding=data.encoding) for path in paths) for paths in files
    )
    corpus = open_corpus(_corpus_source(config, identities, chunk_bytes), folder=cache_dir)
    stats = corpus.stats
    splits = _splits(config, stats)
    check_windows(
        splits,
        windows=windows_of(config),
        batch_size=config.training.batch_size,
        validation_fraction=None if files[1] else data.validation_fraction,
        test_fraction=None if files[2] else data.test_fraction,
    )
    vectors, vector_notes = _read_word_vectors(config, stats.vocabulary)
    return LanguageData(
        ids=corpus.ids,
        vocabulary=stats.vocabulary,
        splits=splits,
        fingerprint=corpus.fingerprint,
        characters=stats.characters,
        notes=(*notes, *describe_corpus(stats), *vector_notes, corpus.note),
        files=stats.files,
        vectors=vectors,
    )


def windows_of(config: LanguageConfig) -> Windows:
    """Return the windows of a configuration."""
    windows = config.data.windows
    match windows.kind:
        case "stream":
            return Windows("stream", windows.length)
        case "sliding":
            return Windows("sliding", windows.length, windows.stride)
        case _:
            assert_never(windows)


def _patterns(path: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if path is None else (path,) if isinstance(path, str) else path


def _find_split_files(
    config: LanguageConfig,
) -> tuple[tuple[tuple[Path, ...], ...], tuple[str, ...]]:
    """Return the files of the training, validation and test split, and notes about them."""
    others = (None, None)
    if config.task == "word_generation":
        others = (config.data.validation_path, config.data.test_path)
    patterns = [_patterns(path) for path in (config.data.path, *others)]
    found = [find_files(given) if given else ((), ()) for given in patterns]
    return tuple(paths for paths, _ in found), tuple(note for _, notes in found for note in notes)


def _corpus_source(
    config: LanguageConfig, files: tuple[tuple[FileIdentity, ...], ...], chunk_bytes: int
) -> CorpusSource:
    data = config.data
    source = CorpusSource(
        files=files[:1],
        kind=data.tokens,
        rules=TextRules(data.newlines, data.normalization, data.lowercase),
        encoding=data.encoding,
        minimum_count=data.minimum_count,
        chunk_bytes=chunk_bytes,
    )
    match config.task:
        case "char_generation":
            return source
        case "word_generation":
            data = config.data
            return replace(
                source,
                files=files,
                vocabulary_size=data.vocabulary_size,
                layout=data.layout,
                validation_fraction=0.0 if data.validation_path else data.validation_fraction,
                test_fraction=0.0 if data.test_path else data.test_fraction,
            )
        case _:
            assert_never(config)


def _splits(config: LanguageConfig, stats: CorpusStats) -> Splits:
    if stats.splits:
        return Splits(*(range(one.start, one.start + one.tokens) for one in stats.splits))
    return split_contiguous(
        stats.tokens,
        validation_fraction=config.data.validation_fraction,
        test_fraction=config.data.test_fraction,
    )


def _read_word_vectors(
    config: LanguageConfig, vocabulary: Vocabulary
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """Return float32[vocabulary, width] and a note; nothing where the input is of another kind.

    A word has its own vector, or else that of its lower-case form, which is all that most files
    have. Others, `<unk>` and the marks among them, have random ones like those found. Raises
    DataError for a broken file, ConfigError when its vectors cannot be the softmax matrix.
    """
    form = config.model.input
    if form.kind != "pretrained" or vocabulary.kind != "words":
        return None, ()
    words = [vocabulary.decode((i,)) or vocabulary.token_of(i) for i in range(vocabulary.size)]
    wanted = list(dict.fromkeys([*words, *(word.lower() for word in words)]))
    read = read_vectors(form.path, wanted)
    row_of = {word: row for row, word in enumerate(wanted)}
    rows = [row_of[word] for word in words]
    lower = [row_of[word.lower()] for word in words]
    chosen = np.where(read.found[rows], rows, np.where(read.found[lower], lower, rows))
    _check_width(config, read.width)
    found = int(read.found[chosen].sum())
    note = (
        f"Vectors of {read.width:,} numbers: {found:,} of {vocabulary.size:,} tokens have one, "
        f"in lower case where not as written."
    )
    return read.matrix[chosen], (note,)


def _check_width(config: LanguageConfig, width: int) -> None:
    last = layer_sizes(config.model)[-1]
    if config.model.tie_weights and last != width:
        raise ConfigError(
            f"model.tie_weights needs vectors as long as the last layer; those of "
            f"model.input.path have {width:,} numbers and units is {last:,}. Make them equal or "
            "remove tie_weights."
        )


def check_windows(
    splits: Splits,
    *,
    windows: Windows,
    batch_size: int,
    validation_fraction: float | None,
    test_fraction: float | None,
) -> None:
    """Raise DataError when a split is too short for its windows. A fraction is None where the split
    has files of its own."""
    train = len(splits.train)
    total = train + len(splits.validation) + len(splits.test)
    held_out = "" if train == total else f" (of {counted(total, 'token')} in all)"
    if train <= windows.length:
        raise DataError(
            f"The training text has {counted(train, 'token')}{held_out}, but a window of "
            f"data.windows.length {windows.length:,} and the token after it need "
            f"{windows.length + 1:,}. Lower data.windows.length"
            f"{_or_hold_out_less(held_out)} or use a longer text."
        )
    match windows.kind:
        case "stream":
            if train - 1 < batch_size:
                raise DataError(
                    f"The training text has {counted(train, 'token')}{held_out}, too few for "
                    f"training.batch_size {batch_size:,} streams, which need at least "
                    f"{batch_size + 1:,}. Lower training.batch_size"
                    f"{_or_hold_out_less(held_out)} or use a longer text."
                )
            needed = 2
        case "sliding":
            needed = windows.length + 1
        case _:
            assert_never(windows.kind)
    for name, fraction, length in (
        ("validation", validation_fraction, len(splits.validation)),
        ("test", test_fraction, len(splits.test)),
    ):
        if fraction is None and length < needed:
            raise DataError(
                f"The {name} text (data.{name}_path) has {counted(length, 'token')}, but at least "
                f"{needed:,} are needed. Use a longer one."
            )
        if fraction and length < needed:
            raise DataError(
                f"The {name} text has {counted(length, 'token')} (data.{name}_fraction "
                f"{fraction:g} of {total:,}), but at least {needed:,} are needed. Raise "
                f"data.{name}_fraction, set it to 0 for none, or use a longer text."
            )


def _or_hold_out_less(held_out: str) -> str:
    return ", hold out less (data.validation_fraction, data.test_fraction)" if held_out else ""


# ---------------------------------------------------------------------------- notes for the user


def describe_corpus(stats: CorpusStats) -> list[str]:
    """Return notes about newlines, rare characters or words, and damaged ones."""
    notes = []
    if with_bom := sum(file.has_bom for file in stats.files):
        notes.append(f"{_files(with_bom, 'begins', 'begin')} with a byte order mark, not read.")
    styles = {
        "CRLF": sum(file.crlf > 0 for file in stats.files),
        "CR": sum(file.cr > 0 for file in stats.files),
        "LF": sum(file.lf > 0 for file in stats.files),
    }
    if styles["CRLF"] or styles["CR"]:
        found = ", ".join(f"{style} in {_files(n)}" for style, n in styles.items() if n)
        kept = stats.vocabulary.cleaning.newlines == "keep"
        notes.append(f"Newlines: {found}; {'kept as they are' if kept else 'all read as LF'}.")
    if stats.vocabulary.kind == "words":
        notes += _about_words(stats, stats.vocabulary)
    elif stats.rare:
        notes.append(
            f"{stats.rare:,} rare characters ({stats.rare_occurrences:,} of "
            f"{stats.characters:,}) became <unk>."
        )
    if stats.damaged_characters:
        notes.append(
            f"The text holds U+FFFD {stats.damaged_characters:,} times: an earlier conversion "
            "replaced what it could not read."
        )
    return notes


def _files(number: int, one: str = "", more: str = "") -> str:
    return f"1 file {one}".rstrip() if number == 1 else f"{number:,} files {more}".rstrip()


def _about_words(stats: CorpusStats, vocabulary: Vocabulary) -> list[str]:
    training = stats.splits[0]
    shares = [
        f"{_known(split)} of the {name} tokens"
        for name, split in zip(("training", "validation", "test"), stats.splits, strict=True)
        if split.tokens
    ]
    words = vocabulary.words
    line = (
        f"Vocabulary: {len(words):,} of the {len(words) + stats.rare:,} different words of the "
        f"training split; it covers {', '.join(shares)}."
    )
    if any(_known_fraction(split) < _LITTLE_KNOWN for split in stats.splits if split.tokens):
        line += " A larger vocabulary or subwords would cover more."
    notes = [line]
    unknown = sum(split.unknown for split in stats.splits[1:])
    if unknown and not training.unknown:
        notes.append(
            f"{unknown:,} held-out words are unknown, and the training split has no <unk> to learn "
            "from, since every word of it is kept: the score counts each as next to impossible. "
            "data.minimum_count: 2 reads words that occur once as <unk>."
        )
    return notes


def _known_fraction(split: SplitStats) -> float:
    return 1.0 - split.unknown / split.tokens


def _known(split: SplitStats) -> str:
    if not split.unknown:
        return "all"
    return f"{min(100 * _known_fraction(split), 99.9):.1f} %"
