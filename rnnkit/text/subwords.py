"""Byte-pair encoding (Sennrich et al. 2016) through Hugging Face's tokenizers.

The alphabet is the 256 bytes of UTF-8 (Radford et al. 2019), so every text has a spelling and
nothing is unknown. Training has no randomness: equal pairs are merged in order of their ids.
"""

import json
import os
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from rnnkit.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

ALPHABET_SIZE = 256

HALF_SURROGATE_PAIR = re.compile("[\ud800-\udfff]")
"""Code points of Python's strings that are no characters and have no UTF-8 form."""

_FEWEST_OCCURRENCES = 2  # a pair that occurs once says nothing
_TEXTS_AT_ONCE = 20_000
_MEMORY = 1 << 18
"""Distinct words whose ids are kept before the memory is emptied."""


def train_subwords(texts: Iterable[str], *, vocabulary_size: int, lowercase: bool = True) -> str:
    """Return the JSON of a tokenizer of at most `vocabulary_size` subwords learned from `texts`.

    Equal texts in equal order give equal JSON. A run of whitespace counts as one space. Raises
    ConfigError when `vocabulary_size` is below the 256 bytes.
    """
    words = (" ".join(_words(text)) for text in texts)
    key = "data.tokens.vocabulary_size"
    return _train(words, vocabulary_size, key=key, exact=False, lowercase=lowercase)


def train_exact_subwords(texts: Iterable[str], *, vocabulary_size: int) -> str:
    """Return the JSON of a tokenizer that keeps every byte: nothing is normalized, and whitespace
    is encoded like all other characters.

    No subword holds whitespace after another character, so `texts` may be pieces of one text that
    are cut before whitespace. Raises ConfigError when `vocabulary_size` is below the 256 bytes.
    """
    key = "data.vocabulary_size"
    return _train(texts, vocabulary_size, key=key, exact=True, lowercase=False)


class Subwords:
    """A trained tokenizer; its ids count from 0 without padding or unknown."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer

    @staticmethod
    @lru_cache(maxsize=4)
    def from_json(content: str) -> "Subwords":
        """Read the JSON of `train_subwords`; raises ValueError saying what is wrong."""
        _choose_parallelism()
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(content)
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"the subwords are not those of a tokenizer: {error}") from error
        if sorted(tokenizer.get_vocab().values()) != list(range(tokenizer.get_vocab_size())):
            raise ValueError("the ids of the subwords are not 0, 1, 2, ...")
        return Subwords(tokenizer)

    @cached_property
    def _spelled(self) -> list[str]:
        """The tokens by id, in the characters of the byte-level alphabet."""
        ids = self._tokenizer.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    @cached_property
    def contents(self) -> tuple[bytes, ...]:
        """The bytes of each id. Raises ValueError for tokens outside the byte alphabet."""
        try:
            return tuple(bytes(_BYTES[c] for c in token) for token in self._spelled)
        except KeyError as error:
            raise ValueError(f"a subword holds {error}, which spells no byte") from None

    def encode_exactly(self, text: str) -> list[int]:
        """Return the ids of a text, whitespace included."""
        return self._encode([text])[0].ids

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The text of each id, `" good"` with the space before it; bytes that are only a part of
        a character as `<0xF0>`."""
        return tuple(map(_readable, self._spelled))

    def encode_many(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the ids of every text; an empty list for one of whitespace.

        No subword reaches across whitespace, so each distinct word is encoded once.
        """
        remaining = iter(texts)
        ids: list[list[int]] = []
        while batch := [_words(text) for text in islice(remaining, _TEXTS_AT_ONCE)]:
            known = self._known_words
            if len(known) > _MEMORY:
                known.clear()
            new = list({word for words in batch for word in words if word not in known})
            for word, encoding in zip(new, self._encode(new), strict=True):
                known[word] = encoding.ids
            ids += [[index for word in words for index in known[word]] for words in batch]
        return ids

    @cached_property
    def _known_words(self) -> dict[str, list[int]]:
        return {}

    def _encode(self, words: list[str]) -> "list[Encoding]":
        return self._tokenizer.encode_batch_fast(words, add_special_tokens=False)


def _train(
    texts: Iterable[str], vocabulary_size: int, *, key: str, exact: bool, lowercase: bool
) -> str:
    if vocabulary_size < ALPHABET_SIZE:
        raise ConfigError(
            f"{key} is {vocabulary_size}, but subwords are built from the {ALPHABET_SIZE} bytes: "
            f"use at least {ALPHABET_SIZE}, commonly 2000 to 30000."
        )
    _choose_parallelism()
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if not exact:
        lower = [normalizers.Lowercase()] if lowercase else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), *lower])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=not exact)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=_FEWEST_OCCURRENCES,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))


def _choose_parallelism() -> None:
    # Unset, a later fork of this process prints a warning; rnnkit forks no process that encodes.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


def _words(text: str) -> list[str]:
    """Return everything between whitespace, whole characters only."""
    if not text.isascii():
        text = HALF_SURROGATE_PAIR.sub("\ufffd", text)
    return text.split()


def _spelling_of_bytes() -> dict[str, int]:
    """Return the bytes by their characters in the byte-level alphabet of GPT-2: printable Latin-1
    as itself, the others as the characters from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    spelling = {chr(byte): byte for byte in printable}
    return spelling | {chr(0x100 + index): byte for index, byte in enumerate(others)}


_BYTES = _spelling_of_bytes()


def _readable(token: str) -> str:
    if not all(character in _BYTES for character in token):
        return token
    content = bytes(_BYTES[character] for character in token)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"<0x{content.hex().upper()}>"
