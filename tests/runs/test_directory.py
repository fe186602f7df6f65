"""The run directory: atomic files, checksums, creation, the lock, and lookup."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rnnkit.runs.directory
import rnnkit.runs.files
from rnnkit.errors import RunError, UsageError
from rnnkit.runs.directory import (
    RunDirectory,
    create_run,
    find_run,
    is_in_training,
    list_runs,
    locked,
    named_run,
    replace_recorded,
    verify_files,
    write_manifest,
)
from rnnkit.runs.files import FORMAT_VERSION, read_document, write_atomically, write_document
from rnnkit.runs.records import encode_metrics, read_metrics

# What JSON can hold, any string included: lone surrogates stand for bytes of a path that is not
# UTF-8, and the directory of a run may be such a path.
STRINGS = st.text(st.characters(), max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=6,
)


def make_run(runs_dir: Path, name: str = "run") -> RunDirectory:
    return create_run(runs_dir, name, config_text="version: 1\n", vocabulary={"tokens": ["a"]})


def finish(run: RunDirectory, *, at: int, task: str = "char_generation") -> None:
    """Write the summary, with `at` as its time in seconds."""
    write_document(run.summary, "summary", {"task": task})
    os.utime(run.summary, (at, at))


# ---------------------------------------------------------------------------- atomic writing


def refuse(number: int) -> Callable[..., Any]:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool, where: str
) -> None:
    path = tmp_path / "file"
    if existed:
        path.write_bytes(b"old")
    monkeypatch.setattr(where, refuse(errno.ENOSPC))
    with pytest.raises(RunError, match="No space left on device") as caught:
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert ("previous version is intact" in str(caught.value)) == existed
    assert [p.name for p in tmp_path.iterdir()] == (["file"] if existed else [])
    if existed:
        assert path.read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_ctrl_c(descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", second_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"a long first version", b"", bytes(range(256))):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_writing_into_a_missing_folder_is_a_run_error(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(RunError, match="No such file") as caught:
        write_atomically(path, b"")
    assert str(path) in str(caught.value)


# ---------------------------------------------------------------------------------- documents


@given(content=st.dictionaries(STRINGS, JSON_VALUES, max_size=4))
@example(content={"run": "runs/\udcff"})
def test_documents_round_trip(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "document.json"
    write_document(path, "summary", content)
    assert read_document(path, "summary") == content


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_document(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.json"
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"noise\.json"):
        read_document(path, "summary")


@given(
    envelope=st.fixed_dictionaries(
        {
            "format": st.just("rnnkit/summary") | JSON_VALUES,
            "version": st.just(FORMAT_VERSION) | JSON_VALUES,
            "sha256": JSON_VALUES,
            "content": JSON_VALUES,
        }
    )
)
def test_arbitrary_envelopes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, envelope: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "envelope.json"
    path.write_text(json.dumps(envelope))
    with pytest.raises(RunError, match=r"envelope\.json"):
        read_document(path, "summary")


@given(data=st.data())
def test_every_changed_byte_of_the_content_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.json"
    content = {"task": "char_generation", "steps": 300, "loss": 1.25, "tokens": ["ä", "\n"]}
    write_document(path, "summary", content)
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255))
    path.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
    try:
        found = read_document(path, "summary")
    except RunError as error:
        assert path.name in str(error)  # noqa: PT017  # some changes are not to be noticed
    else:
        assert found == content, "only blanks between the parts may change"


def envelope(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "missing"),
    "empty": (lambda path: path.write_bytes(b""), "damaged or not written by rnnkit"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "damaged or not written"),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff\xfe\xfa"), "damaged or not written"),
    "a list": (lambda path: path.write_text("[1]"), "damaged or not written"),
    "deeply nested": (lambda path: path.write_text("[" * 100_000), "damaged or not written"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    "another kind": (
        lambda path: path.write_text(json.dumps(envelope(path) | {"format": "rnnkit/vocabulary"})),
        "holds 'rnnkit/vocabulary', expected 'rnnkit/summary'",
    ),
    "newer": (
        lambda path: path.write_text(json.dumps(envelope(path) | {"version": FORMAT_VERSION + 1})),
        "newer than this rnnkit",
    ),
    "version is no number": (
        lambda path: path.write_text(json.dumps(envelope(path) | {"version": "1"})),
        "is not a version number",
    ),
    "changed": (
        lambda path: path.write_text(path.read_text().replace("300", "301")),
        "checksum does not match",
    ),
    "lone surrogate": (
        lambda path: path.write_text(path.read_text().replace("300", '"\\ud800"')),
        "checksum does not match",
    ),
    "content is a list": (
        lambda path: path.write_text(json.dumps(envelope(path) | {"content": [300]})),
        "checksum does not match",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_documents_are_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "summary.json"
    write_document(path, "summary", {"steps": 300})
    do_it, expected = DAMAGES[damage]
    do_it(path)
    with pytest.raises(RunError) as caught:
        read_document(path, "summary")
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


# ------------------------------------------------------------------------------- the manifest


def test_recorded_files_are_verified(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.onnx_model.write_bytes(b"model")
    write_manifest(run, [run.config, run.onnx_model])
    verify_files(run, run.config, run.onnx_model)
    run.onnx_model.write_bytes(b"modem")
    verify_files(run, run.config)
    with pytest.raises(RunError, match="checksum differs") as caught:
        verify_files(run, run.config, run.onnx_model)
    assert str(run.onnx_model) in str(caught.value)
    run.onnx_model.unlink()
    with pytest.raises(RunError, match=r"model\.onnx: missing"):
        verify_files(run, run.onnx_model)


def test_unrecorded_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.onnx_model.write_bytes(b"model")
    with pytest.raises(RunError, match=f"has not finished.*--resume {run.path}"):
        verify_files(run, run.onnx_model)
    finish(run, at=0)
    with pytest.raises(RunError, match="not part of this run") as caught:
        verify_files(run, run.onnx_model)
    assert "--resume" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, {"files": ["config.yaml"]}])
def test_a_manifest_without_its_table_is_damaged(tmp_path: Path, content: dict[str, Any]) -> None:
    run = make_run(tmp_path)
    write_document(run.manifest, "manifest", content)
    with pytest.raises(RunError, match=r"manifest\.json"):
        verify_files(run, run.config)


# ----------------------------------------------------------------------------------- creation


def test_a_new_run_is_whole_and_alone(tmp_path: Path) -> None:
    run = create_run(
        tmp_path / "deep" / "runs", "my run", config_text="seed: 0\n", vocabulary={"tokens": ["ß"]}
    )
    assert run.path == tmp_path / "deep" / "runs" / "my run"
    assert [p.name for p in run.path.parent.iterdir()] == ["my run"]
    found = {p.relative_to(run.path).as_posix() for p in run.path.rglob("*")}
    assert found == {"config.yaml", "vocabulary.json", "manifest.json", "checkpoints"}
    assert run.config.read_text() == "seed: 0\n"
    assert read_document(run.vocabulary, "vocabulary") == {"tokens": ["ß"]}
    verify_files(run, run.config)
    assert not run.is_finished
    assert run.name == "my run"


@pytest.mark.parametrize("taken_by", ["a run", "an empty folder", "a file"])
def test_a_taken_name_is_refused_and_kept(tmp_path: Path, taken_by: str) -> None:
    taken = tmp_path / "taken"
    match taken_by:
        case "a run":
            make_run(tmp_path, "taken")
        case "an empty folder":
            taken.mkdir()
        case _:
            taken.write_text("precious")
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    with pytest.raises(RunError, match="exists already") as caught:
        make_run(tmp_path, "taken")
    assert "--name" in str(caught.value)
    assert str(taken) in str(caught.value)
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before


def test_a_name_taken_at_the_last_moment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process makes the directory between the first look and the rename."""
    winner = make_run(tmp_path / "elsewhere", "taken")

    def lose_the_race(self: Path, target: Path) -> None:
        monkeypatch.undo()
        winner.path.rename(target)
        self.rename(target)

    monkeypatch.setattr(Path, "rename", lose_the_race)
    with pytest.raises(RunError, match="exists already"):
        make_run(tmp_path / "runs", "taken")
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["taken"]
    verify_files(RunDirectory(tmp_path / "runs" / "taken"), tmp_path / "runs/taken/config.yaml")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0b", "-x", "a\nb", "a\x1b[2Jb", "a\u202eb"],
)
def test_what_is_no_plain_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        make_run(tmp_path / "runs", name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_for_the_disk_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="too long"):
        make_run(tmp_path, "x" * 300)
    with pytest.raises(RunError):
        named_run("x" * 300, runs_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse(errno.ENOSPC))
        with pytest.raises(RunError, match="No space left"):
            make_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_runs_folder_is_a_run_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("precious")
    with pytest.raises(RunError, match="cannot be created") as caught:
        make_run(tmp_path / "runs")
    assert str(tmp_path / "runs") in str(caught.value)
    assert (tmp_path / "runs").read_text() == "precious"


