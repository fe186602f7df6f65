"""From the `data` section of a sentiment configuration to what training takes.

    read_texts -> LabelledTexts -> split_texts -> SplitIndices -> encode_splits -> PreparedTexts

The vocabulary comes from the training split alone, so that held-out texts tell nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.checks import check_separate, check_separate_test
from rnnkit.data.encoded_texts import EncodedTexts, encode_texts
from rnnkit.data.split_texts import SplitIndices, split_texts, stratified_folds
from rnnkit.data.splits import SplitName
from rnnkit.data.summary import VectorFacts, describe_texts, summarize_texts
from rnnkit.tables.labelled import LabelledTexts, drop_shared_texts
from rnnkit.tables.reading import read_any_texts, read_texts
from rnnkit.text.encoder import (
    CharacterRules,
    EncoderFacts,
    Rules,
    SubwordRules,
    TextEncoder,
    fit_encoder,
)
from rnnkit.text.words import WordRules

if TYPE_CHECKING:
    from rnnkit.tasks.text_classification.config import (
        ClassificationConfig,
        ClassificationDataConfig,
    )

__all__ = [
    "EncodedTexts",
    "LabelledTexts",
    "PreparedTexts",
    "SplitIndices",
    "encode_splits",
    "encoder_rules",
    "prepare_texts",
    "read_any_texts",
    "read_texts",
    "split_texts",
    "stratified_folds",
]


@dataclass(frozen=True, eq=False)
class PreparedTexts:
    """Labelled texts ready for training."""

    encoder: TextEncoder
    classes: tuple[str, ...]
    train: EncodedTexts
    validation: EncodedTexts
    test: EncodedTexts
    """Held-out texts or official test files; may be empty, as `validation` may."""
    indices: SplitIndices
    """Of the splits in `texts`; `test` is empty when there are test files."""
    texts: LabelledTexts
    test_texts: LabelledTexts | None
    """The official test files."""
    vectors: NDArray[np.float32] | None
    """Pretrained vectors, float32[vocabulary, width]; those of the padding are 0."""
    fingerprint: str
    """SHA-256 of encoder, ids, labels and splits."""
    notes: tuple[str, ...]
    """What the user should know, one sentence or two each."""
    summary: dict[str, Any]
    """Statistics as JSON values: `data.json` of the run."""

    def split(self, name: SplitName) -> EncodedTexts:
        """The encoded texts of one split, in the order of `split_of`'s texts."""
        part: EncodedTexts = getattr(self, name)
        return part

    def split_of(self, name: SplitName) -> LabelledTexts:
        """The texts themselves of one split."""
        if name == "test" and self.test_texts is not None:
            return self.test_texts
        return self.texts.select(getattr(self.indices, name))


def prepare_texts(config: "ClassificationConfig") -> PreparedTexts:
    """Read, check, split and encode the texts of a configuration.

    Raises DataError for files or rows that cannot be used, and where training on them or scoring
    with them would mislead.
    """
    texts, test_texts = read_texts(config), None
    if config.data.test_path is not None:
        test_texts = read_texts(config, test=True, classes=texts.classes)
        if config.data.deduplicate:
            texts = drop_shared_texts(texts, test_texts)
        else:
            check_separate_test(texts, test_texts)
    return encode_splits(config, texts, test_texts, split_texts(config, texts))


