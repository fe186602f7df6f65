"""The smallest experiment: what `configs/hello.yaml` promises, whatever the cell and the seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # trains twelve networks to the end

HELLO = Path(__file__).parents[2] / "configs" / "hello.yaml"


@pytest.mark.parametrize("seed", [None, 1, 2, 12345], ids=lambda seed: f"seed {seed or 'default'}")
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_hello_world_is_learned_by_heart(
    run_cli: Callable[..., Any], tmp_path: Path, cell: str, seed: int | None
) -> None:
    options = ["--set", f"model.cell={cell}", "--runs-dir", tmp_path]
    if seed is not None:
        options += ["--set", f"seed={seed}"]
    trained = run_cli("train", HELLO, *options)
    assert trained.exit_code == 0, trained.stderr
    ask = ["generate", "--seed", "hel", "--length", "5", "--runs-dir", tmp_path]
    # Greedy is what this configuration asks for, with the option and without.
    for arguments in ([*ask, "--temperature", "0"], ask):
        answer = run_cli(*arguments)
        assert (answer.exit_code, answer.stdout) == (0, "hello wo\n")
