"""The content of `model.onnx` of a language model; tests/contract shows that it computes the same
as the other forms."""

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from rnnkit.network.onnx import export_onnx
from rnnkit.network.spec import NetworkSpec
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network

VOCABULARY_SIZE = 11
FACTS = {"task": "char_generation", "context": None, "generation": {"length": 200}}


def model_config(**options: Any) -> LanguageModelConfig:
    return LanguageModelConfig.model_validate(options)


def network_of(model: LanguageModelConfig) -> NetworkSpec:
    return language_network(model, vocabulary_size=VOCABULARY_SIZE)


def random_weights(model: LanguageModelConfig) -> dict[str, np.ndarray]:
    """Weights as Keras names them and lays them out; every one of them matters."""
    draw = np.random.default_rng(0)
    return {
        name: draw.normal(scale=0.5, size=shape).astype(np.float32)
        for name, shape in network_of(model).weight_shapes.items()
    }


def open_model(data: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("cell", ["simple_rnn", "gru", "lstm"])
def test_reading_in_pieces_with_carried_state_equals_reading_at_once(cell: str) -> None:
    model = model_config(cell=cell, units=(5, 7))
    exported = export_onnx(
        random_weights(model),
        network_of(model),
        metadata=FACTS,
    )
    session = open_model(exported)
    names = [node.name for node in session.get_inputs()][1:]
    sizes = [node.shape[1] for node in session.get_inputs()][1:]
    ids = np.random.default_rng(2).integers(0, VOCABULARY_SIZE, (2, 12))
    zero = [np.zeros((2, size), np.float32) for size in sizes]
    whole = np.asarray(session.run(None, {"ids": ids, **dict(zip(names, zero, strict=True))})[0])
    pieces, states = [], zero
    for part in np.split(ids, [1, 2, 7], axis=1):
        feeds: dict[str, Any] = {"ids": part, **dict(zip(names, states, strict=True))}
        logits, *states = [np.asarray(value) for value in session.run(None, feeds)]
        pieces.append(logits)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-5)


@pytest.mark.parametrize("tie_weights", [False, True])
def test_every_weight_is_stored_once(tie_weights: bool) -> None:
    model = model_config(units=64, input={"kind": "embedding", "size": 64}, tie_weights=tie_weights)
    weights = random_weights(model)
    exported = export_onnx(weights, network_of(model), metadata=FACTS)
    payload = sum(weight.nbytes for weight in weights.values())
    assert payload <= len(exported) < payload + 5000


def test_metadata_holds_the_facts() -> None:
    model = model_config(units=5)
    facts = {"task": "char_generation", "context": 40, "generation": {"temperature": 0.5}}
    exported = export_onnx(
        random_weights(model),
        network_of(model),
        metadata=facts,
    )
    props = {prop.key: prop.value for prop in onnx.load_from_string(exported).metadata_props}
    assert json.loads(props["rnnkit"]) == {
        "format_version": 1,
        "task": "char_generation",
        "context": 40,
        "vocabulary_size": VOCABULARY_SIZE,
        "generation": {"temperature": 0.5},
    }


def test_the_opset_is_one_that_is_widely_read() -> None:
    model = model_config(units=5, normalization="layer")
    exported = export_onnx(
        random_weights(model),
        network_of(model),
        metadata=FACTS,
    )
    proto = onnx.load_from_string(exported)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 17)]
    assert proto.ir_version == 8


def test_weights_that_do_not_fit_are_named() -> None:
    model = model_config(units=5)
    weights = random_weights(model)
    wrong = {**weights, "recurrent_0/kernel": weights["recurrent_0/kernel"].T}
    with pytest.raises(ValueError, match="'recurrent_0/kernel' has shape"):
        export_onnx(wrong, network_of(model), metadata=FACTS)
    del wrong["recurrent_0/kernel"]
    with pytest.raises(ValueError, match="'recurrent_0/kernel' is missing"):
        export_onnx(wrong, network_of(model), metadata=FACTS)
