"""Trained weights of a classifier to `model.onnx`, node by node.

Time goes first, as onnxruntime's recurrent operators have it. Texts are padded with the id 0 on
the right; how long each one is follows from its ids, so the graph has one input.
"""

import json
import math
from collections.abc import Sequence
from typing import assert_never

import numpy as np
import onnx
from onnx import TensorProto, helper

from rnnkit.config.base import layer_sizes
from rnnkit.network.classifier_parts import (
    FAR_BELOW,
    dense_layers,
    logit_units,
    poolings,
    recurrent_names,
)
from rnnkit.network.onnx import (
    FORMAT_VERSION,
    IR_VERSION,
    OPSET,
    Graph,
    Weights,
    add_cell,
    add_normalization,
    tensor,
)
from rnnkit.tasks.text_classification.config import ClassifierConfig, DenseActivation, Pooling


def export_classifier(
    weights: Weights,
    *,
    model: ClassifierConfig,
    vocabulary_size: int,
    classes: Sequence[str],
    embedding_size: int,
) -> bytes:
    """The model as a serialized, checked ONNX file.

    `weights` are named and laid out as Keras has them. The graph reads `ids`
    int64[batch, time], 0 for padding on the right and one token at least in each row, and returns
    `logits` float32[batch, classes]. ValueError when weights and configuration do not fit.
    """
    graph = Graph(weights)
    graph.constant("axis_0", np.array([0], np.int64))
    graph.constant("axis_1", np.array([1], np.int64))
    graph.constant("axis_2", np.array([2], np.int64))
    graph.constant("padding", np.array(0, np.int64))
    graph.add("Transpose", ["ids"], ["ids_by_time"], perm=[1, 0])
    _add_lengths(graph)
    table = graph.weight("embedding/embeddings", vocabulary_size, embedding_size)
    graph.constant("embeddings", table)
    x, width = graph.add("Gather", ["embeddings", "ids_by_time"], ["input"]), embedding_size
    for index, units in enumerate(layer_sizes(model)):
        y = _add_layer(graph, x, index=index, width=width, units=units, model=model)
        units *= len(recurrent_names(model, index))
        y = add_normalization(graph, y, index=index, units=units, kind=model.normalization)
        if model.residual and index > 0:
            y = graph.add("Add", [x, y], [f"residual_{index}"])
        x, width = y, units
    kinds = poolings(model)
    pooled = [_add_pooling(graph, x, kind, width=width, model=model) for kind in kinds]
    x, width = _joined(graph, pooled, "pooled"), width * len(kinds)
    for layer in dense_layers(model):
        x = _add_dense(graph, x, layer.name, width=width, units=layer.units)
        x, width = _add_activation(graph, x, layer.name, layer.activation), layer.units
    _add_logits(graph, x, width=width, model=model, classes=len(classes))
    return _serialize(graph, vocabulary_size=vocabulary_size, classes=classes)


def _serialize(graph: Graph, *, vocabulary_size: int, classes: Sequence[str]) -> bytes:
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "rnnkit",
            [tensor("ids", TensorProto.INT64, ["batch", "time"])],
            [tensor("logits", TensorProto.FLOAT, ["batch", len(classes)])],
            graph.initializers,
        ),
        producer_name="rnnkit",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    facts = {
        "format_version": FORMAT_VERSION,
        "task": "sentiment",
        "vocabulary_size": vocabulary_size,
        "classes": list(classes),
    }
    helper.set_model_props(proto, {"rnnkit": json.dumps(facts, sort_keys=True)})
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()


def _add_lengths(graph: Graph) -> None:
    """`tokens` bool[time, batch, 1], and `lengths` int32[batch]."""
    graph.add("Equal", ["ids_by_time", "padding"], ["is_padding"])
    graph.add("Not", ["is_padding"], ["is_token"])
    graph.add("Unsqueeze", ["is_token", "axis_2"], ["tokens"])
    graph.add("Cast", ["is_token"], ["counted"], to=TensorProto.INT32)
    graph.add("ReduceSum", ["counted", "axis_0"], ["lengths"], keepdims=0)


