"""Scores of a text under a language model, token by token, and the loss by position.

A model that keeps its recurrent state is scored twice: on the text read as one stream from its
start, and on windows that do not overlap and each start from a zero state. The difference is what
context from far back contributes. A model trained on sliding windows is scored on its own windows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from rnnkit.data.text_counts import TokenCounts
from rnnkit.errors import DataError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.intervals import LEAST_BLOCKS, Totals, estimate
from rnnkit.inference.scores import check_finite, target_losses
from rnnkit.runs.records import Estimate
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.views.formats import count

STREAM_CHUNK = 1024
"""Tokens of the stream that are read at once."""

STREAM_BLOCK = 256
"""Tokens (or sliding windows) in a row that the bootstrap keeps together."""

_TOKENS_AT_ONCE = 8192
_LOGITS_AT_ONCE = 2**22  # float64 copies of them take 8 bytes each

POSITIONS = 256
"""Tokens that are read from a zero state for the loss by position."""

_MOST_WINDOWS = 1024
_POSITION_LOGITS_AT_ONCE = 2**21
_CHUNK = 64
_TWO_SIDED_95 = 1.96

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TextScores:
    """Scores of a text by name, and notes on them.

    `tokens` is the number of predictions on the stream (or of sliding windows).
    """

    tokens: int
    metrics: dict[str, Estimate]
    notes: tuple[str, ...]


def score_text(
    session: LanguageModel,
    ids: np.ndarray,
    *,
    context_windows: Sequence[int],
    stride: int = 1,
    resamples: int = 1000,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> TextScores:
    """Score `ids` unsigned[tokens], which may be memory-mapped.

    Metrics are loss (nats per token), bits_per_character, perplexity (per token) and accuracy, of
    words and subwords also perplexity_per_word, and for every length in `context_windows` the same
    with `window_64_` before the name.
    `stride` is the distance of two windows of a model trained on sliding windows.

    The loss of words counts `<unk>` like any other token. Characters and words are those of the
    text that the tokens make (`data.text_counts`): `<unk>` is one character and one word there, for
    the loss does not tell what it stands for.

    `progress(done, total)` is called with numbers of tokens. Memory does not grow with the text
    beyond a few numbers for every block of it.

    Raises:
        DataError: the text is too short for a single prediction.
        RunError: the model returned something else than finite numbers.
    """
    needed = (session.context or 1) + 1
    if len(ids) < needed:
        raise DataError(
            f"The text has {len(ids)} tokens; this model needs at least {needed} to predict one."
        )
    readings = _readings(session, ids, context_windows=context_windows, stride=stride)
    total = sum(reading.tokens_read for reading in readings)
    done, scored = 0, 0
    metrics: dict[str, Estimate] = {}
    notes: list[str] = []
    for reading in readings:
        collected = []
        for block_totals, tokens_read in reading.score():
            collected.append(block_totals)
            done += tokens_read
            progress(done, total)
        totals = Totals(*np.concatenate(collected, axis=1))
        estimates = estimate(
            totals,
            resamples=resamples,
            seed=seed,
            per_word=session.vocabulary.kind in ("words", "subwords"),
        )
        metrics |= {reading.prefix + name: value for name, value in estimates.items()}
        scored = scored or int(totals.tokens.sum())
        if totals.blocks < LEAST_BLOCKS:
            notes.append(
                f"{reading.description}: no interval, because the text makes only "
                f"{count(totals.blocks, 'block')} of {reading.block_tokens} and {LEAST_BLOCKS} "
                "are needed."
            )
    return TextScores(tokens=scored, metrics=metrics, notes=tuple(notes))


@dataclass(frozen=True)
class _Reading:
    """One way of reading the text; `score` yields totals of blocks, and tokens read for them."""

    prefix: str
    description: str
    block_tokens: int
    tokens_read: int
    score: Callable[[], Iterator[tuple[Totals, int]]]


def _readings(
    session: LanguageModel, ids: np.ndarray, *, context_windows: Sequence[int], stride: int
) -> list[_Reading]:
    targets = len(ids) - 1
    if (context := session.context) is not None:
        tokens_read = ((targets - context) // stride + 1) * context
        score = partial(_score_sliding, session, ids, context=context, stride=stride)
        return [_Reading("", f"Windows of {context}", STREAM_BLOCK, tokens_read, score)]
    stream = partial(_score_stream, session, ids)
    windows = [
        _Reading(
            f"window_{length}_",
            f"Windows of {length}",
            length,
            targets,
            partial(_score_windows, session, ids, length=length),
        )
        for length in context_windows
    ]
    return [_Reading("", "The stream", STREAM_BLOCK, targets, stream), *windows]


def _score_stream(session: LanguageModel, ids: np.ndarray) -> Iterator[tuple[Totals, int]]:
    """Score the text read once from start to end, keeping the recurrent state."""
    targets = len(ids) - 1
    scorer = _Scorer(session.vocabulary)
    states = session.zero_states(1)
    # A multiple of the block, so that blocks do not depend on what fits into memory.
    at_once = min(STREAM_CHUNK, _positions_at_once(session, STREAM_BLOCK))
    step = at_once // STREAM_BLOCK * STREAM_BLOCK
    for start in range(0, targets, step):
        end = min(start + step, targets)
        logits, states = session.step(_as_ids(ids[np.newaxis, start:end]), states)
        scores = scorer.score(logits[0], ids[start:end], ids[start + 1 : end + 1])
        blocks = np.add.reduceat(scores, np.arange(0, end - start, STREAM_BLOCK), axis=1)
        yield Totals(*blocks), end - start


def _score_windows(
    session: LanguageModel, ids: np.ndarray, *, length: int
) -> Iterator[tuple[Totals, int]]:
    """Score windows that do not overlap, each from a zero state; the last may be shorter."""
    whole, rest = divmod(len(ids) - 1, length)
    inputs = ids[: whole * length].reshape(whole, length)
    targets = ids[1 : whole * length + 1].reshape(whole, length)
    batch = max(1, _positions_at_once(session, length) // length)
    scorer = _Scorer(session.vocabulary)
    for start in range(0, whole, batch):
        rows = slice(start, start + batch)
        totals = _score_rows(session, scorer, inputs[rows], targets[rows])
        yield totals, int(totals.tokens.sum())
    if rest:
        last, wanted = ids[np.newaxis, -rest - 1 : -1], ids[np.newaxis, -rest:]
        yield _score_rows(session, scorer, last, wanted), rest


def _score_rows(
    session: LanguageModel, scorer: "_Scorer", inputs: np.ndarray, targets: np.ndarray
) -> Totals:
    """Score every position of every row, from zero states; one block per row.

    `inputs` and `targets` are unsigned[rows, time]. Long rows are read in chunks.
    """
    rows, length = inputs.shape
    states = session.zero_states(rows)
    sums = np.zeros((len(Totals._fields), rows))
    for start in range(0, length, STREAM_CHUNK):
        chunk = slice(start, start + STREAM_CHUNK)
        logits, states = session.step(_as_ids(inputs[:, chunk]), states)
        sums += scorer.score(logits, inputs[:, chunk], targets[:, chunk]).sum(axis=2)
    return Totals(*sums)


def _score_sliding(
    session: LanguageModel, ids: np.ndarray, *, context: int, stride: int
) -> Iterator[tuple[Totals, int]]:
    """Score the token after each window of `context` tokens, from a zero state."""
    windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], context)[::stride]
    targets = ids[context::stride]
    batch = max(1, _positions_at_once(session, context) // context)
    scorer = _Scorer(session.vocabulary)
    for start in range(0, len(windows), STREAM_BLOCK):
        end = min(start + STREAM_BLOCK, len(windows))
        sums = np.zeros((len(Totals._fields), 1))
        for first in range(start, end, batch):
            rows = slice(first, min(first + batch, end))
            inputs = _as_ids(windows[rows])
            logits, _ = session.step(inputs, session.zero_states(len(inputs)))
            scores = scorer.score(logits[:, -1], inputs[:, -1], targets[rows])
            sums += scores.sum(axis=1, keepdims=True)
        yield Totals(*sums), (end - start) * context


def _positions_at_once(session: LanguageModel, least: int) -> int:
    return max(least, min(_TOKENS_AT_ONCE, _LOGITS_AT_ONCE // session.vocabulary.size))


def _as_ids(ids: np.ndarray) -> np.ndarray:
    return ids.astype(np.int64)


class _Scorer:
    """Scores of single predictions, in tokens and in what they stand for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._counts = TokenCounts(vocabulary)

    def score(self, logits: np.ndarray, before: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return what `Totals` sums, float64[5, ...]: one entry for each target.

        `logits` is float32[..., vocabulary], `before` are the tokens before the targets. The
        softmax is computed in float64.
        """
        targets = _as_ids(targets)
        losses = target_losses(logits, targets)
        check_finite(losses)
        correct = logits.argmax(axis=-1) == targets
        characters, words = self._counts.count(_as_ids(before), targets)
        return np.stack((losses, correct, np.ones(targets.shape), characters, words))


# --------------------------------------------------------------------------- loss by position


@dataclass(frozen=True)
class Band:
    """Neighbouring positions taken together, with a 95 % interval over the windows.

    `first` and `last` count the tokens read before the prediction, from 1.
    """

    first: int
    last: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class PositionLosses:
    """`mean` float64[positions], nats per token: entry i is after reading i + 1 tokens."""

    mean: np.ndarray
    bands: tuple[Band, ...]
    windows: int


def loss_by_position(
    session: LanguageModel,
    ids: np.ndarray,
    *,
    length: int = POSITIONS,
    most_windows: int = _MOST_WINDOWS,
    progress: Progress = lambda done, total: None,
) -> PositionLosses:
    """Return the mean loss after 1, 2, .. `length` tokens read from a zero state.

    `ids` unsigned[tokens] is cut into windows that do not overlap; of a long text at most
    `most_windows` are taken, evenly spread. A model trained on windows of `context` tokens is
    never shown more than these. Texts shorter than one window are read as one shorter window.

    Raises:
        DataError: the text is too short for a single prediction.
        RunError: the model returned something else than finite numbers.
    """
    if len(ids) < 2:
        raise DataError(f"The text has {len(ids)} tokens; at least 2 are needed to predict one.")
    length = min(length, session.context or length, len(ids) - 1)
    windows = (len(ids) - 1) // length
    chosen = np.unique(np.linspace(0, windows - 1, min(windows, most_windows)).astype(np.int64))
    batch = max(1, _POSITION_LOGITS_AT_ONCE // (session.vocabulary.size * min(length, _CHUNK)))
    losses = np.empty((len(chosen), length))
    for start in range(0, len(chosen), batch):
        rows = slice(start, start + batch)
        places = chosen[rows, np.newaxis] * length + np.arange(length + 1)
        losses[rows] = _window_losses(session, ids[places].astype(np.int64))
        progress(min(start + batch, len(chosen)), len(chosen))
    check_finite(losses)
    return PositionLosses(
        mean=losses.mean(axis=0),
        bands=tuple(_band(losses, first, last) for first, last in position_groups(length)),
        windows=len(chosen),
    )


def position_groups(length: int) -> list[tuple[int, int]]:
    """Return positions 1..length in groups that grow with the distance, two to a doubling.

    `position_groups(20)` is `[(1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 12), (13, 16),
    (17, 20)]`.
    """
    groups, first, size = [], 1, 1
    while first <= length:
        groups.append((first, min(first + size - 1, length)))
        first += size
        if first > 4 and (first - 1).bit_count() == 1:
            size = (first - 1) // 2
    return groups


def _window_losses(session: LanguageModel, tokens: np.ndarray) -> np.ndarray:
    """Return nats float64[rows, length] of `tokens` int64[rows, length + 1], from zero states."""
    states = session.zero_states(len(tokens))
    losses = []
    for start in range(0, tokens.shape[1] - 1, _CHUNK):
        end = min(start + _CHUNK, tokens.shape[1] - 1)
        logits, states = session.step(tokens[:, start:end], states)
        losses.append(target_losses(logits, tokens[:, start + 1 : end + 1]))
    return np.concatenate(losses, axis=1)


def _band(losses: np.ndarray, first: int, last: int) -> Band:
    means = losses[:, first - 1 : last].mean(axis=1)
    mean = float(means.mean())
    # With one window there is no spread to see.
    error = float(means.std(ddof=1)) / len(means) ** 0.5 if len(means) > 1 else 0.0
    margin = _TWO_SIDED_95 * error
    return Band(first, last, mean, mean - margin, mean + margin)
