"""Stop words and lemmas of English, and the message when their tables are not installed."""

import sys
from collections.abc import Iterator

import pytest

from rnnkit.errors import ConfigError
from rnnkit.text import words as english
from rnnkit.text.words import WordRules

TEXT = "It's the movies I wasn't liking, but they were not bad: don't watch Anna's! :)"


@pytest.fixture
def no_spacy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for function in (english.english_stop_words, english.english_lemmas):
        function.cache_clear()
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("spacy", "spacy_lookups_data")
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("spacy", "spacy_lookups_data"):
        monkeypatch.setitem(sys.modules, name, None)
    yield
    for function in (english.english_stop_words, english.english_lemmas):
        function.cache_clear()


@pytest.mark.parametrize("rules", [WordRules(stop_words="drop"), WordRules(lemmas=True)])
def test_without_the_extra_the_message_has_the_command(rules: WordRules, no_spacy: None) -> None:
    with pytest.raises(ConfigError, match=r"pip install 'rnnkit\[english\]'"):
        rules.tokenize(TEXT)


def test_without_the_extra_everything_else_works(no_spacy: None) -> None:
    assert WordRules(elongations="shorten").tokenize("sooo") == ["soo"]


def test_stop_words_and_their_contractions_are_dropped() -> None:
    pytest.importorskip("spacy")
    tokens = WordRules(stop_words="drop").tokenize(TEXT)
    assert tokens == ["movies", "liking", ",", "bad", ":", "watch", "anna's", "!", ":)"]
    assert WordRules(stop_words="drop", lowercase=False).tokenize("The END It's") == ["END"]


def test_words_become_their_lemmas() -> None:
    pytest.importorskip("spacy_lookups_data")
    tokens = WordRules(lemmas=True).tokenize("the movies were making Anna's feet hurt zzxq :d")
    assert tokens == ["the", "movie", "be", "make", "anna", "foot", "hurt", "zzxq", ":d"]


def test_stop_words_are_found_before_lemmas() -> None:
    pytest.importorskip("spacy_lookups_data")
    # "others" is a stop word; its lemma "other" too, but "having" only becomes one.
    rules = WordRules(stop_words="drop", lemmas=True)
    assert rules.tokenize("others having #were") == ["have", "#were"]


def test_the_tables_agree_with_the_pipeline_of_spacy() -> None:
    spacy = pytest.importorskip("spacy")
    pytest.importorskip("spacy_lookups_data")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("lemmatizer", config={"mode": "lookup"})
    pipeline.initialize()
    text = "these films were worse than the funniest mice running from cities , they said boldly"
    document = pipeline(text)
    assert WordRules(lemmas=True).tokenize(text) == [token.lemma_ for token in document]
    assert WordRules(stop_words="drop", lemmas=True).tokenize(text) == [
        token.lemma_ for token in document if not token.is_stop
    ]
