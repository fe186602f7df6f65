"""Every guide is followed from its first command to its last, in a copy of what it needs."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from guides import GUIDES, ROOT, Command, SavedFile, steps

from rnnkit.tasks.task import load_config
from rnnkit.tasks.text_classification.config import ClassificationConfig

pytestmark = pytest.mark.slow

SHORTER = (
    "training.max_steps=4",
    "training.schedule={kind: constant}",  # a warm-up would be longer than this
    "evaluation.bootstrap_samples=20",
)
"""Laid over what a guide trains."""

LITTLE_TO_SCORE = ("data.validation_fraction=0.01",)
"""Laid over language models besides."""

LONGER = ("training.max_steps=6",)
"""Instead of the limit that a guide gives when it goes on with a run."""

LEARNT_BY_HEART = ("configs/hello.yaml", "configs/tutorials/forward_by_hand.yaml")
"""Trained in full: it takes a second, and what the network says afterwards is known."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the configurations and texts of a checkout."""
    for name in ("configs", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMAND_GUIDES = [path for path in GUIDES if path.stem != "python"]
"""Guides of commands; test_python_api.py runs the page of the Python API."""


@pytest.mark.parametrize("guide", COMMAND_GUIDES, ids=lambda path: path.stem)
def test_following_the_guide(guide: Path, scratch: Path, run_cli: Any) -> None:
    followed = 0
    for step in steps(guide.read_text("utf-8")):
        match step:
            case SavedFile():
                Path(step.name).write_text(step.text, encoding="utf-8")
            case Command():
                follow(step, run_cli)
                followed += 1
    assert followed >= 3


def follow(command: Command, run_cli: Any) -> None:
    """Run it and hold it to what the guide shows."""
    words = shlex.split(command.line, comments=True)
    if words[0] == "rnnkit" and not {"|", ">", "<"} & set(words):
        result = run_cli(*words[1:], *shorter(words[1:]), input="")
        code, printed = result.exit_code, result.stdout + result.stderr
    else:
        code, printed = in_shell(command.line)
    assert (code != 0) == command.fails, f"{command.line}\n{printed}"
    if command.is_exact or command.fails:
        lines = printed.replace(str(Path.cwd()), "…").splitlines()
        for line in command.shown:
            assert line in lines, f"{command.line} does not print:\n{line}\nbut\n{printed}"


def shorter(arguments: list[str]) -> list[str]:
    """Options for a few steps instead of many."""
    name, config = arguments[:2]
    if name not in ("train", "crossval") or config in LEARNT_BY_HEART:
        return []
    if "--resume" in arguments:
        overrides = LONGER if "--set" in arguments else ()
    elif isinstance(load_config(Path(config)), ClassificationConfig):
        overrides = SHORTER
    else:
        overrides = SHORTER + LITTLE_TO_SCORE
    return [word for override in overrides for word in ("--set", override)]


def in_shell(line: str) -> tuple[int, str]:
    """Run what is more than one call of the program, with the program that is being tested."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
