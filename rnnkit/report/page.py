"""The report of a run as a page: its header, its tiles and its parts."""

from collections.abc import Iterator, Mapping

from rnnkit.report.data_part import data_part
from rnnkit.report.gather import LanguageDetails, Report, SentimentDetails
from rnnkit.report.training_part import training_part
from rnnkit.runs.listing import number as finite
from rnnkit.runs.records import Estimate
from rnnkit.tasks.language_model.sections import corpus_part, position_part, samples_part
from rnnkit.tasks.text_classification.sections import result_parts
from rnnkit.views.frame import whole_page
from rnnkit.views.markup import Html, Part, details, paragraphs, part, table, tag
from rnnkit.views.words import cell, duration, number, setting, share

MARK = "<!doctype html>\n<!-- rnnkit report -->\n"
"""How a report begins; a file that begins otherwise is somebody else's."""

_TITLES = {
    "char_generation": "Character generation",
    "word_generation": "Word generation",
    "text_classification": "Text classification",
    "sentiment": "Text classification",
}

Tile = tuple[str, str, str]
"""Name, value, and what is said below it."""


def render(report: Report) -> str:
    """The page as HTML text, the same for the same report."""
    return whole_page(
        mark=MARK,
        title=f"{report.story.overview.name} · rnnkit report",
        header=_header(report),
        parts=[part for part in _parts(report) if part is not None],
        skip="Skip to the results",
        navigation="Parts of this report",
    )


def _parts(report: Report) -> Iterator[Part | None]:
    match report.details:
        case LanguageDetails() as language:
            yield training_part(report)
            yield position_part(language)
            yield samples_part(report)
            yield corpus_part(language)
        case SentimentDetails() as sentiment:
            yield from result_parts(sentiment)
            yield training_part(report)
            yield data_part(sentiment)
    yield _configuration(report)
    yield _environment(report)


def _header(report: Report) -> Html:
    overview, summary = report.story.overview, report.story.summary
    layers = " × ".join(str(size) for size in overview.units)
    facts = [overview.status, f"{cell(overview.cell)} {layers}".strip()]
    if "parameters" in summary:
        facts.append(f"{summary['parameters']:,} parameters")
    if "finished_at" in summary:
        facts.append(str(summary["finished_at"]).replace("T", " ").replace("+00:00", " UTC"))
    tiles = [
        tag(
            "div",
            tag("dt", name),
            tag(
                "dd",
                tag("span", value, class_="value"),
                tag("span", more, class_="more") if more else None,
            ),
        )
        for name, value, more in _tiles(report)
    ]
    return tag(
        "header",
        tag("p", f"{_TITLES.get(report.task, report.task)} · rnnkit report", class_="eyebrow"),
        tag("h1", overview.name),
        tag("p", " · ".join(facts), class_="facts"),
        paragraphs(report.notes),
        tag("dl", *tiles, class_="tiles") if tiles else None,
    )


def _tiles(report: Report) -> list[Tile]:
    overview, summary = report.story.overview, report.story.summary
    tiles: list[Tile] = []
    scored = report.details.classification if isinstance(report.details, SentimentDetails) else None
    if scored is not None:
        tiles += [
            _score_tile(scored.scores.metrics, key, title, percent=percent)
            for key, title, percent in (
                ("accuracy", f"Accuracy, {scored.split}", True),
                ("macro_f1", "Macro F1", True),
                ("roc_auc", "ROC AUC", False),
                ("ece", "Calibration error", False),
            )
            if key in scored.scores.metrics
        ]
    else:
        tiles += _recorded_tiles(report)
    seconds = None if overview.minutes is None else 60 * overview.minutes
    tiles.append(("Training time", duration(seconds), f"{number(overview.steps)} steps"))
    speed = finite(summary.get("metrics", {}).get("tokens_per_second"))
    if speed is None and report.records:
        speed = finite(report.records[-1].get("tokens_per_second"))
    if speed is not None:
        tiles.append(("Speed", number(speed), "tokens per second"))
    return tiles


def _score_tile(metrics: Mapping[str, Estimate], key: str, title: str, *, percent: bool) -> Tile:
    def written(value: float) -> str:
        return share(value) if percent else number(value, 3)

    score = metrics[key]
    if finite(score.value) is None:
        return title, number(None), "not defined"
    if score.low is None or score.high is None:
        return title, written(score.value), ""
    return title, written(score.value), f"{written(score.low)} to {written(score.high)}"


def _recorded_tiles(report: Report) -> list[Tile]:
    """Scores as training recorded them, of the best evaluation so far."""
    overview = report.story.overview
    record = next((r for r in report.records if r.get("step") == overview.best_step), {})
    tiles: list[Tile] = []
    if overview.validation_loss is not None:
        below = f"nats, step {number(overview.best_step)}"
        tiles.append(("Validation loss", number(overview.validation_loss, 4), below))
    if overview.bits_per_character is not None:
        tiles.append(("Bits per character", number(overview.bits_per_character, 3), "validation"))
    accuracy = finite(record.get("validation_accuracy"))
    if accuracy is not None:
        tiles.append(("Accuracy", share(accuracy), "validation"))
    if overview.validation_loss is None and report.records:
        loss = finite(report.records[-1].get("train_loss"))
        tiles.append(("Training loss", number(loss, 4), "nats; nothing is held out"))
    return tiles


def _configuration(report: Report) -> Part:
    settings = report.story.settings
    rows = [
        (
            tag("span", path),
            tag("span", setting(entry["value"])),
            tag("span", number(None) if entry["default"] is None else setting(entry["default"])),
        )
        for path, entry in settings.items()
    ]
    return part(
        "configuration",
        "Configuration",
        table(
            ("key", "value", "default"),
            rows,
            caption="Keys that differ from the defaults",
            text_columns=(0, 1, 2),
            class_="keys",
        ),
        details("The complete configuration", tag("pre", report.config_text, class_="card")),
    )


def _environment(report: Report) -> Part | None:
    environment, files = report.story.environment, report.story.files
    if not environment:
        return None
    rows = [(name, setting(value)) for name, value in environment.items()]
    sizes = [(name, number(size)) for name, size in files.items() if name != "report.html"]
    return part(
        "environment",
        "Environment",
        table(
            ("", ""),
            rows,
            caption="Where this run was trained",
            text_columns=(0, 1),
            class_="keys",
        ),
        details(
            "Files of the run",
            table(("file", "bytes"), sizes, caption="Files and their sizes", class_="keys"),
        ),
    )
