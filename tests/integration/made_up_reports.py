"""Reports without runs: plausible numbers, and texts that a page must not take for markup."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnkit.inference.decision import Decision
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import GenerationDefaults
from rnnkit.inference.scores import score_probabilities, worst_errors
from rnnkit.report import training_section, whole_report
from rnnkit.runs.listing import Overview, RunDetails, Setting
from rnnkit.runs.records import MetricsLine, Sample, Summary
from rnnkit.tasks.language_model import sections as language
from rnnkit.tasks.language_model.scoring import loss_by_position
from rnnkit.tasks.text_classification import sections as classification
from rnnkit.tasks.text_classification.classified import ClassifiedTexts
from rnnkit.tasks.text_classification.evaluation import ClassEvaluation, Mistake
from rnnkit.text.cleaning import TextRules
from rnnkit.text.vocabulary import Vocabulary
from rnnkit.views.view import View

HOSTILE = (
    "</style></script><script>document.title='taken'</script><img src=x onerror=alert(1)> & "
    "\"quotes\" 'single' $x_1$ \x00\x1b\ud800 \u202eoverride 中文 🎉"
)
"""Everything that could break out of a text."""

LONG = "abcdefghij" * 30
"""A word that does not fit on any line."""


def sentiment_report(
    classes: Sequence[str] = ("negative", "positive"),
    *,
    rows: int = 600,
    hostile: bool = False,
    threshold: float | None = None,
    skill: float = 1.7,
    only_class: int | None = None,
) -> View:
    """Return the report of a classifier."""
    evaluation = class_evaluation(
        classes, rows=rows, hostile=hostile, threshold=threshold, skill=skill, only_class=only_class
    )
    data = data_summary(classes, hostile=hostile)
    details = run_details("sentiment", hostile=hostile)
    found = classification.ClassReport(data, maximum_length=50, evaluation=evaluation)
    training = training_section(details)
    own = classification.report_view(found, training=training, lines=details.lines)
    return whole_report(details, own)


def class_evaluation(
    classes: Sequence[str] = ("negative", "positive"),
    *,
    rows: int = 600,
    hostile: bool = False,
    threshold: float | None = None,
    skill: float = 1.7,
    only_class: int | None = None,
) -> ClassEvaluation:
    """A finished classifier. `only_class` labels all texts the same; `skill` is in nats."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(classes), rows)
    if only_class is not None:
        labels[:] = only_class
    logits = rng.normal(size=(rows, len(classes))) * 1.3
    logits[np.arange(rows), labels] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    decision = Decision(1.31, threshold, classes[1] if threshold else None)
    predicted = decision.choose(probabilities, classes)
    texts = [
        "a film that never finds its feet",
        "بداية رائعة لكنها مملة",
        HOSTILE,
        LONG,
        "",
        "\n\n",
    ]
    mistakes = tuple(
        Mistake(
            file=f"reviews{HOSTILE if hostile else ''}.csv",
            row=int(row) + 1,
            label=classes[int(labels[row])],
            predicted=classes[int(predicted[row])],
            probability=float(probabilities[row, predicted[row]]),
            true_probability=float(probabilities[row, labels[row]]),
            text=texts[i % len(texts)],
        )
        for i, row in enumerate(worst_errors(probabilities, labels, predicted, 12))
    )
    return ClassEvaluation(
        run="runs/run",
        texts=ClassifiedTexts(
            texts=[texts[i % len(texts)] for i in range(rows)],
            labels=labels,
            rows=np.arange(rows) + 1,
            files=["reviews.csv"] * rows,
            classes=tuple(classes),
            logits=logits.astype(np.float32),
            probabilities=probabilities,
            split="validation",
            notes=(),
        ),
        data=(),
        decision=decision,
        scores=score_probabilities(
            probabilities, labels, classes, resamples=100, decision=decision
        ),
        worst=mistakes,
        notes=(),
    )


