"""The vocabulary of a language model of subwords: byte-pair encoding that keeps every byte."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from rnnkit.errors import DataError
from rnnkit.text.spelling import Spelling, label_bytes, spell
from rnnkit.text.stored import read_choice, read_mapping
from rnnkit.text.subwords import HALF_SURROGATE_PAIR, Subwords
from rnnkit.text.tokenize import TextRules


@dataclass(frozen=True)
class SubwordVocabulary:
    """Pieces of UTF-8, the 256 bytes among them, so nothing is unknown and the text of ids is
    exact. `subwords` is the tokenizer's JSON."""

    rules: TextRules
    subwords: str
    kind: Literal["subwords"] = "subwords"
    has_unknown: Literal[False] = False

    @cached_property
    def _tokenizer(self) -> Subwords:
        return Subwords.from_json(self.subwords)

    @cached_property
    def contents(self) -> tuple[bytes, ...]:
        """The bytes of every token."""
        return self._tokenizer.contents

    @property
    def spellings(self) -> tuple[str, ...]:
        """The text of every token, as a classifier of subwords lists its own."""
        return self._tokenizer.tokens

    @property
    def size(self) -> int:
        """Number of different ids."""
        return len(self.contents)

    @property
    def unknown_id(self) -> None:
        """There is no `<unk>`."""
        return None

    def encode(self, text: str) -> list[int]:
        """The ids of `text` after cleaning. Raises DataError for half of a surrogate pair."""
        if lone := self.unseen(text):
            raise DataError(
                f"The text holds {lone[0]!r}, half of a surrogate pair, which is no character and "
                "has no UTF-8 form. Remove it."
            )
        return self.encode_clean(self.rules.apply(text))

    def encode_clean(self, text: str) -> list[int]:
        """The ids of a text that is clean and holds whole characters only."""
        return self._tokenizer.encode_exactly(text)

    def unseen(self, text: str) -> tuple[str, ...]:
        """What of `text` is no character at all."""
        return tuple(dict.fromkeys(HALF_SURROGATE_PAIR.findall(text)))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD.

        Raises ValueError for an id outside the vocabulary.
        """
        return b"".join(map(self.bytes_of, ids)).decode("utf-8", errors="replace")

    def bytes_of(self, index: int) -> bytes:
        """The bytes of one token. Raises ValueError for an id outside the vocabulary."""
        if not 0 <= index < self.size:
            raise ValueError(f"id {index} is outside the vocabulary of {self.size}")
        return self.contents[index]

    @property
    def start_id(self) -> int:
        """Where a text without a beginning starts from: a newline."""
        return self.contents.index(b"\n")

    def opening(self, text: str) -> str:
        """`text` cleaned, as the beginning of what is to be continued: without blanks at the end,
        which the next word brings with it."""
        return self.rules.apply(text).rstrip(" \t")

    def without_unseen(self, text: str) -> str:
        """The cleaned `text` without what is no character."""
        return HALF_SURROGATE_PAIR.sub("", self.rules.apply(text))

    def label(self, index: int) -> str:
        """A short printable name of a token, for tables and pictures: `␣the`, `⏎`, `<0xF0>`."""
        return label_bytes(self.bytes_of(index))

    def spelling(self, index: int) -> Spelling:
        """What the token adds to a text."""
        return spell(self.bytes_of(index))

    def to_dict(self) -> dict[str, Any]:
        """The vocabulary as JSON values; `from_dict` reads it back."""
        return {"kind": self.kind, "subwords": self.subwords, "rules": asdict(self.rules)}

    @staticmethod
    def from_dict(content: object) -> "SubwordVocabulary":
        """Read what `to_dict` wrote; raises ValueError saying what is wrong."""
        fields = read_mapping(content, {"kind", "subwords", "rules"}, "the vocabulary")
        read_choice(fields["kind"], ("subwords",), "kind")
        if not isinstance(fields["subwords"], str):
            raise ValueError("subwords is not a text")
        vocabulary = SubwordVocabulary(TextRules.from_dict(fields["rules"]), fields["subwords"])
        if b"\n" not in vocabulary.contents:
            raise ValueError("the subwords lack bytes")
        return vocabulary
