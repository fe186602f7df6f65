"""Memory that training needs at least, and that the machine has. Loads no TensorFlow."""

import os
from pathlib import Path
from typing import assert_never

from rnnkit.config.training import (
    AdamConfig,
    AdamWConfig,
    Optimizer,
    RMSpropConfig,
    SGDConfig,
    TrainingConfig,
)
from rnnkit.errors import ConfigError

_FLOAT32 = 4
"""Bytes of a number."""

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def check_memory(training: TrainingConfig, *, parameters: int) -> None:
    """Refuse a network that cannot be trained on this machine.

    Raises:
        ConfigError: the weights with what training keeps for each need more memory than there is.
    """
    needed, available = least_bytes(training, parameters=parameters), machine_bytes()
    if available is not None and needed > available:
        raise ConfigError(
            f"model: a network of {parameters:,} weights needs at least {_gib(needed)} of memory "
            f"to be trained (weights, optimizer, gradients, a checkpoint), and this machine has "
            f"{_gib(available)}. Lower model.units, model.layers or the vocabulary"
        )


def least_bytes(training: TrainingConfig, *, parameters: int) -> int:
    """Return a lower bound of the memory of training: no activations, no data.

    Weights, averages and the optimizer's slots exist twice while a checkpoint is written; the
    gradients once.
    """
    kept = 1 + _slots(training.optimizer) + (training.weight_average is not None)
    return _FLOAT32 * parameters * (2 * kept + 1)


def _slots(optimizer: Optimizer) -> int:
    """Numbers that the optimizer keeps for each weight."""
    match optimizer:
        case AdamConfig() | AdamWConfig():
            return 2
        case RMSpropConfig():
            return 1 + (optimizer.momentum > 0.0)
        case SGDConfig():
            return int(optimizer.momentum > 0.0)
        case _:
            assert_never(optimizer)


def machine_bytes() -> int | None:
    """Return the memory that this process may use: that of the machine, or of its container;
    None where the system does not tell."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        found = []
    for path in _CGROUP_LIMITS:
        try:
            found.append(int(path.read_text("ascii")))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(found, default=None)


def _gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"
