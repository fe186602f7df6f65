"""Beam search: the most probable text that can be found with a few candidates at a time.

A beam of width N keeps the N most probable of all continuations of what it kept before. A wider
beam alone may end with a worse text than a narrow one, because what it keeps at first crowds out
what the narrow one would have found. So `search` runs the beams of all widths from 1 to N and
takes the best text of any: that never gets worse when N grows, and is never worse than a beam of
width N. The beams share what they have in common, so that N widths cost a few times what one
costs and not N times. All this holds for equal numbers out of the model: a batch of another size
may change their last digits. Width 1 is greedy decoding.

A text that reaches the stop text is finished and makes room for the next best one; a beam of
width n takes no more in a step in which n have finished. It ends when it holds nothing, or nothing
that could still become the best. Texts of different lengths are compared by
log P / ((5 + tokens) / 6) ** penalty (Wu et al. 2016): every token makes a text less probable, so
that short ones win without a penalty. Within a step all have the same length, and the penalty
plays no part.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rnnkit.inference.decoding import (
    LanguageModel,
    Prompt,
    probabilities_along,
    read_next,
    read_text,
    select,
    token_scores,
)
from rnnkit.inference.sampling import PENALTY_WINDOW
from rnnkit.inference.writing import Completion, Piece, Writer
from rnnkit.text.vocabulary import StreamDecoder, Vocabulary

_HALF_CHARACTERS = 4
"""Characters that the first bytes may make of a text that is read from its middle on."""


@dataclass(frozen=True)
class Found:
    """The best text of a search.

    `log_probability` is the sum over `ids` in nats, after the repetition penalty if there is one;
    `score` is that divided by the length penalty. `stopped` tells whether the stop text appeared.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    stopped: bool


def search(
    model: LanguageModel,
    prompt: Prompt,
    *,
    length: int,
    beams: int,
    length_penalty: float = 0.0,
    repetition_penalty: float = 1.0,
    stop: str | None = None,
    progress: Callable[[int, int], None] = lambda made, length: None,
) -> Found:
    """Continue `prompt` by up to `length` tokens with beams of up to `beams`.

    The `score` of the result never falls when `beams` grows, and `beams=1` is what `decode` gives
    at temperature 0. `progress` receives the number of tokens made.

    Raises:
        RunError: the model's output is not finite.
    """
    goal = _Goal(model.vocabulary, stop, prompt, length, length_penalty)
    held = [_START]
    running = [_Beam(width, held) for width in range(1, beams + 1)]
    best: Found | None = None
    texts = read_text(model, prompt.ids)
    recent = prompt.recent()[np.newaxis]
    for made in range(1, length + 1):
        scores = token_scores(
            model, texts.logits, repetition_penalty=repetition_penalty, recent=recent
        )
        step = _Step(held, _rank(scores, at_most=2 * beams), goal)
        running = [step.extend(beam) for beam in running]
        for text in step.finished:
            best = _better(best, goal.found(text, stopped=True))
        progress(made, length)
        if made == length:
            break
        running = [beam for beam in running if _is_open(beam, best, goal)]
        if not running:
            break
        held = list(dict.fromkeys(text for beam in running for text in beam.held))
        rows, ids = [text.row for text in held], np.array([text.token for text in held])
        recent = np.concatenate([recent[rows], ids[:, np.newaxis]], axis=1)[:, -PENALTY_WINDOW:]
        texts = read_next(model, select(texts, rows), ids)
    for beam in running:
        for text in beam.held:
            best = _better(best, goal.found(text, stopped=False))
    assert best is not None  # there is a token that may be generated
    return best


def write_found(
    model: LanguageModel,
    prompt: Prompt,
    found: Found,
    *,
    stop: str | None = None,
    with_probabilities: bool = False,
) -> Iterator[Piece | Completion]:
    """Yield the text of a search in the form in which `decode` gives it, as sample 0."""
    writer = Writer(model.vocabulary, sample=0, stop=stop, after=prompt.given)
    along = probabilities_along(model, prompt.ids, found.ids) if with_probabilities else None
    for token in found.ids:
        yield from writer.feed(token, None if along is None else next(along))
    for event in writer.finish():
        if isinstance(event, Completion):
            event = replace(event, log_probability=found.log_probability, score=found.score)
        yield event


@dataclass(frozen=True, eq=False)
class _Text:
    """A continuation: the one without its last token, that token, and the row of the batch that
    was read for it."""

    before: "_Text | None"
    token: int
    row: int
    tokens: int
    log_probability: float

    def last(self, number: int) -> tuple[int, ...]:
        """Return the last `number` tokens, or all."""
        ids: list[int] = []
        text = self
        while text.before is not None and len(ids) < number:
            ids.append(text.token)
            text = text.before
        return tuple(reversed(ids))


