"""`rnnkit report`: a run as one HTML page."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from rnnkit.cli.answer import print_json
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.cli.page_files import check_own


@click.command("report")
@run_argument()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the page [default: report.html in the run directory].",
)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    help="Split of the run's own data to score [default: that of `rnnkit evaluate`].",
)
@runs_dir_option
@json_option
def command(
    run: str | None, output: Path | None, split: Any, runs_dir: Path, as_json: bool
) -> None:
    """Write a run as one HTML page: curves, scores, errors, samples, data, configuration.

    The page holds its figures, runs no script and loads nothing, so it can be sent, archived
    and printed. Without RUN, the newest one, finished or not. Where the data of the run is gone
    or has changed, the page is made without what has to be scored again, and says so. The page of
    a cross-validation has its scores over all folds.

    \b
    Example:
      rnnkit report
      rnnkit report shakespeare --output shakespeare.html
    """
    from rnnkit.report import crossval_report, report
    from rnnkit.runs.crossval import crossval_details
    from rnnkit.runs.directory import find_crossval, named_run, newest_run
    from rnnkit.runs.files import write_atomically
    from rnnkit.tasks.task import load_config
    from rnnkit.views.html import render
    from rnnkit.views.view import page_mark

    crossval = find_crossval(run, runs_dir=runs_dir) if run is not None else None
    directory = crossval or (
        newest_run(runs_dir) if run is None else named_run(run, runs_dir=runs_dir)
    )
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    path = output or directory.report
    if output is not None:
        mark = page_mark("report").encode()
        check_own(output, "--output", "report of rnnkit", lambda head: head.startswith(mark))
    view = (
        crossval_report(crossval_details(crossval, load_config))
        if crossval is not None
        else report(directory, split=split, announce=partial(click.echo, err=True))
    )
    for note in view.notes:
        click.echo(note, err=True)
    page = render(view).encode()
    write_atomically(path, page)
    if as_json:
        print_json({"run": str(directory.path), "report": str(path), "bytes": len(page)})
    else:
        click.echo(path)
