"""`rnnkit report`: a run as one HTML page."""

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
    type=click.Choice(["validation", "test", "train"]),
    help="Part of the run's own data to score [default: that of `rnnkit evaluate`].",
)
@runs_dir_option
@json_option
def command(
    run: str | None, output: Path | None, split: Any, runs_dir: Path, as_json: bool
) -> None:
    """Write a run as one HTML page: curves, scores, errors, samples, data, configuration.

    The page holds its figures, runs no script and loads nothing, so it can be sent, archived
    and printed. Without RUN, the newest one, finished or not. Where the data of the run is gone
    or has changed, the page is made without what has to be scored anew, and says so.

    \b
    Example:
      rnnkit report
      rnnkit report shakespeare --output shakespeare.html
    """
    from rnnkit.report.gather import gather
    from rnnkit.report.page import MARK, render
    from rnnkit.runs.directory import named_run
    from rnnkit.runs.files import write_atomically
    from rnnkit.runs.listing import newest_run

    directory = newest_run(runs_dir) if run is None else named_run(run, runs_dir=runs_dir)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    path = output or directory.report
    if output is not None:
        check_own(
            output, "--output", "report of rnnkit", lambda head: head.startswith(MARK.encode())
        )
    report = gather(directory, split=split, announce=lambda line: click.echo(line, err=True))
    for note in report.notes:
        click.echo(note, err=True)
    page = render(report).encode()
    write_atomically(path, page)
    if as_json:
        print_json({"run": str(directory.path), "report": str(path), "bytes": len(page)})
    else:
        click.echo(path)
