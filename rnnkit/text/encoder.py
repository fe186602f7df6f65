"""Texts into rows of token ids for classification."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, assert_never, get_args

from rnnkit.errors import DataError
from rnnkit.text.stored import read_choice, read_vocabulary, subword_vocabulary
from rnnkit.text.subwords import train_subwords
from rnnkit.text.vocabulary import CaseRules, Kind, Vocabulary
from rnnkit.text.words import WordRules

PAD = 0
"""The id that fills short rows of a batch; no text holds it."""
UNKNOWN = 1
"""The id of tokens that are not in the vocabulary, and of a text without tokens."""

Truncate = Literal["end", "start"]
_Item = TypeVar("_Item", int, str)


@dataclass(frozen=True)
class FitStats:
    """Statistics of fitting an encoder: `distinct` different tokens, and the fraction `coverage`
    of all their occurrences, from 0 to 1, that have an id of their own."""

    distinct: int
    coverage: float


@dataclass(frozen=True)
class TextEncoder:
    """A classifier's vocabulary and the part of a text that it reads: at most `maximum_length`
    tokens; `truncate` is the side on which the others are cut off."""

    vocabulary: Vocabulary
    maximum_length: int
    truncate: Truncate = "end"

    def __post_init__(self) -> None:
        if self.vocabulary.special[PAD : UNKNOWN + 1] != ("<pad>", "<unk>"):
            raise ValueError("a classifier's vocabulary has padding and an unknown token")
        if self.maximum_length < 1:
            raise ValueError(f"maximum_length is {self.maximum_length} and not positive")

    @property
    def size(self) -> int:
        """Number of different ids, padding and unknown among them."""
        return self.vocabulary.size

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of `text` that are used; an empty list for a text without any."""
        return self._used(self.vocabulary.tokenize(text))

    def encode(self, text: str) -> list[int]:
        """Return from 1 to `maximum_length` ids of `text`; `[UNKNOWN]` for an empty one."""
        return self.cut(self.vocabulary.encode_many([text])[0])

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the ids of every text, as `encode` does."""
        return [self.cut(ids) for ids in self.vocabulary.encode_many(texts)]

    def cut(self, ids: list[int]) -> list[int]:
        """Return the used ids of a whole text: at most `maximum_length`, at least one."""
        return self._used(ids) or [UNKNOWN]

    def to_dict(self) -> dict[str, Any]:
        """Return the encoder as JSON values for `from_dict`."""
        limits = {"maximum_length": self.maximum_length, "truncate": self.truncate}
        return self.vocabulary.to_dict() | limits

    @staticmethod
    def from_dict(content: object) -> "TextEncoder":
        """Read the result of `to_dict`; raises ValueError saying what is wrong."""
        if not isinstance(content, dict) or not {"maximum_length", "truncate"} <= set(content):
            raise ValueError("the encoder is not an object with maximum_length and truncate")
        vocabulary = dict(content)
        length, truncate = vocabulary.pop("maximum_length"), vocabulary.pop("truncate")
        if type(length) is not int:
            raise ValueError(f"maximum_length is {length!r} and not a whole number")
        truncate = read_choice(truncate, get_args(Truncate), "truncate")
        return TextEncoder(read_vocabulary(vocabulary), length, truncate)

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


def fit_encoder(
    texts: Iterable[str],
    *,
    kind: Kind,
    rules: WordRules | CaseRules,
    maximum_length: int,
    truncate: Truncate = "end",
    vocabulary_size: int | None = None,
    minimum_count: int = 1,
) -> tuple[TextEncoder, FitStats]:
    """Choose the vocabulary from the training `texts`, which are read once.

    The `vocabulary_size` most frequent tokens (None: all) that occur at least `minimum_count`
    times get an id, beside `<pad>` and `<unk>`; of equally frequent ones those first in order of
    code points. Subwords need `vocabulary_size` and have no `minimum_count`. Raises DataError
    when no token is left, ConfigError for too few subwords and for English tables that are not
    installed.
    """
    if kind == "subwords":
        if vocabulary_size is None or not isinstance(rules, CaseRules):
            raise ValueError("subwords need a vocabulary_size and their rules")
        subwords = train_subwords(texts, vocabulary_size=vocabulary_size, lowercase=rules.lowercase)
        vocabulary = subword_vocabulary(rules, subwords)
        stats = FitStats(distinct=len(vocabulary.tokens), coverage=1.0)
        return TextEncoder(vocabulary, maximum_length, truncate), stats
    tokenize = Vocabulary(rules, kind, has_unknown=True).tokenize
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenize(text))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [item for item in ordered[:vocabulary_size] if item[1] >= minimum_count]
    if not kept:
        raise DataError(_nothing_left(ordered, minimum_count))
    vocabulary = Vocabulary(rules, kind, tuple(token for token, _ in kept), has_unknown=True)
    coverage = sum(count for _, count in kept) / counts.total()
    stats = FitStats(distinct=len(counts), coverage=coverage)
    return TextEncoder(vocabulary, maximum_length, truncate), stats


def _nothing_left(ordered: list[tuple[str, int]], minimum_count: int) -> str:
    if not ordered:
        return (
            "The training texts hold no tokens at all: they are empty, or data.tokens drops "
            "everything in them."
        )
    token, count = ordered[0]
    return (
        f"No token of the training texts occurs {minimum_count} times "
        f"(data.tokens.minimum_count); the most frequent one, {token!r}, occurs {count} times. "
        "Lower minimum_count or use more texts."
    )
