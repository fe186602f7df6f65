"""What a reader of a text keeps in mind, character by character: candidates for what a unit tracks.

The list follows Karpathy, Johnson and Fei-Fei 2016 ("Visualizing and understanding recurrent
networks"), who found units for quotes, line length, indentation and brackets by eye.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_OPENS_QUOTE = frozenset("“„«")
_CLOSES_QUOTE = frozenset("”»")
_SENTENCE_END = frozenset(".!?")
_TAB_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Property:
    """One property of a text after each token, float64[tokens].

    `is_flag` tells that the values are 0 and 1; otherwise they are counts.
    """

    name: str
    values: np.ndarray
    is_flag: bool

    def part(self, tokens: slice) -> "Property":
        """The same of some of the tokens."""
        return replace(self, values=self.values[tokens])


def text_properties(pieces: Sequence[str]) -> list[Property]:
    """Every property after every token.

    `pieces` are the texts of the tokens. A token that completes no character (a byte inside one)
    has the properties of the character before it. Those called "next" are about the character that
    follows, which the model has not read yet; at the end of the text nothing follows.

    Quotes, brackets and angle brackets that are never closed end at the next blank line.
    """
    text = "".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    counts = {name: np.zeros(len(text) + 1) for name in _COUNTS}
    flags = {name: np.zeros(len(text) + 1) for name in _FLAGS}
    reader = _Reader()
    for place, character in enumerate(text, start=1):
        reader.read(character)
        for name, value in reader.counts().items():
            counts[name][place] = value
        for name, value in reader.flags(character).items():
            flags[name][place] = value
    ahead = {name: np.zeros(len(text) + 1) for name in _AHEAD}
    for place, character in enumerate(text):
        for name, value in _ahead(character).items():
            ahead[name][place] = value
    return [
        *(Property(name, values[ends], is_flag=False) for name, values in counts.items()),
        *(Property(name, values[ends], is_flag=True) for name, values in flags.items()),
        *(Property(name, values[ends], is_flag=True) for name, values in ahead.items()),
    ]


class _Reader:
    """What is remembered of the text so far."""

    def __init__(self) -> None:
        self.in_quotes = self.in_angles = self.word_is_capital = False
        self.brackets = self.line = self.indentation = self.word = self.sentence = 0
        self.line_is_blank = True

    def read(self, character: str) -> None:
        if character == "\n":
            if self.line_is_blank:  # a blank line ends what was left open
                self.in_quotes = self.in_angles = False
                self.brackets = 0
            self.line = self.indentation = 0
            self.line_is_blank = True
        else:
            self.line += 1
            self._indent(character)
        self._enclose(character)
        if character.isalnum() or (character in "'’" and self.word):
            self.word_is_capital = (
                self.word_is_capital or not self.word
            ) and not character.islower()
            self.word += 1
        else:
            self.word = 0
        self.sentence = 0 if character in _SENTENCE_END else self.sentence + 1

    def _indent(self, character: str) -> None:
        if not character.isspace():
            self.line_is_blank = False
        elif self.line_is_blank:
            self.indentation += _TAB_COLUMNS if character == "\t" else 1

    def _enclose(self, character: str) -> None:
        if character == '"':
            self.in_quotes = not self.in_quotes
        elif character in _OPENS_QUOTE:
            self.in_quotes = True
        elif character in _CLOSES_QUOTE:
            self.in_quotes = False
        elif character in "([{":
            self.brackets += 1
        elif character in ")]}":
            self.brackets = max(self.brackets - 1, 0)
        elif character == "<":
            self.in_angles = True
        elif character == ">":
            self.in_angles = False

    def counts(self) -> dict[str, int]:
        return {
            "position in line": self.line,
            "indentation of line": self.indentation,
            "position in word": self.word,
            "position in sentence": self.sentence,
            "bracket depth": self.brackets,
        }

    def flags(self, character: str) -> dict[str, bool]:
        return {
            "inside quotes": self.in_quotes,
            "inside <...>": self.in_angles,
            "inside word in capitals": self.word > 1 and self.word_is_capital,
            "white space read": character.isspace(),
            "line break read": character == "\n",
            "capital letter read": character.isupper(),
            "digit read": character.isdigit(),
            "punctuation read": _is_punctuation(character),
        }


def _ahead(character: str) -> dict[str, bool]:
    return {
        "white space next": character.isspace(),
        "line break next": character == "\n",
        "capital letter next": character.isupper(),
        "digit next": character.isdigit(),
        "punctuation next": _is_punctuation(character),
    }


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


_COUNTS = tuple(_Reader().counts())
_FLAGS = tuple(_Reader().flags(" "))
_AHEAD = tuple(_ahead(" "))