def _add_layer(
    graph: Graph, x: str, *, index: int, width: int, units: int, model: ClassifierConfig
) -> str:
    """One recurrent layer, or two that read in opposite directions; [time, batch, width]."""
    outputs = []
    for name, direction in zip(recurrent_names(model, index), ("forward", "reverse"), strict=False):
        add_cell(
            graph,
            x,
            name=name,
            width=width,
            units=units,
            model=model,
            lengths="lengths",
            outputs=[f"{name}_directions"],
            direction=direction,
        )
        outputs.append(graph.add("Squeeze", [f"{name}_directions", "axis_1"], [name]))
    return _joined(graph, outputs, f"recurrent_{index}_both")


def _add_pooling(
    graph: Graph, x: str, kind: Pooling, *, width: int, model: ClassifierConfig
) -> str:
    """[time, batch, width] -> [batch, width]."""
    match kind:
        case "last":
            return _add_last(graph, x, width=width, model=model)
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
            hidden = _add_dense(graph, x, "attention", width=width, units=width)
            graph.add("Tanh", [hidden], ["attention_hidden"])
            context = graph.weight("attention_context/kernel", width, 1)
            graph.constant("attention_context/kernel", context)
            graph.add(
                "MatMul", ["attention_hidden", "attention_context/kernel"], ["attention_scores"]
            )
            graph.constant("attention_padding", np.array(FAR_BELOW, np.float32))
            graph.add(
                "Where", ["tokens", "attention_scores", "attention_padding"], ["attention_masked"]
            )
            graph.add("Softmax", ["attention_masked"], ["attention_weights"], axis=0)
            graph.add("Mul", ["attention_weights", x], ["attention_weighted"])
            return graph.add(
                "ReduceSum", ["attention_weighted", "axis_0"], ["attention_pooled"], keepdims=0
            )
        case _:
            assert_never(kind)


def _add_last(graph: Graph, x: str, *, width: int, model: ClassifierConfig) -> str:
    """The outputs at the last token, and for the backward direction at the first."""
    forward = width // 2 if model.bidirectional else width
    graph.constant("one", np.array(1, np.int32))
    graph.add("Sub", ["lengths", "one"], ["last_steps"])
    graph.add("Cast", ["last_steps"], ["last_steps_64"], to=TensorProto.INT64)
    graph.constant("last_axes", np.array([0, 2], np.int64))
    graph.add("Unsqueeze", ["last_steps_64", "last_axes"], ["last_places"])
    graph.constant("last_shape", np.array([1, 1, forward], np.int64))
    graph.add("Expand", ["last_places", "last_shape"], ["last_index"])
    for name, value in (("last_from", 0), ("last_to", forward)):
        graph.constant(name, np.array([value], np.int64))
    graph.add("Slice", [x, "last_from", "last_to", "axis_2"], ["last_forward_all"])
    graph.add("GatherElements", ["last_forward_all", "last_index"], ["last_forward"], axis=0)
    last = graph.add("Squeeze", ["last_forward", "axis_0"], ["last"])
    if not model.bidirectional:
        return last
    graph.constant("last_end", np.array([width], np.int64))
    graph.add("Slice", [x, "last_to", "last_end", "axis_2"], ["last_backward_all"])
    graph.constant("first_step", np.array([0], np.int64))
    graph.add("Gather", ["last_backward_all", "first_step"], ["last_backward_step"], axis=0)
    graph.add("Squeeze", ["last_backward_step", "axis_0"], ["last_backward"])
    return _joined(graph, [last, "last_backward"], "last_both")


def _add_dense(graph: Graph, x: str, name: str, *, width: int, units: int) -> str:
    graph.constant(f"{name}/kernel", graph.weight(f"{name}/kernel", width, units))
    graph.constant(f"{name}/bias", graph.weight(f"{name}/bias", units))
    graph.add("MatMul", [x, f"{name}/kernel"], [f"{name}_product"])
    return graph.add("Add", [f"{name}_product", f"{name}/bias"], [f"{name}_sum"])


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


def _add_logits(graph: Graph, x: str, *, width: int, model: ClassifierConfig, classes: int) -> None:
    z = _add_dense(graph, x, "logits", width=width, units=logit_units(model, classes))
    match model.output:
        case "softmax":
            graph.add("Identity", [z], ["logits"])
        case "sigmoid":
            graph.add("Sub", [z, z], ["logits_of_first"])
            graph.add("Concat", ["logits_of_first", z], ["logits"], axis=-1)
        case _:
            assert_never(model.output)


def _joined(graph: Graph, parts: Sequence[str], name: str) -> str:
    return graph.add("Concat", parts, [name], axis=-1) if len(parts) > 1 else parts[0]
