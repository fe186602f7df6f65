"""Texts into words and back: exactly, and with few marks."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import JOIN, SPACE, spacing, tokenize
from rnnkit.text.stored import read_vocabulary
from rnnkit.text.vocabulary import MARKS, StreamDecoder, Vocabulary

SHAKESPEARE = Path(__file__).parents[2] / "data" / "tinyshakespeare.txt"
KEEP = TextRules(newlines="keep")

PIECES = [
    *("the", "King", "don't", "king's", "I'll", "o'er", "l'amour", "qu'il", "'tis", "lords'"),
    *("1,000.5", "10:30pm", "U.S.A.", "e.g.", "Mr.", "x_1", "café", "नमस्ते", "日本語", "ア", "😀"),
    *(".", ",", "!!", "?", "...", "--", "-", " - ", "—", "(", ")", '"', "'", "“", "”", "«", "»"),
    *(" ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "<", ">", "<unk>", "<join>", "<open", "*"),
    *(
        "http://example.org/a",
        "me@example.org",
        "#",
        "$",
        "%",
        "/",
        "\\",
        "`",
        "_",
        "\x01",
        "\u200b",
    ),
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(PIECES), max_size=25
).map("".join)


def vocabulary_of(text: str, rules: TextRules = KEEP) -> Vocabulary:
    """All tokens of the text."""
    counts = Counter(tokenize(rules.apply(text), "text"))
    words = sorted(set(counts) - set(MARKS["text"]), key=lambda token: (-counts[token], token))
    return Vocabulary(rules, "words", (*MARKS["text"], *(words or ["a"])), has_unknown=True)


@given(texts)
def test_the_text_of_the_ids_is_the_text(text: str) -> None:
    vocabulary = vocabulary_of(text)
    assert vocabulary.unseen(text) == ()
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(texts)
def test_ids_one_at_a_time_make_the_same_text(text: str) -> None:
    vocabulary = vocabulary_of(text)
    decoder = StreamDecoder(vocabulary)
    assert "".join(map(decoder.feed, vocabulary.encode(text))) + decoder.finish() == text


@given(texts, st.data())
def test_a_text_goes_on_where_another_ends(text: str, data: st.DataObject) -> None:
    vocabulary = vocabulary_of(text)
    ids = vocabulary.encode(text)
    cut = data.draw(st.integers(0, len(ids)))
    decoder = StreamDecoder(vocabulary, after=ids[:cut])
    rest = "".join(map(decoder.feed, ids[cut:]))
    assert vocabulary.decode(ids[:cut]) + rest == text


@given(texts, texts)
def test_known_tokens_are_exact_in_any_other_text(learned: str, text: str) -> None:
    """Whatever is known can be written in any way: only unknown words are lost."""
    vocabulary = vocabulary_of(learned)
    if not vocabulary.unseen(text):
        assert vocabulary.decode(vocabulary.encode(text)) == text


@given(texts, texts)
def test_pieces_cut_at_the_end_of_a_word_have_the_tokens_of_the_whole(a: str, b: str) -> None:
    first, second = f"{a} word", f"{b}\nnext"
    whole = f"{first} {second}"
    before = tokenize(first, "text")
    assert before + tokenize(f" {second}", "text", after=before[-1]) == tokenize(whole, "text")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The king sat.", ["The", "king", "sat", "."]),
        ("Don't! It's the king's.", ["Don't", "!", "It", "'s", "the", "king", "'s", "."]),
        ("I'll've o'er 'tis", ["I", "'ll", "'ve", "o'er", "<open '>", "tis"]),
        ("the lords' hats", ["the", "lords", "'", "hats"]),
        ('He said, "Go."', ["He", "said", ",", '<open ">', "Go", ".", '"']),
        ("l'amour qu'il d'Artagnan", ["l'", "amour", "qu'", "il", "d'", "Artagnan"]),
        ("well-known one - two", ["well", "-", "known", "one", "<spaced ->", "two"]),
        ("a--b -- c", ["a", "--", "b", "<spaced -->", "c"]),
        ("- item\n- more", ["<spaced ->", "item", "\n", "<spaced ->", "more"]),
        ("1,000.50 at 10:30pm, 3%", ["1,000.50", "at", "10:30pm", ",", "3", "%"]),
        ("U.S.A. e.g. Mr. J.K. Ray", ["U.S.A.", "e.g.", "Mr", ".", "J.K.", "Ray"]),
        ("(so) [it] $5", ["(", "so", ")", "[", "it", "]", "$", "5"]),
        ("Bonjour ! « oui »", ["Bonjour", "<spaced !>", "<spaced «>", "oui", "<spaced »>"]),
        ("日本語です。", ["日", "本", "語", "で", "す", "。"]),
        (
            "see http://example.org/a, me@x.org.",
            ["see", "http://example.org/a", ",", "me@x.org", "."],
        ),
        ("a  b", ["a", SPACE, SPACE, "b"]),
        ("a,b", ["a", ",", JOIN, "b"]),
        (" a ", [SPACE, "a", SPACE]),
        ("a\tb\n\nc", ["a", "\t", "b", "\n", "\n", "c"]),
        ("<unk> <join>", ["<", JOIN, "unk", JOIN, ">", "<", JOIN, "join", JOIN, ">"]),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenize(text, "text") == tokens


def test_marks_are_rare_in_prose() -> None:
    text = SHAKESPEARE.read_text(encoding="utf-8")
    counts = Counter(tokenize(text, "text"))
    marks = sum(counts[mark] for mark in MARKS["text"])
    assert marks / counts.total() < 0.0005
    vocabulary = vocabulary_of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.parametrize(
    "piece",
    ["'", "''s", "1.", "a'", "a.", "l'", "http://", "a@", "<", "\u0301", "- ", '" '],
    ids=repr,
)
def test_long_texts_take_time_in_proportion(piece: str) -> None:
    """A text without an end in sight is read once; this one would take hours otherwise."""
    assert len(tokenize(piece * 100_000, "text")) >= 1


def test_the_treebank_is_read_as_it_stands() -> None:
    text = " no it was n't <unk> N \n mr. <unk>\n"
    tokens = ["no", "it", "was", "n't", "<unk>", "N", "\n", "mr.", "<unk>", "\n"]
    assert tokenize(text, "sentences") == tokens
    vocabulary = Vocabulary(
        KEEP,
        "words",
        ("\n", "no", "it", "was", "n't", "N", "mr."),
        has_unknown=True,
        layout="sentences",
    )
    ids = vocabulary.encode(text)
    assert ids == [2, 3, 4, 5, 0, 6, 1, 7, 0, 1]
    assert vocabulary.unseen(text) == ()
    assert vocabulary.decode(ids) == "no it was n't <unk> N\nmr. <unk>\n"


def test_unknown_words() -> None:
    vocabulary = vocabulary_of("the cat sat.")
    assert vocabulary.encode("the dog sat.")[1] == vocabulary.unknown_id == 0
    assert vocabulary.unseen('the dog, dog "sat.') == ("dog", ",", '"')
    assert vocabulary.decode(vocabulary.encode("the dog sat.")) == "the <unk> sat."
    assert vocabulary.without_unseen("the big cat sat. Oh") == "the cat sat."
    assert vocabulary.opening("the cat  ") == "the cat"
    with pytest.raises(ValueError, match="outside the vocabulary of 7"):
        vocabulary.decode([7])
    with pytest.raises(ValueError, match="outside"):
        vocabulary.label(-1)


def test_labels_are_printable_and_distinct() -> None:
    vocabulary = vocabulary_of('a "b"\n\tc\u200b \x01 d - e')
    labels = [vocabulary.label(index) for index in range(vocabulary.size)]
    assert len(set(labels)) == vocabulary.size
    assert all(label.isprintable() and not label.isspace() for label in labels)
    assert {"<unk>", "<join>", "␣", "⏎", "⇥", '<open␣">', "<U+200B>"} <= set(labels)


@given(texts)
def test_the_stored_form_is_the_vocabulary(text: str) -> None:
    vocabulary = vocabulary_of(text, TextRules(lowercase=True))
    assert read_vocabulary(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "poem"}, "layout is 'poem'"),
        ({"tokens": ["<join>", " "]}, "begin with the marks"),
        ({"tokens": ["a", "b"]}, "begin with the marks"),
        ({"tokens": ["<join>", " ", "a", "a"]}, "occurs twice"),
        ({"tokens": ["<join>", " ", "<unk>"]}, "not a list of words"),
        ({"tokens": ["<join>", " ", ""]}, "not a list of words"),
        ({"tokens": ["<join>", " ", "\ud800"]}, "not a list of words"),
        ({"tokens": "abc"}, "not a list of words"),
        ({"rules": {}}, "rules is not an object"),
        ({"kind": "syllables"}, "kind is 'syllables'"),
        ({"more": 1}, "not an object with exactly"),
    ],
)
def test_a_damaged_stored_form_is_refused(change: dict[str, object], message: str) -> None:
    stored = vocabulary_of("a b").to_dict() | change
    with pytest.raises(ValueError, match=re.escape(message)):
        read_vocabulary(stored)


def test_every_form_of_a_sign_has_its_spacing() -> None:
    assert spacing('"', "text") == ('"', True, False)
    assert spacing('<open ">', "text") == ('"', False, True)
    assert spacing('<spaced ">', "text") == ('"', False, False)
    assert spacing("<open ", "sentences") == ("<open ", False, False)
