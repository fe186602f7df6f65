"""Characters and words of tokens in the text that they make.

So that models of characters, bytes, subwords and words can be compared: bits per character and
perplexity per word do not depend on what the tokens are.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnkit.text.vocabulary import Vocabulary

_TOKENS_AT_ONCE = 2**20
_WHITESPACE = b" \t\n\v\f\r"


@dataclass(frozen=True)
class TextCounts:
    """Counts of a text from its second token on: the tokens that are predicted."""

    tokens: int
    characters: int
    words: int


class _Spelling(NamedTuple):
    """One token in a text."""

    characters: int
    """Characters that begin in it."""
    words: int
    """Words that begin in it after whitespace of its own."""
    starts_word: bool
    """Its first character is not whitespace: after whitespace it begins a word."""
    ends_space: bool
    """Its last character is whitespace: the next token begins a word."""


def _spell(content: bytes) -> _Spelling:
    r"""Count what begins in the UTF-8 of a token.

    `b" the\nend"` -> `_Spelling(characters=8, words=2, starts_word=False, ends_space=False)`
    """
    # The bytes of a character after its first one are 10xxxxxx.
    begun = [byte for byte in content if byte & 0xC0 != 0x80]
    space = [byte in _WHITESPACE for byte in begun]
    return _Spelling(
        characters=len(begun),
        words=sum(before and not here for before, here in pairwise(space)),
        starts_word=bool(begun) and content[0] == begun[0] and not space[0],
        ends_space=bool(content) and content[-1] in _WHITESPACE,
    )


class TokenCounts:
    """Characters and words that begin with a token, given the one before it.

    Words are everything between spaces, tabs and newlines. The space before a word belongs to it.
    `<unk>` counts as one word of one character: scores per character are those of a text with a
    single character for every unknown word.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        pieces = list(vocabulary.pieces)
        if vocabulary.unknown_id is not None:
            pieces[vocabulary.unknown_id] = pieces[vocabulary.unknown_id]._replace(content=b"?")
        spellings = [_spell(piece.content) for piece in pieces]
        self._characters = np.array([s.characters for s in spellings], np.float64)
        self._words = np.array([s.words for s in spellings], np.float64)
        self._starts_word = np.array([s.starts_word for s in spellings])
        self._ends_space = np.array([s.ends_space for s in spellings])
        self._joins_left = np.array([piece.joins_left for piece in pieces])
        self._joins_right = np.array([piece.joins_right for piece in pieces])

    def count(
        self, before: NDArray[np.integer], ids: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return characters and words, float64[...] like `ids`, which follow `before`."""
        spaced = ~(self._joins_right[before] | self._joins_left[ids])
        begins = self._starts_word[ids] & (spaced | self._ends_space[before])
        return self._characters[ids] + spaced, self._words[ids] + begins


def count_text(vocabulary: Vocabulary, ids: NDArray[np.unsignedinteger]) -> TextCounts:
    """Count the text of `ids`, unsigned[tokens], possibly memory-mapped."""
    counts = TokenCounts(vocabulary)
    characters = words = 0.0
    for start in range(1, len(ids), _TOKENS_AT_ONCE):
        here = np.asarray(ids[start : start + _TOKENS_AT_ONCE])
        before = np.asarray(ids[start - 1 : start - 1 + len(here)])
        more = counts.count(before, here)
        characters += float(more[0].sum())
        words += float(more[1].sum())
    return TextCounts(len(ids) - 1, int(characters), int(words))
