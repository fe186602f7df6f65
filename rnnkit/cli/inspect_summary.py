"""`rnnkit inspect summary`: the layers of a network in numbers."""

from pathlib import Path

import click

from rnnkit.cli.answer import emit, keep_numpy_to_one_thread
from rnnkit.cli.inspected import open_subject, subject_argument
from rnnkit.cli.options import json_option, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option


@click.command("summary")
@subject_argument()
@html_option
@png_option
@runs_dir_option
@json_option
def command(
    target: str | None,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """List the layers of a network: shapes, parameters, memory, arithmetic.

    `weights` is the memory of the parameters in float32, `state` what one sequence carries from
    step to step. Multiply-adds are those of the matrix products, for every token that is read or,
    after the pooling of a classifier, for every text.

    \b
    Example:
      rnnkit inspect summary
      rnnkit inspect summary configs/shakespeare.yaml --json
    """
    check_files(html_path=html_path, png_path=png_path)
    keep_numpy_to_one_thread()
    from rnnkit.inspection.subject import summary_of
    from rnnkit.inspection.summary import summary_view

    subject = open_subject(target, runs_dir=runs_dir)
    view = summary_view(summary_of(subject), name=subject.name, origin=subject.origin)
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)
