"""The interface of a task: what its folder offers for one configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnkit.runs.directory import RunDirectory

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.training.task import TrainingData


@dataclass(frozen=True)
class FoldResults:
    """The folds of a cross-validation, each scored on data that it never saw."""

    scores: tuple[dict[str, float], ...]
    """Metrics by name, one mapping for each fold."""
    out_of_fold: bytes
    """Content of out_of_fold.csv: a prediction for everything, by the fold without it."""
    rows: int
    """What was predicted in all folds together."""


@dataclass(frozen=True)
class Task:
    """What is learned, for one configuration. Its functions import what they need when they are
    called, so that asking for a task loads nothing heavy."""

    name: str
    """Name of the folder: language_model, text_classification."""
    prepare: "Callable[[bool], TrainingData]"
    """Read, check and encode the data for a new run (True) or a resumed one (False)."""
    score_folds: "Callable[[Sequence[RunDirectory]], FoldResults] | None" = None
    """Score the finished folds of a cross-validation; None for tasks that have none."""
