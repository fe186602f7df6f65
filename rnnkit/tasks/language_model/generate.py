"""Generated texts: what `rnnkit generate` and the Python API ask of a language model."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from rnnkit.errors import DataError, UsageError
from rnnkit.inference.decoding import LanguageModel, Prompt, decode
from rnnkit.inference.sampling import SamplingOptions
from rnnkit.inference.writing import Completion, Piece
from rnnkit.text.vocabulary import Vocabulary

Unseen = Literal["error", "skip", "unk"]
Progress = Callable[[int, int], None]

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class GenerationOptions:
    """Options of a generation; None is the model's own default (section `generation`).

    There are `samples` texts at each of `temperatures`, from the same random numbers; with `beams`
    the search for the most probable text takes the place of sampling. 0 or 1 turns a filter off.
    `length` is in tokens. `with_probabilities` asks for the probability of every piece of text.
    """

    length: int | None = None
    temperatures: Sequence[float] = ()
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    samples: int = 1
    random_seed: int | None = None
    beams: int | None = None
    length_penalty: float = 0.0
    stop: str | None = None
    unseen: Unseen = "error"
    with_probabilities: bool = False


@dataclass(frozen=True)
class Generation:
    """Texts that are ready to be generated: everything is read, checked and decided.

    `sampling` are the filters; its temperature is the first of `temperatures`.
    """

    model: LanguageModel
    prompt: Prompt
    length: int
    sampling: SamplingOptions
    temperatures: tuple[float, ...]
    random_seed: int
    options: GenerationOptions

    def events(
        self, *, progress: Progress = lambda made, length: None
    ) -> Iterator[Piece | Completion]:
        """Generate the texts: a `Piece` for every bit of text, a `Completion` at each end.

        Text of the samples comes interleaved, as it is made. `progress` receives the number of
        tokens that a beam search has made, before its first piece.

        Raises:
            RunError: the model's output is not finite.
        """
        options = self.options
        if options.beams is None:
            return decode(
                self.model,
                self.prompt,
                length=self.length,
                options=[replace(self.sampling, temperature=t) for t in self.temperatures],
                samples=options.samples,
                seed=self.random_seed,
                stop=options.stop,
                with_probabilities=options.with_probabilities,
            )
        # Most texts are sampled: the search is loaded where it is used.
        from rnnkit.inference.beam import search, write_found

        found = search(
            self.model,
            self.prompt,
            length=self.length,
            beams=options.beams,
            length_penalty=options.length_penalty,
            repetition_penalty=self.sampling.repetition_penalty,
            stop=options.stop,
            progress=progress,
        )
        return write_found(
            self.model,
            self.prompt,
            found,
            stop=options.stop,
            with_probabilities=options.with_probabilities,
        )

    def temperature_of(self, sample: int) -> float | None:
        """Return the temperature of a sample; None of a beam search."""
        if self.options.beams is not None:
            return None
        return self.temperatures[sample // self.options.samples]

    def settings(self) -> dict[str, Any]:
        """Return the settings that the texts depend on, for a JSON document."""
        options, sampling = self.options, self.sampling
        settings: dict[str, Any] = {"length": self.length, "stop": options.stop}
        if options.beams is not None:
            settings |= {"beams": options.beams, "length_penalty": options.length_penalty}
            settings["repetition_penalty"] = sampling.repetition_penalty
        else:
            settings["temperatures"] = list(self.temperatures)
            settings |= {
                key: value for key, value in vars(sampling).items() if key != "temperature"
            }
        return settings | {"unseen": options.unseen}


def prepare_generation(
    model: LanguageModel, prompt: str = "", options: GenerationOptions | None = None
) -> Generation:
    """Read the prompt, fill in the model's defaults and check both.

    Raises:
        DataError: the prompt has characters or words that the model has never seen.
        UsageError: the stop text is empty under the vocabulary's text rules.
    """
    options = options or GenerationOptions()
    defaults = model.generation

    def chosen(name: str) -> Any:
        value = getattr(options, name)
        return getattr(defaults, name) if value is None else value

    temperatures = tuple(options.temperatures) or (defaults.temperature,)
    return Generation(
        model=model,
        prompt=read_prompt(model.vocabulary, prompt, unseen=options.unseen),
        length=chosen("length"),
        sampling=SamplingOptions(
            temperature=temperatures[0],
            top_k=chosen("top_k") or None,
            top_p=chosen("top_p"),
            min_p=chosen("min_p") or None,
            typical_p=chosen("typical_p"),
            repetition_penalty=chosen("repetition_penalty"),
        ),
        temperatures=temperatures,
        random_seed=_draw_seed() if options.random_seed is None else options.random_seed,
        options=replace(options, stop=_read_stop(model.vocabulary, options.stop)),
    )


def complete(generation: Generation) -> tuple[list[Completion], list[list[Piece]]]:
    """Generate all texts; returns them in order, and the pieces that each is made of.

    Raises:
        RunError: the model's output is not finite.
    """
    completions: dict[int, Completion] = {}
    pieces: dict[int, list[Piece]] = {}
    for event in generation.events():
        if isinstance(event, Completion):
            completions[event.sample] = event
        else:
            pieces.setdefault(event.sample, []).append(event)
    order = sorted(completions)
    return [completions[n] for n in order], [pieces.get(n, []) for n in order]


def read_prompt(vocabulary: Vocabulary, text: str, *, unseen: Unseen = "error") -> Prompt:
    """Encode the text to continue.

    What the vocabulary lacks is refused, left out, or read as `<unk>`. An empty text starts from
    the vocabulary's `start_id`, a newline if it has one.

    Raises:
        DataError: something is unseen and `unseen="error"`, or "unk" and there is no `<unk>`.
    """
    if missing := vocabulary.unseen(text):
        named = vocabulary.name_units(missing)
        found = f"The prompt holds {vocabulary.unit} that the model has never seen: {named}."
        readable = vocabulary.unknown_id is not None
        match unseen:
            case "skip":
                text = vocabulary.without_unseen(text)
            case "unk" if readable:
                pass
            case "unk":
                raise DataError(
                    f"{found} They cannot be read as <unk>, because this vocabulary has no <unk>; "
                    "use --unseen skip, or train with data.minimum_count above 1."
                )
            case "error":
                raise DataError(
                    f"{found} Remove them, or choose --unseen skip (leave them out)"
                    + (" or --unseen unk (read them as <unk>)." if readable else ".")
                )
            case _:
                assert_never(unseen)
    text = vocabulary.opening(text)
    return Prompt(text, tuple(vocabulary.encode(text)) or (vocabulary.start_id,))


def _read_stop(vocabulary: Vocabulary, stop: str | None) -> str | None:
    if stop is None:
        return None
    stop = vocabulary.clean(stop)
    if not stop:
        raise UsageError("--stop: expected some text to stop at, found nothing")
    return stop


def _draw_seed() -> int:
    return int.from_bytes(os.urandom(4)) & LARGEST_SEED
