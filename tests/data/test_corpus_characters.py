"""`prepare` and `encode_files` against encoding the whole text in memory."""

import json
import typing
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnkit.data.batches import BatchPlan
from rnnkit.data.corpus import encode_files
from rnnkit.errors import DataError
from rnnkit.tasks.language_model.config import CharGenerationConfig
from rnnkit.tasks.language_model.data import LanguageData, prepare, windows_of
from rnnkit.text import cleaning
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary

SHAKESPEARE = Path(__file__).parents[2] / "data" / "tinyshakespeare.txt"


def configure(path: Path | list[Path], *, batch_size: int = 1, **data: Any) -> CharGenerationConfig:
    paths = [str(p) for p in path] if isinstance(path, list) else str(path)
    settings = {"validation_fraction": 0.0, "windows": {"kind": "stream", "length": 1}} | data
    return CharGenerationConfig.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "task": "char_generation",
                "data": {"path": paths, **settings},
                "training": {"batch_size": batch_size, "max_epochs": 1},
            }
        )
    )


def prepare_text(folder: Path, text: str, **data: Any) -> LanguageData:
    path = folder / "x.txt"
    path.write_bytes(text.encode())
    return prepare(configure(path, **data))


data_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\x7f"])
    | st.sampled_from("\r\n aAΣ\u0301"),
    min_size=1,
    max_size=80,
).filter(lambda text: not text.startswith("\ufeff"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(
    texts=st.lists(data_texts, min_size=1, max_size=3),
    chunk_bytes=st.integers(1, 40),
    newlines=st.sampled_from(typing.get_args(cleaning.Newlines)),
    normalization=st.sampled_from(typing.get_args(cleaning.Normalization)),
    lowercase=st.booleans(),
    minimum_count=st.integers(1, 3),
    tokens=st.sampled_from(["characters", "bytes"]),
)
def test_the_result_is_that_of_encoding_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    chunk_bytes: int,
    newlines: cleaning.Newlines,
    normalization: cleaning.Normalization,
    lowercase: bool,
    minimum_count: int,
    tokens: str,
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / f"{index}.txt" for index in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    rules = TextRules(newlines, normalization, lowercase)
    cleaned = "".join(rules.apply(text) for text in texts)
    counts = Counter(cleaned)
    kept = tuple(sorted(c for c, n in counts.items() if n >= minimum_count))
    config = configure(
        paths,
        newlines=newlines,
        normalization=normalization,
        lowercase=lowercase,
        minimum_count=minimum_count,
        tokens=tokens,
    )
    if len(counts) < 2 or not (kept or tokens == "bytes"):
        with pytest.raises(DataError):
            prepare(config, chunk_bytes=chunk_bytes)
        return
    prepared = prepare(config, chunk_bytes=chunk_bytes)
    if tokens == "bytes":
        assert prepared.vocabulary == Vocabulary(rules, "bytes")
        assert bytes(prepared.ids.astype(np.uint8)) == cleaned.encode()
    else:
        expected = Vocabulary(rules, "characters", kept, len(kept) < len(counts))
        assert prepared.vocabulary == expected
        index = {c: i for i, c in enumerate(kept, start=expected.has_unknown)}
        assert prepared.ids.tolist() == [index.get(c, 0) for c in cleaned]
    assert prepared.characters == len(cleaned)
    again = prepare(config, chunk_bytes=chunk_bytes + 1)
    assert "reused" in again.notes[-1]
    assert again.fingerprint == prepared.fingerprint
    assert again.vocabulary == prepared.vocabulary
    assert again.files == prepared.files
    assert again.notes[:-1] == prepared.notes[:-1]
    assert (again.ids == prepared.ids).all()

    encoded = encode_files(
        [str(path) for path in paths], prepared.vocabulary, "utf-8", chunk_bytes=chunk_bytes
    )
    assert encoded.ids.tolist() == prepared.ids.tolist()
    assert encoded.units == len(cleaned)
    unseen = {} if tokens == "bytes" else {c: n for c, n in counts.items() if c not in kept}
    assert encoded.unseen == unseen


def test_the_real_text_has_the_known_numbers() -> None:
    prepared = prepare(
        configure(SHAKESPEARE, batch_size=64, validation_fraction=0.1, windows={"kind": "stream"})
    )
    assert prepared.vocabulary.size == 65
    assert (len(prepared.split("train")), len(prepared.split("validation"))) == (1003854, 111540)
    assert len(prepared.split("test")) == 0
    assert prepared.ids.dtype == np.uint8
    assert prepared.characters == len(prepared.ids) == 1115394
    text = SHAKESPEARE.read_text(encoding="utf-8")
    assert prepared.vocabulary.decode(prepared.split("train")[:5000].tolist()) == text[:5000]
    plan = BatchPlan(windows_of(configure(SHAKESPEARE)), 1003854, 64, 0)
    assert plan.batch(prepared.split("train"), 0, 0).inputs.shape == (64, 1)


def test_ids_are_mapped_and_cannot_be_written_to(tmp_path: Path) -> None:
    prepared = prepare_text(tmp_path, "hello world")
    assert isinstance(prepared.ids, np.memmap)
    assert np.shares_memory(prepared.split("train"), prepared.ids)
    with pytest.raises(ValueError, match="read-only"):
        prepared.ids[0] = 1


@pytest.mark.parametrize(("different", "dtype"), [(256, "u1"), (257, "<u2"), (65537, "<u4")])
def test_ids_are_as_small_as_the_vocabulary_allows(
    tmp_path: Path, different: int, dtype: str
) -> None:
    text = "".join(chr(0x20000 + i) for i in range(different))
    prepared = prepare_text(tmp_path, text)
    assert prepared.ids.dtype == np.dtype(dtype)
    assert prepared.ids.tolist() == list(range(different))


def test_the_fingerprint_follows_ids_and_vocabulary(tmp_path: Path) -> None:
    prints = [
        prepare_text(tmp_path, "hello").fingerprint,
        prepare_text(tmp_path, "hellp").fingerprint,
        prepare_text(tmp_path, "helol").fingerprint,
        prepare_text(tmp_path, "hello", tokens="bytes").fingerprint,
    ]
    assert len(set(prints)) == 4
    (tmp_path / "other").mkdir()
    assert prepare_text(tmp_path / "other", "hello").fingerprint == prints[0]


def test_files_are_joined_in_order_and_cleaned_one_by_one(tmp_path: Path) -> None:
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_bytes(b"ab\r")
    second.write_bytes("\n\u0301c".encode())
    prepared = prepare(configure([second, first], normalization="NFC"))
    assert prepared.vocabulary.decode(prepared.ids.tolist()) == "\n\u0301cab\n"
    assert [Path(file.path).name for file in prepared.files] == ["2.txt", "1.txt"]


def test_what_was_met_is_told(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("dos.txt", "mac.txt", "unix.txt")]
    names[0].write_bytes(b"\xef\xbb\xbfa\r\nb\r\nc")
    names[1].write_bytes(b"a\rb")
    names[2].write_bytes("a\n\ufffd".encode())
    *notes, cache_note = prepare(configure(names, minimum_count=2)).notes
    assert notes == [
        "1 file begins with a byte order mark, not read.",
        "Newlines: CRLF in 1 file, CR in 1 file, LF in 1 file; all read as LF.",
        "2 rare characters (2 of 11) became <unk>.",
        "The text holds U+FFFD 1 times: an earlier conversion replaced what it could not read.",
    ]
    assert "was not in the cache" in cache_note
    kept = prepare(configure(names, newlines="keep"))
    assert "kept as they are" in kept.notes[1]
    dos, mac, unix = kept.files
    assert (dos.has_bom, dos.crlf, dos.cr, dos.lf) == (True, 2, 0, 0)
    assert (mac.has_bom, mac.crlf, mac.cr, mac.lf) == (False, 0, 1, 0)
    assert (unix.crlf, unix.cr, unix.lf, unix.characters) == (0, 0, 1, 3)
    assert len(prepare_text(tmp_path, "plain\ntext").notes) == 1


@pytest.mark.parametrize(
    ("text", "data", "problem"),
    [
        ("a", {}, r"x\.txt has 1 character after cleaning.*longer text"),
        ("aaaa", {}, r"x\.txt holds nothing but the character 'a', 4 times"),
        ("\r\n", {}, "has 1 character after cleaning"),
        ("AaAa", {"lowercase": True}, "nothing but the character 'a'"),
        ("abcabc", {"minimum_count": 3}, r"less than data\.minimum_count 3 times .* 2 times"),
        ("hello world", {"windows": {"kind": "sliding", "length": 11}}, "11 tokens.*need 12"),
        ("hello", {"batch_size": 5}, "training.batch_size 5 streams"),
        ("hello world", {"validation_fraction": 0.05}, "data.validation_fraction 0.05 of 11"),
        ("hello world", {"test_fraction": 0.05}, "test text has 1 token "),
    ],
)
def test_texts_that_do_not_suffice(
    tmp_path: Path, text: str, data: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        prepare_text(tmp_path, text, **data)


def test_a_file_of_several_that_is_wrong_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("good")
    bad.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"bad\.txt: line 1, byte 3 .*: E9 is not utf-8"):
        prepare(configure([good, bad]))


def test_unseen_characters_of_another_text_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes("xaéba\r\né".encode())
    without = Vocabulary(TextRules(), "characters", ("\n", "a", "b"))
    encoded = encode_files([str(path)], without, "utf-8")
    assert encoded.ids.tolist() == [1, 2, 1, 0]
    assert (encoded.unseen, encoded.units) == ({"x": 1, "é": 2}, 7)
    with_unknown = Vocabulary(TextRules(), "characters", ("\n", "a", "b"), has_unknown=True)
    encoded = encode_files([str(path)], with_unknown, "utf-8")
    assert encoded.ids.tolist() == [0, 2, 0, 3, 2, 1, 0]
    assert encoded.unseen == {"x": 1, "é": 2}
    strange = Vocabulary(TextRules(), "characters", ("x", "y"))
    with pytest.raises(DataError, match=r"other\.txt: the model knows only 1 of 7 characters"):
        encode_files([str(path)], strange, "utf-8")


def test_encoding_a_text_that_is_none_fails_by_name(tmp_path: Path) -> None:
    vocabulary = Vocabulary(TextRules(), "bytes")
    with pytest.raises(DataError, match=r"no\.txt does not exist"):
        encode_files([str(tmp_path / "no.txt")], vocabulary, "utf-8")
    (tmp_path / "binary").write_bytes(b"a\0b")
    with pytest.raises(DataError, match="binary is not a text file"):
        encode_files([str(tmp_path / "binary")], vocabulary, "utf-8")
