"""From files to encoded splits: classes, bad rows, equal texts, splits, statistics."""

import gzip
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data.splits import SplitName, stratified_folds, stratified_split
from rnnkit.errors import DataError
from rnnkit.tables import layouts
from rnnkit.tables.labelled import LabelledTexts, read_labelled
from rnnkit.tasks.text_classification import data
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.data import (
    PreparedTexts,
    labelled_source,
    prepare_texts,
    read_texts,
    split_texts,
)
from rnnkit.text.encoder import UNKNOWN

DATA = Path(__file__).parents[3] / "data"
SENTIMENT140 = {"kind": "sentiment140"}
POLARITY = {"0": "negative", "4": "positive"}


def config(path: Path | list[Path], *, seed: int = 0, model: Any = None, **data: Any) -> Any:
    paths = tuple(map(str, path)) if isinstance(path, list) else str(path)
    if "test_path" in data:
        data["test_path"] = str(data["test_path"])
    return ClassificationConfig.model_validate(
        {
            "version": 1,
            "task": "sentiment",
            "seed": seed,
            "data": {"path": paths, **data},
            "model": model or {},
            "training": {"max_epochs": 1},
        }
    )


def write(path: Path, content: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def table(path: Path, rows: list[tuple[str, str]], *, header: str = "text,label") -> Path:
    return write(path, "\n".join([header, *(f"{text},{label}" for text, label in rows), ""]))


def many(number: int = 40) -> list[tuple[str, str]]:
    return [(f"word{n} {'good' if n % 2 else 'bad'}", "pn"[n % 2]) for n in range(number)]


def problem(function: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def labels_of(texts: LabelledTexts) -> list[str]:
    return [texts.classes[code] for code in texts.labels]


# ---------------------------------------------------------------------------------- layouts


def test_the_sentence_polarity_data() -> None:
    texts = read_texts(
        config(
            [DATA / "rt-polarity.neg", DATA / "rt-polarity.pos"],
            layout={"kind": "files"},
            encoding="latin-1",
            labels={"rt-polarity.neg": "negative", "rt-polarity.pos": "positive"},
        )
    )
    assert np.bincount(texts.labels).tolist() == [5331, 5331]
    assert texts.classes == ("negative", "positive")
    assert texts.notes == ()
    assert texts.place(5331).endswith("rt-polarity.pos: row 1")
    # A line ends with its newline and not with the control character 85 of latin-1.
    assert any("\x85" in text for text in texts.texts)


def test_the_original_layout_of_sentiment140(tmp_path: Path) -> None:
    rows = ['"4","1","Mon","NO_QUERY","me","café, ""yes"""', '"0","2","Mon","NO_QUERY","me","NA"']
    path = write(tmp_path / "train.csv", "\n".join(rows), encoding="latin-1")
    texts = read_texts(config(path, layout=SENTIMENT140, encoding="latin-1", labels=POLARITY))
    assert texts.texts == ['café, "yes"', "NA"]
    assert labels_of(texts) == ["positive", "negative"]
    assert texts.rows.tolist() == [1, 2]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for name in ("pos", "neg", "unsup"):
        for number in (2, 10):
            write(tmp_path / "train" / name / f"{number}.txt", f"{name}\n{number}\n")
    write(tmp_path / "train" / "labeledBow.feat", "1:2 3:4")
    write(tmp_path / "train" / "pos" / ".hidden", "x")
    (tmp_path / "train" / "pos" / "3.txt.gz").write_bytes(gzip.compress(b"packed"))
    layout = {"kind": "folders"}
    labels = {"neg": "negative", "pos": "positive"}
    message = problem(read_texts, config(tmp_path / "train", layout=layout, labels=labels))
    assert "'unsup' in 2 rows" in message
    texts = read_texts(config(tmp_path / "train", layout=layout, labels=labels, bad_rows="drop"))
    assert sorted(zip(texts.texts, labels_of(texts), strict=True)) == [
        ("neg\n10\n", "negative"),
        ("neg\n2\n", "negative"),
        ("packed", "positive"),
        ("pos\n10\n", "positive"),
        ("pos\n2\n", "positive"),
    ]
    assert "2 with a label outside data.labels" in texts.notes[0]
    assert read_texts(config(tmp_path / "tr*", layout=layout)).classes == ("neg", "pos", "unsup")
    assert "holds no folders" in problem(
        read_texts, config(tmp_path / "train" / "pos", layout=layout)
    )
    assert "is a file" in problem(
        read_texts, config(tmp_path / "train" / "pos" / "2.txt", layout=layout)
    )
    assert "no such folder" in problem(read_texts, config(tmp_path / "none", layout=layout))
    write(tmp_path / "train" / "neg" / "0.txt", "")
    assert "0.txt: the text is missing" in problem(
        read_texts, config(tmp_path / "train", layout=layout)
    )


def test_a_file_for_each_class(tmp_path: Path) -> None:
    write(tmp_path / "good.txt", "one\r\n\r\n two\u2028three \n")
    (tmp_path / "bad.txt.gz").write_bytes(gzip.compress(b"four\n"))
    texts = read_texts(config(tmp_path / "*", layout={"kind": "files"}))
    assert texts.texts == ["four", "one", " two\u2028three "]
    assert labels_of(texts) == ["bad", "good", "good"]
    assert texts.rows.tolist() == [1, 1, 3]
    assert [Path(texts.files[number]).name for number in texts.file_numbers] == [
        "bad.txt.gz",
        "good.txt",
        "good.txt",
    ]


# ---------------------------------------------------------------------------------- classes


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["b", "a", "10", "9"], ("10", "9", "a", "b")),
        ([" x", "x ", "y"], ("x", "y")),
    ],
)
def test_without_a_mapping_classes_are_the_sorted_labels(
    tmp_path: Path, labels: list[str], expected: tuple[str, ...]
) -> None:
    rows = [(f"text {n}", label) for n, label in enumerate(labels)]
    texts = read_texts(config(table(tmp_path / "a.csv", rows)))
    assert texts.classes == expected
    assert labels_of(texts) == [label.strip() for label in labels]


