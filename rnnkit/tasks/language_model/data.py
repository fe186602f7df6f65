"""From the `data` section of a configuration to token ids, splits and vocabulary."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data import cache
from rnnkit.data.encode import CorpusFacts
from rnnkit.data.recipe import Recipe, character_recipe, word_recipe
from rnnkit.data.sources import FileIdentity, SourceFile, find_files, identify
from rnnkit.data.splits import SplitName, Splits, split_contiguous
from rnnkit.data.windows import check_splits
from rnnkit.data.word_vectors import read_word_vectors
from rnnkit.tasks.language_model.notes import describe_corpus
from rnnkit.text.language import LanguageVocabulary

if TYPE_CHECKING:
    from rnnkit.config.schema import LanguageConfig

CHUNK_BYTES = 2**20
"""How much of a file is in memory at a time."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A text ready for training."""

    ids: NDArray[np.unsignedinteger]
    """uint8, uint16 or uint32 [tokens], memory-mapped and read-only."""
    vocabulary: LanguageVocabulary
    splits: Splits
    fingerprint: str
    """SHA-256 of vocabulary and ids."""
    characters: int
    """Characters in the whole text after cleaning."""
    notes: tuple[str, ...]
    """What the user should know, one sentence or two each."""
    files: tuple[SourceFile, ...]
    vectors: NDArray[np.float32] | None = None
    """Pretrained vectors, float32[vocabulary, width]."""

    def split(self, name: SplitName) -> NDArray[np.unsignedinteger]:
        """The ids of one part, unsigned[tokens of it]; a view, nothing is copied."""
        part: range = getattr(self.splits, name)
        return self.ids[part.start : part.stop]


def prepare(
    config: "LanguageConfig", *, cache_dir: Path | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Prepared:
    """Read, clean, count and encode the text of `config.data`, or take it from the cache.

    The vocabulary of characters is that of the whole text, that of words and subwords comes from
    the training part alone. Files are cleaned one by one and joined without anything between
    them; of words and subwords, each begins with a new line. Memory does not grow with the text,
    only with the number of different words.

    Raises DataError for files that are missing or no text, and for a text that is too short for
    the windows, the batch size or the held-out parts of this configuration.
    """
    data = config.data
    files, notes = _find_parts(config)
    identities = tuple(
        tuple(identify(path, encoding=data.encoding) for path in paths) for paths in files
    )
    match config.task:
        case "char_generation":
            recipe = character_recipe(config, identities[0], chunk_bytes=chunk_bytes)
        case "word_generation":
            recipe = word_recipe(config, identities, chunk_bytes=chunk_bytes)
        case _:
            assert_never(config)
    entry, cache_note = _open_corpus(recipe, _patterns(data.path), cache_dir)
    facts = entry.facts
    splits = _splits(config, facts)
    check_splits(
        splits,
        windows=data.windows,
        batch_size=config.training.batch_size,
        validation_fraction=None if files[1] else data.validation_fraction,
        test_fraction=None if files[2] else data.test_fraction,
    )
    vectors, vector_notes = read_word_vectors(config, facts.vocabulary)
    return Prepared(
        ids=entry.ids,
        vocabulary=facts.vocabulary,
        splits=splits,
        fingerprint=entry.fingerprint,
        characters=facts.characters,
        notes=(*notes, *describe_corpus(facts), *vector_notes, cache_note),
        files=facts.files,
        vectors=vectors,
    )


def _patterns(path: "str | tuple[str, ...] | None") -> tuple[str, ...]:
    return () if path is None else (path,) if isinstance(path, str) else path


def _find_parts(config: "LanguageConfig") -> tuple[tuple[tuple[Path, ...], ...], tuple[str, ...]]:
    """The files of the training, validation and test part, and notes about them."""
    others = (None, None)
    if config.task == "word_generation":
        others = (config.data.validation_path, config.data.test_path)
    patterns = [_patterns(path) for path in (config.data.path, *others)]
    found = [find_files(given) if given else ((), ()) for given in patterns]
    return tuple(paths for paths, _ in found), tuple(note for _, notes in found for note in notes)


def _splits(config: "LanguageConfig", facts: CorpusFacts) -> Splits:
    if facts.parts:
        return Splits(*(range(part.start, part.start + part.tokens) for part in facts.parts))
    return split_contiguous(
        facts.tokens,
        validation_fraction=config.data.validation_fraction,
        test_fraction=config.data.test_fraction,
    )


def _open_corpus(
    recipe: Recipe, patterns: tuple[str, ...], cache_dir: Path | None
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


def _encode_for_this_run(recipe: Recipe, facts: CorpusFacts) -> tuple[cache.Entry, str]:
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
