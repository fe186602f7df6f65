"""Texts that a model has read so far, side by side, and what it expects next.

A `Continuation` never changes: reading another token gives a new one. So a search can go on from
the same text in several ways, and an earlier place is kept by keeping the value.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import RunError
from rnnkit.inference.sampling import SamplingOptions, next_probabilities, next_scores
from rnnkit.inference.scores import NOT_FINITE
from rnnkit.tasks.language_model.session import Session

READ_AT_ONCE = 1024
"""Tokens of a text that are read at once; bounds the memory that a long one takes."""


@dataclass(frozen=True, eq=False)
class Continuation:
    """What is known of every text.

    `logits` float32[texts, vocabulary] are for the next token. A model that carries its state has
    it in `states`, one float32[texts, units] each; a model of sliding windows has the last tokens
    instead, `window` int64[texts, n] with n up to `session.context`.
    """

    logits: np.ndarray
    states: tuple[np.ndarray, ...]
    window: np.ndarray | None


def read_text(session: Session, ids: Sequence[int]) -> Continuation:
    """Read one text of at least one token, from a zero state."""
    tokens = np.array([ids], dtype=np.int64)
    if session.context is not None:
        return _read_window(session, tokens[:, -session.context :])
    states = session.zero_states(1)
    logits = np.empty((1, 0, 0), dtype=np.float32)
    for start in range(0, tokens.shape[1], READ_AT_ONCE):
        logits, states = session.step(tokens[:, start : start + READ_AT_ONCE], states)
    return Continuation(logits[:, -1], tuple(states), None)


def read_next(session: Session, continuation: Continuation, ids: np.ndarray) -> Continuation:
    """Read one more token of every text, int64[texts].

    The state is carried; a model of sliding windows reads its last tokens anew from a zero state,
    as it was trained.
    """
    tokens = ids[:, np.newaxis]
    if continuation.window is not None:
        grown = np.concatenate([continuation.window, tokens], axis=1)
        return _read_window(session, grown[:, -(session.context or 0) :])
    logits, states = session.step(tokens, continuation.states)
    return Continuation(logits[:, 0], tuple(states), None)


def select(continuation: Continuation, texts: Sequence[int]) -> Continuation:
    """Go on with these texts only, in this order; one may be named several times."""
    rows = np.array(texts, dtype=np.int64)
    return Continuation(
        logits=continuation.logits[rows],
        states=tuple(state[rows] for state in continuation.states),
        window=None if continuation.window is None else continuation.window[rows],
    )


def expected_tokens(
    session: Session,
    logits: np.ndarray,
    *,
    options: SamplingOptions,
    recent: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities of the next tokens under `options`, float64[texts, vocabulary].

    `logits` float32[texts, vocabulary] are those of a continuation. `<unk>` has no probability.
    `recent` int64[texts, n] holds the tokens that the penalty looks at.

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    banned = session.vocabulary.unknown_id
    with _explaining():
        return next_probabilities(logits, options=options, recent=recent, banned=banned)


def token_scores(
    session: Session,
    logits: np.ndarray,
    *,
    repetition_penalty: float = 1.0,
    recent: np.ndarray | None = None,
) -> np.ndarray:
    """Logits without `<unk>` and after the penalty, float64[texts, vocabulary].

    Raises:
        RunError: the model returned something else than finite numbers.
    """
    with _explaining():
        return next_scores(
            logits,
            repetition_penalty=repetition_penalty,
            recent=recent,
            banned=session.vocabulary.unknown_id,
        )


def probabilities_along(
    session: Session, given: Sequence[int], ids: Sequence[int]
) -> Iterator[float]:
    """What the model gives to each of `ids`, one after the other, after the tokens `given`."""
    texts = read_text(session, given)
    for token in ids:
        yield float(expected_tokens(session, texts.logits, options=SamplingOptions())[0, token])
        texts = read_next(session, texts, np.array([token]))


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RunError(NOT_FINITE) from error


def _read_window(session: Session, window: np.ndarray) -> Continuation:
    logits, _ = session.step(window, session.zero_states(len(window)))
    return Continuation(logits[:, -1], (), window)
