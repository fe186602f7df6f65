"""From the `data` section of a configuration to token ids, splits and vocabulary."""

import os
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnkit.data import cache
from rnnkit.data.decoding import read_pieces
from rnnkit.data.encode import (
    CodePointTable,
    CorpusFacts,
    count_corpus,
    encode_corpus,
)
from rnnkit.data.sources import (
    FileIdentity,
    SourceFile,
    check_text_file,
    check_unchanged,
    find_files,
    identify,
)
from rnnkit.data.splits import SplitName, Splits, split_contiguous
from rnnkit.data.windows import check_splits
from rnnkit.errors import DataError
from rnnkit.text.tokenize import TextRules
from rnnkit.text.vocabulary import Tokens, Vocabulary

if TYPE_CHECKING:
    from rnnkit.config.schema import CharGenerationConfig

CHUNK_BYTES = 2**20
"""How much of a file is in memory at a time."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A text ready for training."""

    ids: NDArray[np.unsignedinteger]
    """uint8, uint16 or uint32 [tokens], memory-mapped and read-only."""
    vocabulary: Vocabulary
    splits: Splits
    fingerprint: str
    """SHA-256 of vocabulary and ids."""
    characters: int
    """Characters in the whole text after cleaning; as many as tokens unless these are bytes."""
    notes: tuple[str, ...]
    """What the user should know, one sentence or two each."""
    files: tuple[SourceFile, ...]

    def split(self, name: SplitName) -> NDArray[np.unsignedinteger]:
        """The ids of one part, unsigned[tokens of it]; a view, nothing is copied."""
        part: range = getattr(self.splits, name)
        return self.ids[part.start : part.stop]


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text in the ids of an existing vocabulary."""

    ids: NDArray[np.unsignedinteger]
    """unsigned[tokens]. Characters without an id are `<unk>`, or left out if there is none."""
    unseen: dict[str, int]
    """How often each character without an id occurs."""
    characters: int
    """Characters after cleaning, those without an id included."""


def prepare(
    config: "CharGenerationConfig", *, cache_dir: Path | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Prepared:
    """Read, clean, count and encode the text of `config.data`, or take it from the cache.

    The vocabulary is that of the whole text. Files are cleaned one by one and joined without
    anything between them. Memory does not grow with the text.

    Raises DataError for files that are missing or no text, and for a text that is too short for
    the windows, the batch size or the held-out parts of this configuration.
    """
    data = config.data
    patterns = (data.path,) if isinstance(data.path, str) else data.path
    paths, notes = find_files(patterns)
    recipe = _Recipe(
        sources=tuple(identify(path, encoding=data.encoding) for path in paths),
        rules=TextRules(data.newlines, data.normalization, data.lowercase),
        encoding=data.encoding,
        kind=data.tokens,
        minimum_count=data.minimum_count,
        chunk_bytes=chunk_bytes,
    )
    entry, cache_note = _open_corpus(recipe, patterns, cache_dir)
    facts = entry.facts
    splits = split_contiguous(
        facts.tokens,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
    )
    check_splits(
        splits,
        windows=data.windows,
        batch_size=config.training.batch_size,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
    )
    return Prepared(
        ids=entry.ids,
        vocabulary=facts.vocabulary,
        splits=splits,
        fingerprint=entry.fingerprint,
        characters=facts.characters,
        notes=(*notes, *_describe(facts), cache_note),
        files=facts.files,
    )


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
    table = CodePointTable(vocabulary)
    rules = vocabulary.rules
    unseen: Counter[str] = Counter()
    characters = tokens = 0
    with tempfile.TemporaryFile() as scratch:
        for path in files:
            check_text_file(path, encoding=encoding)
            for piece in read_pieces(path, encoding=encoding, rules=rules, chunk_bytes=chunk_bytes):
                text = rules.apply(piece)
                characters += len(text)
                ids, seen = table.encode(text), table.seen(text)
                if not seen.all():
                    unseen.update(text[index] for index in np.flatnonzero(~seen))
                    ids = ids if vocabulary.has_unknown else ids[seen]
                tokens += len(ids)
                scratch.write(ids.data)
        if tokens < 2:
            raise DataError(
                f"{', '.join(map(str, files))}: only {tokens} of {characters:,} characters are "
                "known to the model; at least two are needed, one to start from and one to "
                "predict."
            )
        scratch.flush()
        mapped = np.memmap(scratch, dtype=table.dtype, mode="r", shape=(tokens,))
    return EncodedText(ids=mapped, unseen=dict(unseen), characters=characters)


@dataclass(frozen=True)
class _Recipe:
    """How the ids are made from the files."""

    sources: tuple[FileIdentity, ...]
    rules: TextRules
    encoding: str
    kind: Tokens
    minimum_count: int
    chunk_bytes: int

    def ingredients(self) -> cache.Ingredients:
        options = {
            "encoding": self.encoding,
            **asdict(self.rules),
            "tokens": self.kind,
            "minimum_count": self.minimum_count,
        }
        unicode_matters = self.rules.normalization != "none" or self.rules.lowercase
        return cache.Ingredients(
            files=tuple((str(source.path), source.sha256) for source in self.sources),
            options=options,
            unicode=unicodedata.unidata_version if unicode_matters else "",
        )

    def count(self) -> CorpusFacts:
        return count_corpus(
            self.sources,
            encoding=self.encoding,
            rules=self.rules,
            kind=self.kind,
            minimum_count=self.minimum_count,
            chunk_bytes=self.chunk_bytes,
        )

    def encode(self, facts: CorpusFacts) -> Iterator[NDArray[np.unsignedinteger]]:
        yield from encode_corpus(facts, encoding=self.encoding, chunk_bytes=self.chunk_bytes)
        for source in self.sources:
            check_unchanged(source)


def _open_corpus(
    recipe: _Recipe, patterns: tuple[str, ...], cache_dir: Path | None
) -> tuple[cache.Entry, str]:
    """The encoded text from the cache or newly encoded, and a note saying which and why."""
    try:
        cache_dir = cache_dir or cache.default_folder(os.environ)
    except RuntimeError:
        entry, place = _encode_for_this_run(recipe, recipe.count())
        return entry, (
            f"There is no home directory to keep the encoded text in, so it is {place} for this "
            "run only. Set RNNKIT_CACHE to a folder to keep it."
        )
    ingredients = recipe.ingredients()
    folder = cache.entry_folder(cache_dir, ingredients.key)
    try:
        if entry := cache.load_entry(folder, key=ingredients.key):
            cache.remember(cache_dir, patterns, ingredients)
            facts = _at_present_paths(entry.facts, recipe.sources)
            return replace(entry, facts=facts), f"The encoded text is reused from {folder}"
        reason = cache.reason_to_build(cache_dir, patterns, ingredients)
    except cache.DamagedEntryError as error:
        reason = f"the cached copy is damaged: {error}"
    facts = recipe.count()
    try:
        entry = cache.build_entry(
            folder, key=ingredients.key, facts=facts, pieces=recipe.encode(facts)
        )
    except OSError as error:
        entry, place = _encode_for_this_run(recipe, facts)
        return entry, (
            f"The cache folder {cache_dir} cannot be used ({error.strerror or error}), so the "
            f"encoded text is {place} for this run only. Set RNNKIT_CACHE to another folder to "
            "keep it."
        )
    cache.remember(cache_dir, patterns, ingredients)
    return entry, f"The text was encoded into {folder} ({reason})."


def _encode_for_this_run(recipe: _Recipe, facts: CorpusFacts) -> tuple[cache.Entry, str]:
    """The entry without a cache, and where it is: in a temporary folder, which is removed at
    once (the open file stays readable), or in memory when no disk takes it."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="rnnkit-"))
        entry = cache.build_entry(
            folder / "corpus", key="", facts=facts, pieces=recipe.encode(facts)
        )
        return entry, "kept in a temporary file"
    except OSError:
        return cache.hold_entry(facts, recipe.encode(facts)), "held in memory"
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _at_present_paths(facts: CorpusFacts, sources: Sequence[FileIdentity]) -> CorpusFacts:
    """The same content may lie under other names now."""
    files = (
        replace(file, path=str(source.path))
        for file, source in zip(facts.files, sources, strict=True)
    )
    return replace(facts, files=tuple(files))


