"""The guides are true: what they name is there, and their configurations are valid.

test_texts.py holds their commands to what the program understands.
"""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from guides import GUIDES, ROOT, Command, SavedFile, fragments, links, steps

from rnnkit.cli import cli
from rnnkit.errors import ConfigError
from rnnkit.tasks.task import parse_config

PROMISED = {
    "first-model",
    "your-own-text",
    "your-own-tweets",
    "reading-the-report",
    "what-the-options-do",
}

BASES = {
    "generation": "version: 1\ntask: char_generation\ndata: {path: a.txt}\n",
    "words": "version: 1\ntask: word_generation\ndata: {path: a.txt}\n",
    "classes": "version: 1\ntask: sentiment\ndata: {path: a.csv}\n",
}

for_every_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)


def test_the_promised_guides_are_there() -> None:
    assert {path.stem for path in GUIDES} >= PROMISED


@for_every_guide
def test_links_and_pictures_are_there(guide: Path) -> None:
    text = guide.read_text("utf-8")
    for target in links(text):
        assert (guide.parent / target).exists(), target
    for name in re.findall(r"`((?:configs|data|docs|bench)/[\w./-]+\w)`", text):
        assert (ROOT / name).exists(), name


@for_every_guide
def test_pictures_are_described(guide: Path) -> None:
    for described in re.findall(r"!\[(.*?)\]", guide.read_text("utf-8"), flags=re.S):
        assert len(described) > 20


@for_every_guide
def test_what_it_names_is_there_or_made_before(guide: Path) -> None:
    """Runs that commands name were trained further up, files that they read saved or written."""
    runs: set[str] = set()
    files: set[str] = set()
    for step in steps(guide.read_text("utf-8")):
        if isinstance(step, SavedFile):
            files.add(step.name)
            files |= set(re.findall(r'open\("([\w.-]+)", "w"', step.text))
            continue
        words = shlex.split(step.line, comments=True)
        files |= {after for word, after in itertools.pairwise(words) if word == ">"}
        for option, value in itertools.pairwise(words):
            match option:
                case "--output" | "--html" | "--png":
                    files.add(value)
                case "--name":
                    runs.add(value)
                case "--resume" | "--compare":
                    assert value in runs | {"cells"}, step.line
        for word in words:
            if word.startswith(("configs/", "data/")):
                assert list(ROOT.glob(word)), step.line
            elif re.fullmatch(r"[\w-]+\.(yaml|py|csv|txt)", word):
                assert word in files, step.line


@for_every_guide
def test_every_command_in_its_prose_is_one(guide: Path) -> None:
    """`rnnkit inspect forward letters` between backticks begins with a command of the program."""
    for call in re.findall(r"`rnnkit ([^`]+)`", guide.read_text("utf-8")):
        command: click.Command = cli
        for word in call.split():
            if not isinstance(command, click.Group):
                break
            child = command.get_command(click.Context(command), word)
            assert child is not None, call
            command = child


@for_every_guide
def test_every_fragment_of_a_configuration_is_valid(guide: Path) -> None:
    for text in fragments(guide.read_text("utf-8")):
        assert is_valid(text), text


def is_valid(text: str) -> bool:
    """Whether it is a configuration, or a part of one for some task."""
    sections: dict[str, Any] = yaml.safe_load(text)
    if "version" in sections:
        parse_config(text, source="guide", base=ROOT)
        return True
    return any(_completes(base, sections) for base in BASES.values())


def _completes(base: str, sections: dict[str, Any]) -> bool:
    whole: dict[str, Any] = {"training": {"max_steps": 1}, **yaml.safe_load(base)}
    for name, section in sections.items():
        both = isinstance(section, dict) and isinstance(whole.get(name), dict)
        whole[name] = {**whole[name], **section} if both else section
    try:
        parse_config(yaml.safe_dump(whole, sort_keys=False), source="guide", base=ROOT)
    except ConfigError:
        return False
    return True


# ------------------------------------------------------------------------------- the reader


def test_steps_are_read_in_order() -> None:
    page = (
        "```yaml\n# my.yaml\nseed: 1\n```\n"
        "<!-- exact -->\n```console\n$ rnnkit train my.yaml \\\n --name a\nError: no\n$ ls\n```\n"
        "```text\n$ no command\n```\n"
    )
    assert steps(page) == [
        SavedFile("my.yaml", "# my.yaml\nseed: 1\n"),
        Command("rnnkit train my.yaml   --name a", ("Error: no",), is_exact=True),
        Command("ls", (), is_exact=True),
    ]
    first, second = [step for step in steps(page) if isinstance(step, Command)]
    assert first.fails
    assert not second.fails


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("model: {dropout: 0.2}\n", True),
        ("data: {labels: {'0': a, '4': b}}\n", True),
        ("data: {tokens: subwords}\n", True),
        ("model: {dropuot: 0.2}\n", False),
        ("data: {tokens: letters}\n", False),
    ],
)
def test_fragments_are_checked(text: str, *, valid: bool) -> None:
    assert is_valid(text) == valid
