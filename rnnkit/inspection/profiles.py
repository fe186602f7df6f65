"""How far gradients reach back in time, and what clipping does to them.

The loss L of one prediction, made at step T, depends on every state before it. |dL/dh_t| over the
distance T - t says how much a state so far back can be corrected for it: it is multiplied by the
Jacobian of the cell at every step, so it shrinks or grows about exponentially (Hochreiter 1991;
Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnnkit.config.training import TrainingConfig
from rnnkit.errors import DataError
from rnnkit.network.cells import StateKind
from rnnkit.network.reference import Layer, Network, run, softmax
from rnnkit.network.reference_cells import CellGradients
from rnnkit.network.reference_gradients import gradients

Progress = Callable[[int, int], None]
Trend = Literal["vanishes", "fades", "lasts", "grows", "explodes"]

_WINDOWS_AT_ONCE = 8

VANISHED, EXPLODED = 1e-3, 1e3
"""What is left of a gradient at the largest distance when it is said to vanish or to explode."""
_FADED = 0.5


@dataclass(frozen=True, eq=False)
class StateProfile:
    """The gradient by one state of one layer, over the distance from the loss.

    `norms` float64[distances] are means of |dL/dh_t| (or |dL/dc_t|, where `kind` is cell) over
    the windows, `norms[0]` at the step of the loss itself.
    """

    layer: str
    kind: StateKind
    norms: np.ndarray

    @property
    def distance(self) -> int:
        """The largest distance."""
        return len(self.norms) - 1

    @property
    def ratio(self) -> float:
        """What is left of the first norm at the largest distance."""
        start = float(self.norms[0])
        return float(self.norms[-1]) / start if start > 0.0 else math.nan

    @property
    def factor(self) -> float:
        """The factor per step: the slope of a straight line through log(norm), by least squares
        over all distances at which there is a gradient; NaN with fewer than two."""
        distances = np.flatnonzero((self.norms > 0.0) & np.isfinite(self.norms))
        if len(distances) < 2:
            return math.nan
        slope, _ = np.polyfit(distances, np.log(self.norms[distances]), 1)
        return float(np.exp(slope))

    @property
    def trend(self) -> Trend:
        """What happens to the gradient over the distance."""
        if not math.isfinite(self.ratio) or self.ratio >= EXPLODED:
            return "explodes"
        if self.ratio <= VANISHED:
            return "vanishes"
        if self.ratio < _FADED:
            return "fades"
        return "lasts" if self.ratio <= 1.0 / _FADED else "grows"


@dataclass(frozen=True, eq=False)
class Profile:
    """Gradients of one network, layer by layer."""

    name: str
    cell: str
    origin: str
    windows: int
    warm_up: int
    states: tuple[StateProfile, ...]


@dataclass(frozen=True, eq=False)
class Clipping:
    """The gradient of the training loss by every weight, before and after clipping.

    `before` and `after` are norms by name. `limit` is clip_norm, `value_limit` clip_value, None
    where there is none. `windows` of `steps` steps are the batch.
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    limit: float | None
    value_limit: float | None
    windows: int
    steps: int

    @property
    def norm_before(self) -> float:
        """Of all weights together."""
        return math.hypot(*self.before.values())

    @property
    def norm_after(self) -> float:
        """Of all weights together."""
        return math.hypot(*self.after.values())


def usual_distance(context: int | None, tokens: int, *, wanted: int = 50) -> int:
    """Return how far back to look: `wanted` steps, or as many as a window or the text has."""
    most = tokens - 2 if context is None else min(context - 1, tokens - 2)
    return max(1, min(wanted, most))


