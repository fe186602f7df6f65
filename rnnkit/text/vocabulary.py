"""The mapping between text and token ids, as it is stored beside a model."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, assert_never, get_args

from rnnkit.errors import DataError
from rnnkit.text.spelling import REPLACEMENT, UNKNOWN, Spelling, label_bytes, label_text, spell
from rnnkit.text.stored import read_choice, read_flag, read_mapping
from rnnkit.text.tokenize import TextRules

Tokens = Literal["characters", "bytes"]

_NAMED_AT_MOST = 10


@dataclass(frozen=True)
class Vocabulary:
    """Token ids and what they stand for.

    `characters`: the ids of `tokens` in order of code point, from 0, or from 1 when there is an
    `<unk>`, which then is id 0 and not among `tokens`.
    `bytes`: the 256 values of a UTF-8 byte; `tokens` is empty and there is no `<unk>`.
    """

    rules: TextRules
    kind: Tokens
    tokens: tuple[str, ...] = ()
    has_unknown: bool = False

    @property
    def size(self) -> int:
        """Number of different ids."""
        return 256 if self.kind == "bytes" else len(self.tokens) + self.has_unknown

    @property
    def unknown_id(self) -> int | None:
        """The id of `<unk>`, if there is one."""
        return 0 if self.has_unknown else None

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens, start=self.has_unknown)}

    def encode(self, text: str) -> list[int]:
        """The ids of `text` after cleaning; unseen characters become `<unk>`.

        Raises DataError when there are unseen characters and no `<unk>`.
        """
        match self.kind:
            case "bytes":
                if lone := self.unseen(text):
                    raise DataError(
                        f"The text holds {name_characters(lone)}, half of a surrogate pair, which "
                        "is no character and has no UTF-8 form. Remove it."
                    )
                return list(self.rules.apply(text).encode("utf-8"))
            case "characters":
                if not self.has_unknown and (unseen := self.unseen(text)):
                    raise DataError(
                        f"The text holds characters that never occurred in the training text: "
                        f"{name_characters(unseen)}. Remove or replace them."
                    )
                return [self._ids.get(character, 0) for character in self.rules.apply(text)]
            case _:
                assert_never(self.kind)

    def unseen(self, text: str) -> tuple[str, ...]:
        """The different characters of the cleaned `text` without an id, in order of appearance."""
        distinct = dict.fromkeys(self.rules.apply(text))
        if self.kind == "bytes":
            return tuple(c for c in distinct if "\ud800" <= c <= "\udfff")
        return tuple(c for c in distinct if c not in self._ids)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; `<unk>` and bytes that are not UTF-8 become U+FFFD.

        Raises ValueError for an id outside the vocabulary.
        """
        if self.kind == "bytes":
            return bytes(ids).decode("utf-8", errors="replace")
        return "".join(map(self._token, ids))

    def _token(self, index: int) -> str:
        if not 0 <= index < self.size:
            raise ValueError(f"id {index} is outside the vocabulary of {self.size}")
        if self.has_unknown:
            return REPLACEMENT if index == 0 else self.tokens[index - 1]
        return self.tokens[index]

    @property
    def start_id(self) -> int:
        """Where a text without a beginning starts from: a newline if there is one, else a space,
        else the first token."""
        for character in "\n ":
            if not self.unseen(character):
                return self.encode(character)[0]
        return int(self.has_unknown)

    def opening(self, text: str) -> str:
        """`text` cleaned, as the beginning of what is to be continued."""
        return self.rules.apply(text)

    def without_unseen(self, text: str) -> str:
        """The cleaned `text` without the characters that have no id."""
        dropped = set(self.unseen(text))
        return "".join(c for c in self.rules.apply(text) if c not in dropped)

    def label(self, index: int) -> str:
        """A short printable name of a token, for tables and pictures: `e`, `⏎`, `<unk>`."""
        if self.kind == "bytes":
            return label_bytes(bytes((index,)))
        if index == self.unknown_id:
            return UNKNOWN
        return label_text(self._token(index))

    def spelling(self, index: int) -> Spelling:
        """What the token adds to a text; an unknown character counts as one."""
        if self.kind == "bytes":
            return spell(bytes((index,)))
        return spell(self._token(index).encode("utf-8"))

    def to_dict(self) -> dict[str, Any]:
        """The vocabulary as JSON values; `from_dict` reads it back."""
        return {
            "kind": self.kind,
            "tokens": list(self.tokens),
            "has_unknown": self.has_unknown,
            "rules": asdict(self.rules),
        }

    @staticmethod
    def from_dict(content: object) -> "Vocabulary":
        """Read what `to_dict` wrote; raises ValueError saying what is wrong."""
        fields = read_mapping(content, {"kind", "tokens", "has_unknown", "rules"}, "the vocabulary")
        tokens = fields["tokens"]
        if not isinstance(tokens, list) or not all(_is_character(token) for token in tokens):
            raise ValueError("tokens is not a list of single characters")
        if any(a >= b for a, b in pairwise(tokens)):
            raise ValueError("tokens are not in strictly rising order")
        kind = read_choice(fields["kind"], get_args(Tokens), "kind")
        has_unknown = read_flag(fields["has_unknown"], "has_unknown")
        if kind == "bytes" and (tokens or has_unknown):
            raise ValueError("a vocabulary of bytes lists no tokens and has no <unk>")
        if kind == "characters" and not tokens:
            raise ValueError("tokens is empty")
        return Vocabulary(
            rules=TextRules.from_dict(fields["rules"]),
            kind=kind,
            tokens=tuple(tokens),
            has_unknown=has_unknown,
        )


def name_character(character: str) -> str:
    """A character so that it can be told apart: `'é' (U+00E9)`."""
    return f"{character!r} (U+{ord(character):04X})"


def name_characters(characters: tuple[str, ...]) -> str:
    """`'é' (U+00E9), 'ñ' (U+00F1) and 3 more`: the first few, for messages."""
    named = ", ".join(map(name_character, characters[:_NAMED_AT_MOST]))
    more = len(characters) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named


def _is_character(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1 and not "\ud800" <= value <= "\udfff"
