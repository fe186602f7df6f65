"""Vocabularies: ids and back, what is unknown, and the stored form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import StreamDecoder, Vocabulary

KEEP = TextRules(newlines="keep")
BYTES = Vocabulary(KEEP, "bytes")
texts = st.text(st.characters(exclude_categories=["Cs"]))


def characters(text: str, *, has_unknown: bool = False) -> Vocabulary:
    return Vocabulary(KEEP, "characters", tuple(sorted(set(text))), has_unknown)


@given(texts, st.booleans())
def test_encoding_and_decoding_returns_any_text(text: str, has_unknown: bool) -> None:
    for vocabulary in (BYTES, characters(text, has_unknown=has_unknown)):
        ids = vocabulary.encode(text)
        assert all(0 <= index < vocabulary.size for index in ids)
        assert vocabulary.decode(ids) == text


@given(st.lists(st.integers(0, 255)))
def test_streamed_decoding_equals_decoding_at_once(ids: list[int]) -> None:
    decoder = StreamDecoder(BYTES)
    streamed = "".join(decoder.feed(index) for index in ids) + decoder.finish()
    assert streamed == BYTES.decode(ids) == bytes(ids).decode("utf-8", errors="replace")


def test_streamed_bytes_are_held_back_until_they_make_a_character() -> None:
    decoder = StreamDecoder(BYTES)
    assert [decoder.feed(index) for index in "é€a".encode()] == ["", "é", "", "", "€", "a"]
    assert decoder.finish() == ""
    assert decoder.feed(0xE2) == ""
    assert decoder.finish() == "\ufffd"
    assert decoder.feed(ord("b")) == "b"


def test_ids_follow_code_points_and_leave_0_to_unknown() -> None:
    plain = characters("banana")
    assert (plain.tokens, plain.size, plain.unknown_id) == (("a", "b", "n"), 3, None)
    assert plain.encode("nab") == [2, 0, 1]
    with_unknown = characters("banana", has_unknown=True)
    assert (with_unknown.size, with_unknown.unknown_id) == (4, 0)
    assert with_unknown.encode("nxb") == [3, 0, 2]
    assert with_unknown.decode([3, 0, 2]) == "n\ufffdb"
    assert StreamDecoder(with_unknown).feed(3) == "n"
    assert (BYTES.size, BYTES.unknown_id) == (256, None)


def test_unseen_characters_are_named() -> None:
    vocabulary = characters("abc")
    assert vocabulary.unseen("aéxéb\ud800") == ("é", "x", "\ud800")
    with pytest.raises(DataError, match=r"'é' \(U\+00E9\), 'x' \(U\+0078\)\."):
        vocabulary.encode("aéxéb")
    with pytest.raises(DataError, match="and 5 more"):
        vocabulary.encode("0123456789ABCDE")
    assert BYTES.unseen("é") == ()
    with pytest.raises(DataError, match=r"U\+DC80"):
        BYTES.encode("a\udc80")


def test_the_rules_are_applied_before_encoding() -> None:
    vocabulary = Vocabulary(TextRules(lowercase=True), "characters", ("\n", "a", "b"))
    assert vocabulary.encode("A\r\nb") == [1, 0, 2]
    assert vocabulary.unseen("AX") == ("x",)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_id_outside_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="outside the vocabulary of 3"):
        characters("abc").decode([index])


@given(texts, st.booleans())
def test_the_stored_form_is_read_back(text: str, has_unknown: bool) -> None:
    written = characters(text + "a", has_unknown=has_unknown)
    for vocabulary in (BYTES, written):
        assert read_vocabulary(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "words"}, "exactly"),
        ({"kind": "bytes"}, "lists no tokens"),
        ({"tokens": []}, "tokens is empty"),
        ({"tokens": ["ab"]}, "single characters"),
        ({"tokens": "ab"}, "single characters"),
        ({"tokens": ["\ud800"]}, "single characters"),
        ({"tokens": ["b", "a"]}, "rising order"),
        ({"tokens": ["a", "a"]}, "rising order"),
        ({"has_unknown": 1}, "has_unknown is 1"),
        ({"rules": None}, "rules is not an object"),
        ({"extra": 1}, "exactly"),
        ({"rules": {"newlines": "drop", "normalization": "NFC", "lowercase": True}}, "newlines"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_vocabulary(characters("ab").to_dict() | change)
    with pytest.raises(ValueError, match="not an object"):
        read_vocabulary([change])