def profile_of(
    network: Network,
    ids: np.ndarray,
    *,
    distance: int,
    windows: int,
    context: int | None,
    name: str = "",
    origin: str = "",
    progress: Progress = lambda done, total: None,
) -> Profile:
    """Compute the gradients of a language model on windows spread evenly over a text.

    Each window is read for `distance` steps and predicts one token. A model that carries its
    state has read as much of the text before, where there is as much; through that nothing
    flows back.

    Args:
        network: of the model.
        ids: unsigned[tokens], the text.
        distance: steps back from the loss.
        windows: the largest number of pieces of text.
        context: length of sliding windows, None where the state is carried on.
        name: of the profile.
        origin: of the weights.
        progress: is called with windows.

    Raises:
        DataError: the text is too short for one window.
    """
    steps = distance + 1
    if context == 1:
        raise DataError(
            "The model sees one token at a time, so there is no earlier state to differentiate."
        )
    if context is not None and steps > context:
        raise DataError(
            f"The model sees {context} tokens at a time, so gradients reach "
            f"{context - 1} steps back; give a --distance up to that."
        )
    if len(ids) < steps + 1:
        raise DataError(
            f"The text has {len(ids)} tokens; a distance of {distance} needs "
            f"{steps + 1}. Give more text or a smaller --distance."
        )
    warm_up = steps if context is None and len(ids) >= 2 * steps + 1 else 0
    starts = _starts(len(ids), warm_up + steps + 1, windows)
    total: dict[tuple[str, StateKind], np.ndarray] = {}
    # A gradient that explodes may well leave the range of the numbers.
    with np.errstate(over="ignore", invalid="ignore"):
        for done in range(0, len(starts), _WINDOWS_AT_ONCE):
            rows = starts[done : done + _WINDOWS_AT_ONCE]
            norms = _window_norms(network, _cut(ids, rows, warm_up + steps + 1), warm_up)
            for key, found in norms.items():
                total[key] = total.get(key, 0.0) + found.sum(axis=0)
            progress(min(done + _WINDOWS_AT_ONCE, len(starts)), len(starts))
    states = tuple(
        StateProfile(layer, kind, norms / len(starts)) for (layer, kind), norms in total.items()
    )
    return Profile(name, network.spec.top.cell.name, origin, len(starts), warm_up, states)


def classifier_profile_of(
    network: Network,
    texts: Sequence[np.ndarray],
    *,
    distance: int,
    name: str,
    origin: str,
    progress: Progress = lambda done, total: None,
) -> Profile:
    """Compute the gradients of a classifier: of the loss of the class that it decides for.

    The distance is counted from the step at which a direction has read the whole text. Norms at
    a distance are means over the texts that are so long; where no text is, the profile ends.

    Args:
        network: of the classifier.
        texts: ids int[tokens] of each text.
        distance: the largest one.
        name: of the profile.
        origin: of the weights.
        progress: is called with texts.

    Raises:
        DataError: no text has two tokens.
    """
    longest = max((len(ids) for ids in texts), default=0)
    if longest < 2:
        raise DataError("No text has two tokens, so there is no earlier state to differentiate.")
    steps = min(distance + 1, longest)
    total: dict[tuple[str, StateKind], np.ndarray] = {}
    counts = np.zeros(steps)
    with np.errstate(over="ignore", invalid="ignore"):
        for number, ids in enumerate(texts, start=1):
            trace = run(network, ids[np.newaxis])
            d_logits = softmax(trace.logits)
            d_logits[0, trace.logits.argmax()] -= 1.0
            shown = min(steps, len(ids))
            counts[:shown] += 1.0
            layers = gradients(network, trace, d_logits).layers
            for key, found in _norms(network.layers, layers).items():
                total.setdefault(key, np.zeros(steps))[:shown] += found[0, :shown]
            progress(number, len(texts))
    states = tuple(
        StateProfile(layer, kind, norms / counts) for (layer, kind), norms in total.items()
    )
    return Profile(name, network.spec.top.cell.name, origin, len(texts), 0, states)


