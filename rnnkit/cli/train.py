"""`rnnkit train`: a configuration becomes a run directory, or an interrupted run goes on."""

import contextlib
import datetime
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from rnnkit.cli.options import complete_run, json_option, runs_dir_option
from rnnkit.errors import RunError, UsageError

if TYPE_CHECKING:
    from rnnkit.config.schema import Config
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.language_model.data import Prepared
    from rnnkit.tasks.text_classification.data import PreparedTexts


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
@runs_dir_option
@json_option
def command(
    config: Path | None,
    overrides: tuple[str, ...],
    name: str | None,
    resume: str | None,
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
    from rnnkit.runs.directory import locked

    if (config is None) == (resume is None):
        raise UsageError("give either a CONFIG file to train, or --resume RUN to go on with")
    if resume is not None and name is not None:
        raise UsageError("--name is for new runs; a resumed run keeps its directory")
    resolved, prepared, run = (
        _new_run(config, overrides, name=name, runs_dir=runs_dir)
        if config is not None
        else old_run(str(resume), overrides, runs_dir=runs_dir)
    )
    with locked(run):
        if resume is not None and overrides:
            _write_limits(run, resolved)
        summary = train_here(resolved, prepared, run)
    if as_json:
        from rnnkit.cli.answer import print_json

        print_json(summary)
    else:
        click.echo(str(run.path))


def _new_run(
    config: Path, overrides: tuple[str, ...], *, name: str | None, runs_dir: Path
) -> tuple["Config", "Prepared | PreparedTexts", "RunDirectory"]:
    say(f"Reading {config} and its text ...")
    from rnnkit.config.load import load_config

    resolved = load_config(config, overrides)
    stamp = f"{config.stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    return new_run(
        resolved, name=name if name is not None else free_name(runs_dir, stamp), runs_dir=runs_dir
    )


def new_run(
    config: "Config", *, name: str, runs_dir: Path
) -> tuple["Config", "Prepared | PreparedTexts", "RunDirectory"]:
    """Prepare the data, and make the run directory."""
    from rnnkit.config.describe import to_yaml
    from rnnkit.runs.directory import create_run

    prepared = _prepare(config)
    _check_origin(config, prepared)
    run = create_run(
        runs_dir, name, config_text=to_yaml(config), vocabulary=vocabulary_document(prepared)
    )
    return config, prepared, run


def free_name(runs_dir: Path, stem: str) -> str:
    """`stem`, or with a number where a run started in the same second has it."""
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (runs_dir / name).exists())


def old_run(
    name: str, overrides: tuple[str, ...], *, runs_dir: Path
) -> tuple["Config", "Prepared | PreparedTexts", "RunDirectory"]:
    """An interrupted run, or with new limits a finished one, and its data."""
    from rnnkit.config.load import load_config
    from rnnkit.runs.checkpoint import read_last_checkpoint
    from rnnkit.runs.directory import named_run, verify_files

    run = named_run(name, runs_dir=runs_dir)
    say(f"Reading {run.path} and its text ...")
    verify_files(run, run.config)
    resolved = load_config(run.config)
    if overrides:
        resolved = _with_other_limits(run, resolved, overrides)
    elif run.is_finished:
        raise RunError(
            f"{run.path}: has finished, there is nothing to resume. To train it longer, raise a "
            "limit: rnnkit train --resume "
            f"{run.path} --set training.max_steps=N (or max_epochs, max_minutes)"
        )
    prepared = _prepare(resolved)
    if run.last_checkpoint.exists():
        # Training reads it again; what is wrong with it is said before TensorFlow is loaded.
        read_last_checkpoint(run, resolved, corpus=prepared.fingerprint)
    return resolved, prepared, run


