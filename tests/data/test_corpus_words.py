"""`prepare` and `encode_files` of words and subwords."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rnnkit.data.corpus import encode_files
from rnnkit.data.pieces import divide
from rnnkit.data.text_counts import count_text
from rnnkit.errors import ConfigError, DataError
from rnnkit.tasks.language_model.config import WordGenerationConfig
from rnnkit.tasks.language_model.data import LanguageData, prepare
from rnnkit.tasks.task import parse_config

SETTINGS = """\
version: 1
task: word_generation
data: {path: text.txt, windows: {kind: stream, length: 2}}
training: {batch_size: 1, max_steps: 1}
"""
SUBWORDS = ("data.tokens=subwords", "data.vocabulary_size=300")
POEM = "".join(f"Line {n} of the poem, said the old man {n % 7}.\n" for n in range(60))
WORDS = ["the", "cat", "don't", "sat,", "(on)", '"mat"', "--", "it's.", "\n", "\n\n", "  ", "naïve"]


def config(folder: Path, *overrides: str, text: str | None = POEM) -> WordGenerationConfig:
    if text is not None:
        (folder / "text.txt").write_bytes(text.encode("utf-8"))
    made = parse_config(SETTINGS, source="x.yaml", base=folder, overrides=overrides)
    assert isinstance(made, WordGenerationConfig)
    return made


def ready(folder: Path, *overrides: str, text: str | None = POEM, **options: Any) -> LanguageData:
    made = config(folder, *overrides, text=text)
    return prepare(made, cache_dir=folder / "cache", **options)


def text_of(prepared: LanguageData) -> str:
    parts = (prepared.split(name).tolist() for name in ("train", "validation", "test"))
    return "".join(map(prepared.vocabulary.decode, parts))


EVERYTHING = ("data.vocabulary_size=null", "data.validation_fraction=0")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(WORDS), min_size=8, max_size=60).map(" ".join),
    st.integers(1, 40),
    st.booleans(),
)
@example("the the the the the the      ", 1, True)  # ends with whitespace
@example("the the the the the the      ", 40, False)
def test_the_ids_are_the_text_whatever_the_pieces(
    tmp_path: Path, text: str, chunk_bytes: int, subwords: bool
) -> None:
    text = "one two " + text
    kind = (*SUBWORDS, EVERYTHING[1]) if subwords else EVERYTHING
    prepared = ready(tmp_path, *kind, text=text, chunk_bytes=chunk_bytes)
    assert prepared.vocabulary.decode(prepared.ids.tolist()) == text
    assert prepared.ids.tolist() == prepared.vocabulary.encode(text)
    assert prepared.characters == len(text)
    assert len(prepared.split("train")) == len(prepared.ids)


@pytest.mark.parametrize("kind", [(), SUBWORDS], ids=["words", "subwords"])
@pytest.mark.parametrize("chunk_bytes", [7, 100, 2**20])
def test_every_part_is_a_text_of_its_own(
    tmp_path: Path, kind: tuple[str, ...], chunk_bytes: int
) -> None:
    fractions = ("data.validation_fraction=0.2", "data.test_fraction=0.1")
    prepared = ready(tmp_path, *kind, *fractions, chunk_bytes=chunk_bytes)
    splits = prepared.splits
    assert (splits.train.stop, splits.validation.stop) == (
        splits.validation.start,
        splits.test.start,
    )
    lengths = []
    for name in ("train", "validation", "test"):
        ids = prepared.split(name)
        known = prepared.vocabulary.decode(ids.tolist())
        assert known.startswith("Line")
        assert known.endswith("\n")
        lengths.append(count_text(prepared.vocabulary, ids).characters)
    if kind:  # nothing is unknown
        assert text_of(prepared) == POEM
        # The division is that of the characters, up to the end of a line.
        assert lengths == pytest.approx([0.7 * len(POEM), 0.2 * len(POEM), 0.1 * len(POEM)], abs=50)


def test_the_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    text = "a b c a b a\n" * 10 + "\nnew words here\n"
    prepared = ready(tmp_path, "data.validation_fraction=0.12", text=text)
    vocabulary = prepared.vocabulary
    assert vocabulary.kind == "words"
    assert vocabulary.words == ("a", "b", "\n", "c")
    held_out = prepared.split("validation")
    assert vocabulary.decode(held_out.tolist()).endswith("<unk> <unk> <unk>\n")
    assert any("no <unk> to learn from" in note for note in prepared.notes)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("data.vocabulary_size=2",), {"the", "a"}),
        (("data.minimum_count=3",), {"the", "a", "b"}),
        (("data.minimum_count=3", "data.vocabulary_size=1"), {"the"}),
        ((), {"the", "a", "b", "c", "d"}),
    ],
)
def test_rare_words_become_unknown(
    tmp_path: Path, overrides: tuple[str, ...], words: set[str]
) -> None:
    text = "the a b the a c the d b the a b the"
    prepared = ready(tmp_path, "data.validation_fraction=0", *overrides, text=text)
    vocabulary = prepared.vocabulary
    assert vocabulary.kind == "words"
    assert set(vocabulary.words) == words
    counts = Counter(word for word in text.split() if word not in words)
    assert int((prepared.ids == 0).sum()) == counts.total()


FILES = {"validation": "valid.txt", "test": "test.txt"}


def test_parts_may_have_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("the old man\n")
    (tmp_path / "test.txt").write_text("a new man\n")
    overrides = [f"data.{key}_path={tmp_path / name}" for key, name in FILES.items()]
    prepared = ready(tmp_path, *overrides)
    decode = prepared.vocabulary.decode
    assert decode(prepared.split("train").tolist()) == POEM
    assert decode(prepared.split("validation").tolist()) == "the old man\n"
    assert decode(prepared.split("test").tolist()) == "<unk> <unk> man\n"


def test_a_test_fraction_beside_validation_files(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("the old man\n")
    overrides = (f"data.validation_path={tmp_path / 'valid.txt'}", "data.test_fraction=0.5")
    prepared = ready(tmp_path, *overrides, text="a b\n" * 20)
    decode = prepared.vocabulary.decode
    assert decode(prepared.split("train").tolist()) == "a b\n" * 10
    assert decode(prepared.split("test").tolist()) == "a b\n" * 10
    assert decode(prepared.split("validation").tolist()) == "<unk> <unk> <unk>\n"


TREEBANK = " no it was n't black monday \n but <unk> N million \n" * 12


def test_the_treebank_layout(tmp_path: Path) -> None:
    prepared = ready(tmp_path, "data.layout=sentences", text=TREEBANK.rstrip("\n"))
    vocabulary = prepared.vocabulary
    assert vocabulary.kind == "words"
    assert set(vocabulary.words) == {*TREEBANK.split(), "\n"} - {"<unk>"}
    lines = [line.strip() for line in TREEBANK.splitlines()]
    assert text_of(prepared) == "\n".join(lines) + "\n"
    assert len(prepared.ids) == len(TREEBANK.split()) + len(lines)
    share = (prepared.split("train") == 0).mean()
    assert share == pytest.approx(1 / 11, abs=0.02)


@pytest.mark.parametrize("chunk_bytes", [9, 2**20])
def test_files_begin_new_lines(tmp_path: Path, chunk_bytes: int) -> None:
    (tmp_path / "b.txt").write_text("second file")
    paths = f"data.path=[{tmp_path / 'text.txt'}, {tmp_path / 'b.txt'}]"
    prepared = ready(
        tmp_path,
        *EVERYTHING,
        paths,
        text="first file",
        chunk_bytes=chunk_bytes,
    )
    assert prepared.vocabulary.decode(prepared.ids.tolist()) == "first file\nsecond file"


def test_what_is_prepared_again_comes_from_the_cache(tmp_path: Path) -> None:
    first = ready(tmp_path)
    second = ready(tmp_path)
    assert "reused" in second.notes[-1]
    assert second.fingerprint == first.fingerprint
    assert np.array_equal(second.ids, first.ids)
    assert (second.vocabulary, second.splits) == (first.vocabulary, first.splits)
    for change in (
        ("data.vocabulary_size=5",),
        ("data.minimum_count=2",),
        ("data.validation_fraction=0.3",),
        ("data.test_fraction=0.3",),
        ("data.lowercase=true",),
        ("data.layout=sentences",),
        SUBWORDS,
        (*SUBWORDS, "data.vocabulary_size=280"),
    ):
        assert ready(tmp_path, *change).fingerprint != first.fingerprint, change


def test_subwords_know_every_text(tmp_path: Path) -> None:
    vocabulary = ready(tmp_path, *SUBWORDS).vocabulary
    assert vocabulary.kind == "subwords"
    assert 256 < vocabulary.size <= 300
    strange = "日本語 \t\n\u200b<unk> \U0001f600"
    assert vocabulary.decode(vocabulary.encode(strange)) == strange
    with pytest.raises(DataError, match="half of a surrogate pair"):
        vocabulary.encode("a\ud800")


def test_other_files_in_an_existing_vocabulary(tmp_path: Path) -> None:
    vocabulary = ready(tmp_path).vocabulary
    path = tmp_path / "more.txt"
    path.write_text("the old cat said the cat dog")
    encoded = encode_files([str(path)], vocabulary, "utf-8", chunk_bytes=5)
    assert encoded.ids.tolist() == vocabulary.encode(path.read_text())
    assert (encoded.unseen, encoded.units) == ({"cat": 2, "dog": 1}, 7)
    subwords = ready(tmp_path, *SUBWORDS).vocabulary
    encoded = encode_files([str(path)], subwords, "utf-8", chunk_bytes=5)
    assert encoded.ids.tolist() == subwords.encode(path.read_text())
    treebank = ready(tmp_path, "data.layout=sentences", text=TREEBANK).vocabulary
    path.write_text("it was N\n\nit was")
    assert treebank.decode(encode_files([str(path)], treebank, "utf-8").ids.tolist()) == (
        "it was N\n\nit was\n"
    )


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("same same same same", (), "nothing but 'same'"),
        ("one", EVERYTHING[1:], "has 1 word;"),
        ("a b c d e f g h i j", ("data.minimum_count=2",), "Lower it"),
        ("a b c d e fghij", ("data.validation_fraction=0.01",), "The validation text has 0"),
        ("a b c d e", ("training.batch_size=9",), "too few for"),
        ("a b c", (), "a window of data.windows.length 2"),
        ("caf\udce9", (), "not utf-8"),
    ],
)
def test_texts_that_cannot_be_learned(
    tmp_path: Path, text: str, overrides: tuple[str, ...], message: str
) -> None:
    made = config(tmp_path, *overrides)
    (tmp_path / "text.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        prepare(made, cache_dir=tmp_path / "cache")


def test_a_held_out_file_that_is_too_short_or_missing(tmp_path: Path) -> None:
    made = config(tmp_path)
    for name, message in (("short.txt", "data.validation_path"), ("none.txt", "does not exist")):
        (tmp_path / "short.txt").write_text("a")
        data = made.data.model_copy(update={"validation_path": str(tmp_path / name)})
        with pytest.raises(DataError, match=message):
            prepare(made.model_copy(update={"data": data}), cache_dir=tmp_path / "cache")


def test_pretrained_vectors(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1 2\nline 3 4\nLine 5 6\nMAN 7 8\npoem 9 10\n")
    prepared = ready(tmp_path, f"model.input={{kind: pretrained, path: {vectors}}}")
    vocabulary, matrix = prepared.vocabulary, prepared.vectors
    assert vocabulary.kind == "words"
    assert matrix is not None
    assert matrix.shape == (vocabulary.size, 2)
    assert matrix[vocabulary.id_of("Line")].tolist() == [5, 6]
    assert matrix[vocabulary.id_of("the")].tolist() == [1, 2]
    assert matrix[vocabulary.id_of("man")].tolist() != [7, 8]  # of another case than any in use
    assert "3 of" in prepared.notes[-2]
    with pytest.raises(ConfigError, match="vectors as long as the last layer"):
        ready(
            tmp_path,
            f"model.input={{kind: pretrained, path: {vectors}, trainable: true}}",
            "model.tie_weights=true",
        )


@given(st.lists(st.sampled_from(["ab ", "c\n", "\n", "def", " gh "]), max_size=30), st.data())
def test_division_loses_nothing(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    starts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    size = data.draw(st.integers(1, 9))
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    divided = list(divide(iter(pieces), starts, len(text)))
    assert "".join(piece for _, piece in divided) == text
    assert [part for part, _ in divided] == sorted(part for part, _ in divided)
    whole = list(divide(iter([text] * bool(text)), starts, len(text)))
    assert {part: "".join(t for p, t in divided if p == part) for part, _ in divided} == {
        part: "".join(t for p, t in whole if p == part) for part, _ in whole
    }


def test_the_extent_of_a_text_is_that_of_its_characters_and_words(tmp_path: Path) -> None:
    """Counted on the ids of words and of subwords as on the text itself."""
    random.seed(0)
    text = "start " + " ".join(random.choices([w for w in WORDS if w.strip()], k=200)) + " end"
    for kind in (EVERYTHING, (*SUBWORDS, EVERYTHING[1])):
        prepared = ready(tmp_path, *kind, text=text)
        first = prepared.vocabulary.decode(prepared.ids[:1].tolist())
        extent = count_text(prepared.vocabulary, prepared.ids)
        assert extent.tokens == len(prepared.ids) - 1
        assert extent.characters == len(text) - len(first)
        assert extent.words == len(text.split()) - 1


@pytest.mark.parametrize("fraction", ["0", "0.2"])
def test_no_split_gets_the_whitespace_at_the_end_of_another(tmp_path: Path, fraction: str) -> None:
    """Neither for one text nor where files are joined by newlines that they lack."""
    (tmp_path / "b.txt").write_text("of b the last words   ")
    paths = f"data.path=[{tmp_path / 'text.txt'}, {tmp_path / 'b.txt'}]"
    text = POEM + "the end"
    prepared = ready(tmp_path, paths, f"data.validation_fraction={fraction}", text=text)
    assert len(prepared.split("test")) == 0
    last = "train" if fraction == "0" else "validation"
    known = prepared.vocabulary.decode(prepared.split(last).tolist())
    assert known.endswith("   ")
