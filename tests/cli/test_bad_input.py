"""Bad input of every kind: its exit code, one message that names the culprit, nothing lost."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest

from rnnkit.runs.directory import RunDirectory, locked, write_manifest

RunCli = Callable[..., Any]

TEXT = b"hello world, how are you? " * 20
CONFIG = """\
version: 1
task: char_generation
data:
  path: text.txt
  validation_fraction: 0.0
  windows: {kind: stream, length: 8}
model: {units: 4, input: {kind: one_hot}}
training: {batch_size: 2, max_steps: 2}
"""


@dataclass(frozen=True)
class Case:
    """What is wrong with `rnnkit train x.yaml`, and what must be said about it."""

    code: int
    said: tuple[str, ...]
    text: bytes | None = TEXT
    config: str | bytes | None = CONFIG
    set: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def data(*said: str, text: bytes | None = TEXT, **more: Any) -> Case:
    return Case(4, said, text=text, **more)


def key(setting: str, *said: str) -> Case:
    return Case(3, said, set=(setting,))


CASES = {
    # ------------------------------------------------------------------------------- the text
    "no text": data("text.txt", "does not exist", "data.path", text=None),
    "empty text": data("text.txt", "empty", text=b""),
    "text of a byte order mark": data("text.txt", "empty", text=b"\xef\xbb\xbf"),
    "binary file": data(
        "text.txt", "not a text file", text=b"\x7fELF\x02\x01\x00\x00" + bytes(500)
    ),
    "control characters": data("text.txt", "not a text file", text=bytes(range(1, 32)) * 40),
    "one character": data("text.txt", "1 character", text=b"a"),
    "two characters": data("2 tokens", "data.windows.length", text=b"ab"),
    "latin-1 as utf-8": data(
        "text.txt", "data.encoding", text="Grüße aus Köln. ".encode("latin-1") * 20
    ),
    "utf-16": data("text.txt", "UTF-16", "iconv", text="hello".encode("utf-16") * 50),
    "utf-8 cut in a character": data("text.txt", text=TEXT + "ü".encode()[:1]),
    "shorter than a window": data("data.windows.length", text=b"hello wo"),
    "fewer characters than streams": data(
        "training.batch_size", text=b"hello world", set=("training.batch_size=64",)
    ),
    "too little to hold out": data(
        "validation", "data.validation_fraction", text=b"hello world, hello world",
        set=("data.validation_fraction=0.01",),
    ),
    "folder as text": data("folder", set=("data.path=.",)),
    "pattern without files": data("nothing*.txt", set=("data.path=nothing*.txt",)),
    # ---------------------------------------------------------------------- the configuration
    "no configuration": Case(3, ("x.yaml", "no such file"), config=None),
    "empty configuration": Case(3, ("x.yaml", "empty"), config=""),
    "configuration is a text": Case(3, ("x.yaml:1", "version: 1"), config="Once upon a time"),
    "configuration is binary": Case(3, ("x.yaml",), config=b"\x7fELF\x02\x01\x00\x00\xff\xfe"),
    "broken YAML": Case(3, ("x.yaml:10",), config=CONFIG + "generation: {length: 3\n"),
    "unknown key": Case(
        3, ("x.yaml:7", "model.unitz", "Did you mean 'units'"),
        config=CONFIG.replace("units", "unitz"),
    ),
    "wrong type": Case(
        3, ("x.yaml:7", "model.units", "many"), config=CONFIG.replace("units: 4", "units: many")
    ),
    "duplicate key": Case(
        3, ("x.yaml:9", "model", "line 7"), config=CONFIG + "model: {units: 5}\n"
    ),
    "duplicate nested key": Case(
        3, ("x.yaml:7", "units"), config=CONFIG.replace("units: 4", "units: 4, units: 5")
    ),
    "newer configuration": Case(
        3, ("x.yaml:1", "version", "newer"), config=CONFIG.replace("version: 1", "version: 2")
    ),
    "unknown task": Case(
        3, ("x.yaml:2", "task"), config=CONFIG.replace("char_generation", "translation")
    ),
    "missing section": Case(3, ("x.yaml", "data"), config="version: 1\ntask: char_generation\n"),
    "nothing ends the run": Case(
        3, ("training", "max_epochs"), config=CONFIG.replace(", max_steps: 2", "")
    ),
    "contradictory keys": key("model.activation=relu", "model.activation", "simple_rnn"),
    "tied to nothing": key("model.tie_weights=true", "model.tie_weights", "embedding"),
    "bidirectional": key("model.bidirectional=true", "model.bidirectional", "future"),
    "nothing to train on": Case(
        3, ("data.validation_fraction", "test_fraction"),
        set=("data.validation_fraction=0.6", "data.test_fraction=0.5"),
    ),
    "--set without value": key("nonsense", "--set nonsense", "KEY=VALUE"),
    "--set without key": key("=1", "--set =1"),
    "--set of nothing": key("model.units=", "--set model.units="),
    "--set of an unknown key": key("model.unitz=3", "--set model.unitz=3", "units"),
    "--set below a value": key("seed.deep=1", "--set seed.deep=1"),
    "--set of broken YAML": key("model.units=[1", "--set model.units=[1"),
    "--set out of range": key("training.max_steps=-1", "training.max_steps", "-1"),
    "--set of infinity": key("training.optimizer.learning_rate=.inf", "learning_rate"),
    # -------------------------------------------------------------------------------- the run
    "name in use": Case(5, ("runs/old", "exists already", "--name", "--resume"),
                        options=("--name", "old")),
    "name with a slash": Case(2, ("--name", "a/b"), options=("--name", "a/b")),
    "hidden name": Case(2, ("--name", "'..'"), options=("--name", "..")),
    "name of two lines": Case(2, ("--name", "printable"), options=("--name", "a\nb")),
    "name like an option": Case(2, ("--name", "dash"), options=("--name", "-x")),
    "endless name": Case(5, ("too long",), options=("--name", "x" * 300)),
    "runs folder is a file": Case(5, ("text.txt/", "Not a directory"),
                                  options=("--runs-dir", "text.txt")),
    "runs folder cannot be made": Case(5, ("/proc/",), options=("--runs-dir", "/proc/runs")),
    # ------------------------------------------------------------------------------ the usage
    "two ways to train": Case(2, ("--resume",), options=("--resume", "old")),
    "two configurations": Case(2, ("x2.yaml",), options=("x2.yaml",)),
    "unknown option": Case(2, ("--units",), options=("--units", "3")),
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, run_cli: RunCli) -> Path:
    """A folder with text, configuration, and `runs/old`, a run of it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_bytes(TEXT)
    (folder / "x.yaml").write_text(CONFIG)
    result = run_cli("train", folder / "x.yaml", "--name", "old", "--runs-dir", folder / "runs")
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it, to spoil. The text of the run stays where it was."""
    copy = tmp_path / "work"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    yield copy
    assert (finished / "text.txt").read_bytes() == TEXT


@pytest.fixture
def run(folder: Path) -> RunDirectory:
    return RunDirectory(folder / "runs" / "old")


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; the lock file, which means nothing when unlocked, aside."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name != ".lock"
    }


def spoil(folder: Path, case: Case) -> list[str]:
    """Put the files of the case into `folder`; returns the command."""
    for name, content in (("text.txt", case.text), ("x.yaml", case.config)):
        content = content.encode() if isinstance(content, str) else content
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)
    settings = [word for setting in case.set for word in ("--set", setting)]
    return ["train", "x.yaml", *settings, *case.options]


def assert_one_message(result: Any, code: int, *said: str) -> None:
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("Error:") == 1
    message = result.stderr[result.stderr.index("Error:") :].replace("\n       ", " ")
    for words in said:
        assert words in message


@pytest.mark.parametrize("name", CASES)
def test_bad_training_is_refused(run_cli: RunCli, folder: Path, name: str) -> None:
    command = spoil(folder, CASES[name])
    before = contents(folder)
    assert_one_message(run_cli(*command), CASES[name].code, *CASES[name].said)
    assert contents(folder) == before


RUN_ALL = """
import json, os, sys
from click.testing import CliRunner
from rnnkit.cli import cli

