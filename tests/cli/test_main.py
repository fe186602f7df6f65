"""What becomes of errors, and of a reader, a disk or a user that goes away."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import rnnkit
from rnnkit import errors
from rnnkit.cli import Program, cli
from rnnkit.cli.options import run_argument, runs_dir_option
from rnnkit.views.terminal import format_table, sparkline


def program(action: Callable[[], object]) -> Program:
    """A program whose one command does `action`."""
    group = Program()
    group.add_command(click.Command("act", callback=action))
    return group


def raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def in_new_process(action: str) -> list[str]:
    """Command line of a process that runs a program with the lines `action` as its command."""
    script = (
        "import os, sys, time, click, rnnkit.cli as shell\n"
        "group = shell.cli\n"
        f"def action():\n{action}\n"
        "group.add_command(click.Command('act', callback=action))\n"
        "sys.argv = ['rnnkit', 'act']\n"
        "shell.main()\n"
    )
    return [sys.executable, "-c", script]


def error_classes() -> list[type[errors.RnnkitError]]:
    found = [
        c for c in errors.RnnkitError.__subclasses__() if c is not errors.InterruptedTrainingError
    ]
    assert len(found) >= 5
    return found


@pytest.mark.parametrize("kind", error_classes())
def test_errors_become_a_message_and_their_exit_code(kind: type[errors.RnnkitError]) -> None:
    result = CliRunner().invoke(program(raising(kind("a.yaml:3: wrong\nb.yaml:4: wrong"))), ["act"])
    assert result.exit_code == kind.exit_code
    assert result.stdout == ""
    assert result.stderr == "Error: a.yaml:3: wrong\n       b.yaml:4: wrong\n"


def test_an_interrupted_training_is_no_error() -> None:
    error = errors.InterruptedTrainingError("Stopped at step 7.\nGo on with: rnnkit train")
    result = CliRunner().invoke(program(raising(error)), ["act"])
    assert result.exit_code == 130
    assert result.stderr == "Stopped at step 7.\nGo on with: rnnkit train\n"


def test_ctrl_c_ends_with_130() -> None:
    result = CliRunner().invoke(program(raising(KeyboardInterrupt())), ["act"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted."


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_machine_trouble_is_told_without_a_traceback(number: int) -> None:
    error = OSError(number, os.strerror(number), "runs/x/metrics.jsonl")
    result = CliRunner().invoke(program(raising(error)), ["act"])
    assert result.exit_code == errors.RunError.exit_code
    assert "runs/x/metrics.jsonl" in result.stderr
    assert os.strerror(number) in result.stderr


@pytest.mark.parametrize("bug", [ValueError("ours"), OSError(errno.EBADF, "ours")])
def test_bugs_are_not_hidden(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        CliRunner().invoke(program(raising(bug)), ["act"], catch_exceptions=False)


def test_a_bug_ends_the_process_with_1_and_a_traceback() -> None:
    done = subprocess.run(
        in_new_process("    raise ValueError('ours')"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    endless = "    while True: click.echo('x' * 1000)"
    with subprocess.Popen(
        in_new_process(endless), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(5)
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert said == b""


def test_a_reader_that_leaves_before_the_buffer_is_written_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        in_new_process("    sys.stdout.write('x')"),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_stdout_is_told_once() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            in_new_process("    sys.stdout.write('x')"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == errors.RunError.exit_code
    assert done.stderr.startswith("Error: cannot write")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_stdout_is_no_bug() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *in_new_process("    click.echo('x')")],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_shows_no_traceback() -> None:
    with subprocess.Popen(
        in_new_process("    print('ready', flush=True); time.sleep(60)"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said


def test_text_that_the_terminal_cannot_show_is_escaped() -> None:
    done = subprocess.run(
        in_new_process("    click.echo('\\u00df\\u4e2d')"),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "iso-8859-1", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0
    assert done.stdout == b"\xdf\\u4e2d\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["runs", "compare"]])
def test_wrong_use_is_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["suggest", "--quiet"], None),
        (["train", "--sett"], "--set"),
        (["generate", "--temprature", "1"], "'--temperature'?"),
        (["--versoin"], "--version"),
        (["trian"], "train"),
    ],
)
def test_only_similar_names_are_proposed(arguments: list[str], named: str | None) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert ("Did you mean" in result.stderr) == (named is not None)
    assert named is None or named in result.stderr


@pytest.mark.parametrize("names", [[], ["generate"], ["inspect", "forward"]])
def test_help_is_a_command(names: list[str]) -> None:
    result = CliRunner().invoke(cli, ["help", *names], prog_name="rnnkit")
    assert result.exit_code == 0
    assert result.stdout == CliRunner().invoke(cli, [*names, "--help"], prog_name="rnnkit").stdout


@pytest.mark.parametrize("names", [["nothing"], ["generate", "more"], ["inspect", "nothing"]])
def test_help_of_an_unknown_command_is_a_usage_error(names: list[str]) -> None:
    result = CliRunner().invoke(cli, ["help", *names])
    assert (result.exit_code, result.stdout) == (2, "")
    assert names[-1] in result.stderr


def test_ctrl_c_while_options_are_read_ends_with_130() -> None:
    def interrupted(context: click.Context, parameter: click.Parameter, value: object) -> None:
        raise KeyboardInterrupt

    group = Program(params=[click.Option(["--flag"], is_flag=True, callback=interrupted)])
    result = CliRunner().invoke(group, ["--flag", "act"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted."


def test_version_and_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rnnkit", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"rnnkit, version {rnnkit.__version__}\n"


def test_commands_come_in_the_order_of_use() -> None:
    assert list(cli.commands) == [
        "train", "generate", "suggest", "predict", "evaluate", "crossval", "inspect", "report",
        "config", "runs", "help",
    ]  # fmt: skip
    text = CliRunner().invoke(cli, ["--help"]).stdout
    positions = [text.index(f"\n  {name} ") for name in cli.commands]
    assert positions == sorted(positions)
    assert len(text.splitlines()) <= 40


def test_runs_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hello-1", "hello-2", "other"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def completions(words: str, position: int) -> list[str]:
        answer = CliRunner().invoke(
            cli,
            [],
            prog_name="rnnkit",
            env={
                "_RNNKIT_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(position),
            },
        )
        return [line.split(",")[1] for line in answer.stdout.splitlines() if line]

    assert completions("rnnkit runs show --runs-dir elsewhere hel", 5) == ["hello-1", "hello-2"]
    assert completions("rnnkit runs show hel", 3) == []
    monkeypatch.setenv("RNNKIT_RUNS_DIR", "elsewhere")
    assert completions("rnnkit runs show o", 3) == ["other"]
    assert completions("rnnkit runs show elsewhere/o", 3) == ["elsewhere/o"]


def test_optional_and_repeated_runs_reach_the_command() -> None:
    seen: list[object] = []

    @click.command()
    @run_argument()
    @runs_dir_option
    def one(run: str | None, runs_dir: Path) -> None:
        seen.append((run, runs_dir))

    @click.command()
    @run_argument(required=True, many=True)
    def several(runs: tuple[str, ...]) -> None:
        seen.append(runs)

    CliRunner().invoke(one, [], catch_exceptions=False)
    CliRunner().invoke(one, ["a", "--runs-dir", "b"], catch_exceptions=False)
    CliRunner().invoke(several, ["a", "b"], catch_exceptions=False)
    assert seen == [(None, Path("runs")), ("a", Path("b")), ("a", "b")]


def test_tables_are_aligned_by_what_a_terminal_shows() -> None:
    table = format_table(("run", "loss"), [("中文", "1.5"), ("long name", "10.25")], left=(0,))
    assert table.splitlines() == ["run         loss", "中文         1.5", "long name  10.25"]


def test_sparklines_span_their_range() -> None:
    assert sparkline([4.0, 2.0, 1.0]) == "█▃▁"
    assert sparkline([1.0, 1.0]) == "▁▁"


INTERRUPTED_IMPORT = """
import builtins, runpy

original = builtins.__import__

def interrupted(name, *arguments, **options):
    if name == "click":
        raise KeyboardInterrupt
    return original(name, *arguments, **options)

builtins.__import__ = interrupted
runpy.run_module("rnnkit", run_name="__main__")
"""


def test_ctrl_c_while_the_program_loads_shows_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nInterrupted.\n")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["generate", "--beem"], "Did you mean '--beams'?"),
        (["inspect", "summary", "--jsn"], "Did you mean '--json'?"),
        (["config", "check", "--quiet", "x.yaml"], ""),
    ],
)
def test_only_close_options_are_suggested(arguments: list[str], hint: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert result.stderr.strip().endswith(hint or f"No such option '{arguments[2]}'.")
