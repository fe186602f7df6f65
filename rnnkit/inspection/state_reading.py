"""The states of a network after each token of a text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from rnnkit.errors import RunError, UsageError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.network.cells import CELLS, CellSpec, StateKind
from rnnkit.network.reference import Network, run_layers

Progress = Callable[[int, int], None]

_LANES = 32
"""Pieces of a long text that are read side by side."""

WARM_UP = 128
"""Tokens that each piece reads before those that count."""

_WINDOWS_AT_ONCE = 512


@dataclass(frozen=True)
class StateArray:
    """Where a kind of state is found among the states of a session.

    `index` is its place there, `units` its width.
    """

    layer: int
    kind: StateKind
    index: int
    units: int


def find_state(
    session: LanguageModel, *, cell: CellSpec, layer: int | None, kind: StateKind
) -> StateArray:
    """Find the array that holds the `kind` of state of `layer` (from 0; None is the last one).

    Raises:
        UsageError: the network has no such layer, or no cell state.
    """
    arrays = len(cell.states)
    layer = check_layer(layer, len(session.state_sizes) // arrays)
    check_kind(kind, cell)
    index = layer * arrays + cell.kinds.index(kind)
    return StateArray(layer, kind, index, session.state_sizes[index])


def check_layer(layer: int | None, layers: int) -> int:
    """`layer`, or the last of `layers` for None.

    Raises:
        UsageError: there is no such layer.
    """
    if layer is None:
        return layers - 1
    if not 0 <= layer < layers:
        has = f"{layers} layers, 0 to {layers - 1}" if layers > 1 else "one layer, 0"
        raise UsageError(f"--layer {layer}: this network has {has}.")
    return layer


def check_kind(kind: StateKind, cell: CellSpec) -> None:
    """Refuse to look for a state that the cell lacks.

    Raises:
        UsageError: it has none.
    """
    if kind not in cell.kinds:
        having = " or ".join(other.title for other in CELLS.values() if kind in other.kinds)
        raise UsageError(
            f"--state {kind}: only an {having} has a {kind} state; this network is a {cell.name}."
        )


def text_states(session: LanguageModel, ids: Sequence[int], state: StateArray) -> np.ndarray:
    """Read `ids` from a zero state and return the state after each, float32[tokens, units].

    A cell state c is returned as tanh(c), which is what the LSTM lets out of it (Karpathy et
    al. 2016 show the same). A model trained on sliding windows reads, for each token, the
    `session.context` tokens that end with it from a zero state, as it does for a prediction; at
    the beginning there are fewer.

    Raises:
        RunError: a state is not finite.
    """
    tokens = np.asarray(ids, dtype=np.int64)
    if session.context is None:
        return _checked(_stream(session, tokens[np.newaxis], state, skip=0)[0], state)
    return _checked(_windows(session, tokens, state, context=session.context), state)


def long_text_states(
    session: LanguageModel,
    ids: np.ndarray,
    state: StateArray,
    *,
    progress: Progress = lambda done, total: None,
) -> tuple[np.ndarray, slice]:
    """Read a long text in pieces side by side and return states, and of which tokens they are.

    Returns float32[tokens counted, units] and the slice of `ids` unsigned[tokens] that was
    counted. Each piece begins WARM_UP tokens before those that count, so every state knows at
    least so much of the past; a text that is too short for that is read as one.
    """
    tokens = np.asarray(ids, dtype=np.int64)
    if session.context is not None:
        states = _windows(session, tokens, state, context=session.context, progress=progress)
        return _checked(states, state), slice(0, len(tokens))
    length = (len(tokens) - WARM_UP) // _LANES
    if length < WARM_UP:
        states = _stream(session, tokens[np.newaxis], state, skip=0, progress=progress)[0]
        return _checked(states, state), slice(0, len(tokens))
    starts = np.arange(_LANES)[:, np.newaxis] * length
    lanes = tokens[starts + np.arange(WARM_UP + length)]
    states = _stream(session, lanes, state, skip=WARM_UP, progress=progress)
    counted = slice(WARM_UP, WARM_UP + _LANES * length)
    return _checked(states.reshape(-1, state.units), state), counted


def classifier_states(
    network: Network, ids: Sequence[int], *, layer: int, kind: StateKind
) -> np.ndarray:
    """Return the state of a classifier's `layer` at each of `ids`, float32[tokens, units].

    Of a bidirectional layer the units that read forwards come first. Those that read backwards
    have, at a token, read it and all that follow. A cell state c is returned as tanh(c).
    """
    inputs = network.table[np.asarray(ids, dtype=np.int64)][np.newaxis]
    trace = run_layers(network.layers[: layer + 1], inputs)[layer]
    parts = []
    for cell in trace.cells:
        match kind:
            case "hidden":
                parts.append(cell.hidden[0])
            case "cell":
                assert cell.cell is not None
                parts.append(np.tanh(cell.cell[0]))
            case _:
                assert_never(kind)
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _stream(
    session: LanguageModel,
    rows: np.ndarray,
    state: StateArray,
    *,
    skip: int,
    progress: Progress = lambda done, total: None,
) -> np.ndarray:
    """Read `rows` int64[rows, time] token by token: float32[rows, time - skip, units]."""
    count, time = rows.shape
    found = np.empty((count, time - skip, state.units), dtype=np.float32)
    states: Sequence[np.ndarray] = session.zero_states(count)
    for step in range(time):
        _, states = session.step(rows[:, step : step + 1], states)
        if step >= skip:
            found[:, step - skip] = states[state.index]
        if step % 64 == 0:
            progress(step * count, time * count)
    return found


def _windows(
    session: LanguageModel,
    tokens: np.ndarray,
    state: StateArray,
    *,
    context: int,
    progress: Progress = lambda done, total: None,
) -> np.ndarray:
    """Return the state after the window that ends with each token, float32[tokens, units]."""
    found = np.empty((len(tokens), state.units), dtype=np.float32)
    for end in range(1, min(context, len(tokens) + 1)):
        found[end - 1] = _read(session, tokens[np.newaxis, :end])[state.index][0]
    if len(tokens) >= context:
        windows = np.lib.stride_tricks.sliding_window_view(tokens, context)
        for start in range(0, len(windows), _WINDOWS_AT_ONCE):
            rows = np.ascontiguousarray(windows[start : start + _WINDOWS_AT_ONCE])
            first = start + context - 1
            found[first : first + len(rows)] = _read(session, rows)[state.index]
            progress(start, len(windows))
    return found


def _read(session: LanguageModel, rows: np.ndarray) -> Sequence[np.ndarray]:
    return session.step(rows, session.zero_states(len(rows)))[1]


def _checked(states: np.ndarray, state: StateArray) -> np.ndarray:
    if not np.isfinite(states).all():
        raise RunError(
            "The model's states are not finite: its weights are damaged or training diverged. "
            "Train it again."
        )
    match state.kind:
        case "hidden":
            return states
        case "cell":
            return np.tanh(states)
        case _:
            assert_never(state.kind)
