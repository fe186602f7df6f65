"""From a run and a text to the states of units, and to what they track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnkit.errors import DataError, UsageError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inspection.state_reading import (
    Progress,
    StateArray,
    StateKind,
    check_kind,
    check_layer,
    classifier_states,
    find_state,
    long_text_states,
    text_states,
)
from rnnkit.inspection.tracking import Ranking, Tracked, check_length, rank_units, text_properties
from rnnkit.network.cells import CELLS
from rnnkit.network.reference import Network
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.config import (
    CharGenerationConfig,
    LanguageConfig,
    WordGenerationConfig,
)
from rnnkit.tasks.language_model.evaluation import text_of_files, text_of_run
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.task import config_of_run
from rnnkit.text.encoder import UNKNOWN, TextEncoder
from rnnkit.text.vocabulary import StreamDecoder, label_text

_TOKENS_WITHOUT_TEXT = 300
_TOKENS_TO_LINE = 200  # at most left out before the first whole line


@dataclass(frozen=True)
class StateChoice:
    """What is wanted: which states, of which units, over how much of the text.

    `layer` counts from 0, None is the last one. `kind` None is the cell state of an LSTM and the
    hidden state of other cells. Without `units`, up to `most_units` are chosen.
    """

    layer: int | None = None
    kind: StateKind | None = None
    units: tuple[int, ...] = ()
    most_units: int = 4
    most_tokens: int = 1000


@dataclass(frozen=True)
class RankingText:
    """The text to rank units on: files, or else the held-out text of the run.

    Where there is no such text, or too little, that is an error if the ranking `is_required`, and
    else there is no ranking, and a note that says why.
    """

    files: tuple[str, ...] = ()
    most_tokens: int = 32768
    is_required: bool = True


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
class StateStudy:
    """A text, and the units that are shown over it.

    `layer` counts from 0. `width` is the number of units of the layer; of a bidirectional one
    those of the forward direction come first. `pieces` are the tokens in the text; `spaced` tells
    that there is whitespace between them. `labels` are names of the tokens that can always be
    printed. `ranked_on` says of which text the `ranking` is.
    """

    cell: str
    layer: int
    kind: StateKind
    width: int
    pieces: tuple[str, ...]
    labels: tuple[str, ...]
    units: tuple[ShownUnit, ...]
    notes: tuple[str, ...]
    is_bidirectional: bool = False
    spaced: bool = False
    ranking: Ranking | None = None
    ranked_on: str = ""

    def direction(self, unit: int) -> str:
        """Return the direction in which `unit` reads, "" in a layer with only one."""
        if not self.is_bidirectional:
            return ""
        return "forward" if unit < self.width // 2 else "backward"


def choose_units(
    states: np.ndarray, asked: Sequence[int], ranking: Ranking | None, *, most: int
) -> tuple[ShownUnit, ...]:
    """Choose the units to show of `states` float32[tokens, units].

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


def study_language_run(
    run: RunDirectory,
    text: str | None,
    *,
    choice: StateChoice,
    ranking_text: RankingText | None,
    progress: Progress = lambda done, total: None,
) -> StateStudy:
    """Read `text` with a language model, and rank its units unless `ranking_text` is None.

    Without `text`, the beginning of the second half of the ranking text is shown: the half that
    units were not chosen on. Without both, that of the held-out text.

    Raises:
        UsageError: there is no such layer, state or unit.
        DataError: the text is empty or too short, cannot be read, or has changed.
        RunError: a file of the run is missing or damaged.
    """
    config = config_of_run(run, CharGenerationConfig, WordGenerationConfig)
    session = load_language_model(run)
    cell = CELLS[config.model.cell]
    kind = choice.kind or cell.kinds[-1]
    state = find_state(session, cell=cell, layer=choice.layer, kind=kind)
    notes: list[str] = []
    ids, ranking, ranked_on = None, None, ""
    if ranking_text is not None:
        try:
            ids, ranked_on, found = _long_text(run, config, session, ranking_text)
            ranking = rank_language(session, ids, state, progress=progress)
        except DataError as error:
            if ranking_text.is_required:
                raise
            notes.append(f"No ranking: {str(error).splitlines()[0]}")
        else:
            notes += [*found, *_still_note(ranking, state)]
    if text is None:
        if ids is None:
            ids, _, found = _long_text(run, config, session, ranking_text or RankingText())
            notes += found
        shown = _piece(session, ids)[: choice.most_tokens]
    else:
        read = session.vocabulary.encode(text)
        if not read:
            raise DataError("The text to show is empty.")
        shown = read[: choice.most_tokens]
        notes += _cut_note(len(read), choice.most_tokens)
    notes += _context_note(session.context)
    decoder, states = StreamDecoder(session.vocabulary), text_states(session, shown, state)
    return StateStudy(
        cell=cell.name,
        layer=state.layer,
        kind=kind,
        width=state.units,
        pieces=tuple(decoder.feed(index) for index in shown),
        labels=tuple(session.vocabulary.label(index) for index in shown),
        units=choose_units(states, choice.units, ranking, most=choice.most_units),
        ranking=ranking,
        ranked_on=ranked_on,
        notes=tuple(notes),
    )


