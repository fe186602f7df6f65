"""A text that a user and a model write together, token by token."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnkit.errors import DataError
from rnnkit.inference.decoding import (
    Continuation,
    LanguageModel,
    Prompt,
    read_next,
    read_text,
    token_probabilities,
)
from rnnkit.inference.sampling import PENALTY_WINDOW, SamplingOptions, sample
from rnnkit.tasks.language_model.generate import Generation
from rnnkit.text.vocabulary import StreamDecoder

_REMEMBERED = 1000
"""Changes that can be undone."""


@dataclass(frozen=True)
class Candidate:
    """A token that may come next, its printable name, and its probability."""

    id: int
    label: str
    probability: float


@dataclass(frozen=True)
class _Place:
    """The number of tokens after the prompt, and what the model expects after them."""

    tokens: int
    continuation: Continuation


def compose(generation: Generation) -> "Composition":
    """Begin a composition with the prompt and the options of a generation."""
    return Composition(
        generation.model,
        generation.prompt,
        options=generation.sampling,
        seed=generation.random_seed,
    )


class Composition:
    """The text so far. `options` may be changed at any time; undoing leaves them as they are."""

    def __init__(
        self, model: LanguageModel, prompt: Prompt, *, options: SamplingOptions, seed: int
    ) -> None:
        self.options = options
        self._model = model
        self._prompt = prompt
        self._draw = random.Random(seed).random
        # As many as `_here` says; an interrupt may leave more behind.
        self._ids: list[int] = []
        self._here = _Place(0, read_text(model, prompt.ids))
        self._before: list[_Place] = []

    @property
    def text(self) -> str:
        """The prompt and what follows it; an incomplete character at the end is left out."""
        return self._prompt.text + self._decoder()[1]

    @property
    def ids(self) -> list[int]:
        """The tokens after the prompt."""
        return self._ids[: self._here.tokens]

    def candidates(self, number: int) -> list[Candidate]:
        """Return the most probable next tokens under the options, up to `number`; at temperature 0,
        where only one has a probability, with those of temperature 1.

        Raises:
            RunError: the model's output is not finite.
        """
        options = self.options
        (probabilities,) = self._probabilities(
            replace(options, temperature=options.temperature or 1.0)
        )
        best = np.argsort(-probabilities, kind="stable")[:number]
        label = self._model.vocabulary.label
        return [
            Candidate(token, label(token), float(probabilities[token]))
            for token in best.tolist()
            if probabilities[token] > 0.0
        ]

    def take(self, candidate: Candidate) -> None:
        """Append a candidate."""
        self._remember()
        self._read([candidate.id])

    def write(self, text: str) -> None:
        """Append a text of the user.

        Raises:
            DataError: it holds what the model has never seen, or nothing at all.
        """
        vocabulary = self._model.vocabulary
        if vocabulary.kind == "words":
            text = text.strip(" \t")  # words bring the spaces between them
        if missing := vocabulary.unseen(text):
            raise DataError(
                f"The model has never seen these {vocabulary.unit}: "
                f"{vocabulary.name_units(missing)}"
            )
        ids = vocabulary.encode(text)
        if not ids:
            raise DataError("There is nothing to write.")
        self._remember()
        self._read(ids)

    def run(self, tokens: int) -> Iterator[str]:
        """Draw `tokens` tokens from the model; yields the text as it is made.

        What was drawn stays when the iterator is given up, and is undone as one change.

        Raises:
            RunError: the model's output is not finite.
        """
        self._remember()
        decoder = self._decoder()[0]
        for _ in range(tokens):
            (token,) = sample(self._probabilities(self.options), np.array([self._draw()])).tolist()
            self._read([token])
            yield decoder.feed(token)

    def undo(self) -> bool:
        """Revert the last change; False when there is none."""
        if not self._before:
            return False
        self._here = self._before.pop()
        return True

    def _decoder(self) -> tuple[StreamDecoder, str]:
        """Return the decoder of the tokens to come, and the text of those after the prompt."""
        decoder = StreamDecoder(self._model.vocabulary, self._prompt.given)
        return decoder, "".join(map(decoder.feed, self.ids))

    def _probabilities(self, options: SamplingOptions) -> np.ndarray:
        """Compute the probabilities of the next token, float64[1, vocabulary]."""
        tokens = self._here.tokens
        recent = self._ids[max(0, tokens - PENALTY_WINDOW) : tokens]
        recent = [*self._prompt.given, *recent][-PENALTY_WINDOW:]
        logits = self._here.continuation.logits
        return token_probabilities(
            self._model, logits, options=options, recent=np.array([recent], np.int64)
        )

    def _remember(self) -> None:
        self._before = [*self._before, self._here][-_REMEMBERED:]

    def _read(self, ids: Sequence[int]) -> None:
        continuation = self._here.continuation
        for token in ids:
            continuation = read_next(self._model, continuation, np.array([token]))
        self._ids[self._here.tokens :] = ids
        self._here = _Place(len(self._ids), continuation)
