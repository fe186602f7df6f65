"""What the units of a network do while it reads a text, and what they track."""

import numpy as np

from rnnkit.errors import UsageError
from rnnkit.inspection.state_reading import Progress
from rnnkit.inspection.state_study import (
    RankingText,
    ShownUnit,
    StateChoice,
    StateStudy,
    study_classifier,
    study_language_run,
)
from rnnkit.inspection.subject import ClassifierSubject, open_run
from rnnkit.inspection.tracking import Ranking
from rnnkit.network.cells import CELLS
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tasks import task as tasks
from rnnkit.views.formats import count, number, shorten
from rnnkit.views.plot import Axis, Figure, HeatMap, Panel
from rnnkit.views.view import (
    Block,
    Cell,
    Column,
    Only,
    Section,
    Text,
    Tile,
    Token,
    Tokens,
    View,
    table,
)

_NAMES = {"hidden": "hidden state", "cell": "cell state, tanh(c)"}

# Of the picture: tokens in a panel, panels, letters of a token.
_TOKENS_IN_ROW, _ROWS_OF_PICTURE, _LABEL_SHOWN = 80, 12, 6


def states_view(
    run: RunDirectory,
    text: str | None = None,
    *,
    choice: StateChoice,
    ranking_text: RankingText | None = None,
    progress: Progress = lambda done, total: None,
) -> View:
    """Show the states of a run over a text and, of a language model, what its units track.

    Args:
        run: finished.
        text: what is read; None is a piece of the ranking text of a language model.
        choice: the states that are shown.
        ranking_text: the text on which units are ranked, None for no ranking.
        progress: called with tokens read for the ranking.

    Raises:
        UsageError: there is no such layer, state or unit, or a classifier lacks a text.
        DataError: a text is empty or too short, cannot be read, or has changed.
        RunError: a file of the run is missing or damaged.
    """
    verify_files(run, run.config)
    if tasks.task_of(tasks.load_config(run.config)).has_decision:
        if ranking_text is not None and ranking_text.is_required:
            raise UsageError("A ranking is for language models; this run is a classifier.")
        if text is None:
            raise UsageError("Nothing to show: give a text with --text or --file.")
        subject = open_run(run)
        assert isinstance(subject, ClassifierSubject)
        study = study_classifier(subject.network, subject.encoder, text, choice=choice)
    else:
        study = study_language_run(
            run, text, choice=choice, ranking_text=ranking_text, progress=progress
        )
    return show_states(study, run=str(run.path))


# ----------------------------------------------------------------------------------------- view


def show_states(study: StateStudy, *, run: str) -> View:
    """Return the view of the units of `run`, a directory."""
    layer = f"Layer {study.layer}: {study.width} units, {study.cell}, {_NAMES[study.kind]}"
    sections = [Section("", printed=layer, on="terminal")]
    if study.ranking is not None:
        sections.append(_ranking_section(study.ranking, study.ranked_on))
    sections += [_unit_section(study, unit) for unit in study.units]
    return View(
        title="States",
        subject=run.rpartition("/")[2],
        sections=tuple(sections),
        document=_document(study, run),
        tiles=(
            Tile("cell", CELLS[study.cell].title),
            Tile("layer", str(study.layer)),
            Tile("units", number(study.width)),
            Tile("shown", _NAMES[study.kind]),
            Tile("text", count(len(study.pieces), "token")),
        ),
        notes=study.notes,
        picture=_picture(study),
    )


def _unit_section(study: StateStudy, unit: ShownUnit) -> Section:
    direction = study.direction(unit.unit)
    heading = f"Unit {unit.unit}" + (f", reads {direction}" if direction else "")
    tracked = ", ".join(one.name for one in unit.tracks)
    scored = ", ".join(f"{one.name} (r = {one.correlation:+.2f})" for one in unit.tracks)
    tokens = tuple(
        Token(piece, float(value), f"{label} {value:+.3f}")
        for piece, label, value in zip(study.pieces, study.labels, unit.values, strict=True)
    )
    return Section(
        heading,
        (Tokens(tokens, spaced=study.spaced),),
        lead=f"Of all units the one that follows best: {scored}." if scored else "",
        printed=f"{heading}: {tracked}" if tracked else heading,
        indent=2,
    )


