"""Write the measured tables of README.md and docs/BENCHMARKS.md from bench/results.json.

    python -m bench.tables

A table stands between `<!-- measured: NAME -->` and `<!-- end -->`; what is between is replaced, by
a line that says so where the results lack what the table shows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.measure import (
    REPOSITORY,
    NotMeasuredError,
    Results,
    part,
    ratios,
    read_results,
    spread,
    summarize,
)

DATA = {
    "shakespeare": "tinyshakespeare, 1.1 MB; last 10 % held out",
    "shakespeare_best": "the same",
    "hello": "`hello world`",
    "words": "tinyshakespeare as words and punctuation; last 10 % held out",
    "subwords": "tinyshakespeare as pieces of words; last 10 % held out",
    "ptb": "Penn Treebank, words",
    "tutorials/forward_by_hand": "the letters of `hello`",
}
"""What a configuration learns from; the other tutorials learn their own texts."""

TESTED_ON = {
    "rt_polarity": "10,662 sentences of reviews, mean of 10 folds",
    "imdb": "IMDB, 24,904 reviews, a random fifth held out",
    "sentiment140": "15,989 tweets of Sentiment140, mean of 5 folds",
}


def configs_table(results: Results) -> str:
    """One row for every ready configuration."""
    lines = [
        "| configuration | learns from | model | training | loss on the stream or own windows "
        "| windows of 64 / 256 | bits per character |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in part(results, "quality", "configs"):
        name, metrics = row["config"], row["metrics"]
        of_tutorial = "`hello world`" if "hello" in name else "one sentence"
        data = DATA.get(name, of_tutorial) if name.startswith("tutorials/") else DATA[name]
        windows = [metrics.get(f"window_{length}_loss") for length in (64, 256)]
        apart = " / ".join(f"{w['value']:.3f}" for w in windows if w) or "-"
        lines.append(
            f"| [{name}](../configs/{name}.yaml) | {data} | {row['parameters']:,} parameters "
            f"| {row['training_seconds']:.0f} s | {with_interval(metrics['loss'])} | {apart} "
            f"| {metrics['bits_per_character']['value']:.3f} |"
        )
    return "\n".join(lines)


def results_table(results: Results) -> str:
    """The six results that README.md shows."""
    trained = {row["config"]: row for row in part(results, "quality", "configs")}
    lines = ["| data, on the held-out split | result | training |", "|---|---|---|"]
    for name, title in (
        ("shakespeare", "tinyshakespeare, a GRU of 256"),
        ("shakespeare_best", "tinyshakespeare, `configs/shakespeare_best.yaml`"),
    ):
        row = trained[name]
        lines.append(
            f"| {title} | {row['metrics']['loss']['value']:.3f} nats per character "
            f"| {row['training_seconds']:.0f} s |"
        )
    words = trained["words"]
    lines.append(
        f"| words of tinyshakespeare | perplexity {words['metrics']['perplexity']['value']:.1f} "
        f"| {words['training_seconds']:.0f} s |"
    )
    for name, texts in TESTED_ON.items():
        row = part(results, "sentiment", name)
        low, high = (100 * row["accuracy"][key] for key in ("low", "high"))
        lines.append(
            f"| {texts} | {100 * row['accuracy']['value']:.1f} % ({low:.1f} to {high:.1f}) "
            f"| {row['training_seconds']:.0f} s{' a fold' * ('crossval' in row['command'])} |"
        )
    return "\n".join(lines)


def with_interval(estimate: dict[str, float | None]) -> str:
    """`1.576 (1.558 to 1.595)`, or the value alone."""
    if estimate["low"] is None:
        return f"{estimate['value']:.4f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def classifiers_table(results: Results) -> str:
    """Accuracy of the classifiers on texts they never saw."""
    found = part(results, "sentiment")
    lines = ["| texts | accuracy (95 %) | training | command |", "|---|---|---|---|"]
    for name, texts in TESTED_ON.items():
        if name in found:
            row = found[name]
            value, low, high = (100 * row["accuracy"][key] for key in ("value", "low", "high"))
            longest = " at most a fold" if "crossval" in row["command"] else ""
            lines.append(
                f"| {texts} | {value:.1f} % ({low:.1f} to {high:.1f}) "
                f"| {row['training_seconds']:.0f} s{longest} | `{row['command']}` |"
            )
    return "\n".join(lines)


def words_table(results: Results) -> str:
    """A model of words beside a trigram."""
    trigram, own = part(results, "words", "trigram"), part(results, "words", "model")
    estimate = own["metrics"]["perplexity"]
    return "\n".join(
        [
            "| held-out tenth of tinyshakespeare, every token after all before it "
            "| perplexity per token | training |",
            "|---|---|---|",
            "| interpolated Kneser-Ney trigram, its discounts the best for this part "
            f"| {trigram['perplexity']:.1f} | |",
            f"| [{own['config']}](../configs/{own['config']}.yaml), "
            f"{own['parameters']:,} parameters "
            f"| {estimate['value']:.1f} ({estimate['low']:.1f} to {estimate['high']:.1f}) "
            f"| {own['training_seconds']:.0f} s |",
        ]
    )


# ------------------------------------------------------------------------- after training


def generation_table(results: Results) -> str:
    """Start-up and speed of generating."""
    found = values(results)
    imported, short = part(found, "import_tensorflow_seconds"), part(found, "generate_200_seconds")
    rows = [
        ('`python -c "import tensorflow"`', imported, "{:.2f} s"),
        ("`rnnkit generate`, 200 characters, whole process", short, "{:.3f} s"),
        ("the first over the second", ratios(imported, short), "{:.1f}"),
        ("characters per second, the command", part(found, "command_tokens_per_second"), "{:,.0f}"),
        ("characters per second, in Python", part(found, "library_tokens_per_second"), "{:,.0f}"),
    ]
    return spread_table("one GRU layer of 256", rows)


COMMANDS = {
    "help_seconds": "`rnnkit --help`",
    "generate_200_seconds": "`rnnkit generate`, 200 characters",
    "predict_seconds": "`rnnkit predict`, one text",
    "evaluate_1000_seconds": "`rnnkit evaluate`, 1,000 characters",
}


def start_table(results: Results) -> str:
    """Start-up of every command that needs no TensorFlow, against its import."""
    found = values(results)
    imported = part(found, "import_tensorflow_seconds")
    rows = [
        (label, ratios(imported, found[key]), "{:.1f}")
        for key, label in COMMANDS.items()
        if key in found
    ]
    return spread_table("whole process, speed-up over `import tensorflow`", rows)


def values(results: Results) -> dict[str, list[float]]:
    """Name -> what every round has found, of starting and of generating."""
    started = results.get("start", {}).get("values", {})
    return {**part(results, "generation", "values"), **started}


def spread_table(heading: str, rows: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """Label, values and form of the numbers -> median, lowest and highest."""
    lines = [f"| {heading} | median | lowest | highest |", "|---|---|---|---|"]
    for label, found, form in rows:
        lines.append(
            " | ".join([f"| {label}", *map(form.format, summarize(found).values())]) + " |"
        )
    return "\n".join(lines)


WRITERS = {
    "rnnkit": "rnnkit, in Python",
    "command": "`rnnkit generate`, writing into a pipe",
    "torch": "PyTorch: `nn.GRU`, the state carried, one thread",
    "tensorflow_step": "TensorFlow: one `tf.function` a character, the state carried",
    "keras_stateful": "Keras: `Model.predict` of a character, `stateful=True`",
    "keras_window": "Keras: `Model.predict` of a window of 64, as in the classic tutorials",
}


def generation_peers_table(results: Results) -> str:
    """Characters per second of a GRU of 256, beside others."""
    sides = part(results, "generation", "sides")
    over = part(results, "generation", "rnnkit_over")
    lines = [
        "| one text of a GRU of 256 | characters/s | rnnkit in Python over it |",
        "|---|---|---|",
    ]
    for name, label in WRITERS.items():
        if name in sides:
            ratio = ratio_with_spread(over[name]) if name in over else ""
            speed = sides[name]["characters_per_second"]["median"]
            lines.append(f"| {label} | {speed:,.0f} | {ratio} |")
    return "\n".join(lines)


# ------------------------------------------------------------------------------- training

SIDES = {
    "keras": "Keras",
    "keras_unrolled": "Keras unrolled",
    "keras_xla": "Keras with XLA",
    "torch": "PyTorch",
    "torch_bf16": "PyTorch bfloat16",
}


def training_table(results: Results) -> str:
    """Speed of training with batches of 64, and how often it is that of others."""
    rows = part(results, "training", "rows")
    sides = [name for name in SIDES if name in rows[0]["rnnkit_over"]]
    scored = [name for name in ("rnnkit", "keras", "torch") if name in rows[0]["sides"]]
    names = " | ".join(f"over {SIDES[name]}" for name in sides)
    losses = " / ".join(SIDES.get(name, name) for name in scored)
    lines = [
        f"| network | rnnkit, characters/s | {names} | loss: {losses} |",
        "|---" * (len(sides) + 3) + "|",
    ]
    lines += [
        f"| {network(row)} | {speed_of(row, 'rnnkit')} | {over(row, 'rnnkit_over', sides)} "
        f"| {losses_of(row, scored)} |"
        for row in rows
        if row["batch"] == 64
    ]
    return "\n".join(lines)


def training_bf16_table(results: Results) -> str:
    """The same with the products of rnnkit in bfloat16."""
    rows = part(results, "training", "rows")
    if not part(rows[0], "rnnkit_bf16_over"):
        raise NotMeasuredError("rnnkit_bf16")
    columns = {"rnnkit": "rnnkit float32", **SIDES}
    sides = [name for name in columns if name in rows[0]["rnnkit_bf16_over"]]
    names = " | ".join(f"over {columns[name]}" for name in sides)
    scored = [name for name in ("rnnkit", "rnnkit_bf16", "torch_bf16") if name in rows[0]["sides"]]
    titles = {"rnnkit": "float32", "rnnkit_bf16": "bfloat16", "torch_bf16": "PyTorch bfloat16"}
    losses = " / ".join(titles[name] for name in scored)
    lines = [
        f"| network | rnnkit bfloat16, characters/s | {names} | loss: {losses} |",
        "|---" * (len(sides) + 3) + "|",
    ]
    lines += [
        f"| {network(row)} | {speed_of(row, 'rnnkit_bf16')} "
        f"| {over(row, 'rnnkit_bf16_over', sides)} | {losses_of(row, scored)} |"
        for row in rows
        if row["batch"] == 64
    ]
    return "\n".join(lines)


def network(row: Mapping[str, Any]) -> str:
    """`gru 2 x 256`"""
    layers = f"{row['layers']} x " if row["layers"] > 1 else ""
    return f"{row['cell']} {layers}{row['units']}"


def speed_of(row: Mapping[str, Any], side: str) -> str:
    """Characters per second, the median."""
    return f"{row['sides'][side]['characters_per_second']['median']:,.0f}"


def over(row: Mapping[str, Any], ratio: str, sides: Sequence[str]) -> str:
    """Cells with how often the speed is that of `sides`."""
    return " | ".join(ratio_with_spread(row[ratio][name]) for name in sides)


def losses_of(row: Mapping[str, Any], sides: Sequence[str]) -> str:
    """Their losses after as many updates."""
    return " / ".join(f"{row['sides'][name]['loss_of_last_turn']:.3f}" for name in sides)


def ratio_with_spread(figures: Mapping[str, float]) -> str:
    """`2.10 (2.05 to 2.18)`, and without decimals from 100 on."""
    return spread(figures, 0 if figures["median"] >= 100.0 else 2)


def time_to_loss_table(results: Results) -> str:
    """When the validation loss was low enough."""
    lines = [
        "| validation loss | updates | since the start of the process | in the training loop |",
        "|---|---|---|---|",
    ]
    for row in part(results, "time_to_loss", "rows"):
        lines.append(
            f"| {row['loss']:.3f} | {row['steps']:,} | {row['process_seconds']['median']:.1f} s "
            f"| {row['training_seconds']['median']:.1f} s |"
        )
    return "\n".join(lines)


def memory_table(results: Results) -> str:
    """Peak memory of training against the size of the text."""
    lines = ["| text | peak memory of `rnnkit train` | above the smallest |", "|---|---|---|"]
    for row in part(results, "memory", "rows"):
        lines.append(
            f"| {row['text_mb']:,} MB | {row['peak_mb']:,.0f} MB | {row['above_mb']:,.0f} MB |"
        )
    return "\n".join(lines)


# ------------------------------------------------------------------------------- labelling


def predict_table(results: Results) -> str:
    """Speed and memory of labelling tables."""
    found = part(results, "sentiment", "predict")
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


def tokenize_table(results: Results) -> str:
    """Time to cut texts into words, by their number."""
    lines = ["| texts | seconds, median | lowest | highest |", "|---|---|---|---|"]
    for rows, seconds in part(results, "sentiment", "tokenize", "seconds").items():
        cells = " | ".join(f"{seconds[key]:.2f}" for key in ("median", "low", "high"))
        lines.append(f"| {int(rows):,} | {cells} |")
    return "\n".join(lines)


PAGES = (REPOSITORY / "README.md", REPOSITORY / "docs" / "BENCHMARKS.md")
NOT_MEASURED = "Not measured yet; `make bench` writes this."

NAMES = {
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "onnxruntime": "ONNX Runtime",
    "torch": "PyTorch",
}


def main() -> None:
    """Replace the tables."""
    results = read_results()
    for page in PAGES:
        page.write_text(with_tables(page.read_text("utf-8"), results), encoding="utf-8")


def with_tables(text: str, results: Results) -> str:
    """`text` with every measured table as the results say.

    Raises:
        KeyError: a table has a name that is not in TABLES.
    """

    def replace(match: re.Match[str]) -> str:
        write = TABLES[match[2]]
        try:
            table = write(results)
        except NotMeasuredError:
            table = NOT_MEASURED
        return f"{match[1]}\n{table}\n{match[3]}"

    marked = r"(<!-- measured: (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(marked, replace, text, flags=re.DOTALL)


def machine_line(results: Results) -> str:
    """Where it was measured, and with what."""
    line = f"Measured by `make bench` on: {results['machine']}."
    found: dict[str, str] = {}
    for circumstances in results.get("parts", {}).values():
        found |= circumstances["versions"]
    versions = [f"{name} {found[package]}" for package, name in NAMES.items() if package in found]
    return f"{line} Versions: {', '.join(versions)}." if versions else line


TABLES: dict[str, Callable[[Results], str]] = {
    "results": results_table,
    "configs": configs_table,
    "words": words_table,
    "generation": generation_table,
    "generation_peers": generation_peers_table,
    "start": start_table,
    "classifiers": classifiers_table,
    "predict": predict_table,
    "tokenize": tokenize_table,
    "training": training_table,
    "training_bf16": training_bf16_table,
    "time_to_loss": time_to_loss_table,
    "memory": memory_table,
    "machine": machine_line,
}


if __name__ == "__main__":
    main()
