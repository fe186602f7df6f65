"""A finished run, opened for inference: vocabulary, facts, and one step of the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from rnnkit.errors import RunError
from rnnkit.inference.runtime import check_vocabulary_size, damaged_metadata, open_model
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import Vocabulary

TASKS = ("char_generation", "word_generation")

States = Sequence[np.ndarray]
RunGraph = Callable[[np.ndarray, States], tuple[np.ndarray, list[np.ndarray]]]

_GENERATION_KEYS = {"length", "temperature", "top_k", "top_p", "min_p", "repetition_penalty"}


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
    # One thread: handing the small products of a cell from thread to thread costs more than it
    # saves, and as soon as the machine has something else to do, two take twice as long.
    model = open_model(run, tasks=TASKS, threads=1)
    facts, runtime = model.facts, model.runtime
    _check_facts(run, facts)
    try:
        vocabulary = read_vocabulary(read_document(run.vocabulary, "vocabulary"))
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    check_vocabulary_size(run, facts, vocabulary.size)
    states = [node for node in runtime.get_inputs() if node.name != "ids"]
    return Session(
        vocabulary=vocabulary,
        context=facts["context"],
        generation=facts["generation"],
        state_sizes=tuple(node.shape[1] for node in states),
        run_graph=_graph_runner(runtime, [node.name for node in states]),
    )


def _check_facts(run: RunDirectory, facts: dict[str, Any]) -> None:
    """Refuse facts that lack what a language model needs."""
    try:
        context, generation = facts["context"], facts["generation"]
        is_complete = set(generation) >= _GENERATION_KEYS
    except (KeyError, TypeError) as error:
        raise damaged_metadata(run) from error
    if not is_complete or not (context is None or (isinstance(context, int) and context > 0)):
        raise damaged_metadata(run)


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