def _describe(facts: CorpusFacts) -> list[str]:
    """Notes about what cleaning met."""
    notes = []
    if with_bom := sum(file.has_bom for file in facts.files):
        notes.append(f"{_files(with_bom, 'begins', 'begin')} with a byte order mark, not read.")
    styles = {
        "CRLF": sum(file.crlf > 0 for file in facts.files),
        "CR": sum(file.cr > 0 for file in facts.files),
        "LF": sum(file.lf > 0 for file in facts.files),
    }
    if styles["CRLF"] or styles["CR"]:
        found = ", ".join(f"{style} in {_files(n)}" for style, n in styles.items() if n)
        kept = facts.vocabulary.rules.newlines == "keep"
        notes.append(f"Newlines: {found}; {'kept as they are' if kept else 'all read as LF'}.")
    if facts.rare_characters:
        notes.append(
            f"{facts.rare_characters:,} rare characters ({facts.rare_occurrences:,} of "
            f"{facts.characters:,}) became <unk>."
        )
    if facts.damaged_characters:
        notes.append(
            f"The text holds U+FFFD {facts.damaged_characters:,} times: an earlier conversion "
            "replaced what it could not read."
        )
    return notes


def _files(number: int, one: str = "", more: str = "") -> str:
    return f"1 file {one}".rstrip() if number == 1 else f"{number:,} files {more}".rstrip()