codes = []
for folder, command in json.load(sys.stdin):
    os.chdir(folder)
    codes.append(CliRunner().invoke(cli, command, catch_exceptions=False).exit_code)
print(json.dumps([codes, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_all_of_it_is_refused_without_tensorflow(finished: Path, tmp_path: Path) -> None:
    commands: list[tuple[str, list[str]]] = []
    for number, case in enumerate(CASES.values()):
        folder = tmp_path / str(number)
        (folder / "runs").mkdir(parents=True)
        shutil.copytree(finished / "runs" / "old", folder / "runs" / "old")
        commands.append((str(folder), spoil(folder, case)))
    for options in ([], ["--set", "seed=1"], ["--set", "training.max_steps=x"]):
        commands.append((str(finished), ["train", "--resume", "old", *options]))
    commands.append((str(finished), ["train", "--resume", "none"]))
    # A run whose checkpoint is damaged; its text is that of `finished`.
    damaged = RunDirectory(tmp_path / "0" / "runs" / "old")
    cut(damaged.last_checkpoint)
    cut(damaged.previous_checkpoint)
    commands.append(
        ("/", ["train", "--resume", str(damaged.path), "--set", "training.max_steps=9"])
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    codes, modules = json.loads(done.stdout)
    assert codes == [*(case.code for case in CASES.values()), 5, 2, 3, 5, 5]
    assert not {"tensorflow", "keras", "onnx", "onnxruntime"} & set(modules)


# ------------------------------------------------------------------------- runs that are damaged


def newer(path: Path) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))


def flip(path: Path) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_text(path: Path) -> None:
    path.write_text("Dear diary")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "flipped bit": flip,
    "truncated": cut,
    "empty": lambda path: path.write_bytes(b""),
    "foreign": replace_by_text,
    "missing": Path.unlink,
    "a folder": replace_by_folder,
}
READERS = {
    "config.yaml": (["evaluate", "old"], ["train", "--resume", "old"], ["runs", "show", "old"]),
    "vocabulary.json": (["generate", "old"], ["evaluate", "old"]),
    "model.onnx": (["generate", "old"], ["evaluate", "old"]),
    "summary.json": (["generate"], ["evaluate"]),
    "manifest.json": (["generate", "old"], ["evaluate", "old"], ["train", "--resume", "old"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", READERS)
def test_damaged_run_is_refused(
    run_cli: RunCli, folder: Path, run: RunDirectory, file: str, damage: str
) -> None:
    DAMAGES[damage](run.path / file)
    before = contents(folder)
    for command in READERS[file]:
        result = run_cli(*command)
        if file == "summary.json" and damage in ("missing", "a folder"):
            assert_one_message(result, 5, "runs", "no finished run")
        else:
            assert_one_message(result, 5, file)
    assert contents(folder) == before


@pytest.mark.parametrize("file", ["vocabulary.json", "summary.json", "manifest.json"])
def test_newer_run_is_refused(run_cli: RunCli, run: RunDirectory, file: str) -> None:
    newer(run.path / file)
    for command in ("generate", "evaluate"):
        assert_one_message(run_cli(command), 5, file, "version 2", "upgrade rnnkit")


def test_newer_model_is_refused(run_cli: RunCli, run: RunDirectory) -> None:
    model = onnx.load_model_from_string(run.onnx_model.read_bytes())
    facts = next(entry for entry in model.metadata_props if entry.key == "rnnkit")
    facts.value = facts.value.replace('"format_version": 1', '"format_version": 2')
    run.onnx_model.write_bytes(model.SerializeToString())
    write_manifest(run, [run.config, run.keras_model, run.onnx_model])
    for command in ("generate", "evaluate"):
        assert_one_message(run_cli(command), 5, "model.onnx", "version 2", "upgrade rnnkit")


def test_model_of_another_run_is_refused(run_cli: RunCli, run: RunDirectory, folder: Path) -> None:
    options = ("--set", "data.tokens=bytes", "--name", "other")
    assert run_cli("train", "x.yaml", *options).exit_code == 0
    other = RunDirectory(folder / "runs" / "other")
    shutil.copy(other.onnx_model, run.onnx_model)
    assert_one_message(run_cli("generate", "old"), 5, "old/model.onnx", "checksum")
    shutil.copy(other.manifest, run.manifest)
    assert_one_message(run_cli("generate", "old"), 5, "old/model.onnx", "256")
    assert run_cli("generate", "other", "--length", 3).exit_code == 0


@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "foreign", "missing"])
@pytest.mark.parametrize("file", ["last.npz", "best.npz"])
def test_damaged_checkpoint_is_refused(
    run_cli: RunCli, run: RunDirectory, file: str, damage: str
) -> None:
    run.summary.unlink()
    run.previous_checkpoint.unlink()  # it would serve instead of the last one
    DAMAGES[damage](run.last_checkpoint.parent / file)
    result = run_cli("train", "--resume", "old")
    assert_one_message(result, 5, f"old/checkpoints/{file}")
    assert not run.is_finished


@pytest.mark.parametrize("command", ["generate", "evaluate"])
@pytest.mark.parametrize("name", ["none", "text.txt", "runs", "x" * 300, "", "a\0b"])
def test_what_is_no_run_is_refused(run_cli: RunCli, folder: Path, command: str, name: str) -> None:
    assert_one_message(run_cli(command, name), 5)


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_without_any_run_the_way_to_one_is_shown(
    run_cli: RunCli, tmp_path: Path, command: str
) -> None:
    result = run_cli(command, "--runs-dir", tmp_path / "none")
    assert_one_message(result, 5, str(tmp_path / "none"), "rnnkit train")


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_an_unfinished_run_says_how_to_finish_it(
    run_cli: RunCli, run: RunDirectory, command: str
) -> None:
    """As a kill before the first evaluation leaves it."""
    for path in (run.summary, run.onnx_model, run.keras_model, run.metrics):
        path.unlink()
    write_manifest(run, [run.config])
    assert_one_message(run_cli(command, "old"), 5, "not finished", "rnnkit train --resume runs/old")
    assert_one_message(run_cli(command), 5, "no finished run")


# ---------------------------------------------------------------------- runs in the wrong state


def test_a_run_that_is_being_trained_is_left_alone(
    run_cli: RunCli, folder: Path, run: RunDirectory
) -> None:
    run.summary.unlink()
    before = contents(folder)
    with locked(run):
        for options in ([], ["--set", "training.max_steps=9"]):
            result = run_cli("train", "--resume", "old", *options)
            assert_one_message(result, 5, "runs/old", "another process")
    assert contents(folder) == before


def test_a_finished_run_is_not_resumed(run_cli: RunCli, folder: Path) -> None:
    before = contents(folder)
    result = run_cli("train", "--resume", "old")
    assert_one_message(result, 5, "runs/old", "has finished", "--set training.max_steps=")
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("model.units=5", 2),
        ("seed=1", 2),
        ("training.batch_size=3", 2),
        ("data.path=other.txt", 2),
        ("training.max_steps=many", 3),
        ("training.maximum_steps=9", 3),
        ("nonsense", 3),
    ],
)
def test_a_resumed_run_changes_nothing_but_limits(
    run_cli: RunCli, folder: Path, setting: str, code: int
) -> None:
    before = contents(folder)
    for more in ([], ["--set", "training.max_steps=9"]):
        result = run_cli("train", "--resume", "old", *more, "--set", setting)
        assert_one_message(result, code, setting.partition("=")[0])
    assert contents(folder) == before


