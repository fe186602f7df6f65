"""Help is instant: no command loads a library of numbers, tables or models to explain itself."""

import json
import os
import subprocess
import sys

HEAVY = (
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
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


def test_wrong_option_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom rnnkit.cli import cli\n"
        "try: cli(['runs', 'list', '--no-such-option'])\n"
        "except SystemExit as end: assert end.code == 2, end.code\n"
        "print([name for name in sys.argv[1].split(',') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, ",".join(HEAVY)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
