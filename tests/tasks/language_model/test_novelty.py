"""What a text shares with the training text of a run, against brute force over the files."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnkit.errors import DataError, UsageError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import write_document
from rnnkit.tasks.language_model import suffix_automaton
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.novelty import SIZES, Copy, TrainingText, measure, training_text
from rnnkit.tasks.task import parse_config
from rnnkit.tasks.text_classification.config import ClassificationConfig

CHARACTERS = """\
version: 1
task: char_generation
data: {path: [one.txt, two.txt], validation_fraction: 0.2, windows: {length: 2}}
training: {batch_size: 1, max_steps: 1}
"""
WORDS = """\
version: 1
task: word_generation
data: {path: one.txt, validation_fraction: 0.2, windows: {length: 2}}
training: {batch_size: 1, max_steps: 1}
"""


def known_text(
    folder: Path, *texts: str, settings: str = CHARACTERS, overrides: Any = ()
) -> TrainingText:
    for name, text in zip(("one.txt", "two.txt"), texts, strict=False):
        (folder / name).write_bytes(text.encode())
    config = parse_config(settings, source="x.yaml", base=folder, overrides=overrides)
    assert not isinstance(config, ClassificationConfig)
    return TrainingText(prepare(config), config.data.encoding)


def encode(known: TrainingText, text: str) -> list[int]:
    return known.prepared.vocabulary.encode(text)


letters = st.text("ab\n", min_size=12, max_size=60).filter(lambda text: len(set(text)) > 1)


@given(letters, letters, st.text("ab\n", max_size=30))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_longest_copy_and_its_place_are_those_of_brute_force(
    tmp_path: Path, one: str, two: str, text: str
) -> None:
    known = known_text(tmp_path, one + "ab", two + "\n")
    whole = one + "ab" + two + "\n"
    trained = whole[: len(known.prepared.split("train"))]
    text = "".join(c for c in text if c in set(whole))
    found = measure(encode(known, text), known)
    stretches = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)} & {
        trained[i:j] for i in range(len(trained)) for j in range(i + 1, len(trained) + 1)
    }
    longest = max(map(len, stretches), default=0)
    if not longest:
        assert found.longest_copy is None
    else:
        copy = found.longest_copy
        assert copy is not None
        assert copy.tokens == len(copy.text) == longest
        assert copy.text in stretches
        # The first of that length, which may be another of the same length.
        start = min(trained.find(s) for s in stretches if len(s) == longest)
        assert trained[start : start + longest] == copy.text
        if copy.text in one + "ab":
            before = (one + "ab")[: (one + "ab").find(copy.text)]
            blanks = len(copy.text) - len(copy.text.lstrip())
            line = 1 + (before + copy.text[:blanks]).count("\n")
            assert (copy.file, copy.line) == (str(tmp_path / "one.txt"), line)
        elif copy.text not in two + "\n":
            assert (copy.file, copy.line) == (None, None)
        else:
            assert copy.file == str(tmp_path / "two.txt")
    for size in SIZES:
        grams = [text[i : i + size] for i in range(len(text) - size + 1)]
        share = sum(gram not in trained for gram in grams) / len(grams) if grams else None
        assert found.new[size] == (None if share is None else pytest.approx(share))


def test_what_is_held_out_does_not_count(tmp_path: Path) -> None:
    known = known_text(tmp_path, "abcdefgh" * 10 + "x", "hgfedcba" * 2)
    copy = measure(encode(known, "hgfedcba"), known).longest_copy
    assert copy == Copy("a", 1, str(tmp_path / "one.txt"), 1)


def test_lines_are_counted_in_the_file_as_it_is(tmp_path: Path) -> None:
    text = "first line\r\nsecond\r\n\r\nThe FOURTH line has it\r\n" + "more\r\n" * 20
    known = known_text(tmp_path, text, "x\n" * 9, overrides=["data.lowercase=true"])
    copy = measure(encode(known, "\n\nthe fourth xx"), known).longest_copy
    assert copy == Copy("\n\nthe fourth ", 13, str(tmp_path / "one.txt"), 4)


def test_long_texts_are_searched_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnkit.tasks.language_model.novelty.CHUNK_BYTES", 16)
    lines = [f"line {number} of a longer text\n" for number in range(1, 200)]
    known = known_text(tmp_path, "".join(lines), "x\n" * 9)
    for number in (1, 2, 77, 150):
        copy = measure(encode(known, f"<{lines[number - 1]}<".replace("<", "0")), known)
        assert copy.longest_copy is not None
        assert copy.longest_copy.line == number


def test_bytes_of_half_a_character_are_found(tmp_path: Path) -> None:
    known = known_text(
        tmp_path, "né€ und größer 東京\n" * 20, "x\n" * 9, overrides=["data.tokens=bytes"]
    )
    # From the middle of € to the middle of 東.
    ids = list("€ und größer 東".encode())[1:-1]
    copy = measure(ids, known).longest_copy
    assert copy is not None
    assert copy.tokens == len(ids)
    assert (copy.file, copy.line) == (str(tmp_path / "one.txt"), 1)


def test_words_are_compared_as_words(tmp_path: Path) -> None:
    text = (
        "A part of the heart.\nThe art of the king is  long, he said.\n"
        + "All is well, and the king is well.\n" * 20
    )
    known = known_text(tmp_path, text, settings=WORDS)
    novelty = measure(encode(known, "well, the art of the king"), known)
    assert novelty.longest_copy is not None
    assert novelty.longest_copy.text == "art of the king"
    assert novelty.longest_copy.tokens == 4
    assert novelty.longest_copy.line == 2
    one = measure(encode(known, "art"), known).longest_copy
    assert one == Copy("art", 1, str(tmp_path / "one.txt"), 2)  # not in "part" before it
    # Sequences of 4: the first three of five are not there.
    assert novelty.new[4] == pytest.approx(3 / 4)
    assert novelty.new[8] is None


def test_sentences_are_found_whatever_separates_their_words(tmp_path: Path) -> None:
    text = " one  two three \n four\tfive six \n" + " more of the same \n" * 20
    known = known_text(tmp_path, text, settings=WORDS, overrides=["data.layout=sentences"])
    copy = measure(encode(known, "two three\nfour five"), known).longest_copy
    assert copy == Copy("two three\nfour five", 5, str(tmp_path / "one.txt"), 1)


def test_a_text_that_has_changed_or_gone_is_refused(tmp_path: Path) -> None:
    known = known_text(tmp_path, "abcdefgh\n" * 10, "more\n" * 5)
    run = RunDirectory(tmp_path)
    write_document(run.summary, "summary", {"corpus_fingerprint": known.prepared.fingerprint})
    config = parse_config(CHARACTERS, source="x.yaml", base=tmp_path)
    assert not isinstance(config, ClassificationConfig)
    assert training_text(run, config).prepared.fingerprint == known.prepared.fingerprint
    (tmp_path / "two.txt").write_text("other\n" * 5)
    with pytest.raises(DataError, match=r"--novelty .*two\.txt: the text has changed"):
        training_text(run, config)
    (tmp_path / "two.txt").unlink()
    with pytest.raises(DataError, match=r"--novelty .*two\.txt does not exist"):
        training_text(run, config)


def test_a_text_that_is_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_text(tmp_path, "abcdefgh\n" * 10, "more\n" * 5)
    monkeypatch.setattr(suffix_automaton, "LARGEST_TABLE", 10)
    with pytest.raises(UsageError, match=r"--novelty.*9 tokens.*--length"):
        measure(encode(known, "abcdefgh\n"), known)
