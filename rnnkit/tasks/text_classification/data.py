"""Labelled texts of a configuration, read, split and encoded once and then reused from the cache.

    read_texts -> LabelledTexts -> split_texts -> SplitIndices -> encode_texts -> PreparedTexts

The cache has two entries: the texts, which all folds and settings of tokens share, and their ids.
The vocabulary comes from the training split alone, so that nothing of the held-out texts is known
to the model.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Entry, Json, cached
from rnnkit.data.encoded_texts import (
    EncodedTexts,
    VectorStats,
    describe_texts,
    encode_texts,
    profile_texts,
    profile_vectors,
)
from rnnkit.data.files import FileIdentity, check_unchanged, naming
from rnnkit.data.splits import (
    SplitIndices,
    SplitName,
    check_classes,
    check_ordered,
    check_splits,
    fold_split,
    ordered_split,
    stratified_split,
)
from rnnkit.runs.files import Document
from rnnkit.tables.equal_texts import (
    check_separate,
    check_separate_test,
    drop_equal_texts,
    drop_shared_texts,
)
from rnnkit.tables.labelled import (
    LabelledSource,
    LabelledTexts,
    read_labelled,
    read_texts_at,
    write_array,
    write_texts,
)
from rnnkit.tables.layouts import Layout, find_layout_files
from rnnkit.tasks.text_classification.config import ClassificationConfig, ClassificationDataConfig
from rnnkit.text.encoder import TextEncoder, fit_encoder
from rnnkit.text.vocabulary import CaseRules
from rnnkit.text.words import WordRules

_CONTENT_VERSION = 2
"""Goes up when the same files and settings give another result."""

_TEXT_KEYS = {"path", "test_path", "layout", "encoding", "bad_rows", "deduplicate"}
"""Keys of `data` that decide the texts; `labels` is another one."""


@dataclass(frozen=True, eq=False)
class PreparedTexts:
    """Labelled texts ready for training."""

    encoder: TextEncoder
    classes: tuple[str, ...]
    train: EncodedTexts
    validation: EncodedTexts
    test: EncodedTexts
    """Held-out texts or official test files; may be empty, as `validation` may."""
    vectors: NDArray[np.float32] | None
    """Pretrained vectors, float32[vocabulary, width]; those of the padding are 0."""
    fingerprint: str
    """SHA-256 of encoder, ids, labels and splits."""
    notes: tuple[str, ...]
    """For the user, one sentence or two each."""
    summary: Document
    """Statistics as JSON values: `data.json` of the run."""
    texts: Entry
    """The texts themselves, which `split_of` decodes."""
    indices: Mapping[SplitName, NDArray[np.int64]]
    """int64[texts of the split]: where those of each split are in `texts`."""

    def split(self, name: SplitName) -> EncodedTexts:
        """Return the encoded texts of one split, in the order of `split_of`'s texts."""
        encoded: EncodedTexts = getattr(self, name)
        return encoded

    def split_of(self, name: SplitName) -> LabelledTexts:
        """Return the texts themselves of one split."""
        return read_texts_at(self.texts, self.indices[name])


def prepare_texts(config: ClassificationConfig) -> PreparedTexts:
    """Read, check, split and encode the texts of a configuration, or take them from the cache.

    Raises:
        DataError: files or rows cannot be used, or training on them or scoring with them would
            mislead.
    """
    files = _identify_files(config.data)
    key = _texts_key(config, files)
    texts = cached(key, lambda write: _store_texts(config, files, write))
    key |= {
        "data": config.data.model_dump(mode="json"),
        "seed": config.seed,
        "english": _english_versions(config.data),
    }
    entry = cached(key, lambda write: _store_ids(config, texts, write))
    encoder = TextEncoder.from_dict(json.loads(entry.document["encoder"]))
    arrays = {name: np.asarray(array) for name, array in entry.arrays.items()}
    indices: dict[SplitName, NDArray[np.int64]] = {
        name: arrays[f"{name}_indices"] for name in ("train", "validation", "test")
    }
    labels = np.asarray(texts.arrays["labels"])
    encoded = {
        name: EncodedTexts(arrays[f"{name}_ids"], arrays[f"{name}_offsets"], labels[places])
        for name, places in indices.items()
    }
    vectors, vector_stats = _read_vectors(config, encoder)
    summary = json.loads(entry.document["summary"])
    if vector_stats is not None:
        summary["vectors"] = profile_vectors(vector_stats, arrays["counts"])
    described = describe_texts(summary, maximum_length=encoder.maximum_length)
    return PreparedTexts(
        encoder=encoder,
        classes=tuple(texts.document["classes"]),
        **encoded,
        vectors=vectors,
        fingerprint=entry.document["fingerprint"],
        notes=(*texts.document["notes"], *described, entry.note),
        summary=summary,
        texts=texts,
        indices=indices,
    )


