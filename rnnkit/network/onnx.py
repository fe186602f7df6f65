"""Trained weights to `model.onnx`, node by node, with ONNX's own RNN, GRU and LSTM operators.

Keras and ONNX agree on the arithmetic of the cells but not on their layout: ONNX wants matrices
transposed, time before batch, and the LSTM gates as i o f c where Keras has i f c o. The gates
of a GRU stand in the same order (z r h); `reset_after=True` is `linear_before_reset=1`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rnnkit.config.base import RecurrentConfig, layer_sizes
from rnnkit.tasks.language_model.config import (
    EmbeddingInput,
    LanguageModelConfig,
    OneHotInput,
    PretrainedInput,
    ScaledInput,
)

FORMAT_VERSION = 1
OPSET = 17  # the first with LayerNormalization; read by every onnxruntime from 1.12 on
IR_VERSION = 8  # the one that came with that opset
NORMALIZATION_EPSILON = 1e-3  # default of both Keras layers

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class InferenceFacts:
    """What inference has to know besides the weights; travels inside the file.

    `context` is None when the hidden state is carried from token to token, and the length of
    the window when every prediction starts from a zero state (trained on sliding windows).
    `generation` holds the defaults of `rnnkit generate`, as JSON values.
    """

    task: str
    context: int | None
    generation: dict[str, Any]


class Graph:
    """Nodes and initializers collected so far; names are unique because callers choose them."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> str:
        """Append a node and return the name of its first output."""
        self.nodes.append(
            helper.make_node(operator, list(inputs), list(outputs), name=outputs[0], **attributes)
        )
        return outputs[0]

    def constant(self, name: str, value: np.ndarray) -> str:
        """Store `value` under `name` and return the name."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str, *shape: int) -> np.ndarray:
        """The float32 weight called `name`; ValueError when it is missing or misshapen."""
        if name not in self.weights:
            raise ValueError(f"weight {name!r} is missing; there are {sorted(self.weights)}")
        value = np.asarray(self.weights[name], dtype=np.float32)
        if value.shape != shape:
            raise ValueError(f"weight {name!r} has shape {value.shape}, expected {shape}")
        return value


def export_onnx(
    weights: Weights, *, model: LanguageModelConfig, vocabulary_size: int, facts: InferenceFacts
) -> bytes:
    """The model as a serialized, checked ONNX file.

    `weights` are named and laid out as Keras has them: `embedding/embeddings`, per layer
    `recurrent_i/{kernel,recurrent_kernel,bias}` and `normalization_i/...`, `logits/{kernel,bias}`.

    The graph reads `ids` int64[batch, time] and float32[batch, units_i] states `state_i_h` (for
    an LSTM `state_i_c` after each), and returns `logits` float32[batch, time, vocabulary] and
    `new_state_...` in the same order. ValueError when weights and configuration do not fit.
    """
    graph = Graph(weights)
    graph.constant("axis_0", np.array([0], dtype=np.int64))
    graph.constant("axis_1", np.array([1], dtype=np.int64))
    # onnxruntime has no batch-first recurrent operators, so time goes first from here on.
    # Turning the ids is cheaper than turning the vectors.
    graph.add("Transpose", ["ids"], ["ids_by_time"], perm=[1, 0])
    x, width = _add_input(graph, model, vocabulary_size)

    state_inputs: list[onnx.ValueInfoProto] = []
    state_outputs: list[onnx.ValueInfoProto] = []
    for index, units in enumerate(layer_sizes(model)):
        y = _add_recurrent(graph, x, index=index, width=width, units=units, model=model)
        y = add_normalization(graph, y, index=index, units=units, kind=model.normalization)
        if model.residual and index > 0:
            y = graph.add("Add", [x, y], [f"residual_{index}"])
        x, width = y, units
        for name in _state_names(model.cell, index):
            state_inputs.append(tensor(name, TensorProto.FLOAT, ["batch", units]))
            state_outputs.append(tensor(f"new_{name}", TensorProto.FLOAT, ["batch", units]))
    _add_output(graph, x, width=width, model=model, vocabulary_size=vocabulary_size)

    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "rnnkit",
            [tensor("ids", TensorProto.INT64, ["batch", "time"]), *state_inputs],
            [
                tensor("logits", TensorProto.FLOAT, ["batch", "time", vocabulary_size]),
                *state_outputs,
            ],
            graph.initializers,
        ),
        producer_name="rnnkit",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(proto, {"rnnkit": _metadata(facts, vocabulary_size)})
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _metadata(facts: InferenceFacts, vocabulary_size: int) -> str:
    return json.dumps(
        {
            "format_version": FORMAT_VERSION,
            "task": facts.task,
            "context": facts.context,
            "vocabulary_size": vocabulary_size,
            "generation": facts.generation,
        },
        allow_nan=False,
        sort_keys=True,
    )


def tensor(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """An input or output of a graph; a text in `shape` is a size that is not fixed."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def _state_names(cell: str, index: int) -> tuple[str, ...]:
    h = f"state_{index}_h"
    return (h, f"state_{index}_c") if cell == "lstm" else (h,)


