"""`rnnkit generate --interactive`, through pipes and through a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.cli.interactive import HELP, tail, unescape
from rnnkit.runs.directory import RunDirectory

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 20


@pytest.fixture
def small(make_model_run: Callable[..., RunDirectory]) -> RunDirectory:
    return make_model_run(TEXT)


@pytest.fixture
def talk(run_cli: Callable[..., Any], small: RunDirectory, tmp_path: Path) -> Callable[..., Any]:
    """`talk(*lines, options=())`: what is answered to these lines."""

    def run(*lines: str, options: tuple[object, ...] = ()) -> Any:
        return run_cli(
            "generate",
            *("small", "--seed", "the ", "--random-seed", 1, "--interactive", *options),
            *("--runs-dir", tmp_path / "runs"),
            input="".join(f"{line}\n" for line in lines),
        )

    return run


def shares(stderr: str) -> list[str]:
    """The candidates that were shown, without their bars."""
    return re.findall(r"^ +\d+  (.+? %)", stderr, flags=re.M)


def test_only_the_text_is_on_stdout(talk: Any) -> None:
    result = talk("q")
    assert (result.exit_code, result.stdout) == (0, "the \n")
    assert "number: take it" in result.stderr
    assert "the ▏  (0 tokens, temperature 1)" in result.stderr
    assert len(shares(result.stderr)) == 8
    assert talk().stdout == "the \n"  # the end of the input is an end as well


def test_a_number_takes_a_candidate(talk: Any) -> None:
    shown = shares(talk("q").stderr)
    for number in (1, 3):
        label = shown[number - 1].split()[0]
        taken = talk(str(number), "q").stdout
        assert taken == f"the {label.replace('␣', ' ').replace('⏎', chr(10))}\n"


def test_text_of_ones_own_may_be_anything_the_model_knows(talk: Any) -> None:
    assert talk("+fox\\njumps", "+ over", "q").stdout == "the fox\njumps over\n"
    assert talk("+q", "+", "q").stdout == "the q\n"
    result = talk("+Fox!", "+fox", "q")
    assert result.stdout == "the fox\n"
    assert "'F' (U+0046), '!' (U+0021)" in result.stderr


def test_enter_draws_one_token_and_go_many(talk: Any) -> None:
    assert len(talk("", "q").stdout) == len("the ") + 2
    assert len(talk("go 30", "q").stdout) == len("the ") + 31
    assert len(talk("go", "q", options=("--length", 12)).stdout) == len("the ") + 13
    long = talk("go 30", "q")
    assert long.stdout[4:-1] in long.stderr  # it is shown as it is made
    assert talk("go 10", "go 20", "q").stdout == long.stdout


def test_undo_takes_back_whole_changes(talk: Any) -> None:
    assert talk("+fox", "go 20", "u", "q").stdout == "the fox\n"
    assert talk("+fox", "+ jumps", "1", "u 2", "q").stdout == "the fox\n"
    result = talk("+fox", "u 3", "u", "q")
    assert result.stdout == "the \n"
    assert "There are no more changes to undo." in result.stderr
    assert "There is nothing to undo." in result.stderr


def test_options_change_what_is_shown_and_drawn(talk: Any) -> None:
    plain = shares(talk("q").stderr)
    assert shares(talk("t 0.3", "q").stderr)[8:] != plain
    assert len(shares(talk("k 3", "q").stderr)) == 8 + 3
    assert len(shares(talk("p 0.2", "q").stderr)) < 16
    assert len(shares(talk("n 20", "q").stderr)) == 8 + 20
    assert talk("k 3", "k 0", "q").stderr.count("top-k 3") == 1
    greedy = talk("t 0", "go 30", "q").stdout
    assert talk("t 0", "go 15", "go 15", "q", options=("--random-seed", 9)).stdout == greedy
    assert talk("go 30", "q", options=("--temperature", 0)).stdout == greedy


def test_s_shows_the_whole_text_and_help_explains(talk: Any) -> None:
    result = talk("+fox\\njumps", "s", "?", "q")
    assert "the fox\njumps\n" in result.stderr
    assert HELP in result.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fox", "'fox' is not a command. To write it yourself: +fox"),
        ("99", "There is no candidate 99; expected 1 to 8"),
        ("0", "There is no candidate 0"),
        ("go x", "go: expected a whole number of at least 1, found 'x'"),
        ("go 0", "go: expected"),
        ("u -1", "u: expected"),
        ("t", "t: expected a number of at least 0, found ''"),
        ("t nan", "t: expected"),
        ("t inf", "t: expected"),
        ("k 2.5", "k: expected"),
        ("p 2", "p: expected a number from 0 to 1"),
        ("p 0", "p: expected a number above 0"),
        ("n 0", "n: expected"),
        ("q 3", "'q 3' is not a command"),
        ("²", "is not a command"),
    ],
)
def test_what_is_not_understood_is_explained(talk: Any, line: str, words: str) -> None:
    result = talk(line, "+fox", "q")
    assert words in result.stderr
    assert (result.exit_code, result.stdout) == (0, "the fox\n")


def test_bytes_that_are_no_text_are_explained(
    run_cli: Any, small: RunDirectory, tmp_path: Path
) -> None:
    result = run_cli(
        "generate", "--interactive", "--runs-dir", tmp_path / "runs", input=b"+\xff\n+fox\nq\n"
    )
    assert result.exit_code == 0
    assert "U+FFFD" in result.stderr
    assert result.stdout == "fox\n"


def test_the_end_of_the_text_fits_a_line() -> None:
    assert tail("a\nb\tc") == "a⏎b c"
    assert tail("x" * 72) == "x" * 72
    assert tail("x" * 500 + "end") == "…" + "x" * 68 + "end"
    wide = tail("東" * 500)
    assert wide.startswith("…")
    assert 60 < 2 * len(wide) <= 74


def test_escapes() -> None:
    assert unescape(r"a\nb\tc\\d\q\ ") == "a\nb\tc\\d\\q\\ "
    assert unescape("\\") == "\\"


# ---------------------------------------------------------------------------- on a terminal


class Terminal:
    """A command whose input and standard error are a terminal; standard output is a pipe."""

    def __init__(self, *arguments: object) -> None:
        self._main, side = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rnnkit", *map(str, arguments)],
            stdin=side,
            stdout=subprocess.PIPE,
            stderr=side,
            env={**os.environ, "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        os.close(side)
        self._ahead = ""

    def wait_for(self, text: str) -> str:
        """Read on until `text` has appeared; returns what came up to its end."""
        give_up = time.monotonic() + 60
        while text not in self._ahead:
            assert time.monotonic() < give_up, f"{text!r} is not in {self._ahead!r}"
            if select.select([self._main], [], [], 1.0)[0]:
                self._ahead += os.read(self._main, 65536).decode(errors="replace")
        before, _, self._ahead = self._ahead.partition(text)
        return before + text

    def wait_for_characters(self, number: int) -> None:
        """Read on until so many have come."""
        give_up = time.monotonic() + 60
        while len(self._ahead) < number:
            assert time.monotonic() < give_up
            self._ahead += os.read(self._main, 65536).decode(errors="replace")

    def type(self, line: str) -> None:
        os.write(self._main, f"{line}\n".encode())

    def finish(self) -> tuple[str, int]:
        """What is on standard output, and the exit code."""
        out, _ = self.process.communicate(timeout=60)
        os.close(self._main)
        return out.decode(), self.process.returncode


def test_a_dialogue_on_a_terminal(small: RunDirectory) -> None:
    terminal = Terminal("generate", small.path, "--seed", "the ", "--interactive")
    assert "the ▏" in terminal.wait_for("\n> ")
    terminal.type("+fox\\n")
    assert "the fox⏎▏" in terminal.wait_for("\n> ")
    terminal.type("go 5")
    terminal.wait_for("(9 tokens, temperature 1)")
    terminal.wait_for("\n> ")
    terminal.type("u")
    assert "the fox⏎▏" in terminal.wait_for("\n> ")
    terminal.type("t 0")
    terminal.wait_for("temperature 0)")
    terminal.type("q")
    assert terminal.finish() == ("the fox\n\n", 0)


def test_ctrl_c_stops_the_model_and_then_the_dialogue(small: RunDirectory) -> None:
    terminal = Terminal("generate", small.path, "--seed", "the ", "--interactive")
    terminal.wait_for("\n> ")
    terminal.type("go 100000000")
    terminal.wait_for("\n")
    terminal.wait_for_characters(50)
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("stopped")
    terminal.wait_for("\n> ")
    terminal.type("u")
    terminal.wait_for("(0 tokens, temperature 1)")
    terminal.wait_for("\n> ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == ("the \n", 130)
