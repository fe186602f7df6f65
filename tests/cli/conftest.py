"""Finished runs without training: everything is as training leaves it, but for the weights,
which are random, or chosen so that one can tell what is predicted."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml

from rnnkit.config.describe import to_yaml
from rnnkit.network.onnx import export_onnx
from rnnkit.runs.directory import RunDirectory, create_run, write_manifest
from rnnkit.runs.files import write_atomically, write_document
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.task import load_config
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import prepare_texts
from rnnkit.text.encoder import UNKNOWN

UNITS, EMBEDDING = 8, 4

MakeModelRun = Callable[..., RunDirectory]


@pytest.fixture
def make_model_run(tmp_path: Path) -> MakeModelRun:
    """Return `make_model_run(text, name=..., task=..., data={...}, generation={...})`, which makes
    a run of a small GRU of characters, or of another task, in `tmp_path / "runs"`."""

    def make(text: str | bytes, *, name: str = "small", **sections: Any) -> RunDirectory:
        path = tmp_path / f"{name}.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        content = {
            "version": 1,
            "task": "char_generation",
            "model": {"units": UNITS, "input": {"kind": "embedding", "size": EMBEDDING}},
            "training": {"max_steps": 1, "batch_size": 1},
            **sections,
            "data": {"path": str(path), **sections.get("data", {})},
        }
        config_path = tmp_path / f"{name}.yaml"
        config_path.write_text(yaml.safe_dump(content))
        config = load_config(config_path)
        assert not isinstance(config, ClassificationConfig)
        prepared = prepare(config)
        size = prepared.vocabulary.size
        rng = np.random.default_rng(0)
        shapes = {
            "embedding/embeddings": (size, EMBEDDING),
            "recurrent_0/kernel": (EMBEDDING, 3 * UNITS),
            "recurrent_0/recurrent_kernel": (UNITS, 3 * UNITS),
            "recurrent_0/bias": (2, 3 * UNITS),
            "logits/kernel": (UNITS, size),
            "logits/bias": (size,),
        }
        windows = config.data.windows
        run = create_run(
            tmp_path / "runs",
            name,
            config_text=to_yaml(config),
            vocabulary=prepared.vocabulary.to_dict(),
        )
        write_atomically(
            run.onnx_model,
            export_onnx(
                {key: rng.normal(size=shape) for key, shape in shapes.items()},
                language_network(config.model, vocabulary_size=size),
                metadata={
                    "task": config.task,
                    "context": windows.length if windows.kind == "sliding" else None,
                    "generation": config.generation.model_dump(mode="json"),
                },
            ),
        )
        write_manifest(run, [run.config, run.onnx_model])
        summary = {"task": config.task, "corpus_fingerprint": prepared.fingerprint}
        write_document(run.summary, "summary", summary)
        return run

    return make


WEIGHTS = {"good": 1.0, "great": 2.0, "bad": -1.0, "awful": -2.0}
"""What each word of the classifier below adds to the log-odds of the last class."""

MakeClassRun = Callable[..., RunDirectory]


@pytest.fixture
def make_class_run(tmp_path: Path) -> MakeClassRun:
    """Return `make_class_run(rows, name=..., weights=WEIGHTS, data={...}, evaluation={...})`.

    It makes a classifier in `tmp_path / "runs"` whose logits are the sums of its words' weights;
    `rows` are (label, text). Words without a weight count 0, <unk> too.
    """

    def make(
        rows: list[tuple[str, str]],
        *,
        name: str = "small",
        weights: dict[str, float] = WEIGHTS,
        **sections: Any,
    ) -> RunDirectory:
        path = tmp_path / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("label", "text"), *rows])
        content = {
            "version": 1,
            "task": "sentiment",
            "training": {"max_steps": 1, "batch_size": 1},
            **sections,
            "data": {"path": str(path), "validation_fraction": 0.3, **sections.get("data", {})},
        }
        config_path = tmp_path / f"{name}.yaml"
        config_path.write_text(yaml.safe_dump(content, sort_keys=False))
        config = load_config(config_path)
        assert isinstance(config, ClassificationConfig)
        prepared = prepare_texts(config)
        encoder, classes = prepared.encoder, list(prepared.classes)
        table = np.zeros((encoder.size, len(classes)), np.float32)
        for word, weight in weights.items():
            if encoder.vocabulary.id_of(word) != UNKNOWN:
                table[encoder.vocabulary.id_of(word), -1] = weight
        run = create_run(
            tmp_path / "runs",
            name,
            config_text=to_yaml(config),
            vocabulary={"encoder": encoder.to_dict(), "classes": classes},
        )
        facts = {
            "format_version": 1,
            "task": "sentiment",
            "vocabulary_size": encoder.size,
            "classes": classes,
        }
        write_atomically(run.onnx_model, _sum_of_weights(table, facts))
        write_manifest(run, [run.config, run.onnx_model])
        summary = {"task": "sentiment", "corpus_fingerprint": prepared.fingerprint}
        write_document(run.summary, "summary", {**summary, "classes": classes})
        return run

    return make


def _sum_of_weights(table: np.ndarray, facts: dict[str, Any]) -> bytes:
    """Ids int64[batch, time] -> logits float32[batch, classes]: `table[ids].sum(axis=1)`."""
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Gather", ["table", "ids"], ["rows"]),
            onnx.helper.make_node("ReduceSum", ["rows", "axes"], ["logits"], keepdims=0),
        ],
        "sum_of_weights",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["batch", "time"])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", None])],
        [
            onnx.numpy_helper.from_array(table, "table"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
    )
    onnx.helper.set_model_props(model, {"rnnkit": json.dumps(facts)})
    return model.SerializeToString()
