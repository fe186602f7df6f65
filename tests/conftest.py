"""What every test may use: a cache of its own, and the command line inside this process."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings

# Before any test imports TensorFlow, which reads it once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The same examples in every run: a suite that fails by chance tells nobody anything. No deadline:
# the speed of a busy machine says nothing about what is right.
settings.register_profile("rnnkit", deadline=None, derandomize=True, database=None)
settings.load_profile("rnnkit")


@dataclass(frozen=True)
class Result:
    """What one command did."""

    exit_code: int
    stdout: str
    stderr: str


RunCli = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests away from the user's cache and settings; encoded texts are shared by them."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNKIT_CACHE", str(cache))
        patch.delenv("RNNKIT_RUNS_DIR", raising=False)
        yield cache


@pytest.fixture(scope="session")
def run_cli() -> RunCli:
    """Return `run_cli("train", path, ..., input=None)`, which runs a command in this process.

    Errors become exit codes as they do in the program; a bug (any other exception) is raised,
    so that the test that met it shows the traceback.
    """

    def run(*arguments: object, input: str | bytes | None = None) -> Result:
        from rnnkit.cli import cli

        result = CliRunner().invoke(
            cli,
            [str(argument) for argument in arguments],
            input=input,
            prog_name="rnnkit",
            catch_exceptions=False,
        )
        return Result(result.exit_code, result.stdout, result.stderr)

    return run