_START = _Text(before=None, token=-1, row=0, tokens=0, log_probability=0.0)


@dataclass(frozen=True)
class _Beam:
    """The texts that a beam holds, the most probable first."""

    width: int
    held: Sequence[_Text]


@dataclass(frozen=True)
class _Goal:
    """Where texts end and how they are compared."""

    vocabulary: Vocabulary
    stop: str | None
    prompt: Prompt
    length: int
    length_penalty: float

    def found(self, text: _Text, *, stopped: bool) -> Found:
        """Return the text as a result."""
        total = text.log_probability
        score = total / ((5 + text.tokens) / 6) ** self.length_penalty
        return Found(text.last(text.tokens), total, score, stopped)

    def limit(self, text: _Text) -> float:
        """Return a score that no continuation of the text exceeds."""
        return text.log_probability / ((5 + self.length) / 6) ** self.length_penalty

    def is_reached(self, text: _Text) -> bool:
        """Return whether the last token completes the stop text."""
        if self.stop is None:
            return False
        reach = len(self.stop) + _HALF_CHARACTERS
        while True:
            ids = text.last(reach)
            before = text.last(reach + 1)[:-reach] or self.prompt.given
            written = "".join(map(StreamDecoder(self.vocabulary, before).feed, ids))
            if len(ids) < reach or len(written) >= len(self.stop) + _HALF_CHARACTERS:
                return self.stop in written
            reach *= 2  # some tokens have no text of their own


class _Ranked(NamedTuple):
    """The best tokens after one row, the best first, and their log-probabilities."""

    tokens: list[int]
    log_probabilities: list[float]


def _rank(scores: np.ndarray, *, at_most: int) -> list[_Ranked]:
    """Return the best tokens of every row of `scores` float64[rows, vocabulary].

    Equals go by their ids, as in greedy decoding; the probabilities, in which rounding makes
    equals of different scores, play no part in the order.
    """
    highest = scores.max(axis=1)
    normalizers = highest + np.log(np.exp(scores - highest[:, np.newaxis]).sum(axis=1))
    place = max(scores.shape[1] - at_most, 0)
    thresholds = np.partition(scores, place, axis=1)[:, place]
    ranked = []
    for row, normalizer, threshold in zip(scores, normalizers, thresholds, strict=True):
        tokens = np.flatnonzero((row >= threshold) & (row > -np.inf))
        tokens = tokens[np.argsort(-row[tokens], kind="stable")][:at_most]
        ranked.append(_Ranked(tokens.tolist(), (row[tokens] - normalizer).tolist()))
    return ranked


class _Step:
    """One more token for every beam. What several beams take is the same `_Text`."""

    def __init__(self, held: Sequence[_Text], ranked: Sequence[_Ranked], goal: _Goal) -> None:
        """`ranked` are the tokens that may follow each of `held`."""
        self.finished: list[_Text] = []
        self._row = {text: row for row, text in enumerate(held)}
        self._ranked = ranked
        self._goal = goal
        self._taken: dict[tuple[int, int], tuple[_Text, bool]] = {}

    def extend(self, beam: _Beam) -> _Beam:
        """Return the most probable continuations of what the beam holds, as many as its width."""
        held: list[_Text] = []
        finished = 0
        # The best that is left after each text of the beam; equals go by their place in it.
        heads = [
            (-text.log_probability - self._ranked[row].log_probabilities[0], place, 0)
            for place, (text, row) in enumerate((text, self._row[text]) for text in beam.held)
        ]
        heapq.heapify(heads)
        while heads and len(held) < beam.width and finished < beam.width:
            _, place, rank = heads[0]
            before = beam.held[place]
            row = self._row[before]
            following = self._ranked[row].log_probabilities[rank + 1 : rank + 2]
            if following:
                head = (-before.log_probability - following[0], place, rank + 1)
                heapq.heapreplace(heads, head)
            else:
                heapq.heappop(heads)
            text, is_finished = self._take(before, row, rank)
            if is_finished:
                finished += 1
            else:
                held.append(text)
        return _Beam(beam.width, held)

    def _take(self, before: _Text, row: int, rank: int) -> tuple[_Text, bool]:
        if (row, rank) not in self._taken:
            token = self._ranked[row].tokens[rank]
            total = before.log_probability + self._ranked[row].log_probabilities[rank]
            text = _Text(before, token, row, before.tokens + 1, total)
            is_finished = self._goal.is_reached(text)
            self._taken[row, rank] = text, is_finished
            if is_finished:
                self.finished.append(text)
        return self._taken[row, rank]


def _better(one: Found | None, other: Found) -> Found:
    return other if one is None or other.score > one.score else one


def _is_open(beam: _Beam, best: Found | None, goal: _Goal) -> bool:
    """Return whether what the beam holds could still become better than `best`."""
    return any(best is None or goal.limit(text) > best.score for text in beam.held)
