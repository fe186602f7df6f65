"""What tokens add to a text: characters and words, whatever the tokens are."""

from dataclasses import dataclass
from itertools import pairwise

UNKNOWN = "<unk>"
"""How the unknown token is written."""
REPLACEMENT = "\ufffd"
"""What bytes that are not UTF-8 look like when decoded, and an unknown character."""

_BLANKS = b" \t\n\v\f\r"
_NAMES = {"\n": "⏎", " ": "␣", "\t": "⇥"}


@dataclass(frozen=True)
class Spelling:
    """One token in a text. Words are what stands between spaces, tabs and newlines.

    Between two tokens stands one space unless the first `joins_right` or the second `joins_left`;
    tokens of characters, bytes and subwords always do.
    """

    characters: int
    """Characters that begin in it."""
    words: int
    """Words that begin in it after a blank of its own."""
    starts_word: bool
    """Its first character is no blank: after a blank it begins a word."""
    ends_blank: bool
    """Its last character is a blank: what follows begins a word."""
    joins_left: bool = True
    joins_right: bool = True


def spell(content: bytes, *, joins_left: bool = True, joins_right: bool = True) -> Spelling:
    r"""The spelling of a token of these bytes of UTF-8.

    >>> spell(b" the\nend")
    Spelling(characters=8, words=2, starts_word=False, ends_blank=False, ...)
    """
    # The bytes of a character after its first one are 10xxxxxx.
    begun = [byte for byte in content if byte & 0xC0 != 0x80]
    blank = [byte in _BLANKS for byte in begun]
    return Spelling(
        characters=len(begun),
        words=sum(before and not here for before, here in pairwise(blank)),
        starts_word=bool(begun) and content[0] == begun[0] and not blank[0],
        ends_blank=bool(content) and content[-1] in _BLANKS,
        joins_left=joins_left,
        joins_right=joins_right,
    )


def label_text(text: str) -> str:
    r"""A short printable name for a piece of text: `"\n"` is `⏎`, a space `␣`, a tab `⇥`; other
    characters that cannot be printed are written as their code points, `<U+200B>`."""
    return "".join(_NAMES.get(c) or (c if c.isprintable() else f"<U+{ord(c):04X}>") for c in text)


def label_bytes(content: bytes) -> str:
    """The same for bytes; those that are no UTF-8 as `<0xF0>`."""
    try:
        return label_text(content.decode("utf-8"))
    except UnicodeDecodeError:
        return f"<0x{content.hex().upper()}>"
