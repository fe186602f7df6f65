"""`rnnkit generate`: text from a trained model."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rnnkit.cli.answer import keep_numpy_to_one_thread, print_json
from rnnkit.cli.options import (
    FiniteRange,
    choose_run,
    json_option,
    run_argument,
    runs_dir_option,
)
from rnnkit.cli.text_arguments import standard_input
from rnnkit.errors import DataError, UsageError

_LARGEST_SEED = 2**31 - 1
_LONG_PROMPT = 20_000
"""Tokens from which on reading the prompt takes a noticeable time."""

_FILTERS = {"--top-k": 0, "--top-p": 1.0, "--min-p": 0.0, "--typical-p": 1.0}
"""Option -> the value that turns it off."""
_SAMPLING = ("--temperature", *_FILTERS, "--random-seed", "--samples")
_NOT_INTERACTIVE = ("--beams", "--samples", "--stop", "--novelty", "--highlight", "--json")


@click.command("generate")
@run_argument()
@click.option(
    "--seed", "--prompt", "prompt", metavar="TEXT", help="Text to continue; empty when not given."
)
@click.option(
    "--prompt-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Continue the text in this UTF-8 file; - is standard input.",
)
@click.option("--length", type=click.IntRange(min=0), help="Tokens to generate.")
@click.option(
    "--temperature",
    "temperatures",
    type=FiniteRange(min=0.0),
    multiple=True,
    help="Divides the logits: low is careful, high is wild, 0 always takes the most probable. "
    "Repeatable: texts at each, from the same random numbers.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=0),
    help="Sample among the K most probable tokens; 0 is off.",
)
@click.option(
    "--top-p",
    type=FiniteRange(min=0.0, max=1.0, min_open=True),
    help="Sample among the fewest tokens that hold this much of the probability; 1 is off.",
)
@click.option(
    "--min-p",
    type=FiniteRange(min=0.0, max=1.0),
    help="Drop tokens less probable than this fraction of the most probable; 0 is off.",
)
@click.option(
    "--typical-p",
    type=FiniteRange(min=0.0, max=1.0, min_open=True),
    help="Sample among the fewest tokens that hold this much of the probability, those first "
    "whose surprise is closest to the entropy; 1 is off.",
)
@click.option(
    "--repetition-penalty",
    type=FiniteRange(min=1.0),
    help="Make each of the last 64 tokens less probable; 1 is off.",
)
@click.option(
    "--random-seed",
    type=click.IntRange(0, _LARGEST_SEED),
    help="Makes the result repeatable; drawn at random when not given.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1, max=10_000),
    default=1,
    show_default=True,
    help="Number of texts (at each temperature).",
)
@click.option(
    "--beams",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="Search for the most probable text instead of sampling, with beams of 1 to N "
    "candidates; more take longer and never find a worse one.  [1<=x<=1000]",
)
@click.option(
    "--length-penalty",
    type=FiniteRange(min=0.0),
    help="With --beams and --stop: compare texts of different lengths by log-probability / "
    "((5 + tokens) / 6) ** PENALTY; 0, the default, favours short ones.",
)
@click.option("--stop", metavar="TEXT", help="End before this text; it is not printed.")
@click.option(
    "--unseen",
    type=click.Choice(["error", "skip", "unk"]),
    default="error",
    show_default=True,
    help="Characters (or words) of the prompt that the model has never seen: refuse them, leave "
    "them out, or read them as <unk> (if the vocabulary has it).",
)
@click.option(
    "--highlight",
    is_flag=True,
    help="Colour the text by the probability that the model gave to it, before temperature and "
    "filters: the stronger, the more surprising. On a terminal; with --json numbers.",
)
@click.option(
    "--interactive",
    is_flag=True,
    help="Write together: choose among the candidates for the next token or type text yourself. "
    "The dialogue is on standard error, the finished text on standard output.",
)
@click.option(
    "--novelty",
    is_flag=True,
    help="Then compare the generated text with the text that the run was trained on: the longest "
    "copied stretch and its place, and how many sequences of 4, 8 and 16 tokens are new. Written "
    "to standard error; with --json part of the document.",
)
@runs_dir_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    run: str | None,
    prompt: str | None,
    prompt_file: Path | None,
    length_penalty: float | None,
    highlight: bool,
    interactive: bool,
    novelty: bool,
    runs_dir: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Continue a text with a trained model.

    The prompt and its continuation are written to standard output as they are made. Options that
    are not given have the values of section `generation` of the model's configuration. Several
    texts are preceded by a line each, such as `--- sample 2 of 3 ---` or
    `--- temperature 0.8 ---`.

    \b
    Example:
      rnnkit generate --seed "ROMEO:" --length 500 --temperature 0.8
      rnnkit generate shakespeare --seed "JULIET:" --samples 3 --stop "ROMEO:"
      rnnkit generate --seed "ROMEO:" --temperature 0.2 --temperature 0.7 --temperature 1.2
      rnnkit generate --seed "First " --beams 8 --stop "." --length-penalty 0.7
      rnnkit generate --seed "ROMEO:" --typical-p 0.9 --highlight --novelty
      rnnkit generate --seed "ROMEO:" --interactive > poem.txt
    """
    _check_combination(context)
    text = _read_prompt(prompt_file) if prompt_file is not None else prompt or ""

    keep_numpy_to_one_thread()
    from rnnkit.cli import generated_texts
    from rnnkit.tasks.language_model.generate import (
        GenerationOptions,
        complete,
        prepare_generation,
    )
    from rnnkit.tasks.language_model.model import TASKS, load_language_model

    directory = choose_run(run, runs_dir=runs_dir, tasks=TASKS)
    chosen = GenerationOptions(
        **options,
        length_penalty=length_penalty or 0.0,
        with_probabilities=highlight and (as_json or generated_texts.has_colour()),
    )
    generation = prepare_generation(load_language_model(directory), text, chosen)
    if (tokens := len(generation.prompt.ids)) > _LONG_PROMPT:
        click.echo(f"Reading a prompt of {tokens:,} tokens ...", err=True)
    if interactive:
        from rnnkit.cli.interactive import converse
        from rnnkit.tasks.language_model.composition import compose

        converse(compose(generation), length=generation.length)
        return
    # Before anything is generated: nobody should wait for texts that cannot be compared.
    known = generated_texts.read_training_text(directory) if novelty else None
    if as_json:
        completions, pieces = complete(generation)
        samples = generated_texts.describe(generation, completions, pieces)
        if known is not None:
            measured = generated_texts.measure_all(completions, known)
            for sample, result in zip(samples, measured, strict=True):
                sample["novelty"] = generated_texts.describe_novelty(result)
        document = {
            "run": str(directory.path),
            "seed": generation.prompt.text,
            "random_seed": generation.random_seed if chosen.beams is None else None,
            "settings": generation.settings(),
            "samples": samples,
        }
        print_json(document)
        return
    if highlight:
        click.echo(generated_texts.legend(), err=True)
    completions = generated_texts.stream(generation)
    if known is not None:
        generated_texts.print_novelty(completions, generation, known)


