"""What `model.onnx` of a classifier holds; what it computes is in tests/contract."""

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from rnnkit.network.onnx import export_onnx
from rnnkit.tasks.text_classification.config import ClassifierConfig, LearnedEmbedding
from rnnkit.tasks.text_classification.network import classifier_network

VOCABULARY_SIZE = 50
EMBEDDING_SIZE = 16
CLASSES = ("negative", "neutral", "sehr schön")


def random_weights(*, units: int = 8) -> dict[str, np.ndarray]:
    """Of a GRU in both directions with attention, as Keras names them and lays them out."""
    rng = np.random.default_rng(0)
    width = 2 * units
    shapes = {
        "embedding/embeddings": (VOCABULARY_SIZE, EMBEDDING_SIZE),
        "attention/kernel": (width, width),
        "attention/bias": (width,),
        "attention_context/kernel": (width, 1),
        "logits/kernel": (width, len(CLASSES)),
        "logits/bias": (len(CLASSES),),
    }
    for name in ("recurrent_0_forward", "recurrent_0_backward"):
        shapes[f"{name}/kernel"] = (EMBEDDING_SIZE, 3 * units)
        shapes[f"{name}/recurrent_kernel"] = (units, 3 * units)
        shapes[f"{name}/bias"] = (2, 3 * units)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def export(weights: dict[str, np.ndarray], **options: Any) -> bytes:
    chosen = {
        "units": 8,
        "bidirectional": True,
        "pooling": "attention",
        "embedding": LearnedEmbedding(size=EMBEDDING_SIZE),
        **options,
    }
    spec = classifier_network(
        ClassifierConfig(**chosen), vocabulary_size=VOCABULARY_SIZE, classes=len(CLASSES)
    )
    metadata = {"task": "sentiment", "classes": list(CLASSES)}
    return export_onnx(weights, spec, metadata=metadata)


def test_ids_go_in_and_logits_come_out() -> None:
    session = onnxruntime.InferenceSession(
        export(random_weights()), providers=["CPUExecutionProvider"]
    )
    (ids,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (ids.name, ids.type, ids.shape) == ("ids", "tensor(int64)", ["batch", "time"])
    assert (logits.name, logits.type, logits.shape) == ("logits", "tensor(float)", ["batch", 3])


def test_metadata_holds_the_classes() -> None:
    props = {
        prop.key: prop.value
        for prop in onnx.load_from_string(export(random_weights())).metadata_props
    }
    assert json.loads(props["rnnkit"]) == {
        "format_version": 1,
        "task": "sentiment",
        "vocabulary_size": VOCABULARY_SIZE,
        "classes": list(CLASSES),
    }


def test_every_weight_is_stored_once() -> None:
    weights = random_weights(units=64)
    payload = sum(weight.nbytes for weight in weights.values())
    assert payload <= len(export(weights, units=64)) < payload + 8000


def test_the_same_weights_give_the_same_bytes() -> None:
    weights = random_weights()
    assert export(weights) == export(dict(reversed(weights.items())))


def test_the_opset_is_one_that_is_widely_read() -> None:
    proto = onnx.load_from_string(export(random_weights()))
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 17)]
    assert proto.ir_version == 8


@pytest.mark.parametrize(
    "name", ["embedding/embeddings", "recurrent_0_backward/kernel", "attention_context/kernel"]
)
def test_weights_that_do_not_fit_are_named(name: str) -> None:
    weights = random_weights()
    with pytest.raises(ValueError, match=f"'{name}' has shape"):
        export({**weights, name: weights[name].T})
    del weights[name]
    with pytest.raises(ValueError, match=f"'{name}' is missing"):
        export(weights)
