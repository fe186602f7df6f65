"""Suggestions for the next word of a text, or for the rest of its last one.

A model of words knows at once. For one of characters, bytes or subwords, words are found by a
best-first search over what may follow: the most probable beginning is read on until it has ended,
so that the words come out in the order of their probability.
"""

import heapq
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from rnnkit.inference.decoding import (
    Continuation,
    LanguageModel,
    read_next,
    read_text,
    token_probabilities,
)
from rnnkit.text.vocabulary import Vocabulary

Way = Literal["next", "complete"]

_LAST_WORD = re.compile(r"(?:[^\W_]|['’])+\Z")
_AT_ONCE = 16
_MOST_READ = 400
"""Beginnings of words that are read on before the search takes what it has found."""
_BRANCHES = 32
"""Tokens that are tried after each beginning: the most probable ones."""
_ENDED = 0.5


@dataclass(frozen=True)
class Suggestion:
    """A word, what to append to the text for it (with the space before it), and its probability:
    that the next word is this one, or among the words with this beginning."""

    word: str
    text: str
    probability: float


@dataclass(frozen=True)
class Suggestions:
    """The most probable words first. `way` says whether they follow the text or complete its last
    word."""

    way: Way
    words: tuple[Suggestion, ...]


def suggest(
    model: LanguageModel, text: str, *, count: int = 5, way: Way | None = None
) -> Suggestions:
    """The `count` most probable words after `text`, or fewer when there are no more.

    Without `way`, the last word is completed where it is unfinished: for a model of words one
    that it does not know, for others one after which it expects more of the same word. What the
    vocabulary lacks is read as `<unk>`, or left out where it has none.

    Raises RunError when the model returns something else than finite numbers.
    """
    vocabulary = model.vocabulary
    text = vocabulary.clean(text)
    found = _LAST_WORD.search(text)
    last = found[0] if found else ""
    if not last:
        way = "next"
    if vocabulary.kind == "words":
        return _suggest_words(model, vocabulary, text, last, count=count, way=way)
    if way is None:
        way = "next" if _has_ended(model, text) else "complete"
    stem = text.removesuffix(last) if way == "complete" else text
    context = stem.rstrip(" ")
    separate = stem != context or (way == "next" and bool(context) and context[-1] != "\n")
    beginning = " " * separate + (last if way == "complete" else "")
    words = _search(model, _ids(vocabulary, context), beginning.encode("utf-8"), count=count)
    begun = last if way == "complete" else ""
    gap = " " * (separate and way == "next" and text == context)
    return Suggestions(
        way,
        tuple(
            Suggestion(word, gap + word.removeprefix(begun), probability)
            for word, probability in words
        ),
    )


def _suggest_words(
    model: LanguageModel,
    vocabulary: Vocabulary,
    text: str,
    last: str,
    *,
    count: int,
    way: Way | None,
) -> Suggestions:
    tokens = vocabulary.tokenize(text)
    if way is None:
        way = "next" if vocabulary.knows(tokens[-1]) else "complete"
    begun = last if way == "complete" else ""
    context = vocabulary.opening(text.removesuffix(begun))
    probabilities = token_probabilities(model, read_text(model, _ids(vocabulary, context)).logits)[
        0
    ]
    words = {i: word for i, word in _words(vocabulary).items() if word.startswith(begun)}
    total = float(probabilities[list(words)].sum()) if begun else 1.0
    best = heapq.nlargest(
        count,
        (index for index, word in words.items() if word != begun),
        key=lambda index: (probabilities[index], -index),
    )
    before = (vocabulary.encode(context) or [None])[-1]
    found = []
    for index in best:
        text_to_add = words[index].removeprefix(begun)
        if not begun and text == context:
            text_to_add = vocabulary.bytes_after(before, index).decode()
        probability = float(probabilities[index]) / total if total else 0.0
        found.append(Suggestion(words[index], text_to_add, probability))
    return Suggestions(way, tuple(found))


@lru_cache(maxsize=2)
def _words(vocabulary: Vocabulary) -> dict[int, str]:
    """The words among the tokens, without punctuation, marks and what is left of contractions."""
    spelled = ((index, vocabulary.decode((index,))) for index in range(1, vocabulary.size))
    return {index: word for index, word in spelled if word[:1].isalnum()}


def _ids(vocabulary: Vocabulary, context: str) -> list[int]:
    """The context in tokens, at least one."""
    if vocabulary.unknown_id is None:
        context = vocabulary.without_unseen(context)
    return vocabulary.encode(context) or [vocabulary.start_id]


# ------------------------------------------------------------------- characters, bytes, subwords


@dataclass(frozen=True, eq=False)
class _Tokens:
    """What every token spells, and which ones go on with a word: letters, digits, apostrophes,
    and bytes that are only a part of a character."""

    contents: tuple[bytes, ...]
    in_word: np.ndarray


@lru_cache(maxsize=2)
def _tokens(vocabulary: Vocabulary) -> _Tokens:
    unknown = vocabulary.unknown_id
    contents = tuple(
        b"" if index == unknown else piece.content for index, piece in enumerate(vocabulary.pieces)
    )
    return _Tokens(contents, np.array([_is_in_word(content) for content in contents]))


def _is_in_word(content: bytes) -> bool:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return bool(_LAST_WORD.fullmatch(text))


