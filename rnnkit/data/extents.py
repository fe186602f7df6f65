"""How many characters and words tokens stand for in the text that they make.

So that models of characters, bytes, subwords and words can be compared: bits per character and
perplexity per word do not depend on what the tokens are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnkit.text.language import LanguageVocabulary

_TOKENS_AT_ONCE = 2**20


@dataclass(frozen=True)
class TextExtent:
    """What a text has from its second token on: those that are predicted."""

    tokens: int
    characters: int
    words: int


class TokenExtents:
    """Characters and words that begin with a token, given the one before it.

    Words are what stands between spaces, tabs and newlines. The space that a word brings belongs
    to it. `<unk>` counts as one character, and as the word that it is: what it stands for is not
    spelled, so scores per character are those of a text with a single sign for every unknown word.
    """

    def __init__(self, vocabulary: LanguageVocabulary) -> None:
        spellings = [vocabulary.spelling(index) for index in range(vocabulary.size)]
        self._characters = np.array([s.characters for s in spellings], np.float64)
        self._words = np.array([s.words for s in spellings], np.float64)
        self._starts_word = np.array([s.starts_word for s in spellings])
        self._ends_blank = np.array([s.ends_blank for s in spellings])
        self._joins_left = np.array([s.joins_left for s in spellings])
        self._joins_right = np.array([s.joins_right for s in spellings])

    def count(
        self, before: NDArray[np.integer], ids: NDArray[np.integer]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Characters and words, float64[...] like `ids`; `before` are the tokens before them."""
        spaced = ~(self._joins_right[before] | self._joins_left[ids])
        begins = self._starts_word[ids] & (spaced | self._ends_blank[before])
        return self._characters[ids] + spaced, self._words[ids] + begins


def text_extent(vocabulary: LanguageVocabulary, ids: NDArray[np.unsignedinteger]) -> TextExtent:
    """The extent of `ids`, unsigned[tokens], possibly memory-mapped."""
    extents = TokenExtents(vocabulary)
    characters = words = 0.0
    for start in range(1, len(ids), _TOKENS_AT_ONCE):
        here = np.asarray(ids[start : start + _TOKENS_AT_ONCE])
        before = np.asarray(ids[start - 1 : start - 1 + len(here)])
        more = extents.count(before, here)
        characters += float(more[0].sum())
        words += float(more[1].sum())
    return TextExtent(len(ids) - 1, int(characters), int(words))
