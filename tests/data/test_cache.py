"""The cache: a hit equals a rebuild, no fault of it is an error, and it does not grow for ever."""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnkit.data import cache
from rnnkit.errors import DataError
from rnnkit.tasks.language_model.config import CharGenerationConfig
from rnnkit.tasks.language_model.data import LanguageData, prepare

TEXT = "hello world\n" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a text, `x.txt`."""
    (tmp_path / "x.txt").write_text(TEXT)
    return tmp_path


def run(folder: Path, *paths: str, **data: Any) -> LanguageData:
    names = [str(folder / path) for path in paths or ("x.txt",)]
    content = {
        "version": 1,
        "task": "char_generation",
        "data": {"path": names, "windows": {"kind": "stream", "length": 4}, **data},
        "training": {"batch_size": 4, "max_epochs": 1},
    }
    config = CharGenerationConfig.model_validate_json(json.dumps(content))
    return prepare(config, cache_dir=folder / "cache")


def entry(folder: Path) -> Path:
    (found,) = (folder / "cache" / "corpora").iterdir()
    return found


def assert_same(first: LanguageData, second: LanguageData) -> None:
    assert (first.ids == second.ids).all()
    assert first.ids.dtype == second.ids.dtype
    assert first.vocabulary == second.vocabulary
    assert first.fingerprint == second.fingerprint
    assert first.splits == second.splits
    assert first.files == second.files


def test_the_second_time_the_text_is_reused(folder: Path) -> None:
    first, second = run(folder), run(folder)
    assert first.notes[-1].endswith("(it was not in the cache).")
    assert second.notes[-1] == f"The encoded data is reused from {entry(folder)}"
    assert_same(first, second)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tokens", "bytes"),
        ("lowercase", True),
        ("minimum_count", 2),
        ("encoding", "cp1252"),
        ("newlines", "keep"),
        ("normalization", "NFC"),
    ],
)
def test_an_option_that_decides_the_ids_makes_another_entry(
    folder: Path, option: str, value: object
) -> None:
    run(folder)
    assert "was not in the cache" in run(folder, **{option: value}).notes[-1]
    assert "reused" in run(folder, **{option: value}).notes[-1]
    assert "reused" in run(folder).notes[-1]


@pytest.mark.parametrize(
    "data",
    [
        {"validation_fraction": 0.2},
        {"test_fraction": 0.2},
        {"windows": {"kind": "sliding", "length": 3}},
    ],
)
def test_other_options_do_not_matter(folder: Path, data: dict[str, Any]) -> None:
    run(folder)
    assert "reused" in run(folder, **data).notes[-1]


def test_files_and_their_order_decide_the_ids(folder: Path) -> None:
    def is_new(*paths: str) -> bool:
        return "was not in the cache" in run(folder, *paths).notes[-1]

    assert is_new("*.txt")
    (folder / "x.txt").write_text(TEXT.replace("hello", "jello"))
    assert is_new("*.txt")
    (folder / "y.txt").write_text("one more")
    assert is_new("*.txt")
    assert not is_new("x.txt", "y.txt")
    assert is_new("y.txt", "x.txt")
    (folder / "y.txt").unlink()
    assert not is_new("*.txt")


def test_a_file_of_the_same_size_and_time_is_noticed(folder: Path) -> None:
    run(folder)
    before = (folder / "x.txt").stat()
    (folder / "x.txt").write_text(TEXT.replace("hello", "jello"))
    os.utime(folder / "x.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "was not in the cache" in run(folder).notes[-1]


def test_the_same_content_under_another_name_is_reused(folder: Path) -> None:
    first = run(folder)
    (folder / "x.txt").rename(folder / "y.txt")
    second = run(folder, "y.txt")
    assert "reused" in second.notes[-1]
    assert second.fingerprint == first.fingerprint
    assert second.files[0].path == str(folder / "y.txt")


def test_a_lost_copy_is_made_again(folder: Path) -> None:
    first = run(folder)
    shutil.rmtree(folder / "cache" / "corpora")
    second = run(folder)
    assert "was not in the cache" in second.notes[-1]
    assert_same(first, second)


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes(change((path / name).read_bytes()))


def rewrite_meta(**changes: object) -> Callable[[Path], object]:
    return rewrite("meta.json", lambda old: json.dumps(json.loads(old) | changes).encode())


def replace_ids(path: Path) -> None:
    np.save(path / "ids.npy", np.zeros(len(TEXT), np.uint8))


def forge_meta(path: Path) -> None:
    """A matching checksum over content that makes no sense."""
    content: dict[str, object] = {"key": None}
    checksum = cache.hashlib.sha256(cache.canonical_json(content)).hexdigest()
    meta = {
        "format": cache.FORMAT,
        "version": cache.FORMAT_VERSION,
        "sha256": checksum,
        "content": content,
    }
    (path / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: (path / "ids.npy").unlink(), "ids.npy is missing"),
        (lambda path: (path / "meta.json").unlink(), "meta.json is missing"),
        (rewrite("ids.npy", lambda old: old[:-1]), "ids.npy has not the recorded size"),
        (rewrite("ids.npy", lambda old: old[:-1] + b"\x7f"), "the checksum of ids.npy does not"),
        (replace_ids, "the checksum of ids.npy does not"),
        (rewrite("meta.json", lambda old: old[:-5]), "meta.json is not what rnnkit writes"),
        (rewrite("meta.json", lambda old: b""), "meta.json is not what rnnkit writes"),
        (rewrite("meta.json", lambda old: b"[1]"), "meta.json is not what rnnkit writes"),
        (rewrite("meta.json", lambda old: b"[" * 100_000), "meta.json is not what rnnkit writes"),
        (
            rewrite("meta.json", lambda old: old.replace(b'"h"', b'"H"')),
            "the checksum of meta.json",
        ),
        (rewrite_meta(version=2), "meta.json is of another format"),
        (rewrite_meta(content={}), "the checksum of meta.json"),
        (forge_meta, "meta.json belongs to other data"),
    ],
)
def test_a_damaged_copy_is_made_again(
    folder: Path, damage: Callable[[Path], object], reason: str
) -> None:
    first = run(folder)
    first = replace(first, ids=first.ids.copy())  # the damage would show through the mapping
    damage(entry(folder))
    second = run(folder)
    assert f"(the cached copy is damaged: {reason}" in second.notes[-1]
    assert_same(first, second)
    assert "reused" in run(folder).notes[-1]
    assert len(list((folder / "cache" / "corpora").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path) -> None:
    expected = run(folder)
    shutil.rmtree(folder / "cache")
    (folder / "cache").write_text("a file in its place")
    prepared = run(folder)
    assert "cannot be used" in prepared.notes[-1]
    assert "kept in a temporary file for this run only" in prepared.notes[-1]
    assert_same(prepared, expected)


def test_a_full_disk_is_done_without_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(folder)
    shutil.rmtree(folder / "cache")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_array", full)
    prepared = run(folder)
    assert "(No space left on device)" in prepared.notes[-1]
    assert "held in memory for this run only" in prepared.notes[-1]
    assert_same(prepared, expected)
    assert not any((folder / "cache" / "corpora").iterdir())
    with pytest.raises(ValueError, match="read-only"):
        prepared.ids[0] = 1


def test_without_a_home_directory_there_is_no_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless(_: object) -> Path:
        raise RuntimeError

    monkeypatch.setattr(cache, "default_folder", homeless)
    content = {
        "version": 1,
        "task": "char_generation",
        "data": {"path": str(folder / "x.txt")},
        "training": {"batch_size": 2, "max_epochs": 1},
    }
    prepared = prepare(CharGenerationConfig.model_validate_json(json.dumps(content)))
    assert "no home directory" in prepared.notes[-1]
    assert len(prepared.ids) == len(TEXT)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"RNNKIT_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, Path("/c")),
        ({"RNNKIT_CACHE": "", "XDG_CACHE_HOME": "/x"}, Path("/x/rnnkit")),
        ({}, Path.home() / ".cache" / "rnnkit"),
    ],
)
def test_the_cache_lies_where_the_environment_says(
    environment: dict[str, str], expected: Path
) -> None:
    assert cache.default_folder(environment) == expected


def test_a_file_that_changes_while_it_is_encoded_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cache._write_array

    def meddle(*arguments: Any, **options: Any) -> None:
        (folder / "x.txt").write_text(TEXT + "more")
        write(*arguments, **options)

    monkeypatch.setattr(cache, "_write_array", meddle)
    with pytest.raises(DataError, match="changed while it was being read"):
        run(folder)
    assert not any((folder / "cache" / "corpora").iterdir())


def test_what_killed_processes_left_is_removed_in_time(folder: Path) -> None:
    corpora = folder / "cache" / "corpora"
    for name, age in (("old", 2 * 24 * 3600), ("new", 60)):
        left = corpora / f".building-{name}"
        left.mkdir(parents=True)
        stamp = left.stat().st_mtime - age
        os.utime(left, (stamp, stamp))
    run(folder)
    assert not (corpora / ".building-old").exists()
    assert (corpora / ".building-new").exists()


def test_an_entry_in_use_survives_its_replacement(folder: Path) -> None:
    first = run(folder)
    expected = first.ids.tolist()
    rewrite_meta(version=2)(entry(folder))
    run(folder)
    assert first.ids.tolist() == expected


def test_a_large_entry_is_checked_in_samples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(cache, "_BLOCKS", 4)
    run(folder)
    assert "reused" in run(folder).notes[-1]
    rewrite("ids.npy", lambda old: old[:-1] + b"\x7f")(entry(folder))
    assert "the checksum of ids.npy" in run(folder).notes[-1]


def build_many(folder: str, start: Any, results: Any) -> None:
    start.wait()
    for _ in range(5):
        prepared = run(Path(folder))
        results.put((prepared.fingerprint, prepared.ids.tolist()))


def test_processes_at_once_do_not_disturb_each_other(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    workers = [
        context.Process(target=build_many, args=(str(folder), start, results)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    start.set()
    found = [results.get(timeout=60) for _ in range(20)]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert all(result == found[0] for result in found)
    assert len(list((folder / "cache" / "corpora").iterdir())) == 1


def build(*numbers: int) -> cache.Build:
    def write(write: cache.ArrayWriter) -> cache.Json:
        pieces = (np.array([number]) for number in numbers)
        write("numbers", pieces, dtype=np.dtype("<i8"), length=len(numbers))
        write("halves", [np.array(numbers) / 2], dtype=np.dtype("<f4"), length=len(numbers))
        return {"sum": sum(numbers)}

    return write


def never(_: cache.ArrayWriter) -> cache.Json:
    raise AssertionError("built although it is in the cache")


@pytest.mark.parametrize("numbers", [(), (3,), tuple(range(1000))])
def test_any_data_can_be_kept(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    key = {"files": ["a", "b"], "fraction": 0.1, "rules": {"lowercase": True}}
    for make in (build(*numbers), never):
        found = cache.cached(key, make, folder=tmp_path)
        assert found.arrays["numbers"].tolist() == list(numbers)
        assert found.arrays["halves"].dtype == np.float32
        assert found.document == {"sum": sum(numbers)}
    other = cache.cached(key | {"fraction": 0.2}, build(7), folder=tmp_path)
    assert other.arrays["numbers"].tolist() == [7]


def test_a_wrong_length_is_not_kept(tmp_path: Path) -> None:
    def wrong(write: cache.ArrayWriter) -> cache.Json:
        write("numbers", [np.arange(3)], dtype=np.dtype("<i8"), length=4)
        return {}

    with pytest.raises(ValueError, match="3 items instead of 4"):
        cache.cached({}, wrong, folder=tmp_path)
    assert not list((tmp_path / "corpora").iterdir())


def test_entries_used_longest_ago_are_removed_above_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(name: str, make: cache.Build, age_seconds: int) -> cache.Entry:
        kept = cache.cached({"name": name}, make, folder=tmp_path)
        path = cache.entry_folder(tmp_path, {"name": name})
        stamp = path.stat().st_mtime - age_seconds
        os.utime(path, (stamp, stamp))
        return kept

    old = keep("old", build(*range(500)), 300)
    keep("used", build(*range(500)), 400)
    keep("recent", build(*range(500)), 100)
    keep("used", never, 0)
    size = sum(file.stat().st_size for file in tmp_path.glob("corpora/*/*"))
    monkeypatch.setattr(cache, "LIMIT_BYTES", size)
    keep("new", build(*range(500)), 0)
    for name in ("used", "recent", "new"):
        keep(name, never, 0)
    with pytest.raises(AssertionError, match="although"):
        keep("old", never, 0)
    assert old.arrays["numbers"].tolist() == list(range(500))
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1)
    assert keep("large", build(1), 0).arrays["numbers"].tolist() == [1]
    assert len(list((tmp_path / "corpora").iterdir())) == 1
