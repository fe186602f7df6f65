r"""Words of all scripts as regular expressions, and the tokenizer for classification.

`\w` matches letters, digits and the underscore but no combining marks, and knows nothing of
scripts that are written without spaces; the expressions below do. `rnnkit.text.spacing`, whose
tokens can be joined again, is made of them too.

`WordRules` finds what people write on the web as well as prose. The alternatives of one regular
expression are tried in order at every place, as in the tokenizers for tweets of Potts and of NLTK
(`nltk.tokenize.casual`), and a text is read once from left to right. What could repeat in several
ways is possessive (`++`) or bounded, so that the time is linear in the length of any text.
Expressions are compiled at their first use, which would otherwise slow every command down.
"""

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, assert_never

from rnnkit.errors import ConfigError

Replaceable = Literal["keep", "replace", "drop"]
Markup = Literal["keep", "strip"]
Hashtags = Literal["keep", "split", "drop"]
Elongations = Literal["keep", "shorten"]
Droppable = Literal["keep", "drop"]

URL, USER, NUMBER = "<url>", "<user>", "<number>"
"""The tokens that replace addresses, mentions and numbers, as in GloVe's tweets. A text that holds
them already keeps them."""

_MEMORY = 1 << 18
"""Distinct tokens whose treatment is kept before the memory is emptied."""


def _marks() -> str:
    r"""Return the ranges of the combining marks, for a character class: vowel marks belong to words
    in Hindi and Thai as points do in Hebrew, but `\w` matches none of them."""
    scripts = ((0x300, 0x2000), (0x20D0, 0x2100), (0x3099, 0x309B), (0xA600, 0xAC00))
    ranges: list[list[int]] = []
    for start, stop in scripts:
        for point in range(start, stop):
            if unicodedata.category(chr(point)).startswith("M"):
                if ranges and ranges[-1][1] == point - 1:
                    ranges[-1][1] = point
                else:
                    ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