def test_a_mapping_gives_order_and_joins_labels(tmp_path: Path) -> None:
    rows = [(f"text {n}", str(n)) for n in range(5)]
    mapping = {"4": "good", "3": "good", "2": "so-so", "0": "bad", "1": "bad"}
    texts = read_texts(config(table(tmp_path / "a.csv", rows), labels=mapping))
    assert texts.classes == ("good", "so-so", "bad")
    assert labels_of(texts) == ["bad", "bad", "so-so", "good", "good"]


def test_a_column_of_ids_is_not_one_of_labels(tmp_path: Path) -> None:
    rows = [(f"text {n}", str(n)) for n in range(50)]
    message = problem(read_texts, config(table(tmp_path / "a.csv", rows)))
    assert "50 different labels in 50 rows" in message
    assert "data.layout.label" in message


# --------------------------------------------------------------------------------- bad rows

BAD = 'text,label\na,0\n,0\nb\nc,0,1\ntext,label\nd,2\ne,\ng,2\n"h\nh",4\nk,3\nl,4\n'


def test_bad_rows_are_named_all_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", BAD)
    lines = problem(read_texts, config(path, labels=POLARITY)).splitlines()
    assert lines[0] == "There are rows that cannot be used:"
    assert lines[-1] == "Correct them, or leave such rows out with data.bad_rows: drop"
    found = sorted(lines[1:-1])
    assert found == [
        f"{path}: row 3: the text is missing",
        f"{path}: row 4: 1 column instead of 2; 2 rows with too many or too few columns",
        f"{path}: row 6: the header once more",
        f"{path}: row 7: the label '2' is none of '0', '4'; 3 rows with a label outside "
        "data.labels. Labels that data.labels does not have: '2' in 2 rows, '3' in 1 row",
        f"{path}: row 8: there is no label",
    ]


