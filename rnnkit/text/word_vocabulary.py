"""The vocabulary of a language model of words."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from rnnkit.text.spelling import UNKNOWN, Spelling, label_text, spell
from rnnkit.text.stored import read_choice, read_mapping
from rnnkit.text.tokenize import TextRules
from rnnkit.text.word_tokens import JOIN, NEWLINE, SPACE, Layout, Spacing, spacing, tokenize

MARKS: Mapping[Layout, tuple[str, ...]] = {"text": (JOIN, SPACE), "sentences": ()}
"""Tokens that every vocabulary of a layout has, so that known words can be written in any way."""


@dataclass(frozen=True)
class WordVocabulary:
    """Words, signs and newlines: id 0 is `<unk>`, and `tokens[i]` has id `i + 1`.

    `tokens` begin with the marks of the layout; the others stand by falling number of
    occurrences in the training part, equally frequent ones in order of code points. The text of
    ids is exact where no token is unknown; in the layout `sentences`, where words are separated
    by one space.
    """

    rules: TextRules
    layout: Layout
    tokens: tuple[str, ...]
    kind: Literal["words"] = "words"
    has_unknown: Literal[True] = True

    @property
    def size(self) -> int:
        """Number of different ids."""
        return len(self.tokens) + 1

    @property
    def unknown_id(self) -> int:
        """The id of `<unk>`."""
        return 0

    @cached_property
    def _ids(self) -> dict[str, int]:
        ids = {token: index for index, token in enumerate(self.tokens, start=1)}
        return ids | {UNKNOWN: 0} if self.layout == "sentences" else ids

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text` after cleaning, known or not."""
        return tokenize(self.rules.apply(text), self.layout)

    def id_of(self, token: str) -> int:
        """The id of a token; that of `<unk>` when it is not in the vocabulary."""
        return self._ids.get(token, 0)

    def knows(self, token: str) -> bool:
        """Whether the token has an id."""
        return token in self._ids

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens without the marks."""
        return self.tokens[len(MARKS[self.layout]) :]

    def word_of(self, index: int) -> str:
        """What the token looks like in a text, without the name of its form."""
        return self._spacing(index).spelled

    def token_of(self, index: int) -> str:
        """What `index` stands for. Raises ValueError for an id outside the vocabulary."""
        if not 0 <= index < self.size:
            raise ValueError(f"id {index} is outside the vocabulary of {self.size}")
        return self.tokens[index - 1] if index else UNKNOWN

    def encode(self, text: str) -> list[int]:
        """The ids of `text` after cleaning; unknown words become `<unk>`."""
        ids = self._ids
        return [ids.get(token, 0) for token in self.tokenize(text)]

    def unseen(self, text: str) -> tuple[str, ...]:
        """The different words of the cleaned `text` without an id, in order of appearance."""
        ids = self._ids
        missing = (token for token in self.tokenize(text) if token not in ids)
        return tuple(dict.fromkeys(spacing(token, self.layout).spelled for token in missing))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`. Raises ValueError for an id outside the vocabulary."""
        pieces: list[str] = []
        before: int | None = None
        for index in ids:
            pieces.append(self.spell_after(before, index))
            before = index
        return "".join(pieces)

    def spell_after(self, before: int | None, index: int) -> str:
        """What token `index` adds to a text that ends with token `before` (None: that begins):
        the space between them, if there is one, and the token itself."""
        here = self._spacing(index)
        joined = before is None or here.joins_left or self._spacing(before).joins_right
        return here.spelled if joined else SPACE + here.spelled

    def _spacing(self, index: int) -> Spacing:
        return self._spacings[index] if 0 <= index < self.size else self._outside(index)

    def _outside(self, index: int) -> Spacing:
        raise ValueError(f"id {index} is outside the vocabulary of {self.size}")

    @cached_property
    def _spacings(self) -> list[Spacing]:
        known = [spacing(token, self.layout) for token in self.tokens]
        return [Spacing(UNKNOWN, joins_left=False, joins_right=False), *known]

    @property
    def start_id(self) -> int:
        """Where a text without a beginning starts from: a newline if there is one, else the most
        frequent word."""
        return self.id_of(NEWLINE if NEWLINE in self._ids else self.words[0])

    def opening(self, text: str) -> str:
        """`text` cleaned, as the beginning of what is to be continued: without blanks at the end,
        which the next word brings with it."""
        return self.rules.apply(text).rstrip(" \t")

    def without_unseen(self, text: str) -> str:
        """The cleaned `text` without the words that have no id."""
        return self.decode(index for index in self.encode(text) if index)

    def label(self, index: int) -> str:
        """A short printable name of a token, for tables and pictures: `the`, `⏎`, `<join>`."""
        return label_text(self.token_of(index)) if index else UNKNOWN

    def spelling(self, index: int) -> Spelling:
        """What the token adds to a text. `<unk>` counts as one character: what it stands for is
        not spelled."""
        here = self._spacing(index)
        content = here.spelled.encode("utf-8") if index else b"?"
        return spell(content, joins_left=here.joins_left, joins_right=here.joins_right)

    def to_dict(self) -> dict[str, Any]:
        """The vocabulary as JSON values; `from_dict` reads it back."""
        return {
            "kind": self.kind,
            "layout": self.layout,
            "tokens": list(self.tokens),
            "rules": asdict(self.rules),
        }

    @staticmethod
    def from_dict(content: object) -> "WordVocabulary":
        """Read what `to_dict` wrote; raises ValueError saying what is wrong."""
        fields = read_mapping(content, {"kind", "layout", "tokens", "rules"}, "the vocabulary")
        read_choice(fields["kind"], ("words",), "kind")
        layout: Layout = read_choice(fields["layout"], get_args(Layout), "layout")
        tokens, marks = fields["tokens"], MARKS[layout]
        if not isinstance(tokens, list) or not all(_is_token(token) for token in tokens):
            raise ValueError("tokens is not a list of words")
        if len(set(tokens)) != len(tokens) or UNKNOWN in tokens:
            raise ValueError("a token occurs twice, or is <unk>")
        if tuple(tokens[: len(marks)]) != marks or len(tokens) == len(marks):
            raise ValueError("tokens do not begin with the marks of the layout and a word")
        return WordVocabulary(TextRules.from_dict(fields["rules"]), layout, tuple(tokens))


def _is_token(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
