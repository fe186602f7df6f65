r"""Words that can be joined into the same text again, for language models.

A text is cut into words, punctuation and newlines. The space between two of them follows from a
few rules of typography (one space, but none before a comma or after an opening bracket) and takes
no token of its own. Where a text departs from the rules, a token says so:

    punctuation in another form         `<open ">`    no space after it: said, "Come
                                        `<spaced ->`  a space on both sides: one - two
    a mark between two tokens           `<join>`      no space where the rules have one
                                        " ", "\t"     whitespace as it is, each a token

    He said, "Don't go." - "Why?"
    He said , <open "> Don't go . " <spaced -> <open "> Why ? "

Whether there is a space between two tokens depends on these two alone, so any part of a text can
be joined.
"""

import re
from functools import cache, lru_cache
from typing import Literal, NamedTuple, assert_never

from rnnkit.text.words import ABBREVIATION, IDEOGRAPH, LETTER, LETTERS, MAIL_ADDRESS, UNSPACED

Layout = Literal["text", "sentences"]

JOIN = "<join>"
SPACE = " "
NEWLINE = "\n"

_CLOSING = frozenset(".,;:!?)]}%‰°…")
_OPENING = frozenset("([{¿¡#$£€¥@")
_TIGHT = frozenset("-–—/‐‑")
_QUOTES = frozenset("\"'`‘’‚“”„«»‹›_*")
"""Punctuation that opens and closes alike, or opens in one language and closes in another."""
_OPEN, _SPACED = "<open ", "<spaced "

_APOSTROPHE = "['’]"
_CLITIC = rf"{_APOSTROPHE}(?:[sdmSDM]|ll|LL|re|RE|ve|VE)(?!\w)"
# Words shortened before another one in French and Italian: l'amour, qu'il, dell'arte.
_ELISION = (
    "(?:[cdjlmnstCDJLMNST]|(?:jus|lors|puis|quoi|Jus|Lors|Puis|Quoi)?[qQ]u|[dDnNsS]?[aeAE]ll|[uU]n)"
)
_ADDRESS = r"(?:https?|ftp)://[^\s<>\"]*[^\s<>\".,;:!?'()\[\]{}]"
_MOST_REMEMBERED = 1 << 18

_SENTENCE_UNIT = re.compile(r"\n|\S+")


@cache
def _wide() -> re.Pattern[str]:
    """Return the characters of Chinese and Japanese, which bring their own space."""
    return re.compile(f"[{UNSPACED}、。，．！？：；・（）【】「」『』《》〈〉]")


@cache
def _unit() -> re.Pattern[str]:
    """Return the expression of one unit, compiled at its first use: that takes as long as a tenth
    of `rnnkit generate`.

    Alternatives come in the order in which they are tried; one of them matches everything.
    """
    return re.compile(
        rf"""
          [^\S\n]++                                     # a gap
        | \n
        | {_ADDRESS} | {MAIL_ADDRESS}
        | \d++(?:[.,:]\d++)++(?:{LETTERS})?             # 1,000.50 and 10:30pm
        | {ABBREVIATION}
        | (?<={LETTER}){_CLITIC}                        # king's, I'll
        | (?<!\w){_ELISION}(?!{_CLITIC}){_APOSTROPHE}(?={LETTER})
        | {LETTERS}(?:(?!{_CLITIC})['’_\u200c\u200d]{LETTERS})*+
        | {IDEOGRAPH}
        | \.{{2,}} | -{{2,}} | !{{2,}} | \?{{2,}} | ={{2,}} | ~{{2,}} | \#{{2,}} | \+{{2,}}
        | .
        """,
        re.VERBOSE | re.DOTALL,
    )


class Spacing(NamedTuple):
    """The text of a token and where it takes no space: there is a space between two tokens unless
    the first `joins_right` or the second `joins_left`."""

    spelled: str
    joins_left: bool
    joins_right: bool


def tokenize(text: str, layout: Layout, *, after: str | None = None) -> list[str]:
    """Return the tokens of a cleaned text, in order.

    `text`: words, punctuation and newlines, as described above. `sentences`, the layout of the
    Penn Treebank: everything between whitespace, unchanged, and a newline for every line.
    `after` is the last token before `text` when a text is read in pieces; they may be cut where a
    word or punctuation ends and whitespace begins.
    """
    match layout:
        case "sentences":
            return _SENTENCE_UNIT.findall(text)
        case "text":
            return _tokenize_text(text, after)
        case _:
            assert_never(layout)


def _tokenize_text(text: str, after: str | None) -> list[str]:
    units: list[str] = _unit().findall(text)
    tokens: list[str] = []
    gap, before = "", _START if after is None else _token_unit(after)
    units.append(NEWLINE)  # what follows the last one; like the end, it needs no space before it
    for index in range(len(units) - 1):
        here = _unit_of(units[index])
        if here.is_gap:
            gap = here.token
            continue
        if here.spaced is not None:
            following = units[index + 1]
            if following[0].isspace():
                if gap or (before.is_edge and following != NEWLINE):
                    here = here.spaced
            elif here.open is not None and (gap or before.opens):
                here = here.open
        rule = "" if before.joins_right or here.joins_left else SPACE
        if gap != rule:
            tokens += gap or (JOIN,)
        tokens.append(here.token)
        gap, before = "", here
    tokens += gap
    return tokens


def spacing(token: str, layout: Layout) -> Spacing:
    """Return the text and the spacing of `token` in a text of this layout."""
    match layout:
        case "sentences":
            return Spacing(token, token == NEWLINE, token == NEWLINE)
        case "text":
            here = _token_unit(token)
            return Spacing(here.spelled, here.joins_left, here.joins_right)
        case _:
            assert_never(layout)


class _Unit(NamedTuple):
    """A token, and the properties that decide about the space around it."""

    token: str
    spelled: str
    joins_left: bool
    joins_right: bool
    is_gap: bool = False
    is_edge: bool = False
    opens: bool = False
    """A quote after it opens."""
    open: "_Unit | None" = None
    spaced: "_Unit | None" = None
    """The other forms that it has."""


_START = _Unit("", "", True, True, is_edge=True, opens=True)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _token_unit(token: str) -> _Unit:
    for form in (_OPEN, _SPACED):
        if token.startswith(form):
            here = _unit_of(token[len(form) : -1])
            other = here.open if form == _OPEN else here.spaced
            return here if other is None else other
    return _unit_of(token)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _unit_of(unit: str) -> _Unit:
    first = unit[0]
    if unit == NEWLINE:
        return _Unit(unit, unit, True, True, is_edge=True, opens=True)
    if unit == JOIN:
        return _Unit(unit, "", True, True)
    if first.isspace():
        return _Unit(unit, unit, True, True, is_gap=True)
    if _wide().match(unit):
        return _Unit(unit, unit, True, True)
    if first.isalnum() or (first in "'’" and len(unit) > 1):
        return _Unit(unit, unit, first in "'’", unit[-1] in "'’")
    is_quote, tight = first in _QUOTES, first in _TIGHT
    left, right = is_quote or tight or first in _CLOSING, tight or first in _OPENING
    if not left and not right:
        return _Unit(unit, unit, False, False)
    return _Unit(
        unit,
        unit,
        left,
        right,
        opens=right,
        open=_Unit(f"{_OPEN}{unit}>", unit, False, True, opens=True) if is_quote else None,
        spaced=_Unit(f"{_SPACED}{unit}>", unit, False, False),
    )
