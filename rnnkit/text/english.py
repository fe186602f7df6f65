"""English stop words and lemmas, from the tables of spaCy.

spaCy's own package has no trained English model but tables: a list of stop words, and lemmas by
word form (`spacy-lookups-data`). Looking a word up needs no pipeline.
"""

from collections.abc import Mapping
from functools import cache

from rnnkit.errors import ConfigError

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
