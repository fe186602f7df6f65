"""The vocabularies of language models under one name, and reading them in and out of a text."""

import codecs
from collections.abc import Iterable
from typing import assert_never, get_args

from rnnkit.text.stored import read_choice
from rnnkit.text.subword_vocabulary import SubwordVocabulary
from rnnkit.text.vocabulary import Tokens, Vocabulary, name_character
from rnnkit.text.word_vocabulary import WordVocabulary

LanguageVocabulary = Vocabulary | WordVocabulary | SubwordVocabulary
"""What a language model reads and writes: characters or bytes, words, or subwords."""

_NAMED_AT_MOST = 10


def read_vocabulary(content: object) -> LanguageVocabulary:
    """Read what `to_dict` of any of them wrote; raises ValueError saying what is wrong."""
    if not isinstance(content, dict):
        raise ValueError("the vocabulary is not an object")
    kinds = (*get_args(Tokens), "words", "subwords")
    match read_choice(content.get("kind"), kinds, "kind"):
        case "words":
            return WordVocabulary.from_dict(content)
        case "subwords":
            return SubwordVocabulary.from_dict(content)
        case _:
            return Vocabulary.from_dict(content)


class StreamDecoder:
    """Text from ids, one at a time. Bytes are held back until they make a character.

    `after` is what the text so far ends with: a word that follows one brings the space between
    them.
    """

    def __init__(self, vocabulary: LanguageVocabulary, after: Iterable[int] = ()) -> None:
        self._vocabulary = vocabulary
        self._before = next(iter(list(after)[-1:]), None)
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, index: int) -> str:
        """The text that `index` completes, "" inside a character."""
        vocabulary = self._vocabulary
        match vocabulary:
            case WordVocabulary():
                text = vocabulary.spell_after(self._before, index)
                self._before = index
                return text
            case SubwordVocabulary():
                return self._utf8.decode(vocabulary.bytes_of(index))
            case Vocabulary(kind="bytes"):
                return self._utf8.decode(bytes((index,)))
            case Vocabulary():
                return vocabulary.decode((index,))
            case _:
                assert_never(vocabulary)

    def finish(self) -> str:
        """What an unfinished character at the end decodes to; "" when there is none."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


def unit_of(vocabulary: LanguageVocabulary) -> str:
    """What `unseen` lists, for messages: "characters" or "words"."""
    return "words" if isinstance(vocabulary, WordVocabulary) else "characters"


def name_unit(vocabulary: LanguageVocabulary, unit: str) -> str:
    """A character or word so that it can be told apart: `'é' (U+00E9)`, `'naïve'`."""
    return repr(unit) if isinstance(vocabulary, WordVocabulary) else name_character(unit)


def name_unseen(vocabulary: LanguageVocabulary, unseen: tuple[str, ...]) -> str:
    """`'é' (U+00E9), 'ñ' (U+00F1) and 3 more`: the first few of what is unseen, for messages."""
    named = ", ".join(name_unit(vocabulary, unit) for unit in unseen[:_NAMED_AT_MOST])
    more = len(unseen) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named
