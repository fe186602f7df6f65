"""Labelled texts of a configuration, read, split and encoded once and then reused from the cache.

    read_texts -> LabelledTexts -> split_texts -> SplitIndices -> encode_texts -> PreparedTexts

The vocabulary comes from the training split alone, so that nothing of the held-out texts is known
to the model.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Entry, cached
from rnnkit.data.encoded_texts import EncodedTexts, encode_texts
from rnnkit.data.files import FileIdentity, check_unchanged, naming
from rnnkit.data.profile import VectorStats, describe_texts, profile_texts, profile_vectors
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
from rnnkit.errors import DataError
from rnnkit.tables.equal_texts import (
    check_separate,
    check_separate_test,
    drop_equal_texts,
    drop_shared_texts,
)
from rnnkit.tables.labelled import LabelledSource, LabelledTexts, read_labelled
from rnnkit.tables.layouts import Layout, find_layout_files
from rnnkit.tables.stored import read_texts_at, write_array, write_texts
from rnnkit.tasks.text_classification.config import ClassificationConfig, ClassificationDataConfig
from rnnkit.text.encoder import (
    FitStats,
    TextEncoder,
    fit_encoder,
)
from rnnkit.text.vocabulary import CaseRules
from rnnkit.text.words import WordRules

_CONTENT_VERSION = 1
"""Goes up when the same files and settings give another result."""

_CHUNK_TEXTS = 20_000
_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


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
    summary: dict[str, Any]
    """Statistics as JSON values: `data.json` of the run."""
    entry: Entry
    """The texts themselves and their places, which `split_of` decodes."""

    def split(self, name: SplitName) -> EncodedTexts:
        """Return the encoded texts of one split, in the order of `split_of`'s texts."""
        encoded: EncodedTexts = getattr(self, name)
        return encoded

    def split_of(self, name: SplitName) -> LabelledTexts:
        """Return the texts themselves of one split."""
        return read_texts_at(self.entry, np.asarray(self.entry.arrays[f"{name}_indices"]))


def prepare_texts(config: ClassificationConfig) -> PreparedTexts:
    """Read, check, split and encode the texts of a configuration, or take them from the cache.

    Raises:
        DataError: files or rows cannot be used, or training on them or scoring with them would
            mislead.
    """
    files = _identify_files(config.data)
    entry = cached(_cache_key(config, files), lambda write: _build(config, files, write))
    encoder = TextEncoder.from_dict(json.loads(entry.document["encoder"]))
    labels = np.asarray(entry.arrays["labels"])

    def encoded(name: SplitName) -> EncodedTexts:
        ids, offsets, indices = (
            np.asarray(entry.arrays[f"{name}_{part}"]) for part in ("ids", "offsets", "indices")
        )
        return EncodedTexts(ids, offsets, labels[indices])

    vectors, vector_stats = _read_vectors(config, encoder)
    summary = json.loads(entry.document["summary"])
    if vector_stats is not None:
        summary["vectors"] = profile_vectors(vector_stats, np.asarray(entry.arrays["counts"]))
    return PreparedTexts(
        encoder=encoder,
        classes=tuple(entry.document["classes"]),
        train=encoded("train"),
        validation=encoded("validation"),
        test=encoded("test"),
        vectors=vectors,
        fingerprint=entry.document["fingerprint"],
        notes=(
            *entry.document["notes"],
            *describe_texts(summary, maximum_length=encoder.maximum_length),
            entry.note,
        ),
        summary=summary,
        entry=entry,
    )


