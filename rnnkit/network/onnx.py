"""A network and its weights as `model.onnx`, node by node, with ONNX's RNN, GRU and LSTM operators.

Keras and ONNX agree on the arithmetic of the cells but not on their layout: ONNX wants matrices
transposed, time before batch, and the gates in its own order (`CellSpec.onnx_gates`). Sequences of
networks that pool are padded with the id 0 at their end; their lengths follow from the ids, so the
graph has one input.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rnnkit.network.spec import (
    FAR_BELOW,
    NORMALIZATION_EPSILON,
    DenseActivation,
    DenseSpec,
    Direction,
    EmbeddingInput,
    LayerSpec,
    NetworkSpec,
    OneHotInput,
    Pooling,
    ScaledInput,
    StateSpec,
)

FORMAT_VERSION = 1
OPSET = 17  # the first with LayerNormalization; read by every onnxruntime from 1.12 on
IR_VERSION = 8  # the one that came with that opset

Weights = Mapping[str, np.ndarray]


def export_onnx(weights: Weights, spec: NetworkSpec, *, metadata: Mapping[str, Any]) -> bytes:
    """Return the network as a serialized, checked ONNX file.

    The graph reads `ids` int64[batch, time] and the states of `spec.states`, float32[batch, units]
    each, and returns `logits` float32[batch, time, outputs], or float32[batch, outputs] of networks
    that pool, and `new_state_...` in the same order. Ids of these are padded with 0 at the end,
    with one token at least in each row.

    Args:
        weights: by name, in the layout of Keras.
        spec: the network.
        metadata: JSON values that inference needs besides the weights, such as the task. The
            format version and the vocabulary size are added.

    Raises:
        ValueError: a weight is missing or misshapen.
    """
    graph = Graph(spec, weights)
    graph.constant("axis_0", np.array([0], np.int64))
    graph.constant("axis_1", np.array([1], np.int64))
    # onnxruntime has no batch-first recurrent operators, so time goes first from here on.
    # Turning the ids is cheaper than turning the vectors.
    graph.add("Transpose", ["ids"], ["ids_by_time"], perm=[1, 0])
    if spec.is_padded:
        _add_lengths(graph)
    x = _add_input(graph, spec)
    for layer in spec.layers:
        y = _add_recurrent(graph, x, layer, is_padded=spec.is_padded)
        y = _add_normalization(graph, y, layer)
        x = graph.add("Add", [x, y], [f"residual_{layer.index}"]) if layer.adds_input else y
    if spec.is_padded:
        x = graph.join([_add_pooling(graph, x, kind, spec) for kind in spec.poolings], "pooled")
    for dense in spec.dense:
        x = _add_dense(graph, x, dense)
    _add_logits(graph, x, spec)
    return _serialize(graph, spec, metadata)


class Graph:
    """Nodes and initializers collected so far; names are unique because callers choose them."""

    def __init__(self, spec: NetworkSpec, weights: Weights) -> None:
        self._shapes, self._weights = spec.weight_shapes, weights
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

    def weight(self, name: str) -> np.ndarray:
        """Return a float32 weight; ValueError when it is missing or misshapen."""
        if name not in self._weights:
            raise ValueError(f"weight {name!r} is missing; there are {sorted(self._weights)}")
        value, shape = np.asarray(self._weights[name], np.float32), self._shapes[name]
        if value.shape != shape:
            raise ValueError(f"weight {name!r} has shape {value.shape}, expected {shape}")
        return value

    def store(self, name: str) -> str:
        """Store a weight as it is, under its own name."""
        return self.constant(name, self.weight(name))

    def join(self, parts: Sequence[str], name: str) -> str:
        """Concatenate vectors along the last axis."""
        return self.add("Concat", parts, [name], axis=-1) if len(parts) > 1 else parts[0]


def _serialize(graph: Graph, spec: NetworkSpec, metadata: Mapping[str, Any]) -> bytes:
    def states(prefix: str) -> list[onnx.ValueInfoProto]:
        return [
            _tensor(f"{prefix}{state.name}", TensorProto.FLOAT, ["batch", state.units])
            for state in spec.states
        ]

    axes: list[int | str] = ["batch"] if spec.is_padded else ["batch", "time"]
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "rnnkit",
            [_tensor("ids", TensorProto.INT64, ["batch", "time"]), *states("")],
            [_tensor("logits", TensorProto.FLOAT, [*axes, spec.outputs]), *states("new_")],
            graph.initializers,
        ),
        producer_name="rnnkit",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    content = {
        "format_version": FORMAT_VERSION,
        "vocabulary_size": spec.vocabulary_size,
        **metadata,
    }
    text = json.dumps(content, allow_nan=False, sort_keys=True)
    helper.set_model_props(proto, {"rnnkit": text})
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _tensor(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    """Describe an input or output of a graph; a text in `shape` is a size that is not fixed."""
    return helper.make_tensor_value_info(name, kind, list(shape))


# ------------------------------------------------------------------------------------- input


def _add_input(graph: Graph, spec: NetworkSpec) -> str:
    """From `ids_by_time` to float32[time, batch, width]."""
    match spec.input:
        case EmbeddingInput():
            table = graph.constant("embeddings", graph.weight("embedding/embeddings"))
            return graph.add("Gather", [table, "ids_by_time"], ["input"])
        case OneHotInput(vocabulary_size=size):
            graph.constant("depth", np.array([size], np.int64))
            graph.constant("off_on", np.array([0, 1], np.float32))
            return graph.add("OneHot", ["ids_by_time", "depth", "off_on"], ["input"], axis=-1)
        case ScaledInput(vocabulary_size=size):
            graph.constant("vocabulary_size", np.array(size, np.float32))
            graph.constant("axis_last", np.array([2], np.int64))
            graph.add("Cast", ["ids_by_time"], ["ids_float"], to=TensorProto.FLOAT)
            graph.add("Div", ["ids_float", "vocabulary_size"], ["ids_scaled"])
            return graph.add("Unsqueeze", ["ids_scaled", "axis_last"], ["input"])
        case _:
            assert_never(spec.input)


def _add_lengths(graph: Graph) -> None:
    """`tokens` bool[time, batch, 1], and `lengths` int32[batch]."""
    graph.constant("axis_2", np.array([2], np.int64))
    graph.constant("padding", np.array(0, np.int64))
    graph.add("Equal", ["ids_by_time", "padding"], ["is_padding"])
    graph.add("Not", ["is_padding"], ["is_token"])
    graph.add("Unsqueeze", ["is_token", "axis_2"], ["tokens"])
    graph.add("Cast", ["is_token"], ["counted"], to=TensorProto.INT32)
    graph.add("ReduceSum", ["counted", "axis_0"], ["lengths"], keepdims=0)


# --------------------------------------------------------------------------- recurrent layers


def _add_recurrent(graph: Graph, x: str, layer: LayerSpec, *, is_padded: bool) -> str:
    """One level of the stack over `x` float32[time, batch, inputs]; [time, batch, width]."""
    outputs = []
    for name, direction in zip(layer.names, layer.directions, strict=True):
        states = () if is_padded else layer.states
        _add_cell(graph, x, layer, name=name, direction=direction, states=states)
        outputs.append(graph.add("Squeeze", [f"{name}_directions", "axis_1"], [name]))
    return graph.join(outputs, f"recurrent_{layer.index}_both")


def _add_cell(
    graph: Graph,
    x: str,
    layer: LayerSpec,
    *,
    name: str,
    direction: Direction,
    states: Sequence[StateSpec],
) -> None:
    """ONNX's operator for the cell in one direction; outputs [time, 1, batch, units].

    It reads from `states`, and returns them, where there are some; from zero and as far as
    `lengths` otherwise.
    """
    cell = layer.cell
    attributes: dict[str, object] = {"hidden_size": layer.units, **dict(cell.onnx_attributes)}
    if direction == "backward":
        attributes["direction"] = "reverse"
    if layer.activation is not None:
        attributes["activations"] = [layer.activation.capitalize()]
    bias = graph.weight(f"{name}/bias")
    if bias.ndim == 1:  # Keras has one bias, ONNX one for each matrix
        bias = np.stack([bias, np.zeros_like(bias)])
    for letter, matrix in (("W", "kernel"), ("R", "recurrent_kernel")):
        value = _reorder_gates(graph.weight(f"{name}/{matrix}"), cell.onnx_gates)
        graph.constant(f"{name}/{letter}", value.T[np.newaxis])
    graph.constant(f"{name}/B", _reorder_gates(bias, cell.onnx_gates).reshape(1, -1))
    # The leading axis of states and the second one of the output count directions: one.
    initial = [
        graph.add("Unsqueeze", [state.name, "axis_0"], [f"{state.name}_initial"])
        for state in states
    ]
    final = [f"{state.name}_final" for state in states]
    weights = [f"{name}/{letter}" for letter in "WRB"]
    inputs = [x, *weights, "" if states else "lengths", *initial]
    graph.add(cell.onnx_operator, inputs, [f"{name}_directions", *final], **attributes)
    for state in states:
        graph.add("Squeeze", [f"{state.name}_final", "axis_0"], [f"new_{state.name}"])


def _reorder_gates(matrix: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Gate blocks of the last axis in another order.

    With `order` (0, 2, 1), `[a a b b c c]` becomes `[a a c c b b]`.
    """
    blocks = np.split(matrix, len(order), axis=-1)
    return np.concatenate([blocks[gate] for gate in order], axis=-1)


