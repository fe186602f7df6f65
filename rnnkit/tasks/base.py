"""The interface of a task: what its folder offers for one configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.training.task import TrainingData


@dataclass(frozen=True)
class Task:
    """What is learned, for one configuration. Its functions import what they need when they are
    called, so that asking for a task loads nothing heavy."""

    name: str
    """Name of the folder: language_model, text_classification."""
    prepare: "Callable[[bool], TrainingData]"
    """Read, check and encode the data for a new run (True) or a resumed one (False)."""
