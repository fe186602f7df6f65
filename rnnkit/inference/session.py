"""A finished run, opened for inference: vocabulary, facts, and one step of the network."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from rnnkit.errors import RunError
from rnnkit.run import RunDirectory, check_version, read_document, verify_files
from rnnkit.text.vocabulary import Vocabulary

TASKS = ("char_generation",)

States = Sequence[np.ndarray]
RunGraph = Callable[[np.ndarray, States], tuple[np.ndarray, list[np.ndarray]]]

_GENERATION_KEYS = {"length", "temperature", "top_k", "top_p", "min_p", "repetition_penalty"}
_ONLY_ERRORS = 3  # severity for onnxruntime's log: its warnings concern devices we do not use


@dataclass(frozen=True)
class Session:
    """A language model that reads tokens and predicts the next one.

    `context` is None when the state is carried from token to token; otherwise it is the number
    of tokens that every prediction reads, from a zero state. `generation` holds the defaults of
    `rnnkit generate` for this model. `state_sizes` has the width of every state array.
    """

    vocabulary: Vocabulary
    context: int | None
    generation: dict[str, Any]
    state_sizes: tuple[int, ...]
    run_graph: RunGraph

    def zero_states(self, batch: int) -> list[np.ndarray]:
        """States before the first token: float32[batch, units] each."""
        return [np.zeros((batch, size), dtype=np.float32) for size in self.state_sizes]

    def step(self, ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        """Read `ids` int64[batch, time] (time >= 1) after `states`.

        Returns logits float32[batch, time, vocabulary] and the states after the last token.
        """
        return self.run_graph(ids, states)


def load_session(run: RunDirectory) -> Session:
    """Open the model of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or from a newer version.
    """
    verify_files(run, run.onnx_model)
    try:
        vocabulary = Vocabulary.from_dict(read_document(run.vocabulary, "vocabulary"))
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error

    runtime = _open(run)
    facts = _read_facts(run, runtime)
    if facts["vocabulary_size"] != vocabulary.size:
        raise RunError(
            f"{run.onnx_model}: is for {facts['vocabulary_size']} tokens, but vocabulary.json has "
            f"{vocabulary.size}; the files do not belong together"
        )
    states = [node for node in runtime.get_inputs() if node.name != "ids"]
    return Session(
        vocabulary=vocabulary,
        context=facts["context"],
        generation=facts["generation"],
        state_sizes=tuple(node.shape[1] for node in states),
        run_graph=_graph_runner(runtime, [node.name for node in states]),
    )


def _open(run: RunDirectory) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread: handing the small products of a cell from thread to thread costs more than it
    # saves, and as soon as the machine has something else to do, two take twice as long.
    options.intra_op_num_threads = 1
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


def _read_facts(run: RunDirectory, runtime: onnxruntime.InferenceSession) -> dict[str, Any]:
    """What `rnnkit train` wrote into the file beside the graph, checked."""
    text = runtime.get_modelmeta().custom_metadata_map.get("rnnkit")
    if text is None:
        raise RunError(f"{run.onnx_model}: not written by rnnkit (it has no 'rnnkit' metadata)")
    damaged = RunError(f"{run.onnx_model}: its 'rnnkit' metadata is damaged")
    try:
        facts = json.loads(text)
        version = facts["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    check_version(run.onnx_model, version)
    try:
        task, context, generation = facts["task"], facts["context"], facts["generation"]
        complete = isinstance(facts["vocabulary_size"], int) and set(generation) >= _GENERATION_KEYS
    except (KeyError, TypeError) as error:
        raise damaged from error
    if not complete or not (context is None or (isinstance(context, int) and context > 0)):
        raise damaged
    if task not in TASKS:
        raise RunError(f"{run.path}: is a run of task {task!r}, expected one of {', '.join(TASKS)}")
    return facts


def _graph_runner(runtime: onnxruntime.InferenceSession, state_names: list[str]) -> RunGraph:
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
