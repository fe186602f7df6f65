"""A network that cannot fit into memory is refused before TensorFlow is loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit.config.training import AdamWConfig, Optimizer, RMSpropConfig, SGDConfig, TrainingConfig
from rnnkit.errors import ConfigError
from rnnkit.training import memory


@pytest.mark.parametrize(
    ("optimizer", "average", "numbers"),
    [
        (SGDConfig(name="sgd"), None, 3),
        (SGDConfig(name="sgd", momentum=0.9), None, 5),
        (RMSpropConfig(name="rmsprop"), None, 5),
        (AdamWConfig(), None, 7),
        (AdamWConfig(), 0.9, 9),
    ],
)
def test_numbers_kept_for_each_weight(
    optimizer: Optimizer, average: float | None, numbers: int
) -> None:
    training = TrainingConfig(max_steps=1, optimizer=optimizer, weight_average=average)
    assert memory.least_bytes(training, parameters=1000) == 4 * 1000 * numbers


def test_the_limit_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    training = TrainingConfig(max_steps=1)
    monkeypatch.setattr(memory, "machine_bytes", lambda: 28_000)
    memory.check_memory(training, parameters=1000)
    with pytest.raises(ConfigError, match=r"1,001 weights.*model\.units"):
        memory.check_memory(training, parameters=1001)
    monkeypatch.setattr(memory, "machine_bytes", lambda: None)
    memory.check_memory(training, parameters=10**12)


def test_this_machine_has_memory() -> None:
    found = memory.machine_bytes()
    assert found is None or found > 2**28


TRAIN = """
import json, sys
from rnnkit.cli import cli

try:
    cli(sys.argv[1:], prog_name="rnnkit")
except SystemExit as end:
    print(json.dumps([end.code, "tensorflow" in sys.modules]))
"""


def test_too_large_a_network_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be\n" * 40)
    (tmp_path / "x.yaml").write_text(
        "version: 1\ntask: char_generation\ndata: {path: text.txt}\n"
        "model: {units: 100000000}\ntraining: {max_steps: 1, batch_size: 1}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, "train", "x.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "RNNKIT_CACHE": str(tmp_path / "cache")},
    )
    assert json.loads(done.stdout) == [3, False], done.stderr
    assert "GiB" in done.stderr
    assert not (tmp_path / "runs").exists()
