"""Cleaning rules, and that cutting a text where they allow it changes nothing."""

import itertools
import typing
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.tasks.language_model import config as schema
from rnnkit.text import cleaning, vocabulary
from rnnkit.text.cleaning import TextRules

RULES = [
    TextRules(newlines, normalization, lowercase)
    for newlines in typing.get_args(cleaning.Newlines)
    for normalization in typing.get_args(cleaning.Normalization)
    for lowercase in (False, True)
]

# What reaches across a cut: newlines, sigma and what its neighbours are, marks, and letters
# that compose or decompose.
AWKWARD = (
    "\r\n\t aAzZ09Σσς'.:^·\u00ad\u00a0¨´\u0301\u0307\u0323\u0345\u0308"
    "éÉİIΪſﬁ½Åşˆ\u1100\u1161\u11a8가각がゔ\u3099ーﾞ一𝒜\U000110ba\U00011099\u05b0\ud7a4"
)
awkward_texts = st.text(st.sampled_from(AWKWARD), max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        (TextRules(), "a\r\nb\rc\nd\r\r\n", "a\nb\nc\nd\n\n"),
        (TextRules(newlines="keep"), "a\r\nb\r", "a\r\nb\r"),
        (TextRules(normalization="NFC"), "e\u0301", "é"),
        (TextRules(normalization="NFD"), "é", "e\u0301"),
        (TextRules(normalization="NFKC"), "ﬁ½", "fi1\u20442"),
        (TextRules(lowercase=True), "ΟΔΟΣ ΣΑΣ", "οδος σας"),
        (TextRules(normalization="NFC", lowercase=True), "Ϊ\u0301", "ΐ"),
        (TextRules(newlines="keep", normalization="NFKC", lowercase=True), "™\r\n", "tm\r\n"),
    ],
)
def test_the_rules_do_what_they_are_named_for(rules: TextRules, text: str, expected: str) -> None:
    assert rules.apply(text) == expected


@given(st.sampled_from(RULES), awkward_texts)
def test_cleaning_what_is_clean_changes_nothing(rules: TextRules, text: str) -> None:
    clean = rules.apply(text)
    assert rules.apply(clean) == clean
    if rules.normalization != "none":
        assert unicodedata.is_normalized(rules.normalization, clean)


@given(st.sampled_from(RULES), awkward_texts, awkward_texts)
def test_cleaning_the_two_sides_of_a_safe_cut_equals_cleaning_the_whole(
    rules: TextRules, text: str, more: str
) -> None:
    cut = rules.last_safe_cut(text)
    assert 0 <= cut < max(len(text), 1)
    assert rules.apply(text[:cut]) + rules.apply(text[cut:] + more) == rules.apply(text + more)
    assert not (text[:cut].endswith("\r") and text[cut:].startswith("\n"))


def test_no_cut_next_to_any_awkward_pair_changes_the_result() -> None:
    """The same, exhaustively for what is just before and after the cut."""
    cuts = 0
    for rules in RULES:
        for before, after in itertools.product(AWKWARD, repeat=2):
            if rules.last_safe_cut(before + after):
                cuts += 1
                # A sigma on the far side of either character is what can go wrong.
                for left, right in itertools.product(("AΣ", "Σ", "e"), ("A", "ΣA", "\u0301")):
                    first, second = left + before, after + right
                    assert rules.apply(first) + rules.apply(second) == rules.apply(first + second)
    assert cuts > 10_000


@given(st.sampled_from(RULES), awkward_texts, awkward_texts)
def test_a_search_that_goes_on_finds_what_a_search_from_the_start_finds(
    rules: TextRules, text: str, more: str
) -> None:
    if not rules.last_safe_cut(text):
        resumed = rules.last_safe_cut(text + more, start=len(text))
        assert resumed == rules.last_safe_cut(text + more)


@pytest.mark.parametrize("rules", RULES)
def test_every_ordinary_text_can_be_cut(rules: TextRules) -> None:
    for text in ("some words", "AAAAAAAA", "吾輩は猫である", "한국어문장", "Σίσυφος Σ"):
        if unicodedata.is_normalized("NFC", text):
            assert rules.last_safe_cut(text) > 0


def test_the_choices_are_those_of_the_configuration() -> None:
    data = schema.CharacterDataConfig.model_fields
    assert typing.get_args(cleaning.Newlines) == typing.get_args(data["newlines"].annotation)
    normalization = typing.get_args(data["normalization"].annotation)
    assert typing.get_args(cleaning.Normalization) == normalization
    assert set(typing.get_args(schema.Tokens)) < set(typing.get_args(vocabulary.Kind))
