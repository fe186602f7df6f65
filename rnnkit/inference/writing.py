"""From the tokens of a text, one after the other, to the text as it may be shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnnkit.text.vocabulary import StreamDecoder, Vocabulary


@dataclass(frozen=True)
class Piece:
    """Some text of one sample, as soon as it is certain.

    `probability` is what the model gave to it, before temperature, filters and penalty; that of a
    character of several tokens (bytes) is their product. None where it was not asked for.
    """

    sample: int
    text: str
    probability: float | None = None


@dataclass(frozen=True)
class Completion:
    """A finished sample: its text without the prime, and how it came to its end.

    `ids` are all tokens that were drawn; `stopped` says that the stop text appeared.
    """

    sample: int
    text: str
    ids: tuple[int, ...]
    stopped: bool

    @property
    def tokens(self) -> int:
        """How many tokens were drawn."""
        return len(self.ids)


class Writer:
    """Turns the tokens of one sample into text and watches for the stop text.

    `after` are tokens that the text continues: a word brings the space between them.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        sample: int,
        stop: str | None,
        after: Sequence[int] = (),
    ) -> None:
        self.sample = sample
        self.stopped = False
        self._decoder = StreamDecoder(vocabulary, after)
        self._stop = stop
        self._ids: list[int] = []
        self._text: list[str] = []
        self._unfinished: float | None = None
        self._held_back: list[Piece] = []

    def feed(self, token: int, probability: float | None = None) -> Iterator[Piece]:
        """The text that can be shown now that `token` is known."""
        self._ids.append(token)
        if self._unfinished is not None and probability is not None:
            probability *= self._unfinished
        text = self._decoder.feed(token)
        if not text:
            self._unfinished = probability
            return
        self._unfinished = None
        pieces = [*self._held_back, Piece(self.sample, text, probability)]
        self._held_back = []
        if self._stop is not None:
            whole = "".join(piece.text for piece in pieces)
            ready, _, self.stopped = split_at_stop(whole, self._stop)
            pieces, waiting = _cut(pieces, len(ready))
            self._held_back = [] if self.stopped else waiting
        yield from self._show(pieces)

    def finish(self) -> Iterator[Piece | Completion]:
        """What was held back, unless it was the stop text, and the result."""
        yield from self._show(self._held_back)
        yield Completion(self.sample, "".join(self._text), tuple(self._ids), self.stopped)

    def _show(self, pieces: list[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            self._text.append(piece.text)
            yield piece


def _cut(pieces: list[Piece], length: int) -> tuple[list[Piece], list[Piece]]:
    """The pieces of the first `length` characters, and those of the rest."""
    before: list[Piece] = []
    for place, piece in enumerate(pieces):
        if length < len(piece.text):
            rest = [Piece(piece.sample, piece.text[length:], piece.probability)]
            if length:
                before.append(Piece(piece.sample, piece.text[:length], piece.probability))
            return before, rest + pieces[place + 1 :]
        before.append(piece)
        length -= len(piece.text)
    return before, []


def split_at_stop(text: str, stop: str) -> tuple[str, str, bool]:
    """What of `text` can be shown, what must wait, and whether `stop` was found.

    `split_at_stop("so be", "bed")` is `("so ", "be", False)`; once `stop` is found, nothing
    waits: `split_at_stop("so bedded", "bed")` is `("so ", "", True)`.
    """
    place = text.find(stop)
    if place >= 0:
        return text[:place], "", True
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return text[:-size], text[-size:], False
    return text, "", False
