"""The options of `rnnkit generate` beyond plain sampling, on runs with random weights."""

import itertools
import json
import math
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from rnnkit.inference.decoding import read_next, read_text
from rnnkit.runs.directory import RunDirectory, locked, write_manifest
from rnnkit.tasks.language_model.model import load_language_model

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 20


@pytest.fixture
def generate(run_cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """The command, looking for runs where the tests make them."""

    def run(*arguments: object, **more: Any) -> Any:
        return run_cli("generate", *arguments, "--runs-dir", tmp_path / "runs", **more)

    return run


@pytest.fixture
def small(make_model_run: Callable[..., RunDirectory]) -> RunDirectory:
    return make_model_run(TEXT)


def answer(result: Any) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# ------------------------------------------------------------------------ several temperatures


def test_each_temperature_has_its_texts_and_its_line(generate: Any, small: RunDirectory) -> None:
    options = ("--seed", "the ", "--length", 30, "--random-seed", 4)
    temperatures = ("--temperature", 0, "--temperature", 0.7, "--temperature", 1.5)
    shown = generate(*options, *temperatures).stdout
    document = answer(generate(*options, *temperatures, "--json"))
    texts = [sample["text"] for sample in document["samples"]]
    assert [sample["temperature"] for sample in document["samples"]] == [0.0, 0.7, 1.5]
    assert document["settings"]["temperatures"] == [0.0, 0.7, 1.5]
    titles = ["temperature 0", "temperature 0.7", "temperature 1.5"]
    assert shown == "".join(
        f"--- {title} ---\n{text}\n" for title, text in zip(titles, texts, strict=True)
    )
    for temperature, text in zip((0, 0.7, 1.5), texts, strict=True):
        alone = answer(generate(*options, "--temperature", temperature, "--json"))
        assert [sample["text"] for sample in alone["samples"]] == [text]


def test_several_samples_at_several_temperatures(generate: Any, small: RunDirectory) -> None:
    options = ("--length", 8, "--random-seed", 4, "--samples", 2)
    shown = generate(*options, "--temperature", 0.5, "--temperature", 2, "--seed", "t").stdout
    assert [line for line in shown.split("\n") if line.startswith("---")] == [
        "--- temperature 0.5, sample 1 of 2 ---",
        "--- temperature 0.5, sample 2 of 2 ---",
        "--- temperature 2, sample 1 of 2 ---",
        "--- temperature 2, sample 2 of 2 ---",
    ]
    document = answer(
        generate(*options, "--temperature", 0.5, "--temperature", 2, "--seed", "t", "--json")
    )
    hot = answer(generate(*options, "--temperature", 2, "--seed", "t", "--json"))
    assert document["samples"][2:] == hot["samples"]


# -------------------------------------------------------------------------------- beam search


def test_a_wider_beam_finds_a_more_probable_text(generate: Any, small: RunDirectory) -> None:
    options = ("--seed", "the ", "--length", 25, "--json")
    found = [answer(generate(*options, "--beams", width)) for width in (1, 2, 4, 8)]
    scores = [document["samples"][0]["log_probability"] for document in found]
    assert all(one <= other + 1e-4 for one, other in itertools.pairwise(scores))
    assert scores[0] < scores[-1]
    greedy = answer(generate(*options, "--temperature", 0))
    (narrow,) = found[0]["samples"]
    assert narrow["text"] == greedy["samples"][0]["text"]
    assert "temperature" not in narrow
    assert found[3]["random_seed"] is None
    assert found[3]["settings"] == {
        "length": 25,
        "stop": None,
        "beams": 8,
        "length_penalty": 0.0,
        "repetition_penalty": 1.0,
        "unseen": "error",
    }
    again = generate("--seed", "the ", "--length", 25, "--beams", 8)
    assert again.stdout == found[3]["samples"][0]["text"] + "\n"


def test_the_length_penalty_reaches_the_search(generate: Any, small: RunDirectory) -> None:
    options = ("--seed", "the ", "--length", 40, "--beams", 6, "--stop", "e", "--json")
    short = answer(generate(*options))["samples"][0]
    long = answer(generate(*options, "--length-penalty", 3))["samples"][0]
    assert short["score"] == short["log_probability"]
    lengths = ((5 + long["tokens"]) / 6) ** 3
    assert long["score"] == pytest.approx(long["log_probability"] / lengths)
    assert long["tokens"] > short["tokens"]
    assert "e" not in short["completion"] + long["completion"]


def test_beams_of_a_sliding_model_with_a_penalty(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(TEXT, data={"windows": {"kind": "sliding", "length": 5, "stride": 1}})
    options = ("--seed", "quick", "--length", 20, "--beams", 3)
    plain = generate(*options)
    assert plain.exit_code == 0
    assert len(plain.stdout) == 26
    assert generate(*options, "--repetition-penalty", 3).stdout != plain.stdout


# ------------------------------------------------------------------------------- highlighting


def test_token_probabilities_are_those_of_the_model(generate: Any, small: RunDirectory) -> None:
    options = ("--seed", "the ", "--length", 20, "--json", "--highlight")
    (sample,) = answer(generate(*options, "--beams", 3))["samples"]
    parts = sample["token_probabilities"]
    assert "".join(part["text"] for part in parts) == sample["completion"]
    total = sum(math.log(part["probability"]) for part in parts)
    assert total == pytest.approx(sample["log_probability"], abs=1e-3)
    # Temperature and filters change what is drawn, not what the model gave to it.
    (greedy,) = answer(generate(*options, "--temperature", 0))["samples"]
    (narrow,) = answer(generate(*options, "--top-k", 1, "--repetition-penalty", 1))["samples"]
    assert greedy["token_probabilities"] == narrow["token_probabilities"]
    assert all(0.0 < part["probability"] < 1.0 for part in greedy["token_probabilities"])


def test_highlighting_without_a_terminal_is_plain_and_says_so(
    generate: Any, small: RunDirectory
) -> None:
    options = ("small", "--seed", "the ", "--length", 20, "--random-seed", 1)
    result = generate(*options, "--highlight")
    assert result.stdout == generate(*options).stdout
    assert "--highlight: no colours" in result.stderr


def on_a_terminal(*arguments: object, runs_dir: Path, **environment: str) -> tuple[str, int]:
    """What a command writes to a terminal, and its exit code."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnkit", *map(str, arguments), "--runs-dir", str(runs_dir)],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # how Linux says that the other side has gone
            break
        if not data:
            break
        shown += data
    os.close(main)
    return shown.decode().replace("\r\n", "\n"), process.wait()


def test_highlighting_on_a_terminal(small: RunDirectory, tmp_path: Path, generate: Any) -> None:
    arguments = ("generate", "small", "--seed", "the ", "--length", 60, "--random-seed", 1)
    runs_dir = tmp_path / "runs"
    plain = generate(*arguments[1:]).stdout
    shown, code = on_a_terminal(*arguments, "--highlight", runs_dir=runs_dir, NO_COLOR="")
    assert code == 0
    legend, _, text = shown.partition("\n")
    assert legend.startswith("Probability that the model gave")
    assert "\x1b[38;5;16m\x1b[48;5;" in text
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert bare.replace("⏎", "") == plain
    shown, code = on_a_terminal(*arguments, "--highlight", runs_dir=runs_dir, NO_COLOR="1")
    assert code == 0
    assert "\x1b" not in shown
    assert "--highlight: no colours" in shown


# ------------------------------------------------------------------------------------ novelty


def test_novelty_is_told_on_stderr_and_in_the_document(
    generate: Any, small: RunDirectory, tmp_path: Path
) -> None:
    options = ("small", "--seed", "the ", "--length", 40, "--random-seed", 1, "--samples", 2)
    result = generate(*options, "--novelty")
    assert result.exit_code == 0
    assert result.stdout == generate(*options).stdout
    assert result.stderr.startswith("Compared with the training text of 810 tokens:\n")
    assert "  sample 1 of 2: longest copy " in result.stderr
    assert f"({tmp_path / 'small.txt'}:" in result.stderr
    for sample in answer(generate(*options, "--novelty", "--json"))["samples"]:
        novelty = sample["novelty"]
        copy = novelty["longest_copy"]
        assert copy["text"] in sample["completion"]
        assert copy["text"] in TEXT
        assert copy["characters"] == copy["tokens"] == len(copy["text"])
        begin = TEXT.index(copy["text"])
        assert TEXT.count("\n", 0, begin) <= copy["line"] - 1 <= TEXT.count("\n", 0, begin) + 1
        assert set(novelty["new_ngrams"]) == {"4", "8", "16"}
        grams = [sample["completion"][i : i + 4] for i in range(37)]
        new = sum(gram not in TEXT[:810] for gram in grams) / 37
        assert novelty["new_ngrams"]["4"] == pytest.approx(new)


def test_novelty_is_refused_before_anything_is_written(
    generate: Any, small: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "small.txt").write_text(TEXT + "more")
    result = generate("small", "--seed", "the ", "--novelty")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "small.txt: the text has changed" in result.stderr
    (tmp_path / "small.txt").unlink()
    result = generate("small", "--seed", "the ", "--novelty")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "small.txt does not exist" in result.stderr
    assert generate("small", "--seed", "the ").exit_code == 0


def test_nothing_generated_is_nothing_copied(generate: Any, small: RunDirectory) -> None:
    result = generate("small", "--length", 0, "--novelty")
    assert "nothing copied; too short" in result.stderr
    (sample,) = answer(generate("small", "--length", 0, "--novelty", "--json"))["samples"]
    assert sample["novelty"] == {
        "longest_copy": None,
        "new_ngrams": {"4": None, "8": None, "16": None},
    }


# --------------------------------------------------------------------------- words, and ONNX


def test_words_and_subwords_take_every_option(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    for tokens in ("words", "subwords"):
        data = {"tokens": tokens, "vocabulary_size": 300}
        make_model_run(TEXT, name=tokens, task="word_generation", data=data)
        options = (tokens, "--seed", "the quick", "--length", 12, "--random-seed", 1)
        plain = generate(*options)
        assert plain.stdout.startswith("the quick"), plain.stderr
        if tokens == "words":
            assert re.match(r"the quick[ .\n]", plain.stdout)  # a word brings its space
        assert generate(*options, "--typical-p", 0.2).stdout != plain.stdout
        (sample,) = answer(generate(*options, "--highlight", "--novelty", "--json"))["samples"]
        assert sample["tokens"] == 12
        assert "".join(p["text"] for p in sample["token_probabilities"]) == sample["completion"]
        copy = sample["novelty"]["longest_copy"]
        if tokens == "words":  # random weights write bytes that no text has
            assert copy["text"] in TEXT
            assert copy["file"] is not None
        (best,) = answer(
            generate(tokens, "--seed", "the quick", "--length", 6, "--beams", 3, "--json")
        )["samples"]
        assert best["text"].startswith("the quick")
        written = generate(tokens, "--seed", "the quick", "--interactive", input="+ fox\ngo 3\nq\n")
        assert written.stdout.startswith("the quick fox")


def test_words_that_the_model_has_never_seen(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(TEXT, name="words", task="word_generation")
    refused = generate("words", "--seed", "the purple fox")
    assert refused.exit_code == 4
    assert "words that the model has never seen: 'purple'" in refused.stderr
    skipped = generate("words", "--seed", "the purple fox", "--unseen", "skip", "--length", 0)
    assert skipped.stdout == "the fox\n"
    kept = generate("words", "--seed", "the purple fox", "--unseen", "unk", "--length", 0)
    assert kept.stdout == "the purple fox\n"


def test_the_state_carried_through_onnx_is_that_of_the_whole_prefix(small: RunDirectory) -> None:
    session = load_language_model(small)
    ids = session.vocabulary.encode(TEXT[:200])
    whole, _ = session.step(np.array([ids]), session.zero_states(1))
    texts = read_text(session, ids[:1])
    for place, token in enumerate(ids[1:], start=1):
        texts = read_next(session, texts, np.array([token]))
        np.testing.assert_allclose(texts.logits[0], whole[0, place], atol=1e-5)


def test_plain_generation_loads_nothing_that_it_does_not_need(small: RunDirectory) -> None:
    code = (
        "import sys; from rnnkit.cli import cli\n"
        "try: cli(sys.argv[1:], prog_name='rnnkit')\n"
        "except SystemExit: pass\n"
        "print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "generate", str(small.path), "--length", "5"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    heavy = "tensorflow keras pandas scipy sklearn matplotlib pydantic yaml onnx rich tokenizers"
    others = ("beam", "novelty", "composition", "suffix_automaton")
    assert "onnxruntime" in loaded
    assert not loaded & {*heavy.split(), *(f"rnnkit.inference.{name}" for name in others)}


# ---------------------------------------------------------------------------------- conflicts


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *[
            (["--beams", 2, name, value], [name, "--beams"])
            for name, value in (
                ("--temperature", 0.5),
                ("--top-k", 3),
                ("--top-p", 0.5),
                ("--min-p", 0.5),
                ("--typical-p", 0.5),
                ("--random-seed", 1),
                ("--samples", 2),
            )
        ],
        *[
            (["--temperature", 0, name, value], [name, "--temperature 0"])
            for name, value in (("--top-k", 5), ("--top-p", 0.5), ("--typical-p", 0.5))
        ],
        *[
            ([name, value], [name])
            for name in ("--temperature", "--top-p", "--min-p", "--repetition-penalty")
            for value in ("nan", "inf")
        ],
        (["--beams", 0], ["--beams"]),
        (["--beams", 10_000], ["--beams", "1000"]),
        (["--seed", "a", "--prompt-file", "-"], ["--seed", "--prompt-file"]),
        (["--length-penalty", 1], ["--length-penalty", "--beams"]),
        (["--length-penalty", 1, "--beams", 2], ["--length-penalty", "--stop"]),
        (["--length-penalty", 1, "--stop", "x"], ["--length-penalty", "--beams"]),
        (["--length-penalty", -1, "--beams", 2, "--stop", "x"], ["--length-penalty"]),
        (["--temperature", 1, "--temperature", 1.0], ["--temperature", "twice"]),
        (["--beams", 2, "--stop", ""], ["--stop"]),
        *[
            (["--interactive", *option], [option[0], "--interactive"])
            for option in (
                ["--beams", 2],
                ["--samples", 2],
                ["--stop", "x"],
                ["--novelty"],
                ["--highlight"],
                ["--json"],
                ["--prompt-file", "-"],
            )
        ],
        (["--interactive", "--temperature", 1, "--temperature", 2], ["--temperature"]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_options_that_do_not_go_together_are_a_usage_error(
    generate: Any, small: RunDirectory, options: list[object], named: list[str]
) -> None:
    result = generate(*options)
    assert (result.exit_code, result.stdout) == (2, "")
    for name in named:
        assert name in result.stderr


def test_a_run_of_before_typical_sampling_still_generates(
    generate: Any, small: RunDirectory
) -> None:
    proto = onnx.load(small.onnx_model)
    (entry,) = proto.metadata_props
    facts = json.loads(entry.value)
    del facts["generation"]["typical_p"]
    entry.value = json.dumps(facts)
    small.onnx_model.write_bytes(proto.SerializeToString())
    write_manifest(small, [small.config, small.onnx_model])
    assert answer(generate("small", "--json"))["settings"]["typical_p"] is None


def test_prompt_is_another_name_of_seed(generate: Any, small: RunDirectory) -> None:
    options = ("--length", 10, "--random-seed", 1)
    assert (
        generate("--prompt", "the ", *options).stdout == generate("--seed", "the ", *options).stdout
    )


def test_a_huge_repetition_penalty_is_no_warning(generate: Any, small: RunDirectory) -> None:
    options = ("--seed", "the ", "--length", 20, "--random-seed", 1)
    result = generate(*options, "--repetition-penalty", "1e308")
    assert result.exit_code == 0
    assert "Warning" not in result.stderr


def test_a_long_prompt_is_announced(generate: Any, small: RunDirectory, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text(TEXT * 30)
    result = generate("--prompt-file", path, "--length", 1)
    assert result.exit_code == 0
    assert "Reading a prompt of 27,000 tokens" in result.stderr


@pytest.mark.parametrize("options", [["--prompt-file", "-"], ["--interactive"]])
def test_a_closed_standard_input_is_a_usage_error(
    options: list[str], generate: Any, small: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "rnnkit", "generate", str(small.path), *options]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_in_training_is_not_to_be_resumed(generate: Any, small: RunDirectory) -> None:
    small.onnx_model.unlink()
    small.summary.unlink()
    write_manifest(small, [small.config])
    assert "--resume" in generate(small.path).stderr
    with locked(small):
        result = generate(small.path)
    assert result.exit_code == 5
    assert "wait for its end" in result.stderr
    assert "--resume" not in result.stderr
