"""`rnnkit train`: train a configuration in a new run directory, or resume a run."""

from pathlib import Path

import click

from rnnkit.cli.options import complete_run, json_option, quiet_option, runs_dir_option
from rnnkit.errors import UsageError


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the configuration, such as model.units=512. Repeatable.",
)
@click.option("--name", help="Name of the run directory [default: configuration and time].")
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=complete_run,
    help="Go on where this run stopped; with --set training.max_steps=N (or max_epochs, "
    "max_minutes) go on longer, also after it had finished.",
)
@click.option(
    "--dry-run", is_flag=True, help="Check CONFIG and its data, say what they are, and stop."
)
@quiet_option
@runs_dir_option
@json_option
def command(
    config: Path | None,
    overrides: tuple[str, ...],
    name: str | None,
    resume: str | None,
    dry_run: bool,
    quiet: bool,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Train the model that CONFIG describes.

    Everything goes into a new run directory, whose path is the last line on standard output.
    Ctrl-C finishes the step, saves, and prints the command that goes on.

    \b
    Examples:
      rnnkit train configs/shakespeare.yaml
      rnnkit train configs/shakespeare.yaml --set model.units=512 --name big
      rnnkit train --resume big
    """
    if (config is None) == (resume is None):
        raise UsageError("give either a CONFIG file to train, or --resume RUN to go on with")
    if resume is not None and name is not None:
        raise UsageError("--name is for new runs; a resumed run keeps its directory")
    if resume is not None and dry_run:
        raise UsageError("--dry-run is for new runs; it cannot be combined with --resume")
    from rnnkit import api
    from rnnkit.cli.display import stop_signals, training_display

    with stop_signals() as should_stop, training_display(quiet=quiet) as observe:
        if config is None:
            model = api.resume(
                str(resume),
                overrides=overrides,
                runs_dir=runs_dir,
                progress=observe,
                should_stop=should_stop,
            )
        elif dry_run:
            api.check(config, overrides=overrides, name=name, progress=observe)
            return
        else:
            model = api.train(
                config,
                overrides=overrides,
                name=name,
                runs_dir=runs_dir,
                progress=observe,
                should_stop=should_stop,
            )
    if as_json:
        from rnnkit.cli.answer import print_json

        print_json(model.summary.to_json())
    else:
        click.echo(str(model.path))
