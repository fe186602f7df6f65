"""The options of `rnnkit generate` that say how tokens are chosen, and which go together."""

from collections.abc import Callable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from rnnkit.cli.options import FiniteRange
from rnnkit.errors import UsageError

LARGEST_SEED = 2**31 - 1

_ABOUT_CHANCE = (
    "--temperature",
    "--top-k",
    "--top-p",
    "--min-p",
    "--typical-p",
    "--random-seed",
    "--samples",
)
_NOT_INTERACTIVE = (
    "--beams",
    "--samples",
    "--stop",
    "--novelty",
    "--highlight",
    "--json",
)


_SAMPLING = (
    click.option(
        "--temperature",
        "temperatures",
        type=FiniteRange(min=0.0),
        multiple=True,
        help="Divides the logits: low is careful, high is wild, 0 always takes the most probable. "
        "Repeatable: texts at each, from the same random numbers.",
    ),
    click.option(
        "--top-k",
        type=click.IntRange(min=0),
        help="Sample among the K most probable tokens; 0 is off.",
    ),
    click.option(
        "--top-p",
        type=FiniteRange(min=0.0, max=1.0, min_open=True),
        help="Sample among the fewest tokens that hold this share of the probability; 1 is off.",
    ),
    click.option(
        "--min-p",
        type=FiniteRange(min=0.0, max=1.0),
        help="Drop tokens less probable than this fraction of the most probable; 0 is off.",
    ),
    click.option(
        "--typical-p",
        type=FiniteRange(min=0.0, max=1.0, min_open=True),
        help="Sample among the fewest tokens that hold this share of the probability, those first "
        "whose surprise is closest to the entropy; 1 is off.",
    ),
    click.option(
        "--repetition-penalty",
        type=FiniteRange(min=1.0),
        help="Make each of the last 64 tokens less probable; 1 is off.",
    ),
    click.option(
        "--random-seed",
        type=click.IntRange(0, LARGEST_SEED),
        help="Makes the result repeatable; drawn anew when not given.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="How many texts to generate (at each temperature).",
    ),
    click.option(
        "--beams",
        type=click.IntRange(min=1),
        metavar="N",
        help="Search for the most probable text instead of drawing one, with beams of 1 to N "
        "candidates; more take longer and never find a worse one.",
    ),
    click.option(
        "--length-penalty",
        type=FiniteRange(min=0.0),
        help="With --beams and --stop: compare texts of different lengths by log-probability / "
        "((5 + tokens) / 6) ** PENALTY; 0, the default, favours short ones.",
    ),
)


def sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options about the choice of tokens, in their order."""
    for option in reversed(_SAMPLING):
        command = option(command)
    return command


def check_combination(context: click.Context) -> None:
    """Refuse options that have no effect beside others that are given.

    Raises:
        UsageError: naming both.
    """
    given: dict[str, Any] = {}
    for param in context.command.params:
        name = param.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            given[param.opts[0]] = context.params[name]
    _check_prompt(given)
    if "--beams" in given:
        for name in _ABOUT_CHANCE:
            if name in given:
                raise UsageError(
                    f"{name} is about chance, and --beams leaves nothing to it; give one of them."
                )
    if "--length-penalty" in given:
        for name in ("--beams", "--stop"):
            if name not in given:
                raise UsageError(
                    "--length-penalty compares texts that --beams has found and --stop has ended "
                    f"at different lengths; {name} is missing."
                )
    temperatures = given.get("--temperature", ())
    if len(set(temperatures)) < len(temperatures):
        raise UsageError("--temperature: the same one is given twice; one text would be the other.")
    if given.get("--interactive"):
        for name in _NOT_INTERACTIVE:
            if name in given:
                raise UsageError(f"{name} does not go with --interactive; leave one of them out.")
        if len(temperatures) > 1:
            raise UsageError("--interactive takes one --temperature; change it as you go.")


def _check_prompt(given: Mapping[str, Any]) -> None:
    if "--seed" in given and "--prompt-file" in given:
        raise UsageError("--seed and --prompt-file both give the text to continue; use one.")
    if given.get("--interactive") and str(given.get("--prompt-file")) == "-":
        raise UsageError(
            "--interactive reads what you type from standard input, so --prompt-file - cannot "
            "read the text from there; save it to a file."
        )