def test_bad_rows_are_dropped_and_counted_on_request(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", BAD)
    texts = read_texts(config(path, labels=POLARITY, bad_rows="drop"))
    assert texts.texts == ["a", "h\nh", "l"]
    assert texts.rows.tolist() == [2, 10, 12]
    assert dict(texts.stats.dropped) == {
        "columns": 2,
        "header": 1,
        "text": 1,
        "unmapped": 3,
        "label": 1,
    }
    assert len(texts.notes) == 1
    assert "3 with a label outside data.labels (first:" in texts.notes[0]
    assert "'2' 2, '3' 1" in texts.notes[0]


def test_the_line_is_named_where_it_is_not_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"a\n\nb",x\nc,y\n,x\n')
    assert problem(read_texts, config(path)).startswith(
        f"{path}: row 4 (line 6): the text is missing"
    )


def test_a_header_that_is_not_announced(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [("a", "0"), ("b", "4")])
    layout = {"kind": "table", "text": 0, "label": 1, "header": False}
    message = problem(read_texts, config(path, layout=layout, labels=POLARITY))
    assert "row 1: the label 'label' is none of '0', '4'" in message
    assert "data.layout.header: true" in message


def test_bytes_that_are_not_in_the_encoding(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nplain,x\ncafé,y\n“no”,x\n", encoding="cp1252")
    message = problem(read_texts, config(path))
    assert f"{path}: row 3: byte E9 is not utf-8 (set data.encoding or --encoding" in message
    assert "perhaps latin-1" in message
    assert "2 rows with bytes that are not in data.encoding" in message
    assert read_texts(config(path, bad_rows="drop")).texts == ["plain"]
    assert read_texts(config(path, encoding="cp1252")).texts == ["plain", "café", "“no”"]
    path = write(tmp_path / "b.csv", "text,label\n“no”,x\n", encoding="cp1252")
    assert "perhaps cp1252" in problem(read_texts, config(path))
    path = write(tmp_path / "c.csv", "text,label\ncafé,x\n")
    assert "perhaps utf-8" in problem(read_texts, config(path, encoding="ascii"))


@pytest.mark.parametrize("shown", ["Ã©", "â€™", "Â\xa0", "\ufffd", "ðŸ˜€"])
def test_texts_that_were_decoded_wrongly_are_counted(tmp_path: Path, shown: str) -> None:
    rows = [("fine é ’ Â à\xa0la", "x"), (f"a{shown}b", "y"), (f"c{shown}d", "x")]
    texts = read_texts(config(table(tmp_path / "a.csv", rows)))
    assert len(texts) == 3
    assert len(texts.notes) == 1
    assert texts.notes[0].startswith("2 texts look as if")
    assert "row 3)" in texts.notes[0]


def test_nothing_usable_is_left(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [("", "x"), ("", "y")])
    message = problem(read_texts, config(path, bad_rows="drop"))
    assert "no row with a text and a label" in message
    assert "2 without a text" in message
    assert "no row with a text" in problem(read_texts, config(table(tmp_path / "b.csv", [])))


# ------------------------------------------------------------------------------- equal texts


def test_equal_texts(tmp_path: Path) -> None:
    rows = [("a", "x"), ("b  b", "x"), ("a", "x"), ("c", "x"), (" b b", "y"), ("a ", "x")]
    path = table(tmp_path / "a.csv", [*rows, ("d", "y")])
    texts = read_texts(config(path))
    assert texts.texts == ["a", "c", "d"]
    assert texts.rows.tolist() == [2, 5, 8]
    assert (texts.stats.duplicates, texts.stats.contradictory) == (2, 2)
    assert "2 copies of equal texts and 2 rows whose equal texts have different" in texts.notes[0]
    assert f"{path}: row 3" in texts.notes[0]
    assert len(read_texts(config(path, deduplicate=False))) == 7
    path = table(tmp_path / "b.csv", [("a", "x"), ("a", "y")])
    assert "All 2 texts contradict each other" in problem(read_texts, config(path))


def all_texts(prepared: PreparedTexts) -> list[str]:
    return [t for name in ("train", "validation", "test") for t in prepared.split_of(name).texts]


def test_equal_texts_in_two_splits_are_refused(tmp_path: Path) -> None:
    rows = many()
    path = table(tmp_path / "a.csv", rows * 3)
    message = problem(prepare_texts, config(path, deduplicate=False, validation_fraction=0.3))
    assert "of one split are in another one too" in message
    assert f"{path}: row" in message
    assert len(all_texts(prepare_texts(config(path, validation_fraction=0.3)))) == len(rows)
    unequal = table(tmp_path / "b.csv", rows)
    assert len(all_texts(prepare_texts(config(unequal, deduplicate=False)))) == len(rows)


def test_official_test_files(tmp_path: Path) -> None:
    train = table(tmp_path / "train.csv", many())
    test = table(tmp_path / "test.csv", [("word1 good", "n"), ("new", "p"), ("new", "p")])
    prepared = prepare_texts(config(train, test_path=test))
    assert prepared.classes == ("n", "p")
    assert prepared.test.labels.tolist() == [0, 1, 1]
    assert prepared.split_of("test").texts == ["word1 good", "new", "new"]
    place = prepared.split_of("test").place(1)
    assert place == f"{test}: row 3"
    assert all_texts(prepared).count("word1 good") == 1
    assert "Left out of the training files: 1 text of the test files." in prepared.notes
    assert prepared.summary["shared_with_test"] == 1
    message = problem(prepare_texts, config(train, test_path=test, deduplicate=False))
    assert "1 text of data.path is in data.test_path too" in message
    strange = table(tmp_path / "strange.csv", [("new", "q")])
    message = problem(prepare_texts, config(train, test_path=strange))
    assert "'q' is none of" in message


# ------------------------------------------------------------------------------------ splits

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=300)


@given(LABELS, st.sampled_from([0.0, 0.05, 0.1, 0.3]), st.sampled_from([0.0, 0.1, 0.25, 0.5]))
def test_splits_are_complete_disjoint_and_stratified(
    drawn: list[int], validation: float, test: float
) -> None:
    labels = np.array([*drawn, *(list(range(4)) * 3)], np.int32)
    options: dict[str, Any] = {"validation_fraction": validation, "test_fraction": test}
    split = stratified_split(labels, seed=3, classes=tuple("abcd"), **options)
    parts = (split.train, split.validation, split.test)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(labels)))
    for fraction, part in ((validation, split.validation), (test, split.test)):
        assert part.tolist() == sorted(part.tolist())
        for code in range(4):
            members = np.count_nonzero(labels == code)
            taken = np.count_nonzero(labels[part] == code)
            assert abs(taken - fraction * members) < 1
            assert (taken > 0) == (fraction > 0)
    assert set(labels[split.train]) == {0, 1, 2, 3}
    again = stratified_split(labels, seed=3, classes=tuple("abcd"), **options)
    assert again.train.tolist() == split.train.tolist()


