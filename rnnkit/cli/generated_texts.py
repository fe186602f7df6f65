"""Generated texts: what is asked for, how they are made, and how they are written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.coloured_text import coloured, has_colour

if TYPE_CHECKING:
    from rnnkit.inference.sampling import SamplingOptions
    from rnnkit.inference.writing import Completion, Piece
    from rnnkit.tasks.language_model.generate import Prime
    from rnnkit.tasks.language_model.session import Session

# Shades of surprise: from which probability on, and the strength of the colour.
_SHADES = ((0.5, 0.0), (0.2, 0.15), (0.1, 0.35), (0.03, 0.55), (0.01, 0.75), (0.0, 0.95))


@dataclass(frozen=True)
class Request:
    """What shall be generated: `samples` texts at each of `temperatures`, or with `beams` one.

    `options` are those of every temperature; `with_probabilities` asks for those of the tokens.
    """

    prime: "Prime"
    length: int
    options: "SamplingOptions"
    temperatures: Sequence[float]
    samples: int
    random_seed: int
    beams: int | None
    length_penalty: float
    stop: str | None
    with_probabilities: bool

    def settings(self) -> dict[str, Any]:
        """The settings that had a part in the texts, for a JSON document."""
        common = {"length": self.length, "stop": self.stop}
        penalty = self.options.repetition_penalty
        if self.beams is not None:
            search = {"beams": self.beams, "length_penalty": self.length_penalty}
            return common | search | {"repetition_penalty": penalty}
        chance = {
            name: value for name, value in vars(self.options).items() if name != "temperature"
        }
        return common | {"temperatures": list(self.temperatures)} | chance

    def titles(self) -> list[str]:
        """A headline for every text; an empty one where there is a single text."""
        several = [f"sample {number + 1} of {self.samples}" for number in range(self.samples)]
        samples = several if self.samples > 1 else [""]
        if len(self.temperatures) == 1 or self.beams is not None:
            return samples
        return [
            ", ".join(filter(None, (f"temperature {temperature:g}", sample)))
            for temperature in self.temperatures
            for sample in samples
        ]


@dataclass(frozen=True)
class Texts:
    """Texts as they are made, and what is known of each before, by keys of the document."""

    events: "Iterator[Piece | Completion]"
    facts: Sequence[Mapping[str, float]]


def make_texts(session: "Session", request: Request) -> Texts:
    """Generate what is asked for.

    Raises:
        UsageError: the stop text is empty under the vocabulary's text rules.
        RunError: the model's output is not finite.
    """
    if request.beams is None:
        from rnnkit.tasks.language_model.generate import generate

        events = generate(
            session,
            prime=request.prime,
            length=request.length,
            options=request.options,
            temperatures=request.temperatures,
            samples=request.samples,
            seed=request.random_seed,
            stop=request.stop,
            with_probabilities=request.with_probabilities,
        )
        values = [value for value in request.temperatures for _ in range(request.samples)]
        return Texts(events, [{"temperature": value} for value in values])

    from rnnkit.inference.beam import search, write_found

    found = search(
        session,
        prime=request.prime,
        length=request.length,
        beams=request.beams,
        length_penalty=request.length_penalty,
        repetition_penalty=request.options.repetition_penalty,
        stop=request.stop,
    )
    events = write_found(
        session,
        found,
        prime=request.prime,
        stop=request.stop,
        with_probabilities=request.with_probabilities,
    )
    return Texts(events, [{"log_probability": found.log_probability, "score": found.score}])


def stream(texts: Texts, request: Request) -> "list[Completion]":
    """Write the texts one after the other, the current one as it is made; returns them.

    They are made side by side, so what belongs to later ones waits for its turn.
    """
    from rnnkit.inference.writing import Completion

    shown = highlighted if request.with_probabilities else _plain
    titles = request.titles()
    waiting: list[list[str]] = [[] for _ in titles]
    complete: dict[int, Completion] = {}
    current = 0
    _begin(titles[current], request.prime.text)
    for event in texts.events:
        if isinstance(event, Completion):
            complete[event.sample] = event
        elif event.sample == current:
            _write(shown(event))
        else:
            waiting[event.sample].append(shown(event))
        while current in complete:
            _write("\n")
            current += 1
            if current < len(titles):
                _begin(titles[current], request.prime.text)
                _write("".join(waiting[current]))
    return [complete[number] for number in sorted(complete)]


def _begin(title: str, prime: str) -> None:
    _write((f"--- {title} ---\n" if title else "") + prime)


def _write(text: str) -> None:
    click.echo(text, nl=False)


def _plain(piece: "Piece") -> str:
    return piece.text


def collect(texts: Texts) -> "tuple[list[Completion], list[list[Piece]]]":
    """All texts, and the pieces that each is made of."""
    from rnnkit.inference.writing import Completion

    completions: list[Completion] = []
    pieces: list[list[Piece]] = [[] for _ in texts.facts]
    for event in texts.events:
        if isinstance(event, Completion):
            completions.append(event)
        else:
            pieces[event.sample].append(event)
    return sorted(completions, key=lambda completion: completion.sample), pieces


def describe(
    texts: Texts,
    completions: "Sequence[Completion]",
    pieces: "Sequence[Sequence[Piece]]",
    request: Request,
) -> list[dict[str, Any]]:
    """The texts for a JSON document."""
    described = []
    for completion, facts, parts in zip(completions, texts.facts, pieces, strict=True):
        answer: dict[str, Any] = {
            **facts,
            "text": request.prime.text + completion.text,
            "completion": completion.text,
            "tokens": completion.tokens,
            "stopped": completion.stopped,
        }
        if request.with_probabilities:
            answer["token_probabilities"] = [
                {"text": part.text, "probability": part.probability} for part in parts
            ]
        described.append(answer)
    return described


# ------------------------------------------------------------------------------- in colour


def legend() -> str:
    """What the colours mean, or why there are none."""
    if not has_colour():
        return "--highlight: no colours, because the output is no terminal or NO_COLOR is set."
    names = [f"≥ {100 * bound:g} %" for bound, _ in _SHADES[:-1]]
    names.append(names[-1].replace("≥", "<"))
    shades = (coloured(f" {name} ", shade) for name, (_, shade) in zip(names, _SHADES, strict=True))
    return "Probability that the model gave:" + "".join(shades)


def highlighted(piece: "Piece") -> str:
    """A piece on the colour of its probability; ⏎ shows where a newline has one."""
    assert piece.probability is not None
    strength = next(shade for bound, shade in _SHADES if piece.probability >= bound)
    if not strength:
        return piece.text
    *lines, last = piece.text.split("\n")
    ended = [coloured(f"{line}⏎", strength) + "\n" for line in lines]
    return "".join(ended) + (coloured(last, strength) if last else "")
