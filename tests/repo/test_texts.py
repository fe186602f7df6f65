"""What the repository's texts say is so: commands parse, pages are current, pins are complete."""

import importlib.metadata
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rnnkit.cli import cli
from rnnkit.cli.reference import command_reference, contexts
from rnnkit.tasks.task import parse_config

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

# Sites that texts may name: papers, formats and sources of the data.
KNOWN_SITES = {
    "arxiv.org",
    "doi.org",
    "example.org",
    "github.com",
    "json-schema.org",
    "keepachangelog.com",
    "semver.org",
    "www.gutenberg.org",
}


# ----------------------------------------------------------------------------------- pins


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    for line in entries:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
    names = [canonicalize_name(line.split("==")[0]) for line in entries]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    return {name: line.split("==")[1] for name, line in zip(names, entries, strict=True)}


def declared(*extras: str) -> list[Requirement]:
    lists = [PYPROJECT["project"]["dependencies"]]
    lists += [PYPROJECT["project"]["optional-dependencies"][extra] for extra in extras]
    return [Requirement(text) for texts in lists for text in texts]


def test_pins_fit_what_is_declared() -> None:
    found = pins()
    for requirement in declared("dev", "english"):
        version = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_everything_that_gets_installed_is_pinned() -> None:
    found, missing = pins(), set()
    queue, seen = declared("dev", "english"), set()
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        missing |= {name} - found.keys()
        try:
            texts = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # an environment made otherwise; `make check` has everything
        for text in texts:
            needed = Requirement(text)
            extras = ["", *requirement.extras]
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                queue.append(needed)
    assert not missing
    assert len(seen) > 30


# ------------------------------------------------------------------------- foreign addresses


def texts_of_the_repository() -> Iterator[tuple[Path, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and not name.startswith(SAMPLES):
            try:
                yield path, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


SAMPLES = ("data/", "tests/fixtures/", "tests/support/first_edition.json")
"""Texts that are input, which may name any address."""


def foreign(text: str) -> list[str]:
    """Addresses outside KNOWN_SITES, and folders of the machine this was written on."""
    addresses = re.findall(r"https?://([A-Za-z0-9.-]+\.[A-Za-z]+|localhost|\d+(?:\.\d+){3})", text)
    folders = re.findall(r"(?<![\w.~/])/root/\w[\w/.-]*", text)
    places = [place for place in (f"{ROOT}/", f"{Path.home()}/") if place in text]
    return [site for site in addresses if site not in KNOWN_SITES] + folders + places


def test_no_text_names_foreign_addresses_or_folders() -> None:
    texts = dict(texts_of_the_repository())
    assert ROOT / "pyproject.toml" in texts
    found = {
        str(path.relative_to(ROOT)): foreign(text)
        for path, text in texts.items()
        if path != Path(__file__) and foreign(text)
    }
    assert found == {}


@pytest.mark.parametrize(
    "text", ["see https://mirror.example.com/simple", f"cd {ROOT}/data", "'/root/x.txt'"]
)
def test_foreign_things_are_seen(text: str) -> None:
    assert foreign(text) != []


# --------------------------------------------------------------------------------- commands


def code_lines(page: str) -> Iterator[str]:
    """Lines of the fenced blocks of a Markdown page, without the blocks of program output."""
    for fence, body in re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.M | re.S):
        if fence in ("", "sh", "bash", "console", "shell"):
            yield from body.replace("\\\n", " ").splitlines()


def commands(page: str, program: str) -> Iterator[list[str]]:
    """Arguments of every call of `program` in the page's code, without `[ ]` around optional ones.

    `$ rnnkit train x.yaml && rnnkit evaluate | head` -> `["train", "x.yaml"]`, `["evaluate"]`
    """
    for line in code_lines(page):
        if not re.match(rf"(\$ )?([A-Z_]+=\S+ )*{program}\b", line.strip()):
            continue
        splitter = shlex.shlex(
            line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;<>"
        )
        splitter.whitespace_split = True
        call: list[str] = []
        for word in [*splitter, ";"]:
            if re.fullmatch(r"[|&;<>]+", word):
                while call and re.fullmatch(r"[A-Z_]+=.*", call[0]):
                    call.pop(0)
                if call[:1] == [program]:
                    yield [stripped for w in call[1:] if (stripped := w.strip("[]")) != ".."]
                call = []
            else:
                call.append(word)


def check_call(arguments: list[str]) -> None:
    """Fail with click's own message when the program would not understand the arguments."""
    command: click.Command = cli
    context = click.Context(cli, info_name="rnnkit", **cli.context_settings)
    while isinstance(command, click.Group):
        names = [argument for argument in arguments if not argument.startswith("-")]
        if not names or arguments[0].startswith("-"):
            break
        name, *arguments = arguments
        child = command.get_command(context, name)
        assert child is not None, f"no command {name!r} in {context.command_path}"
        command, context = child, click.Context(child, info_name=name, parent=context)
    _, unexpected, _ = command.make_parser(context).parse_args(list(arguments))
    assert not unexpected, f"{context.command_path} does not take {unexpected}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_in_the_pages_parse(page: Path) -> None:
    for arguments in commands(page.read_text("utf-8"), "rnnkit"):
        try:
            check_call(arguments)
        except (click.UsageError, AssertionError) as error:
            pytest.fail(f"{page.name}: rnnkit {shlex.join(arguments)}: {error}")
        for argument in arguments:
            if argument.startswith(("configs/", "data/")) and "*" not in argument:
                assert (ROOT / argument).exists(), f"{page.name} names {argument}"


def test_readme_shows_the_program() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = {arguments[0] for arguments in commands(text, "rnnkit") if arguments}
    assert {"train", "generate", "evaluate", "config", "runs"} <= shown


def test_the_configuration_in_the_readme_is_valid() -> None:
    [text] = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.M | re.S
    )
    config = parse_config(text, source="README.md", base=ROOT)
    assert config.training.max_epochs == 6


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_make_targets_in_the_pages_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.M)
    for arguments in commands(page.read_text("utf-8"), "make"):
        named = [argument for argument in arguments if "=" not in argument]
        assert set(named) <= set(targets), f"{page.name}: make {shlex.join(arguments)}"


@pytest.mark.parametrize(
    "arguments",
    [["trian"], ["runs", "lists"], ["runs", "list", "--jsn"], ["runs", "show", "a", "b"]],
)
def test_wrong_commands_are_seen(arguments: list[str]) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check_call(arguments)


def test_commands_are_found_in_pages() -> None:
    page = "x\n```sh\n$ rnnkit train a.yaml && rnnkit evaluate | head  # note\nA=1 make x\n```\n"
    assert list(commands(page, "rnnkit")) == [["train", "a.yaml"], ["evaluate"]]
    assert list(commands(page, "make")) == [["x"]]


# ------------------------------------------------------------------------------ generated pages


def test_command_page_is_current() -> None:
    page = (ROOT / "docs" / "CLI.md").read_text("utf-8")
    assert page == command_reference(), "docs/CLI.md is out of date: run `make docs`"


def test_help_texts_are_laid_out() -> None:
    for context in contexts():
        text = context.get_help()
        assert "\\b" not in text, f"{context.command_path}: its docstring is raw, \\b stays visible"
        for parameter in context.command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{context.command_path}: {parameter.opts} has no help"