def test_another_seed_is_another_split(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", many(100))
    splits = [
        split_texts(config(path, seed=seed), read_texts(config(path))).validation.tolist()
        for seed in (1, 2)
    ]
    assert splits[0] != splits[1]


def test_a_class_with_too_few_texts_for_the_splits(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [*many(), ("rare", "r"), ("rarer", "r")])
    message = problem(prepare_texts, config(path, test_fraction=0.1))
    assert "Class 'r' has 2 texts, and there are 3 splits (training, validation, test)" in message
    prepared = prepare_texts(config(path))
    assert prepared.summary["classes"]["r"] == {"train": 1, "validation": 1}


@given(LABELS, st.integers(2, 6), st.integers(0, 9))
def test_folds_are_complete_and_stratified(drawn: list[int], folds: int, seed: int) -> None:
    labels = np.array([*drawn, *(list(range(4)) * folds)], np.int32)
    parts = stratified_folds(labels, folds, seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(labels)))
    counts = np.array([np.bincount(labels[part], minlength=4) for part in parts])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_too_few_texts_for_the_folds() -> None:
    message = problem(stratified_folds, np.array([0, 0, 0, 1], np.int32), 3, 0)
    assert "smallest class has 1 text, too few for 3 folds" in message


# ---------------------------------------------------------------------------------- encoding


def test_the_vocabulary_comes_from_the_training_split(tmp_path: Path) -> None:
    prepared = prepare_texts(config(table(tmp_path / "a.csv", many()), validation_fraction=0.25))
    held_out = prepared.split_of("validation").texts
    assert len(held_out) == 10
    for number, text in enumerate(held_out):
        ids = prepared.validation.row(number).tolist()
        assert ids == prepared.encoder.encode(text)
        assert ids[0] == UNKNOWN
        assert ids[1] != UNKNOWN
    assert UNKNOWN not in prepared.train.ids
    assert prepared.summary["vocabulary"]["coverage"] == {"train": 1.0, "validation": 0.5}


