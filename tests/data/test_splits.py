"""What would mislead is refused: one class, sorted rows, splits without a class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.errors import DataError
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import prepare_texts, read_texts, split_texts


def settings(path: Path, drawn: list[str], **data: Any) -> ClassificationConfig:
    rows = [f"word{number},{label}" for number, label in enumerate(drawn)]
    path.write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    return ClassificationConfig.model_validate(
        {
            "version": 1,
            "task": "sentiment",
            "data": {"path": str(path), **data},
            "training": {"max_epochs": 1},
        }
    )


def refusal(config: ClassificationConfig) -> str:
    with pytest.raises(DataError) as caught:
        prepare_texts(config)
    return str(caught.value)


def shuffled(labels: list[str]) -> list[str]:
    return np.random.default_rng(0).permutation(labels).tolist()


@pytest.mark.parametrize("split", ["stratified", "ordered"])
def test_one_class_is_nothing_to_tell_apart(tmp_path: Path, split: str) -> None:
    message = refusal(settings(tmp_path / "a.csv", ["x"] * 20, split=split))
    assert "All 20 texts have the class 'x'" in message


def test_a_class_without_texts(tmp_path: Path) -> None:
    mapping = {"x": "bad", "z": "neutral", "y": "good"}
    message = refusal(settings(tmp_path / "a.csv", ["x", "y"] * 10, labels=mapping))
    assert "No text has the class 'neutral'; there are 10 bad, 0 neutral, 10 good" in message


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_sorted_rows_are_no_ordered_split(tmp_path: Path, blocks: int) -> None:
    labels = (["x"] * 40 + ["y"] * 40) * blocks
    message = refusal(settings(tmp_path / "a.csv", labels, split="ordered"))
    assert "sorted by class" in message
    times = "1 time" if blocks == 1 else f"{2 * blocks - 1} times"
    assert f"changes {times} in {80 * blocks} rows" in message
    assert "data.split: stratified" in message
    prepared = prepare_texts(settings(tmp_path / "a.csv", labels, split="stratified"))
    assert len(prepared.validation) == 8 * blocks


def test_an_ordered_split_keeps_the_order(tmp_path: Path) -> None:
    config = settings(
        tmp_path / "a.csv", shuffled(["x", "y"] * 50), split="ordered", test_fraction=0.2
    )
    split = split_texts(config, read_texts(config))
    assert split.train.tolist() == list(range(70))
    assert split.validation.tolist() == list(range(70, 80))
    assert split.test.tolist() == list(range(80, 100))


def test_unbalanced_rows_in_any_order_are_not_sorted(tmp_path: Path) -> None:
    labels = shuffled(["x"] * 950 + ["y"] * 50)
    config = settings(tmp_path / "a.csv", labels, split="ordered", validation_fraction=0.3)
    assert len(prepare_texts(config).validation) == 300


def test_an_ordered_split_without_a_class(tmp_path: Path) -> None:
    labels = [*["x", "y", "z"] * 20, *["x", "y"] * 10]
    message = refusal(settings(tmp_path / "a.csv", labels, split="ordered"))
    assert "The validation split of 8 of 80 texts has none of class 'z'" in message
    assert "30 x, 30 y, 20 z" in message


def test_nothing_is_held_out_on_request(tmp_path: Path) -> None:
    for split in ("stratified", "ordered"):
        config = settings(tmp_path / "a.csv", ["x", "y"] * 10, split=split, validation_fraction=0.0)
        prepared = prepare_texts(config)
        assert len(prepared.train) == 20
        assert len(prepared.validation) == 0
        assert "validation" not in prepared.summary["rows"]


def test_a_rare_class_is_mentioned(tmp_path: Path) -> None:
    notes = prepare_texts(settings(tmp_path / "a.csv", ["x"] * 195 + ["y"] * 5)).notes
    assert any("Class 'y' is rare: 4 of 179 training texts" in note for note in notes)