def _add_normalization(graph: Graph, y: str, layer: LayerSpec) -> str:
    """Normalization over the last axis of `y` as Keras computes it at inference."""
    if layer.normalization == "none":
        return y
    name = f"normalization_{layer.index}"
    if layer.normalization == "layer":
        inputs = [y, graph.store(f"{name}/gamma"), graph.store(f"{name}/beta")]
        return graph.add(
            "LayerNormalization", inputs, [name], axis=-1, epsilon=NORMALIZATION_EPSILON
        )
    # ONNX normalises axis 1, which is the batch here; with fixed statistics the whole layer is
    # one product and one sum, so nothing has to be turned around.
    mean = graph.weight(f"{name}/moving_mean").astype(np.float64)
    variance = graph.weight(f"{name}/moving_variance").astype(np.float64)
    scale = graph.weight(f"{name}/gamma") / np.sqrt(variance + NORMALIZATION_EPSILON)
    offset = graph.weight(f"{name}/beta") - mean * scale
    graph.constant(f"{name}/scale", scale.astype(np.float32))
    graph.constant(f"{name}/offset", offset.astype(np.float32))
    graph.add("Mul", [y, f"{name}/scale"], [f"{name}_scaled"])
    return graph.add("Add", [f"{name}_scaled", f"{name}/offset"], [name])