def rank_language(
    session: LanguageModel,
    ids: np.ndarray,
    state: StateArray,
    *,
    progress: Progress = lambda done, total: None,
) -> Ranking:
    """Find what the units of a language model track in `ids` unsigned[tokens].

    Raises:
        DataError: the text is too short.
    """
    check_length(len(ids))
    decoder = StreamDecoder(session.vocabulary)
    tokens = np.asarray(ids, dtype=np.int64)
    properties = text_properties([decoder.feed(index) for index in tokens.tolist()])
    states, counted = long_text_states(session, tokens, state, progress=progress)
    return rank_units(states, [entry.part(counted) for entry in properties], tokens[counted])


def study_classifier(
    network: Network, encoder: TextEncoder, text: str, *, choice: StateChoice
) -> StateStudy:
    """Read the tokens of `text` with the network of a classifier.

    Raises:
        UsageError: there is no such layer, state or unit.
        DataError: the text holds no token.
    """
    layer = check_layer(choice.layer, len(network.layers))
    cells = network.layers[layer].cells
    cell, units = cells[0].cell, cells[0].units
    kind = choice.kind or cell.kinds[-1]
    check_kind(kind, cell)
    tokens, ids = encoder.tokenize(text), encoder.encode(text)
    if not tokens:
        raise DataError("The text to show holds no token that the model reads.")
    notes = _cut_note(len(tokens), choice.most_tokens)
    if len(cells) > 1:
        notes.append(
            f"Units from {units} on read backwards: at a token they have read it and all "
            "that follow."
        )
    shown = slice(choice.most_tokens)
    states = classifier_states(network, ids, layer=layer, kind=kind)
    labels = [
        label_text(token) + (" (unknown)" if index == UNKNOWN else "")
        for token, index in zip(tokens, ids, strict=True)
    ]
    return StateStudy(
        cell=cell.name,
        layer=layer,
        kind=kind,
        width=states.shape[1],
        is_bidirectional=len(cells) > 1,
        pieces=tuple(tokens[shown]),
        labels=tuple(labels[shown]),
        spaced=encoder.vocabulary.kind == "words",
        units=choose_units(states[shown], choice.units, None, most=choice.most_units),
        notes=tuple(notes),
    )


def _long_text(
    run: RunDirectory, config: LanguageConfig, session: LanguageModel, wanted: RankingText
) -> tuple[np.ndarray, str, list[str]]:
    """Ids unsigned[tokens] to rank on, what text they are, and what should be said about it."""
    if wanted.files:
        unseen = "skip" if session.vocabulary.unknown_id is None else "unk"
        text = text_of_files(wanted.files, session.vocabulary, encoding="utf-8", unseen=unseen)
        return text.ids[: wanted.most_tokens], ", ".join(wanted.files), list(text.notes)
    try:
        text = text_of_run(run, config, split=None)
    except DataError as error:
        raise DataError(
            f"{error}\nTo do without it, give another text with --rank-data FILE, or --text with "
            "--no-rank."
        ) from error
    # What that function says of a run without held-out text is about scores of the model.
    notes = []
    if text.split == "train":
        notes.append("This run holds no text out, so units are ranked on its training text.")
    return text.ids[: wanted.most_tokens], f"the {text.split} part of the run", notes


def _piece(session: LanguageModel, ids: np.ndarray) -> list[int]:
    """Return tokens from the second half of a text, from the start of a line if one is near."""
    later = ids[len(ids) // 2 :].tolist()
    for place, index in enumerate(later[:_TOKENS_TO_LINE]):
        if session.vocabulary.decode([index]).endswith("\n"):
            later = later[place + 1 :] or later
            break
    return later[:_TOKENS_WITHOUT_TEXT]


def _still_note(ranking: Ranking, state: StateArray) -> list[str]:
    if not ranking.still:
        return []
    hint = "; look at --state hidden" if state.kind == "cell" else ""
    return [
        f"{ranking.still} of {state.units} units stay at one value over the whole ranking text, "
        f"saturated or dead{hint}."
    ]


def _cut_note(tokens: int, most: int) -> list[str]:
    if tokens <= most:
        return []
    return [f"Of {tokens:,} tokens the first {most:,} are shown (--tokens)."]


def _context_note(context: int | None) -> list[str]:
    if context is None:
        return []
    return [
        f"This model reads {context} tokens from a zero state for every prediction: "
        f"what is shown at a token is the state after the {context} that end with it."
    ]
