"""`model.onnx` of a run, verified and opened: a callable graph with typed metadata."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.runs.files import check_version

if TYPE_CHECKING:  # loaded where a run is opened: its functions on arrays do without
    import onnxruntime

_ONLY_ERRORS = 3  # severity for onnxruntime's log: its warnings concern devices we do not use

States = Sequence[np.ndarray]
RunGraph = Callable[[np.ndarray, States], tuple[np.ndarray, list[np.ndarray]]]
"""`(ids int64[batch, time], states)` -> logits float32[batch, time, outputs], or
float32[batch, outputs] of a classifier, and the states after the last token."""


@dataclass(frozen=True)
class GenerationDefaults:
    """Defaults of `rnnkit generate` for a model; filters are off where they are None."""

    length: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    typical_p: float | None = None


@dataclass(frozen=True)
class Metadata:
    """What training wrote into the file besides the graph.

    Of a language model, `context` is the number of tokens that every prediction reads from a zero
    state, None when the recurrent state is passed from token to token. Of a classifier, `classes`
    are the names of its outputs.
    """

    task: str
    vocabulary_size: int
    context: int | None
    generation: GenerationDefaults | None
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class OnnxModel:
    """A graph that can be run.

    `state_sizes` has the number of units of every recurrent state that the graph reads,
    float32[batch, units] each.
    """

    metadata: Metadata
    state_sizes: tuple[int, ...]
    run_graph: RunGraph


def open_model(run: RunDirectory, *, tasks: Sequence[str], threads: int = 1) -> OnnxModel:
    """Verify and open the model of a run of one of `tasks`, names as in configuration files.

    Raises:
        RunError: the file is missing, damaged, foreign, from a newer version, or of another task.
    """
    verify_files(run, run.onnx_model)
    runtime = _open(run, threads)
    metadata = _read_metadata(run, runtime, tasks)
    states = [node for node in runtime.get_inputs() if node.name != "ids"]
    return OnnxModel(
        metadata=metadata,
        state_sizes=tuple(node.shape[1] for node in states),
        run_graph=_graph_runner(runtime, [node.name for node in states]),
    )


def check_vocabulary_size(run: RunDirectory, model: OnnxModel, size: int) -> None:
    """Refuse a model that was made for another vocabulary than that of its run.

    Raises:
        RunError: the numbers of tokens differ.
    """
    if model.metadata.vocabulary_size != size:
        raise RunError(
            f"{run.onnx_model}: is for {model.metadata.vocabulary_size} tokens, but "
            f"vocabulary.json has {size}; the files do not belong together"
        )


def _open(run: RunDirectory, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    try:
        return onnxruntime.InferenceSession(
            run.onnx_model.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common root of their own
        raise RunError(
            f"{run.onnx_model}: cannot be loaded; damaged or not an ONNX model "
            f"(onnxruntime: {str(error).strip().splitlines()[0]})"
        ) from error


def _graph_runner(runtime: "onnxruntime.InferenceSession", state_names: list[str]) -> RunGraph:
    # Bound here once: looking names up at every step would cost as much as the arithmetic of a
    # small cell.
    outputs = [node.name for node in runtime.get_outputs()]
    run: Callable[..., Any] = runtime.run

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        feeds: dict[str, Any] = dict(zip(state_names, states, strict=True))
        feeds["ids"] = ids
        logits, *after = run(outputs, feeds)
        return logits, after

    return run_graph


def _read_metadata(
    run: RunDirectory, runtime: "onnxruntime.InferenceSession", tasks: Sequence[str]
) -> Metadata:
    text = runtime.get_modelmeta().custom_metadata_map.get("rnnkit")
    if text is None:
        raise RunError(f"{run.onnx_model}: not written by rnnkit (it has no 'rnnkit' metadata)")
    damaged = RunError(f"{run.onnx_model}: its 'rnnkit' metadata is damaged")
    try:
        content = json.loads(text)
        version = content["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged from error
    check_version(run.onnx_model, version)
    try:
        metadata = _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged from error
    if metadata.task not in tasks:
        raise RunError(
            f"{run.path}: is a run of task {metadata.task!r}, expected one of {', '.join(tasks)}"
        )
    return metadata


def _parse(content: Mapping[str, Any]) -> Metadata:
    """Raises ValueError, KeyError, TypeError or AttributeError for what training never writes."""
    task, vocabulary_size = content["task"], content["vocabulary_size"]
    context, classes = content.get("context"), content.get("classes")
    if not isinstance(task, str) or not isinstance(vocabulary_size, int):
        raise ValueError("no task or vocabulary")
    if context is not None and not (isinstance(context, int) and context > 0):
        raise ValueError("context")
    if classes is None:
        content["context"]  # every language model says what it reads
        generation = _parse_generation(content["generation"])
        return Metadata(task, vocabulary_size, context, generation, None)
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("classes")
    return Metadata(task, vocabulary_size, context, None, tuple(classes))


def _parse_generation(content: Mapping[str, Any]) -> GenerationDefaults:
    values: dict[str, Any] = {}
    for field in fields(GenerationDefaults):
        # Runs of earlier versions lack the options that came later.
        value = content.get(field.name) if field.name == "typical_p" else content[field.name]
        if value is None and field.default is None:
            continue
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(field.name)
        values[field.name] = value
    return GenerationDefaults(**values)