# -------------------------------------------------------------------------------------- head


def _add_pooling(graph: Graph, x: str, kind: Pooling, spec: NetworkSpec) -> str:
    """[time, batch, width] -> [batch, width]."""
    match kind:
        case "last":
            return _add_last(graph, x, spec.top)
        case "mean":
            graph.constant("nothing", np.array(0.0, np.float32))
            graph.add("Where", ["tokens", x, "nothing"], ["mean_outputs"])
            graph.add("ReduceSum", ["mean_outputs", "axis_0"], ["mean_total"], keepdims=0)
            graph.add("Cast", ["lengths"], ["mean_lengths"], to=TensorProto.FLOAT)
            graph.add("Unsqueeze", ["mean_lengths", "axis_1"], ["mean_divisor"])
            return graph.add("Div", ["mean_total", "mean_divisor"], ["mean"])
        case "max":
            graph.constant("max_padding", np.array(FAR_BELOW, np.float32))
            graph.add("Where", ["tokens", x, "max_padding"], ["max_outputs"])
            return graph.add("ReduceMax", ["max_outputs"], ["max"], axes=[0], keepdims=0)
        case "attention":
            assert spec.attention is not None
            scores = x
            for dense in spec.attention:
                scores = _add_dense(graph, scores, dense)
            graph.constant("attention_padding", np.array(FAR_BELOW, np.float32))
            graph.add("Where", ["tokens", scores, "attention_padding"], ["attention_masked"])
            graph.add("Softmax", ["attention_masked"], ["attention_weights"], axis=0)
            graph.add("Mul", ["attention_weights", x], ["attention_weighted"])
            inputs = ["attention_weighted", "axis_0"]
            return graph.add("ReduceSum", inputs, ["attention_pooled"], keepdims=0)
        case _:
            assert_never(kind)


