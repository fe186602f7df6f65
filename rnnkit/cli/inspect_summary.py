"""`rnnkit inspect summary`: the layers of a network in numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_table, keep_numpy_to_one_thread, print_json
from rnnkit.cli.inspected import open_subject, subject_argument
from rnnkit.cli.options import json_option, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option, write_files

if TYPE_CHECKING:
    from rnnkit.inspection.summary import Summary


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

    subject = open_subject(target, runs_dir=runs_dir)
    summary = summary_of(subject)
    if as_json:
        print_json({"subject": subject.name, "weights_are": subject.origin, **_document(summary)})
    else:
        click.echo(f"{subject.name} ({subject.origin})\n")
        _print(summary)

    from rnnkit.inspection.page_summary import summary_page, summary_picture

    write_files(
        html_path=html_path,
        png_path=png_path,
        page=lambda: summary_page(summary, name=subject.name, origin=subject.origin),
        picture=lambda: summary_picture(summary),
    )


def _print(summary: "Summary") -> None:
    from rnnkit.inspection.page_summary import memory, shape

    rows = [
        (
            layer.name,
            layer.kind,
            shape(layer.output),
            f"{layer.parameters:,}" if layer.parameters else "-",
            memory(layer.weight_bytes) if layer.parameters else "-",
            memory(layer.state_bytes) if layer.state_bytes else "-",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "-",
            layer.per if layer.multiply_adds else "",
        )
        for layer in summary.layers
    ]
    total = (
        "total",
        "",
        "",
        f"{summary.parameters:,}",
        memory(summary.weight_bytes),
        memory(summary.state_bytes),
    )
    rows.append((*total, f"{summary.multiply_adds('token'):,}", "token"))
    if per_text := summary.multiply_adds("text"):
        rows.append(("", "", "", "", "", "", f"{per_text:,}", "text"))
    header = ("layer", "kind", "output", "parameters", "weights", "state", "multiply-adds", "per")
    click.echo(format_table(header, rows, left=("layer", "kind", "output", "per")))
    if summary.fixed:
        click.echo(f"{summary.fixed:,} of the parameters are not trained by gradients.")
    click.echo()
    weights = [(name, shape(size)) for layer in summary.layers for name, size in layer.weights]
    click.echo(format_table(("weight", "shape"), weights, left=("weight", "shape")))


def _document(summary: "Summary") -> dict[str, Any]:
    return {
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "output": list(layer.output),
                "parameters": layer.parameters,
                "fixed_parameters": layer.fixed,
                "weight_bytes": layer.weight_bytes,
                "state_bytes": layer.state_bytes,
                "multiply_adds": layer.multiply_adds,
                "per": layer.per,
                "weights": {name: list(size) for name, size in layer.weights},
            }
            for layer in summary.layers
        ],
        "parameters": summary.parameters,
        "fixed_parameters": summary.fixed,
        "weight_bytes": summary.weight_bytes,
        "state_bytes": summary.state_bytes,
        "multiply_adds_per_token": summary.multiply_adds("token"),
        "multiply_adds_per_text": summary.multiply_adds("text"),
    }