UNSPACED = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""For a character class: Han characters and hiragana. Japanese and Chinese have no spaces, so
each of these is a token."""
MARK = f"[{_marks()}]"
"""A combining mark."""
LETTER = rf"[^\W_{UNSPACED}]"
"""A letter or digit of a script with spaces."""
LETTERS = rf"(?:{LETTER}++{MARK}*+)++"
"""All adjacent letters, with their marks."""
IDEOGRAPH = rf"[{UNSPACED}]{MARK}*+"
"""A character of a script without spaces."""
ABBREVIATION = r"(?:[^\W\d_]\.){2,}(?:[^\W\d_](?!\w))?"
"""Letters with full stops: U.S.A."""
_LABEL = r"[a-zA-Z0-9-]{1,63}+"
MAIL_ADDRESS = rf"(?<![\w.+-])[\w.+-]{{1,64}}+@{_LABEL}(?:\.{_LABEL}){{1,4}}+"

# Apostrophes join (don't, l'amour), and so do underscores and the joiners of Persian and Hindi.
_WORD = rf"{LETTERS}(?:['_\u200c\u200d]{LETTERS})*+"

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_IN_ADDRESS = rf"[^\s<>\"{_CONTROLS}]"
_LAST_OF_ADDRESS = rf"[^\s<>\"{_CONTROLS}.,;:!?'()\[\]{{}}*…]"
_REST = rf"{_IN_ADDRESS}*{_LAST_OF_ADDRESS}/?"
_URL = rf"""
    (?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://{_REST}
    | [wW][wW][wW]\.{_REST}
    | (?<![\w@.]) (?={_LABEL}\.[a-zA-Z]) (?:{_LABEL}\.){{1,4}}
      (?: (?:com|org|net|edu|gov|COM|ORG|NET) (?:\.[a-zA-Z]{{2}})?\b (?:/(?:{_REST})?)?
        | (?:ly|gd|gl|tv|fm|io|co|uk|ca|de|ws|vg|cc|info|biz)/{_REST} )
    | {MAIL_ADDRESS}
    | {URL}
"""

_EMOTICON = r"""
    <[/\\]?3+ (?![.,]?\d)
    | [>}]? [:;=] '? [-^~o]? (?: \)+ | \(+ | \]+ | \[+ | \}+ | \{+ | \|+ | \*+ )
    | [>}]? [:;=] '? -? (?: [/\\](?![/\\\w]) | [@$](?!\w) )
    | >? [:;] '? -? (?: [dD]+ | [pP]+ | [oO]+ ) (?!\w)
    | =-? (?: [dD]+ | [pP]+ ) (?!\w)
    | (?<!\w) [:;]-?[sSxX3] (?!\w)
    | :'?-? (?: <+(?!3) | >+ )
    | (?<!\w) [8bB]- (?: \)+ | [dD]+(?!\w) )
    | (?: [(\[]{1,8}+ | (?<!\S)[)\]]{1,8}+ ) [-'^~]? [:;=] (?![-\w(])
    | \^ [-_.oO]{0,3} \^ | (?<!\S)-_{1,8}- | >[_.]{1,3}< | \*_{1,8}\* | ;_{1,8}; | =_{1,8}=
    | (?<!\S) \\[oO]/ | (?<!\w)[oO]\.[oO](?!\w) | ¯\\_{0,2}\(ツ\)_{0,2}/¯
"""

_PICTURE = (
    "[\U0001f000-\U0001faff\u2600-\u27bf\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa"
    "\u2194-\u2199\u21a9\u21aa\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2b05-\u2b07\u2b1b\u2b1c"
    "\u2b50\u2b55\u203c\u2049\u3030\u303d\u3297\u3299]"
)
# A picture with its skin colour or the tags of a flag; several are joined into one by U+200D.
_COLOURED = rf"{_PICTURE}[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*+"
_EMOJI = rf"""
    [\U0001f1e6-\U0001f1ff]{{2}} | [0-9\#*]\u20e3 | {_COLOURED}(?:\u200d{_COLOURED})*+
"""

_TOKEN = rf"""
      (?P<url> {_URL} )
    | (?P<mention> (?<![\w@])@\w++ | {USER} )
    | (?P<hashtag> (?<!\w)\#(?=\d*+[^\W\d_])(?:\w|{MARK})++ )
    | (?P<emoticon> {_EMOTICON} )
    | (?P<emoji> {_EMOJI} )
    | (?P<number> \d++(?:[.,:/-]\d++)*+(?!'?{LETTER}) | {NUMBER} )
    | (?P<word>
          \d++(?:[.,:/-]\d++)++(?:'?{_WORD})?      # 10:30pm
        | {ABBREVIATION}
        | {_WORD}
        | {IDEOGRAPH} )
    | (?P<punctuation> \.{{2,}} | -{{2,}} | [^\s{_CONTROLS}\u200b-\u200f\u2028-\u202e\ufeff] )
"""
# Most words are letters before whitespace, where no other alternative could begin.
_PLAIN = r"[a-zA-Z]++(?=[.,!?]?(?:\s|\Z))"


@cache
def _token() -> re.Pattern[str]:
    """Return the expression of one token, whose kind is the name of its group."""
    return re.compile(_TOKEN, re.VERBOSE)


@cache
def _any_token() -> re.Pattern[str]:
    """Return the expression without groups: `findall` then returns the tokens, which is faster."""
    return re.compile(_PLAIN + "|" + re.sub(r"\(\?P<\w+>", "(?:", _TOKEN), re.VERBOSE)


_TAG = re.compile(r"<!--[^<>]*-->|</?(?!(?:url|user|number)>)[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Variation selectors say how a picture is drawn, soft hyphens where a word may be divided; half a
# surrogate pair is no character.
_INVISIBLE = re.compile("[\u00ad\ufe00-\ufe0f\ud800-\udfff]+")
_SHOUTING = re.compile(r"([!?])\1{2,}")
_ELONGATED = re.compile(r"([^\W\d_])\1{2,}|([)(\]\[}{|*])\2{2,}")


@dataclass(frozen=True)
class WordRules:
    """Tokenization into words; each field is the key of the configuration of that name.

    `WordRules().tokenize("@ann I don't like it... :-( http://example.org/c")` gives
    `["@ann", "i", "don't", "like", "it", "...", ":-(", "http://example.org/c"]`.

    Texts are brought to the Unicode normal form NFC; typographic quotes become `'` and `"`.
    Tokens depend on the text alone. `stop_words` and `lemmas` need the extra `english` and raise
    ConfigError at the first text without it.
    """

    lowercase: bool = True
    punctuation: bool = True
    markup: Markup = "strip"
    urls: Replaceable = "keep"
    mentions: Replaceable = "keep"
    numbers: Replaceable = "keep"
    hashtags: Hashtags = "keep"
    emoji: Droppable = "keep"
    elongations: Elongations = "keep"
    stop_words: Droppable = "keep"
    lemmas: bool = False

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of `text` in order; an empty list for a text without any."""
        tokens = _any_token().findall(self._clean(text))
        if self._keeps_everything:
            return tokens
        memory = self._memory
        result: list[str] = []
        for token in tokens:
            treated = memory.get(token)
            if treated is None:
                if len(memory) >= _MEMORY:
                    memory.clear()
                treated = memory[token] = self._treat(token)
            result += treated
        return result

    @cached_property
    def _keeps_everything(self) -> bool:
        return self == WordRules(lowercase=self.lowercase, markup=self.markup)

    @cached_property
    def _memory(self) -> dict[str, tuple[str, ...]]:
        return {}

    def _clean(self, text: str) -> str:
        if self.markup == "strip":
            if "<" in text:
                text = _TAG.sub(" ", text)
            if "&" in text:
                text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
        if self.lowercase:
            text = text.lower()
        if not text.isascii():
            text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
            text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
            text = text.replace("…", "...")
        if self.elongations == "shorten" and ("!!!" in text or "???" in text):
            text = _SHOUTING.sub(r"\1\1", text)
        return text

    def _treat(self, token: str) -> tuple[str, ...]:
        """Return the tokens that replace one token: none, itself, or others."""
        found = _token().match(token)
        match found and found.lastgroup:
            case "url":
                return _replaced(token, self.urls, URL)
            case "mention":
                return _replaced(token, self.mentions, USER)
            case "number":
                return _replaced(token, self.numbers, NUMBER)
            case "hashtag":
                return self._hashtag(token)
            case "emoji":
                return (token,) if self.punctuation and self.emoji == "keep" else ()
            case "emoticon":
                return (self._shortened(token),) if self.punctuation else ()
            case "punctuation":
                if not self.punctuation:
                    return ()
                if self.elongations == "shorten" and len(token) > 1:
                    token = "..." if token[0] == "." else "--"
                return (token,)
            case _:
                return self._word(token)

    def _hashtag(self, token: str) -> tuple[str, ...]:
        match self.hashtags:
            case "keep":
                return (self._shortened(token),)
            case "split":
                return ("#",) * self.punctuation + self._word(token[1:])
            case "drop":
                return ()
            case _:
                assert_never(self.hashtags)

    def _word(self, token: str) -> tuple[str, ...]:
        token = self._shortened(token)
        if self.stop_words == "drop" and token.lower() in english_stop_words():
            return ()
        if self.lemmas:
            lemmas = english_lemmas()
            stem = token.removesuffix("'s")
            return (lemmas.get(token) or lemmas.get(stem, stem),)
        return (token,)

    def _shortened(self, token: str) -> str:
        if self.elongations == "shorten":
            return _ELONGATED.sub(lambda run: run[0][:2], token)
        return token


def _replaced(token: str, treatment: Replaceable, replacement: str) -> tuple[str, ...]:
    match treatment:
        case "keep":
            return (token,)
        case "replace":
            return (replacement,)
        case "drop":
            return ()
        case _:
            assert_never(treatment)


# ------------------------------------------------- English stop words and lemmas: tables of spaCy
#
# spaCy's own package has no trained English model but tables: a list of stop words, and lemmas by
# word form (`spacy-lookups-data`). Looking a word up needs no pipeline.

_CLITICS = ("n't", "'s", "'m", "'re", "'ve", "'ll", "'d")


@cache
def english_stop_words() -> frozenset[str]:
    """Return the English stop words of spaCy, lower case, and their contractions.

    spaCy divides a contraction and drops its parts, among them "n't" as it drops "not" and "no";
    here a contraction stays whole, so it counts as a stop word when its parts do: "it's",
    "don't". Raises ConfigError without spaCy.
    """
    try:
        from spacy.lang.en.stop_words import STOP_WORDS
    except ImportError as error:
        raise _missing("data.tokens.stop_words") from error
    words = {word for word in STOP_WORDS if word.isalpha()}
    contractions = {word + clitic for word in words for clitic in _CLITICS}
    return frozenset(words | contractions | {"won't"})  # of "will", which changes its spelling


@cache
def english_lemmas() -> Mapping[str, str]:
    """Return the lemmas of English word forms in spaCy's table: "movies" -> "movie", "was" -> "be".

    Words that are not in the table are their own lemmas. Raises ConfigError without spaCy or
    without its tables.
    """
    try:
        import spacy_lookups_data  # noqa: F401  (load_lookups finds the tables by itself)
        from spacy.lookups import load_lookups
    except ImportError as error:
        raise _missing("data.tokens.lemmas") from error
    return load_lookups("en", ["lemma_lookup"]).get_table("lemma_lookup")


def _missing(key: str) -> ConfigError:
    return ConfigError(
        f"{key} needs spaCy and its tables, which are not installed. "
        "Install them with: pip install 'rnnkit[english]'"
    )