def _with_other_limits(run: "RunDirectory", old: "Config", overrides: tuple[str, ...]) -> "Config":
    """The configuration of the run with `overrides`.

    Raises:
        UsageError: an override changes anything but a limit, which would no longer be that run.
    """
    from rnnkit.config.describe import differences
    from rnnkit.config.load import load_config

    new = load_config(run.config, overrides)
    limits = {"training.max_steps", "training.max_epochs", "training.max_minutes"}
    others = sorted({path for path, *_ in differences(new, old)} - limits)
    if others:
        raise UsageError(
            f"--set {others[0]}: a resumed run can change its limits only "
            f"({', '.join(sorted(limits))}); start a new run for anything else"
        )
    return new


def _write_limits(run: "RunDirectory", config: "Config") -> None:
    """Give a run, which may have finished, the limits of `config`; its models stay valid."""
    from rnnkit.config.describe import to_yaml
    from rnnkit.runs.directory import replace_recorded

    replace_recorded(run, run.config, to_yaml(config).encode())
    run.summary.unlink(missing_ok=True)


def _prepare(config: "Config") -> "Prepared | PreparedTexts":
    """The data of an experiment; says what the user should know about them."""
    from rnnkit.config.schema import (
        CharGenerationConfig,
        SentimentConfig,
        WordGenerationConfig,
    )

    match config:
        case CharGenerationConfig() | WordGenerationConfig():
            from rnnkit.network.weight_shapes import check_initial_weights
            from rnnkit.tasks.language_model.data import prepare
            from rnnkit.tasks.language_model.samples import sample_prime

            prepared = prepare(config)
            notes = prepared.notes
            sample_prime(config, prepared)
            vectors = prepared.vectors
            width = None if vectors is None else vectors.shape[1]
            check_initial_weights(config.model, prepared.vocabulary.size, width)
        case SentimentConfig():
            from rnnkit.tasks.text_classification.data import prepare_texts

            prepared = prepare_texts(config)
            notes = prepared.notes
        case _:
            assert_never(config)
    for note in notes:
        say(note)
    return prepared


def _check_origin(config: "Config", prepared: "Prepared | PreparedTexts") -> None:
    """Say what another run gives to this one, or what does not fit, before TensorFlow is loaded."""
    from rnnkit.config.schema import SentimentConfig
    from rnnkit.tasks.text_classification.data import PreparedTexts

    if isinstance(config, SentimentConfig) and isinstance(prepared, PreparedTexts):
        if config.training.init_from is not None:
            from rnnkit.tasks.text_classification.initial import initial_weights

            for note in initial_weights(config, prepared).notes:
                say(note)


def vocabulary_document(prepared: "Prepared | PreparedTexts") -> dict[str, Any]:
    """Content of vocabulary.json."""
    from rnnkit.tasks.language_model.data import Prepared

    if isinstance(prepared, Prepared):
        return prepared.vocabulary.to_dict()
    return {"encoder": prepared.encoder.to_dict(), "classes": list(prepared.classes)}


def train_here(
    config: "Config", prepared: "Prepared | PreparedTexts", run: "RunDirectory"
) -> dict[str, Any]:
    """Train in this process, shown on standard error; Ctrl-C stops after a step."""
    say("Loading TensorFlow ...")
    with _native_chatter_held_back():
        from rnnkit.training.loop import train
    from rnnkit.cli.display import training_display

    with _stop_signals() as should_stop, training_display() as observe:
        return train(config, prepared, run, observe=observe, should_stop=should_stop)


@contextlib.contextmanager
def _native_chatter_held_back() -> Iterator[None]:
    """Keep what TensorFlow's C++ parts write while they load off the screen, unless they fail.

    They write to the file descriptor before any of their own settings is read.
    """
    # Read once, at the import. What goes wrong later comes as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Not a default: a user's own setting for other programs would name a backend we cannot use.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(screen, chatter.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)


@contextlib.contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """A function that is true once Ctrl-C or a SIGTERM has come; the second Ctrl-C quits."""
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        say("Stopping after this step; Ctrl-C again quits at once.")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def say(text: str) -> None:
    """A line of the conversation."""
    click.echo(text, err=True)
