"""Cross-validations on disk: scores of all folds, and the runs of the folds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rnnkit.runs.directory import RunDirectory, list_runs
from rnnkit.runs.files import Document, read_document
from rnnkit.runs.listing import (
    LoadConfig,
    Overview,
    Setting,
    configuration,
    crossval_metrics,
    crossval_overview,
    overview_or_problem,
)
from rnnkit.runs.records import Estimate, finite


@dataclass(frozen=True)
class CrossvalDetails:
    """A cross-validation: its scores over all folds, and its runs."""

    overview: Overview
    settings: Mapping[str, Setting]
    config_text: str
    metrics: Mapping[str, Estimate]
    """Means over the folds with 95 % intervals; empty before all folds are trained."""
    deviations: Mapping[str, float]
    """Standard deviations between the folds."""
    folds: Mapping[str, tuple[float, ...]]
    """Scores of every fold."""
    runs: tuple[Overview, ...]
    """The folds that have begun."""

    def to_json(self) -> Document:
        """Return the document of `rnnkit runs show --json`."""
        return {
            "overview": asdict(self.overview),
            "settings": {path: asdict(setting) for path, setting in self.settings.items()},
            "metrics": {
                name: {**asdict(score), "deviation": self.deviations.get(name)}
                for name, score in self.metrics.items()
            },
            "runs": [asdict(run) for run in self.runs],
        }


def crossval_details(directory: RunDirectory, load_config: LoadConfig) -> CrossvalDetails:
    """Read a cross-validation with the overviews of its folds.

    Raises:
        RunError: crossval.json is missing or damaged.
        ConfigError: its configuration cannot be read.
    """
    content = read_document(directory.crossval, "crossval")
    metrics = crossval_metrics(content)
    deviations = {name: finite(content["metrics"][name].get("deviation")) for name in metrics}
    folds = {name: content["metrics"][name].get("folds") for name in metrics}
    settings, config_text = configuration(directory, load_config)
    runs = sorted(list_runs(directory.path), key=lambda run: run.name)
    return CrossvalDetails(
        overview=crossval_overview(directory),
        settings=settings,
        config_text=config_text,
        metrics=metrics,
        deviations={name: value for name, value in deviations.items() if value is not None},
        folds={
            name: tuple(value for value in values if finite(value) is not None)
            for name, values in folds.items()
            if isinstance(values, list)
        },
        runs=tuple(overview_or_problem(run) for run in runs),
    )