def test_cutting_and_statistics(tmp_path: Path) -> None:
    rows = [*many(20), *((f"u{n} v{n} w{n} x{n}", "pn"[n % 2]) for n in range(20))]
    path = table(tmp_path / "a.csv", rows)
    prepared = prepare_texts(
        config(path, maximum_length=3, truncate="start", validation_fraction=0.2, test_fraction=0.1)
    )
    for name in ("train", "validation", "test"):
        texts, encoded = prepared.split_of(name), prepared.split(name)
        assert encoded.labels.tolist() == texts.labels.tolist()
        assert encoded.ids.dtype == np.int32
        assert encoded.offsets[0] == 0
        assert encoded.lengths.max() <= 3
        for number, text in enumerate(texts.texts):
            assert encoded.row(number).tolist() == prepared.encoder.encode(text)
    summary = prepared.summary
    assert json.loads(json.dumps(summary)) == summary
    assert summary["rows"] == {"train": 28, "validation": 8, "test": 4}
    assert sum(sum(split.values()) for split in summary["classes"].values()) == 40
    assert summary["length"]["train"]["max"] == 4
    assert summary["truncated"] == 0.5
    assert sum(summary["length_histogram"]["counts"]) == 28
    assert len(summary["length_histogram"]["edges"]) == 1 + len(
        summary["length_histogram"]["counts"]
    )
    assert {token for token, _ in summary["top_tokens"][:2]} == {"good", "bad"}
    assert 3 <= len(prepared.notes) <= 9


def test_texts_without_tokens_are_one_unknown(tmp_path: Path) -> None:
    rows = [*many(), ("?!", "p"), ("...", "n")]
    prepared = prepare_texts(
        config(table(tmp_path / "a.csv", rows), tokens={"kind": "words", "punctuation": False})
    )
    assert prepared.summary["empty"] == 2
    assert any("2 texts hold no token" in note for note in prepared.notes)
    assert prepared.train.lengths.min() == 1


