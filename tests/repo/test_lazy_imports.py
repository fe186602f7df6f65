"""Help is instant: no command loads a library of numbers, tables or models to explain itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
    "matplotlib",
    "scipy",
    "sklearn",
    "pydantic",
    "onnx",
    "onnxruntime",
    "yaml",
    "rich",
)

# Runs in a process of its own, where nothing has been imported yet.
ASK_EVERY_COMMAND_FOR_HELP = """
import contextlib, io, json, sys
from rnnkit.cli import cli
from rnnkit.cli.reference import contexts

heavy = sys.argv[1].split(",")
answers = {}
for context in contexts():
    names = context.command_path.split()[1:]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        cli.main([*names, "--help"], prog_name="rnnkit", standalone_mode=False)
    loaded = [name for name in heavy if name in sys.modules]
    answers[context.command_path] = {"help": text.getvalue(), "loaded": loaded}
print(json.dumps(answers))
"""


def test_help_of_every_command_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_EVERY_COMMAND_FOR_HELP, ",".join(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    answers = json.loads(done.stdout)
    assert {"rnnkit", "rnnkit train", "rnnkit config check", "rnnkit runs list"} <= answers.keys()
    for command, answer in answers.items():
        assert answer["help"].startswith(f"Usage: {command} "), command
        assert answer["loaded"] == [], f"{command} --help loads {answer['loaded']}"


# Runs one command and prints its exit code and what it loaded.
RUN_ONE_COMMAND = """
import json, sys
from rnnkit.cli import cli

code = 0
try:
    cli(sys.argv[2:], prog_name="rnnkit")
except SystemExit as end:
    code = end.code
print(json.dumps([code, [name for name in sys.argv[1].split(",") if name in sys.modules]]))
"""


def exit_code_and_loaded(*arguments: object, cache: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", RUN_ONE_COMMAND, ",".join(HEAVY), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "RNNKIT_CACHE": str(cache)},
    )
    code, loaded = json.loads(done.stdout)
    return code, loaded


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["runs", "list", "--nonsense"],
        ["train", "a", "b"],
        ["generate", "--length", "x"],
    ],
)
def test_wrong_use_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    assert exit_code_and_loaded(*arguments, cache=tmp_path) == (2, [])


@pytest.mark.parametrize(
    ("model", "text", "code"),
    [("{cell: gruu}", "some text", 3), ("{cell: gru}", "", 4), ("{cell: gru}", "short", 4)],
)
def test_bad_input_is_refused_before_tensorflow_is_loaded(
    tmp_path: Path, model: str, text: str, code: int
) -> None:
    (tmp_path / "text.txt").write_text(text)
    config = tmp_path / "x.yaml"
    config.write_text(
        "version: 1\ntask: char_generation\ndata: {path: text.txt}\n"
        f"model: {model}\ntraining: {{max_steps: 1}}\n"
    )
    found, loaded = exit_code_and_loaded(
        "train", config, "--runs-dir", tmp_path / "runs", cache=tmp_path / "cache"
    )
    assert found == code
    assert not {"tensorflow", "keras", "onnx", "onnxruntime", "pandas"} & set(loaded)
