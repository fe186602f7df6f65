"""`rnnkit config`: check, resolve and compare configurations, print their schema."""

import json
from pathlib import Path
from typing import Any

import click

from rnnkit.cli.answer import print_json
from rnnkit.cli.options import json_option
from rnnkit.errors import ConfigError

# Existence is left to the library, whose message is the one for every command.
_file_type = click.Path(path_type=Path)

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Lay a value over the file, for example --set model.units=512. Can be repeated.",
)


@click.group("config")
def command() -> None:
    """Check, show and compare configuration files."""


@command.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_file_type)
@set_option
@json_option
def check(files: tuple[Path, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Check configuration files and list everything that is wrong with them.

    Whether the data exist is looked at by `rnnkit train`, not here.

    \b
    Example:
      rnnkit config check configs/*.yaml
    """
    from rnnkit.tasks.task import load_config

    results: list[dict[str, Any]] = []
    for file in files:
        problems: list[str] = []
        try:
            load_config(file, overrides)
        except ConfigError as error:
            problems = str(error).splitlines()
        results.append({"file": str(file), "ok": not problems, "problems": problems})
        if not problems and not as_json:
            click.echo(f"{file}: ok")
    everything = [problem for result in results for problem in result["problems"]]
    if as_json:
        print_json({"ok": not everything, "files": results})
    if everything:
        raise ConfigError("\n".join(everything))


@command.command()
@click.argument("file", type=_file_type)
@set_option
@json_option
def show(file: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the complete configuration, with every default written out.

    \b
    Example:
      rnnkit config show configs/hello.yaml --set model.cell=lstm
    """
    from rnnkit.config.describe import to_yaml
    from rnnkit.tasks.task import load_config

    config = load_config(file, overrides)
    if as_json:
        print_json(config.model_dump(mode="json"))
    else:
        click.echo(to_yaml(config), nl=False)


@command.command()
@click.argument("file", type=_file_type)
@click.argument("other", required=False, type=_file_type)
@set_option
@json_option
def diff(file: Path, other: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the keys in which FILE differs from the defaults, or from OTHER.

    A --set counts for FILE alone. Nothing is printed when there is no difference.

    \b
    Example:
      rnnkit config diff configs/shakespeare.yaml configs/hello.yaml
    """
    from rnnkit.config.describe import differences
    from rnnkit.tasks.task import load_config

    found = differences(load_config(file, overrides), load_config(other) if other else None)
    if as_json:
        rows = [{"path": path, "value": value, "other": before} for path, value, before in found]
        print_json({"file": str(file), "other": str(other or "defaults"), "keys": rows})
        return
    for path, value, before in found:
        click.echo(f"{path}: {_compact(value)}  ({other or 'default'}: {_compact(before)})")


@command.command()
@click.option("--markdown", is_flag=True, help="Print the reference page in Markdown instead.")
def schema(markdown: bool) -> None:
    """Print the JSON Schema of the configuration file, for editors.

    \b
    Example:
      rnnkit config schema > rnnkit.schema.json
      # first line of a configuration, for editors with a YAML language server:
      # yaml-language-server: $schema=rnnkit.schema.json
    """
    from rnnkit.config.describe import json_schema, reference_markdown
    from rnnkit.tasks.task import SCHEMAS

    if markdown:
        click.echo(reference_markdown(SCHEMAS), nl=False)
    else:
        print_json(json_schema(SCHEMAS))


def _compact(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
