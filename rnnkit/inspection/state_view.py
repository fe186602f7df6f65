"""The states of a network over a text, for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import UsageError
from rnnkit.inspection.states import StateKind
from rnnkit.inspection.tracking import Ranking, Tracked


@dataclass(frozen=True, eq=False)
class ShownUnit:
    """One unit over the text: its activation after each token, float32[tokens], and what it
    tracks best of all units."""

    unit: int
    values: np.ndarray
    tracks: tuple[Tracked, ...]

    @property
    def largest(self) -> float:
        """The largest absolute activation; the end of a scale of colours."""
        return float(np.abs(self.values).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class StateView:
    """A text, and the units that are shown over it.

    `layer` counts from 0. `width` is the number of units of the layer; of a bidirectional one
    those of the forward direction come first. `pieces` are the tokens in the text; `spaced` tells
    that blanks stand between them. `labels` are names of the tokens that can always be printed.
    `ranked_on` says of which text the `ranking` is.
    """

    cell: str
    layer: int
    kind: StateKind
    width: int
    is_bidirectional: bool
    pieces: tuple[str, ...]
    labels: tuple[str, ...]
    spaced: bool
    units: tuple[ShownUnit, ...]
    ranking: Ranking | None
    ranked_on: str
    notes: tuple[str, ...]

    def direction(self, unit: int) -> str:
        """The direction in which `unit` reads, "" in a layer with one alone."""
        if not self.is_bidirectional:
            return ""
        return "forward" if unit < self.width // 2 else "backward"


def choose_units(
    states: np.ndarray, asked: Sequence[int], ranking: Ranking | None, *, most: int
) -> tuple[ShownUnit, ...]:
    """The units to show of `states` float32[tokens, units].

    Those `asked` for, or else those of the strongest findings of the `ranking`, or else, where
    there is none, those that vary most over the text: at most `most`.

    Raises:
        UsageError: there is no such unit.
    """
    width = states.shape[1]
    found = [one for one in ranking.tracked if one.is_found] if ranking is not None else []
    if asked:
        for unit in asked:
            if not 0 <= unit < width:
                raise UsageError(f"--unit {unit}: the layer has units 0 to {width - 1}.")
        chosen = list(dict.fromkeys(asked))
    elif found:
        chosen = list(dict.fromkeys(one.unit for one in found))[:most]
    else:
        chosen = np.argsort(-states.std(axis=0), kind="stable")[:most].tolist()
    return tuple(
        ShownUnit(unit, states[:, unit], tuple(one for one in found if one.unit == unit))
        for unit in chosen
    )
