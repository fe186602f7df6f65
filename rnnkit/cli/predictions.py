"""How predictions are shown: one line a text, what moved them, and as a JSON document."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import display_width, format_table, printable

if TYPE_CHECKING:
    import numpy as np

    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.text_classification.classifier import Classifier
    from rnnkit.tasks.text_classification.explain import TokenEffect

STRONG_CHANGE = 0.2
"""A change of the probability from which a token is shown in the strongest colour."""


def print_line(
    text: str | None,
    classes: Sequence[str],
    label: int,
    probabilities: "np.ndarray",
    *,
    every: bool,
) -> None:
    """`positive 0.97`, before the text where there are several; `every` shows all classes."""
    names = [printable(name) for name in classes]
    wide = max(map(display_width, names)) if text is not None else 0
    parts = [names[label] + " " * (wide - display_width(names[label]))]
    if every:
        pairs = zip(names, probabilities, strict=True)
        parts[0] += "  " + "  ".join(f"{name} {value:.2f}" for name, value in pairs)
    else:
        parts[0] += f" {probabilities[label]:.2f}"
    if text is not None:
        parts.append(printable(text))
    click.echo("  ".join(parts).rstrip())


def print_explanation(classifier: "Classifier", text: str, label: int) -> None:
    """Tokens in their order with what each adds to the class; coloured on a terminal."""
    from rnnkit.tasks.text_classification.explain import explain

    effects = explain(classifier, text, label=label)
    name = classifier.classes[label]
    if not effects:
        click.echo("  (no token to explain)")
        return
    if sys.stdout.isatty():
        click.echo("  " + " ".join(_coloured(effect) for effect in effects))
        click.echo(f"  green speaks for {name}, red against it")
    rows = [
        (
            printable(effect.token),
            f"{effect.change:+.4f}",
            "" if effect.is_known else "unknown to the model",
        )
        for effect in effects
    ]
    table = format_table(("token", f"adds to {name}", ""), rows, left=("token", ""))
    click.echo("\n".join(f"  {line}" for line in table.split("\n")))


def _coloured(effect: "TokenEffect") -> str:
    token = printable(effect.token)
    strength = min(abs(effect.change) / STRONG_CHANGE, 1.0)
    if strength < 0.05:
        return token
    return click.style(token, fg="green" if effect.change > 0 else "red", bold=strength > 0.5)


def prediction_document(
    directory: "RunDirectory", classifier: "Classifier", texts: Sequence[str], *, explain: bool
) -> dict[str, Any]:
    """What `rnnkit predict --json` prints."""
    from rnnkit.tasks.text_classification.explain import explain as explain_text
    from rnnkit.tasks.text_classification.predict import predict

    predictions = predict(classifier, texts)
    documents = []
    for text, label, shares, empty in zip(
        texts, predictions.labels, predictions.probabilities, predictions.empty, strict=True
    ):
        document: dict[str, Any] = {
            "text": text,
            "label": classifier.classes[label],
            "probability": float(shares[label]),
            "probabilities": dict(zip(classifier.classes, shares.tolist(), strict=True)),
            "empty": bool(empty),
        }
        if explain:
            document["tokens"] = [
                {"token": effect.token, "change": effect.change, "known": effect.is_known}
                for effect in explain_text(classifier, text, label=int(label))
            ]
        documents.append(document)
    decision = classifier.decision
    return {
        "run": str(directory.path),
        "classes": list(classifier.classes),
        "temperature": decision.temperature,
        "threshold": decision.threshold,
        "predictions": documents,
    }
