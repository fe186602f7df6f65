"""The figures and tables of docs/guides/what-the-options-do.md, from runs.

    python -m bench.guide_figures [--runs-dir runs/guide]     # train what is missing, draw all
    python -m bench.guide_figures --draw                      # from figures/options.json alone

The runs are those of the page: its configuration is laid beside the data, its `rnnkit train`
commands are carried out, and what metrics.jsonl says goes into docs/guides/figures/options.json.
The figures are drawn, and the tables of the page written, from that file.
"""

import argparse
import io
import json
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import REPOSITORY, machine, rnnkit_command, versions
from rnnkit.views.canvas import ON_PAPER, canvas_of, png_of

Runs = Mapping[str, Mapping[str, Any]]

WIDTH, HEIGHT = 7.6, 2.9
SOLID, DASHED = "-", (0, (3, 2))


def _axes(figure: Any, place: tuple[int, int, int], *, title: str, x: str, y: str) -> Any:
    axes = figure.add_subplot(*place)
    axes.grid(visible=False, axis="x")
    axes.set_title(title, loc="left", fontsize=9.5, color=ON_PAPER.ink, pad=7.0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def _curve(
    axes: Any, run: Mapping[str, Any], key: str, colour: int, label: str, *, style: Any = SOLID
) -> None:
    axes.plot(
        run["step"], run[key], color=ON_PAPER.series[colour], linestyle=style, label=label,
        linewidth=1.6,
    )  # fmt: skip


def dropout(runs: Runs, figure: Any) -> None:
    """Training and validation loss on a tenth of the text and on nearly all of it."""
    sides = (
        (1, "a tenth of the text to learn from", "little", "little-dropped", "0.5", (1.0, 2.7)),
        (2, "nine tenths", "gru", "dropped", "0.3", (1.38, 2.25)),
    )
    for place, title, without, with_it, share, limits in sides:
        axes = _axes(
            figure, (1, 2, place), title=title, x="step",
            y="loss (nats per character)" if place == 1 else "",
        )  # fmt: skip
        for colour, (name, label) in enumerate(
            ((without, "no dropout"), (with_it, f"dropout {share}"))
        ):
            _curve(axes, runs[name], "validation_loss", colour, f"{label}, validation")
            _curve(axes, runs[name], "train_loss", colour, f"{label}, training", style=DASHED)
        axes.set_ylim(*limits)
        axes.legend(loc="upper right")


def clipping(runs: Runs, figure: Any) -> None:
    """Loss and gradient where clipping saves the run, loss where it changes little."""
    pair = (("sgd-unclipped", "not clipped"), ("sgd-clipped", "clipped at 1"))
    loss = _axes(
        figure, (1, 3, 1), title="simple RNN, SGD: loss", x="step", y="nats per character, training"
    )
    norm = _axes(figure, (1, 3, 2), title="simple RNN, SGD: gradient", x="step", y="norm")
    for colour, (name, label) in enumerate(pair):
        _curve(loss, runs[name], "train_loss", colour, label)
        _curve(norm, runs[name], "gradient_norm", colour, label)
    _decades(loss)
    _decades(norm)
    loss.set_ylim(top=4000.0)  # room for the legend
    loss.legend(loc="upper right")
    calm = _axes(
        figure, (1, 3, 3), title="GRU, AdamW: loss", x="step", y="nats per character, validation"
    )
    for colour, (name, label) in enumerate((("unclipped", "not clipped"), ("gru", "clipped at 1"))):
        _curve(calm, runs[name], "validation_loss", colour, label, style=(SOLID, DASHED)[colour])
    calm.set_ylim(1.55, 2.7)
    calm.legend(loc="upper right")


def _decades(axes: Any) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


LENGTHS = {4: "length-4", 16: "length-16", 64: "gru", 256: "length-256"}


def truncation(runs: Runs, figure: Any) -> None:
    """Validation loss over time, and the best one against the length of the windows."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    course = _axes(
        figure,
        (1, 2, 1),
        title="while training",
        x="step",
        y="validation loss (nats per character)",
    )
    for colour, (length, name) in enumerate(LENGTHS.items()):
        _curve(course, runs[name], "validation_loss", colour, f"{length} steps")
    course.set_ylim(1.55, 2.7)
    course.legend(loc="upper right")
    best = _axes(figure, (1, 2, 2), title="the best of each", x="data.windows.length", y="")
    losses = [min(runs[name]["validation_loss"]) for name in LENGTHS.values()]
    best.plot(list(LENGTHS), losses, color=ON_PAPER.muted, linewidth=1.0)
    for colour, (length, loss) in enumerate(zip(LENGTHS, losses, strict=True)):
        best.plot([length], [loss], "o", color=ON_PAPER.series[colour], markersize=7)
        best.annotate(
            f"{loss:.3f}", (length, loss), xytext=(7, 7), textcoords="offset points", ha="left"
        )
    best.set_xscale("log", base=2)
    best.xaxis.set_major_locator(FixedLocator(list(LENGTHS)))
    best.xaxis.set_minor_locator(NullLocator())
    best.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    best.set_xlim(3, 600)
    best.margins(y=0.2)


def cells(runs: Runs, figure: Any) -> None:
    """Training and validation loss of the three cells."""
    named = {"simple_rnn": "simple RNN", "gru": "GRU", "lstm": "LSTM"}
    for place, (key, title) in enumerate(
        (("train_loss", "training"), ("validation_loss", "validation")), start=1
    ):
        axes = _axes(
            figure, (1, 2, place), title=title, x="step",
            y="loss (nats per character)" if place == 1 else "",
        )  # fmt: skip
        for colour, (name, label) in enumerate(named.items()):
            _curve(axes, runs[name], key, colour, label)
        axes.set_ylim(1.4, 2.6)
        axes.legend(loc="upper right")


def _picture(paint: Callable[[Runs, Any], None], runs: Runs) -> bytes:
    """A PNG of few colours: curves need no more, and the file is a third of the size."""
    from PIL import Image

    with canvas_of(WIDTH, HEIGHT, ON_PAPER) as canvas:
        paint(runs, canvas)
        drawn = Image.open(io.BytesIO(png_of(canvas)))
    written = io.BytesIO()
    drawn.convert("RGB").quantize(48).save(written, format="png", optimize=True)
    return written.getvalue()


PICTURES: dict[str, Callable[[Runs], bytes]] = {
    paint.__name__: partial(_picture, paint) for paint in (dropout, clipping, truncation, cells)
}
"""Name of the file -> what draws it."""


def with_tables(page: str, runs: Runs) -> str:
    """`page` with every measured table as the runs say."""

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](runs)}\n{match[3]}"

    marked = r"(<!-- measured: (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(marked, replace, page, flags=re.DOTALL)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _best(run: Mapping[str, Any]) -> int:
    """Index of the evaluation with the lowest validation loss."""
    losses = run["validation_loss"]
    return losses.index(min(losses))


def _scores(run: Mapping[str, Any]) -> list[str]:
    """Lowest validation loss, its step, and both losses at the end."""
    best = _best(run)
    return [
        f"{run['validation_loss'][best]:.3f}",
        f"{run['step'][best]:,} of {run['step'][-1]:,}",
        f"{run['train_loss'][-1]:.3f}",
        f"{run['validation_loss'][-1]:.3f}",
    ]


_SCORES = ("best validation loss", "at step", "training loss at the end", "validation loss then")


def dropout_table(runs: Runs) -> str:
    """With and without, on little text and on much."""
    named = {
        "little": ("a tenth", "0.0"),
        "little-dropped": ("a tenth", "0.5"),
        "gru": ("nine tenths", "0.0"),
        "dropped": ("nine tenths", "0.3"),
    }
    rows = [[f"`{name}`", *facts, *_scores(runs[name])] for name, facts in named.items()]
    without, dropped = runs["little"], runs["little-dropped"]
    best = min(without["validation_loss"]) - min(dropped["validation_loss"])
    last = without["validation_loss"][-1] - dropped["validation_loss"][-1]
    rows.append(["`little` less `little-dropped`", "", "", f"{best:.3f}", "", "", f"{last:.3f}"])
    return _table(("run", "learns from", "dropout", *_SCORES), rows)


def clipping_table(runs: Runs) -> str:
    """Highest loss and gradient on the way, and where it ended."""
    named = {
        "sgd-unclipped": ("simple RNN, SGD", "-"),
        "sgd-clipped": ("simple RNN, SGD", "1.0"),
        "unclipped": ("GRU, AdamW", "-"),
        "gru": ("GRU, AdamW", "1.0"),
    }
    rows = []
    for name, facts in named.items():
        run = runs[name]
        rows.append(
            [
                f"`{name}`",
                *facts,
                f"{max(run['train_loss']):.2f}",
                f"{max(run['gradient_norm']):.2f}",
                f"{run['validation_loss'][-1]:.3f}",
            ]
        )
    head = ("run", "network", "`clip_norm`", "highest training loss", "highest gradient norm")
    return _table((*head, "validation loss at the end"), rows)


def truncation_table(runs: Runs) -> str:
    """How far gradients flow back, and what that is worth."""
    named = {"length-4": 4, "length-16": 16, "gru": 64, "length-256": 256}
    rows = [
        [
            f"`{name}`",
            str(length),
            str(4096 // length),
            f"{min(runs[name]['validation_loss']):.3f}",
            f"{min(runs[name]['validation_loss']) - min(runs['gru']['validation_loss']):+.3f}",
        ]
        for name, length in named.items()
    ]
    head = ("run", "`windows.length`", "`batch_size`", "best validation loss", "beside 64")
    return _table(head, rows)


def cells_table(runs: Runs) -> str:
    """The three cells with as many units."""
    rows = [
        [f"`{name}`", f"{runs[name]['parameters']:,}", *_scores(runs[name])]
        for name in ("simple_rnn", "gru", "lstm")
    ]
    return _table(("run", "parameters", *_SCORES), rows)


TABLES: dict[str, Callable[[Runs], str]] = {
    "dropout": dropout_table,
    "clipping": clipping_table,
    "truncation": truncation_table,
    "cells": cells_table,
}


GUIDE = REPOSITORY / "docs" / "guides" / "what-the-options-do.md"
FIGURES = REPOSITORY / "docs" / "guides" / "figures"
RESULTS = FIGURES / "options.json"

CURVES = ("step", "epoch", "train_loss", "validation_loss", "gradient_norm")


def main() -> None:
    """Train, write the results, draw, write the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--draw", action="store_true", help="draw what the results file holds")
    options.add_argument("--runs-dir", type=Path, default=REPOSITORY / "runs" / "guide")
    chosen = options.parse_args()
    if not chosen.draw:
        results = measured(GUIDE.read_text("utf-8"), chosen.runs_dir.resolve())
        FIGURES.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    for name, paint in PICTURES.items():
        (FIGURES / f"{name}.png").write_bytes(paint(results["runs"]))
    GUIDE.write_text(with_tables(GUIDE.read_text("utf-8"), results["runs"]), encoding="utf-8")


def configuration(page: str) -> tuple[str, str]:
    """Name and text of the configuration that the page has its readers save."""
    [(text, name)] = re.findall(r"^```yaml\n(# (\S+\.yaml)\n.*?)^```$", page, flags=re.M | re.S)
    return name, text


def training_commands(page: str) -> dict[str, list[str]]:
    """Run -> arguments of the `rnnkit train` of the page that makes it."""
    commands = {}
    for line in re.findall(r"^\$ rnnkit (train (?:.*\\\n)*.*)$", page, flags=re.M):
        words = shlex.split(line.replace("\\\n", " "))
        commands[words[words.index("--name") + 1]] = words
    return commands


def measured(page: str, runs_dir: Path) -> dict[str, Any]:
    """What the runs of the page came to, trained where they are not in `runs_dir` yet."""
    commands = training_commands(page)
    name, text = configuration(page)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(text, encoding="utf-8")
        (Path(folder) / "data").symlink_to(REPOSITORY / "data")
        for run, arguments in commands.items():
            if not (runs_dir / run / "summary.json").exists():
                command = rnnkit_command(*arguments, "--runs-dir", runs_dir)
                subprocess.run(command, check=True, cwd=folder)
    return {
        "machine": machine(),
        "versions": versions(),
        "runs": {run: course(runs_dir / run) for run in commands},
    }


def course(run: Path) -> dict[str, Any]:
    """Size and curves of a run."""
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    summary = json.loads((run / "summary.json").read_text("utf-8"))["content"]
    return {
        "parameters": summary["parameters"],
        **{key: [round(record[key], 4) for record in records] for key in CURVES},
    }


if __name__ == "__main__":
    main()
