"""Tokens and their ids, as they are stored beside a model."""

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, assert_never

from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import JOIN, SPACE, Layout, spacing, tokenize
from rnnkit.text.subwords import HALF_SURROGATE_PAIR, Subwords
from rnnkit.text.words import WordRules

PADDING = "<pad>"
UNKNOWN = "<unk>"
REPLACEMENT = "\ufffd"
"""The character that stands for bytes that are not UTF-8, and for an unknown character."""
MARKS: Mapping[Layout, tuple[str, ...]] = {"text": (JOIN, SPACE), "sentences": ()}
"""Tokens in every vocabulary of a layout, with which known words can be written in any way."""

Kind = Literal["characters", "bytes", "words", "subwords"]

CLASSIFIER_FIELDS = ("tokens", "subwords")
LANGUAGE_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "characters": ("tokens", "has_unknown"),
    "bytes": ("tokens", "has_unknown"),
    "words": ("layout", "tokens"),
    "subwords": ("subwords",),
}
"""What is stored of a vocabulary beside its kind and rules."""

_LABELS = {"\n": "⏎", " ": "␣", "\t": "⇥"}
_NAMED_AT_MOST = 10


@dataclass(frozen=True)
class CaseRules:
    """Preparation of a text for a classifier of characters or subwords."""

    lowercase: bool


Rules = TextRules | WordRules | CaseRules
"""Preparation of a text. After `TextRules` the text of ids is the cleaned text again."""


class Piece(NamedTuple):
    """The bytes of UTF-8 that a token adds to a text. There is one space between two tokens unless
    the first `joins_right` or the second `joins_left`."""

    content: bytes
    joins_left: bool = True
    joins_right: bool = True


class _Ids(dict[str, int]):
    """Ids by token with a default; `map(ids.__getitem__, tokens)` runs in C."""

    unknown = 0

    def __missing__(self, token: str) -> int:
        return self.unknown


