"""Write the measured tables of README.md anew from bench/results.json.

    python bench/tables.py

A table stands between `<!-- measured: NAME -->` and `<!-- end -->`; what is between is replaced.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

DATA = {
    "shakespeare": "tinyshakespeare, 1.1 MB; last 10 % held out",
    "hello": "`hello world`",
}
"""What a configuration learns from; the tutorials that are not here learn their own texts."""


def main() -> None:
    """Replace the tables."""
    readme = ROOT / "README.md"
    readme.write_text(with_tables(readme.read_text("utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """`text` with every measured table as the results say."""
    results = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](results)}\n{match[3]}"

    return re.sub(r"(<!-- measured: (\w+) -->)\n.*?(<!-- end -->)", replace, text, flags=re.DOTALL)


def machine_line(results: dict[str, Any]) -> str:
    """Where it was measured."""
    return f"Measured by `make bench` on: {results['machine']}."


def configs_table(results: dict[str, Any]) -> str:
    """One row for every ready configuration."""
    lines = [
        "| configuration | learns from | model | training | loss on the stream or own windows "
        "| windows of 64 / 256 | bits per character |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["quality"]["configs"]:
        name, metrics = row["config"], row["metrics"]
        data = DATA.get(name, "`hello world`" if "hello" in name else "one sentence")
        windows = [metrics.get(f"window_{length}_loss") for length in (64, 256)]
        apart = " / ".join(f"{w['value']:.3f}" for w in windows if w) or "-"
        lines.append(
            f"| [{name}](configs/{name}.yaml) | {data} | {row['parameters']:,} parameters "
            f"| {row['training_seconds']:.0f} s | {with_interval(metrics['loss'])} | {apart} "
            f"| {metrics['bits_per_character']['value']:.3f} |"
        )
    return "\n".join(lines)


def with_interval(estimate: dict[str, float | None]) -> str:
    """`1.576 (1.558 to 1.595)`, or the value alone."""
    if estimate["low"] is None:
        return f"{estimate['value']:.4f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def generation_table(results: dict[str, Any]) -> str:
    """Start-up and speed of generating."""
    names = {
        "import_tensorflow_seconds": ('`python -c "import tensorflow"`', "{:.2f} s"),
        "generate_200_seconds": ("`rnnkit generate`, 200 characters, whole process", "{:.3f} s"),
        "cold_start_ratio": ("the first over the second", "{:.1f}"),
        "command_tokens_per_second": ("characters per second, the command", "{:,.0f}"),
        "library_tokens_per_second": ("characters per second, in Python", "{:,.0f}"),
    }
    return "\n".join(spread_table("one GRU layer of 256", names, results))


def start_table(results: dict[str, Any]) -> str:
    """Start-up of every command that needs no TensorFlow, against its import."""
    names = {
        "help_ratio": ("`rnnkit --help`", "{:.1f}"),
        "cold_start_ratio": ("`rnnkit generate`, 200 characters", "{:.1f}"),
        "evaluate_ratio": ("`rnnkit evaluate`, 1,000 characters", "{:.1f}"),
    }
    heading = "whole process, how often it fits into `import tensorflow`"
    return "\n".join(spread_table(heading, names, results))


def spread_table(
    heading: str, names: dict[str, tuple[str, str]], results: dict[str, Any]
) -> Iterator[str]:
    """Rows of the generation benchmark: key -> label and form of its numbers."""
    yield f"| {heading} | median | lowest | highest |"
    yield "|---|---|---|---|"
    for key, (label, form) in names.items():
        figures = results["generation"]["summary"][key]
        cells = " | ".join(form.format(figures[part]) for part in ("median", "lowest", "highest"))
        yield f"| {label} | {cells} |"


SIDES = {
    "keras": "Keras",
    "keras_xla": "Keras with XLA",
    "torch": "PyTorch",
    "torch_bf16": "PyTorch bfloat16",
}


def training_table(results: dict[str, Any]) -> str:
    """Speed of training with batches of 64, and how often it is that of others."""
    rows = results["training"]["rows"]
    sides = [name for name in SIDES if name in rows[0]["rnnkit_over"]]
    scored = [name for name in ("rnnkit", "keras", "torch") if name in rows[0]["sides"]]
    names = " | ".join(f"over {SIDES[name]}" for name in sides)
    losses = " / ".join(SIDES.get(name, name) for name in scored)
    lines = [
        f"| network | rnnkit, characters/s | {names} | loss: {losses} |",
        "|---" * (len(sides) + 3) + "|",
    ]
    for row in rows:
        if row["batch"] != 64:
            continue
        layers = f"{row['layers']} x " if row["layers"] > 1 else ""
        speed = row["sides"]["rnnkit"]["characters_per_second"]["median"]
        ratios = " | ".join(ratio_with_spread(row["rnnkit_over"][name]) for name in sides)
        losses = " / ".join(f"{row['sides'][name]['loss_of_last_turn']:.3f}" for name in scored)
        lines.append(
            f"| {row['cell']} {layers}{row['units']} | {speed:,.0f} | {ratios} | {losses} |"
        )
    return "\n".join(lines)


def ratio_with_spread(figures: dict[str, float]) -> str:
    """`2.10 (2.05 to 2.18)`."""
    return f"{figures['median']:.2f} ({figures['lowest']:.2f} to {figures['highest']:.2f})"


def time_to_loss_table(results: dict[str, Any]) -> str:
    """When the validation loss was low enough."""
    lines = [
        "| validation loss | updates | since the start of the process | in the training loop |",
        "|---|---|---|---|",
    ]
    for row in results["time_to_loss"]["rows"]:
        lines.append(
            f"| {row['loss']:.3f} | {row['steps']:,} | {row['process_seconds']['median']:.1f} s "
            f"| {row['training_seconds']['median']:.1f} s |"
        )
    return "\n".join(lines)


def memory_table(results: dict[str, Any]) -> str:
    """Peak memory of training against the size of the text."""
    lines = ["| text | peak memory of `rnnkit train` | above the smallest |", "|---|---|---|"]
    for row in results["training_memory"]["rows"]:
        lines.append(
            f"| {row['text_mb']:,} MB | {row['peak_mb']:,.0f} MB | {row['above_mb']:,.0f} MB |"
        )
    return "\n".join(lines)


TESTED_ON = {
    "rt_polarity": "10,662 sentences of reviews, mean of 10 folds",
    "imdb": "IMDB, 24,904 reviews, a fifth held out",
    "sentiment140": "15,989 tweets of Sentiment140, mean of 5 folds",
}


def classifiers_table(results: dict[str, Any]) -> str:
    """Accuracy of the classifiers on texts they never saw."""
    lines = ["| texts | accuracy (95 %) | training | command |", "|---|---|---|---|"]
    for name, texts in TESTED_ON.items():
        if name in results["sentiment"]:
            row = results["sentiment"][name]
            value, low, high = (100 * row["accuracy"][key] for key in ("value", "low", "high"))
            longest = " at most a fold" if "crossval" in row["command"] else ""
            lines.append(
                f"| {texts} | {value:.1f} % ({low:.1f} to {high:.1f}) "
                f"| {row['training_seconds']:.0f} s{longest} | `{row['command']}` |"
            )
    return "\n".join(lines)


def predict_table(results: dict[str, Any]) -> str:
    """Speed and memory of labelling tables."""
    found = results["sentiment"]["predict"]
    lines = [
        "| `rnnkit predict --input` | median | lowest | highest | peak memory |",
        "|---|---|---|---|---|",
    ]
    for table in found["tables"]:
        seconds = sorted(table["seconds"])
        low, middle, high = (seconds[i] for i in (0, len(seconds) // 2, -1))
        lines.append(
            f"| {table['rows']:,} rows | {middle:.1f} s | {low:.1f} s | {high:.1f} s "
            f"| {table['peak_megabytes']:.0f} MB |"
        )
    rate = found["rows_per_second"]
    lines.append(f"| rows per second after the start | {rate:,.0f} | | | |")
    return "\n".join(lines)


def tokenize_table(results: dict[str, Any]) -> str:
    """Time to cut texts into words, by their number."""
    lines = ["| texts | seconds, median | lowest | highest |", "|---|---|---|---|"]
    for rows, seconds in results["sentiment"]["tokenize"]["seconds"].items():
        cells = " | ".join(f"{seconds[key]:.2f}" for key in ("median", "low", "high"))
        lines.append(f"| {int(rows):,} | {cells} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "configs": configs_table,
    "generation": generation_table,
    "start": start_table,
    "classifiers": classifiers_table,
    "predict": predict_table,
    "tokenize": tokenize_table,
    "training": training_table,
    "time_to_loss": time_to_loss_table,
    "memory": memory_table,
    "machine": machine_line,
}

if __name__ == "__main__":
    main()
