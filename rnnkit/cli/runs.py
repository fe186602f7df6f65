"""`rnnkit runs`: list, show, compare, rename and delete what was trained."""

from pathlib import Path

import click

from rnnkit.cli.answer import emit
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.errors import UsageError


@click.group(name="runs")
def command() -> None:
    """List, show, compare, rename and delete what was trained."""


@command.command(name="list")
@runs_dir_option
@json_option
def list_command(runs_dir: Path, as_json: bool) -> None:
    """List all runs with their scores, the newest first.

    The loss is the best one on the validation text, in nats per token. A run that is damaged has
    a row that says so. Of a cross-validation, loss and accuracy are those of the texts that were
    held out, the mean over all folds.
    """
    from rnnkit.listing import list_view
    from rnnkit.runs.listing import overviews

    found = overviews(runs_dir)
    if not found and not as_json:
        click.echo(f"No runs in {runs_dir}. Train one with `rnnkit train CONFIG`.", err=True)
        return
    emit(list_view(found), as_json=as_json)


@command.command()
@run_argument()
@runs_dir_option
@json_option
def show(run: str | None, runs_dir: Path, as_json: bool) -> None:
    """Show one run: configuration, environment, scores over time, samples, files.

    Without RUN, the newest one, finished or not. Of a cross-validation: the scores of all folds.
    """
    from rnnkit.listing import crossval_view, run_view
    from rnnkit.runs.crossval import crossval_details
    from rnnkit.runs.directory import find_crossval, named_run, newest_run
    from rnnkit.runs.listing import run_details
    from rnnkit.tasks.task import load_config

    if run is not None and (crossval := find_crossval(run, runs_dir=runs_dir)) is not None:
        emit(crossval_view(crossval_details(crossval, load_config)), as_json=as_json)
        return
    chosen = newest_run(runs_dir) if run is None else named_run(run, runs_dir=runs_dir)
    emit(run_view(run_details(chosen, load_config)), as_json=as_json)


@command.command()
@run_argument(required=True, many=True)
@runs_dir_option
@json_option
def compare(runs: tuple[str, ...], runs_dir: Path, as_json: bool) -> None:
    """Compare two or more runs: scores, and the settings that differ."""
    if len(runs) < 2:
        raise click.UsageError("compare takes two or more runs.")
    from rnnkit.listing import comparison_view
    from rnnkit.runs.directory import named_run
    from rnnkit.runs.listing import compare as compare_runs
    from rnnkit.tasks.task import load_config

    named = [named_run(run, runs_dir=runs_dir) for run in runs]
    emit(comparison_view(compare_runs(named, load_config)), as_json=as_json)


@command.command()
@run_argument(required=True)
@click.argument("name", metavar="NEW")
@runs_dir_option
def rename(run: str, name: str, runs_dir: Path) -> None:
    """Give the run or cross-validation RUN the name NEW, in the folder where it is."""
    from rnnkit.runs.directory import find_crossval, named_run, rename_run

    chosen = find_crossval(run, runs_dir=runs_dir) or named_run(run, runs_dir=runs_dir)
    click.echo(rename_run(chosen, name).path)


@command.command()
@run_argument(required=True)
@click.option("--yes", is_flag=True, help="Delete without asking.")
@runs_dir_option
def delete(run: str, yes: bool, runs_dir: Path) -> None:
    """Delete the run or cross-validation RUN with all its files, after asking."""
    from rnnkit.runs.directory import delete_run, find_crossval, named_run

    chosen = find_crossval(run, runs_dir=runs_dir) or named_run(run, runs_dir=runs_dir)
    try:
        if not yes and not click.confirm(f"Delete {chosen.path} and all its files?", err=True):
            click.echo("Nothing was deleted.", err=True)
            return
    except click.Abort as error:
        raise UsageError("Nothing was deleted: the question got no answer; give --yes.") from error
    delete_run(chosen)
    click.echo(f"Deleted {chosen.path}", err=True)
