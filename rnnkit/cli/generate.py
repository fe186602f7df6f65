"""`rnnkit generate`: text from a trained model."""

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import keep_numpy_to_one_thread, print_json
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rnnkit.inference.generate import Completion, Piece

LARGEST_SEED = 2**31 - 1


class FiniteRange(click.FloatRange):
    """A range of numbers without `nan` and `inf`, which no comparison keeps out reliably."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert as `click.FloatRange` does."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@click.command("generate")
@run_argument()
@click.option("--seed", "prime", metavar="TEXT", help="Text to continue; empty when not given.")
@click.option(
    "--prompt-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Continue the text in this UTF-8 file; - is standard input.",
)
@click.option("--length", type=click.IntRange(min=0), help="Tokens to generate.")
@click.option(
    "--temperature",
    type=FiniteRange(min=0.0),
    help="Divides the logits: low is careful, high is wild, 0 always takes the most probable.",
)
@click.option(
    "--top-k", type=click.IntRange(min=0), help="Sample among the K most probable tokens; 0 is off."
)
@click.option(
    "--top-p",
    type=FiniteRange(min=0.0, max=1.0, min_open=True),
    help="Sample among the fewest tokens that hold this share of the probability; 1 is off.",
)
@click.option(
    "--min-p",
    type=FiniteRange(min=0.0, max=1.0),
    help="Drop tokens less probable than this fraction of the most probable; 0 is off.",
)
@click.option(
    "--repetition-penalty",
    type=FiniteRange(min=1.0),
    help="Make each of the last 64 tokens less probable; 1 is off.",
)
@click.option(
    "--random-seed",
    type=click.IntRange(0, LARGEST_SEED),
    help="Makes the result repeatable; drawn anew when not given.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many texts to generate.",
)
@click.option("--stop", metavar="TEXT", help="End before this text; it is not printed.")
@click.option(
    "--unseen",
    type=click.Choice(["error", "skip", "unk"]),
    default="error",
    show_default=True,
    help="What to do with characters of the seed that the model has never seen: refuse them, "
    "leave them out, or read them as <unk> (if the vocabulary has it).",
)
@runs_dir_option
@json_option
def command(
    run: str | None,
    prime: str | None,
    prompt_file: Path | None,
    length: int | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    repetition_penalty: float | None,
    random_seed: int | None,
    samples: int,
    stop: str | None,
    unseen: Any,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Continue a text with a trained model.

    The seed and its continuation are written to standard output as they are made. Options that
    are not given have the values that the model was trained to use (section `generation` of
    its configuration). With several samples each is preceded by a line `--- sample 2 of 3 ---`.

    \b
    Example:
      rnnkit generate --seed "ROMEO:" --length 500 --temperature 0.8
      rnnkit generate shakespeare --seed "JULIET:" --samples 3 --stop "ROMEO:"
    """
    if prime is not None and prompt_file is not None:
        raise UsageError("--seed and --prompt-file both give the text to continue; use one.")

    keep_numpy_to_one_thread()
    from rnnkit.inference.generate import generate, read_prime
    from rnnkit.inference.sampling import SamplingOptions
    from rnnkit.inference.session import TASKS, load_session
    from rnnkit.run import find_run

    directory = find_run(run, runs_dir=runs_dir, tasks=TASKS)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    session = load_session(directory)
    text = _read_prompt(prompt_file) if prompt_file is not None else prime or ""

    def choose(name: str, value: Any) -> Any:
        return session.generation[name] if value is None else value

    options = SamplingOptions(
        temperature=choose("temperature", temperature),
        top_k=choose("top_k", top_k) or None,
        top_p=choose("top_p", top_p),
        min_p=choose("min_p", min_p) or None,
        repetition_penalty=choose("repetition_penalty", repetition_penalty),
    )
    tokens: int = choose("length", length)
    random_seed = _draw_seed() if random_seed is None else random_seed
    read = read_prime(session.vocabulary, text, unseen=unseen)
    events = generate(
        session,
        prime=read,
        length=tokens,
        options=options,
        samples=samples,
        seed=random_seed,
        stop=stop,
    )
    if not as_json:
        _stream(events, prime=read.text, samples=samples)
        return
    settings = {"length": tokens, **vars(options), "stop": stop, "unseen": unseen}
    answer = {
        "run": str(directory.path),
        "seed": read.text,
        "random_seed": random_seed,
        "settings": settings,
        "samples": [
            {
                "text": read.text + completion.text,
                "completion": completion.text,
                "tokens": completion.tokens,
                "stopped": completion.stopped,
            }
            for completion in _completions(events)
        ],
    }
    print_json(answer)


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


def _completions(events: "Iterable[Piece | Completion]") -> "list[Completion]":
    from rnnkit.inference.generate import Completion

    completions = [event for event in events if isinstance(event, Completion)]
    return sorted(completions, key=lambda completion: completion.sample)


def _stream(events: "Iterable[Piece | Completion]", *, prime: str, samples: int) -> None:
    """Write the samples one after the other, the current one as it is made.

    They are made side by side, so what belongs to later ones waits for its turn.
    """
    from rnnkit.inference.generate import Completion

    waiting: list[list[str]] = [[] for _ in range(samples)]
    complete = [False] * samples
    current = 0
    _begin(current, prime=prime, samples=samples)
    for event in events:
        if isinstance(event, Completion):
            complete[event.sample] = True
        elif event.sample == current:
            _write(event.text)
        else:
            waiting[event.sample].append(event.text)
        while current < samples and complete[current]:
            _write("\n")
            current += 1
            if current < samples:
                _begin(current, prime=prime, samples=samples)
                _write("".join(waiting[current]))


def _begin(sample: int, *, prime: str, samples: int) -> None:
    header = f"--- sample {sample + 1} of {samples} ---\n" if samples > 1 else ""
    _write(header + prime)


def _write(text: str) -> None:
    click.echo(text, nl=False)
