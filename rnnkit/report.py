"""The report of a run: what its files hold, scored on held-out data, as a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rnnkit.data.splits import SplitName
from rnnkit.errors import DataError
from rnnkit.listing import crossval_table, seconds
from rnnkit.network.cells import cell_title
from rnnkit.runs.crossval import CrossvalDetails
from rnnkit.runs.directory import RunDirectory, not_finished
from rnnkit.runs.listing import Overview, RunDetails, Setting, run_details
from rnnkit.runs.records import MetricsLine, metric
from rnnkit.tasks import task as tasks
from rnnkit.views.formats import (
    MISSING,
    compact,
    count,
    duration,
    number,
    percent,
    setting,
    thin,
)
from rnnkit.views.plot import Axis, Figure, Line, Panel, Point
from rnnkit.views.view import Code, Grid, Group, Section, Table, Tile, View, table

ROWS = 60
"""Evaluations in the table; more are thinned."""

_MEANS = ("train_loss", "train_accuracy", "gradient_norm")
"""Metrics that are means over the steps of training."""

_COLUMNS = (
    "step", "epoch", "seconds", "learning_rate", "train_loss", "train_accuracy", "validation_loss",
    "validation_accuracy", "validation_macro_f1", "validation_balanced_accuracy",
    "validation_roc_auc", "bits_per_character", "perplexity_per_word", "gradient_norm",
    "tokens_per_second",
)  # fmt: skip


def report(
    run: RunDirectory,
    *,
    split: SplitName | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> View:
    """Return the report of a run, finished or not, with the best model scored on held-out data.

    Without `split`, data that is missing or has changed since costs the report the sections that
    need it, and a note says so.

    Args:
        run: its directory.
        split: of the run's own data; that of `evaluate` when not given.
        announce: receives a line before anything that takes time.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration cannot be read.
        DataError: the `split` that was asked for cannot be scored.
    """
    details = run_details(run, tasks.load_config)
    task = tasks.task_of(tasks.load_config(run.config))
    training, lines = training_section(details), details.lines
    notes = []
    if not run.is_finished:
        notes.append(f"The report shows the state so far: {not_finished(run)}.")
        if split is not None:
            raise DataError(f"{run.path}: has no model to score the {split} split with yet.")
    try:
        own = task.report(
            run, split=split, scored=run.is_finished, training=training, lines=lines,
            announce=announce,
        )  # fmt: skip
    except DataError as error:
        if split is not None:
            raise
        own = task.report(
            run, split=None, scored=False, training=training, lines=lines, announce=announce
        )
        notes.append(f"Nothing was scored: {error}")
    return whole_report(details, replace(own, notes=(*notes, *own.notes)))


def whole_report(details: RunDetails, own: View) -> View:
    """Return the view of a task with what the report of every run has: header and settings.

    Args:
        details: of the run.
        own: title, sections and tiles of the task.
    """
    overview, summary = details.overview, details.summary
    described = [overview.status, _network(overview)]
    if summary is not None and summary.parameters is not None:
        described.append(count(summary.parameters, "parameter"))
    if summary is not None and summary.finished_at:
        described.append(summary.finished_at.replace("T", " ").replace("+00:00", " UTC"))
    return replace(
        own,
        subject=overview.name,
        summary=" · ".join(described),
        tiles=(*(own.tiles or _recorded_tiles(details)), *_time_tiles(details)),
        sections=(
            *own.sections,
            _configuration(details.settings, details.config_text),
            *_environment(details),
        ),
    )


def crossval_report(details: CrossvalDetails) -> View:
    """Return the report of a cross-validation: scores over all folds, the folds, the settings."""
    found = details.overview
    folds = [
        (
            run.name,
            run.status,
            number(run.steps),
            number(run.validation_loss, 4),
            number(run.accuracy, 4),
            duration(seconds(run)),
        )
        for run in details.runs
    ]
    header = ("fold", "status", "steps", "validation loss", "accuracy", "time")
    return View(
        title="Cross-validation",
        subject=found.name,
        command="report",
        summary=f"{found.status} · {_network(found)} · {count(found.folds or 0, 'fold')}",
        sections=(
            Section(
                "Scores",
                (crossval_table(details),),
                name="scores",
                lead="Every text was scored by the model that was trained without it.",
            ),
            Section(
                "Folds",
                (table(header, folds, left=("fold", "status"), caption="Runs"),),
                name="folds",
                lead="Loss and accuracy are those of the validation splits.",
            ),
            _configuration(details.settings, details.config_text),
        ),
        document=details.to_json(),
    )


def _network(overview: Overview) -> str:
    layers = " × ".join(str(size) for size in overview.units)
    return f"{cell_title(overview.cell) or MISSING} {layers}".strip()


# -------------------------------------------------------------------------------------- tiles


def _recorded_tiles(details: RunDetails) -> list[Tile]:
    """Return scores as training recorded them, of the best evaluation so far."""
    overview, lines = details.overview, details.evaluations
    best = next((line for line in lines if line.step == overview.best_step), MetricsLine(0))
    tiles: list[Tile] = []
    if overview.validation_loss is not None:
        below = f"nats, step {number(overview.best_step)}"
        tiles.append(Tile("Validation loss", number(overview.validation_loss, 4), below))
    if overview.bits_per_character is not None:
        bits = number(overview.bits_per_character, 3)
        tiles.append(Tile("Bits per character", bits, "validation"))
    if (accuracy := best.metric("validation_accuracy")) is not None:
        tiles.append(Tile("Accuracy", percent(accuracy), "validation"))
    if overview.validation_loss is None and lines:
        loss = lines[-1].metric("train_loss")
        tiles.append(Tile("Training loss", number(loss, 4), "nats; nothing is held out"))
    return tiles


def _time_tiles(details: RunDetails) -> list[Tile]:
    overview, summary = details.overview, details.summary
    steps = count(overview.steps or 0, "step")
    tiles = [Tile("Training time", duration(seconds(overview)), steps)]
    speed = None if summary is None else summary.metric("tokens_per_second")
    if speed is None and details.lines:
        speed = details.lines[-1].metric("tokens_per_second")
    if speed is not None:
        tiles.append(Tile("Speed", number(speed), "tokens per second"))
    return tiles


# ----------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class _Curves:
    """Metrics over the steps of training in one figure; `names` maps each to its label."""

    names: Mapping[str, str]
    title: str
    caption: str
    y_title: str = ""
    """By default the title."""
    y: Axis = field(default_factory=Axis)


_LOSS = _Curves(
    {"train_loss": "training", "validation_loss": "validation"},
    "Loss",
    "Mean loss in nats since the point before (training) and on held-out data (validation)",
    y_title="loss (nats)",
)
_OTHERS = (
    _Curves(
        {"train_accuracy": "training", "validation_accuracy": "validation"},
        "Accuracy",
        "Fraction of correct predictions",
        y=Axis(unit="percent"),
    ),
    _Curves(
        {
            "validation_macro_f1": "macro F1",
            "validation_balanced_accuracy": "balanced accuracy",
            "validation_roc_auc": "ROC AUC",
        },
        "Other scores on the validation split",
        "Scores on the validation split",
        y_title="score",
    ),
    _Curves(
        {"bits_per_character": "validation"},
        "Bits per character",
        "The validation loss in bits per character, comparable across vocabularies",
    ),
    _Curves(
        {"perplexity_per_word": "validation"},
        "Perplexity per word",
        "The validation loss as a perplexity per word, comparable across vocabularies",
    ),
    _Curves(
        {"learning_rate": "learning rate"},
        "Learning rate",
        "The learning rate of the schedule",
        y=Axis(low=0.0),
    ),
    _Curves(
        {"gradient_norm": "gradient norm"},
        "Gradient norm",
        "The global norm of the gradient before clipping",
        y=Axis(low=0.0),
    ),
    _Curves(
        {"tokens_per_second": "tokens per second"},
        "Speed",
        "Training speed, evaluation and compilation not counted",
        y_title="tokens per second",
        y=Axis(low=0.0),
    ),
)


def training_section(details: RunDetails) -> Section:
    """Return curves of loss, scores, learning rate, gradient norm and speed, and their table."""
    lines, evaluations = details.lines, details.evaluations
    if not lines:
        return Section("Training", lead="Nothing has been evaluated yet.", name="training")
    best = None
    for line in evaluations:
        loss = line.metric("validation_loss")
        if line.step == details.overview.best_step and loss is not None:
            best = Point(f"kept: {loss:.4f}", float(line.step), loss, in_legend=True)
    figures = [
        _figure(_LOSS, lines, best=best),
        *(_figure(shown, lines) for shown in _OTHERS),
    ]
    return Section(
        "Training",
        (
            Grid(tuple(figure for figure in figures if figure is not None)),
            Group("The evaluations as a table", (_evaluations(evaluations),)),
        ),
        lead=_training_lead(details),
        name="training",
    )


def _training_lead(details: RunDetails) -> str:
    overview, summary = details.overview, details.summary
    lead = count(overview.steps or 0, "step")
    if summary is not None and summary.epochs is not None:
        lead += f" ({summary.epochs:.4g} epochs)"
    lead += f" in {duration(seconds(overview))}"
    if summary is not None and summary.stopped_by:
        lead += f", ended by {summary.stopped_by.replace('_', ' ')}"
    if summary is not None and overview.best_step is not None:
        lead += f". The model of step {overview.best_step:,} was kept"
    return f"{lead}."


def _figure(
    shown: _Curves, lines: Sequence[MetricsLine], *, best: Point | None = None
) -> Figure | None:
    """Return the figure of metrics over the steps; None when no line has any of them."""
    curves = [Line(label, *_points(lines, name)) for name, label in shown.names.items()]
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        return None
    y, title = shown.y, shown.title
    ranges = [
        (f"{curve.label}: " if len(shown.names) > 1 else "") + _range(curve, y.unit == "percent")
        for curve in curves
    ]
    if y.low == 0.0:
        y = replace(y, high=1.08 * max(max(curve.y) for curve in curves) or 1.0)
    marks = (*curves, *((best,) if best is not None else ()))
    panel = Panel(
        shown.y_title or title[:1].lower() + title[1:],
        marks,
        x=Axis("step", unit="integer"),
        y=y,
        legend="above" if len(marks) > 1 else None,
    )
    return Figure(
        next(iter(shown.names)).replace("_", "-"),
        (panel,),
        description=f"{title} over the steps of training. {'; '.join(ranges)}.",
        title=title,
        caption=f"{shown.caption}: {'; '.join(ranges)}.",
    )


def _points(lines: Sequence[MetricsLine], name: str) -> tuple[list[float], list[float]]:
    """Return steps and values of the lines that have a finite one.

    A mean of an evaluation, over the steps since the evaluation before, is left out where lines
    between the two have means of fewer steps.
    """
    steps, values, has_mean = [], [], False
    for line in lines:
        value = line.value(name)
        if value is not None and not (has_mean and line.is_evaluation and name in _MEANS):
            steps.append(float(line.step))
            values.append(value)
        has_mean = not line.is_evaluation
    return steps, values


def _range(curve: Line, in_percent: bool) -> str:
    first, last = (
        percent(value) if in_percent else number(value) if abs(value) >= 1000 else compact(value)
        for value in (curve.y[0], curve.y[-1])
    )
    return f"from {first} to {last}" if len(curve.y) > 1 else f"{first} at step {curve.x[0]:,.0f}"


def _evaluations(lines: Sequence[MetricsLine]) -> Table:
    used = [name for name in _COLUMNS if any(line.value(name) is not None for line in lines)]
    shown = thin(lines, ROWS)
    caption = count(len(lines), "evaluation")
    if len(shown) < len(lines):
        caption = f"{len(shown)} of {caption}, evenly spread"
    return table(
        [metric(name).title for name in used],
        [[number(line.value(name), metric(name).digits) for name in used] for line in shown],
        caption=caption,
    )


# ----------------------------------------------------------------------------------- settings


def _configuration(settings: Mapping[str, Setting], config_text: str) -> Section:
    rows = [
        (path, setting(key.value), MISSING if key.default is None else setting(key.default))
        for path, key in settings.items()
    ]
    return Section(
        "Configuration",
        (
            table(
                ("key", "value", "default"),
                rows,
                left="all",
                caption="Keys that differ from the defaults",
                keys=True,
            ),
            Group("The complete configuration", (Code(config_text),)),
        ),
        name="configuration",
    )


def _environment(details: RunDetails) -> tuple[Section, ...]:
    if not details.environment:
        return ()
    rows = [(name, setting(value)) for name, value in details.environment.items()]
    sizes = [(name, number(size)) for name, size in details.files.items() if name != "report.html"]
    recorded = table(("", ""), rows, left="all", caption="Where this run was trained", keys=True)
    files = table(("file", "bytes"), sizes, left=("file",), caption="Files and their sizes")
    return (
        Section("Environment", (recorded, Group("Files of the run", (files,))), name="environment"),
    )
