"""`rnnkit generate`: text from a trained model."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rnnkit.cli.answer import keep_numpy_to_one_thread, print_json
from rnnkit.cli.coloured_text import has_colour
from rnnkit.cli.generated_texts import Request, collect, describe, legend, make_texts, stream
from rnnkit.cli.generation_options import LARGEST_SEED, check_combination, sampling_options
from rnnkit.cli.novelty import describe_novelty, measure_all, print_novelty, read_training_text
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.errors import DataError


@click.command("generate")
@run_argument()
@click.option("--seed", "prime", metavar="TEXT", help="Text to continue; empty when not given.")
@click.option(
    "--prompt-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Continue the text in this UTF-8 file; - is standard input.",
)
@click.option("--length", type=click.IntRange(min=0), help="Tokens to generate.")
@sampling_options
@click.option("--stop", metavar="TEXT", help="End before this text; it is not printed.")
@click.option(
    "--unseen",
    type=click.Choice(["error", "skip", "unk"]),
    default="error",
    show_default=True,
    help="What to do with characters (or words) of the seed that the model has never seen: refuse "
    "them, leave them out, or read them as <unk> (if the vocabulary has it).",
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
    help="Write together: choose among the candidates for the next token or type text of your own. "
    "The dialogue is on standard error, the finished text on standard output.",
)
@click.option(
    "--novelty",
    is_flag=True,
    help="Then compare what was added to the seed with the text that the run was trained on: the "
    "longest stretch that was copied and where it stands, and how many sequences of 4, 8 and 16 "
    "tokens are new. Written to standard error; with --json part of the document.",
)
@runs_dir_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    run: str | None,
    prime: str | None,
    prompt_file: Path | None,
    length: int | None,
    temperatures: tuple[float, ...],
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    typical_p: float | None,
    repetition_penalty: float | None,
    random_seed: int | None,
    samples: int,
    beams: int | None,
    length_penalty: float | None,
    stop: str | None,
    unseen: Any,
    highlight: bool,
    interactive: bool,
    novelty: bool,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Continue a text with a trained model.

    The seed and its continuation are written to standard output as they are made. Options that
    are not given have the values that the model was trained to use (section `generation` of
    its configuration). Several texts are preceded by a line each, such as `--- sample 2 of 3 ---`
    or `--- temperature 0.8 ---`.

    \b
    Example:
      rnnkit generate --seed "ROMEO:" --length 500 --temperature 0.8
      rnnkit generate shakespeare --seed "JULIET:" --samples 3 --stop "ROMEO:"
      rnnkit generate --seed "ROMEO:" --temperature 0.2 --temperature 0.7 --temperature 1.2
      rnnkit generate --seed "First " --beams 8 --stop "." --length-penalty 0.7
      rnnkit generate --seed "ROMEO:" --typical-p 0.9 --highlight --novelty
      rnnkit generate --seed "ROMEO:" --interactive > poem.txt
    """
    check_combination(context)

    keep_numpy_to_one_thread()
    from rnnkit.inference.sampling import SamplingOptions
    from rnnkit.runs.directory import find_run
    from rnnkit.tasks.language_model.generate import read_prime
    from rnnkit.tasks.language_model.session import TASKS, load_session

    directory = find_run(run, runs_dir=runs_dir, tasks=TASKS)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    session = load_session(directory)
    text = _read_prompt(prompt_file) if prompt_file is not None else prime or ""

    def choose(name: str, value: Any) -> Any:
        # Runs of earlier versions have no value for options that came later.
        return session.generation.get(name) if value is None else value

    request = Request(
        prime=read_prime(session.vocabulary, text, unseen=unseen),
        length=choose("length", length),
        options=SamplingOptions(
            temperature=session.generation["temperature"],
            top_k=choose("top_k", top_k) or None,
            top_p=choose("top_p", top_p),
            min_p=choose("min_p", min_p) or None,
            typical_p=choose("typical_p", typical_p),
            repetition_penalty=choose("repetition_penalty", repetition_penalty),
        ),
        temperatures=temperatures or (session.generation["temperature"],),
        samples=samples,
        random_seed=_draw_seed() if random_seed is None else random_seed,
        beams=beams,
        length_penalty=length_penalty or 0.0,
        stop=stop,
        with_probabilities=highlight and (as_json or has_colour()),
    )
    if interactive:
        from rnnkit.cli.interactive import converse
        from rnnkit.tasks.language_model.composition import Composition

        options = replace(request.options, temperature=request.temperatures[0])
        seed = request.random_seed
        composition = Composition(session, request.prime, options=options, seed=seed)
        converse(composition, length=request.length)
        return
    # Looked at first: nobody should wait for texts to hear that they cannot be compared.
    known = read_training_text(directory) if novelty else None
    texts = make_texts(session, request)
    if not as_json:
        if highlight:
            click.echo(legend(), err=True)
        completions = stream(texts, request)
        if known is not None:
            print_novelty(measure_all(completions, known), request.titles(), known)
        return
    completions, pieces = collect(texts)
    described = describe(texts, completions, pieces, request)
    if known is not None:
        for answer, measured in zip(described, measure_all(completions, known), strict=True):
            answer["novelty"] = describe_novelty(measured)
    document = {
        "run": str(directory.path),
        "seed": request.prime.text,
        "random_seed": request.random_seed if beams is None else None,
        "settings": {**request.settings(), "unseen": unseen},
        "samples": described,
    }
    print_json(document)


def _read_prompt(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise DataError(f"--prompt-file {path}: cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"--prompt-file {path}: byte {error.start} ({data[error.start]:#04x}) is not UTF-8; "
            "convert the file to UTF-8"
        ) from error


def _draw_seed() -> int:
    return int.from_bytes(os.urandom(4)) & LARGEST_SEED