def _add_last(graph: Graph, x: str, top: LayerSpec) -> str:
    """The outputs at the last token, and of the backward direction at the first."""
    graph.constant("one", np.array(1, np.int32))
    graph.add("Sub", ["lengths", "one"], ["last_steps"])
    graph.add("Cast", ["last_steps"], ["last_steps_64"], to=TensorProto.INT64)
    graph.constant("last_axes", np.array([0, 2], np.int64))
    graph.add("Unsqueeze", ["last_steps_64", "last_axes"], ["last_places"])
    graph.constant("last_shape", np.array([1, 1, top.units], np.int64))
    graph.add("Expand", ["last_places", "last_shape"], ["last_index"])
    for name, value in (("last_from", 0), ("last_to", top.units)):
        graph.constant(name, np.array([value], np.int64))
    graph.add("Slice", [x, "last_from", "last_to", "axis_2"], ["last_forward_all"])
    graph.add("GatherElements", ["last_forward_all", "last_index"], ["last_forward"], axis=0)
    last = graph.add("Squeeze", ["last_forward", "axis_0"], ["last"])
    if len(top.directions) == 1:
        return last
    graph.constant("last_end", np.array([top.width], np.int64))
    graph.add("Slice", [x, "last_to", "last_end", "axis_2"], ["last_backward_all"])
    graph.constant("first_step", np.array([0], np.int64))
    graph.add("Gather", ["last_backward_all", "first_step"], ["last_backward_step"], axis=0)
    graph.add("Squeeze", ["last_backward_step", "axis_0"], ["last_backward"])
    return graph.join([last, "last_backward"], "last_both")


def _add_dense(graph: Graph, x: str, dense: DenseSpec) -> str:
    name = dense.name
    y = graph.add("MatMul", [x, graph.store(f"{name}/kernel")], [f"{name}_product"])
    if dense.has_bias:
        y = graph.add("Add", [y, graph.store(f"{name}/bias")], [f"{name}_sum"])
    return _add_activation(graph, y, name, dense.activation)


def _add_activation(graph: Graph, x: str, name: str, activation: DenseActivation) -> str:
    match activation:
        case "linear":
            return x
        case "relu":
            return graph.add("Relu", [x], [name])
        case "tanh":
            return graph.add("Tanh", [x], [name])
        case "sigmoid":
            return graph.add("Sigmoid", [x], [name])
        case "gelu":
            # x / 2 * (1 + erf(x / sqrt 2)); ONNX has an operator for it from opset 20 on.
            for constant, value in (("root", math.sqrt(0.5)), ("half", 0.5), ("unit", 1.0)):
                graph.constant(f"{name}_{constant}", np.array(value, np.float32))
            graph.add("Mul", [x, f"{name}_root"], [f"{name}_scaled"])
            graph.add("Erf", [f"{name}_scaled"], [f"{name}_erf"])
            graph.add("Add", [f"{name}_erf", f"{name}_unit"], [f"{name}_shifted"])
            graph.add("Mul", [x, f"{name}_shifted"], [f"{name}_twice"])
            return graph.add("Mul", [f"{name}_twice", f"{name}_half"], [name])
        case _:
            assert_never(activation)


def _add_logits(graph: Graph, x: str, spec: NetworkSpec) -> None:
    """Add the output layer without its softmax."""
    if spec.logits is None:
        graph.add("Transpose", ["embeddings"], ["output_matrix"], perm=[1, 0])
        z = graph.add("MatMul", [x, "output_matrix"], ["logits_product"])
    else:
        z = _add_dense(graph, x, spec.logits)
    if spec.one_logit:
        graph.add("Sub", [z, z], ["logits_of_first"])
        z = graph.join(["logits_of_first", z], "logits_of_both")
    if spec.is_padded:
        graph.add("Identity", [z], ["logits"])
    else:
        graph.add("Transpose", [z], ["logits"], perm=[1, 0, 2])