def read_texts(config: ClassificationConfig) -> LabelledTexts:
    """Read the texts of `data.path`, without equal ones if `data.deduplicate` is set.

    Raises:
        DataError: files cannot be read, or rows cannot be used and `data.bad_rows` is not `drop`.
    """
    texts = read_labelled(_patterns(config.data.path), labelled_source(config.data))
    return drop_equal_texts(texts) if config.data.deduplicate else texts


def labelled_source(
    data: ClassificationDataConfig, classes: Sequence[str] | None = None
) -> LabelledSource:
    """Return how the files of a configuration are read; `classes` name labels without a mapping."""
    labels = data.labels
    if labels is None and classes is not None:
        labels = {name: name for name in classes}
    return LabelledSource(
        layout=Layout(**data.layout.model_dump()),
        encoding=data.encoding,
        labels=labels,
        drop_bad_rows=data.bad_rows == "drop",
    )


def split_texts(config: ClassificationConfig, texts: LabelledTexts) -> SplitIndices:
    """Divide the texts by `data.split` and the fractions, drawn by `seed`.

    Raises:
        DataError: a split would mislead: a class is missing from one, the rows of an ordered
            split are sorted by class, or equal texts are in two splits.
    """
    data, labels, classes = config.data, texts.labels, texts.classes
    check_classes(labels, classes)
    match data.split:
        case "stratified" if data.fold is not None:
            indices = fold_split(
                labels,
                number=data.fold.number,
                of=data.fold.of,
                validation_fraction=data.validation_fraction,
                seed=config.seed,
                classes=classes,
            )
        case "stratified":
            indices = stratified_split(
                labels,
                validation_fraction=data.validation_fraction,
                test_fraction=data.test_fraction,
                seed=config.seed,
                classes=classes,
            )
        case "ordered":
            check_ordered(labels, classes)
            indices = ordered_split(
                len(texts),
                validation_fraction=data.validation_fraction,
                test_fraction=data.test_fraction,
            )
        case _:
            assert_never(data.split)
    check_splits(
        labels,
        classes,
        indices,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
    )
    if not data.deduplicate:
        check_separate(texts, indices)
    return indices


def encoder_rules(data: ClassificationDataConfig) -> WordRules | CaseRules:
    """Return how a text becomes tokens by `data.tokens`."""
    tokens = data.tokens
    match tokens.kind:
        case "words":
            settings = tokens.model_dump(exclude={"kind", "vocabulary_size", "minimum_count"})
            return WordRules(**settings)
        case "characters" | "subwords":
            return CaseRules(lowercase=tokens.lowercase)
        case _:
            assert_never(tokens)


def _read_vectors(
    config: ClassificationConfig, encoder: TextEncoder
) -> tuple[NDArray[np.float32] | None, VectorStats | None]:
    embedding = config.model.embedding
    match embedding.kind:
        case "learned":
            return None, None
        case "pretrained":
            from rnnkit.data.vectors import read_vectors

            # <unk> may have a vector of its own; padding has none.
            wanted = [encoder.vocabulary.token_of(index) for index in range(1, encoder.size)]
            read = read_vectors(embedding.path, wanted)
            vectors = np.concatenate([np.zeros((1, read.width), np.float32), read.matrix])
            return vectors, VectorStats(embedding.path, read.width, read.found[1:])
        case _:
            assert_never(embedding)


def _patterns(path: str | Sequence[str]) -> Sequence[str]:
    return (path,) if isinstance(path, str) else path


# ----------------------------------------------------------------------------------------- cache


