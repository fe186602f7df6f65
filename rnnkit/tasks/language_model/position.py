"""Loss by position in a window: how much a language model gains from what stands before."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import DataError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.scores import check_finite, cross_entropy

WINDOW = 256
"""Tokens that are read from a zero state."""

_MOST_WINDOWS = 1024
_LOGITS_AT_ONCE = 2**21  # float64 copies of them take 8 bytes each
_CHUNK = 64
_TWO_SIDED_95 = 1.96


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
    length: int = WINDOW,
    most_windows: int = _MOST_WINDOWS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PositionLosses:
    """Mean loss after 1, 2, .. `length` tokens read from a zero state.

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
    batch = max(1, _LOGITS_AT_ONCE // (session.vocabulary.size * min(length, _CHUNK)))
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
    """Positions 1..length in groups that grow with the distance, two to a doubling.

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
    """Nats float64[rows, length] of `tokens` int64[rows, length + 1] from zero states."""
    states = session.zero_states(len(tokens))
    parts = []
    for start in range(0, tokens.shape[1] - 1, _CHUNK):
        end = min(start + _CHUNK, tokens.shape[1] - 1)
        logits, states = session.step(tokens[:, start:end], states)
        parts.append(cross_entropy(logits, tokens[:, start + 1 : end + 1]))
    return np.concatenate(parts, axis=1)


def _band(losses: np.ndarray, first: int, last: int) -> Band:
    means = losses[:, first - 1 : last].mean(axis=1)
    mean = float(means.mean())
    # With one window there is no spread to see.
    error = float(means.std(ddof=1)) / len(means) ** 0.5 if len(means) > 1 else 0.0
    margin = _TWO_SIDED_95 * error
    return Band(first, last, mean, mean - margin, mean + margin)
