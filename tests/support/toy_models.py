"""Language models whose predictions can be worked out by hand, for tests of what uses them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults, States
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import MARKS, Vocabulary

LETTERS = Vocabulary(TextRules(), "characters", tuple("\nabcdefgh"))
WITH_UNKNOWN = Vocabulary(TextRules(), "characters", tuple("abcd"), has_unknown=True)
BYTES = Vocabulary(TextRules(), "bytes")
WORDS = Vocabulary(
    TextRules(),
    "words",
    (*MARKS["text"], "\n", "the", ",", "king", "queen", ".", "sees", "a"),
    has_unknown=True,
)


def session_of(
    run_graph: Callable[[np.ndarray, States], Any],
    *,
    vocabulary: Vocabulary = LETTERS,
    context: int | None = None,
) -> LanguageModel:
    """A session whose state is one number for every token."""
    return LanguageModel(
        vocabulary=vocabulary,
        context=context,
        generation=GenerationDefaults(),
        state_sizes=(vocabulary.size,),
        run_graph=run_graph,
    )


def elman(
    vocabulary: Vocabulary = LETTERS,
    context: int | None = None,
    *,
    seed: int = 5,
    scale: float = 1.0,
) -> LanguageModel:
    """A small Elman network with random weights: what it says depends on all that it has read."""
    rng = np.random.default_rng(seed)
    size = vocabulary.size
    inputs, recurrent, outputs = rng.normal(size=(3, size, size)).astype(np.float32)

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        assert ids.dtype == np.int64
        h = states[0]
        logits = []
        for step in ids.T:
            # A product row by row, so that rows cannot influence each other's rounding.
            h = np.stack(
                [np.tanh(inputs[i] + row @ recurrent) for i, row in zip(step, h, strict=True)]
            )
            logits.append(np.stack([scale * (row @ outputs) for row in h]))
        return np.stack(logits, axis=1), [h]

    return session_of(run_graph, vocabulary=vocabulary, context=context)


def successor(vocabulary: Vocabulary = LETTERS, **more: Any) -> LanguageModel:
    """A model sure that the next token is the next id, round and round."""

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        return 50.0 * np.eye(vocabulary.size, dtype=np.float32)[(ids + 1) % vocabulary.size], [
            *states
        ]

    return session_of(run_graph, vocabulary=vocabulary, **more)


def script(text: str) -> LanguageModel:
    """A model of bytes that writes `text` whatever it reads, one byte a token."""
    data = text.encode()

    def run_graph(ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        # The first number of the state counts the tokens read; the prompt is one token.
        state = states[0].copy()
        state[:, 0] += ids.shape[1]
        written = (state[:, 0].astype(int) - 1) % len(data)
        logits = np.zeros((len(ids), ids.shape[1], 256), np.float32)
        logits[np.arange(len(ids)), -1, [data[place] for place in written]] = 50.0
        return logits, [state]

    return session_of(run_graph, vocabulary=BYTES)
