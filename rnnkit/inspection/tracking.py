"""Which unit tracks which property of a text, and how much of that is chance.

The best of 512 units always correlates with something. So a unit is chosen on the first half of
the text and scored on the second, beside two scores that it has to beat: what the same unit
reaches when the text is shifted against it, and what the last token alone tells.

The properties follow Karpathy, Johnson and Fei-Fei 2016 ("Visualizing and understanding recurrent
networks"), who found units for quotes, line length, indentation and brackets by eye.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnnkit.errors import DataError

LEAST_TOKENS = 1000
"""Below this, a score on half of them says little."""

CHANCE_QUANTILE = 0.99

_LEAST_SHIFT = 0.05  # of the half: so far apart that neighbours no longer say the same
_OTHERS = 3


@dataclass(frozen=True)
class Tracked:
    """The unit that follows a property best, by the first half of the text.

    The other numbers are of the second half. `correlation` is Pearson's r, from -1 to 1 (for a
    flag the point-biserial correlation). `chance` is what |r| of this unit stays below in 99 of
    100 shifts of the text against it. `token_alone` is the r of the best guess from the last
    token: a unit beyond it remembers something. `auc` is the probability that the unit, with the
    sign it had in the first half, is higher at a random token with the flag than at one without;
    None for counts. `others` are the next best units of the first half, with their r.
    """

    name: str
    unit: int
    correlation: float
    chance: float
    token_alone: float
    auc: float | None
    others: tuple[tuple[int, float], ...]
    is_found: bool
    """Whether r is beyond chance, with the same sign in both halves."""

    @property
    def remembers(self) -> bool:
        """Whether the unit knows more than the last token tells."""
        return self.is_found and abs(self.correlation) > abs(self.token_alone)


@dataclass(frozen=True)
class Ranking:
    """What units track, and the properties that could not be scored.

    First come properties of which a unit knows more than the last token tells, then the other
    findings, then what is not beyond chance; the strongest first in each.

    `tokens` were read. `still` units do not move at all, as saturated cells of an LSTM. `missing`
    are the names of the properties that do not vary in one of the halves.
    """

    tracked: tuple[Tracked, ...]
    missing: tuple[str, ...]
    tokens: int
    still: int


def rank_units(states: np.ndarray, properties: "Sequence[Property]", ids: np.ndarray) -> Ranking:
    """Find the unit for every property.

    Args:
        states: float32[tokens, units], after each token.
        properties: of the same tokens.
        ids: integer[tokens], the tokens themselves.

    Raises:
        DataError: there are fewer than LEAST_TOKENS tokens.
    """
    tokens = len(states)
    check_length(tokens)
    half = tokens // 2
    first, second = _standardize(states[:half]), _standardize(states[half:])
    tracked: list[Tracked] = []
    missing: list[str] = []
    for entry in properties:
        before, after = (
            _standardize(part[:, np.newaxis])[:, 0]
            for part in (entry.values[:half], entry.values[half:])
        )
        if not before.any() or not after.any():
            missing.append(entry.name)
            continue
        chosen = first.T @ before
        best, *others = np.argsort(-np.abs(chosen), kind="stable")[: _OTHERS + 1].tolist()
        score = float(second[:, best] @ after)
        chance = _chance(second[:, best], after)
        sign = 1.0 if chosen[best] >= 0 else -1.0
        tracked.append(
            Tracked(
                name=entry.name,
                unit=best,
                correlation=score,
                chance=chance,
                token_alone=_token_alone(entry.values, ids, half),
                auc=area(sign * second[:, best], entry.values[half:] > 0)
                if entry.is_flag
                else None,
                others=tuple((unit, float(second[:, unit] @ after)) for unit in others),
                is_found=sign * score > chance,
            )
        )
    tracked.sort(key=lambda one: (not one.remembers, not one.is_found, -abs(one.correlation)))
    still = int((~first.any(axis=0) & ~second.any(axis=0)).sum())
    return Ranking(tuple(tracked), tuple(missing), tokens, still)


def check_length(tokens: int) -> None:
    """Refuse a text on which nothing can be told from chance.

    Raises:
        DataError: it has fewer than LEAST_TOKENS tokens.
    """
    if tokens < LEAST_TOKENS:
        raise DataError(
            f"The text to rank units on has {tokens} tokens; at least {LEAST_TOKENS} are needed "
            "to tell a finding from chance. Give a longer one with --rank-data FILE, or choose "
            "units with --unit."
        )


def _standardize(values: np.ndarray) -> np.ndarray:
    """Scale columns to mean 0 and length 1, float64: dot products are correlations; 0 stays 0."""
    centred = values.astype(np.float64)
    centred -= centred.mean(axis=0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    # What varies by rounding alone does not vary.
    constant = lengths <= 1e-7 * np.sqrt(len(values)) * np.maximum(np.abs(values).max(axis=0), 1e-7)
    centred[:, constant] = 0.0
    return centred / np.where(constant, 1.0, lengths)


def _chance(unit: np.ndarray, values: np.ndarray) -> float:
    """Bound |r| in most circular shifts of `values` against `unit`.

    Both float64[tokens], standardised. A shift keeps how slowly each of the two moves, which a
    shuffle would not: two slow curves correlate by chance much more than white noise does. Where a
    text repeats itself, shifts by its period find it again, and the bound is too careful. All
    shifts at once are one product of Fourier transforms.
    """
    size = len(unit)
    shifted = np.fft.irfft(np.fft.rfft(values) * np.conj(np.fft.rfft(unit)), n=size)
    least = max(1, int(size * _LEAST_SHIFT))
    return float(np.quantile(np.abs(shifted[least : size - least + 1]), CHANCE_QUANTILE))


def _token_alone(values: np.ndarray, ids: np.ndarray, half: int) -> float:
    """Correlation, in the second half, between a property and its mean per token in the first."""
    size = int(ids.max()) + 1
    counts = np.bincount(ids[:half], minlength=size)
    sums = np.bincount(ids[:half], weights=values[:half], minlength=size)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), values[:half].mean())
    pair = np.stack([means[ids[half:]], values[half:]], axis=1)
    guess, truth = _standardize(pair).T
    return float(guess @ truth)


def area(scores: np.ndarray, flags: np.ndarray) -> float:
    """Compute the area under the ROC curve of `scores` float64[n] for `flags` bool[n].

    Ties count half. Both values of `flags` have to occur.
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positive = int(flags.sum())
    above = ranks[flags].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(flags) - positive)))


