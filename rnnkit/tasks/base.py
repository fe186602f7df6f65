"""The interface of a task: what its folder offers for one configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rnnkit.runs.directory import RunDirectory

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.runs.records import Estimate
    from rnnkit.training.task import TrainingData
    from rnnkit.views.view import View


class Evaluation(Protocol):
    """The scores of a run on one split of its own data or on other files."""

    @property
    def metrics(self) -> "dict[str, Estimate]":
        """Scores with their 95 % intervals."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the document of `rnnkit evaluate --json`."""
        ...

    def view(self) -> "View":
        """Return the view of the scores."""
        ...


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
    evaluate: "Callable[..., Evaluation]"
    """Score a run: `(run, *, split, data, encoding, progress)`, as the task's `evaluate`."""
    report: "Callable[..., View]"
    """Return title, tiles and sections of a report:
    `(run, *, split, scored, training, lines, announce)`. `training` is the section about training,
    which the task puts in its place; `scored` is False where no data are at hand."""
    subject: "Callable[[RunDirectory | Path], object] | None" = None
    """Open the network of a finished run, or build that of a configuration file before training,
    for `rnnkit inspect`; None for tasks that have no views of it."""
    score_folds: "Callable[[Sequence[RunDirectory]], FoldResults] | None" = None
    """Score the finished folds of a cross-validation; None for tasks that have none."""
    has_decision: bool = False
    """Whether a run chooses among classes by a decision: a temperature and a threshold."""