def _add_input(graph: Graph, model: LanguageModelConfig, vocabulary_size: int) -> tuple[str, int]:
    """From `ids_by_time` to float32[time, batch, width]; returns the name and the width."""
    match model.input:
        case EmbeddingInput() | PretrainedInput():
            size = graph.weights["embedding/embeddings"].shape[-1]
            if isinstance(model.input, EmbeddingInput):
                size = model.input.size
            graph.constant(
                "embeddings", graph.weight("embedding/embeddings", vocabulary_size, size)
            )
            return graph.add("Gather", ["embeddings", "ids_by_time"], ["input"]), size
        case OneHotInput():
            graph.constant("depth", np.array([vocabulary_size], dtype=np.int64))
            graph.constant("off_on", np.array([0, 1], dtype=np.float32))
            name = graph.add("OneHot", ["ids_by_time", "depth", "off_on"], ["input"], axis=-1)
            return name, vocabulary_size
        case ScaledInput():
            graph.constant("vocabulary_size", np.array(vocabulary_size, dtype=np.float32))
            graph.constant("axis_last", np.array([2], dtype=np.int64))
            graph.add("Cast", ["ids_by_time"], ["ids_float"], to=TensorProto.FLOAT)
            graph.add("Div", ["ids_float", "vocabulary_size"], ["ids_scaled"])
            return graph.add("Unsqueeze", ["ids_scaled", "axis_last"], ["input"]), 1
        case _:
            assert_never(model.input)


