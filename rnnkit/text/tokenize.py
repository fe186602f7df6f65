"""The rules that clean a text before it becomes tokens, usable whole or piece by piece.

A long text is cleaned in pieces, and the result must be that of cleaning it whole. Three things
reach across a cut: CRLF is two characters, a combining character composes with what stands
before it, and the lower case of a capital sigma depends on both neighbours
(the last letter of a Greek word has a form of its own). `TextRules.last_safe_cut` knows where
none of them can.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from rnnkit.text.stored import read_choice, read_flag, read_mapping

Newlines = Literal["normalize", "keep"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]

_BLANKS = frozenset(" \t\n\r")
_ALPHANUMERIC = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FIRST_COMBINING = "\u0300"


@dataclass(frozen=True)
class TextRules:
    """How a text is cleaned: newlines first, then normalisation, then case. Cleaning a text that
    is clean changes nothing."""

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
            # both diaeresis and accent), so the lower-cased text is normalised again.
            text = self._normalize(text.lower())
        return text

    @staticmethod
    def from_dict(content: object) -> "TextRules":
        """Read what `dataclasses.asdict` made; raises ValueError saying what is wrong."""
        rules = read_mapping(content, {"newlines", "normalization", "lowercase"}, "rules")
        return TextRules(
            newlines=read_choice(rules["newlines"], get_args(Newlines), "newlines"),
            normalization=read_choice(
                rules["normalization"], get_args(Normalization), "normalization"
            ),
            lowercase=read_flag(rules["lowercase"], "lowercase"),
        )

    def _normalize(self, text: str) -> str:
        if self.normalization == "none":
            return text
        return unicodedata.normalize(self.normalization, text)

    def last_safe_cut(self, text: str, *, start: int = 1) -> int:
        """The last place where `text` can be cut whatever follows it, or 0 if there is none.

        For such a cut, `apply(text[:cut]) + apply(text[cut:] + more) == apply(text + more)`.
        `start` is the first place to consider: what was searched before need not be again.
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
        # stops, marks) and ends at a blank with "no letter", at an ASCII letter or digit with
        # the same answer on either side of the cut.
        if after in _BLANKS:
            return True
        return after in _ALPHANUMERIC and (before in _ALPHANUMERIC or before in _BLANKS)


def _is_east_asian_starter(character: str) -> bool:
    """Kana, Han and Hangul syllables: caseless, and never composed with what precedes them.
    Their texts may go on for long without a blank."""
    return (
        "\u3041" <= character <= "\u3096"
        or "\u30a1" <= character <= "\u30fa"
        or "\u4e00" <= character <= "\u9fff"
        or "\uac00" <= character <= "\ud7a3"
    )