def encode_splits(
    config: "ClassificationConfig",
    texts: LabelledTexts,
    test_texts: LabelledTexts | None,
    indices: SplitIndices,
) -> PreparedTexts:
    """Choose the vocabulary from the training split and encode every split.

    `test_texts` are official test files, instead of `indices.test`. Raises DataError when no
    token is left, when equal texts stand in two splits (`data.deduplicate: false`), or for a
    broken vector file.
    """
    if not config.data.deduplicate:
        check_separate(texts, indices)
    parts = {
        "train": texts.select(indices.train),
        "validation": texts.select(indices.validation),
        "test": test_texts or texts.select(indices.test),
    }
    encoder, facts = _fit(config.data, parts["train"].texts)
    encoded = {name: encode_texts(encoder, part.texts, part.labels) for name, part in parts.items()}
    vectors, vector_facts = _read_vectors(config, encoder)
    statistics = {name: facts_of_split for name, (_, facts_of_split) in encoded.items()}
    splits = {name: split for name, (split, _) in encoded.items()}
    summary = summarize_texts(
        texts.classes,
        texts.facts,
        labels={name: split.labels for name, split in splits.items()},
        statistics=statistics,
        encoder=encoder,
        distinct=facts.distinct,
        vectors=vector_facts,
    )
    notes = [*texts.notes, *(test_texts.notes if test_texts else ())]
    return PreparedTexts(
        encoder=encoder,
        classes=texts.classes,
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        indices=indices,
        texts=texts,
        test_texts=test_texts,
        vectors=vectors,
        fingerprint=_fingerprint(encoder, splits, indices),
        notes=(*notes, *describe_texts(summary, maximum_length=encoder.maximum_length)),
        summary=summary,
    )


def encoder_rules(data: "ClassificationDataConfig") -> Rules:
    """How `data.tokens` says that a text becomes tokens."""
    tokens = data.tokens
    match tokens.kind:
        case "words":
            return WordRules(
                lowercase=tokens.lowercase,
                punctuation=tokens.punctuation,
                markup=tokens.markup,
                urls=tokens.urls,
                mentions=tokens.mentions,
                hashtags=tokens.hashtags,
                numbers=tokens.numbers,
                emoji=tokens.emoji,
                elongations=tokens.elongations,
                stop_words=tokens.stop_words,
                lemmas=tokens.lemmas,
            )
        case "characters":
            return CharacterRules(lowercase=tokens.lowercase)
        case "subwords":
            return SubwordRules(lowercase=tokens.lowercase)
        case _:
            assert_never(tokens)


def _fit(data: "ClassificationDataConfig", texts: list[str]) -> tuple[TextEncoder, EncoderFacts]:
    tokens = data.tokens
    return fit_encoder(
        texts,
        kind=tokens.kind,
        rules=encoder_rules(data),
        maximum_length=data.maximum_length,
        truncate=data.truncate,
        vocabulary_size=None if tokens.kind == "characters" else tokens.vocabulary_size,
        minimum_count=1 if tokens.kind == "subwords" else tokens.minimum_count,
    )


def _read_vectors(
    config: "ClassificationConfig", encoder: TextEncoder
) -> tuple[NDArray[np.float32] | None, VectorFacts | None]:
    embedding = config.model.embedding
    match embedding.kind:
        case "learned":
            return None, None
        case "pretrained":
            from rnnkit.data.vectors import read_vectors

            # <unk> may have a vector of its own; padding has none.
            wanted = [encoder.token_of(index) for index in range(1, encoder.size)]
            read = read_vectors(embedding.path, wanted)
            vectors = np.concatenate([np.zeros((1, read.width), np.float32), read.matrix])
            return vectors, VectorFacts(embedding.path, read.width, read.found[1:])
        case _:
            assert_never(embedding)


def _fingerprint(
    encoder: TextEncoder, splits: Mapping[str, EncodedTexts], indices: SplitIndices
) -> str:
    digest = hashlib.sha256(
        json.dumps(encoder.to_dict(), sort_keys=True, ensure_ascii=True).encode("ascii")
    )
    for name, split in splits.items():
        digest.update(f"{name} {len(split)}".encode("ascii"))
        for array, kind in ((split.ids, "<i4"), (split.offsets, "<i8"), (split.labels, "<i4")):
            digest.update(array.astype(kind).tobytes())
    for part in (indices.train, indices.validation, indices.test):
        digest.update(part.astype("<i8").tobytes())
    return digest.hexdigest()