def _has_ended(model: LanguageModel, text: str) -> bool:
    """Whether something else than more of the last word is expected."""
    vocabulary = model.vocabulary
    probabilities = token_probabilities(model, read_text(model, _ids(vocabulary, text)).logits)[0]
    return float(probabilities[~_tokens(vocabulary).in_word].sum()) >= _ENDED


@dataclass(order=True)
class _Place:
    """The beginning of a word, or with `ended` a whole one, in the order of the search.

    `after` is the text before `token` has been read, None for a whole word.
    """

    cost: float
    number: int
    spelled: bytes = field(compare=False)
    token: int = field(compare=False, default=0)
    after: Continuation | None = field(compare=False, default=None)


def _completions(tokens: _Tokens, missing: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return bool[tokens] twice: which begin with all of `missing`, and which may be read next.

    A token may be read where it is a beginning of `missing`, or where it goes beyond without
    leaving the word.
    """
    fits = np.array([c != b"" and missing.startswith(c) for c in tokens.contents])
    beyond = np.array([c.startswith(missing) for c in tokens.contents])
    in_word = [
        goes and (len(c) == len(missing) or _is_in_word(c[len(missing) :]))
        for c, goes in zip(tokens.contents, beyond, strict=True)
    ]
    return beyond, fits | np.array(in_word)


def _search(
    model: LanguageModel, context: Sequence[int], beginning: bytes, *, count: int
) -> list[tuple[str, float]]:
    """Find the most probable words that begin with `beginning` after `context`, and their
    probabilities among all continuations with this beginning.

    `beginning` is a space, the beginning of a word, both or neither. A word has as many spellings
    as there are ways to cut it into tokens; their probabilities are added as they are found.
    """
    vocabulary = model.vocabulary
    tokens = _tokens(vocabulary)
    begun = beginning.strip(b" ")
    numbers = itertools.count()
    waiting: list[_Place] = []
    words: dict[bytes, float] = {}
    total = 0.0  # of everything that begins so

    def branch(spelled: bytes, probability: float, after: Continuation, row: int) -> None:
        """Put what may follow `spelled`, of probability `probability`, into the queue."""
        nonlocal total
        probabilities = token_probabilities(model, _row(after, row).logits)[0]
        missing = beginning[len(spelled) :]
        if missing:
            beyond, allowed = _completions(tokens, missing)
            total += probability * float(probabilities[beyond].sum())
        else:
            allowed = tokens.in_word
            word = spelled.strip(b" ")
            if word and word != begun:
                ends = probability * float(probabilities[~tokens.in_word].sum())
                heapq.heappush(waiting, _Place(-ends, next(numbers), word))
        probabilities = np.where(allowed, probabilities, 0.0)
        for token in np.argsort(-probabilities, kind="stable")[:_BRANCHES].tolist():
            if probabilities[token] > 0.0:
                place = _Place(
                    -probability * float(probabilities[token]),
                    next(numbers),
                    spelled + tokens.contents[token],
                    token,
                    _row(after, row),
                )
                heapq.heappush(waiting, place)

    first = read_text(model, context)
    if not beginning:
        total = 1.0
    branch(b"", 1.0, first, 0)
    read = 0
    while waiting and read < _MOST_READ:
        # A whole word counts when nothing more probable is left that could become a word.
        while waiting and waiting[0].after is None and len(words) < count:
            place = heapq.heappop(waiting)
            words[place.spelled] = words.get(place.spelled, 0.0) - place.cost
        if len(words) >= count:
            break
        batch: list[_Place] = []
        while waiting and waiting[0].after is not None and len(batch) < _AT_ONCE:
            batch.append(heapq.heappop(waiting))
        read += len(batch)
        for group in _alike(batch):
            before = [place.after for place in group if place.after is not None]
            after = read_next(model, _joined(before), np.array([p.token for p in group]))
            for row, place in enumerate(group):
                branch(place.spelled, -place.cost, after, row)
    for place in waiting:
        if place.after is None:
            words[place.spelled] = words.get(place.spelled, 0.0) - place.cost
    return _readable(words, total, count)


def _readable(words: dict[bytes, float], total: float, count: int) -> list[tuple[str, float]]:
    found = []
    for spelled, probability in words.items():
        try:
            found.append((spelled.decode("utf-8"), probability / total if total else 0.0))
        except UnicodeDecodeError:
            continue
    return sorted(found, key=lambda item: (-item[1], item[0]))[:count]


def _row(texts: Continuation, row: int) -> Continuation:
    """One text alone, without a copy."""
    part = slice(row, row + 1)
    return Continuation(
        texts.logits[part],
        tuple(state[part] for state in texts.states),
        None if texts.window is None else texts.window[part],
    )


def _joined(texts: Sequence[Continuation]) -> Continuation:
    """Several texts side by side; only what reading on needs."""
    windows = [text.window for text in texts if text.window is not None]
    states = zip(*(text.states for text in texts), strict=True)
    return Continuation(
        texts[0].logits,
        tuple(np.concatenate(state) for state in states),
        np.concatenate(windows) if windows else None,
    )


def _alike(places: Sequence[_Place]) -> list[list[_Place]]:
    """Places that can be read side by side: windows at the start of a text differ in length."""
    groups: dict[int, list[_Place]] = {}
    for place in places:
        window = place.after.window if place.after is not None else None
        groups.setdefault(0 if window is None else window.shape[1], []).append(place)
    return list(groups.values())
