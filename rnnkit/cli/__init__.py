"""The program: the group of commands, and what becomes of every error.

The command modules import click and the standard library when they are loaded and everything
else inside their functions, so that `--help` and a wrong option are answered at once.
"""

import errno
import io
import os
import sys
from typing import Any

import click

from rnnkit import __version__
from rnnkit.cli import (
    config,
    crossval,
    evaluate,
    generate,
    inspect,
    predict,
    report,
    runs,
    suggest,
    train,
)
from rnnkit.cli.answer import printable
from rnnkit.errors import InterruptedTrainingError, RnnkitError, RunError, UsageError

BROKEN_PIPE_EXIT_CODE = 141
"""128 + SIGPIPE: what a shell reports of any program whose reader has gone."""

INTERRUPTED_EXIT_CODE = InterruptedTrainingError.exit_code

LEAST_SIMILARITY = 0.6
"""Of an unknown option and one that is proposed in its place; 1 is equal."""

# The machine's trouble, not ours: a disk that is full or may not be written.
MACHINE_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class Program(click.Group):
    """A group that keeps the order of its commands and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they were added."""
        return list(self.commands)

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Read the options of the program itself."""
        try:
            return super().make_context(*arguments, **more)
        except click.NoSuchOption as error:
            _keep_similar(error)
            raise
        except KeyboardInterrupt:
            _report_interrupt()
            sys.exit(INTERRUPTED_EXIT_CODE)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and translate what escapes it; a bug goes through as it is."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A character that the terminal's encoding lacks is shown as an escape.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # while a full disk or a closed pipe can still be reported
            return result
        except click.NoSuchOption as error:
            _keep_similar(error)
            raise
        except InterruptedTrainingError as error:
            click.echo(str(error), err=True)  # what the user wished for is no error
            ctx.exit(error.exit_code)
        except RnnkitError as error:
            _tell(str(error))
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _report_interrupt()
            ctx.exit(INTERRUPTED_EXIT_CODE)
        except BrokenPipeError:
            _discard_stdout()
            ctx.exit(BROKEN_PIPE_EXIT_CODE)
        except OSError as error:
            if error.errno not in MACHINE_TROUBLE:
                raise
            _discard_stdout()
            _tell(_describe(error))
            ctx.exit(RunError.exit_code)


def _keep_similar(error: click.NoSuchOption) -> None:
    """Drop proposals that hardly resemble the option: click proposes `--set` for `--quiet`."""
    from difflib import SequenceMatcher

    name = error.option_name.lstrip("-")
    if error.possibilities is not None:
        error.possibilities[:] = [
            option
            for option in error.possibilities
            if SequenceMatcher(None, name, option.lstrip("-")).ratio() >= LEAST_SIMILARITY
        ]


def _report_interrupt() -> None:
    click.echo("\nInterrupted.", err=True)


def _tell(message: str) -> None:
    """Print an error on stderr, its later lines aligned below the first."""
    title = "Error: "
    lines = [printable(line) for line in message.strip().split("\n")]
    click.echo(title + ("\n" + " " * len(title)).join(lines), err=True)


def _describe(error: OSError) -> str:
    """Say what the operating system refused: `cannot use 'runs/x': Permission denied.`"""
    subject = f"cannot use {str(error.filename)!r}: " if error.filename else "cannot write: "
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            advice = "Free some space and try again; finished files are intact."
        case _:
            advice = "Change its permissions, or choose another place (--runs-dir, RNNKIT_CACHE)."
    return f"{subject}{error.strerror}.\n{advice}"


def _discard_stdout() -> None:
    """Send what is left in the buffer of stdout nowhere, so that exiting does not fail again."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # none, replaced by a test, or closed
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 a bug in rnnkit (with a traceback), 2 usage, 3 configuration, "
    "4 data, 5 run directory, 6 training diverged, 130 interrupted.",
)
@click.version_option(__version__, prog_name="rnnkit")
def cli() -> None:
    """Train recurrent networks on text, write and classify with them, and measure them.

    One YAML file describes an experiment. `train` turns it into a run directory; every other
    command reads that directory. RUN is a run directory or its name; without it, the newest
    finished run that fits the command is taken.

    \b
    Example:
      rnnkit train configs/shakespeare.yaml
      rnnkit generate --seed "ROMEO:" --temperature 0.8
      rnnkit train configs/sentiment.yaml
      rnnkit predict "what a lovely film"
      rnnkit evaluate
      rnnkit report

    The answer is written to standard output, everything else to standard error.
    """


for _module in (
    train,
    generate,
    suggest,
    predict,
    evaluate,
    crossval,
    inspect,
    report,
    config,
    runs,
):
    cli.add_command(_module.command)


@cli.command("help")
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_command(context: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command.

    \b
    Example:
      rnnkit help generate
      rnnkit help inspect forward
    """
    command, shown = cli, context.find_root()
    for name in names:
        if not isinstance(command, click.Group):
            raise UsageError(f"{shown.command_path} has no commands of its own, such as {name!r}.")
        _, found, _ = command.resolve_command(shown, [name])
        assert found is not None  # an unknown name is an error of `resolve_command`
        command = found
        shown = click.Context(command, info_name=name, parent=shown)
    click.echo(shown.get_help())


def main() -> None:
    """Run the program on the arguments of this process, and end the process."""
    cli(prog_name="rnnkit")
