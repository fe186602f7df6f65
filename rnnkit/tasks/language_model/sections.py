"""Sections of a report that only a language model has: loss by position, samples, text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rnnkit.data.splits import SplitName
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.records import MetricsLine
from rnnkit.tasks.language_model.config import LanguageConfig
from rnnkit.tasks.language_model.evaluation import text_of_run
from rnnkit.tasks.language_model.scoring import PositionLosses, loss_by_position
from rnnkit.views.formats import clip, count, number, setting, thin
from rnnkit.views.plot import Axis, Band, Figure, Line, Panel
from rnnkit.views.view import Entries, Entry, Group, Pair, Section, View, table

SHOWN_AT_ONCE = 4
"""Evaluations whose samples are seen without unfolding."""

MOST_SAMPLES = 24
SAMPLE_LENGTH = 2000

_TITLES = {"char_generation": "Character generation", "word_generation": "Word generation"}


@dataclass(frozen=True)
class LanguageReport:
    """What a report shows of a language model beside its training."""

    task: str
    unit: str
    """What a token is: characters, bytes, words, subwords."""
    positions: PositionLosses | None = None
    """None where the text is gone or training has not finished."""
    split: SplitName | None = None
    """The split of `positions`."""
    corpus: tuple[tuple[str, int], ...] = ()
    """Tokens of the text and its splits, and of the vocabulary."""
    notes: tuple[str, ...] = ()


def read_report(
    run: RunDirectory,
    config: LanguageConfig,
    *,
    split: SplitName | None,
    scored: bool,
    announce: Callable[[str], None],
) -> LanguageReport:
    """Read the data of a report, and where `scored` compute the loss by position.

    Raises:
        DataError: the text is missing or has changed, or the split is empty.
        RunError: a file is missing or damaged.
    """
    if not scored:
        return LanguageReport(config.task, config.data.tokens)
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.language_model.model import load_language_model

    session = load_language_model(run)
    text = text_of_run(run, config, split=split)
    announce(f"Reading the {text.split} text for the loss by position")
    prepared = prepare(config)
    return LanguageReport(
        task=config.task,
        unit=config.data.tokens,
        positions=loss_by_position(session, text.ids),
        split=text.split,
        corpus=(
            ("characters", prepared.characters),
            ("training tokens", len(prepared.split("train"))),
            ("validation tokens", len(prepared.split("validation"))),
            ("test tokens", len(prepared.split("test"))),
            ("vocabulary", prepared.vocabulary.size),
        ),
        notes=text.notes,
    )


def report_view(found: LanguageReport, *, training: Section, lines: Sequence[MetricsLine]) -> View:
    """Return the sections of a report in their order, `training` first."""
    return View(
        title=_TITLES[found.task],
        subject="",
        command="report",
        sections=(training, *_positions(found), *_samples(lines), *_corpus(found)),
        notes=found.notes,
    )


def _positions(found: LanguageReport) -> tuple[Section, ...]:
    """Return the section on how much context helps."""
    losses = found.positions
    if losses is None:
        return ()
    first, last = losses.bands[0], losses.bands[-1]
    # The first group that is as good as the last one: context beyond it hardly matters.
    reach = next(band for band in losses.bands if band.mean <= last.high)
    unit = found.unit.removesuffix("s")
    lead = (
        f"Read from a zero state, the {found.split} text costs {first.mean:.3f} nats after one "
        f"{unit} and {last.mean:.3f} after {_span(last.first, last.last)}. "
        + (
            f"From about {count(reach.first, unit)} on, more context no longer helps measurably."
            if reach is not last
            else "More context still helps at the end of the window."
        )
    )
    rows = [
        (
            _span(band.first, band.last),
            number(band.mean, 4),
            f"{band.low:.4f} to {band.high:.4f}",
            number(band.mean - last.mean, 4),
        )
        for band in losses.bands
    ]
    by_length = table(
        (f"{found.unit} read", "loss (nats)", "95 % interval", "above the last"),
        rows,
        left=(f"{found.unit} read",),
        caption="Loss by the number of tokens read before",
    )
    return (
        Section(
            "Loss by position",
            (Pair((_position_figure(found, losses, lead),), (by_length,)),),
            lead=lead,
            name="position",
        ),
    )


def _position_figure(found: LanguageReport, losses: PositionLosses, lead: str) -> Figure:
    """Return loss against the tokens read before, every doubling equally wide."""
    bands = losses.bands
    places = [(band.first * band.last) ** 0.5 for band in bands]
    low, high = [band.low for band in bands], [band.high for band in bands]
    every = list(range(1, len(losses.mean) + 1))
    panel = Panel(
        "loss (nats)",
        (
            Line("every position", every, losses.mean, colour=0, kind="faint"),
            Band("95 % interval", places, low, high),
            Line("mean of a group", places, [band.mean for band in bands], colour=1),
        ),
        x=Axis(f"{found.unit} read before the prediction", scale="log2"),
        legend="upper right",
    )
    return Figure(
        "position-losses",
        (panel,),
        description=f"Loss by position in the window. {lead}",
        caption=f"Mean of {count(losses.windows, 'window')} that do not overlap.",
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def _samples(lines: Sequence[MetricsLine]) -> tuple[Section, ...]:
    """Return the section of texts generated during training."""
    sampled = [line for line in lines if line.samples]
    if not sampled:
        return ()
    shown = thin(sampled, MOST_SAMPLES)
    chosen = thin(shown, SHOWN_AT_ONCE)
    rest = [line for line in shown if line not in chosen]
    blocks = [Entries(tuple(map(_sample, chosen)))]
    folded = (
        Group(
            f"{count(len(rest), 'evaluation')} between these", (Entries(tuple(map(_sample, rest))),)
        ),
    )
    lead = f"Text generated at {count(len(sampled), 'evaluation')}, in order."
    return (
        Section(
            "Samples over training", (*blocks, *(folded if rest else ())), lead=lead, name="samples"
        ),
    )


def _sample(line: MetricsLine) -> Entry:
    loss = line.metric("validation_loss")
    heading = f"Step {line.step:,}" + ("" if loss is None else f" · validation loss {loss:.4f}")
    texts = [
        (f"temperature {setting(sample.temperature)}", clip(sample.text, SAMPLE_LENGTH))
        for sample in line.samples
    ]
    return Entry(tuple(texts), heading=heading, verbatim=True)


def _corpus(found: LanguageReport) -> tuple[Section, ...]:
    if not found.corpus:
        return ()
    rows = [(name, number(value)) for name, value in found.corpus]
    counts = table(("", "count"), rows, left=("",), caption="The text and its splits")
    return (Section("Data", (counts,), name="data"),)
