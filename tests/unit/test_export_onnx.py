"""`model.onnx` against a reference written out in NumPy, cell by cell."""

import itertools
import json
from itertools import chain
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from rnnkit.config.base import layer_sizes
from rnnkit.network.onnx import export_onnx
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network

VOCABULARY_SIZE = 11
FACTS = {"task": "char_generation", "context": None, "generation": {"length": 200}}

INPUTS: dict[str, dict[str, Any]] = {
    "embedding": {"kind": "embedding", "size": 6},
    "one_hot": {"kind": "one_hot"},
    "scaled": {"kind": "scaled"},
}


def model_config(**options: Any) -> LanguageModelConfig:
    return LanguageModelConfig.model_validate(options)


def random_weights(model: LanguageModelConfig, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights as Keras names them and lays them out; every one of them matters."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(scale=0.5, size=shape).astype(np.float32)

    weights = {}
    match model.input.kind:
        case "embedding":
            width = model.input.size  # pyright: ignore[reportAttributeAccessIssue]
            weights["embedding/embeddings"] = draw(VOCABULARY_SIZE, width)
        case "one_hot":
            width = VOCABULARY_SIZE
        case _:
            width = 1
    gates = {"simple_rnn": 1, "gru": 3, "lstm": 4}[model.cell]
    for index, units in enumerate(layer_sizes(model)):
        weights[f"recurrent_{index}/kernel"] = draw(width, gates * units)
        weights[f"recurrent_{index}/recurrent_kernel"] = draw(units, gates * units)
        bias_shape = (2, 3 * units) if model.cell == "gru" else (gates * units,)
        weights[f"recurrent_{index}/bias"] = draw(*bias_shape)
        if model.normalization != "none":
            weights[f"normalization_{index}/gamma"] = draw(units)
            weights[f"normalization_{index}/beta"] = draw(units)
        if model.normalization == "batch":
            weights[f"normalization_{index}/moving_mean"] = draw(units)
            weights[f"normalization_{index}/moving_variance"] = np.abs(draw(units))
        width = units
    if not model.tie_weights:
        weights["logits/kernel"] = draw(width, VOCABULARY_SIZE)
        weights["logits/bias"] = draw(VOCABULARY_SIZE)
    return weights


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def reference_step(
    cell: str, x: np.ndarray, states: list[np.ndarray], w: dict[str, np.ndarray], activation: Any
) -> list[np.ndarray]:
    """One step of a Keras cell: `x` float64[batch, width] -> the new states, the output first."""
    h = states[0]
    kernel, recurrent, bias = w["kernel"], w["recurrent_kernel"], w["bias"]
    if cell == "simple_rnn":
        return [activation(x @ kernel + h @ recurrent + bias)]
    if cell == "gru":
        xz, xr, xh = np.split(x @ kernel + bias[0], 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        return [z * h + (1.0 - z) * np.tanh(xh + r * hh)]
    i, f, c, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    memory = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
    return [sigmoid(o) * np.tanh(memory), memory]


def reference(
    model: LanguageModelConfig,
    weights: dict[str, np.ndarray],
    ids: np.ndarray,
    states: list[list[np.ndarray]],
) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Logits float64[batch, time, vocabulary] and the last states, layer by layer."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def activation(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0.0) if model.activation == "relu" else np.tanh(x)

    match model.input.kind:
        case "embedding":
            x = w["embedding/embeddings"][ids]
        case "one_hot":
            x = np.eye(VOCABULARY_SIZE)[ids]
        case _:
            x = (ids / VOCABULARY_SIZE)[:, :, np.newaxis]
    last = []
    for index, state in enumerate(states):
        layer = {
            name: w[f"recurrent_{index}/{name}"] for name in ("kernel", "recurrent_kernel", "bias")
        }
        outputs = []
        for time in range(ids.shape[1]):
            state = reference_step(model.cell, x[:, time], state, layer, activation)
            outputs.append(state[0])
        last.append(state)
        y = np.stack(outputs, axis=1)
        if model.normalization != "none":
            norm = f"normalization_{index}"
            if model.normalization == "layer":
                mean, variance = y.mean(-1, keepdims=True), y.var(-1, keepdims=True)
            else:
                mean, variance = w[f"{norm}/moving_mean"], w[f"{norm}/moving_variance"]
            y = (y - mean) / np.sqrt(variance + 1e-3) * w[f"{norm}/gamma"] + w[f"{norm}/beta"]
        x = x + y if model.residual and index > 0 else y
    if model.tie_weights:
        return x @ w["embedding/embeddings"].T, last
    return x @ w["logits/kernel"] + w["logits/bias"], last


def variants() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"cell": cell, "units": units, "normalization": normalization, "input": INPUTS[kind]}
        for cell, units, normalization, kind in itertools.product(
            ("simple_rnn", "gru", "lstm"), ((5,), (5, 7)), ("none", "layer", "batch"), INPUTS
        )
    ]
    for cell in ("simple_rnn", "gru", "lstm"):
        for normalization in ("none", "layer", "batch"):
            square: dict[str, Any] = {
                "cell": cell,
                "units": (6, 6, 6),
                "normalization": normalization,
                "input": INPUTS["embedding"],
            }
            found.append({**square, "residual": True})
            found.append({**square, "tie_weights": True})
            found.append({**square, "residual": True, "tie_weights": True})
    for units in ((5,), (5, 7)):
        found.append({"cell": "simple_rnn", "units": units, "activation": "relu"})
    return found