def test_the_fingerprint_is_that_of_texts_splits_and_encoder(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", many())
    other = table(tmp_path / "b.csv", [*many()[:-1], ("another", "n")])
    first = prepare_texts(config(path)).fingerprint
    assert prepare_texts(config(path)).fingerprint == first
    different = [config(other), config(path, seed=1), config(path, maximum_length=1)]
    fingerprints = {prepare_texts(changed).fingerprint for changed in different}
    assert len(fingerprints | {first}) == 4


def test_folds_are_encoded_like_splits(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", many())
    labels = read_texts(config(path)).labels
    for number, held_out in enumerate(stratified_folds(labels, 5, 0), start=1):
        fold = {"number": number, "of": 5}
        prepared = prepare_texts(config(path, fold=fold, validation_fraction=0.25))
        sizes = (len(prepared.train), len(prepared.validation), len(prepared.test))
        assert sizes == (24, 8, 8)
        assert prepared.split_of("test").texts == [
            f"word{i} {'good' if i % 2 else 'bad'}" for i in held_out
        ]


@pytest.mark.parametrize("kind", ["words", "characters", "subwords"])
def test_every_kind_of_token(tmp_path: Path, kind: str) -> None:
    tokens: dict[str, Any] = {"kind": kind}
    if kind == "subwords":
        tokens["vocabulary_size"] = 300
    prepared = prepare_texts(config(table(tmp_path / "a.csv", many(60)), tokens=tokens))
    assert prepared.encoder.vocabulary.kind == kind
    assert prepared.encoder.size > 2
    assert prepared.train.ids.max() < prepared.encoder.size


def test_pretrained_vectors(tmp_path: Path) -> None:
    vectors = write(tmp_path / "vectors.txt", "good 1 2\nbad 3 4\nelse 5 6\n")
    model = {"embedding": {"kind": "pretrained", "path": str(vectors)}}
    prepared = prepare_texts(config(table(tmp_path / "a.csv", many()), model=model))
    assert prepared.vectors is not None
    assert prepared.vectors.shape == (prepared.encoder.size, 2)
    assert prepared.vectors.dtype == np.float32
    assert prepared.vectors[0].tolist() == [0, 0]
    assert prepared.vectors[prepared.encoder.vocabulary.id_of("good")].tolist() == [1, 2]
    facts = prepared.summary["vectors"]
    assert (facts["width"], facts["found"], facts["coverage"]) == (2, 2, 0.5)


def test_other_files_are_read_with_the_classes_of_the_model(tmp_path: Path) -> None:
    settings = config(table(tmp_path / "a.csv", many()))
    other = table(tmp_path / "b.csv", [("x", "p"), ("x", "p"), ("y", "p")])
    texts = read_labelled([str(other)], labelled_source(settings.data, ("n", "p")))
    assert texts.classes == ("n", "p")
    assert labels_of(texts) == ["p", "p", "p"]


# ------------------------------------------------------------------------------------- the cache


def contents(prepared: PreparedTexts) -> dict[str, Any]:
    """Everything that preparing gives, but for where it came from."""
    splits = {
        name: (
            prepared.split(name).ids.tolist(),
            prepared.split(name).offsets.tolist(),
            prepared.split(name).labels.tolist(),
            prepared.split_of(name).texts,
            [prepared.split_of(name).place(i) for i in range(len(prepared.split(name)))],
        )
        for name in get_args(SplitName)
    }
    return {
        **splits,
        "encoder": prepared.encoder,
        "classes": prepared.classes,
        "vectors": None if prepared.vectors is None else prepared.vectors.tolist(),
        "fingerprint": prepared.fingerprint,
        "notes": prepared.notes[:-1],
        "summary": json.dumps(prepared.summary),
    }


@pytest.mark.parametrize("kind", ["words", "characters", "subwords"])
def test_the_second_time_nothing_is_read_or_tokenized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows = [*many(60), ("caf\u00e9 \U0001f600", "p"), (" spaced  out ", "n")]
    vectors = write(tmp_path / "vectors.txt", "good 1 2\nbad 3 4\no 5 6\n")
    tokens: dict[str, Any] = {"kind": kind}
    if kind == "subwords":
        tokens["vocabulary_size"] = 300
    settings = config(
        table(tmp_path / "a.csv", rows),
        test_path=table(tmp_path / "b.csv", [("new good", "p"), ("word3 good", "p")]),
        tokens=tokens,
        model={"embedding": {"kind": "pretrained", "path": str(vectors)}},
    )
    first = prepare_texts(settings)

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("the table was read or tokenized again")

    with monkeypatch.context() as patch:
        for module, name in ((layouts, "read_table"), (layouts, "open_text")):
            patch.setattr(module, name, never)
        for name in ("encode_texts", "fit_encoder", "read_labelled"):
            patch.setattr(data, name, never)
        second = prepare_texts(settings)
    assert contents(second) == contents(first)
    assert "reused from" in second.notes[-1]


def test_folds_and_settings_of_tokens_share_the_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNKIT_CACHE", str(tmp_path / "cache"))
    path, read = table(tmp_path / "a.csv", many()), []

    def counting(*arguments: Any) -> LabelledTexts:
        read.append(arguments)
        return read_labelled(*arguments)

    monkeypatch.setattr(data, "read_labelled", counting)
    for number in range(1, 4):
        prepare_texts(config(path, fold={"number": number, "of": 3}))
    prepare_texts(config(path, tokens={"kind": "characters"}))
    stored = [entry.name for entry in (tmp_path / "cache" / "corpora").glob("*/texts.npy")]
    assert (len(read), len(stored)) == (1, 1)
    assert len(list((tmp_path / "cache" / "corpora").iterdir())) == 1 + 3 + 1
    prepare_texts(config(path, deduplicate=False))
    assert len(read) == 2


def test_a_changed_file_or_setting_is_noticed(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", many())
    first = prepare_texts(config(path))
    table(path, [*many()[:-1], ("another", "n")])
    changed = prepare_texts(config(path))
    assert changed.fingerprint != first.fingerprint
    assert "another" in all_texts(changed)
    table(path, many())
    assert prepare_texts(config(path)).fingerprint == first.fingerprint
    mapping = {"n": "bad", "p": "good"}
    classes = [
        prepare_texts(config(path, labels=labels)).classes
        for labels in (mapping, dict(reversed(mapping.items())))
    ]
    assert classes == [("bad", "good"), ("good", "bad")]
    without = prepare_texts(config(path, tokens={"kind": "words", "lowercase": False}))
    assert without.encoder != first.encoder


def test_a_file_that_changes_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path / "a.csv", many())

    def read_and_change(*arguments: Any, **options: Any) -> LabelledTexts:
        texts = read_labelled(*arguments, **options)
        table(path, many(50))
        return texts

    monkeypatch.setattr(data, "read_labelled", read_and_change)
    assert "changed while it was being read" in problem(prepare_texts, config(path))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    message = problem(prepare_texts, config(tmp_path))
    assert f"{tmp_path} is a folder, not a file" in message
    assert "kind: folders" in message
    assert "does not exist" in problem(prepare_texts, config(tmp_path / "none.csv"))


def test_nothing_held_out_is_cached_too(tmp_path: Path) -> None:
    settings = config(table(tmp_path / "a.csv", many()), validation_fraction=0.0)
    for _ in range(2):
        prepared = prepare_texts(settings)
        assert (len(prepared.train), len(prepared.validation), len(prepared.test)) == (40, 0, 0)
        assert prepared.split_of("validation").texts == []
