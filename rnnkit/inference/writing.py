"""The tokens of a text, one after the other, turned into text that can be shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
    """A finished sample: its text without the prompt.

    `ids` are all its tokens; `stopped` tells whether the stop text appeared. Of a beam search,
    `log_probability` is the sum over `ids` in nats, and `score` that after the length penalty.
    """

    sample: int
    text: str
    ids: tuple[int, ...]
    stopped: bool
    log_probability: float | None = None
    score: float | None = None

    @property
    def tokens(self) -> int:
        """The number of tokens."""
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
        """Yield the text that can be shown now that `token` is known."""
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
        """Yield what was held back, unless it was the stop text, and the result."""
        yield from self._show(self._held_back)
        yield Completion(self.sample, "".join(self._text), tuple(self._ids), self.stopped)

    def _show(self, pieces: list[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            self._text.append(piece.text)
            yield piece


def _cut(pieces: list[Piece], length: int) -> tuple[list[Piece], list[Piece]]:
    """Split pieces after the first `length` characters."""
    before: list[Piece] = []
    for place, piece in enumerate(pieces):
        if length < len(piece.text):
            if length:
                before.append(replace(piece, text=piece.text[:length]))
            return before, [replace(piece, text=piece.text[length:]), *pieces[place + 1 :]]
        before.append(piece)
        length -= len(piece.text)
    return before, []


def split_at_stop(text: str, stop: str) -> tuple[str, str, bool]:
    """Return what of `text` can be shown, what must wait, and whether `stop` was found.

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