@dataclass(frozen=True)
class Vocabulary:
    """Token ids and their tokens: the special tokens first, then `tokens` in order.

    Language models have `TextRules`, and the text of ids is exact where no token is unknown:

    `characters`: `tokens` in order of code point, with `<unk>` as id 0 if `has_unknown`.
    `bytes`: the 256 values of a UTF-8 byte; `tokens` is empty.
    `words`: the words of `rnnkit.text.spacing`; `<unk>` is id 0, `tokens` begin with the marks of
    the layout. In the layout `sentences` the text of ids has one space between words.
    `subwords`: pieces of UTF-8, the 256 bytes among them; `subwords` is the tokenizer's JSON.

    Classifiers have `WordRules` for words and `CaseRules` for characters and subwords; `<pad>` is
    id 0 and `<unk>` id 1. Words are ordered by falling number of occurrences in the training
    texts, equally frequent ones by code point.
    """

    rules: Rules
    kind: Kind
    tokens: tuple[str, ...] = ()
    has_unknown: bool = False
    layout: Layout = "text"
    subwords: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.rules, TextRules | classifier_rules(self.kind)):
            raise ValueError(f"{type(self.rules).__name__} are not the rules of {self.kind}")
        needed = not isinstance(self.rules, TextRules) or self.kind == "words"
        if self.kind != "characters" and self.has_unknown != needed:
            raise ValueError(f"has_unknown is {self.has_unknown} for {self.kind}")

    @property
    def special(self) -> tuple[str, ...]:
        """The tokens of the first ids, which stand for no text of their own."""
        if not isinstance(self.rules, TextRules):
            return (PADDING, UNKNOWN)
        return (UNKNOWN,) if self.has_unknown else ()

    @property
    def size(self) -> int:
        """Number of different ids."""
        return 256 if self.kind == "bytes" else len(self.special) + len(self.tokens)

    @property
    def unknown_id(self) -> int | None:
        """The id of `<unk>`, if there is one."""
        return self.special.index(UNKNOWN) if UNKNOWN in self.special else None

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens without the marks of the layout."""
        return self.tokens[len(MARKS[self.layout]) :]

    @cached_property
    def _ids(self) -> dict[str, int]:
        numbered = ((token, index) for index, token in enumerate(self.tokens, len(self.special)))
        if self.unknown_id is None:
            return dict(numbered)
        ids = _Ids(numbered)
        ids.unknown = self.unknown_id
        if self.kind == "words" and self.layout == "sentences":
            ids[UNKNOWN] = self.unknown_id  # written out in the texts of the Penn Treebank
        return ids

    @cached_property
    def _tokenizer(self) -> Subwords:
        return Subwords.from_json(self.subwords)

    def id_of(self, token: str) -> int:
        """Return the id of a token, that of `<unk>` when it is not in the vocabulary."""
        return self._ids[token]

    def knows(self, token: str) -> bool:
        """Return whether the token has an id."""
        return token in self._ids

    def token_of(self, index: int) -> str:
        """Return the token of an id. Raises ValueError for an id outside the vocabulary."""
        self._check(index)
        if self.kind == "bytes":
            return label_bytes(bytes((index,)))
        first = len(self.special)
        return self.tokens[index - first] if index >= first else self.special[index]

    # Texts to ids.

    @property
    def cleaning(self) -> TextRules:
        """The cleaning of a language model's texts."""
        assert isinstance(self.rules, TextRules)
        return self.rules

    def clean(self, text: str) -> str:
        """Return the cleaned `text` of a language model."""
        return self.cleaning.apply(text)

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of `text`, known or not; an empty list for a text without any."""
        match self.kind:
            case "words":
                if isinstance(self.rules, WordRules):
                    return self.rules.tokenize(text)
                return tokenize(self.clean(text), self.layout)
            case "characters":
                return list(self._characters(text))
            case "subwords" | "bytes":
                return [self.token_of(index) for index in self.encode_many([text])[0]]
            case _:
                assert_never(self.kind)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; unknown characters and words become `<unk>`.

        Raises DataError where there is no `<unk>` and a character has no id.
        """
        if self.unknown_id is None and (unseen := self.unseen(text)):
            named = self.name_units(unseen)
            if self.kind == "characters":
                raise DataError(
                    f"The text holds characters that never occurred in the training text: {named}. "
                    "Remove or replace them."
                )
            raise DataError(
                f"The text holds {named}, half of a surrogate pair, which is no character and has "
                "no UTF-8 form. Remove it."
            )
        return self.encode_many([text])[0]

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the ids of every text, whose characters are known; fast for many texts."""
        if isinstance(self.rules, TextRules):
            return [self.encode_clean(self.rules.apply(text)) for text in texts]
        if self.kind == "subwords":
            first, encoded = len(self.special), self._tokenizer.encode_many(texts)
            return [[index + first for index in ids] for ids in encoded]
        ids_of = self._ids.__getitem__
        return [list(map(ids_of, self.tokenize(text))) for text in texts]

    def encode_clean(self, text: str) -> list[int]:
        """Return the ids of a language model's text that is clean and whose characters are
        known."""
        match self.kind:
            case "characters":
                return list(map(self._ids.__getitem__, text))
            case "bytes":
                return list(text.encode("utf-8"))
            case "words":
                return list(map(self._ids.__getitem__, tokenize(text, self.layout)))
            case "subwords":
                return self._tokenizer.encode_exactly(text)
            case _:
                assert_never(self.kind)

    def _characters(self, text: str) -> str:
        """Return the text whose characters are the tokens."""
        if isinstance(self.rules, TextRules):
            return self.rules.apply(text)
        if not text.isascii():
            text = HALF_SURROGATE_PAIR.sub(REPLACEMENT, text)
        return text.lower() if self.rules.lowercase else text

    def unseen(self, text: str) -> tuple[str, ...]:
        """Return the different characters, or words, of `text` without an id, in their order."""
        match self.kind:
            case "characters":
                missing = (c for c in self._characters(text) if c not in self._ids)
            case "bytes" | "subwords":
                missing = HALF_SURROGATE_PAIR.findall(text)
            case "words":
                unknown = (token for token in self.tokenize(text) if token not in self._ids)
                missing = (spacing(token, self.layout).spelled for token in unknown)
            case _:
                assert_never(self.kind)
        return tuple(dict.fromkeys(missing))

    def without_unseen(self, text: str) -> str:
        """Return the cleaned `text` without the characters, or words, that have no id."""
        if self.kind == "words":
            return self.decode(index for index in self.encode(text) if index != self.unknown_id)
        dropped = set(self.unseen(text))
        return "".join(c for c in self.clean(text) if c not in dropped)

    def opening(self, text: str) -> str:
        """Return `text` cleaned, as the beginning of a longer one: without whitespace at its end
        where the next token brings its own."""
        cleaned = self.clean(text)
        return cleaned.rstrip(" \t") if self.kind in ("words", "subwords") else cleaned

    @property
    def start_id(self) -> int:
        """The id to start from without a prompt: a newline if there is one, else, of characters,
        a space, else the first token that is no mark."""
        contents = [piece.content for piece in self.pieces]
        marks = MARKS[self.layout] if self.kind == "words" else ()
        for opener in (b"\n",) if self.kind == "words" else (b"\n", b" "):
            if opener in contents:
                return contents.index(opener)
        return len(self.special) + len(marks)

    # Ids to texts.

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """What each id adds to a text."""
        match self.kind:
            case "bytes":
                return tuple(Piece(bytes((byte,))) for byte in range(256))
            case "characters":
                special = {UNKNOWN: Piece(REPLACEMENT.encode()), PADDING: Piece(b"")}
                known = [Piece(token.encode()) for token in self.tokens]
            case "subwords":
                special = {UNKNOWN: Piece(REPLACEMENT.encode()), PADDING: Piece(b"")}
                known = [Piece(content) for content in self._tokenizer.contents]
            case "words":
                unknown = Piece(UNKNOWN.encode(), joins_left=False, joins_right=False)
                special = {UNKNOWN: unknown, PADDING: Piece(b"")}
                known = [self._word_piece(token) for token in self.tokens]
            case _:
                assert_never(self.kind)
        return (*(special[token] for token in self.special), *known)

    def _word_piece(self, token: str) -> Piece:
        if not isinstance(self.rules, TextRules):
            return Piece(token.encode(), joins_left=False, joins_right=False)
        spelled, joins_left, joins_right = spacing(token, self.layout)
        return Piece(spelled.encode(), joins_left, joins_right)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; bytes that are not UTF-8 become U+FFFD.

        Raises ValueError for an id outside the vocabulary.
        """
        contents: list[bytes] = []
        before: int | None = None
        for index in ids:
            contents.append(self.bytes_after(before, index))
            before = index
        return b"".join(contents).decode("utf-8", errors="replace")

    def bytes_after(self, before: int | None, index: int) -> bytes:
        """Return the UTF-8 that token `index` adds to a text that ends with token `before` (None:
        that begins): the space between them, if there is one, and the token itself."""
        self._check(index)
        here = self.pieces[index]
        if before is None or here.joins_left or self.pieces[before].joins_right:
            return here.content
        return b" " + here.content

    def label(self, index: int) -> str:
        """Return a short printable name of a token: `the`, `⏎`, `␣of`, `<0xF0>`, `<unk>`."""
        token = self.token_of(index)
        if index < len(self.special) or self.kind == "bytes":
            return token
        if self.kind == "subwords":
            return label_bytes(self.pieces[index].content)
        return label_text(token)

    def _check(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise ValueError(f"id {index} is outside the vocabulary of {self.size}")

    # Names in messages.

    @property
    def unit(self) -> Literal["words", "characters"]:
        """The plural of what `unseen` lists."""
        return "words" if self.kind == "words" else "characters"

    def name_unit(self, unit: str) -> str:
        """Return a character or word for a message: `'é' (U+00E9)`, `'naïve'`."""
        return repr(unit) if self.kind == "words" else f"{unit!r} (U+{ord(unit):04X})"

    def name_units(self, units: tuple[str, ...]) -> str:
        """Return the first few characters or words: `'é' (U+00E9), 'ñ' (U+00F1) and 3 more`."""
        named = ", ".join(map(self.name_unit, units[:_NAMED_AT_MOST]))
        more = len(units) - _NAMED_AT_MOST
        return f"{named} and {more} more" if more > 0 else named

    # The stored form.

    def to_dict(self) -> dict[str, Any]:
        """Return the vocabulary as JSON values for `rnnkit.text.stored.read_vocabulary`."""
        of_classifier = not isinstance(self.rules, TextRules)
        names = CLASSIFIER_FIELDS if of_classifier else LANGUAGE_FIELDS[self.kind]
        values = {
            "tokens": [] if self.kind == "subwords" else list(self.tokens),
            "has_unknown": self.has_unknown,
            "layout": self.layout,
            "subwords": self.subwords,
        }
        stored = {"kind": self.kind, "rules": asdict(self.rules)}
        return stored | {name: values[name] for name in names}


class StreamDecoder:
    """Text from ids, one at a time; bytes are held back until they make a character.

    `after` are the ids before: a word that follows one brings the space between them.
    """

    def __init__(self, vocabulary: Vocabulary, after: Iterable[int] = ()) -> None:
        self._vocabulary = vocabulary
        self._before = next(iter(list(after)[-1:]), None)
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, index: int) -> str:
        """Return the text that `index` completes, "" inside a character."""
        content = self._vocabulary.bytes_after(self._before, index)
        self._before = index
        return self._utf8.decode(content)

    def finish(self) -> str:
        """Return the text of an unfinished character at the end, "" when there is none."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


def label_text(text: str) -> str:
    r"""Return a short printable name of a text: `"\n"` is `⏎`, a space `␣`, a tab `⇥`; other
    characters that cannot be printed are written as their code points, `<U+200B>`."""
    return "".join(_LABELS.get(c) or (c if c.isprintable() else f"<U+{ord(c):04X}>") for c in text)


def label_bytes(content: bytes) -> str:
    """Return a short printable name of UTF-8; bytes that are none as `<0xF0>`."""
    try:
        return label_text(content.decode("utf-8"))
    except UnicodeDecodeError:
        return f"<0x{content.hex().upper()}>"


def classifier_rules(kind: Kind) -> type[WordRules] | type[CaseRules]:
    """Return the type of a classifier's rules for a kind of token."""
    return WordRules if kind == "words" else CaseRules