def _identify_files(data: ClassificationDataConfig) -> tuple[FileIdentity, ...]:
    layout = labelled_source(data).layout
    patterns = [_patterns(path) for path in (data.path, data.test_path) if path is not None]
    found = []
    for path in [path for group in patterns for path in find_layout_files(group, layout)[0]]:
        if path.is_dir():
            continue  # reading it tells what to do
        with naming(path), path.open("rb") as file:
            status = path.stat()
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        identity = FileIdentity(
            path, status.st_size, status.st_mtime_ns, has_bom=False, sha256=sha256
        )
        found.append(identity)
    return tuple(found)


def _texts_key(config: ClassificationConfig, files: Sequence[FileIdentity]) -> Document:
    """Return everything that the texts, their classes and their order depend on."""
    labels = config.data.labels
    return {
        "task": config.task,
        "version": _CONTENT_VERSION,
        "files": [[str(file.path), file.sha256] for file in files],
        "texts": config.data.model_dump(mode="json", include=_TEXT_KEYS),
        # The order of the labels is that of the classes.
        "labels": None if labels is None else list(labels.items()),
        "unicode": unicodedata.unidata_version,
    }


def _english_versions(data: ClassificationDataConfig) -> list[str]:
    """Return the versions of the tables that stop words and lemmas come from, [] without them."""
    tokens = data.tokens
    if tokens.kind != "words" or not (tokens.lemmas or tokens.stop_words == "drop"):
        return []
    try:
        return [version("spacy"), version("spacy-lookups-data")]
    except PackageNotFoundError:  # choosing the vocabulary says so, with a remedy
        return []


def _store_texts(
    config: ClassificationConfig, files: Sequence[FileIdentity], write: ArrayWriter
) -> Json:
    """Read the texts; those of the test files come after the others.

    Test files are taken as they are, so that scores on them compare with those of others.
    """
    data, texts = config.data, read_texts(config)
    groups = [texts]
    if data.test_path is not None:
        source = labelled_source(data, texts.classes)
        test_texts = read_labelled(_patterns(data.test_path), source)
        if data.deduplicate:
            texts = drop_shared_texts(texts, test_texts)
        else:
            check_separate_test(texts, test_texts)
        groups = [texts, test_texts]
    for file in files:
        check_unchanged(file)
    write_texts(write, groups)
    return {
        "classes": list(texts.classes),
        "files": [file for group in groups for file in group.files],
        "notes": [note for group in groups for note in group.notes],
        "training_texts": len(texts),
        # A text of its own: the order of the keys is part of it.
        "stats": json.dumps(asdict(texts.stats)),
    }


def _store_ids(config: ClassificationConfig, texts: Entry, write: ArrayWriter) -> Json:
    """Split the texts of a cache entry, choose the vocabulary and encode them."""
    data, tokens, number = config.data, config.data.tokens, len(texts.arrays["labels"])
    stored = read_texts_at(texts, np.arange(number))
    own = stored.select(np.arange(texts.document["training_texts"]))
    indices = split_texts(config, own)
    places = {"train": indices.train, "validation": indices.validation, "test": indices.test}
    if data.test_path is not None:
        places["test"] = np.arange(len(own), number)
    splits = {name: stored.select(chosen) for name, chosen in places.items()}
    encoder, fitted = fit_encoder(
        splits["train"].texts,
        kind=tokens.kind,
        rules=encoder_rules(data),
        maximum_length=data.maximum_length,
        truncate=data.truncate,
        vocabulary_size=None if tokens.kind == "characters" else tokens.vocabulary_size,
        minimum_count=1 if tokens.kind == "subwords" else tokens.minimum_count,
    )
    encoded, stats = {}, {}
    for name, split in splits.items():
        encoded[name], stats[name] = encode_texts(encoder, split.texts, split.labels)
        write_array(write, f"{name}_ids", encoded[name].ids)
        write_array(write, f"{name}_offsets", encoded[name].offsets)
        write_array(write, f"{name}_indices", places[name])
    write_array(write, "counts", stats["train"].counts)
    summary = profile_texts(
        own.classes,
        labels={name: split.labels for name, split in splits.items()},
        stats=stats,
        encoder=encoder,
        distinct=fitted.distinct,
        reading=asdict(own.stats),
    )
    return {
        # Texts of their own: the order of the keys is part of them.
        "encoder": json.dumps(encoder.to_dict()),
        "summary": json.dumps(summary),
        "fingerprint": _fingerprint(encoder, encoded, indices),
    }


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
    for places in (indices.train, indices.validation, indices.test):
        digest.update(places.astype("<i8").tobytes())
    return digest.hexdigest()
