"""The parts of a report that only a language model has: samples and loss by position."""

from typing import Any

from rnnkit.report.gather import LanguageDetails, Report
from rnnkit.report.training_part import thin
from rnnkit.runs.listing import number as finite
from rnnkit.views.figures import loss_by_position
from rnnkit.views.markup import Html, Part, details, part, table, tag
from rnnkit.views.words import clip, count, number, setting

SHOWN_AT_ONCE = 4
"""Evaluations whose samples are seen without unfolding."""

MOST_SAMPLES = 24
SAMPLE_LENGTH = 2000


def position_part(language: LanguageDetails) -> Part | None:
    """What context is worth to the model."""
    found = language.positions
    if found is None:
        return None
    bands = found.bands
    first, last = bands[0], bands[-1]
    # The first group that is as good as the last one: what is further back hardly matters.
    reach = next(band for band in bands if band.mean <= last.high)
    unit = language.unit
    lead = (
        f"Read from a zero state, the {language.split} text costs {first.mean:.3f} nats after one "
        f"{unit.removesuffix('s')} and {last.mean:.3f} after {_span(last.first, last.last)}. "
        + (
            f"From about {count(reach.first, unit.removesuffix('s'))} on, more context no longer "
            "helps measurably."
            if reach is not last
            else "More context still helps at the end of the window."
        )
    )
    picture = loss_by_position(
        found.mean,
        [((band.first * band.last) ** 0.5, band.mean, band.low, band.high) for band in bands],
        name="position",
        description=f"Loss by position in the window. {lead}",
        unit=unit,
    )
    rows = [
        (
            _span(band.first, band.last),
            number(band.mean, 4),
            f"{band.low:.4f} to {band.high:.4f}",
            number(band.mean - last.mean, 4),
        )
        for band in bands
    ]
    return part(
        "position",
        "Loss by position",
        tag(
            "div",
            tag(
                "figure",
                picture,
                tag(
                    "figcaption",
                    f"Mean of {count(found.windows, 'window')} that do not overlap.",
                ),
            ),
            table(
                (f"{unit} read", "loss (nats)", "95 % interval", "above the last"),
                rows,
                caption="Loss by the length of what was read before",
            ),
            class_="pair",
        ),
        lead=lead,
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def samples_part(report: Report) -> Part | None:
    """What the model wrote during training, the newest first."""
    records = [record for record in report.records if record.get("samples")]
    if not records:
        return None
    shown = thin(records, MOST_SAMPLES)
    chosen = thin(shown, SHOWN_AT_ONCE)
    rest = [record for record in shown if record not in chosen]
    return part(
        "samples",
        "Samples over training",
        tag("ol", *(_sample(record) for record in chosen), class_="samples"),
        details(
            f"{count(len(rest), 'evaluation')} between these",
            tag("ol", *(_sample(record) for record in rest), class_="samples"),
        )
        if rest
        else None,
        lead=f"Text that the model wrote at {count(len(records), 'evaluation')}, in order.",
    )


def _sample(record: dict[str, Any]) -> Html:
    loss = finite(record.get("validation_loss"))
    heading = f"Step {record['step']:,}"
    if loss is not None:
        heading += f" · validation loss {loss:.4f}"
    texts = []
    samples = record["samples"] if isinstance(record["samples"], list) else []
    for sample in samples:
        if isinstance(sample, dict):
            label = f"temperature {setting(sample.get('temperature'))}"
            texts.append(tag("p", label, class_="label"))
            texts.append(tag("pre", clip(str(sample.get("text", "")), SAMPLE_LENGTH), dir="auto"))
    return tag("li", tag("h3", heading), *texts, class_="card")


def corpus_part(language: LanguageDetails) -> Part | None:
    """How much text there was."""
    if not language.corpus:
        return None
    return part(
        "data",
        "Data",
        table(
            ("", "count"),
            [(name, number(value)) for name, value in language.corpus],
            caption="The text and its parts",
        ),
    )
