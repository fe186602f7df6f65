"""`rnnkit runs`: what was trained, with scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_number, format_table, print_json, sparkline
from rnnkit.cli.options import json_option, run_argument, runs_dir_option

if TYPE_CHECKING:
    from rnnkit.runs.listing import Overview, Story

SHOWN_EVALUATIONS = 20
"""Rows of the table over time; a longer one is thinned, and says so."""

SPARKLINE_WIDTH = 60


@click.group(name="runs")
def command() -> None:
    """List, show and compare what was trained."""


@command.command(name="list")
@runs_dir_option
@json_option
def list_command(runs_dir: Path, as_json: bool) -> None:
    """List all runs with their scores, the newest first.

    The loss is the best one on the validation text, in nats per token. A run that is damaged has
    a row that says so.
    """
    from dataclasses import asdict

    from rnnkit.runs.listing import overviews

    found = overviews(runs_dir)
    if as_json:
        print_json([asdict(overview) for overview in found])
        return
    if not found:
        click.echo(f"No runs in {runs_dir}. Train one with `rnnkit train CONFIG`.", err=True)
        return
    header = ("run", "task", "model", "steps", "loss", "bits/char", "accuracy", "minutes", "status")
    rows = [(overview.name, *_overview_cells(overview), overview.status) for overview in found]
    click.echo(format_table(header, rows, left=("run", "task", "model", "status")))
    for overview in found:
        if overview.problem is not None:
            click.echo(f"{overview.name}: {overview.problem}", err=True)


def _overview_cells(overview: "Overview") -> tuple[str, ...]:
    return (
        overview.task or "-",
        _model(overview),
        format_number(overview.steps),
        format_number(overview.validation_loss, 4),
        format_number(overview.bits_per_character, 3),
        format_number(overview.accuracy, 3),
        format_number(overview.minutes, 1),
    )


def _model(overview: "Overview") -> str:
    """`gru 256`, `lstm 128x64`."""
    return f"{overview.cell or '-'} {'x'.join(str(size) for size in overview.units)}".rstrip()


@command.command()
@run_argument()
@runs_dir_option
@json_option
def show(run: str | None, runs_dir: Path, as_json: bool) -> None:
    """Show one run: configuration, environment, scores over time, samples, files.

    Without RUN, the newest one, finished or not.
    """
    from dataclasses import asdict

    from rnnkit.runs.directory import named_run
    from rnnkit.runs.listing import newest_run, story

    chosen = newest_run(runs_dir) if run is None else named_run(run, runs_dir=runs_dir)
    told = story(chosen)
    if as_json:
        print_json(asdict(told))
        return
    click.echo("\n\n".join(section for section in _story_sections(told) if section))


def _story_sections(story: "Story") -> list[str]:
    return [
        _heading(story),
        _section(
            "Configuration (what differs from the defaults)",
            [f"{path}: {_value(entry['value'])}" for path, entry in story.settings.items()],
        ),
        _section(
            "Environment",
            [f"{name}: {_value(value)}" for name, value in story.environment.items()],
        ),
        _section("Scores over time", _score_lines(story.evaluations)),
        _section(
            "Samples from the last evaluation",
            [
                line
                for sample in story.samples
                for line in (
                    f"temperature {sample.get('temperature')}:",
                    *(f"  {row}" for row in str(sample.get("text", "")).split("\n")),
                )
            ],
        ),
        _section(
            "Files",
            format_table(
                ("bytes", "file"),
                [(format_number(size), name) for name, size in story.files.items()],
                left=("file",),
            ).split("\n"),
        ),
    ]


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) if lines else ""


def _heading(story: "Story") -> str:
    overview, summary = story.overview, story.summary
    facts = [
        f"{overview.path}: {overview.status}",
        f"  {overview.task}, {_model(overview)}, {format_number(overview.steps)} steps in "
        f"{format_number(overview.minutes, 1)} minutes",
    ]
    if overview.validation_loss is not None:
        bits = (
            f" ({overview.bits_per_character:.3f} bits per character)"
            if overview.bits_per_character is not None
            else ""
        )
        facts.append(
            f"  best validation loss {overview.validation_loss:.4f} nats{bits} "
            f"at step {format_number(overview.best_step)}"
        )
    if "parameters" in summary:
        facts.append(f"  {summary['parameters']:,} parameters")
    if "stopped_by" in summary:
        facts.append(f"  stopped by {summary['stopped_by']}, {summary.get('finished_at', '')}")
    return "\n".join(facts)


def _value(value: Any) -> str:
    """A value in the notation of YAML and JSON; text without quotes."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _score_lines(evaluations: Sequence[dict[str, Any]]) -> list[str]:
    from rnnkit.runs.listing import number

    if not evaluations:
        return []
    columns = {
        "step": ("step", 0),
        "epoch": ("epoch", 2),
        "seconds": ("seconds", 1),
        "learning_rate": ("learning rate", 6),
        "train_loss": ("train loss", 4),
        "validation_loss": ("validation loss", 4),
        "tokens_per_second": ("tokens/s", 0),
        "gradient_norm": ("gradient norm", 3),
    }
    shown = thin(evaluations, SHOWN_EVALUATIONS)
    rows = [
        tuple(
            format_number(number(record.get(key)), digits) for key, (_, digits) in columns.items()
        )
        for record in shown
    ]
    lines = format_table([title for title, _ in columns.values()], rows, left=()).split("\n")
    if len(shown) < len(evaluations):
        lines.append(f"({len(shown)} of {len(evaluations)} evaluations; --json has them all)")
    for key in ("train_loss", "validation_loss"):
        values = [v for record in evaluations if (v := number(record.get(key))) is not None]
        if len(values) > 1:
            curve = sparkline(thin(values, SPARKLINE_WIDTH))
            lines.append(f"{columns[key][0]:<15}  {curve}  {values[0]:.4f} -> {values[-1]:.4f}")
    return lines


def thin(values: Sequence[Any], count: int) -> list[Any]:
    """Take `count` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


@command.command()
@run_argument(required=True, many=True)
@runs_dir_option
@json_option
def compare(runs: tuple[str, ...], runs_dir: Path, as_json: bool) -> None:
    """Put two or more runs side by side: scores, and the settings that differ."""
    if len(runs) < 2:
        raise click.UsageError("compare takes two or more runs.")
    from rnnkit.runs.directory import named_run
    from rnnkit.runs.listing import compare as compare_runs

    comparison = compare_runs([named_run(run, runs_dir=runs_dir) for run in runs])
    names = [overview.name for overview in comparison.runs]
    if as_json:
        print_json(
            {
                "runs": names,
                "same_text": comparison.same_text,
                "metrics": comparison.metrics,
                "settings": comparison.settings,
            }
        )
        return
    metrics = [
        (name, *(format_number(value, _digits(name)) for value in row))
        for name, row in comparison.metrics.items()
    ]
    settings = [(path, *(_value(v) for v in row)) for path, row in comparison.settings.items()]
    header = ("", *names)
    separator = [("",) * len(header)] if settings else []
    click.echo(format_table(header, [*metrics, *separator, *settings], left=("",)))
    if not settings:
        click.echo("The configurations are the same.", err=True)
    if comparison.same_text is False:
        click.echo(
            "Note: these runs learned from different texts, so their losses do not compare.",
            err=True,
        )


def _digits(metric: str) -> int:
    match metric:
        case "steps" | "parameters" | "tokens_per_second":
            return 0
        case "minutes":
            return 1
        case _:
            return 4
