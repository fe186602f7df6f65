"""Views of `rnnkit runs`: the list, one run or cross-validation, a comparison."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from rnnkit.runs.crossval import CrossvalDetails
from rnnkit.runs.listing import Comparison, Overview, RunDetails, Setting
from rnnkit.runs.records import MetricsLine, metric
from rnnkit.views.formats import MISSING, count, duration, number, setting, thin
from rnnkit.views.terminal import sparkline
from rnnkit.views.view import Block, Column, Entries, Entry, Section, Table, Text, View, table

SHOWN_EVALUATIONS = 20
"""Rows of the table over time; a longer one is thinned, and says so."""

SPARKLINE_WIDTH = 60


def list_view(overviews: Sequence[Overview]) -> View:
    """Return the view of all runs, one in a row; damaged ones are explained in the notes."""
    return View(
        title="Runs",
        subject="",
        command="runs",
        sections=(_section(_overviews("run", overviews)),),
        document=[asdict(found) for found in overviews],
        notes=tuple(f"{found.name}: {found.problem}" for found in overviews if found.problem),
    )


def _overviews(title: str, overviews: Iterable[Overview]) -> Table:
    """Return a table with a run in every row, its name under `title`."""
    rows = [
        (
            found.name,
            found.task or MISSING,
            _model(found),
            number(found.steps),
            number(found.validation_loss, 4),
            number(found.bits_per_character, 3),
            number(found.accuracy, 3),
            duration(seconds(found)),
            _date(found.changed_at),
            found.status,
        )
        for found in overviews
    ]
    numbers = ("steps", "loss", "bits/char", "accuracy", "time")
    header = (title, "task", "model", *numbers, "date", "status")
    return table(header, rows, left=[name for name in header if name not in numbers])


def _section(*blocks: Block, heading: str = "") -> Section:
    return Section(heading, tuple(blocks), indent=2 if heading else 0)


def _model(found: Overview) -> str:
    """Return `gru 256`, `lstm 128x64`, `gru 64, 10 folds`."""
    model = f"{found.cell or MISSING} {'x'.join(str(size) for size in found.units)}".rstrip()
    return model if found.folds is None else f"{model}, {count(found.folds, 'fold')}"


def seconds(found: Overview) -> float | None:
    """Return the training time of a run, None where it is not known."""
    return None if found.minutes is None else 60 * found.minutes


def _date(time: str | None) -> str:
    """Return `2026-01-02 03:04` for `2026-01-02T03:04:05+00:00`."""
    try:
        return datetime.datetime.fromisoformat(time or "").strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return MISSING


# ------------------------------------------------------------------------------------ details


def run_view(details: RunDetails) -> View:
    """Return the view of one run: configuration, environment, scores over time, samples, files."""
    sizes = [(number(size), file) for file, size in details.files.items()]
    sections = (
        _section(_description(details)),
        _settings(details.settings),
        _section(*_values(details.environment), heading="Environment"),
        _section(*_scores(details.evaluations), heading="Scores over time"),
        _section(*_last_samples(details.lines), heading="Samples from the last evaluation"),
        _section(table(("bytes", "file"), sizes, left=("file",)), heading="Files"),
    )
    return View(
        title="Run",
        subject=details.overview.name,
        command="runs",
        sections=tuple(section for section in sections if section.blocks),
        document=details.to_json(),
    )


def _description(details: RunDetails) -> Text:
    found, summary = details.overview, details.summary
    lines = [
        f"{found.path}: {found.status}",
        f"  {found.task}, {_model(found)}, {count(found.steps or 0, 'step')} in "
        f"{duration(seconds(found))}",
    ]
    if found.validation_loss is not None:
        bits = found.bits_per_character
        in_bits = "" if bits is None else f" ({bits:.3f} bits per character)"
        lines.append(
            f"  best validation loss {found.validation_loss:.4f} nats{in_bits} "
            f"at step {number(found.best_step)}"
        )
    if summary and summary.parameters is not None:
        lines.append(f"  {count(summary.parameters, 'parameter')}")
    if summary and summary.stopped_by:
        lines.append(f"  stopped by {summary.stopped_by}, {summary.finished_at or ''}")
    return Text("\n".join(lines))


def _settings(settings: Mapping[str, Setting]) -> Section:
    return _section(
        *_values({path: entry.value for path, entry in settings.items()}),
        heading="Configuration (what differs from the defaults)",
    )


def _values(values: Mapping[str, object]) -> list[Block]:
    lines = [f"{name}: {setting(value)}" for name, value in values.items()]
    return [Text("\n".join(lines))] if lines else []


def _last_samples(lines: Sequence[MetricsLine]) -> list[Block]:
    samples = next((line.samples for line in reversed(lines) if line.samples), ())
    texts = tuple((f"temperature {sample.temperature}:", sample.text) for sample in samples)
    return [Entries((Entry(texts, verbatim=True),))] if texts else []


def _scores(evaluations: Sequence[MetricsLine]) -> list[Block]:
    if not evaluations:
        return []
    columns = {
        "step": "step",
        "epoch": "epoch",
        "seconds": "seconds",
        "learning_rate": "learning rate",
        "train_loss": "train loss",
        "validation_loss": "validation loss",
        "tokens_per_second": "tokens/s",
        "gradient_norm": "gradient norm",
    }
    shown = thin(evaluations, SHOWN_EVALUATIONS)
    rows = [[number(line.value(name), metric(name).digits) for name in columns] for line in shown]
    blocks: list[Block] = [table(tuple(columns.values()), rows)]
    lines = []
    if len(shown) < len(evaluations):
        lines.append(f"({len(shown)} of {len(evaluations)} evaluations; --json has them all)")
    for name in ("train_loss", "validation_loss"):
        values = [value for line in evaluations if (value := line.metric(name)) is not None]
        if len(values) > 1:
            curve = sparkline(thin(values, SPARKLINE_WIDTH))
            lines.append(f"{columns[name]:<15}  {curve}  {values[0]:.4f} -> {values[-1]:.4f}")
    return [*blocks, Text("\n".join(lines))] if lines else blocks


# --------------------------------------------------------------------------- cross-validation


def crossval_view(details: CrossvalDetails) -> View:
    """Return the view of a cross-validation: its scores over all folds, and the folds."""
    found = details.overview
    time = "" if found.minutes is None else f", {duration(seconds(found))} of training"
    finished = sum(run.status == "finished" for run in details.runs)
    description = (
        f"{found.path}: {found.status}\n  cross-validation of {found.task}, {_model(found)}, "
        f"{finished} of them trained{time}"
    )
    folds = _overviews("fold", details.runs)
    sections = (
        _section(Text(description)),
        _settings(details.settings),
        _section(crossval_table(details), heading="Scores of the texts held out"),
        _section(folds, heading="Folds (scores of their validation texts)"),
    )
    return View(
        title="Cross-validation",
        subject=found.name,
        command="runs",
        sections=tuple(section for section in sections if section.blocks),
        document=details.to_json(),
    )


def crossval_table(details: CrossvalDetails) -> Table:
    """Return the means over the folds, with intervals, deviations and extremes."""
    rows = []
    for name, score in details.metrics.items():
        folds = details.folds.get(name, ())
        extremes = (min(folds), max(folds)) if folds else (None, None)
        values = (score.value, score.low, score.high, details.deviations.get(name), *extremes)
        rows.append((metric(name).title, *(number(value, 4) for value in values)))
    return table(
        ("score", "mean", "low", "high", "deviation", "lowest", "highest"),
        rows,
        left=("score",),
        caption="Means over the folds, with 95 % intervals",
    )


# --------------------------------------------------------------------------------- comparison


def comparison_view(comparison: Comparison) -> View:
    """Return the view of several runs: scores, and the settings that differ."""
    names = [found.name for found in comparison.runs]
    rows = [
        (name, *(number(value, metric(name).digits) for value in values))
        for name, values in comparison.metrics.items()
    ]
    settings = [(path, *map(setting, values)) for path, values in comparison.settings.items()]
    separator = [("",) * (len(names) + 1)] if settings else []
    notes = [] if settings else ["The configurations are the same."]
    if comparison.same_text is False:
        notes.append(
            "Note: these runs learned from different texts, so their losses do not compare."
        )
    columns = (Column("", "left"), *map(Column, names))
    return View(
        title="Comparison",
        subject=", ".join(names),
        command="runs",
        sections=(_section(table(columns, [*rows, *separator, *settings])),),
        document=comparison.to_json(),
        notes=tuple(notes),
    )
