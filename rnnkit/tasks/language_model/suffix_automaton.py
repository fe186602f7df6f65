"""What a short text shares with a long one, exactly and in one pass over the long one.

The suffix automaton of a text (Blumer et al. 1985) has a path for each of its substrings and
nothing else. Fed with another text, it knows at every place the longest stretch ending there
that is a substring of the first. Here it is walked in many places of the long text at once, with
arrays: a hundred million tokens take seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LANES = 4096
"""Places of the long text that are read side by side."""
STEPS = 256
"""Tokens that are read from each of them before the next places."""

LARGEST_TABLE = 2**24
"""States times different tokens; each takes 12 bytes."""

Progress = Callable[[int, int], None]


class TooLargeError(ValueError):
    """The table of the automaton would not fit into memory."""


@dataclass(frozen=True, eq=False)
class SuffixAutomaton:
    """The automaton of a text as tables. Column 0 is for tokens that the text does not have.

    A state is written as the number of its row times the number of columns, so that state plus
    column is an index of the flat tables:

    `after` int64: the state after a token, following suffix links where there is no transition.
    `most` int32: how much of the match before may stay; one more is the length after.
    `columns` has the column of every token of the text, `prefixes` int64[tokens] the state of
    every prefix, `lengths` and `links` int64[states] are by rows: the longest substring of the
    state, and its suffix link as a row.
    """

    after: np.ndarray
    most: np.ndarray
    width: int
    columns: dict[int, int]
    prefixes: np.ndarray
    lengths: np.ndarray
    links: np.ndarray

    def row_of_length(self, length: int) -> np.ndarray:
        """For every state the row of the one that holds its suffix of `length` tokens, or -1
        where it is shorter: int64[states]."""
        rows = np.arange(len(self.lengths))
        rows[self.lengths < length] = -1
        while True:
            above = self.links[rows]
            shorten = (rows >= 0) & (above >= 0) & (self.lengths[above] >= length)
            if not shorten.any():
                return rows
            rows[shorten] = above[shorten]


def build(text: Sequence[int]) -> SuffixAutomaton:
    """The automaton of a text, built token by token (Blumer et al. 1985).

    Raises:
        TooLargeError: the tables would be too large.
    """
    transitions: list[dict[int, int]] = [{}]
    lengths, links = [0], [-1]
    last = 0
    prefixes = []
    for token in text:
        new = len(transitions)
        transitions.append({})
        lengths.append(lengths[last] + 1)
        links.append(0)
        state = last
        while state >= 0 and token not in transitions[state]:
            transitions[state][token] = new
            state = links[state]
        if state >= 0:
            target = transitions[state][token]
            if lengths[target] > lengths[state] + 1:
                # The substrings of `target` part ways here: the shorter ones get a state of
                # their own.
                clone = len(transitions)
                transitions.append(dict(transitions[target]))
                lengths.append(lengths[state] + 1)
                links.append(links[target])
                links[target] = clone
                while state >= 0 and transitions[state].get(token) == target:
                    transitions[state][token] = clone
                    state = links[state]
                target = clone
            links[new] = target
        last = new
        prefixes.append(new)
    return _tabulate(transitions, lengths, links, prefixes)


def _tabulate(
    transitions: list[dict[int, int]], lengths: list[int], links: list[int], prefixes: list[int]
) -> SuffixAutomaton:
    columns = {token: column for column, token in enumerate(sorted(transitions[0]), start=1)}
    width = len(columns) + 1
    if len(transitions) * width > LARGEST_TABLE:
        raise TooLargeError(f"{len(prefixes):,} tokens, {len(columns):,} of them different")
    after = np.zeros((len(transitions), width), np.int64)
    most = np.full((len(transitions), width), -1, np.int32)
    # A link leads to a shorter state, whose row is complete by then.
    for state in sorted(range(len(transitions)), key=lengths.__getitem__):
        if state:
            after[state], most[state] = after[links[state]], most[links[state]]
        for token, target in transitions[state].items():
            after[state, columns[token]] = target * width
            most[state, columns[token]] = lengths[state]
    return SuffixAutomaton(
        after=after.ravel(),
        most=most.ravel(),
        width=width,
        columns=columns,
        prefixes=np.array(prefixes, np.int64),
        lengths=np.array(lengths, np.int64),
        links=np.array(links, np.int64),
    )


@dataclass(frozen=True, eq=False)
class Shared:
    """What two texts share: the longest common substring has `length` tokens, and `start` is its
    first place in the long text. `present[n]` bool[tokens] says for every place of the short text
    whether the n tokens that end there stand somewhere in the long one."""

    length: int
    start: int
    present: dict[int, np.ndarray]


def compare(
    automaton: SuffixAutomaton,
    corpus: np.ndarray,
    *,
    sizes: Sequence[int] = (),
    lanes: int = LANES,
    steps: int = STEPS,
    progress: Progress = lambda done, total: None,
) -> Shared:
    """Walk through `corpus` unsigned[tokens], which may be memory-mapped.

    `present` is found for every n in `sizes`. Memory does not grow with the corpus.
    """
    walk = _Walk(automaton, sizes)
    column_of = np.zeros(max([*automaton.columns, 0]) + 1, np.int64)
    for token, column in automaton.columns.items():
        column_of[token] = column
    for first in range(0, len(corpus), lanes * steps):
        here = min(lanes * steps, len(corpus) - first)
        starts = first + np.arange(0, here, steps)
        tokens = corpus[first : first + here]
        known = tokens < len(column_of)
        columns = np.zeros(len(starts) * steps, np.int64)
        columns[:here] = column_of[np.where(known, tokens, 0)] * known
        walk.begin(starts)
        for step, column in enumerate(columns.reshape(len(starts), steps).T.copy()):
            walk.read(column, step)
        # A stretch that began in a lane may go on behind its end, in the next one.
        for place in range(steps, len(corpus) - first):
            walk.keep((walk.lengths > place - steps) & (walk.starts + place < len(corpus)))
            if not len(walk.starts):
                break
            tokens = corpus[walk.starts + place]
            known = tokens < len(column_of)
            walk.read(column_of[np.where(known, tokens, 0)] * known, place)
        progress(first + here, len(corpus))
    return walk.result()


class _Walk:
    """The states of all lanes, and what was found so far."""

    def __init__(self, automaton: SuffixAutomaton, sizes: Sequence[int]) -> None:
        self._automaton = automaton
        self._visited = {size: np.zeros(len(automaton.after), np.bool_) for size in sizes}
        self._smallest = min(sizes, default=0)
        self._longest, self._start = 0, 0
        self.begin(np.empty(0, np.int64))

    def begin(self, starts: np.ndarray) -> None:
        """Set out from new places, int64[lanes]."""
        self.starts = starts
        self.lengths = np.zeros(len(starts), np.int32)
        self._states = np.zeros(len(starts), np.int64)

    def keep(self, lanes: np.ndarray) -> None:
        """Go on in these lanes only, bool[lanes]."""
        self.starts = self.starts[lanes]
        self.lengths = self.lengths[lanes]
        self._states = self._states[lanes]

    def read(self, columns: np.ndarray, place: int) -> None:
        """Read one token of every lane: that at `place` from its start."""
        index = self._states + columns
        self._states = self._automaton.after.take(index)
        self.lengths = np.minimum(self.lengths, self._automaton.most.take(index)) + 1
        longest = int(self.lengths.max())
        if longest and longest >= self._longest:
            ends = self.starts[self.lengths == longest] + place
            start = int(ends.min()) - longest + 1
            if longest > self._longest or start < self._start:
                self._longest, self._start = longest, start
        if longest >= self._smallest:
            for size, visited in self._visited.items():
                if longest >= size:
                    visited[self._states[self.lengths >= size]] = True

    def result(self) -> Shared:
        present = {}
        for size, visited in self._visited.items():
            rows = self._automaton.row_of_length(size)
            states = visited.reshape(-1, self._automaton.width)[:, 0]
            found = np.zeros(len(rows) + 1, np.bool_)
            found[rows[states]] = True
            found[-1] = False  # what -1 stands for: shorter than `size`
            present[size] = found[rows[self._automaton.prefixes]]
        return Shared(self._longest, self._start, present)
