"""Checkpoints as files."""

import gc
from pathlib import Path

import numpy as np
import pytest

from rnnkit.errors import RunError
from rnnkit.runs.checkpoint import read_checkpoint_values, write_checkpoint


def test_a_damaged_file_is_closed(tmp_path: Path) -> None:
    """NumPy leaves it open; the warning about that would be an error here."""
    path = tmp_path / "last.npz"
    write_checkpoint(path, {"a": np.zeros(100)}, {"corpus": "x"})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RunError, match="damaged"):
        read_checkpoint_values(path)
    gc.collect()
