"""Text out of a model, one token after the other, streamed as it is made.

All samples are made side by side in one batch. Each has random numbers of its own, derived from
the seed and its number, so sample 2 is the same whether two are asked for or ten.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnkit.errors import DataError, RunError, UsageError
from rnnkit.inference.sampling import (
    PENALTY_WINDOW,
    SamplingOptions,
    next_probabilities,
    sample,
)
from rnnkit.inference.session import Session
from rnnkit.text.vocabulary import StreamDecoder, Vocabulary, name_characters

Unseen = Literal["error", "skip", "unk"]

PRIME_CHUNK = 1024
"""Tokens of the prime that are read at once; bounds the memory that a long one takes."""


@dataclass(frozen=True)
class Piece:
    """Some text of one sample, as soon as it is certain."""

    sample: int
    text: str


@dataclass(frozen=True)
class Completion:
    """A finished sample: its text without the prime, and how it came to its end.

    `tokens` counts what was drawn; `stopped` says that the stop text appeared.
    """

    sample: int
    text: str
    tokens: int
    stopped: bool


@dataclass(frozen=True)
class Prime:
    """The text that the model continues, after the vocabulary's text rules, and its ids.

    For an empty text `ids` holds the one token that generation then starts from.
    """

    text: str
    ids: tuple[int, ...]


def read_prime(vocabulary: Vocabulary, text: str, *, unseen: Unseen = "error") -> Prime:
    """Encode the text to continue.

    Characters that the vocabulary lacks are refused, left out, or read as `<unk>`. An empty
    text starts from a newline if the vocabulary has one, else from a space, else from its
    lowest token.

    Raises:
        DataError: unseen characters and `unseen="error"`, or "unk" and there is no `<unk>`.
    """
    missing = vocabulary.unseen(text)
    if missing and unseen == "error":
        raise DataError(
            f"The seed holds characters that the model has never seen: {name_characters(missing)}. "
            "Remove them, or choose --unseen skip (leave them out)"
            + (" or --unseen unk (read them as <unk>)." if vocabulary.has_unknown else ".")
        )
    if missing and unseen == "unk" and vocabulary.unknown_id is None:
        raise DataError(
            f"The seed holds characters that the model has never seen: {name_characters(missing)}. "
            "They cannot be read as <unk>, because this vocabulary has no <unk>; "
            "use --unseen skip, or train with data.minimum_count above 1."
        )
    cleaned = vocabulary.rules.apply(text)
    if missing and unseen == "skip":
        dropped = set(missing)
        cleaned = "".join(character for character in cleaned if character not in dropped)
    ids = vocabulary.encode(cleaned if missing else text)
    return Prime(cleaned, tuple(ids) or (_first_token(vocabulary),))


def generate(
    session: Session,
    *,
    prime: Prime,
    length: int,
    options: SamplingOptions,
    samples: int = 1,
    seed: int = 0,
    stop: str | None = None,
) -> Iterator[Piece | Completion]:
    """Continue `prime` by up to `length` tokens, `samples` times.

    A `Piece` comes for every bit of new text and one `Completion` at the end of every sample.
    With `stop`, a sample ends before the first place where this text appears in what was
    generated; what may be its beginning is held back until that is decided. Bytes at the end
    that make no whole character are dropped.

    The state is carried from token to token; a model trained on sliding windows reads its last
    `session.context` tokens anew for each prediction instead.

    Raises:
        UsageError: `stop` is empty under the vocabulary's text rules.
        RunError: the model returned something else than finite numbers.
    """
    if stop is not None:
        stop = session.vocabulary.rules.apply(stop)
        if not stop:
            raise UsageError("--stop: expected some text to stop at, found nothing")
    return _generate(
        session,
        prime=prime,
        length=length,
        options=options,
        writers=[_Writer(session.vocabulary, number, stop) for number in range(samples)],
        draws=[random.Random(f"{seed}/{number}").random for number in range(samples)],
    )


def _generate(
    session: Session,
    *,
    prime: Prime,
    length: int,
    options: SamplingOptions,
    writers: "list[_Writer]",
    draws: list[Callable[[], float]],
) -> Iterator[Piece | Completion]:
    if length == 0:
        for writer in writers:
            yield from writer.finish()
        return
    predictor = _start(session, prime, samples=len(writers))
    penalized = options.repetition_penalty != 1.0
    recent = np.tile(
        np.array(prime.ids[-PENALTY_WINDOW:] if prime.text else (), dtype=np.int64),
        (len(writers), 1),
    )
    banned = session.vocabulary.unknown_id
    for made in range(1, length + 1):
        try:
            probabilities = next_probabilities(
                predictor.logits, options=options, recent=recent, banned=banned
            )
        except ValueError as error:
            raise RunError(
                "The model's output is not finite: its weights are damaged or training diverged. "
                "Train it again."
            ) from error
        ids = sample(probabilities, np.array([draw() for draw in draws]))
        going = []
        for row, (writer, token) in enumerate(zip(writers, ids.tolist(), strict=True)):
            if text := writer.feed(token):
                yield Piece(writer.sample, text)
            if writer.stopped or made == length:
                yield from writer.finish()
            else:
                going.append(row)
        if not going:
            return
        if len(going) < len(writers):
            writers, draws = [writers[r] for r in going], [draws[r] for r in going]
            ids, recent = ids[going], recent[going]
            predictor.keep(going)
        if penalized:
            recent = np.concatenate([recent, ids[:, np.newaxis]], axis=1)[:, -PENALTY_WINDOW:]
        predictor.feed(ids)


class _CarriedState:
    """Next-token logits of a model that reads every token once."""

    def __init__(self, session: Session, prime: Prime, *, samples: int) -> None:
        self._session = session
        ids = np.array([prime.ids], dtype=np.int64)
        states = session.zero_states(1)
        for start in range(0, ids.shape[1], PRIME_CHUNK):
            logits, states = session.step(ids[:, start : start + PRIME_CHUNK], states)
            self.logits = np.tile(logits[:, -1], (samples, 1))
        self._states = [np.tile(state, (samples, 1)) for state in states]

    def feed(self, ids: np.ndarray) -> None:
        logits, self._states = self._session.step(ids[:, np.newaxis], self._states)
        self.logits = logits[:, 0]

    def keep(self, rows: list[int]) -> None:
        self._states = [state[rows] for state in self._states]


class _SlidingWindow:
    """Next-token logits of a model that sees its last `context` tokens and nothing else."""

    def __init__(self, session: Session, prime: Prime, *, context: int, samples: int) -> None:
        self._session = session
        self._context = context
        self._window = np.tile(np.array(prime.ids[-context:], dtype=np.int64), (samples, 1))
        self._read()

    def feed(self, ids: np.ndarray) -> None:
        grown = np.concatenate([self._window, ids[:, np.newaxis]], axis=1)
        self._window = grown[:, -self._context :]
        self._read()

    def keep(self, rows: list[int]) -> None:
        self._window = self._window[rows]

    def _read(self) -> None:
        states = self._session.zero_states(len(self._window))
        logits, _ = self._session.step(self._window, states)
        self.logits = logits[:, -1]


def _start(session: Session, prime: Prime, *, samples: int) -> _CarriedState | _SlidingWindow:
    if session.context is None:
        return _CarriedState(session, prime, samples=samples)
    return _SlidingWindow(session, prime, context=session.context, samples=samples)


class _Writer:
    """Turns the tokens of one sample into text and watches for the stop text."""

    def __init__(self, vocabulary: Vocabulary, sample: int, stop: str | None) -> None:
        self.sample = sample
        self.stopped = False
        self._decoder = StreamDecoder(vocabulary)
        self._stop = stop
        self._held_back = ""
        self._pieces: list[str] = []
        self._tokens = 0

    def feed(self, token: int) -> str:
        """The text that can be shown now that `token` is known."""
        self._tokens += 1
        text = self._decoder.feed(token)
        if self._stop is not None:
            text, self._held_back, self.stopped = split_at_stop(self._held_back + text, self._stop)
        if text:
            self._pieces.append(text)
        return text

    def finish(self) -> Iterator[Piece | Completion]:
        """What was held back, unless it was the stop text, and the result."""
        if self._held_back:
            self._pieces.append(self._held_back)
            yield Piece(self.sample, self._held_back)
        yield Completion(self.sample, "".join(self._pieces), self._tokens, self.stopped)


def split_at_stop(text: str, stop: str) -> tuple[str, str, bool]:
    """What of `text` can be shown, what must wait, and whether `stop` was found.

    `split_at_stop("so be", "bed")` is `("so ", "be", False)`; once `stop` is found, nothing
    waits: `split_at_stop("so bedded", "bed")` is `("so ", "", True)`.
    """
    place = text.find(stop)
    if place >= 0:
        return text[:place], "", True
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return text[:-size], text[-size:], False
    return text, "", False


def _first_token(vocabulary: Vocabulary) -> int:
    for character in "\n ":
        if not vocabulary.unseen(character):
            return vocabulary.encode(character)[0]
    return 1 if vocabulary.has_unknown else 0
