"""Text out of a model, one token after the other, streamed as it is made.

All samples are made side by side in one batch. Each has random numbers of its own, derived from
the seed and its number, so sample 2 is the same whether two are asked for or ten.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np

from rnnkit.errors import DataError, UsageError
from rnnkit.inference.continuation import (
    expected_tokens,
    read_next,
    read_text,
    select,
)
from rnnkit.inference.sampling import PENALTY_WINDOW, SamplingOptions, sample
from rnnkit.inference.writing import Completion, Piece, Writer
from rnnkit.tasks.language_model.session import Session
from rnnkit.text.vocabulary import Vocabulary

Unseen = Literal["error", "skip", "unk"]


@dataclass(frozen=True)
class Prime:
    """The text that the model continues, after the vocabulary's text rules, and its ids.

    For an empty text `ids` holds the one token that generation then starts from.
    """

    text: str
    ids: tuple[int, ...]

    @property
    def given(self) -> tuple[int, ...]:
        """The tokens of the text alone; none for an empty one."""
        return self.ids if self.text else ()


def read_prime(vocabulary: Vocabulary, text: str, *, unseen: Unseen = "error") -> Prime:
    """Encode the text to continue.

    What the vocabulary lacks is refused, left out, or read as `<unk>`. An empty text starts from
    the vocabulary's `start_id`, a newline if it has one.

    Raises:
        DataError: something is unseen and `unseen="error"`, or "unk" and there is no `<unk>`.
    """
    if missing := vocabulary.unseen(text):
        unit, named = vocabulary.unit, vocabulary.name_units(missing)
        found = f"The seed holds {unit} that the model has never seen: {named}."
        match unseen:
            case "skip":
                text = vocabulary.without_unseen(text)
            case "unk" if vocabulary.unknown_id is not None:
                pass
            case "unk":
                raise DataError(
                    f"{found} They cannot be read as <unk>, because this vocabulary has no <unk>; "
                    "use --unseen skip, or train with data.minimum_count above 1."
                )
            case "error":
                readable = vocabulary.unknown_id is not None
                raise DataError(
                    f"{found} Remove them, or choose --unseen skip (leave them out)"
                    + (" or --unseen unk (read them as <unk>)." if readable else ".")
                )
            case _:
                assert_never(unseen)
    text = vocabulary.opening(text)
    return Prime(text, tuple(vocabulary.encode(text)) or (vocabulary.start_id,))


def generate(
    session: Session,
    *,
    prime: Prime,
    length: int,
    options: SamplingOptions,
    temperatures: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    stop: str | None = None,
    with_probabilities: bool = False,
) -> Iterator[Piece | Completion]:
    """Continue `prime` by up to `length` tokens, `samples` times.

    With `temperatures` there are so many samples at each of them instead of that of `options`;
    sample number n is at `temperatures[n // samples]`.

    A `Piece` comes for every bit of new text and one `Completion` at the end of every sample.
    With `stop`, a sample ends before the first place where this text appears in what was
    generated; what may be its beginning is held back until that is decided. Bytes at the end
    that make no whole character are dropped. `with_probabilities` fills `Piece.probability`.

    Raises:
        UsageError: `stop` is empty under the vocabulary's text rules.
        RunError: the model returned something else than finite numbers.
    """
    stop = read_stop(session, stop)
    ways = [replace(options, temperature=value) for value in temperatures] or [options]
    return _generate(
        session,
        prime=prime,
        length=length,
        rows=[
            _Row(
                way,
                # The numbers of a sample depend on its place among those of its temperature, so
                # a temperature's texts are the same whichever others are asked for.
                random.Random(f"{seed}/{number}").random,
                Writer(
                    session.vocabulary,
                    sample=place * samples + number,
                    stop=stop,
                    after=prime.given,
                ),
            )
            for place, way in enumerate(ways)
            for number in range(samples)
        ],
        with_probabilities=with_probabilities,
    )


def read_stop(session: Session, stop: str | None) -> str | None:
    """The stop text after the vocabulary's text rules.

    Raises:
        UsageError: nothing is left of it.
    """
    if stop is None:
        return None
    stop = session.vocabulary.clean(stop)
    if not stop:
        raise UsageError("--stop: expected some text to stop at, found nothing")
    return stop


@dataclass(frozen=True)
class _Row:
    """One sample that is being made."""

    options: SamplingOptions
    draw: Callable[[], float]
    writer: Writer


def _generate(
    session: Session, *, prime: Prime, length: int, rows: list[_Row], with_probabilities: bool
) -> Iterator[Piece | Completion]:
    if length == 0:
        for row in rows:
            yield from row.writer.finish()
        return
    texts = select(read_text(session, prime.ids), [0] * len(rows))
    penalized = any(row.options.repetition_penalty != 1.0 for row in rows)
    recent = np.tile(recent_tokens(prime), (len(rows), 1))
    for made in range(1, length + 1):
        shares = _shares(session, texts.logits, rows, recent=recent)
        ids = sample(shares, np.array([row.draw() for row in rows]))
        probabilities: list[float | None] = [None] * len(rows)
        if with_probabilities:
            own = expected_tokens(session, texts.logits, options=SamplingOptions())
            probabilities = own[np.arange(len(rows)), ids].tolist()
        going = []
        for place, (row, token) in enumerate(zip(rows, ids.tolist(), strict=True)):
            yield from row.writer.feed(token, probabilities[place])
            if row.writer.stopped or made == length:
                yield from row.writer.finish()
            else:
                going.append(place)
        if not going:
            return
        if len(going) < len(rows):
            rows = [rows[place] for place in going]
            ids, recent = ids[going], recent[going]
            texts = select(texts, going)
        if penalized:
            recent = np.concatenate([recent, ids[:, np.newaxis]], axis=1)[:, -PENALTY_WINDOW:]
        texts = read_next(session, texts, ids)


def recent_tokens(prime: Prime) -> np.ndarray:
    """The tokens of the prime that the repetition penalty looks at, int64[n]; the one that an
    empty prime starts from is not the user's."""
    return np.array(prime.given[-PENALTY_WINDOW:], dtype=np.int64)


def _shares(
    session: Session, logits: np.ndarray, rows: list[_Row], *, recent: np.ndarray
) -> np.ndarray:
    """Probabilities of the next tokens, float64[rows, vocabulary], each row in its own way."""
    ways = dict.fromkeys(row.options for row in rows)
    if len(ways) == 1:
        return expected_tokens(session, logits, options=rows[0].options, recent=recent)
    shares = np.empty(logits.shape, dtype=np.float64)
    for way in ways:
        places = [place for place, row in enumerate(rows) if row.options == way]
        shares[places] = expected_tokens(
            session, logits[places], options=way, recent=recent[places]
        )
    return shares
