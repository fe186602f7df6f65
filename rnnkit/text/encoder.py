"""Texts into token ids for classification, and what is stored beside a model to do it again."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal, TypeVar, assert_never, get_args, get_origin, get_type_hints

from rnnkit.errors import DataError
from rnnkit.text.stored import read_choice, read_mapping
from rnnkit.text.subwords import HALF_SURROGATE_PAIR, Subwords, train_subwords
from rnnkit.text.words import WordRules

PAD = 0
"""The id that fills short rows of a batch; no text holds it."""
UNKNOWN = 1
"""The id of tokens that are not in the vocabulary, and of a text without tokens."""

_SPECIAL = ("<pad>", "<unk>")
_FIRST = len(_SPECIAL)

TokenKind = Literal["words", "characters", "subwords"]
Truncate = Literal["end", "start"]
_Item = TypeVar("_Item", int, str)


@dataclass(frozen=True)
class CharacterRules:
    """How a text becomes characters, that is code points."""

    lowercase: bool = False


@dataclass(frozen=True)
class SubwordRules:
    """How a text is prepared for subwords; the JSON of the tokenizer repeats it."""

    lowercase: bool = True


Rules = WordRules | CharacterRules | SubwordRules
_RULES: dict[TokenKind, type[WordRules] | type[CharacterRules] | type[SubwordRules]] = {
    "words": WordRules,
    "characters": CharacterRules,
    "subwords": SubwordRules,
}


class _Ids(dict[str, int]):
    """Ids by token; anything else is UNKNOWN. `map(ids.__getitem__, tokens)` runs in C."""

    def __missing__(self, token: str) -> int:
        return UNKNOWN


@dataclass(frozen=True)
class EncoderFacts:
    """What fitting an encoder found: `distinct` different tokens, and the share `coverage` of all
    their occurrences, from 0 to 1, that have an id of their own."""

    distinct: int
    coverage: float


@dataclass(frozen=True)
class TextEncoder:
    """Texts to ids: 0 is padding, 1 unknown, and `tokens[i]` has id `i + 2`.

    `tokens` stand by falling number of occurrences in the training texts, equally frequent ones
    in order of code points; subwords in the order in which training made them. `subwords` is the
    tokenizer's JSON, and "" for other kinds. At most `maximum_length` tokens of a text are used;
    `truncate` is the side on which the others are cut off.
    """

    kind: TokenKind
    rules: Rules
    tokens: tuple[str, ...]
    maximum_length: int
    truncate: Truncate = "end"
    subwords: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.rules, _RULES[self.kind]):
            raise ValueError(f"{type(self.rules).__name__} are not the rules of {self.kind}")
        if self.maximum_length < 1:
            raise ValueError(f"maximum_length is {self.maximum_length} and not positive")

    @property
    def size(self) -> int:
        """Number of different ids, padding and unknown among them."""
        return len(self.tokens) + _FIRST

    def tokenize(self, text: str) -> list[str]:
        """The tokens of `text` that are used, known or not; empty for a text without any."""
        return self._used(self.tokenize_whole(text))

    def tokenize_whole(self, text: str) -> list[str]:
        """The tokens of `text` before it is cut to `maximum_length`."""
        match self.rules:
            case WordRules():
                return self.rules.tokenize(text)
            case CharacterRules():
                return _characters(text, self.rules)
            case SubwordRules():
                return [self.token_of(index) for index in self.encode_whole([text])[0]]
            case _:
                assert_never(self.rules)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, from 1 to `maximum_length` of them; `[UNKNOWN]` for an empty one."""
        return self.cut(self.encode_whole([text])[0])

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of every text, as `encode` gives them."""
        return [self.cut(ids) for ids in self.encode_whole(texts)]

    def encode_whole(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of every text before it is cut; an empty list for a text without tokens.

        `cut` makes of them what `encode` returns. For statistics: one pass gives the lengths,
        the share of unknown tokens and the ids.
        """
        match self.rules:
            case WordRules():
                ids_of, tokenize = self._ids.__getitem__, self.rules.tokenize
                return [list(map(ids_of, tokenize(text))) for text in texts]
            case CharacterRules():
                ids_of, rules = self._ids.__getitem__, self.rules
                return [list(map(ids_of, _characters(text, rules))) for text in texts]
            case SubwordRules():
                encoded = self._tokenizer.encode_many(texts)
                return [[index + _FIRST for index in ids] for ids in encoded]
            case _:
                assert_never(self.rules)

    def cut(self, ids: list[int]) -> list[int]:
        """What is used of the ids of a whole text: at most `maximum_length`, at least one."""
        return self._used(ids) or [UNKNOWN]

    def id_of(self, token: str) -> int:
        """The id of `token`; UNKNOWN when it is not in the vocabulary."""
        return self._ids[token]

    def token_of(self, index: int) -> str:
        """What `index` stands for, `<pad>` and `<unk>` for 0 and 1.

        Raises ValueError for an id outside the vocabulary.
        """
        if not 0 <= index < self.size:
            raise ValueError(f"id {index} is outside the vocabulary of {self.size}")
        return self.tokens[index - _FIRST] if index >= _FIRST else _SPECIAL[index]

    def to_dict(self) -> dict[str, Any]:
        """The encoder as JSON values; `from_dict` reads it back."""
        return {
            "kind": self.kind,
            "rules": asdict(self.rules),
            # Those of subwords are in their JSON.
            "tokens": [] if self.kind == "subwords" else list(self.tokens),
            "maximum_length": self.maximum_length,
            "truncate": self.truncate,
            "subwords": self.subwords,
        }

    @staticmethod
    def from_dict(content: object) -> "TextEncoder":
        """Read what `to_dict` wrote; raises ValueError saying what is wrong."""
        values = read_mapping(content, {field.name for field in fields(TextEncoder)}, "the encoder")
        kind = read_choice(values["kind"], get_args(TokenKind), "kind")
        length = values["maximum_length"]
        if type(length) is not int:
            raise ValueError(f"maximum_length is {length!r} and not a whole number")
        tokens, subwords = values["tokens"], values["subwords"]
        if kind == "subwords":
            if not isinstance(subwords, str) or tokens != []:
                raise ValueError("the subwords are not a text, or tokens stand beside them")
            tokens = Subwords.from_json(subwords).tokens
        elif subwords != "":
            raise ValueError(f"subwords stand in an encoder of {kind}")
        elif not isinstance(tokens, list) or not all(_is_token(token, kind) for token in tokens):
            raise ValueError(f"tokens is not a list of {kind}")
        elif len(set(tokens)) != len(tokens):
            raise ValueError("a token occurs twice")
        return TextEncoder(
            kind=kind,
            rules=_read_rules(values["rules"], _RULES[kind]),
            tokens=tuple(tokens),
            maximum_length=length,
            truncate=read_choice(values["truncate"], get_args(Truncate), "truncate"),
            subwords=subwords,
        )

    def _used(self, items: list[_Item]) -> list[_Item]:
        if len(items) <= self.maximum_length:
            return items
        match self.truncate:
            case "end":
                return items[: self.maximum_length]
            case "start":
                return items[-self.maximum_length :]
            case _:
                assert_never(self.truncate)

    @cached_property
    def _ids(self) -> _Ids:
        return _Ids((token, index) for index, token in enumerate(self.tokens, start=_FIRST))

    @cached_property
    def _tokenizer(self) -> Subwords:
        return Subwords.from_json(self.subwords)