def _read_prompt(path: Path) -> str:
    try:
        data = standard_input().read() if str(path) == "-" else path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"--prompt-file {path}: cannot be read: {reason}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"--prompt-file {path}: byte {error.start} ({data[error.start]:#04x}) is not UTF-8; "
            "convert the file to UTF-8"
        ) from error


def _check_combination(context: click.Context) -> None:
    """Refuse options that have no effect in combination with others that are given.

    Raises:
        UsageError: naming both.
    """
    given: dict[str, Any] = {}
    for param in context.command.params:
        name = param.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            given[param.opts[0]] = context.params[name]
    if "--seed" in given and "--prompt-file" in given:
        raise UsageError("--seed and --prompt-file both give the text to continue; use one.")
    if "--beams" in given:
        for name in _SAMPLING:
            if name in given:
                raise UsageError(f"{name} applies to sampling and cannot be combined with --beams.")
    if "--length-penalty" in given:
        for name in ("--beams", "--stop"):
            if name not in given:
                raise UsageError(
                    "--length-penalty compares the texts of --beams that --stop ends at different "
                    f"lengths; {name} is missing."
                )
    interactive = given.get("--interactive")
    temperatures = given.get("--temperature", ())
    for temperature in temperatures:
        if temperatures.count(temperature) > 1:
            raise UsageError(f"--temperature {temperature:g} is given twice.")
    if temperatures == (0.0,) and not interactive:
        for name, off in _FILTERS.items():
            if given.get(name, off) != off:
                raise UsageError(
                    f"{name} applies to sampling, and --temperature 0 always takes the most "
                    "probable token; leave one of them out."
                )
    if interactive:
        _check_interactive(given)


def _check_interactive(given: dict[str, Any]) -> None:
    for name in _NOT_INTERACTIVE:
        if name in given:
            raise UsageError(f"{name} cannot be combined with --interactive.")
    if len(given.get("--temperature", ())) > 1:
        raise UsageError("--interactive takes one --temperature; `t 0.8` changes it later.")
    if str(given.get("--prompt-file")) == "-":
        raise UsageError(
            "--interactive reads what you type from standard input, so --prompt-file - cannot "
            "read the text from there; save it to a file."
        )
