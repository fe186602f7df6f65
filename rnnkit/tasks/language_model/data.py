"""From the `data` section of a configuration to token ids, splits and vocabulary."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Json, cached
from rnnkit.data.encode import CorpusFacts, PartFacts, id_dtype
from rnnkit.data.recipe import Recipe, character_recipe, word_recipe
from rnnkit.data.sources import (
    FileIdentity,
    SourceFile,
    changed_file,
    find_files,
    identify,
)
from rnnkit.data.splits import SplitName, Splits, split_contiguous
from rnnkit.data.windows import check_splits
from rnnkit.data.word_vectors import read_word_vectors
from rnnkit.tasks.language_model.notes import describe_corpus
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.config import LanguageConfig

CHUNK_BYTES = 2**20
"""How much of a file is in memory at a time."""


@dataclass(frozen=True, eq=False)
class _Corpus:
    ids: NDArray[np.unsignedinteger]
    facts: CorpusFacts
    fingerprint: str


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
    entry, cache_note = _open_corpus(recipe, cache_dir)
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


def _open_corpus(recipe: Recipe, cache_dir: Path | None) -> tuple[_Corpus, str]:
    """The encoded text from the cache or newly encoded, and a note saying which."""

    def build(write: ArrayWriter) -> Json:
        facts = recipe.count()
        digest = hashlib.sha256(_json(facts.vocabulary.to_dict()))
        pieces = _checked(recipe.encode(facts), facts, digest)
        write("ids", pieces, dtype=id_dtype(facts.vocabulary.size), length=facts.tokens)
        document = asdict(facts) | {"vocabulary": facts.vocabulary.to_dict()}
        return {"facts": document, "fingerprint": digest.hexdigest()}

    entry = cached(recipe.key(), build, folder=cache_dir)
    facts = _at_present_paths(_facts_from_dict(entry.document["facts"]), recipe.sources)
    return _Corpus(entry.arrays["ids"], facts, entry.document["fingerprint"]), entry.note


def _checked(
    pieces: Iterator[NDArray[np.unsignedinteger]], facts: CorpusFacts, digest: "hashlib._Hash"
) -> Iterator[NDArray[np.unsignedinteger]]:
    position = 0
    for piece in pieces:
        position += len(piece)
        if position > facts.tokens:
            break
        digest.update(piece.data)
        yield piece
    if position != facts.tokens:
        raise changed_file(Path(facts.files[0].path))


def _facts_from_dict(content: Mapping[str, Any]) -> CorpusFacts:
    return CorpusFacts(
        **{
            **content,
            "vocabulary": read_vocabulary(content["vocabulary"]),
            "files": tuple(SourceFile(**file) for file in content["files"]),
            "parts": tuple(PartFacts(**part) for part in content["parts"]),
        }
    )


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")


def _at_present_paths(facts: CorpusFacts, sources: Sequence[FileIdentity]) -> CorpusFacts:
    """The same content may lie under other names now."""
    files = (
        replace(file, path=str(source.path))
        for file, source in zip(facts.files, sources, strict=True)
    )
    return replace(facts, files=tuple(files))
