"""Labelled texts in the cache: written once, decoded where they are looked at."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Entry
from rnnkit.tables.labelled import LabelledTexts, ReadingStats

_CHUNK_TEXTS = 20_000


def write_array(write: ArrayWriter, name: str, array: NDArray[Any]) -> None:
    """Write a one-dimensional array in one piece."""
    write(name, [array], dtype=array.dtype, length=len(array))


def write_texts(write: ArrayWriter, groups: Sequence[LabelledTexts]) -> None:
    """Write texts as UTF-8 in one array of bytes, with the label, row and file of each."""
    lengths = [len(data) for group in groups for chunk in _utf8(group.texts) for data in chunk]
    ends = np.cumsum(np.array(lengths, np.int64))
    chunks = (b"".join(chunk) for group in groups for chunk in _utf8(group.texts))
    blob = (np.frombuffer(chunk, np.uint8) for chunk in chunks)
    write("texts", blob, dtype=np.dtype(np.uint8), length=sum(lengths))
    write_array(write, "text_offsets", np.concatenate([np.zeros(1, np.int64), ends]))
    write_array(write, "labels", np.concatenate([group.labels for group in groups]))
    write_array(write, "rows", np.concatenate([group.rows for group in groups]))
    first_files = np.cumsum([0, *(len(group.files) for group in groups)])
    numbers = [
        group.file_numbers + np.int32(first)
        for group, first in zip(groups, first_files, strict=False)
    ]
    write_array(write, "file_numbers", np.concatenate(numbers))


def _utf8(texts: Sequence[str]) -> Iterator[list[bytes]]:
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = texts[start : start + _CHUNK_TEXTS]
        yield [text.encode("utf-8", "surrogatepass") for text in chunk]


def read_texts_at(entry: Entry, indices: NDArray[np.int64]) -> LabelledTexts:
    """Decode the texts at `indices`: int64[n], of all that `write_texts` wrote.

    The document of the entry has `classes`, `files` (of all groups) and `stats` (as JSON).
    """
    blob, offsets = entry.arrays["texts"], entry.arrays["text_offsets"]
    starts, ends = offsets[indices].tolist(), offsets[indices + 1].tolist()
    return LabelledTexts(
        texts=[
            blob[start:end].tobytes().decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=True)
        ],
        labels=np.asarray(entry.arrays["labels"])[indices],
        rows=np.asarray(entry.arrays["rows"])[indices],
        file_numbers=np.asarray(entry.arrays["file_numbers"])[indices],
        files=tuple(entry.document["files"]),
        classes=tuple(entry.document["classes"]),
        notes=(),
        stats=ReadingStats(**json.loads(entry.document["stats"])),
    )
