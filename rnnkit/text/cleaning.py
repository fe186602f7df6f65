"""Rules that clean a text before it is tokenized, whole or piece by piece.

A long text is cleaned in pieces, and the result must equal that of cleaning it whole. Three things
reach across a cut: CRLF is two characters, a combining character composes with the character
before it, and the lower case of a capital sigma depends on both neighbours (the last letter of a
Greek word has a form of its own). `TextRules.last_safe_cut` finds places where none of them can.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Newlines = Literal["normalize", "keep"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]

_WHITESPACE = frozenset(" \t\n\r")
_ALPHANUMERIC = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FIRST_COMBINING = "\u0300"


@dataclass(frozen=True)
class TextRules:
    """Cleaning of a text: newlines first, then normalization, then case. Cleaning a clean text
    changes nothing."""

    newlines: Newlines = "normalize"
    normalization: Normalization = "none"
    lowercase: bool = False

    def apply(self, text: str) -> str:
        r"""Clean a whole text: `TextRules(lowercase=True).apply("A\r\nB") == "a\nb"`."""
        if self.newlines == "normalize" and "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = self._normalize(text)
        if self.lowercase:
            # Small letters compose where capitals do not (a Greek capital iota has no form with
            # both diaeresis and accent), so the lower-cased text is normalized again.
            text = self._normalize(text.lower())
        return text

    def _normalize(self, text: str) -> str:
        if self.normalization == "none":
            return text
        return unicodedata.normalize(self.normalization, text)

    def last_safe_cut(self, text: str, *, start: int = 1) -> int:
        """Return the last place where `text` can be cut whatever follows it, 0 if there is none.

        For such a cut, `apply(text[:cut]) + apply(text[cut:] + more) == apply(text + more)`.
        `start` is the first place to consider, for a text whose beginning was searched before.
        """
        for cut in range(len(text) - 1, max(start, 1) - 1, -1):
            if self._can_cut(text[cut - 1], text[cut]):
                return cut
        return 0

    def _can_cut(self, before: str, after: str) -> bool:
        if before == "\r" and after == "\n":
            return False
        if self.normalization == "none" and not self.lowercase:
            return True
        if _is_east_asian_starter(after):
            return True
        if not self.lowercase:
            # Nothing below the combining characters ever composes with what precedes it.
            return after < _FIRST_COMBINING
        # The search for the neighbours of a sigma skips some characters (apostrophes, full
        # stops, marks) and ends at whitespace with "no letter", at an ASCII letter or digit with
        # the same answer on either side of the cut.
        if after in _WHITESPACE:
            return True
        return after in _ALPHANUMERIC and (before in _ALPHANUMERIC or before in _WHITESPACE)


def _is_east_asian_starter(character: str) -> bool:
    """Whether it is kana, Han or a Hangul syllable: caseless, never composed with the character
    before it. Their texts may be long without any whitespace."""
    return (
        "\u3041" <= character <= "\u3096"
        or "\u30a1" <= character <= "\u30fa"
        or "\u4e00" <= character <= "\u9fff"
        or "\uac00" <= character <= "\ud7a3"
    )
