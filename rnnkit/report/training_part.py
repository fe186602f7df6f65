"""The part of a report about training: curves and the table behind them."""

from collections.abc import Sequence
from typing import Any

from rnnkit.report.gather import Report
from rnnkit.runs.listing import number as finite
from rnnkit.views.figures import Curve, Marker, course
from rnnkit.views.markup import Html, Part, details, part, table, tag
from rnnkit.views.words import count, duration, number, share, small

ROWS = 60
"""Evaluations in the table; more are thinned."""

_SCORES = (
    ("validation_macro_f1", "macro F1"),
    ("validation_balanced_accuracy", "balanced accuracy"),
    ("validation_roc_auc", "ROC AUC"),
)


def training_part(report: Report) -> Part:
    """Curves of loss, scores, learning rate, gradient norm and speed."""
    records = report.records
    if not records:
        return part("training", "Training", lead="Nothing has been evaluated yet.")
    drawn = [
        _loss_figure(report),
        _accuracy_figure(records),
        _score_figure(records),
        _figure(
            records,
            (("bits_per_character", "validation"),),
            title="Bits per character",
            y_label="bits",
            words="The validation loss in bits per character, which compares across vocabularies",
        ),
        _figure(
            records,
            (("learning_rate", "learning rate"),),
            title="Learning rate",
            y_label="learning rate",
            words="The learning rate that the schedule gave",
            from_zero=True,
        ),
        _figure(
            records,
            (("gradient_norm", "gradient norm"),),
            title="Gradient norm",
            y_label="global norm, before clipping",
            words="The global norm of the gradient",
            from_zero=True,
        ),
        _figure(
            records,
            (("tokens_per_second", "tokens per second"),),
            title="Speed",
            y_label="tokens per second",
            words="Training speed, evaluation and compilation not counted",
            from_zero=True,
        ),
    ]
    return part(
        "training",
        "Training",
        tag("div", *drawn, class_="figures"),
        details("The evaluations as a table", _evaluations(records)),
        lead=_lead(report),
    )


def _lead(report: Report) -> str:
    overview, summary = report.story.overview, report.story.summary
    minutes = overview.minutes
    words = f"{number(overview.steps)} steps"
    if "epochs" in summary:
        words += f" ({summary['epochs']:.4g} epochs)"
    words += f" in {duration(None if minutes is None else 60 * minutes)}"
    if stopped := summary.get("stopped_by"):
        words += f", ended by {str(stopped).replace('_', ' ')}"
    if overview.best_step is not None and report.story.summary:
        words += f". The model of step {overview.best_step:,} was kept"
    return words + "."


def _points(records: Sequence[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    """Steps and values of the records that have a finite one."""
    found = [
        (float(record["step"]), value)
        for record in records
        if (value := finite(record.get(key))) is not None
    ]
    return [step for step, _ in found], [value for _, value in found]


def _curves(records: Sequence[dict[str, Any]], keys: Sequence[tuple[str, str]]) -> list[Curve]:
    curves = [Curve(label, *_points(records, key)) for key, label in keys]
    return [curve for curve in curves if len(curve.x)]


def _figure(
    records: Sequence[dict[str, Any]],
    keys: Sequence[tuple[str, str]],
    *,
    title: str,
    y_label: str,
    words: str,
    best: Marker | None = None,
    from_zero: bool = False,
    percent: bool = False,
    caption: str | None = None,
) -> Html | None:
    """A figure with heading and caption; None when no record has any of the values."""
    curves = _curves(records, keys)
    if not curves:
        return None
    ends = "; ".join(
        f"{curve.label}: {_range(curve, percent=percent)}"
        if len(keys) > 1
        else _range(curve, percent=percent)
        for curve in curves
    )
    picture = course(
        curves,
        name=keys[0][0].replace("_", "-"),
        description=f"{title} over the steps of training. {ends}.",
        y_label=y_label,
        best=best,
        from_zero=from_zero,
        percent=percent,
    )
    return tag(
        "figure", tag("h3", title), picture, tag("figcaption", caption or f"{words}: {ends}.")
    )


def _range(curve: Curve, *, percent: bool) -> str:
    def written(value: float) -> str:
        if percent:
            return share(value)
        return f"{value:,.0f}" if abs(value) >= 1000 else small(value)

    if len(curve.y) == 1:
        return f"{written(curve.y[0])} at step {curve.x[0]:,.0f}"
    return f"from {written(curve.y[0])} to {written(curve.y[-1])}"


def _loss_figure(report: Report) -> Html | None:
    records = report.records
    steps, losses = _points(records, "validation_loss")
    best_step = report.story.overview.best_step
    best = None
    if best_step is not None and float(best_step) in steps:
        value = losses[steps.index(float(best_step))]
        best = Marker(f"kept: {value:.4f}", float(best_step), value)
    return _figure(
        records,
        (("train_loss", "training"), ("validation_loss", "validation")),
        title="Loss",
        y_label="loss (nats)",
        words="Mean loss in nats since the last evaluation (training) and on held-out data "
        "(validation)",
        best=best,
    )


def _accuracy_figure(records: Sequence[dict[str, Any]]) -> Html | None:
    return _figure(
        records,
        (("train_accuracy", "training"), ("validation_accuracy", "validation")),
        title="Accuracy",
        y_label="accuracy",
        words="Share of predictions that are right",
        percent=True,
    )


def _score_figure(records: Sequence[dict[str, Any]]) -> Html | None:
    return _figure(
        records,
        _SCORES,
        title="Other scores on the validation split",
        y_label="score",
        words="Scores on the validation split",
    )


def _evaluations(records: Sequence[dict[str, Any]]) -> Html:
    columns = {
        "step": ("step", 0),
        "epoch": ("epoch", 2),
        "seconds": ("seconds", 1),
        "learning_rate": ("learning rate", 6),
        "train_loss": ("training loss", 4),
        "train_accuracy": ("training accuracy", 4),
        "validation_loss": ("validation loss", 4),
        "validation_accuracy": ("validation accuracy", 4),
        **{key: (label, 4) for key, label in _SCORES},
        "bits_per_character": ("bits per character", 3),
        "gradient_norm": ("gradient norm", 3),
        "tokens_per_second": ("tokens per second", 0),
    }
    records = [record for record in records if record.get("evaluated", True)]
    used = {
        key: column
        for key, column in columns.items()
        if any(finite(record.get(key)) is not None for record in records)
    }
    shown = thin(records, ROWS)
    caption = f"{len(shown)} of {count(len(records), 'evaluation')}, evenly spread"
    return table(
        [title for title, _ in used.values()],
        [
            [number(finite(record.get(key)), digits) for key, (_, digits) in used.items()]
            for record in shown
        ],
        caption=caption if len(shown) < len(records) else count(len(records), "evaluation"),
        text_columns=(),
    )


def thin(values: Sequence[Any], most: int) -> list[Any]:
    """Take `most` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
