"""Encoders of labelled texts: ids, the choice of the vocabulary, cutting, the stored form."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.encoder import (
    PAD,
    UNKNOWN,
    TextEncoder,
    fit_encoder,
)
from rnnkit.text.vocabulary import CaseRules, Kind, Vocabulary
from rnnkit.text.words import WordRules

TEXTS = ["the film is good good", "the film is bad :(", "Ünïcödé 日本 👍 the end"]
KINDS: dict[Kind, WordRules | CaseRules] = {
    "words": WordRules(),
    "characters": CaseRules(lowercase=True),
    "subwords": CaseRules(lowercase=True),
}
kinds = st.sampled_from(sorted(KINDS))
texts = st.text(st.characters(), max_size=40) | st.sampled_from(TEXTS)
ENCODERS = {
    (kind, length, truncate): fit_encoder(
        TEXTS,
        kind=kind,
        rules=rules,
        maximum_length=length,
        truncate=truncate,
        vocabulary_size=300,
    )[0]
    for kind, rules in KINDS.items()
    for length in (1, 4, 1000)
    for truncate in ("end", "start")
}
encoders = st.sampled_from([*ENCODERS.values()])


def fit(texts: list[str], **options: Any) -> TextEncoder:
    options = {"kind": "words", "rules": WordRules(), "maximum_length": 100} | options
    return fit_encoder(texts, **options)[0]


@given(encoders, texts)
def test_any_text_has_ids_within_the_vocabulary(encoder: TextEncoder, text: str) -> None:
    ids = encoder.encode(text)
    assert 1 <= len(ids) <= encoder.maximum_length
    assert all(PAD < index < encoder.size for index in ids)


@given(encoders, texts)
def test_ids_are_those_of_the_tokens(encoder: TextEncoder, text: str) -> None:
    tokens = encoder.tokenize(text)
    assert encoder.encode(text) == (
        [encoder.vocabulary.id_of(token) for token in tokens] or [UNKNOWN]
    )
    for token in tokens:
        index = encoder.vocabulary.id_of(token)
        assert encoder.vocabulary.token_of(index) == (token if index != UNKNOWN else "<unk>")


@given(encoders, st.lists(texts, max_size=4))
def test_many_texts_are_encoded_like_each(encoder: TextEncoder, batch: list[str]) -> None:
    assert encoder.encode_many(iter(batch)) == [encoder.encode(text) for text in batch]
    whole = encoder.vocabulary.encode_many(iter(batch))
    assert [encoder.cut(ids) for ids in whole] == encoder.encode_many(batch)
    assert list(map(len, whole)) == [len(encoder.vocabulary.tokenize(text)) for text in batch]


@given(kinds, texts, st.sampled_from([1, 4]))
def test_the_chosen_side_is_cut(kind: Kind, text: str, length: int) -> None:
    whole = ENCODERS[kind, 1000, "end"].encode(text)
    assert ENCODERS[kind, length, "end"].encode(text) == whole[:length]
    assert ENCODERS[kind, length, "start"].encode(text) == whole[-length:]
    tokens = ENCODERS[kind, 1000, "end"].tokenize(text)
    assert ENCODERS[kind, length, "start"].tokenize(text) == tokens[-length:]


@given(encoders, texts)
def test_the_stored_form_survives_json(encoder: TextEncoder, text: str) -> None:
    stored = json.dumps(encoder.to_dict(), sort_keys=True)
    read = TextEncoder.from_dict(json.loads(stored))
    assert read == encoder
    assert read.encode(text) == encoder.encode(text)


@given(st.lists(st.text(st.characters(), max_size=20), min_size=1, max_size=5))
def test_a_vocabulary_of_any_texts_can_be_stored(batch: list[str]) -> None:
    for kind, rules in KINDS.items():
        try:
            encoder = fit(["a", *batch], kind=kind, rules=rules, vocabulary_size=300)
        except DataError:
            continue
        stored = json.dumps(encoder.to_dict(), ensure_ascii=False).encode("utf-8")
        assert TextEncoder.from_dict(json.loads(stored)) == encoder


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_tokens_is_unknown(kind: Kind) -> None:
    encoder = ENCODERS[kind, 4, "end"]
    assert encoder.encode("") == [UNKNOWN]
    assert encoder.tokenize("") == []
    assert encoder.vocabulary.encode_many([""]) == [[]]


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_the_most_frequent_tokens_are_kept(
    letters: list[str], vocabulary_size: int, minimum_count: int
) -> None:
    counts = Counter(letters)
    order = sorted(counts, key=lambda letter: (-counts[letter], letter))
    expected = [c for c in order if counts[c] >= minimum_count][:vocabulary_size]
    for kind, rules, text in (
        ("words", WordRules(), " ".join(letters)),
        ("characters", CaseRules(lowercase=False), "".join(letters)),
    ):
        options: dict[str, Any] = {"kind": kind, "rules": rules, "maximum_length": 3}
        options |= {"vocabulary_size": vocabulary_size, "minimum_count": minimum_count}
        if not expected:
            with pytest.raises(DataError, match="minimum_count"):
                fit_encoder([text], **options)
            continue
        encoder, facts = fit_encoder(iter([text]), **options)
        assert encoder.vocabulary.tokens == tuple(expected)
        assert encoder.size == len(expected) + 2
        assert facts.distinct == len(counts)
        assert facts.coverage == pytest.approx(sum(map(counts.get, expected)) / len(letters))  # pyright: ignore


def test_ids_follow_the_special_ones() -> None:
    encoder = fit(["b b a"])
    assert (encoder.vocabulary.token_of(0), encoder.vocabulary.token_of(1)) == ("<pad>", "<unk>")
    assert encoder.encode("a b c") == [3, 2, UNKNOWN]
    for index in (-1, 4):
        with pytest.raises(ValueError, match="outside the vocabulary of 4"):
            encoder.vocabulary.token_of(index)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("literal", ["<pad>", "<unk>", "<|endoftext|>", "[PAD]"])
def test_no_text_spells_the_padding(kind: Kind, literal: str) -> None:
    encoder = fit([literal * 3, "good"], kind=kind, rules=KINDS[kind], vocabulary_size=300)
    assert PAD not in encoder.encode(f"a {literal} good")
    assert TextEncoder.from_dict(encoder.to_dict()) == encoder


@pytest.mark.parametrize("texts", [[], ["", "  "], ["<br />"]])
def test_nothing_to_learn_from_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="no tokens at all"):
        fit(texts)


GOOD = ENCODERS["words", 4, "end"].to_dict()
SUBWORDS = ENCODERS["subwords", 4, "end"].to_dict()
BROKEN: list[tuple[object, str]] = [
    (None, "not an object"),
    ([], "not an object"),
    ({}, "not an object"),
    (GOOD | {"more": 1}, "not an object"),
    (GOOD | {"kind": "sentences"}, "kind"),
    (GOOD | {"kind": ["words"]}, "kind"),
    (GOOD | {"kind": "characters"}, "tokens"),
    (GOOD | {"kind": "subwords"}, "subwords"),
    (GOOD | {"rules": {}}, "rules"),
    (GOOD | {"rules": None}, "rules"),
    (GOOD | {"rules": GOOD["rules"] | {"urls": "eat"}}, "urls"),
    (GOOD | {"rules": GOOD["rules"] | {"lemmas": 1}}, "lemmas"),
    (GOOD | {"tokens": None}, "tokens"),
    (GOOD | {"tokens": "ab"}, "tokens"),
    (GOOD | {"tokens": ["a", ""]}, "tokens"),
    (GOOD | {"tokens": ["a", 3]}, "tokens"),
    (GOOD | {"tokens": ["a", "\ud800"]}, "tokens"),
    (GOOD | {"tokens": ["a", "<pad>"]}, "tokens"),
    (GOOD | {"tokens": ["a", "b", "a"]}, "twice"),
    (GOOD | {"maximum_length": 0}, "maximum_length"),
    (GOOD | {"maximum_length": True}, "maximum_length"),
    (GOOD | {"maximum_length": 4.0}, "maximum_length"),
    (GOOD | {"truncate": "middle"}, "truncate"),
    (GOOD | {"subwords": "{}"}, "subwords"),
    (SUBWORDS | {"tokens": ["a"]}, "tokens"),
    (SUBWORDS | {"subwords": None}, "subwords"),
    (SUBWORDS | {"subwords": ""}, "subwords"),
    (SUBWORDS | {"subwords": "{}"}, "subwords"),
    (SUBWORDS | {"subwords": SUBWORDS["subwords"][:-9]}, "subwords"),
]


@pytest.mark.parametrize(("content", "match"), BROKEN)
def test_nonsense_is_refused(content: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TextEncoder.from_dict(content)


def test_rules_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="WordRules are not the rules of characters"):
        Vocabulary(WordRules(), "characters", ("a",), has_unknown=True)
    with pytest.raises(ValueError, match="has_unknown is False for words"):
        Vocabulary(WordRules(), "words", ("a",))
    with pytest.raises(ValueError, match="has padding"):
        TextEncoder(Vocabulary(TextRules(), "bytes"), 3)