def describe(variant: dict[str, Any]) -> str:
    parts = [variant["cell"], "x".join(map(str, variant["units"]))]
    parts += [variant[key] for key in ("normalization", "activation") if key in variant]
    parts += [variant["input"]["kind"]] if "input" in variant else []
    return "-".join(parts + [key for key in ("residual", "tie_weights") if key in variant])


def open_model(data: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("variant", variants(), ids=describe)
def test_every_variant_computes_what_keras_computes(variant: dict[str, Any]) -> None:
    model = model_config(**variant)
    weights = random_weights(model)
    exported = export_onnx(
        weights, language_network(model, vocabulary_size=VOCABULARY_SIZE), metadata=FACTS
    )
    rng = np.random.default_rng(1)
    batch, time = 3, 9
    ids = rng.integers(0, VOCABULARY_SIZE, (batch, time))
    per_layer = 2 if model.cell == "lstm" else 1
    states = [
        [rng.normal(size=(batch, units)).astype(np.float32) for _ in range(per_layer)]
        for units in layer_sizes(model)
    ]

    session = open_model(exported)
    names = [node.name for node in session.get_inputs()]
    letters = ("h", "c")[:per_layer]
    expected_names = [f"state_{i}_{s}" for i in range(len(states)) for s in letters]
    assert names == ["ids", *expected_names]
    assert [node.name for node in session.get_outputs()] == [
        "logits",
        *(f"new_{name}" for name in expected_names),
    ]
    feeds: dict[str, Any] = {"ids": ids, **dict(zip(names[1:], chain(*states), strict=True))}
    logits, *last = [np.asarray(value) for value in session.run(None, feeds)]

    expected, expected_last = reference(model, weights, ids, states)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=1e-5)
    for found, wanted in zip(last, chain(*expected_last), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", ["simple_rnn", "gru", "lstm"])
def test_reading_in_pieces_with_carried_state_equals_reading_at_once(cell: str) -> None:
    model = model_config(cell=cell, units=(5, 7))
    exported = export_onnx(
        random_weights(model),
        language_network(model, vocabulary_size=VOCABULARY_SIZE),
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
    exported = export_onnx(
        weights, language_network(model, vocabulary_size=VOCABULARY_SIZE), metadata=FACTS
    )
    payload = sum(weight.nbytes for weight in weights.values())
    assert payload <= len(exported) < payload + 5000


def test_metadata_holds_the_facts() -> None:
    model = model_config(units=5)
    facts = {"task": "char_generation", "context": 40, "generation": {"temperature": 0.5}}
    exported = export_onnx(
        random_weights(model),
        language_network(model, vocabulary_size=VOCABULARY_SIZE),
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
        language_network(model, vocabulary_size=VOCABULARY_SIZE),
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
        export_onnx(wrong, language_network(model, vocabulary_size=VOCABULARY_SIZE), metadata=FACTS)
    del wrong["recurrent_0/kernel"]
    with pytest.raises(ValueError, match="'recurrent_0/kernel' is missing"):
        export_onnx(wrong, language_network(model, vocabulary_size=VOCABULARY_SIZE), metadata=FACTS)