# ------------------------------------------------------------------------- properties of a text

_OPENS_QUOTE = frozenset("“„«")
_CLOSES_QUOTE = frozenset("”»")
_SENTENCE_END = frozenset(".!?")
_TAB_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class Property:
    """One property of a text after each token, float64[tokens].

    `is_flag` tells that the values are 0 and 1; otherwise they are counts.
    """

    name: str
    values: np.ndarray
    is_flag: bool

    def part(self, tokens: slice) -> "Property":
        """Return the property of some of the tokens."""
        return replace(self, values=self.values[tokens])


def text_properties(pieces: Sequence[str]) -> list[Property]:
    """Compute every property after every token.

    `pieces` are the texts of the tokens. A token that completes no character (a byte inside one)
    has the properties of the character before it. Those called "next" are about the character that
    follows, which the model has not read yet; at the end of the text nothing follows.

    Quotes, brackets and angle brackets that are never closed end at the next empty line.
    """
    text = "".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    values = np.zeros((len(text) + 2, len(_NAMES)))  # zero before the text and after it
    reader = _Reader()
    for place, character in enumerate(text, start=1):
        values[place] = list(reader.read(character).values())
    return [
        *(
            Property(name, values[ends, place], is_flag=name not in _COUNTS)
            for place, name in enumerate(_NAMES)
        ),
        *(
            Property(name.replace(" read", " next"), values[ends + 1, place], is_flag=True)
            for place, name in enumerate(_NAMES)
            if name.endswith(" read")
        ),
    ]


class _Reader:
    """The state of a text so far."""

    def __init__(self) -> None:
        self.in_quotes = self.in_angles = self.word_is_capital = False
        self.brackets = self.line = self.indentation = self.word = self.sentence = 0
        self.line_is_empty = True

    def read(self, character: str) -> dict[str, int]:
        """Read one character and return the properties after it."""
        if character == "\n":
            if self.line_is_empty:  # an empty line ends what was left open
                self.in_quotes = self.in_angles = False
                self.brackets = 0
            self.line = self.indentation = 0
            self.line_is_empty = True
        else:
            self.line += 1
            self._indent(character)
        self._enclose(character)
        if character.isalnum() or (character in "'’" and self.word):
            self.word_is_capital = (
                self.word_is_capital or not self.word
            ) and not character.islower()
            self.word += 1
        else:
            self.word = 0
        self.sentence = 0 if character in _SENTENCE_END else self.sentence + 1
        return {
            "position in line": self.line,
            "indentation of line": self.indentation,
            "position in word": self.word,
            "position in sentence": self.sentence,
            "bracket depth": self.brackets,
            "inside quotes": self.in_quotes,
            "inside <...>": self.in_angles,
            "inside word in capitals": self.word > 1 and self.word_is_capital,
            "white space read": character.isspace(),
            "line break read": character == "\n",
            "capital letter read": character.isupper(),
            "digit read": character.isdigit(),
            "punctuation read": unicodedata.category(character).startswith("P"),
        }

    def _indent(self, character: str) -> None:
        if not character.isspace():
            self.line_is_empty = False
        elif self.line_is_empty:
            self.indentation += _TAB_COLUMNS if character == "\t" else 1

    def _enclose(self, character: str) -> None:
        if character == '"':
            self.in_quotes = not self.in_quotes
        elif character in _OPENS_QUOTE:
            self.in_quotes = True
        elif character in _CLOSES_QUOTE:
            self.in_quotes = False
        elif character in "([{":
            self.brackets += 1
        elif character in ")]}":
            self.brackets = max(self.brackets - 1, 0)
        elif character == "<":
            self.in_angles = True
        elif character == ">":
            self.in_angles = False


_NAMES = tuple(_Reader().read(" "))
_COUNTS = _NAMES[:5]