def fit_encoder(
    texts: Iterable[str],
    *,
    kind: TokenKind,
    rules: Rules,
    maximum_length: int,
    truncate: Truncate = "end",
    vocabulary_size: int | None = None,
    minimum_count: int = 1,
) -> tuple[TextEncoder, EncoderFacts]:
    """Choose the vocabulary from the training `texts`, which are read once.

    The `vocabulary_size` most frequent tokens (None: all) that occur at least `minimum_count`
    times get an id, beside `<pad>` and `<unk>`; of equally frequent ones those first in order of
    code points. Subwords need `vocabulary_size` and have no `minimum_count`. Raises DataError
    when no token is left, ConfigError for too few subwords and for English tables that are not
    installed.
    """
    if isinstance(rules, SubwordRules):
        if vocabulary_size is None:
            raise ValueError("subwords need a vocabulary_size")
        subwords = train_subwords(texts, vocabulary_size=vocabulary_size, lowercase=rules.lowercase)
        tokens = Subwords.from_json(subwords).tokens
        encoder = TextEncoder(kind, rules, tokens, maximum_length, truncate, subwords)
        return encoder, EncoderFacts(distinct=len(tokens), coverage=1.0)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(
            rules.tokenize(text) if isinstance(rules, WordRules) else _characters(text, rules)
        )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [item for item in ordered[:vocabulary_size] if item[1] >= minimum_count]
    if not kept:
        raise DataError(_nothing_left(ordered, minimum_count))
    encoder = TextEncoder(kind, rules, tuple(t for t, _ in kept), maximum_length, truncate)
    coverage = sum(count for _, count in kept) / counts.total()
    return encoder, EncoderFacts(distinct=len(counts), coverage=coverage)


def _nothing_left(ordered: list[tuple[str, int]], minimum_count: int) -> str:
    if not ordered:
        return (
            "The training texts hold no tokens at all: they are empty, or data.tokens drops "
            "everything that they hold."
        )
    token, count = ordered[0]
    return (
        f"No token of the training texts occurs {minimum_count} times "
        f"(data.tokens.minimum_count); the most frequent one, {token!r}, occurs {count} times. "
        "Lower minimum_count or use more texts."
    )


def _characters(text: str, rules: CharacterRules) -> list[str]:
    if not text.isascii():
        text = HALF_SURROGATE_PAIR.sub("\ufffd", text)
    return list(text.lower() if rules.lowercase else text)


def _read_rules(content: object, rules: type[WordRules | CharacterRules | SubwordRules]) -> Rules:
    allowed = get_type_hints(rules)
    values = read_mapping(content, set(allowed), "rules")
    for name, kind in allowed.items():
        if get_origin(kind) is Literal:
            read_choice(values[name], get_args(kind), f"rules: {name}")
        elif not isinstance(values[name], bool):
            raise ValueError(f"rules: {name} is {values[name]!r} and not true or false")
    return rules(**values)


def _is_token(token: object, kind: TokenKind) -> bool:
    if not isinstance(token, str) or not token or HALF_SURROGATE_PAIR.search(token):
        return False
    return len(token) == 1 if kind == "characters" else token not in _SPECIAL
