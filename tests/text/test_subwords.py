"""Byte-pair encoding: every text has a spelling, training is repeatable."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import ConfigError
from rnnkit.text.subwords import Subwords, train_subwords

TEXTS = [
    "The lowest of the low",
    "newer, wider, lower, newest",
    "日本 👍 the low",
    "the  newest\nlow",
] * 3
CONTENT = train_subwords(TEXTS, vocabulary_size=280)
SUBWORDS = Subwords.from_json(CONTENT)


def spelled(ids: list[int]) -> str:
    parts = [SUBWORDS.tokens[index] for index in ids]
    content = b"".join(
        bytes.fromhex(part[3:-1]) if part.startswith("<0x") else part.encode() for part in parts
    )
    return content.decode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_the_subwords_of_any_text_spell_it(text: str) -> None:
    keeping = Subwords.from_json(train_subwords([], vocabulary_size=256, lowercase=False))
    words = text.split()
    ids = keeping.encode_many([" ".join(words), text])
    assert ids[0] == ids[1]
    assert max(ids[0], default=0) < len(keeping.tokens) == 256


@given(st.text("abcdeé日👍 \n", max_size=40))
def test_tokens_are_readable(text: str) -> None:
    (ids,) = SUBWORDS.encode_many([text])
    assert spelled(ids) == "".join(" " + word for word in text.split())


@given(st.lists(st.text(st.characters(), max_size=30) | st.sampled_from(TEXTS), max_size=6))
def test_what_was_encoded_before_changes_nothing(texts: list[str]) -> None:
    fresh = [Subwords.from_json(CONTENT).encode_many([text])[0] for text in texts]
    assert SUBWORDS.encode_many(iter(texts)) == fresh


def test_encoding_word_by_word_is_encoding_the_text() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    whole = tokenizers.Tokenizer.from_str(CONTENT)
    for text in [
        "The lowest, NEWER's don't  \n\t low!!! (low)",
        "日本 é\u0301 👍🏽x ΟΔΟΣ. İ",
        "a" * 500,
    ]:
        expected = whole.encode(" ".join(text.split()), add_special_tokens=False).ids
        assert SUBWORDS.encode_many([text]) == [expected]


def test_frequent_words_become_one_subword_and_case_is_chosen() -> None:
    assert " the" in SUBWORDS.tokens
    assert " The" not in SUBWORDS.tokens
    assert SUBWORDS.encode_many(["THE the"])[0] == SUBWORDS.encode_many(["the the"])[0]
    cased = Subwords.from_json(
        train_subwords(["The The The"], vocabulary_size=300, lowercase=False)
    )
    assert cased.tokens[-1] == " The"
    assert len(SUBWORDS.tokens) == 280
    assert len(set(SUBWORDS.tokens)) == 280


def test_half_a_surrogate_pair_is_a_replacement_character() -> None:
    assert SUBWORDS.encode_many(["a\ud800"]) == SUBWORDS.encode_many(["a\ufffd"])


def test_equal_texts_give_equal_json_in_every_process() -> None:
    code = (
        "import sys; from rnnkit.text.subwords import train_subwords as t;"
        "texts = [f'w{i % 97} v{i % 89}x{i % 7} aé' for i in range(500)];"
        "sys.stdout.buffer.write(t(texts, vocabulary_size=320).encode())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"), ("3", "3"))
    }
    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())["model"]["vocab"]) == 320


def test_a_later_fork_prints_no_warning() -> None:
    code = (
        "import os; from rnnkit.text.subwords import *;"
        "s = Subwords.from_json(train_subwords(['a b'] * 9, vocabulary_size=260));"
        "s.encode_many(['a b', 'c']); pid = os.fork();"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        check=True,
        capture_output=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vocabulary_size is 255.*at least 256"):
        train_subwords(TEXTS, vocabulary_size=255)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "x", CONTENT[:100], '{"model": 3}'])
def test_nonsense_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match="subwords"):
        Subwords.from_json(content)


def test_ids_with_a_gap_are_refused() -> None:
    changed = json.loads(CONTENT)
    changed["model"]["vocab"][" z"] = 1000
    with pytest.raises(ValueError, match="ids of the subwords"):
        Subwords.from_json(json.dumps(changed))
