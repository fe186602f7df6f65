"""Texts from standard input, and numbers and encodings that options refuse."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from rnnkit.cli import cli
from rnnkit.cli.options import FiniteRange
from rnnkit.cli.text_arguments import check_encoding, stdin_pieces
from rnnkit.errors import UsageError
from rnnkit.views.terminal import format_table


def options(command: click.Command) -> list[click.Parameter]:
    """All options of a command and of those below it."""
    found = list(command.params)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            found += options(inner)
    return found


def test_no_option_takes_a_number_that_is_not_finite() -> None:
    types = [option.type for option in options(cli)]
    assert sum(isinstance(kind, FiniteRange) for kind in types) >= 5
    for kind in types:
        assert not isinstance(kind, click.types.FloatParamType) or isinstance(kind, FiniteRange)


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "1e999"])
def test_a_threshold_that_is_no_number_is_refused(run_cli: Callable[..., Any], value: str) -> None:
    result = run_cli("predict", "--threshold", value, "wonderful")
    assert result.exit_code == 2
    assert "--threshold" in result.stderr


@pytest.mark.parametrize("name", ["hex", "base64", "rot13", "zlib", "klingon", "utf-8\0"])
def test_only_encodings_of_text_are_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(UsageError, match="not an encoding of text"):
        check_encoding(name)
    with pytest.raises(UsageError, match="not an encoding of text"):
        next(stdin_pieces(name))


@pytest.mark.parametrize("command", ["predict", "suggest", "inspect attributions"])
def test_every_command_refuses_an_encoding_that_is_none_of_text(
    run_cli: Any, make_model_run: Any, make_class_run: Any, tmp_path: Any, command: str
) -> None:
    make_model_run("abc" * 100, name="letters")
    make_class_run([("xy"[n % 2], f"film {n}") for n in range(20)], name="films")
    run = "letters" if command == "suggest" else "films"
    for encoding in ("hex", "base64", "rot13"):
        arguments = (*command.split(), run, "--encoding", encoding)
        result = run_cli(*arguments, "--runs-dir", tmp_path / "runs", input=b"616263\n")
        assert result.exit_code == 2, (encoding, result.stderr)
        assert "not an encoding of text" in result.stderr


@pytest.mark.parametrize("name", ["utf-8", "latin-1", "cp1252", "UTF_16", "ascii", "utf-8-sig"])
def test_encodings_of_text_are_known(name: str) -> None:
    check_encoding(name)


@pytest.mark.parametrize("command", ["predict", "suggest", "inspect attributions"])
def test_a_closed_standard_input_is_no_bug(
    command: str, make_model_run: Any, make_class_run: Any, tmp_path: Any
) -> None:
    if command == "suggest":
        make_model_run("abc" * 100)
    else:
        make_class_run([("xy"[n % 2], f"film {n}") for n in range(20)])
    program = f"exec {sys.executable} -m rnnkit {command} small --runs-dir {tmp_path / 'runs'} <&-"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_characters_that_move_the_cursor_do_not_shift_columns() -> None:
    table = format_table(("class", "texts"), [("a\x1b[31mb", "1"), ("c\u202ed\n", "22")], left=(0,))
    assert table.split("\n") == ["class    texts", "a [31mb      1", "c d         22"]
