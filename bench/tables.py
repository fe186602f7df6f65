"""Write the measured tables of README.md anew from bench/results.json.

    python bench/tables.py

A table stands between `<!-- measured: NAME -->` and `<!-- end -->`; what is between is replaced.
"""

import json
import re
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
    tables = {
        "configs": configs_table(results),
        "generation": generation_table(results),
        "memory": memory_table(results),
        "machine": f"Measured by `make bench` on: {results['machine']}.",
    }

    def replace(match: re.Match[str]) -> str:
        return f"{match[1]}\n{tables[match[2]]}\n{match[3]}"

    return re.sub(r"(<!-- measured: (\w+) -->)\n.*?(<!-- end -->)", replace, text, flags=re.DOTALL)


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
    lines = ["| one GRU layer of 256 | median | lowest | highest |", "|---|---|---|---|"]
    for key, (label, form) in names.items():
        figures = results["generation"]["summary"][key]
        cells = " | ".join(form.format(figures[part]) for part in ("median", "lowest", "highest"))
        lines.append(f"| {label} | {cells} |")
    return "\n".join(lines)


def memory_table(results: dict[str, Any]) -> str:
    """Peak memory of training against the size of the text."""
    lines = ["| text | peak memory of `rnnkit train` | above the smallest |", "|---|---|---|"]
    for row in results["training_memory"]["rows"]:
        lines.append(
            f"| {row['text_mb']:,} MB | {row['peak_mb']:,.0f} MB | {row['above_mb']:,.0f} MB |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
