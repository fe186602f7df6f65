"""`rnnkit crossval`: how well a configuration does on every part of its texts in turn."""

from dataclasses import replace
from pathlib import Path

import click

from rnnkit.cli.answer import emit
from rnnkit.cli.options import json_option, quiet_option, runs_dir_option
from rnnkit.errors import UsageError


@click.command("crossval")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--folds", type=click.IntRange(2), help="Folds of the division [default: 10].")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the configuration, such as model.units=128. Repeatable.",
)
@click.option("--name", help="Name of the directory [default: configuration, crossval and time].")
@click.option("--resume", metavar="DIR", help="Go on where this cross-validation stopped.")
@quiet_option
@runs_dir_option
@json_option
def command(
    config: Path | None,
    folds: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    resume: str | None,
    quiet: bool,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Train and test CONFIG on every fold of a stratified k-fold division in turn.

    Each fold is an ordinary run in the directory (fold-01, fold-02, ...), tested on texts that it
    never saw; the validation split, which may decide when to stop, is taken from the others. The
    directory also gets crossval.json and out_of_fold.csv, which has a prediction for every text.
    low and high are the ends of a 95 % interval of the mean (Nadeau and Bengio 2003).

    \b
    Examples:
      rnnkit crossval configs/sentiment.yaml --folds 10
      rnnkit crossval --resume sentiment-crossval-20260102-150405
    """
    if (config is None) == (resume is None):
        raise UsageError("give either a CONFIG file, or --resume DIR to go on with")
    if resume is not None and (overrides or name is not None or folds is not None):
        raise UsageError("--resume goes on with what DIR was started with; leave the others out")
    from rnnkit import api, experiment
    from rnnkit.cli.display import stop_signals, training_display
    from rnnkit.listing import crossval_view
    from rnnkit.runs.crossval import crossval_details
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.task import load_config

    with stop_signals() as should_stop, training_display(quiet=quiet) as observe:
        if config is None:
            found = experiment.resume_crossvalidation(
                str(resume), runs_dir=runs_dir, observe=observe, should_stop=should_stop
            )
        else:
            found = api.crossvalidate(
                config,
                folds=folds or 10,
                overrides=overrides,
                name=name,
                runs_dir=runs_dir,
                progress=observe,
                should_stop=should_stop,
            )
    details = crossval_details(RunDirectory(found.directory), load_config)
    document = {"crossval": str(found.directory), **found.to_json()}
    emit(replace(crossval_view(details), document=document), as_json=as_json)