def data_summary(classes: Sequence[str], *, hostile: bool = False) -> dict[str, Any]:
    """Contents of data.json."""
    splits = {"train": 4800, "validation": 600, "test": 600}
    lengths = {"p5": 7, "p25": 14, "p50": 20, "p75": 27, "p95": 38, "max": 56, "mean": 21.25}
    tokens = [".", "the", "a", "<unk>", *([HOSTILE, LONG] if hostile else ["and", "of"])]
    return {
        "rows": splits,
        "classes": {
            name: {split: count // len(classes) for split, count in splits.items()}
            for name in classes
        },
        "length": dict.fromkeys(splits, lengths),
        "length_histogram": {
            "edges": [0, 10, 20, 30, 40, 60],
            "counts": [300, 2000, 2100, 380, 20],
        },
        "truncated": 0.021,
        "vocabulary": {
            "size": 18021,
            "distinct": 19002,
            "coverage": {"train": 0.995, "validation": 0.962, "test": 0.9612},
        },
        "duplicates": 12,
        "contradictory": 2,
        "empty": 0,
        "dropped": {HOSTILE if hostile else "missing text": 3},
        "vectors": {
            "path": HOSTILE if hostile else "vectors/glove.txt",
            "width": 100,
            "found": 15000,
            "coverage": 0.83,
        },
        "top_tokens": [[token, 9000 // (i + 1)] for i, token in enumerate(tokens * 5)],
    }


def language_report(
    *, hostile: bool = False, change: Callable[[RunDetails], RunDetails] = lambda details: details
) -> View:
    """Return the report of a language model whose losses fall with the context."""
    rng = np.random.default_rng(0)

    def run_graph(ids: np.ndarray, states: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        logits = rng.normal(size=(*ids.shape, 4)).astype(np.float32)
        return logits, list(states)

    session = LanguageModel(
        vocabulary=Vocabulary(TextRules(), "characters", tuple("abcd")),
        context=None,
        generation=GenerationDefaults(),
        state_sizes=(2,),
        run_graph=run_graph,
    )
    found = language.LanguageReport(
        task="char_generation",
        unit="characters",
        positions=loss_by_position(session, rng.integers(0, 4, 20_000).astype(np.uint8)),
        split="validation",
        corpus=(("characters", 1_115_394), ("vocabulary", 65)),
    )
    details = change(run_details("char_generation", hostile=hostile))
    own = language.report_view(found, training=training_section(details), lines=details.lines)
    return whole_report(details, replace(own, notes=(HOSTILE,) if hostile else ()))


def run_details(task: str, *, hostile: bool = False) -> RunDetails:
    """Return what the files of a finished run hold."""
    name = f"run{HOSTILE}" if hostile else "run"
    text = HOSTILE if hostile else "ROMEO:\nBut soft"
    scores = ("macro_f1", "balanced_accuracy", "roc_auc") if task == "sentiment" else ()
    lines = []
    for i in range(1, 24):
        rise = 1 - 0.8**i
        loss = 0.7 * 0.93**i + 0.012 * i
        metrics = {
            "train_loss": 0.7 * 0.9**i,
            "validation_loss": loss,
            "validation_accuracy": 0.55 + 0.22 * rise,
            **{f"validation_{score}": 0.54 + 0.22 * rise for score in scores},
            "gradient_norm": 1.2 * 0.9**i,
            "tokens_per_second": 81_000.0 + 100 * i,
        }
        is_language = task == "char_generation"
        if is_language:
            metrics["bits_per_character"] = loss * 1.4427
        lines.append(
            MetricsLine(
                step=100 * i,
                epoch=i / 4,
                seconds=3.1 * i,
                learning_rate=1e-3 * (1 - i / 24),
                metrics=metrics,
                samples=(Sample(0.8, text),) if is_language else (),
            )
        )
    return RunDetails(
        overview=Overview(
            name, f"runs/{name}", "finished", task, "gru", (64, 64), 2300, 2000, 0.404, 0.583,
            minutes=1.2,
        ),
        settings={
            "model.bidirectional": Setting(True, False),
            "data.labels": Setting({"0": text}, None),
        },
        config_text=f"version: 1\ntask: {task}\nname: {text}\n",
        environment={"rnnkit": "0.1.0", "device": text},
        summary=Summary(
            parameters=1234567,
            finished_at="2026-01-02T03:04:05+00:00",
            epochs=5.75,
            stopped_by="early_stopping",
            metrics={"tokens_per_second": 83_000.0},
        ),
        lines=tuple(lines),
        files={"config.yaml": 1234},
    )  # fmt: skip
