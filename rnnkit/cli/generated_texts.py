"""Generated texts on the terminal and in JSON: streamed, coloured, compared with the training
text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import has_colour, printable, progress_bar

if TYPE_CHECKING:  # NumPy, which `--help` does not need
    from rnnkit.inference.writing import Completion, Piece
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.language_model.generate import Generation
    from rnnkit.tasks.language_model.novelty import Novelty, TrainingText

# Shades of surprise: from which probability on, and the strength of the colour.
_SHADES = ((0.5, 0.0), (0.2, 0.15), (0.1, 0.35), (0.03, 0.55), (0.01, 0.75), (0.0, 0.95))

_COPY_SHOWN = 60
"""Characters of a copy that are shown."""


def titles(generation: "Generation") -> list[str]:
    """Return a headline for every text; an empty one where there is a single text."""
    count = generation.options.samples
    samples = [f"sample {number + 1} of {count}" for number in range(count)] if count > 1 else [""]
    if len(generation.temperatures) == 1 or generation.options.beams is not None:
        return samples
    return [
        ", ".join(filter(None, (f"temperature {temperature:g}", sample)))
        for temperature in generation.temperatures
        for sample in samples
    ]


def stream(generation: "Generation") -> "list[Completion]":
    """Write the texts one after the other, the current one as it is made; returns them.

    They are made side by side, so the pieces of later texts wait for their turn.
    """
    from rnnkit.inference.writing import Completion

    shown = highlighted if generation.options.with_probabilities else _plain
    headlines = titles(generation)
    waiting: list[list[str]] = [[] for _ in headlines]
    complete: dict[int, Completion] = {}
    current = 0
    if generation.options.beams is not None:
        with progress_bar("searching") as progress:
            events = generation.events(progress=progress)
    else:
        events = generation.events()
    _begin(headlines[current], generation.prompt.text)
    for event in events:
        if isinstance(event, Completion):
            complete[event.sample] = event
        elif event.sample == current:
            _write(shown(event))
        else:
            waiting[event.sample].append(shown(event))
        while current in complete:
            _write("\n")
            current += 1
            if current < len(headlines):
                _begin(headlines[current], generation.prompt.text)
                _write("".join(waiting[current]))
    return [complete[number] for number in sorted(complete)]


def _begin(title: str, prompt: str) -> None:
    _write((f"--- {title} ---\n" if title else "") + prompt)


def _write(text: str) -> None:
    click.echo(text, nl=False)


def _plain(piece: "Piece") -> str:
    return piece.text


def describe(
    generation: "Generation",
    completions: "Sequence[Completion]",
    pieces: "Sequence[Sequence[Piece]]",
) -> list[dict[str, Any]]:
    """Return the texts for a JSON document."""
    described = []
    for completion, parts in zip(completions, pieces, strict=True):
        if (temperature := generation.temperature_of(completion.sample)) is not None:
            answer: dict[str, Any] = {"temperature": temperature}
        else:
            answer = {"log_probability": completion.log_probability, "score": completion.score}
        answer |= {
            "text": generation.prompt.text + completion.text,
            "completion": completion.text,
            "tokens": completion.tokens,
            "stopped": completion.stopped,
        }
        if generation.options.with_probabilities:
            answer["token_probabilities"] = [
                {"text": part.text, "probability": part.probability} for part in parts
            ]
        described.append(answer)
    return described


# ------------------------------------------------------------------------------- in colour


def legend() -> str:
    """Return what the colours mean, or why there are none."""
    from rnnkit.views.terminal import coloured

    if not has_colour():
        return "--highlight: no colours, because the output is no terminal or NO_COLOR is set."
    names = [f"≥ {100 * bound:g} %" for bound, _ in _SHADES[:-1]]
    names.append(names[-1].replace("≥", "<"))
    shades = (coloured(f" {name} ", shade) for name, (_, shade) in zip(names, _SHADES, strict=True))
    return "Probability that the model gave:" + "".join(shades)


def highlighted(piece: "Piece") -> str:
    """Return a piece on the colour of its probability; ⏎ shows a coloured newline."""
    from rnnkit.views.terminal import coloured

    assert piece.probability is not None
    strength = next(shade for bound, shade in _SHADES if piece.probability >= bound)
    if not strength:
        return piece.text
    *lines, last = piece.text.split("\n")
    ended = [coloured(f"{line}⏎", strength) + "\n" for line in lines]
    return "".join(ended) + (coloured(last, strength) if last else "")


# ------------------------------------------------------------------------------------ novelty


def read_training_text(run: "RunDirectory") -> "TrainingText":
    """Read the text that a run was trained on.

    Raises:
        DataError: it is missing or has changed.
        RunError: the run's configuration or summary is damaged.
    """
    from rnnkit.tasks.language_model.config import CharGenerationConfig, WordGenerationConfig
    from rnnkit.tasks.language_model.novelty import training_text
    from rnnkit.tasks.task import config_of_run

    return training_text(run, config_of_run(run, CharGenerationConfig, WordGenerationConfig))


def measure_all(completions: "Sequence[Completion]", known: "TrainingText") -> "list[Novelty]":
    """Compare every text with the training text.

    Raises:
        UsageError: a text is too long.
    """
    from rnnkit.tasks.language_model.novelty import measure

    measured = []
    with progress_bar("comparing") as progress:
        for number, completion in enumerate(completions):
            measured.append(
                measure(
                    completion.ids,
                    known,
                    progress=lambda done, total, number=number: progress(
                        number * total + done, len(completions) * total
                    ),
                )
            )
    return measured


def print_novelty(
    completions: "Sequence[Completion]", generation: "Generation", known: "TrainingText"
) -> None:
    """Write the comparison to standard error, where it cannot be mistaken for generated text."""
    tokens = len(known.prepared.split("train"))
    measured = measure_all(completions, known)
    click.echo(f"Compared with the training text of {tokens:,} tokens:", err=True)
    for title, novelty in zip(titles(generation), measured, strict=True):
        start = f"{title}: " if title else ""
        click.echo(f"  {start}{_copy(novelty)}; {_new(novelty)}", err=True)


def describe_novelty(novelty: "Novelty") -> dict[str, Any]:
    """Return the comparison of one text for a JSON document."""
    copy = novelty.longest_copy
    return {
        "longest_copy": copy and {"characters": len(copy.text), **vars(copy)},
        "new_ngrams": {str(size): fraction for size, fraction in novelty.new.items()},
    }


def _copy(novelty: "Novelty") -> str:
    copy = novelty.longest_copy
    if copy is None:
        return "nothing copied"
    shown = printable(copy.text.replace("\n", "⏎"))
    if len(shown) > _COPY_SHOWN:
        shown = f"{shown[: _COPY_SHOWN - 3]}..."
    place = f"{printable(copy.file)}:{copy.line}" if copy.file else "over the end of a file"
    return f'longest copy {len(copy.text):,} characters, "{shown}" ({place})'


def _new(novelty: "Novelty") -> str:
    fractions = {size: value for size, value in novelty.new.items() if value is not None}
    if not fractions:
        return "too short to count sequences"
    counted = ", ".join(f"{100 * value:.0f} % of {size}" for size, value in fractions.items())
    return f"new among sequences of n tokens: {counted}"
