"""Text out of a language model, one token after the other, streamed as it is made.

All samples are made side by side in one batch. Each has random numbers of its own, derived from
the seed and its number, so sample 2 is the same whether two are asked for or ten.

A `Continuation` is immutable: reading another token returns a new one. A search can therefore
continue one text in several ways, and an earlier place is kept by keeping the value.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import RunError
from rnnkit.inference.runtime import GenerationDefaults, RunGraph, States
from rnnkit.inference.sampling import (
    PENALTY_WINDOW,
    SamplingOptions,
    next_probabilities,
    next_scores,
    sample,
)
from rnnkit.inference.scores import NOT_FINITE
from rnnkit.inference.writing import Completion, Piece, Writer
from rnnkit.text.vocabulary import Vocabulary

READ_AT_ONCE = 1024
"""Tokens of a text that are read at once; bounds the memory that a long one takes."""


@dataclass(frozen=True)
class LanguageModel:
    """A network that reads tokens and predicts the next one.

    `context` is None when the state is passed from token to token; otherwise it is the number of
    tokens that every prediction reads, from a zero state. `generation` holds the defaults of
    `rnnkit generate` for this model. `state_sizes` has the width of every state array.
    """

    vocabulary: Vocabulary
    context: int | None
    generation: GenerationDefaults
    state_sizes: tuple[int, ...]
    run_graph: RunGraph

    def zero_states(self, batch: int) -> list[np.ndarray]:
        """Return the states before the first token: float32[batch, units] each."""
        return [np.zeros((batch, size), dtype=np.float32) for size in self.state_sizes]

    def step(self, ids: np.ndarray, states: States) -> tuple[np.ndarray, list[np.ndarray]]:
        """Read `ids` int64[batch, time] (time >= 1) after `states`.

        Returns logits float32[batch, time, vocabulary] and the states after the last token.
        """
        return self.run_graph(ids, states)


# ------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, eq=False)
class Continuation:
    """Texts that a model has read, side by side.

    `logits` float32[texts, vocabulary] are for the next token. A model that passes its state on
    has it in `states`, one float32[texts, units] each; a model of sliding windows has the last
    tokens instead, `window` int64[texts, n] with n up to `model.context`.
    """

    logits: np.ndarray
    states: tuple[np.ndarray, ...]
    window: np.ndarray | None


def read_text(model: LanguageModel, ids: Sequence[int]) -> Continuation:
    """Read one text of at least one token, from a zero state."""
    tokens = np.array([ids], dtype=np.int64)
    if model.context is not None:
        return _read_window(model, tokens[:, -model.context :])
    states = model.zero_states(1)
    logits = np.empty((1, 0, 0), dtype=np.float32)
    for start in range(0, tokens.shape[1], READ_AT_ONCE):
        logits, states = model.step(tokens[:, start : start + READ_AT_ONCE], states)
    return Continuation(logits[:, -1], tuple(states), None)


def read_next(model: LanguageModel, texts: Continuation, ids: np.ndarray) -> Continuation:
    """Read one more token of every text, int64[texts].

    A model of sliding windows reads its last tokens again from a zero state, as it was trained.
    """
    tokens = ids[:, np.newaxis]
    if texts.window is not None:
        grown = np.concatenate([texts.window, tokens], axis=1)
        return _read_window(model, grown[:, -(model.context or 0) :])
    logits, states = model.step(tokens, texts.states)
    return Continuation(logits[:, 0], tuple(states), None)


def _read_window(model: LanguageModel, window: np.ndarray) -> Continuation:
    logits, _ = model.step(window, model.zero_states(len(window)))
    return Continuation(logits[:, -1], (), window)


def select(texts: Continuation, rows: Sequence[int]) -> Continuation:
    """Return these texts only, in this order; one may be named several times."""
    places = np.array(rows, dtype=np.int64)
    return Continuation(
        logits=texts.logits[places],
        states=tuple(state[places] for state in texts.states),
        window=None if texts.window is None else texts.window[places],
    )


def token_probabilities(
    model: LanguageModel,
    logits: np.ndarray,
    *,
    options: SamplingOptions | None = None,
    recent: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the probabilities of the next tokens, float64[texts, vocabulary].

    Args:
        model: whose `<unk>` has no probability.
        logits: of a continuation, float32[texts, vocabulary].
        options: temperature, filters and penalty; the model's own distribution without.
        recent: the tokens that the repetition penalty applies to, int64[texts, n].

    Raises:
        RunError: the model's output is not finite.
    """
    banned = model.vocabulary.unknown_id
    with _explaining():
        return next_probabilities(
            logits, options=options or SamplingOptions(), recent=recent, banned=banned
        )