def clipping_of(
    network: Network,
    ids: np.ndarray,
    training: TrainingConfig,
    *,
    context: int | None,
    length: int,
    clip_norm: float | None,
    frozen: tuple[str, ...] = (),
) -> Clipping:
    """Compute the gradient of one weight update on a batch from `ids`, before and after clipping.

    The batch has up to `training.batch_size` windows of `length`, as in training; the loss is its
    mean in nats per token, without dropout and penalties on weights. As in training, clip_value
    cuts off every number first, then clip_norm scales all of them alike.

    Args:
        network: of the model.
        ids: unsigned[tokens].
        training: says the batch size and clip_value.
        context: length of sliding windows, whose last step alone counts; else None.
        length: steps of a window.
        clip_norm: the limit; None is none.
        frozen: weights that are not trained.

    Raises:
        DataError: the text is too short for one window.
    """
    length = min(length, len(ids) - 1)
    if length < 1:
        raise DataError("The text has fewer than two tokens; there is nothing to predict.")
    starts = _starts(len(ids), length + 1, training.batch_size)
    total: dict[str, np.ndarray] = {}
    targets = len(starts) * (1 if context is not None else length)
    with np.errstate(over="ignore", invalid="ignore"):
        for done in range(0, len(starts), _WINDOWS_AT_ONCE):
            rows = _cut(ids, starts[done : done + _WINDOWS_AT_ONCE], length + 1)
            for name, value in _weight_gradients(network, rows, last_only=context is not None):
                if name not in frozen:
                    total[name] = total.get(name, 0.0) + value / targets
        before = _norm_of_each(total)
        after = _norm_of_each(_clipped(total, value=training.clip_value, norm=clip_norm))
    return Clipping(
        before=before,
        after=after,
        limit=clip_norm,
        value_limit=training.clip_value,
        windows=len(starts),
        steps=length,
    )


def _clipped(
    gradients: Mapping[str, np.ndarray], *, value: float | None, norm: float | None
) -> Mapping[str, np.ndarray]:
    """Cut off every number at `value`, then scale all of them to the common `norm`."""
    if value is not None:
        gradients = {name: np.clip(found, -value, value) for name, found in gradients.items()}
    if norm is not None:
        whole = math.hypot(*_norm_of_each(gradients).values())
        scale = norm / max(whole, norm)
        gradients = {name: found * scale for name, found in gradients.items()}
    return gradients


def _norm_of_each(gradients: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.linalg.norm(found)) for name, found in gradients.items()}


# ------------------------------------------------------------------------------------- windows


def _starts(tokens: int, length: int, most: int) -> np.ndarray:
    """Return where windows of `length` begin: spread evenly, no two at the same place."""
    places = tokens - length + 1
    return np.unique(np.linspace(0, places - 1, min(most, places)).astype(np.int64))


def _cut(ids: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """int64[windows, length]."""
    return np.stack([np.asarray(ids[start : start + length], np.int64) for start in starts])


def _window_norms(
    network: Network, windows: np.ndarray, warm_up: int
) -> dict[tuple[str, StateKind], np.ndarray]:
    """Compute norms of the gradients of the last prediction: float64[windows, distances]."""
    before = run(network, windows[:, :warm_up], last_only=True) if warm_up else None
    trace = run(network, windows[:, warm_up:-1], last_only=True, before=before)
    d_logits = softmax(trace.logits)
    d_logits[np.arange(len(windows)), 0, windows[:, -1]] -= 1.0
    return _norms(network.layers, gradients(network, trace, d_logits).layers)


def _norms(
    layers: Sequence[Layer], found: Sequence[Sequence[CellGradients]]
) -> dict[tuple[str, StateKind], np.ndarray]:
    """Return norms by layer and kind, float64[batch, distances], from the last step read."""
    norms: dict[tuple[str, StateKind], np.ndarray] = {}
    for layer, cells in zip(layers, found, strict=True):
        for cell, part in zip(layer.cells, cells, strict=True):
            order = slice(None) if cell.is_backward else slice(None, None, -1)
            norms[cell.name, "hidden"] = np.linalg.norm(part.hidden, axis=-1)[:, order]
            if part.cell is not None:
                norms[cell.name, "cell"] = np.linalg.norm(part.cell, axis=-1)[:, order]
    return norms


def _weight_gradients(
    network: Network, windows: np.ndarray, *, last_only: bool
) -> list[tuple[str, np.ndarray]]:
    """Compute the gradients of the summed loss of all targets."""
    trace = run(network, windows[:, :-1], last_only=last_only)
    targets = windows[:, -1:] if last_only else windows[:, 1:]
    d_logits = softmax(trace.logits)
    rows, steps = np.indices(targets.shape)
    d_logits[rows, steps, targets] -= 1.0
    return list(gradients(network, trace, d_logits).weights.items())