def _reorder_gates(matrix: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Gate blocks of the last axis in another order.

    With `order` (0, 2, 1), `[a a b b c c]` becomes `[a a c c b b]`.
    """
    blocks = np.split(matrix, len(order), axis=-1)
    return np.concatenate([blocks[gate] for gate in order], axis=-1)


def _add_recurrent(
    graph: Graph, x: str, *, index: int, width: int, units: int, model: LanguageModelConfig
) -> str:
    """One recurrent layer over `x` float32[time, batch, width]; [time, batch, units]."""
    name, states = f"recurrent_{index}", _state_names(model.cell, index)
    # The leading axis of states and the second one of the output count directions: one.
    initial = [graph.add("Unsqueeze", [s, "axis_0"], [f"{s}_initial"]) for s in states]
    final = [f"{s}_final" for s in states]
    add_cell(
        graph,
        x,
        name=name,
        width=width,
        units=units,
        model=model,
        initial=initial,
        outputs=[f"{name}_directions", *final],
    )
    for state, state_final in zip(states, final, strict=True):
        graph.add("Squeeze", [state_final, "axis_0"], [f"new_{state}"])
    return graph.add("Squeeze", [f"{name}_directions", "axis_1"], [name])


def add_cell(
    graph: Graph,
    x: str,
    *,
    name: str,
    width: int,
    units: int,
    model: RecurrentConfig,
    outputs: Sequence[str],
    lengths: str = "",
    initial: Sequence[str] = (),
    direction: str = "forward",
) -> None:
    """ONNX's operator for the cell over `x` float32[time, batch, width], in one direction.

    `outputs` name the outputs of all steps, [time, 1, batch, units], and the final states.
    `lengths` int32[batch] ends each row, `initial` are the states before the first step.
    """
    attributes: dict[str, Any] = {"hidden_size": units}
    if direction != "forward":
        attributes["direction"] = direction
    bias_shape: tuple[int, ...]
    match model.cell:
        case "simple_rnn":
            operator, order, bias_shape = "RNN", (0,), (units,)
            attributes["activations"] = ["Relu" if model.activation == "relu" else "Tanh"]
        case "gru":
            operator, order, bias_shape = "GRU", (0, 1, 2), (2, 3 * units)
            attributes["linear_before_reset"] = 1
        case "lstm":
            operator, order, bias_shape = "LSTM", (0, 3, 1, 2), (4 * units,)
        case _:
            assert_never(model.cell)
    gates = len(order)
    kernel = graph.weight(f"{name}/kernel", width, gates * units)
    recurrent_kernel = graph.weight(f"{name}/recurrent_kernel", units, gates * units)
    bias = graph.weight(f"{name}/bias", *bias_shape)
    if bias.ndim == 1:  # Keras has one bias, ONNX one for each of the two products
        bias = np.stack([bias, np.zeros_like(bias)])
    graph.constant(f"{name}/W", _reorder_gates(kernel, order).T[np.newaxis])
    graph.constant(f"{name}/R", _reorder_gates(recurrent_kernel, order).T[np.newaxis])
    graph.constant(f"{name}/B", _reorder_gates(bias, order).reshape(1, -1))
    inputs = [x, f"{name}/W", f"{name}/R", f"{name}/B", lengths, *initial]
    graph.add(operator, inputs, outputs, **attributes)


def add_normalization(graph: Graph, y: str, *, index: int, units: int, kind: str) -> str:
    """Normalisation over the last axis of `y` as Keras computes it at inference."""
    if kind == "none":
        return y
    name = f"normalization_{index}"
    gamma = graph.weight(f"{name}/gamma", units)
    beta = graph.weight(f"{name}/beta", units)
    if kind == "layer":
        graph.constant(f"{name}/gamma", gamma)
        graph.constant(f"{name}/beta", beta)
        return graph.add(
            "LayerNormalization",
            [y, f"{name}/gamma", f"{name}/beta"],
            [name],
            axis=-1,
            epsilon=NORMALIZATION_EPSILON,
        )
    # ONNX normalises axis 1, which is the batch here; with fixed statistics the whole layer is
    # one product and one sum, so nothing has to be turned around.
    mean = graph.weight(f"{name}/moving_mean", units).astype(np.float64)
    variance = graph.weight(f"{name}/moving_variance", units).astype(np.float64)
    scale = gamma / np.sqrt(variance + NORMALIZATION_EPSILON)
    graph.constant(f"{name}/scale", scale.astype(np.float32))
    graph.constant(f"{name}/offset", (beta - mean * scale).astype(np.float32))
    graph.add("Mul", [y, f"{name}/scale"], [f"{name}_scaled"])
    return graph.add("Add", [f"{name}_scaled", f"{name}/offset"], [name])


def _add_output(
    graph: Graph, x: str, *, width: int, model: LanguageModelConfig, vocabulary_size: int
) -> None:
    """The softmax layer without its softmax: `x` [time, batch, width] to `logits`."""
    if model.tie_weights:
        graph.weight("embedding/embeddings", vocabulary_size, width)  # the shapes must fit
        graph.add("Transpose", ["embeddings"], ["output_matrix"], perm=[1, 0])
        logits = graph.add("MatMul", [x, "output_matrix"], ["logits_by_time"])
    else:
        graph.constant("logits/kernel", graph.weight("logits/kernel", width, vocabulary_size))
        graph.constant("logits/bias", graph.weight("logits/bias", vocabulary_size))
        graph.add("MatMul", [x, "logits/kernel"], ["logits_product"])
        logits = graph.add("Add", ["logits_product", "logits/bias"], ["logits_by_time"])
    graph.add("Transpose", [logits], ["logits"], perm=[1, 0, 2])