@pytest.mark.parametrize("trouble", ["missing", "empty", "changed"])
def test_a_run_whose_text_is_gone_is_not_extended(
    run_cli: RunCli, folder: Path, run: RunDirectory, trouble: str
) -> None:
    """The finished run stays finished: its models are as good as before."""
    text = folder / "text.txt"
    own = ["train", "x.yaml", "--name", "own"]
    assert run_cli(*own).exit_code == 0
    match trouble:
        case "missing":
            text.unlink()
        case "empty":
            text.write_bytes(b"")
        case _:
            text.write_bytes(TEXT + b"And more.")
    before = contents(folder)
    result = run_cli("train", "--resume", "own", "--set", "training.max_steps=9")
    assert_one_message(result, 5 if trouble == "changed" else 4, "text.txt")
    assert contents(folder) == before
    assert run_cli("generate", "own", "--length", 3).exit_code == 0


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--length", "-1"], 2, "--length"),
        (["--length", "many"], 2, "--length"),
        (["--temperature", "-1"], 2, "--temperature"),
        (["--temperature", "nan"], 2, "--temperature"),
        (["--top-p", "0"], 2, "--top-p"),
        (["--samples", "0"], 2, "--samples"),
        (["--seed", "a", "--prompt-file", "x.yaml"], 2, "--prompt-file"),
        (["--seed", "Gruß"], 4, "--unseen"),
        (["--prompt-file", "none.txt"], 4, "none.txt"),
        (["--prompt-file", "runs"], 4, "runs"),
    ],
)
def test_bad_options_of_generate(
    run_cli: RunCli, folder: Path, options: list[str], code: int, said: str
) -> None:
    assert_one_message(run_cli("generate", "old", *options), code, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "empty"),
        (b"\0\1\2" * 100, "not a text file"),
        (b"a", "at least two"),
        ("Gruß".encode(), "--unseen"),
        ("Gruß".encode("latin-1"), "DF is not utf-8"),
    ],
)
def test_bad_texts_of_evaluate(
    run_cli: RunCli, folder: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (folder / "other.txt").write_bytes(content)
    assert_one_message(run_cli("evaluate", "old", "--data", "other.txt"), 4, said)
