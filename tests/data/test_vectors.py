"""Pretrained vectors: the formats that exist, what is missing, and damage named by its line."""

import gzip
import re
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data.vectors import Vectors, read_vectors
from rnnkit.errors import DataError

Read = Callable[..., Vectors]
GLOVE = "the 0.5 -1 2e-3\ngood 1.5 0 0.25\n:) 3 2 1\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(
        content: str | bytes, wanted: Sequence[str] = ("good", "the"), name: str = "v"
    ) -> Vectors:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_vectors(path, wanted)

    return read


def refused(read: Read, content: str | bytes, wanted: Sequence[str] = ("good", "the")) -> str:
    with pytest.raises(DataError) as caught:
        read(content, wanted)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        GLOVE,
        GLOVE.removesuffix("\n"),
        GLOVE.replace("\n", "\r\n"),
        GLOVE.replace("\n", " \n"),  # word2vec ends its lines so
        GLOVE.replace("\n", "\n\n"),
        GLOVE.replace(" ", "\t"),
        GLOVE.replace(" ", "  "),
        "3 3\n" + GLOVE,
        "2 3\n" + GLOVE,  # more than announced are no damage
        "\ufeff" + GLOVE,
        gzip.compress(GLOVE.encode(), mtime=0),
        gzip.compress(GLOVE.encode()[:20], mtime=0) + gzip.compress(GLOVE.encode()[20:], mtime=0),
        b"caf\xe9 1 1 1\n" + GLOVE.encode() + b"\xff\xfe 2 2 2\n",
        "at name@x.org 1 1 1\n" + GLOVE + ". . . 0 0 0\nin 2009 1 2 3\n",
        GLOVE + "good 9 9 9\nthe 9 9 9\n",
        "1 0.5 0.5 0.5\n" + GLOVE,
        GLOVE + "unwanted nan inf x\n",  # only what is wanted is checked
    ],
)
def test_every_form_is_read(read: Read, content: str | bytes) -> None:
    vectors = read(content)
    assert vectors.matrix.dtype == np.float32
    assert vectors.found.dtype == np.bool_
    assert vectors.width == 3
    np.testing.assert_array_equal(
        vectors.matrix, np.array([[1.5, 0, 0.25], [0.5, -1, 2e-3]], np.float32)
    )
    assert vectors.found.tolist() == [True, True]


def test_words_may_hold_spaces_and_any_character(read: Read) -> None:
    wanted = (". . .", "at 2009", " good", " ", "日本", "\u2028x", "a\xa0b", "1", "2")
    lines = [f"{word} {index}.5 {index}" for index, word in enumerate(wanted)]
    vectors = read("\n".join(["the 0.1 0.2", *lines]), wanted)
    assert vectors.found.all()
    np.testing.assert_array_equal(vectors.matrix[:, 1], np.arange(len(wanted)))


