"""`rnnkit generate` in this process, on runs with random weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from rnnkit.runs.directory import RunDirectory, write_manifest
from rnnkit.runs.files import read_document, write_document

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


def test_seed_and_text_are_all_that_is_on_stdout(generate: Any, small: RunDirectory) -> None:
    result = generate("--seed", "the ", "--length", 30)
    assert result.exit_code == 0
    assert result.stdout.startswith("the ")
    assert result.stdout.endswith("\n")
    assert len(result.stdout) == 4 + 30 + 1
    assert result.stderr == f"Using the newest run, {small.path}\n"
    assert generate("small", "--seed", "the ").stderr == ""


def test_json_holds_everything_that_is_needed_to_repeat_it(
    generate: Any, small: RunDirectory
) -> None:
    arguments = ["--seed", "the ", "--length", 25, "--samples", 2]
    first = json.loads(generate(*arguments, "--json").stdout)
    assert first["run"] == str(small.path)
    assert first["seed"] == "the "
    assert first["settings"] == {
        "length": 25,
        "temperatures": [1.0],
        "top_k": None,
        "top_p": None,
        "min_p": None,
        "typical_p": None,
        "repetition_penalty": 1.0,
        "stop": None,
        "unseen": "error",
    }
    for sample in first["samples"]:
        assert sample["temperature"] == 1.0
        assert sample["text"] == "the " + sample["completion"]
        assert sample["tokens"] == len(sample["completion"]) == 25
        assert sample["stopped"] is False
    again = generate(*arguments, "--json", "--random-seed", first["random_seed"])
    assert json.loads(again.stdout) == first
    one, two = (sample["text"] for sample in first["samples"])
    shown = generate(*arguments, "--random-seed", first["random_seed"])
    assert shown.stdout == f"--- sample 1 of 2 ---\n{one}\n--- sample 2 of 2 ---\n{two}\n"


def test_without_a_random_seed_every_text_is_another(generate: Any, small: RunDirectory) -> None:
    seeds = {json.loads(generate("--json").stdout)["random_seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_defaults_come_from_the_model(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(
        TEXT,
        generation={"length": 7, "temperature": 0.5, "top_k": 3, "min_p": 0.1, "typical_p": 0.9},
    )
    answer = json.loads(generate("--seed", "a", "--json").stdout)
    assert len(answer["samples"][0]["completion"]) == 7
    settings = answer["settings"]
    assert (settings["temperatures"], settings["top_k"]) == ([0.5], 3)
    assert (settings["min_p"], settings["typical_p"]) == (0.1, 0.9)
    other = generate("--json", "--length", 9, "--top-k", 0, "--min-p", 0, "--temperature", 0)
    settings = json.loads(other.stdout)["settings"]
    assert (settings["length"], settings["temperatures"]) == (9, [0.0])
    assert settings["top_k"] is settings["min_p"] is None
    assert settings["typical_p"] == 0.9


def test_every_option_reaches_the_sampler(generate: Any, small: RunDirectory) -> None:
    def text(*options: object) -> str:
        return generate("--seed", "the ", "--length", 60, "--random-seed", 1, *options).stdout

    plain = text()
    assert text("--temperature", 0.3) != plain
    assert text("--top-k", 2) != plain
    assert text("--top-p", 0.3) != plain
    assert text("--min-p", 0.5) != plain
    assert text("--typical-p", 0.2) != plain
    assert text("--repetition-penalty", 5) != plain
    assert text("--random-seed", 2) != plain
    greedy = text("--temperature", 0)
    assert text("--temperature", 0, "--random-seed", 2) == greedy == text("--top-k", 1)


def test_a_sliding_model_generates_too(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run(TEXT, data={"windows": {"kind": "sliding", "length": 5, "stride": 1}})
    result = generate("--seed", "the quick", "--length", 20, "--temperature", 0)
    assert result.exit_code == 0
    # Only the last five characters count.
    other = generate("--seed", "quick", "--length", 20, "--temperature", 0)
    assert result.stdout == "the " + other.stdout


def test_length_zero_prints_the_seed(generate: Any, small: RunDirectory) -> None:
    assert generate("--seed", "the", "--length", 0).stdout == "the\n"


def test_stop_ends_the_text(generate: Any, small: RunDirectory) -> None:
    options = ["--seed", "the ", "--length", 200, "--random-seed", 4]
    whole = json.loads(generate(*options, "--json").stdout)["samples"][0]["completion"]
    stop = whole[20:22]
    answer = json.loads(generate(*options, "--stop", stop, "--json").stdout)
    assert answer["samples"][0]["completion"] == whole.split(stop)[0]
    assert answer["samples"][0]["stopped"] is True
    assert generate(*options, "--stop", stop).stdout == f"the {whole.split(stop)[0]}\n"


def test_the_prompt_can_come_from_a_file_or_standard_input(
    generate: Any, small: RunDirectory, tmp_path: Path
) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_bytes("\ufefffox\r\njumps".encode())
    assert generate("--prompt-file", prompt, "--length", 0).stdout == "fox\njumps\n"
    assert generate("--prompt-file", "-", "--length", 0, input="dog").stdout == "dog\n"


def test_bytes_stream_as_characters(
    generate: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run("größer als 東京\n" * 30, data={"tokens": "bytes"})
    result = generate("--seed", "größ é 🎵", "--length", 50, "--temperature", 0)
    assert result.exit_code == 0
    assert result.stdout.startswith("größ é 🎵")


def test_unseen_characters(generate: Any, make_model_run: Callable[..., RunDirectory]) -> None:
    make_model_run(TEXT + "€", name="unk", data={"minimum_count": 2})
    refused = generate("--seed", "the ß")
    assert refused.exit_code == 4
    assert "'ß' (U+00DF)" in refused.stderr
    assert refused.stdout == ""
    skipped = generate("--seed", "the ß", "--unseen", "skip", "--length", 0)
    assert skipped.stdout == "the \n"
    kept = generate("--seed", "the ß", "--unseen", "unk", "--length", 0)
    assert kept.stdout == "the ß\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--length", -1],
        ["--samples", 0],
        ["--temperature", -0.1],
        ["--temperature", "nan"],
        ["--temperature", "inf"],
        ["--top-k", -1],
        ["--top-p", 0],
        ["--top-p", 1.1],
        ["--top-p", "nan"],
        ["--min-p", -1],
        ["--min-p", 2],
        ["--typical-p", 0],
        ["--typical-p", 1.01],
        ["--repetition-penalty", 0.9],
        ["--repetition-penalty", "inf"],
        ["--random-seed", -1],
        ["--random-seed", 2**31],
        ["--unseen", "maybe"],
        ["--seed", "a", "--prompt-file", "x"],
        ["--stop", ""],
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_nonsense_is_a_usage_error(
    generate: Any, small: RunDirectory, options: list[object]
) -> None:
    result = generate(*options)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("content", [None, b"caf\xe9"], ids=["missing", "latin-1"])
def test_a_prompt_file_that_cannot_be_read(
    generate: Any, small: RunDirectory, tmp_path: Path, content: bytes | None
) -> None:
    prompt = tmp_path / "prompt.txt"
    if content is not None:
        prompt.write_bytes(content)
    result = generate("--prompt-file", prompt)
    assert result.exit_code == 4
    assert str(prompt) in result.stderr


# ------------------------------------------------------------------------------- damaged runs


def with_metadata(run: RunDirectory, **changes: Any) -> None:
    proto = onnx.load(run.onnx_model)
    (entry,) = proto.metadata_props
    entry.value = json.dumps({**json.loads(entry.value), **changes})
    run.onnx_model.write_bytes(proto.SerializeToString())
    write_manifest(run, [run.config, run.onnx_model])


def truncate(run: RunDirectory) -> None:
    run.onnx_model.write_bytes(run.onnx_model.read_bytes()[:-100])


def truncate_and_record(run: RunDirectory) -> None:
    run.onnx_model.write_bytes(run.onnx_model.read_bytes()[:3000])
    write_manifest(run, [run.config, run.onnx_model])


def without_metadata(run: RunDirectory) -> None:
    proto = onnx.load(run.onnx_model)
    del proto.metadata_props[:]
    run.onnx_model.write_bytes(proto.SerializeToString())
    write_manifest(run, [run.config, run.onnx_model])


def empty_model(run: RunDirectory) -> None:
    run.onnx_model.write_bytes(b"")
    write_manifest(run, [run.config, run.onnx_model])


def foreign_text(run: RunDirectory) -> None:
    run.onnx_model.write_text("not a model")
    write_manifest(run, [run.config, run.onnx_model])


def other_vocabulary(run: RunDirectory) -> None:
    content = read_document(run.vocabulary, "vocabulary")
    content["tokens"] = content["tokens"][:-1]
    write_document(run.vocabulary, "vocabulary", content)


def nonsense_vocabulary(run: RunDirectory) -> None:
    write_document(run.vocabulary, "vocabulary", {"tokens": 3})


DAMAGES: list[tuple[Callable[[RunDirectory], object], str, str]] = [
    (truncate, "model.onnx", "checksum"),
    (truncate_and_record, "model.onnx", "cannot be loaded"),
    (empty_model, "model.onnx", "cannot be loaded"),
    (foreign_text, "model.onnx", "cannot be loaded"),
    (without_metadata, "model.onnx", "not written by rnnkit"),
    (lambda run: with_metadata(run, format_version=2), "model.onnx", "newer"),
    (lambda run: with_metadata(run, format_version="x"), "model.onnx", "version"),
    (lambda run: with_metadata(run, task="sentiment"), "", "sentiment"),
    (lambda run: with_metadata(run, context=-3), "model.onnx", "damaged"),
    (lambda run: with_metadata(run, generation=None), "model.onnx", "damaged"),
    (lambda run: with_metadata(run, vocabulary_size=5), "model.onnx", "do not belong together"),
    (lambda run: run.onnx_model.unlink(), "model.onnx", "missing"),
    (lambda run: run.vocabulary.unlink(), "vocabulary.json", "missing"),
    (lambda run: run.vocabulary.write_text("{"), "vocabulary.json", "damaged"),
    (other_vocabulary, "model.onnx", "do not belong together"),
    (nonsense_vocabulary, "vocabulary.json", "damaged"),
    (lambda run: run.manifest.write_text("[]"), "manifest.json", "damaged"),
]


@pytest.mark.parametrize(("damage", "file", "word"), DAMAGES)
def test_a_damaged_run_is_exit_code_5_and_names_the_file(
    generate: Any,
    small: RunDirectory,
    damage: Callable[[RunDirectory], object],
    file: str,
    word: str,
) -> None:
    damage(small)
    result = generate("small", "--seed", "the")
    assert result.exit_code == 5
    assert str(small.path / file) in result.stderr
    assert word in result.stderr
    assert result.stdout == ""


def test_no_run_and_an_unknown_run(generate: Any) -> None:
    assert generate("--seed", "a").exit_code == 5
    assert generate("nowhere", "--seed", "a").exit_code == 5