def read_texts(
    config: ClassificationConfig, *, test: bool = False, classes: Sequence[str] | None = None
) -> LabelledTexts:
    """Read the texts of `data.path`, or with `test` those of `data.test_path`.

    Equal texts are dropped from `data.path` if `data.deduplicate` is set. Test files are taken as
    they are, so that scores on them compare with those of others; `classes` are those of the
    training files then, needed where `data.labels` does not name them.

    Raises:
        DataError: files cannot be read, or rows cannot be used and `data.bad_rows` is not `drop`.
    """
    data = config.data
    if test:
        if data.test_path is None:
            raise DataError("There are no test files: data.test_path is not set.")
        return read_labelled(_patterns(data.test_path), labelled_source(data, classes))
    texts = read_labelled(_patterns(data.path), labelled_source(data))
    return drop_equal_texts(texts) if data.deduplicate else texts


def read_any_texts(
    paths: Sequence[str], config: ClassificationConfig, *, classes: Sequence[str] | None = None
) -> LabelledTexts:
    """Read all texts of other files in the layout and with the labels of `config`.

    `classes` are those of the trained model. Raises DataError as `read_texts` does.
    """
    return read_labelled(paths, labelled_source(config.data, classes))


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
        case "characters":
            return CaseRules(lowercase=tokens.lowercase)
        case "subwords":
            return CaseRules(lowercase=tokens.lowercase)
        case _:
            assert_never(tokens)


def _fit(data: ClassificationDataConfig, texts: Sequence[str]) -> tuple[TextEncoder, FitStats]:
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


def _cache_key(config: ClassificationConfig, files: Sequence[FileIdentity]) -> dict[str, Any]:
    """Return everything that texts, splits and ids depend on."""
    data = config.data.model_dump(mode="json")
    # The order of the labels is that of the classes.
    data["labels"] = None if config.data.labels is None else list(config.data.labels.items())
    return {
        "task": config.task,
        "version": _CONTENT_VERSION,
        "files": [[str(file.path), file.sha256] for file in files],
        "data": data,
        "seed": config.seed,
        "unicode": unicodedata.unidata_version,
        "english": _english_versions(config.data),
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


def _build(
    config: ClassificationConfig, files: Sequence[FileIdentity], write: ArrayWriter
) -> dict[str, Any]:
    """Read, split and encode; returns the document of the cache."""
    texts, test_texts = read_texts(config), None
    if config.data.test_path is not None:
        test_texts = read_texts(config, test=True, classes=texts.classes)
        if config.data.deduplicate:
            texts = drop_shared_texts(texts, test_texts)
        else:
            check_separate_test(texts, test_texts)
    indices = split_texts(config, texts)
    for file in files:
        check_unchanged(file)
    splits = {
        "train": texts.select(indices.train),
        "validation": texts.select(indices.validation),
        "test": test_texts or texts.select(indices.test),
    }
    encoder, fitted = _fit(config.data, splits["train"].texts)
    encoded, stats = {}, {}
    for name, split in splits.items():
        encoded[name], stats[name] = encode_texts(encoder, split.texts, split.labels)
        write_array(write, f"{name}_ids", encoded[name].ids)
        write_array(write, f"{name}_offsets", encoded[name].offsets)
    fingerprint = _fingerprint(encoder, encoded, indices)
    if test_texts is not None:
        places = np.arange(len(texts), len(texts) + len(test_texts))
        indices = replace(indices, test=places)
    for name in _SPLITS:
        write_array(write, f"{name}_indices", getattr(indices, name))
    write_array(write, "counts", stats["train"].counts)
    write_texts(write, [texts] if test_texts is None else [texts, test_texts])
    summary = profile_texts(
        texts.classes,
        labels={name: split.labels for name, split in splits.items()},
        stats=stats,
        encoder=encoder,
        distinct=fitted.distinct,
        reading=asdict(texts.stats),
    )
    return {
        # Texts of their own: the order of the keys is part of them.
        "encoder": json.dumps(encoder.to_dict()),
        "summary": json.dumps(summary),
        "classes": list(texts.classes),
        "files": [*texts.files, *(test_texts.files if test_texts else ())],
        "stats": asdict(texts.stats),
        "notes": [*texts.notes, *(test_texts.notes if test_texts else ())],
        "fingerprint": fingerprint,
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