@given(
    st.dictionaries(
        st.text("abé日 .1", min_size=1, max_size=4).filter(lambda word: word == word.strip()),
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, words: dict[str, list[float]], header: bool
) -> None:
    # What stands behind a space must not look like a number of the vector.
    words = {word.replace(" .", " a").replace(" 1", " a"): row for word, row in words.items()}
    lines = [" ".join([word, *map(repr, row)]) for word, row in words.items()]
    path = tmp_path_factory.mktemp("vectors") / "v.txt"
    path.write_text("\n".join(([f"{len(words)} 3"] if header else []) + lines), "utf-8")
    vectors = read_vectors(path, list(words))
    np.testing.assert_array_equal(vectors.matrix, np.array(list(words.values()), np.float32))


def test_the_first_line_tells_the_width_and_the_header_is_no_word(read: Read) -> None:
    assert read("good 1\nthe 2\n").width == 1
    assert read("2 1\ngood 1\nthe 2\n", ("good", "2")).found.tolist() == [True, False]


def test_missing_words_are_drawn_like_the_found_ones(read: Read) -> None:
    generator = np.random.default_rng(1)
    mean, deviation = np.array([5.0, -3.0]), np.array([0.1, 2.0])
    rows = mean + deviation * generator.standard_normal((500, 2))
    content = "".join(f"w{index} {row[0]:.5f} {row[1]:.5f}\n" for index, row in enumerate(rows))
    wanted = [f"{kind}{index}" for index in range(500) for kind in "wx"]
    vectors = read(content, wanted)
    assert vectors.found.tolist() == [True, False] * 500
    drawn = vectors.matrix[~vectors.found]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.3)
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.15)
    assert len(np.unique(drawn[:, 0])) == 500
    np.testing.assert_array_equal(vectors.matrix, read(content, wanted).matrix)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GLOVE + "bad 1 2\n", r"v:4: 2 numbers after the word, but the .* have 3: 'bad 1 2'"),
        (GLOVE + "\n\nbad 1\n", r"v:6: 1 number after"),
        (GLOVE + "bad 1.0 2.0 3.0 4.0\n", r"v:4: 4 numbers after"),
        (GLOVE + "bad\n", r"v:4: 0 numbers after"),
        ("3 3\nbad 1 2\n" + GLOVE, r"v:2: 2 numbers after the word, but .* 3"),
        ("good 0.1 0.2 x\nthe 1 2 3\n", r"v:1: 'x' in the vector of 'good' is not a number"),
        ("a 1 2\ngood 1 1e\n", r"v:2: '1e' in the vector of 'good' is not a number"),
        ("a 1 2\ngood 1 nan\n", r"v:2: 'nan' in the vector of 'good' is not a finite"),
        ("a 1 2\ngood -inf 1\n", r"v:2: '-inf' .* not a finite"),
        ("a 1 2\ngood 1e39 1\n", r"v:2: '1e39' .* not a finite"),
        ("4 3\n" + GLOVE, r"announces 4 vectors, but the file ends after 3, at line 4"),
        ("3 0\na\n", r"vectors of no numbers"),
        ("", r"is empty"),
        ("\n \n", r"is empty"),
        ("\ufeff", r"is empty"),
        ("word,0.1,0.2\n", r"v:1: a word and its numbers were expected"),
        ("<html><body>Not found</body></html>", r"v:1: a word and its numbers were expected"),
        ("3 3\ngood " + "\0\1\2\3", r"v:2: this is not a line of text.*binary format of word2vec"),
        (b"good " + b"1 " * 600_000, r"v:1: this is not a line of text"),
        ("a 1 2\nb 3 4\n", r"holds none of the 2 tokens .*lowercase"),
        ("a 1 2\n", r"holds none"),
        (b"PK\x03\x04...", r"ZIP archive"),
        (gzip.compress(GLOVE.encode(), mtime=0)[:-12], r"damaged or incomplete"),
        (gzip.compress(GLOVE.encode(), mtime=0)[:30] + b"x" * 30, r"damaged or incomplete"),
    ],
)  # fmt: skip
def test_damage_is_named(read: Read, content: str | bytes, message: str) -> None:
    assert re.search(message, refused(read, content), re.DOTALL)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.txt does not exist.*model\.embedding\.path"):
        read_vectors(tmp_path / "missing.txt", ["a"])
    with pytest.raises(DataError, match="cannot be read"):
        read_vectors(tmp_path, ["a"])


def test_memory_goes_with_what_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt.gz"
    row = " ".join(["0.12345"] * 100)
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(f"w{index} {row}\n" for index in range(20_000))
    tracemalloc.start()
    try:
        vectors = read_vectors(path, ["w7", "w19999", "missing"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert vectors.found.tolist() == [True, True, False]
    # All the vectors would be 8 MB as float32, and the text is twice that.
    assert peak < 5e6


def test_progress_rises_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"w{index} 0.5 0.25\n" for index in range(60_000)))
    reports: list[tuple[int, int]] = []
    read_vectors(path, ["w1"], progress=lambda done, size: reports.append((done, size)))
    size = path.stat().st_size
    assert len(reports) > 2
    assert reports == sorted(reports)
    assert reports[-1] == (size, size)
    assert {total for _, total in reports} == {size}
