"""Ids, splits, fingerprints and batches equal those of the first edition, so that its runs can be
continued and evaluated.

`first_edition.json` was written by its code: `digest` of everything that is long.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.data.batches import BatchPlan, Windows, permute
from rnnkit.data.corpus import encode_files
from rnnkit.tasks.language_model.data import LanguageData, prepare
from rnnkit.tasks.task import parse_config
from rnnkit.tasks.text_classification.config import ClassificationConfig

STORED = json.loads((Path(__file__).parents[1] / "support" / "first_edition.json").read_bytes())
RANDOM = STORED["texts"]["random"]
TRAINING = [text.replace("\x00", "") for text in (*STORED["texts"]["written"], *RANDOM[:200])]


def digest(value: object) -> str:
    content = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    other = "\n".join(RANDOM[300:420]).replace("\x00", "")
    (tmp_path / "a.txt").write_bytes("\n".join(TRAINING * 3).encode())
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf" + other.encode())
    (tmp_path / "l.txt").write_bytes("d\xe9j\xe0 vu, na\xefve caf\xe9.\n".encode("latin-1") * 60)
    return tmp_path


def describe(data: LanguageData) -> dict[str, Any]:
    splits = (data.splits.train, data.splits.validation, data.splits.test)
    return {
        "fingerprint": data.fingerprint,
        "ids": digest(data.ids.tolist()),
        "dtype": str(data.ids.dtype),
        "tokens": len(data.ids),
        "characters": data.characters,
        "splits": [[split.start, split.stop] for split in splits],
        "document": digest(data.vocabulary.to_dict()),
        "size": data.vocabulary.size,
        "files": [
            [f.bytes, f.sha256[:16], f.has_bom, f.characters, f.lf, f.crlf, f.cr]
            for f in data.files
        ],
    }


@pytest.mark.parametrize("expected", STORED["corpora"], ids=lambda stored: str(stored["data"]))
def test_corpora(folder: Path, expected: dict[str, Any]) -> None:
    content = {
        "version": 1,
        "task": expected["task"],
        "data": expected["data"] | {"windows": {"kind": "stream", "length": 8}},
        "training": {"batch_size": 2, "max_epochs": 1},
    }
    config = parse_config(json.dumps(content), source="x.yaml", base=folder)
    assert not isinstance(config, ClassificationConfig)
    for chunk_bytes in (61, 2**20):
        data = prepare(config, cache_dir=folder / str(chunk_bytes), chunk_bytes=chunk_bytes)
        assert describe(data) == expected["prepared"]
    notes = [note.replace("training split", "training part") for note in data.notes[:-1]]
    assert notes == expected["notes"]
    other = encode_files([str(folder / "b.txt")], data.vocabulary, "utf-8", chunk_bytes=50)
    found = [digest(other.ids.tolist()), digest(other.unseen), other.units]
    assert found == expected["encoded"]


@pytest.mark.parametrize(
    ("windows", "tokens", "batch_size", "seed", "expected"), STORED["batches"]["plans"]
)
def test_batches(
    windows: dict[str, Any], tokens: int, batch_size: int, seed: int, expected: str
) -> None:
    ids = (np.arange(tokens) * 7919 % 251).astype(np.uint8)
    plan = BatchPlan(Windows(**windows), tokens, batch_size, seed)
    found = hashlib.sha256()
    for epoch in range(3):
        for index in range(plan.batches_per_epoch):
            batch = plan.batch(ids, epoch, index)
            for array in (batch.inputs, batch.targets, batch.weights):
                found.update(str(array.dtype).encode() + str(array.shape).encode())
                found.update(array.tobytes())
            found.update(bytes([batch.starts_stream]))
    assert found.hexdigest()[:16] == expected


@pytest.mark.parametrize(("size", "seed", "epoch", "expected"), STORED["batches"]["permutations"])
def test_permutations(size: int, seed: int, epoch: int, expected: str) -> None:
    order = permute(np.arange(min(size, 500)), size=size, seed=seed, epoch=epoch)
    assert digest(order.tolist()) == expected
