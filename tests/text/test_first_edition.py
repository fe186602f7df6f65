"""Tokens, ids and stored forms equal those of the first edition, which old runs depend on.

`first_edition.json` was written by its code: tokens where they are few, otherwise the beginning of
the SHA-256 of their JSON.
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from rnnkit.errors import DataError
from rnnkit.text.cleaning import TextRules
from rnnkit.text.encoder import fit_encoder
from rnnkit.text.spacing import tokenize
from rnnkit.text.stored import read_vocabulary, subword_vocabulary
from rnnkit.text.subwords import train_exact_subwords
from rnnkit.text.vocabulary import MARKS, CaseRules, StreamDecoder, Vocabulary
from rnnkit.text.words import WordRules

STORED = json.loads((Path(__file__).parents[1] / "support" / "first_edition.json").read_bytes())
WRITTEN, RANDOM = STORED["texts"]["written"], STORED["texts"]["random"]
TRAINING = [text.replace("\x00", "") for text in (*WRITTEN, *RANDOM[:200])]
PROBES = [*WRITTEN, *RANDOM[200:260]]


def digest(value: object) -> str:
    content = json.dumps(value, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@pytest.mark.parametrize(("text", "tokens"), [*zip(WRITTEN, STORED["words"]["web"], strict=True)])
def test_words_of_classifiers(text: str, tokens: list[str]) -> None:
    assert WordRules().tokenize(text) == tokens


@pytest.mark.parametrize(("rules", "expected"), STORED["words"]["web_random"])
def test_words_of_classifiers_under_all_rules(rules: dict[str, Any], expected: str) -> None:
    assert digest([WordRules(**rules).tokenize(text) for text in (*WRITTEN, *RANDOM)]) == expected


@pytest.mark.parametrize(("text", "tokens"), [*zip(WRITTEN, STORED["words"]["text"], strict=True)])
def test_words_of_language_models(text: str, tokens: list[str]) -> None:
    assert tokenize(text, "text") == tokens


def test_words_of_language_models_in_random_texts() -> None:
    words = STORED["words"]
    assert digest([tokenize(text, "text") for text in RANDOM]) == words["text_random"]
    after = ("\n", "a", '<open ">', "-", "(")
    found = [tokenize(text, "text", after=token) for text in RANDOM[:300] for token in after]
    assert digest(found) == words["after"]
    assert (
        digest([tokenize(text, "sentences") for text in (*WRITTEN, *RANDOM)])
        == (words["sentences"])
    )


def vocabularies() -> list[Vocabulary]:
    joined = "".join(TRAINING)
    made = []
    for rules in (
        TextRules(),
        TextRules("keep", "NFC", lowercase=True),
        TextRules("normalize", "NFKD"),
    ):
        characters = sorted(set(rules.apply(joined)))
        made += [
            Vocabulary(rules, "characters", tuple(characters)),
            Vocabulary(rules, "characters", tuple(characters[::2]), has_unknown=True),
            Vocabulary(rules, "bytes"),
        ]
        for layout, marks in MARKS.items():
            counts = Counter(tokenize(rules.apply(joined), layout))
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            special = {*marks, "<unk>"}
            tokens = [token for token, n in ordered if n > 1 and token not in special]
            made.append(
                Vocabulary(rules, "words", (*marks, *tokens), has_unknown=True, layout=layout)
            )
        subwords = train_exact_subwords(map(rules.apply, TRAINING), vocabulary_size=400)
        made.append(subword_vocabulary(rules, subwords))
    return made


def encode(vocabulary: Vocabulary, text: str) -> list[int] | str:
    try:
        return vocabulary.encode(text)
    except DataError as error:
        return str(error)


def stream(vocabulary: Vocabulary, ids: list[int]) -> list[str]:
    decoder = StreamDecoder(vocabulary, ids[:1])
    return [*map(decoder.feed, ids[1:]), decoder.finish()]


def test_vocabularies_of_language_models() -> None:
    for vocabulary, expected in zip(vocabularies(), STORED["vocabularies"], strict=True):
        assert read_vocabulary(vocabulary.to_dict()) == vocabulary
        encoded = [encode(vocabulary, text) for text in PROBES]
        ids = [found for found in encoded if isinstance(found, list)]
        found = {
            "kind": vocabulary.kind,
            "document": digest(vocabulary.to_dict()),
            "size": vocabulary.size,
            "start": vocabulary.start_id,
            "unknown": vocabulary.unknown_id,
            "encoded": digest(encoded),
            "decoded": digest([vocabulary.decode(one) for one in ids]),
            "streams": digest([stream(vocabulary, one) for one in ids]),
            "unseen": digest([vocabulary.unseen(text) for text in PROBES]),
            "opening": digest([vocabulary.opening(text) for text in PROBES]),
            "without_unseen": digest([vocabulary.without_unseen(text) for text in PROBES]),
            "labels": digest([vocabulary.label(index) for index in range(vocabulary.size)]),
            "unit": vocabulary.unit,
            "named": vocabulary.name_units(tuple("abcdefghijkl")),
        }
        del expected["spellings"]
        assert found == expected


@pytest.mark.parametrize("expected", STORED["encoders"])
def test_encoders_of_classifiers(expected: dict[str, Any]) -> None:
    kind, size = expected["kind"], expected["vocabulary_size"]
    rules = (WordRules if kind == "words" else CaseRules)(**expected["rules"])
    encoder, stats = fit_encoder(
        TRAINING,
        kind=kind,
        rules=rules,
        maximum_length=12,
        truncate=expected["truncate"],
        vocabulary_size=size,
        minimum_count=1 if kind == "subwords" else 2,
    )
    vocabulary = encoder.vocabulary
    found = {
        "document": digest(encoder.to_dict()),
        "size": encoder.size,
        "facts": [stats.distinct, stats.coverage],
        "ids": digest(encoder.encode_many([*PROBES, "\ud800x"])),
        "tokens": digest([vocabulary.tokenize(text) for text in PROBES]),
        "named": digest([vocabulary.token_of(index) for index in range(encoder.size)]),
    }
    assert found == {name: expected[name] for name in found}
    assert asdict(rules) == expected["rules"]
