"""Predictions depend on the text alone: not on its neighbours, their order, or chunks."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.errors import DataError, RunError, UsageError
from rnnkit.inference.decision import Decision
from rnnkit.tables import read as reader
from rnnkit.tables.read import TableOptions, cell_at, read_table
from rnnkit.tasks.text_classification import classifier as classifier_module
from rnnkit.tasks.text_classification.classifier import Classifier, classify, pad, with_threshold
from rnnkit.tasks.text_classification.predict import predict
from rnnkit.tasks.text_classification.predict_table import (
    OwnData,
    added_columns,
    predict_file,
    text_place,
)
from rnnkit.text.encoder import PAD, UNKNOWN, TextEncoder
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.text.words import WordRules

WORDS = ("a", "b", "c", "d", "e")
TEXTS = st.lists(st.text("abcxé .\n", max_size=30), max_size=40)


def recurrent_classifier(classes: int = 2) -> Classifier:
    """A small Elman network in NumPy: what it says depends on the order of the words."""
    rng = np.random.default_rng(0)
    size, units = len(WORDS) + 2, 5
    embeddings, inner, out = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((size, units), (units, units), (units, classes))
    )

    def run_graph(ids: np.ndarray) -> np.ndarray:
        assert ids.dtype == np.int64
        assert (ids[:, 0] != PAD).all()
        state = np.zeros((len(ids), units), np.float32)
        for column in ids.T:
            after = np.tanh(embeddings[column] + state @ inner)
            state = np.where((column != PAD)[:, np.newaxis], after, state)
        return state @ out

    encoder = TextEncoder(
        Vocabulary(WordRules(), "words", WORDS, has_unknown=True), maximum_length=12
    )
    return Classifier(encoder, tuple("xyz"[:classes]), Decision(), run_graph)


@given(TEXTS, st.randoms())
def test_a_text_is_predicted_as_it_is_alone(texts: list[str], shuffled: object) -> None:
    classifier = recurrent_classifier(3)
    together = predict(classifier, texts)
    for index, text in enumerate(texts):
        alone = predict(classifier, [text])
        assert alone.probabilities[0] == pytest.approx(together.probabilities[index], abs=1e-6)
        assert alone.empty[0] == together.empty[index]
    backwards = predict(classifier, texts[::-1])
    assert backwards.probabilities[::-1] == pytest.approx(together.probabilities, abs=1e-6)


@given(TEXTS, st.integers(1, 9), st.integers(1, 40))
def test_batches_of_any_size_agree(texts: list[str], rows: int, tokens: int) -> None:
    classifier = recurrent_classifier()
    expected = predict(classifier, texts).probabilities
    sizes = []

    def run_graph(ids: np.ndarray) -> np.ndarray:
        sizes.append(ids.shape)
        return classifier.run_graph(ids)

    watched = Classifier(classifier.encoder, classifier.classes, Decision(), run_graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier_module, "ROWS_AT_ONCE", rows)
        patch.setattr(classifier_module, "TOKENS_AT_ONCE", tokens)
        found = predict(watched, texts).probabilities
    assert found == pytest.approx(expected, abs=1e-6)
    assert sum(batch for batch, _ in sizes) == len(texts)
    assert all(batch <= rows and (batch * time <= tokens or batch == 1) for batch, time in sizes)


def as_csv(path: Path) -> str:
    output = path.with_name("out.csv")
    predict_file(recurrent_classifier(), path, output, own=OwnData(), options=TableOptions())
    return output.read_bytes().decode()


@given(TEXTS, st.integers(1, 7), st.integers(1, 50))
def test_chunks_of_any_size_write_the_same(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], rows: int, characters: int
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in texts)])
    expected = as_csv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "CHUNK_ROWS", rows)
        patch.setattr(reader, "CHUNK_CHARACTERS", characters)
        chunked = as_csv(path)
    header, *expected_rows = csv.reader(io.StringIO(expected, newline=""))
    assert header == ["text", "label", "probability_x", "probability_y"]
    assert [row[0] for row in expected_rows] == texts
    _, *found = csv.reader(io.StringIO(chunked, newline=""))
    assert [row[:2] for row in found] == [row[:2] for row in expected_rows]
    # The last digit may be rounded the other way: sums in larger batches have another order.
    for row, wanted in zip(found, expected_rows, strict=True):
        assert list(map(float, row[2:])) == pytest.approx(list(map(float, wanted[2:])), abs=2e-6)


def test_rows_are_padded_on_the_right_and_never_empty() -> None:
    padded = pad([[5, 6, 7], [], [8]])
    assert padded.tolist() == [[5, 6, 7], [UNKNOWN, 0, 0], [8, 0, 0]]
    assert padded.dtype == np.int64
    assert recurrent_classifier().encoder.encode("") == [UNKNOWN]


def test_empty_texts_are_told_from_unknown_words() -> None:
    found = predict(recurrent_classifier(), ["", " \n", "zebra", "a"])
    assert found.empty.tolist() == [True, True, False, False]
    assert found.probabilities[0] == pytest.approx(found.probabilities[2])


def test_numbers_that_are_not_finite_are_refused() -> None:
    whole = recurrent_classifier()
    broken = Classifier(
        whole.encoder, whole.classes, Decision(), lambda ids: np.full((len(ids), 2), np.nan)
    )
    with pytest.raises(RunError, match="not finite"):
        classify(broken, [[2]])


def test_a_threshold_needs_two_classes() -> None:
    with pytest.raises(UsageError, match="for two classes"):
        with_threshold(recurrent_classifier(3), 0.5)
    eager = with_threshold(recurrent_classifier(), 0.0)
    assert predict(eager, ["a", "b"]).labels.tolist() == [1, 1]


def test_new_columns_never_hide_old_ones() -> None:
    taken = ["text", "label", "predicted_label", "probability_x"]
    assert added_columns("xy", taken) == [
        "predicted_predicted_label",
        "predicted_probability_x",
        "probability_y",
    ]


@pytest.mark.parametrize(
    ("header", "asked", "own", "found"),
    [
        ("id,text,tweet", None, "tweet", "text"),
        ("id,tweet,x", None, "tweet", "tweet"),
        ("id,tweet,text", "id", "tweet", "id"),
        ("id,tweet,text", "1", None, "tweet"),
        ("1,0,text", "0", None, "0"),
        ("id,tweet,x", None, 1, None),
        ("text,text,x", None, None, None),
        ("text,text,x", "text", None, None),
        ("id,tweet,x", "3", None, None),
        ("id,tweet,x", "Tweet", None, None),
    ],
)
def test_the_place_of_texts(
    tmp_path: Path, header: str, asked: str | None, own: str | int | None, found: str | None
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n{header}\n")
    table = read_table(path, "csv", TableOptions())
    if found is None:
        with pytest.raises(DataError, match="column"):
            text_place(table, asked, own=own)
    else:
        assert table.first[int(text_place(table, asked, own=own))] == found


def test_the_column_of_a_table_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("0\tgood\n")
    table = read_table(path, "tsv", TableOptions(header=False))
    (chunk,) = table.chunks
    assert chunk.numbers == [1]
    assert cell_at(chunk.rows[0], text_place(table, None, own=1)) == "good"
    assert cell_at(chunk.rows[0], text_place(table, "0", own=1)) == "0"
    for asked, own in ((None, 5), (None, "text"), ("text", None)):
        with pytest.raises(DataError, match="2 columns without names"):
            text_place(table, asked, own=own)
