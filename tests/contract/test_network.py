"""One network, four forms: the Keras model that is trained, the one that is saved, model.onnx and
the NumPy reference are one function, whatever the spec."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np
import onnxruntime
import pytest

from rnnkit.inspection.summary import summarize
from rnnkit.network import layers, reference_cells
from rnnkit.network.cells import CELLS, CellSpec, Gate, State
from rnnkit.network.initializers import untrained, with_cell
from rnnkit.network.keras import build_saved_model, build_training_model, weights_by_name
from rnnkit.network.onnx import export_onnx
from rnnkit.network.reference import Network, Recurrent, build_network, run
from rnnkit.network.reference_cells import (
    CellSteps,
    StepGradients,
    StepTrace,
    gradients_of_cell,
    run_cell,
    sigmoid,
)
from rnnkit.network.spec import NetworkSpec
from rnnkit.tasks.language_model.config import LanguageModelConfig
from rnnkit.tasks.language_model.network import language_network
from rnnkit.tasks.text_classification.config import ClassifierConfig
from rnnkit.tasks.text_classification.network import classifier_network

VOCABULARY, CLASSES, VECTOR_SIZE = 11, 3, 7
TOLERANCE = 1e-5
NORMALIZATIONS = ("none", "layer", "batch")
POOLINGS = ("last", "mean", "max", "attention")
INPUTS: dict[str, dict[str, Any]] = {
    "embedding": {"kind": "embedding", "size": 5},
    "one_hot": {"kind": "one_hot"},
    "scaled": {"kind": "scaled"},
}
VECTORS = {"kind": "pretrained", "path": "/vectors.txt"}
EVERY_DROPOUT = {"dropout": 0.3, "dropout_mask": "sequence", "recurrent_dropout": 0.3}

LANGUAGE: dict[str, dict[str, Any]] = {
    **{
        f"{cell}, {units}, {normalization}, {form}": {
            "cell": cell,
            "units": units,
            "normalization": normalization,
            "input": INPUTS[form],
        }
        for cell, units, normalization, form in itertools.product(
            CELLS, ((8,), (8, 6)), NORMALIZATIONS, INPUTS
        )
    },
    **{
        f"{cell}, residual, tied, {normalization}": {
            "cell": cell,
            "units": 6,
            "layers": 3,
            "normalization": normalization,
            "input": {"kind": "embedding", "size": 6},
            "residual": True,
            "tie_weights": True,
        }
        for cell, normalization in itertools.product(CELLS, NORMALIZATIONS)
    },
    "relu": {"cell": "simple_rnn", "units": (8, 5), "activation": "relu"},
    "tied": {"units": 7, "input": {"kind": "embedding", "size": 7}, "tie_weights": True},
    "residual": {"cell": "lstm", "units": 6, "layers": 3, "residual": True},
    "every dropout": {
        "cell": "lstm",
        "units": 6,
        "layers": 2,
        "input_dropout": 0.3,
        "embedding_dropout": 0.3,
        **EVERY_DROPOUT,
    },
    "frozen vectors": {"cell": "lstm", "units": 6, "input": VECTORS},
    "trained vectors, tied": {
        "units": 7,
        "input": {**VECTORS, "trainable": True},
        "tie_weights": True,
    },
}
CLASSIFIERS: dict[str, dict[str, Any]] = {
    **{
        f"{cell}, {'both directions' if both else 'forward'}, {normalization}": {
            "cell": cell,
            "bidirectional": both,
            "normalization": normalization,
            "layers": 2,
            "pooling": POOLINGS,
        }
        for cell, both, normalization in itertools.product(CELLS, (False, True), NORMALIZATIONS)
    },
    **{
        f"{pooling}, {'both directions' if both else 'forward'}": {
            "pooling": pooling,
            "bidirectional": both,
        }
        for pooling, both in itertools.product(POOLINGS, (False, True))
    },
    **{
        f"dense {activation}": {"dense": (6,), "dense_activation": activation}
        for activation in ("relu", "tanh", "sigmoid", "gelu", "linear")
    },
    "two dense layers": {"dense": (6, 3), "dense_activation": ("tanh", "gelu")},
    "sigmoid": {"output": "sigmoid"},
    "sigmoid after a dense layer": {"output": "sigmoid", "dense": (6,)},
    "residual, both directions": {
        "units": 4,
        "layers": 3,
        "residual": True,
        "bidirectional": True,
        "normalization": "layer",
    },
    "unequal layers": {"units": (6, 3), "bidirectional": True, "cell": "lstm"},
    "relu": {"cell": "simple_rnn", "activation": "relu", "bidirectional": True},
    "frozen vectors": {"embedding": VECTORS},
    "trained vectors": {"embedding": {**VECTORS, "trainable": True}},
    "every dropout": {
        "cell": "lstm",
        "layers": 2,
        "bidirectional": True,
        "embedding_dropout": 0.3,
        "dense": (6,),
        "dense_dropout": 0.3,
        "l2": 0.01,
        **EVERY_DROPOUT,
    },
}


def language(options: dict[str, Any], *, every_step: bool = True) -> NetworkSpec:
    return language_network(
        LanguageModelConfig.model_validate(options),
        vocabulary_size=VOCABULARY,
        vector_size=VECTOR_SIZE,
        every_step=every_step,
    )


def classifier(options: dict[str, Any]) -> NetworkSpec:
    chosen = {"units": 6, "embedding": {"kind": "learned", "size": 5}, **options}
    return classifier_network(
        ClassifierConfig.model_validate(chosen),
        vocabulary_size=VOCABULARY,
        classes=2 if options.get("output") == "sigmoid" else CLASSES,
        vector_size=VECTOR_SIZE,
    )


SPECS: dict[str, NetworkSpec] = {
    **{f"language model: {name}": language(options) for name, options in LANGUAGE.items()},
    **{f"classifier: {name}": classifier(options) for name, options in CLASSIFIERS.items()},
}


def test_the_grid_is_whole() -> None:
    assert len(LANGUAGE) >= 3 * 2 * 3 * 3 + 9
    assert len(CLASSIFIERS) >= 3 * 2 * 3 + 4 * 2 + 5
    assert {layer.cell.name for spec in SPECS.values() for layer in spec.layers} == set(CELLS)


class Forms(NamedTuple):
    """The same weights in all forms."""

    trained: keras.Model
    saved: keras.Model
    onnx: Any
    reference: Network


def build(spec: NetworkSpec) -> Forms:
    """Weights of the size that training gives, moving averages and gains included."""
    trained, draw = build_training_model(spec), np.random.default_rng(7)
    for weight in trained.weights:
        values = draw.normal(0.0, 0.5, weight.shape)
        if weight.name == "moving_variance":
            values = 0.5 + values**2
        weight.assign(values.astype("float32"))
    weights = weights_by_name(trained)
    assert {name: value.shape for name, value in weights.items()} == spec.weight_shapes
    saved = build_saved_model(spec)
    for layer in saved.layers:
        layer.set_weights([weights[f"{layer.name}/{weight.name}"] for weight in layer.weights])
    session = onnxruntime.InferenceSession(
        export_onnx(weights, spec, metadata={}), providers=["CPUExecutionProvider"]
    )
    return Forms(trained, saved, session, build_network(spec, weights))


def run_onnx(forms: Forms, ids: np.ndarray, states: Sequence[np.ndarray]) -> list[np.ndarray]:
    names = [node.name for node in forms.onnx.get_inputs()]
    wanted = [state.name for state in forms.reference.spec.states]
    assert names == ["ids", *wanted]
    outputs = [node.name for node in forms.onnx.get_outputs()]
    assert outputs == ["logits", *(f"new_{name}" for name in wanted)]
    feeds = dict(zip(names, [ids.astype(np.int64), *states], strict=True))
    return [np.asarray(value) for value in forms.onnx.run(None, feeds)]


def assert_close(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> None:
    for ours, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, expected, atol=TOLERANCE, rtol=TOLERANCE)


def assert_forms_agree_on_streams(spec: NetworkSpec) -> None:
    """Ids of one length; states enter and leave."""
    forms, draw = build(spec), np.random.default_rng(3)
    ids = draw.integers(0, VOCABULARY, (4, 9)).astype(np.int32)
    states = [draw.normal(size=(4, s.units)).astype(np.float32) for s in spec.states]
    zero = [np.zeros_like(state) for state in states]
    for initial in (states, zero):
        inputs = [keras.ops.array(value) for value in (ids, *initial)]
        outputs = [np.asarray(value) for value in forms.trained(inputs, training=False)]
        assert_close(run_onnx(forms, ids, initial), outputs)
    assert np.ptp(outputs[0]) > 0.01
    assert_close([np.asarray(forms.saved(ids))], outputs[:1])
    trace = run(forms.reference, ids)
    last = [state[:, -1] for layer in trace.layers for cell in layer.cells for state in cell.states]
    assert_close([trace.logits, *last], outputs)


def assert_forms_agree_on_texts(spec: NetworkSpec) -> None:
    """Ids of several lengths, padded; the reference reads each without padding."""
    forms, draw = build(spec), np.random.default_rng(3)
    for lengths, padding in (((4, 1, 7, 1, 6), 0), ((4, 1, 7, 1, 6), 3), ((1, 1), 0), ((5,), 0)):
        ids = np.zeros((len(lengths), max(lengths) + padding), np.int32)
        for row, length in enumerate(lengths):
            ids[row, :length] = draw.integers(1, VOCABULARY, length)
        logits = np.asarray(forms.trained(keras.ops.array(ids), training=False))
        assert_close([np.asarray(forms.saved(ids))], [logits])
        assert_close(run_onnx(forms, ids, []), [logits])
        rows = [run(forms.reference, row[np.newaxis, row > 0]).logits[0] for row in ids]
        assert_close([np.stack(rows)], [logits])
    assert np.ptp(logits) > 0.01


@pytest.mark.parametrize("name", SPECS)
def test_all_forms_are_one_function(name: str) -> None:
    spec = SPECS[name]
    if spec.is_padded:
        assert_forms_agree_on_texts(spec)
    else:
        assert_forms_agree_on_streams(spec)


@pytest.mark.parametrize("name", list(SPECS)[::7])
def test_the_summary_counts_what_keras_counts(name: str) -> None:
    spec = SPECS[name]
    saved, summary = build_saved_model(spec), summarize(spec)
    assert summary.parameters == spec.parameters() == saved.count_params()
    assert summary.fixed == sum(
        int(np.prod(weight.shape)) for weight in saved.non_trainable_weights
    )
    shape = summary.layers[-1].output
    assert shape[-1] == (1 if spec.one_logit else saved.output_shape[-1])


# ------------------------------------------------------------------- a new cell, by its entries


def _sigmoid_rnn(
    layer: Recurrent, w_x: np.ndarray, u_h: np.ndarray, before: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    a = w_x + u_h + layer.biases[0]
    return a, sigmoid(a), (sigmoid(a)[:, 0],)


def _sigmoid_rnn_gradients(
    layer: Recurrent, step: StepTrace, d_states: tuple[np.ndarray, ...]
) -> StepGradients:
    (h,) = step.after
    d_sums = (d_states[0] * h * (1.0 - h))[:, np.newaxis]
    return StepGradients(d_states, d_sums, d_sums, (np.zeros_like(h),))


TOY = CellSpec(
    name="sigmoid_rnn",
    title="sigmoid RNN",
    gates=(Gate("state", "h", "sigmoid"),),
    states=(State("hidden", "h", "h = sigmoid"),),
    keras_layer="SimpleRNN",
    keras_options=(("activation", "sigmoid"),),
    onnx_operator="RNN",
    onnx_gates=(0,),
    onnx_attributes=(("activations", ("Sigmoid",)),),
    onednn_primitive="vanilla_rnn",
    onednn_gates=(0,),
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> CellSpec:
    """A cell with the equations of a stock Keras layer: an entry, a layer and a step."""

    def trained(*, drop_connect: float, **options: Any) -> keras.layers.Layer:
        return keras.layers.SimpleRNN(**options)

    steps = CellSteps(_sigmoid_rnn, _sigmoid_rnn_gradients)
    monkeypatch.setitem(CELLS, TOY.name, TOY)
    monkeypatch.setitem(reference_cells.STEPS, TOY.name, steps)
    monkeypatch.setitem(layers.TRAINING_LAYERS, TOY.name, trained)
    return TOY


def test_a_new_cell_is_followed_by_all_forms(toy: CellSpec) -> None:
    options = {"units": (5, 4), "normalization": "layer", "cell": "lstm"}
    stream = with_cell(language(options), toy)
    assert_forms_agree_on_streams(stream)
    assert_forms_agree_on_texts(
        with_cell(classifier({"bidirectional": True, "pooling": POOLINGS}), toy)
    )
    summary = summarize(stream)
    assert summary.parameters == build_saved_model(stream).count_params()
    assert summary.state_bytes == 4 * (5 + 4)
    assert untrained(stream, seed=1).weights["recurrent_0/kernel"].shape == (64, 5)


def test_gradients_of_a_new_cell_are_finite_differences(toy: CellSpec) -> None:
    network = untrained(with_cell(language({"units": 3}), toy), seed=2)
    (layer,) = network.layers[0].cells
    draw = np.random.default_rng(1)
    inputs, d_hidden = draw.normal(size=(2, 4, 64)), draw.normal(size=(2, 4, 3))

    def loss(kernel: np.ndarray) -> float:
        return float(
            (run_cell(replace(layer, recurrent_kernel=kernel), inputs).hidden * d_hidden).sum()
        )

    found = gradients_of_cell(layer, run_cell(layer, inputs), d_hidden).recurrent_kernel
    for place in np.ndindex(found.shape):
        step = np.zeros_like(found)
        step[place] = 1e-6
        kernel = layer.recurrent_kernel
        slope = (loss(kernel + step) - loss(kernel - step)) / 2e-6
        assert found[place] == pytest.approx(slope, abs=1e-7)