def token_scores(
    model: LanguageModel,
    logits: np.ndarray,
    *,
    repetition_penalty: float = 1.0,
    recent: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the logits without `<unk>` and after the penalty, float64[texts, vocabulary].

    Raises:
        RunError: the model's output is not finite.
    """
    banned = model.vocabulary.unknown_id
    with _explaining():
        return next_scores(
            logits, repetition_penalty=repetition_penalty, recent=recent, banned=banned
        )


def probabilities_along(
    model: LanguageModel, given: Sequence[int], ids: Sequence[int]
) -> Iterator[float]:
    """Yield the probability of each of `ids` after the tokens `given` and those before it."""
    texts = read_text(model, given)
    for token in ids:
        yield float(token_probabilities(model, texts.logits)[0, token])
        texts = read_next(model, texts, np.array([token]))


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RunError(NOT_FINITE) from error


# ----------------------------------------------------------------------------------- sampling


@dataclass(frozen=True)
class Prompt:
    """The text that a model continues, after the vocabulary's text rules, and its ids.

    For an empty text `ids` holds the one token that generation then starts from.
    """

    text: str
    ids: tuple[int, ...]

    @property
    def given(self) -> tuple[int, ...]:
        """The tokens of the text alone; none for an empty one."""
        return self.ids if self.text else ()

    def recent(self) -> np.ndarray:
        """Return the tokens that the repetition penalty applies to, int64[n]; the token that an
        empty prompt starts from is not among them."""
        return np.array(self.given[-PENALTY_WINDOW:], dtype=np.int64)


def decode(
    model: LanguageModel,
    prompt: Prompt,
    *,
    length: int,
    options: Sequence[SamplingOptions],
    samples: int = 1,
    seed: int = 0,
    stop: str | None = None,
    with_probabilities: bool = False,
) -> Iterator[Piece | Completion]:
    """Continue `prompt` by up to `length` tokens, `samples` times with each of `options`.

    A `Piece` comes for every bit of new text and one `Completion` at the end of every sample;
    sample number n has `options[n // samples]`. A sample ends before the first place where `stop`
    appears in what was generated; what may be its beginning is held back until that is decided.
    Bytes at the end that make no whole character are dropped. `with_probabilities` fills
    `Piece.probability`.

    Raises:
        RunError: the model's output is not finite.
    """
    rows = _start(model, prompt, options=options, samples=samples, seed=seed, stop=stop)
    if length == 0:
        for row in rows:
            yield from row.writer.finish()
        return
    texts = select(read_text(model, prompt.ids), [0] * len(rows))
    recent = np.tile(prompt.recent(), (len(rows), 1))
    penalized = any(row.options.repetition_penalty != 1.0 for row in rows)
    for made in range(1, length + 1):
        expected = _row_probabilities(model, texts.logits, rows, recent=recent)
        ids = sample(expected, np.array([row.draw() for row in rows]))
        probabilities: list[float | None] = [None] * len(rows)
        if with_probabilities:
            own = token_probabilities(model, texts.logits)
            probabilities = own[np.arange(len(rows)), ids].tolist()
        unfinished = []
        for place, (row, token) in enumerate(zip(rows, ids.tolist(), strict=True)):
            yield from row.writer.feed(token, probabilities[place])
            if row.writer.stopped or made == length:
                yield from row.writer.finish()
            else:
                unfinished.append(place)
        if not unfinished:
            return
        if len(unfinished) < len(rows):
            rows = [rows[place] for place in unfinished]
            ids, recent = ids[unfinished], recent[unfinished]
            texts = select(texts, unfinished)
        if penalized:
            recent = np.concatenate([recent, ids[:, np.newaxis]], axis=1)[:, -PENALTY_WINDOW:]
        texts = read_next(model, texts, ids)


@dataclass(frozen=True)
class _Row:
    """One sample that is being made."""

    options: SamplingOptions
    draw: Callable[[], float]
    writer: Writer


def _start(
    model: LanguageModel,
    prompt: Prompt,
    *,
    options: Sequence[SamplingOptions],
    samples: int,
    seed: int,
    stop: str | None,
) -> list[_Row]:
    """Return a row for each sample, in the order of `options`."""
    return [
        _Row(
            chosen,
            # The numbers of a sample depend on its place among those of its options, so that they
            # are the same whichever others are asked for.
            random.Random(f"{seed}/{number}").random,
            Writer(
                model.vocabulary, sample=place * samples + number, stop=stop, after=prompt.given
            ),
        )
        for place, chosen in enumerate(options)
        for number in range(samples)
    ]


def _row_probabilities(
    model: LanguageModel, logits: np.ndarray, rows: list[_Row], *, recent: np.ndarray
) -> np.ndarray:
    """Compute float64[rows, vocabulary], each row with its own options."""
    different = dict.fromkeys(row.options for row in rows)
    if len(different) == 1:
        return token_probabilities(model, logits, options=rows[0].options, recent=recent)
    probabilities = np.empty(logits.shape, dtype=np.float64)
    for options in different:
        places = [place for place, row in enumerate(rows) if row.options == options]
        probabilities[places] = token_probabilities(
            model, logits[places], options=options, recent=recent[places]
        )
    return probabilities
