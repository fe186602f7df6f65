"""`rnnkit predict` in this process, on a classifier that adds up the weights of words."""

import csv
import gzip
import io
import json
import math
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import write_document

ROWS = [
    (label, f"{word} {thing} {number}")
    for number in range(10)
    for label, word, thing in (
        ("positive", "good", "film"),
        ("positive", "great", "plot"),
        ("negative", "bad", "film"),
        ("negative", "awful", "plot"),
    )
]
PREDICTED = ("positive", "negative", "negative")
DATA = {"labels": {"negative": "negative", "positive": "positive"}}


def odds(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


@pytest.fixture
def predict(run_cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """The command, looking for runs where the tests make them."""

    def run(*arguments: object, **more: Any) -> Any:
        return run_cli("predict", *arguments, "--runs-dir", tmp_path / "runs", **more)

    return run


@pytest.fixture
def small(make_class_run: Callable[..., RunDirectory]) -> RunDirectory:
    return make_class_run(ROWS, data=DATA)


# ------------------------------------------------------------------------------- texts and lines


def test_one_text(predict: Any, small: RunDirectory) -> None:
    result = predict("a great film")
    assert (result.exit_code, result.stdout) == (0, "positive 0.88\n")
    assert result.stderr == f"Using the newest run, {small.path}\n"


def test_the_first_argument_is_the_run_if_there_is_one(predict: Any, small: RunDirectory) -> None:
    assert predict("small", "awful").stdout == "negative 0.88\n"
    assert predict(small.path, "awful").stdout == "negative 0.88\n"
    both = predict("awful", "great")
    assert both.stdout == "negative 0.88  awful\npositive 0.88  great\n"
    assert len(predict("--run", "small", "small", "great").stdout.splitlines()) == 2


def test_lines_of_standard_input(predict: Any, small: RunDirectory) -> None:
    expected = "positive 0.73  good\nnegative 0.73  bad\u00e9 bad\n"
    for extra in ((), ("-",)):
        result = predict("small", *extra, input="good\r\nbad\u00e9 bad".encode())
        assert result.stdout == expected
    latin = predict("small", "--encoding", "latin-1", input="bad\u00e9 bad".encode("latin-1"))
    assert latin.stdout == "negative 0.73  bad\u00e9 bad\n"
    wrong = predict("small", input="good\nbad\u00e9 bad".encode("latin-1"))
    assert wrong.exit_code == 4
    assert "--encoding latin-1" in wrong.stderr


def test_unknown_words_and_empty_texts_are_predicted(predict: Any, small: RunDirectory) -> None:
    result = predict("small", "", "xyzzy plugh")
    assert result.exit_code == 0
    assert result.stdout.count("0.50") == 2
    assert result.stderr.startswith("1 text has no word in it")


def test_all_probabilities(predict: Any, small: RunDirectory) -> None:
    assert predict("small", "great", "--probabilities").stdout == (
        "positive  negative 0.12  positive 0.88\n"
    )


def test_control_characters_do_not_reach_the_terminal(predict: Any, small: RunDirectory) -> None:
    assert predict("small", "good\n\x1b[31m", "bad").stdout.splitlines()[0] == (
        "positive 0.73  good  [31m"
    )


def test_control_characters_in_labels_do_not_reach_the_terminal(
    predict: Any, make_class_run: Callable[..., RunDirectory]
) -> None:
    labels = {"negative": "bad\u202e\x1b[2J", "positive": "good"}
    make_class_run(ROWS, data={"labels": labels})
    result = predict("small", "great", "awful", "--probabilities")
    assert result.exit_code == 0, result.stderr
    assert not {"\x1b", "\u202e"} & set(result.stdout)
    first, second = result.stdout.splitlines()
    assert first.index("  great") - first.index("0.") == second.index("  awful") - second.index(
        "0."
    )
    assert "bad  [2J" in predict("small", "great", "awful", "--explain").stdout


def test_json(predict: Any, small: RunDirectory) -> None:
    answer = json.loads(predict("small", "great xyzzy", "", "--json", "--explain").stdout)
    assert {key: answer[key] for key in ("run", "classes", "temperature", "threshold")} == {
        "run": str(small.path),
        "classes": ["negative", "positive"],
        "temperature": 1.0,
        "threshold": None,
    }
    first, second = answer["predictions"]
    assert (first["text"], first["label"], first["empty"]) == ("great xyzzy", "positive", False)
    assert first["probabilities"]["positive"] == pytest.approx(odds(2.0))
    assert first["probability"] == first["probabilities"]["positive"]
    assert [token["token"] for token in first["tokens"]] == ["great", "xyzzy"]
    assert first["tokens"][0]["change"] == pytest.approx(odds(2.0) - 0.5)
    assert [token["known"] for token in first["tokens"]] == [True, False]
    assert (second["empty"], second["tokens"]) == (True, [])


def test_explanation_as_a_table(predict: Any, small: RunDirectory) -> None:
    lines = predict("small", "good bad film", "--explain").stdout.splitlines()
    assert lines[1].split() == ["token", "adds", "to", "negative"]
    assert [line.split()[0] for line in lines[2:]] == ["good", "bad", "film"]
    assert [line.split()[1][0] for line in lines[2:4]] == ["-", "+"]
    assert "\x1b" not in "".join(lines)


def test_explanations_are_those_of_attributions(
    predict: Any, run_cli: Callable[..., Any], small: RunDirectory, tmp_path: Path
) -> None:
    text, runs = "good bad film xyzzy", tmp_path / "runs"
    result = predict("small", text, "--json", "--explain")
    ours = json.loads(result.stdout)["predictions"][0]["tokens"]
    other = run_cli(
        "inspect", "attributions", text, "--method", "leave-one-out", "--json", "--runs-dir", runs
    )
    theirs = json.loads(other.stdout)["texts"][0]["tokens"]
    assert [(t["token"], t["change"], t["known"]) for t in ours] == [
        (t["token"], t["change"], t["known"]) for t in theirs
    ]
    said = predict("small", text, "--explain").stderr
    assert "leave-one-out values of the probability" in said
    assert "Shapley" in said


def test_threshold_and_temperature_of_the_run(predict: Any, small: RunDirectory) -> None:
    decision = {"temperature": 2.0, "threshold": 0.8, "positive": "positive"}
    write_document(small.decision, "decision", {**decision, "goal": "f1", "how": "for the test"})
    shares = f"negative {odds(-1.0):.2f}  positive {odds(1.0):.2f}\n"
    assert predict("small", "great", "--probabilities").stdout == f"negative  {shares}"
    assert predict("small", "great", "--probabilities", "--threshold", "0.7").stdout == (
        f"positive  {shares}"
    )


def test_a_damaged_decision_is_named(predict: Any, small: RunDirectory) -> None:
    for content in (
        {"temperature": 0.0},
        {"threshold": 0.5, "positive": "sideways"},
        {"threshold": 2.0, "positive": "positive"},
        {"wings": 2},
    ):
        write_document(small.decision, "decision", content)
        result = predict("small", "great")
        assert result.exit_code == 5
        assert "decision.json" in result.stderr
        assert "--reset-decision" in result.stderr


# ----------------------------------------------------------------------------------------- tables


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(
        'id,text,"a, b"\n007,"great, ""really""",NA\n1e5,"bad\nawful",\n,,None\n\n'
        '3,good,"x\r\ny"\n',
        newline="",
    )
    return path


def read_csv(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def test_a_table_keeps_every_cell_and_the_order(
    predict: Any, small: RunDirectory, table: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    result = predict("--input", table, "--output", output)
    assert (result.exit_code, result.stdout) == (0, f"{output}\n")
    before = [row for row in read_csv(table.read_bytes().decode()) if row]
    after = read_csv(output.read_bytes().decode())
    assert [row[:3] for row in after] == before
    assert after[0][3:] == ["label", "probability_negative", "probability_positive"]
    assert [row[3] for row in after[1:]] == ["positive", "negative", "negative", "positive"]
    assert float(after[1][5]) == pytest.approx(odds(2.0), abs=1e-6)
    assert "4 rows" in result.stderr
    assert "1 text has no word" in result.stderr
    # What runs commands in tests shows all line ends as \\n.
    assert predict("--input", table).stdout == output.read_text("utf-8")


def test_output_formats_hold_the_same(
    predict: Any, small: RunDirectory, table: Path, tmp_path: Path
) -> None:
    assert predict("--input", table, "--output", tmp_path / "out.csv").exit_code == 0
    expected = read_csv((tmp_path / "out.csv").read_bytes().decode())
    for name in ("out.tsv", "out.jsonl", "out.csv.gz", "out.ndjson.gz"):
        output = tmp_path / name
        assert predict("--input", table, "--output", output).exit_code == 0
        data = output.read_bytes()
        text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
        if "json" in name:
            rows = [json.loads(line) for line in text.splitlines()]
            found = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
        else:
            found = read_csv(text, "\t" if "tsv" in name else ",")
        assert found == expected, name


def test_json_lines_keep_their_values(predict: Any, small: RunDirectory, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows: list[dict[str, Any]] = [
        {"text": "great", "n": 1.50, "more": {"a": [None]}},
        {"n": 2, "text": None, "new": "é"},
        {"n": 3},
    ]
    source.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    result = predict("--input", source, "--output", output)
    assert "2 texts have no words" in result.stderr
    found = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [{key: row[key] for key in old} for row, old in zip(found, rows, strict=True)] == rows
    assert [row["label"] for row in found] == ["positive", "negative", "negative"]
    refused = predict("--input", source, "--output", tmp_path / "out.csv")
    assert refused.exit_code == 4
    assert "Row 2" in refused.stderr
    assert not (tmp_path / "out.csv").exists()


def test_lines_of_a_text_file(predict: Any, small: RunDirectory, tmp_path: Path) -> None:
    source = tmp_path / "in.txt.gz"
    source.write_bytes(gzip.compress(b"great, film\nbad\n"))
    rows = read_csv(predict("--input", source).stdout)
    assert [row[:2] for row in rows] == [
        ["text", "label"],
        ["great, film", "positive"],
        ["bad", "negative"],
    ]


def test_without_a_header(predict: Any, small: RunDirectory, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes("0,great caf\u00e9\n4,bad\n".encode("latin-1"))
    arguments = ("--input", source, "--no-header", "--column", 1, "--encoding")
    rows = read_csv(predict(*arguments, "latin-1").stdout)
    assert [row[:3] for row in rows] == [
        ["0", "great caf\u00e9", "positive"],
        ["4", "bad", "negative"],
    ]
    wrong = predict(*arguments, "utf-8")
    assert wrong.exit_code == 4
    assert f"{source}: row 1: byte E9 is not utf-8" in wrong.stderr
    assert predict(*arguments, "klingon").exit_code == 2
    missing = predict("--input", source, "--no-header", "--encoding", "latin-1", "--column", 2)
    assert missing.exit_code == 4
    assert "2 columns without names" in missing.stderr


def test_the_column_of_texts(
    predict: Any, make_class_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    make_class_run(ROWS, data=DATA)
    source = tmp_path / "in.csv"

    def labels(content: str, *arguments: object) -> list[str]:
        source.write_text(content)
        result = predict("--input", source, *arguments)
        assert result.exit_code == 0, result.stderr
        header, *rows = read_csv(result.stdout)
        at = header.index("predicted_label" if header[0] == "label" else "label")
        return [row[at] for row in rows]

    assert labels("other,text\nbad,great\n") == ["positive"]
    assert labels('anything\ngreat\nbad\n""\n') == ["positive", "negative", "negative"]
    assert labels("label,text\nbad,great\n", "--column", "label") == ["negative"]
    assert labels("a;text\nbad;great\n", "--separator", ";", "--column", "0") == ["negative"]
    source.write_text("a,b\nx,y\n")
    for arguments in ((), ("--column", "c")):
        refused = predict("--input", source, *arguments)
        assert refused.exit_code == 4
        assert "'a', 'b'" in refused.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,text\n1,good\n1,good,2\n", "row 3: 3 columns instead of 2"),
        (
            b'a,text\n1,good\n1,"bad\n2,good\n',
            "row 3: a quotation mark is never closed and takes in 2 lines",
        ),
        (b"", "is empty"),
        (b"a,text\n1,go\0od\n", "NUL"),
        (b"a,text\n" + b"1,good\n" * 20_000 + b"1,go\0od\n", "row 20,002: there is a NUL"),
        (b"a,text\n1,good\n2,caf\xe9\n", "row 3: byte E9 is not utf-8"),
    ],
)
def test_bad_tables(
    predict: Any, small: RunDirectory, tmp_path: Path, content: bytes, said: str
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content)
    result = predict("--input", source, "--output", output)
    assert result.exit_code == 4
    assert said in result.stderr
    assert str(source) in result.stderr
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []


def test_damaged_or_missing_files(predict: Any, small: RunDirectory, tmp_path: Path) -> None:
    source = tmp_path / "in.csv.gz"
    for content in (gzip.compress(os.urandom(3000).hex().encode())[:-900], b"text\ngood\n"):
        source.write_bytes(content)
        result = predict("--input", source)
        assert (result.exit_code, str(source) in result.stderr) == (4, True)
    assert predict("--input", tmp_path / "none.csv").exit_code == 4
    folder = predict("--input", tmp_path)
    assert (folder.exit_code, "is a folder" in folder.stderr) == (4, True)
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", "text\n")
        file.writestr("b.csv", "text\n")
    (tmp_path / "empty.csv").write_text("")
    for source in (tmp_path, archive, tmp_path / "empty.csv", tmp_path / "none.csv", "x" * 300):
        result = predict("--input", source)
        assert result.exit_code == 4, source
        assert not {"data.path", "data.layout", "--runs-dir", "labelled"} & set(
            result.stderr.replace(":", " ").replace(".\n", " ").split()
        ), source


def test_an_output_with_a_name_that_no_system_takes(
    predict: Any, small: RunDirectory, tmp_path: Path
) -> None:
    result = predict("good", "--output", tmp_path / ("x" * 300 + ".csv"))
    assert (result.exit_code, "--output" in result.stderr) == (2, True)
    assert "File name too long" in result.stderr
    assert "--runs-dir" not in result.stderr
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n[1]\n')
    assert f"{tmp_path / 'in.jsonl'}: row 2" in predict("--input", tmp_path / "in.jsonl").stderr


def test_what_can_be_trained_on_can_be_predicted(
    predict: Any, make_class_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    import pandas as pd

    make_class_run(ROWS, data=DATA)
    texts = ["great film", "bad plot", "NA"]
    frame = pd.DataFrame({"n": [1, None, 3], "text": texts})
    frame.to_parquet(tmp_path / "a.parquet")
    with zipfile.ZipFile(tmp_path / "a.tsv.zip", "w") as archive:
        archive.writestr("a.tsv", "n\ttext\n" + "".join(f"1\t{text}\n" for text in texts))
    (tmp_path / "a.data").write_text("n,text\n" + "".join(f"1,{text}\n" for text in texts))
    for name in ("a.parquet", "a.tsv.zip", "a.data"):
        result = predict("--input", tmp_path / name)
        assert result.exit_code == 0, result.stderr
        rows = read_csv(result.stdout)
        assert [row[1:3] for row in rows] == [
            ["text", "label"],
            *([text, label] for text, label in zip(texts, PREDICTED, strict=True)),
        ]
    predict("--input", tmp_path / "a.parquet", "--output", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1.0, None, 3.0]


def test_bad_rows_are_left_out_where_training_left_them_out(
    predict: Any, make_class_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    make_class_run(ROWS, data={**DATA, "bad_rows": "drop"})
    source = tmp_path / "in.csv"
    source.write_bytes(b'n,text\n1,good\n2\nn,text\n3,"caf\xe9"\n4,bad\n5,"a"b\n6,great\n')
    result = predict("--input", source)
    assert result.exit_code == 0, result.stderr
    assert [row[:2] for row in read_csv(result.stdout)] == [
        ["n", "text"],
        ["1", "good"],
        ["4", "bad"],
        ["6", "great"],
    ]
    assert "2 with too many or too few columns" in result.stderr
    assert "1 that repeat the header" in result.stderr
    assert f"(first: {source}: row 3)" in result.stderr


@pytest.mark.parametrize("place", ["/proc/x.csv", "/sys/x.csv"])
def test_an_output_that_cannot_be_written_is_a_message(
    predict: Any, small: RunDirectory, table: Path, place: str
) -> None:
    for arguments in (("--input", table), ("great",)):
        result = predict(*arguments, "--output", place)
        assert result.exit_code == 2
        assert f"{place} cannot be written" in result.stderr
        assert "--runs-dir" not in result.stderr


def test_output_is_never_lost(
    predict: Any, small: RunDirectory, table: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    output.write_text("mine")
    link = tmp_path / "link.csv"
    link.hardlink_to(table)
    for path in (output, table, link, tmp_path / "none" / "out.csv", tmp_path / "out.xlsx"):
        assert predict("--input", table, "--output", path).exit_code == 2, path
    assert output.read_text() == "mine"
    assert predict("--input", table, "--output", table, "--force").exit_code == 2
    assert predict("--input", table, "--output", output, "--force").exit_code == 0
    assert output.read_text().startswith("id,text")


def test_texts_into_a_table(predict: Any, small: RunDirectory, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert predict("great", "bad", "--output", output).exit_code == 0
    assert [row[:2] for row in read_csv(output.read_text())] == [
        ["text", "label"],
        ["great", "positive"],
        ["bad", "negative"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["great", "--column", "text"],
        ["great", "--no-header"],
        ["great", "--force"],
        ["great", "--input", "x.csv"],
        ["--input", "x.csv", "--explain"],
        ["--input", "x.csv", "--json"],
        ["--input", "x.csv", "--separator", "ab"],
        ["great", "--output", "x.csv", "--json"],
        ["great", "--threshold", "1.5"],
    ],
)
def test_options_without_effect_are_refused(
    predict: Any, small: RunDirectory, arguments: list[str]
) -> None:
    assert predict(*arguments).exit_code == 2


def test_a_language_model_predicts_no_classes(
    predict: Any, make_model_run: Callable[..., RunDirectory]
) -> None:
    make_model_run("abc" * 100, name="letters")
    named = predict("letters", "abc")
    assert named.exit_code == 5
    assert "char_generation" in named.stderr
    assert predict("abc").exit_code == 5


@pytest.mark.parametrize("file", ["onnx_model", "vocabulary"])
def test_damage_is_named(predict: Any, small: RunDirectory, file: str) -> None:
    path: Path = getattr(small, file)
    path.write_bytes(path.read_bytes()[:-20])
    result = predict("small", "great")
    assert result.exit_code == 5
    assert path.name in result.stderr


def test_a_text_needs_no_library_of_tables(small: RunDirectory) -> None:
    program = """
import json, sys
from rnnkit.cli import cli
try:
    cli(sys.argv[1:], prog_name="rnnkit")
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", str(small.path), "what a great film"],
        capture_output=True,
        text=True,
        check=True,
    )
    answer, modules = done.stdout.splitlines()
    assert answer == "positive 0.88"
    heavy = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "pydantic"}
    assert not heavy & set(json.loads(modules))
