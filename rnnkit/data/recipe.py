"""How the ids of a text are made from its files: what they depend on, and the making."""

import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.encode import CorpusFacts, Tokens, count_corpus, encode_corpus
from rnnkit.data.sources import FileIdentity, check_unchanged
from rnnkit.data.word_corpus import (
    WordSource,
    count_subwords,
    count_words,
    encode_subwords,
    encode_words,
)
from rnnkit.text.cleaning import TextRules

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.config import CharGenerationConfig, WordGenerationConfig

Identities = tuple[FileIdentity, ...]


@dataclass(frozen=True)
class CharacterRecipe:
    """Characters or bytes. The vocabulary is that of the whole text."""

    sources: Identities
    rules: TextRules
    encoding: str
    kind: Tokens
    minimum_count: int
    chunk_bytes: int

    def key(self) -> dict[str, Any]:
        """What the ids depend on."""
        options = {"tokens": self.kind, "minimum_count": self.minimum_count}
        return _key(self.sources, self.rules, self.encoding, options)

    def count(self) -> CorpusFacts:
        """Everything but the ids."""
        return count_corpus(
            self.sources,
            encoding=self.encoding,
            rules=self.rules,
            kind=self.kind,
            minimum_count=self.minimum_count,
            chunk_bytes=self.chunk_bytes,
        )

    def encode(self, facts: CorpusFacts) -> Iterator[NDArray[np.unsignedinteger]]:
        """The ids, piece by piece; raises DataError when a file changed meanwhile."""
        yield from encode_corpus(facts, encoding=self.encoding, chunk_bytes=self.chunk_bytes)
        for source in self.sources:
            check_unchanged(source)


@dataclass(frozen=True)
class WordRecipe:
    """Words or subwords. The vocabulary is that of the training part."""

    source: WordSource
    kind: Literal["words", "subwords"]
    vocabulary_size: int | None
    minimum_count: int

    @cached_property
    def sources(self) -> Identities:
        """All files, those of the training part first."""
        return tuple(file for part in self.source.files for file in part)

    def key(self) -> dict[str, Any]:
        """What the ids depend on, the division among them."""
        source = self.source
        options = {
            "tokens": self.kind,
            "layout": source.layout,
            "vocabulary_size": self.vocabulary_size or 0,
            "minimum_count": self.minimum_count,
            "validation_fraction": repr(source.validation_fraction),
            "test_fraction": repr(source.test_fraction),
            "parts": " + ".join(str(len(files)) for files in source.files),
        }
        # The expression that finds words knows letters from Python's tables.
        key = _key(self.sources, source.rules, source.encoding, options)
        return key | {"unicode": unicodedata.unidata_version}

    def count(self) -> CorpusFacts:
        """Everything but the ids."""
        match self.kind:
            case "words":
                return count_words(
                    self.source,
                    vocabulary_size=self.vocabulary_size,
                    minimum_count=self.minimum_count,
                )
            case "subwords":
                assert self.vocabulary_size is not None
                return count_subwords(self.source, vocabulary_size=self.vocabulary_size)

    def encode(self, facts: CorpusFacts) -> Iterator[NDArray[np.unsignedinteger]]:
        """The ids, piece by piece; raises DataError when a file changed meanwhile."""
        encode = encode_words if self.kind == "words" else encode_subwords
        yield from encode(self.source, facts)
        for source in self.sources:
            check_unchanged(source)


Recipe = CharacterRecipe | WordRecipe


def character_recipe(
    config: "CharGenerationConfig", sources: Identities, *, chunk_bytes: int
) -> CharacterRecipe:
    """As `config.data` says, from files that were looked at."""
    data = config.data
    return CharacterRecipe(
        sources=sources,
        rules=TextRules(data.newlines, data.normalization, data.lowercase),
        encoding=data.encoding,
        kind=data.tokens,
        minimum_count=data.minimum_count,
        chunk_bytes=chunk_bytes,
    )


def word_recipe(
    config: "WordGenerationConfig", files: tuple[Identities, ...], *, chunk_bytes: int
) -> WordRecipe:
    """The same; `files` are those of the training, validation and test part."""
    data = config.data
    source = WordSource(
        files=files,
        validation_fraction=0.0 if data.validation_path else data.validation_fraction,
        test_fraction=0.0 if data.test_path else data.test_fraction,
        encoding=data.encoding,
        rules=TextRules(data.newlines, data.normalization, data.lowercase),
        layout=data.layout,
        chunk_bytes=chunk_bytes,
    )
    return WordRecipe(source, data.tokens, data.vocabulary_size, data.minimum_count)


def _key(
    sources: Identities, rules: TextRules, encoding: str, options: dict[str, str | int]
) -> dict[str, Any]:
    unicode_matters = rules.normalization != "none" or rules.lowercase
    return {
        "files": [source.sha256 for source in sources],
        "encoding": encoding,
        **asdict(rules),
        **options,
        "unicode": unicodedata.unidata_version if unicode_matters else "",
    }