def _ranking_section(ranking: Ranking, ranked_on: str) -> Section:
    rows = [
        (
            one.name,
            str(one.unit),
            Cell(f"{one.correlation:+.2f}", bar=abs(one.correlation)),
            number(one.chance, 2),
            number(one.token_alone, 2),
            number(one.auc, 3),
            ", ".join(f"{unit} ({r:+.2f})" for unit, r in one.others),
            "" if one.is_found else "not beyond chance",
        )
        for one in ranking.tracked
    ]
    columns = (
        Column("property", "left"), Column("unit"), Column("r"), Column("by chance"),
        Column("token alone"), Column("AUC"), Column("next best units", "left", on="page"),
        Column("", "left"),
    )  # fmt: skip
    blocks: list[Block] = [table(columns, rows, caption="The unit that follows each property best")]
    if ranking.missing:
        blocks.append(Text(f"Not in this text: {', '.join(ranking.missing)}.", muted=True))
    return Section(
        "What units track",
        (*blocks, Only("terminal", (Text(_PRINTED),)), Only("page", (Text(_PAGED, muted=True),))),
        lead=f"Measured on {count(ranking.tokens, 'token')} of {ranked_on}. Each unit was chosen "
        "on the first half of them and scored on the second. r is Pearson's correlation.",
        printed=f"What units track, on {ranking.tokens:,} tokens of {ranked_on}:",
    )


_PRINTED = (
    "Chosen on one half of the text, scored on the other. r: correlation; by chance: |r| of the\n"
    "same unit in 99 of 100 shifts of the text; token alone: r of the best guess from the last "
    "token."
)
_PAGED = (
    "by chance: what |r| of the same unit stays below in 99 of 100 shifts of the text against it. "
    "token alone: r of the best guess from the last token, without any memory; a unit beyond it "
    "remembers. AUC: probability that the unit tells a place with the property from one without "
    "(0.5: it cannot)."
)


def _picture(study: StateStudy) -> Figure:
    """Draw a column for every token and a row for every shown unit, in up to 12 panels."""
    panels = []
    last = min(len(study.pieces), _TOKENS_IN_ROW * _ROWS_OF_PICTURE)
    left = f"; the first {last} of {len(study.pieces)} tokens" if last < len(study.pieces) else ""
    title = (
        f"Layer {study.layer}, {_NAMES[study.kind]}, each unit by its largest value: orange above "
        f"zero, blue below{left}"
    )
    scaled = np.array(
        [unit.values / unit.largest if unit.largest else unit.values for unit in study.units]
    )
    units = Axis(names=tuple(f"unit {unit.unit}" for unit in study.units))
    for start in range(0, last, _TOKENS_IN_ROW):
        end = min(start + _TOKENS_IN_ROW, last)
        names = tuple(shorten(label, _LABEL_SHOWN) for label in study.labels[start:end])
        shown = HeatMap(scaled[:, start:end], 1.0, columns=_TOKENS_IN_ROW)
        panels.append(
            Panel("" if start else title, (shown,), Axis(names=names), units, grid="none")
        )
    height = 0.4 + len(panels) * (0.7 + 0.22 * len(study.units))
    description = f"Heat map of {len(study.units)} units over {last} tokens."
    return Figure("states", tuple(panels), description, width=11.0, height=height)


def _document(study: StateStudy, run: str) -> dict[str, object]:
    return {
        "run": run,
        "cell": study.cell,
        "layer": study.layer,
        "units": study.width,
        "state": study.kind,
        "tokens": list(study.labels),
        "shown": [
            {
                "unit": unit.unit,
                "direction": study.direction(unit.unit) or None,
                "tracks": [one.name for one in unit.tracks],
                "activations": [float(value) for value in unit.values],
            }
            for unit in study.units
        ],
        "ranking": None
        if study.ranking is None
        else _ranking_document(study.ranking, study.ranked_on),
        "notes": list(study.notes),
    }


def _ranking_document(ranking: Ranking, ranked_on: str) -> dict[str, object]:
    return {
        "text": ranked_on,
        "tokens": ranking.tokens,
        "properties": [
            {
                "property": one.name,
                "unit": one.unit,
                "correlation": one.correlation,
                "chance": one.chance,
                "token_alone": one.token_alone,
                "auc": one.auc,
                "found": one.is_found,
                "others": [{"unit": unit, "correlation": r} for unit, r in one.others],
            }
            for one in ranking.tracked
        ],
        "missing": list(ranking.missing),
    }