# ----------------------------------------------------------------------------------- the lock

HOLD = """
import pathlib, sys, time
from rnnkit.runs.directory import RunDirectory, locked
with locked(RunDirectory(pathlib.Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_is_exclusive_and_free_afterwards(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert not is_in_training(run)
    assert not run.lock_file.exists(), "looking must not leave anything behind"
    with locked(run):
        assert is_in_training(run)
        with pytest.raises(RunError, match="being trained") as caught, locked(run):
            pytest.fail("two hold the lock")
        assert str(run.path) in str(caught.value)
    assert not is_in_training(run)
    with locked(run):
        pass


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(ZeroDivisionError), locked(run):
        raise ZeroDivisionError
    assert not is_in_training(run)


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_in_training(run)
        with pytest.raises(RunError, match="being trained"), locked(run):
            pytest.fail("two hold the lock")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(run):
        pass


# ------------------------------------------------------------------------------------- lookup


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    for name, at in (("b", 20), ("a", 30), ("c", 10), ("d", 20)):
        finish(make_run(tmp_path, name), at=at)
    unfinished = make_run(tmp_path, "unfinished")
    os.utime(unfinished.manifest, (25, 25))
    (tmp_path / "not a run").mkdir()
    (tmp_path / "file").touch()
    make_run(tmp_path, "hidden").path.rename(tmp_path / ".hidden.1.tmp")
    assert [run.name for run in list_runs(tmp_path)] == ["a", "unfinished", "d", "b", "c"]


def test_the_newest_finished_run_of_the_task_is_found(tmp_path: Path) -> None:
    tasks = ("char_generation",)
    make_run(tmp_path, "unfinished")
    with pytest.raises(RunError, match="no finished run") as caught:
        find_run(None, runs_dir=tmp_path, tasks=tasks)
    assert str(tmp_path) in str(caught.value)
    finish(make_run(tmp_path, "old"), at=10)
    finish(make_run(tmp_path, "new"), at=20)
    finish(make_run(tmp_path, "other"), at=30, task="sentiment")
    assert find_run(None, runs_dir=tmp_path, tasks=tasks).name == "new"
    assert find_run(None, runs_dir=tmp_path, tasks=("sentiment", *tasks)).name == "other"


def test_a_damaged_newest_run_is_not_passed_over_silently(tmp_path: Path) -> None:
    finish(make_run(tmp_path, "old"), at=10)
    damaged = make_run(tmp_path, "damaged")
    damaged.summary.write_text("{}")
    with pytest.raises(RunError) as caught:
        find_run(None, runs_dir=tmp_path, tasks=("char_generation",))
    assert str(damaged.summary) in str(caught.value)


def test_runs_are_found_by_path_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "runs", "mine")
    assert named_run("mine", runs_dir=tmp_path / "runs") == run
    assert named_run(str(run.path), runs_dir=tmp_path / "elsewhere") == run
    monkeypatch.chdir(tmp_path)
    assert named_run("runs/mine/", runs_dir=Path("nowhere")).path.resolve() == run.path
    with pytest.raises(RunError, match=r"mien: no such run.*newest there: mine"):
        named_run("mien", runs_dir=tmp_path / "runs")
    (tmp_path / "runs" / "plain").mkdir()
    with pytest.raises(RunError, match=r"plain: not a run directory"):
        named_run("plain", runs_dir=tmp_path / "runs")


# ------------------------------------------------------------------------------------ metrics


@given(
    records=st.lists(st.dictionaries(STRINGS, JSON_VALUES, max_size=3), max_size=5),
    steps=st.lists(st.integers(), min_size=5, max_size=5),
)
@example(records=[{"text": "\udcff"}], steps=[0] * 5)
def test_metrics_round_trip(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], steps: list[int]
) -> None:
    run = RunDirectory(tmp_path_factory.getbasetemp())
    records = [record | {"step": step} for record, step in zip(records, steps, strict=False)]
    run.metrics.write_bytes(encode_metrics(records))
    assert read_metrics(run) == records


def test_no_metrics_yet_are_none(tmp_path: Path) -> None:
    assert read_metrics(RunDirectory(tmp_path)) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"{", id="torn"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"loss": 1}', id="no step"),
        pytest.param(b'{"step": "1"}', id="step is text"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deeply nested"),
    ],
)
def test_a_damaged_line_of_metrics_is_named(tmp_path: Path, line: bytes) -> None:
    run = RunDirectory(tmp_path)
    run.metrics.write_bytes(b'{"step": 1}\n' + line + b"\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl:2: damaged"):
        read_metrics(run)


@pytest.mark.parametrize("writes_before_the_kill", [0, 1, 2, 3])
def test_replacing_a_recorded_file_is_valid_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_before_the_kill: int
) -> None:
    run = create_run(tmp_path, "run", config_text="old", vocabulary={})
    left = iter([True] * writes_before_the_kill)
    write = rnnkit.runs.files.write_atomically

    def killed(path: Path, data: bytes) -> None:
        if not next(left, False):
            raise KeyboardInterrupt
        write(path, data)

    for module in (rnnkit.runs.directory, rnnkit.runs.files):
        monkeypatch.setattr(module, "write_atomically", killed)
    with contextlib.suppress(KeyboardInterrupt):
        replace_recorded(run, run.config, b"new")
    verify_files(run, run.config)
    assert run.config.read_text() == ("new" if writes_before_the_kill >= 2 else "old")
    run.config.write_text("neither")
    with pytest.raises(RunError, match="checksum"):
        verify_files(run, run.config)
