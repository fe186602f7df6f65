r"""Texts into words that can be joined into the same text again.

A text is cut into words, signs and newlines. What stands between two of them follows from a few
rules of typography (a space, but none before a comma or after an opening bracket) and takes no
token of its own. Where a text departs from the rules, a token says so:

    the sign itself in another form     `<open ">`    no space after it: said, "Come
                                        `<spaced ->`  a space on both sides: one - two
    a mark between two tokens           `<join>`      no space where the rules have one
                                        " ", "\t"     blanks as they stand, each a token

    He said, "Don't go." - "Why?"
    He said , <open "> Don't go . " <spaced -> <open "> Why ? "

Whether there is a space between two tokens depends on these two alone, so a text can be joined
from anywhere.
"""

import re
from functools import cache, lru_cache
from typing import Literal, NamedTuple, assert_never

from rnnkit.text.scripts import LETTER, LETTERS, MARK, UNSPACED

Layout = Literal["text", "sentences"]

JOIN = "<join>"
SPACE = " "
NEWLINE = "\n"

_CLOSING = frozenset(".,;:!?)]}%‰°…")
_OPENING = frozenset("([{¿¡#$£€¥@")
_TIGHT = frozenset("-–—/‐‑")
_QUOTES = frozenset("\"'`‘’‚“”„«»‹›_*")
"""Signs that open and close alike, or that open in one language and close in another."""
_OPEN, _SPACED = "<open ", "<spaced "

_APOSTROPHE = "['’]"
_CLITIC = rf"{_APOSTROPHE}(?:[sdmSDM]|ll|LL|re|RE|ve|VE)(?!\w)"
# What stands shortened before another word in French and Italian: l'amour, qu'il, dell'arte.
_ELISION = (
    "(?:[cdjlmnstCDJLMNST]|(?:jus|lors|puis|quoi|Jus|Lors|Puis|Quoi)?[qQ]u|[dDnNsS]?[aeAE]ll|[uU]n)"
)
_ADDRESS = (
    r"(?:https?|ftp)://[^\s<>\"]*[^\s<>\".,;:!?'()\[\]{}]"
    r"|(?<![\w.+-])[\w.+-]{1,64}+@[a-zA-Z0-9-]{1,63}+(?:\.[a-zA-Z0-9-]{1,63}+){1,4}+"
)
_MOST_REMEMBERED = 1 << 18

_SENTENCE_UNIT = re.compile(r"\n|\S+")


@cache
def _wide() -> re.Pattern[str]:
    """The signs of Chinese and Japanese, which bring their own space."""
    return re.compile(f"[{UNSPACED}、。，．！？：；・（）【】「」『』《》〈〉]")


@cache
def _unit() -> re.Pattern[str]:
    """Compiled when it is first needed, which takes as long as a tenth of `rnnkit generate`.

    In the order in which they are tried; everything is matched by one of them.
    """
    return re.compile(
        rf"""
          [^\S\n]++                                     # a gap
        | \n
        | {_ADDRESS}
        | \d++(?:[.,:]\d++)++(?:{LETTERS})?             # 1,000.50 and 10:30pm
        | (?:[^\W\d_]\.){{2,}}(?:[^\W\d_](?!\w))?       # U.S.A.
        | (?<={LETTER}){_CLITIC}                        # king's, I'll
        | (?<!\w){_ELISION}(?!{_CLITIC}){_APOSTROPHE}(?={LETTER})
        | {LETTERS}(?:(?!{_CLITIC})['’_\u200c\u200d]{LETTERS})*+
        | [{UNSPACED}]{MARK}*+
        | \.{{2,}} | -{{2,}} | !{{2,}} | \?{{2,}} | ={{2,}} | ~{{2,}} | \#{{2,}} | \+{{2,}}
        | .
        """,
        re.VERBOSE | re.DOTALL,
    )


class Spacing(NamedTuple):
    """What a token adds to a text, and whether a space may stand beside it: there is one between
    two tokens unless the first `joins_right` or the second `joins_left`."""

    spelled: str
    joins_left: bool
    joins_right: bool


def tokenize(text: str, layout: Layout, *, after: str | None = None) -> list[str]:
    r"""The tokens of a cleaned text, in order.

    `text`: words, signs and newlines, as described above. `sentences`, the layout of the Penn
    Treebank: what stands between blanks, as it is, and a newline for every line.
    `after` is the last token of what came before, for a text that is read in pieces; they may be
    cut where a word or sign ends and a blank or newline begins.
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
    gap, before = "", _START if after is None else _token_facts(after)
    units.append(NEWLINE)  # what follows the last one; like the end, it needs no space before it
    for index in range(len(units) - 1):
        unit = units[index]
        facts = _unit_facts(unit)
        if facts.is_gap:
            gap = unit
            continue
        if facts.spaced is not None:
            following = units[index + 1]
            if following[0].isspace():
                if gap or (before.is_edge and following != NEWLINE):
                    facts = facts.spaced
            elif facts.open is not None and (gap or before.opens):
                facts = facts.open
        rule = "" if before.joins_right or facts.joins_left else SPACE
        if gap != rule:
            tokens += gap or (JOIN,)
        tokens.append(facts.token)
        gap, before = "", facts
    tokens += gap
    return tokens


def spacing(token: str, layout: Layout) -> Spacing:
    """How `token` stands in a text of this layout."""
    match layout:
        case "sentences":
            return Spacing(token, token == NEWLINE, token == NEWLINE)
        case "text":
            facts = _token_facts(token)
            return Spacing(facts.spelled, facts.joins_left, facts.joins_right)
        case _:
            assert_never(layout)


class _Facts(NamedTuple):
    """A token, and what decides about the space around it."""

    token: str
    spelled: str
    joins_left: bool
    joins_right: bool
    is_gap: bool = False
    is_edge: bool = False
    opens: bool = False
    """A quote after it opens."""
    open: "_Facts | None" = None
    spaced: "_Facts | None" = None
    """The other forms that it has."""


_START = _Facts("", "", True, True, is_edge=True, opens=True)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _token_facts(token: str) -> _Facts:
    for form in (_OPEN, _SPACED):
        if token.startswith(form):
            facts = _unit_facts(token[len(form) : -1])
            other = facts.open if form == _OPEN else facts.spaced
            return facts if other is None else other
    return _unit_facts(token)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _unit_facts(unit: str) -> _Facts:
    first = unit[0]
    if unit == NEWLINE:
        return _Facts(unit, unit, True, True, is_edge=True, opens=True)
    if unit == JOIN:
        return _Facts(unit, "", True, True)
    if first.isspace():
        return _Facts(unit, unit, True, True, is_gap=True)
    if _wide().match(unit):
        return _Facts(unit, unit, True, True)
    if first.isalnum() or (first in "'’" and len(unit) > 1):
        return _Facts(unit, unit, first in "'’", unit[-1] in "'’")
    is_quote, tight = first in _QUOTES, first in _TIGHT
    left, right = is_quote or tight or first in _CLOSING, tight or first in _OPENING
    if not left and not right:
        return _Facts(unit, unit, False, False)
    return _Facts(
        unit,
        unit,
        left,
        right,
        opens=right,
        open=_Facts(f"{_OPEN}{unit}>", unit, False, True, opens=True) if is_quote else None,
        spaced=_Facts(f"{_SPACED}{unit}>", unit, False, False),
    )
