"""`rnnkit inspect forward`: every number on the way from a text to a prediction."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.views.view import PNG_MARK, page_mark

ROOT = Path(__file__).parents[2]
BY_HAND = ROOT / "configs" / "tutorials" / "forward_by_hand.yaml"

RunCli = Callable[..., Any]


def forward(run_cli: RunCli, target: object, *options: object) -> Any:
    result = run_cli("inspect", "forward", target, *options)
    assert result.exit_code == 0, result.stderr
    return result


def document(run_cli: RunCli, target: object, *options: object) -> Any:
    return json.loads(forward(run_cli, target, "--json", *options).stdout)


def lines_of(step: dict[str, Any], title: str) -> dict[str, list[float]]:
    """The block whose title begins so, as line -> numbers."""
    (block,) = [block for block in step["blocks"] if block["title"].startswith(title)]
    return {line["name"]: line["values"] for line in block["lines"]}


# ------------------------------------------------------------------------- "hell" -> "o" by hand


def test_the_first_step_is_the_one_computed_by_hand(run_cli: RunCli) -> None:
    """Enters h: its row of W is (0.3, -0.1, 0.9), the state before is 0, b = (0.1, 0, -0.1).

    h' = tanh(0.3 + 0.1), tanh(-0.1), tanh(0.9 - 0.1) = 0.379949, -0.099668, 0.664037
    e: 0.5 * 0.379949 - 0.4 * -0.099668 + 0.7 * 0.664037 + 0.0        =  0.694668
    h: -0.3 * 0.379949 + 0.6 * -0.099668 + 0.1 * 0.664037 + 0.1       = -0.007382
    l: 0.8 * 0.379949 + 0.2 * -0.099668 - 0.5 * 0.664037 + 0.0        = -0.047993
    o: 0.1 * 0.379949 + 0.9 * -0.099668 + 0.3 * 0.664037 - 0.1        =  0.047505
    powers of e: 2.003044, 0.992645, 0.953140, 1.048651, together 4.997480
    shares: 0.400811, 0.198629, 0.190724, 0.209836; e is next: loss -ln 0.400811 = 0.914266
    """
    found = document(run_cli, BY_HAND, "--text", "hell")
    step = found["steps"][0]
    assert lines_of(step, "input x") == {"x": [0.0, 1.0, 0.0, 0.0]}
    cell = lines_of(step, "recurrent_0")
    assert cell["h before"] == [0.0, 0.0, 0.0]
    assert cell["W x"] == pytest.approx([0.3, -0.1, 0.9])
    assert cell["U h"] == [0.0, 0.0, 0.0]
    assert cell["b"] == pytest.approx([0.1, 0.0, -0.1])
    assert cell["W x + U h + b"] == pytest.approx([0.4, -0.1, 0.8])
    assert cell["h = tanh"] == pytest.approx([0.379949, -0.099668, 0.664037], abs=1e-6)
    logits = lines_of(step, "logits")
    assert logits["W h + b"] == pytest.approx([0.694668, -0.007382, -0.047993, 0.047505], abs=2e-6)
    assert logits["softmax"] == pytest.approx([0.400811, 0.198629, 0.190724, 0.209836], abs=2e-6)
    assert step["prediction"] == {
        "predicted": "e",
        "predicted_probability": pytest.approx(0.400811, abs=2e-6),
        "actual": "e",
        "probability": pytest.approx(0.400811, abs=2e-6),
        "loss": pytest.approx(0.914266, abs=5e-6),
    }


def test_the_second_step_uses_the_state_of_the_first(run_cli: RunCli) -> None:
    """Enters e, its row of W is (0.5, 0.2, -0.3); U h of h = (0.379949, -0.099668, 0.664037):

    0.4 * 0.379949 - 0.2 * -0.099668 + 0.1 * 0.664037 =  0.238317
    0.1 * 0.379949 + 0.3 * -0.099668 + 0.0 * 0.664037 =  0.008094
    0.0 * 0.379949 + 0.5 * -0.099668 - 0.4 * 0.664037 = -0.315449
    sums with W x and b: 0.838317, 0.208094, -0.715449; tanh: 0.684917, 0.205141, -0.614082
    """
    found = document(run_cli, BY_HAND, "--text", "hell")
    cell = lines_of(found["steps"][1], "recurrent_0")
    assert cell["h before"] == pytest.approx([0.379949, -0.099668, 0.664037], abs=1e-6)
    assert cell["U h"] == pytest.approx([0.238317, 0.008094, -0.315449], abs=2e-6)
    assert cell["W x + U h + b"] == pytest.approx([0.838317, 0.208094, -0.715449], abs=2e-6)
    assert cell["h = tanh"] == pytest.approx([0.684917, 0.205141, -0.614082], abs=2e-6)
    assert found["steps"][3]["prediction"]["actual"] is None
    assert found["weights_are"] == "untrained; all weights given by the configuration"


def test_tables_and_overview_are_printed(run_cli: RunCli) -> None:
    result = forward(run_cli, BY_HAND, "--text", "hell", "--steps", 1, "--digits", 2)
    assert "Step 1: reads h" in result.stdout
    assert "Step 2" not in result.stdout
    assert "    W x + U h + b  0.40  -0.10   0.80\n" in result.stdout
    assert "predicts e (0.40); next is e (0.40): right, loss 0.91 nats" in result.stdout
    assert "the arithmetic of 3 more steps is not shown (--steps)" in result.stdout
    assert result.stdout.splitlines()[-1].split()[:4] == ["4", "l", "h", "0.34"]


# -------------------------------------------------------------------------------- other networks

CELL_LINES = {
    "lstm": ["input: i = sigmoid", "forget: f = sigmoid", "c = f c + i g", "h = o tanh(c)"],
    "gru": ["update: z = sigmoid", "candidate: W x + b + r (U h + b_h)", "h = z h + (1 - z) g"],
}


@pytest.mark.parametrize("cell", CELL_LINES)
@pytest.mark.parametrize(
    "kind", ["{kind: one_hot}", "{kind: scaled}", "{kind: embedding, size: 3}"]
)
def test_gates_follow_from_each_other(
    run_cli: RunCli, tmp_path: Path, cell: str, kind: str
) -> None:
    """What is shown adds up, whatever the cell and the input."""
    config = write(tmp_path, f"{{cell: {cell}, units: [3, 2], input: {kind}}}")
    found = document(run_cli, config, "--text", "hold", "--units", 99)
    assert "untrained; random weights (seed 0)" in found["weights_are"]
    for step in found["steps"]:
        for layer in ("recurrent_0", "recurrent_1"):
            lines = lines_of(step, layer)
            assert set(CELL_LINES[cell]) <= lines.keys()
            check_cell(cell, lines)
        assert sum(lines_of(step, "logits")["softmax"]) == pytest.approx(1.0)


def check_cell(cell: str, lines: dict[str, list[float]]) -> None:
    before, after = lines["h before"], list(lines.values())[-1]
    for unit, (h, new) in enumerate(zip(before, after, strict=True)):
        at = {name: values[unit] for name, values in lines.items()}
        if cell == "gru":
            z, r = at["update: z = sigmoid"], at["reset: r = sigmoid"]
            total = at["candidate: W x"] + at["candidate: b"] + r * at["candidate: U h + b_h"]
            assert at["candidate: W x + b + r (U h + b_h)"] == pytest.approx(total)
            assert new == pytest.approx(z * h + (1 - z) * math.tanh(total))
            continue
        gates = {}
        for gate, letter in zip(("input", "forget", "candidate", "output"), "ifgo", strict=True):
            total = at[f"{gate}: W x"] + at[f"{gate}: U h"] + at[f"{gate}: b"]
            assert at[f"{gate}: W x + U h + b"] == pytest.approx(total)
            squash = math.tanh if gate == "candidate" else lambda x: 1 / (1 + math.exp(-x))
            gates[letter] = squash(total)
        c = gates["f"] * at["c before"] + gates["i"] * gates["g"]
        assert at["c = f c + i g"] == pytest.approx(c)
        assert new == pytest.approx(gates["o"] * math.tanh(c))


def write(folder: Path, model: str, *, text: str = "hello world, hold\n" * 9) -> Path:
    (folder / "text.txt").write_text(text)
    config = folder / "x.yaml"
    config.write_text(
        "version: 1\ntask: char_generation\ndata: {path: text.txt}\n"
        f"model: {model}\ntraining: {{max_steps: 1, batch_size: 1}}\n"
    )
    return config


def test_large_vectors_are_cut_and_it_is_said(run_cli: RunCli, tmp_path: Path) -> None:
    config = write(tmp_path, "{units: 40, normalization: layer, layers: 2, residual: true}")
    result = forward(run_cli, config, "--text", "he", "--units", 3)
    assert "recurrent_0 (gru, 40 units) (and 37 more: --units)" in result.stdout
    assert "the 3 most probable tokens" in result.stdout
    assert "+ input of the layer" in result.stdout
    found = document(run_cli, config, "--text", "he", "--units", 3)
    assert {len(block["columns"]) for block in found["steps"][0]["blocks"]} == {3}


def test_sliding_windows_read_no_more_than_they_see(run_cli: RunCli) -> None:
    config = ROOT / "configs" / "hello.yaml"
    result = forward(run_cli, config, "--text", "hello", "--steps", 0)
    assert "reads 3 tokens for a prediction, so of 5 the last 3 are read" in result.stderr
    found = document(run_cli, config, "--text", "hello")
    assert [step["token"] for step in found["steps"]] == ["l", "l", "o"]


def test_numbers_may_leave_all_range(run_cli: RunCli, tmp_path: Path) -> None:
    """A ReLU that grows without end: everything is still shown, drawn and written."""
    weights = "{recurrent_0/recurrent_kernel: [[1e30]], recurrent_0/bias: [1e30]}"
    config = write(
        tmp_path, f"{{cell: simple_rnn, activation: relu, units: 1, initial_weights: {weights}}}"
    )
    text = "hello world, hold"
    result = forward(
        run_cli, config, "--text", text, "--steps", 20,
        "--html", tmp_path / "a.html", "--png", tmp_path / "a.png",
    )  # fmt: skip
    assert " inf" in result.stdout
    document(run_cli, config, "--text", text)
    gone = run_cli(
        "inspect", "gradients", config, "--distance", 9, "--recurrent-scale", 1e9,
        "--clip-norm", 1, "--html", tmp_path / "b.html", "--png", tmp_path / "b.png",
    )  # fmt: skip
    assert gone.exit_code == 0, gone.stderr
    assert "it explodes" in gone.stdout
    assert "No limit helps against that" in gone.stdout


# ----------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--text", "xyz"], 4, "never occurred"),
        (["--text", ""], 4, "The text is empty"),
        ([], 2, "--text"),
        (["--text", "hell", "--units", 0], 2, "--units"),
    ],
)
def test_wrong_use_is_one_message(
    run_cli: RunCli, options: list[object], code: int, said: str
) -> None:
    result = run_cli("inspect", "forward", BY_HAND, *options)
    assert result.exit_code == code
    assert said in result.stderr


def test_a_configuration_that_is_not_there_or_wrong(run_cli: RunCli, tmp_path: Path) -> None:
    missing = run_cli("inspect", "forward", tmp_path / "no.yaml", "--text", "a")
    assert (missing.exit_code, "no such file" in missing.stderr) == (3, True)
    config = write(tmp_path, "{units: 2, initial_weights: {logits/bias: [1, 2]}}")
    wrong = run_cli("inspect", "forward", config, "--text", "a")
    assert wrong.exit_code == 3
    assert "logits/bias: expected" in wrong.stderr


# ------------------------------------------------------------------------------------------ files


def test_pages_and_pictures_are_written_and_only_ours_replaced(
    run_cli: RunCli, tmp_path: Path
) -> None:
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    for _ in range(2):
        forward(run_cli, BY_HAND, "--text", "hell", "--html", page, "--png", picture)
    assert page.read_text("utf-8").startswith(page_mark("inspect"))
    assert "0.3799" in page.read_text("utf-8")
    assert PNG_MARK in picture.read_bytes()[:512]
    for option in ("--html", "--png"):
        mine = tmp_path / "mine"
        mine.write_text("mine")
        result = run_cli("inspect", "forward", BY_HAND, "--text", "hell", option, mine)
        assert result.exit_code == 2
        assert mine.read_text() == "mine"


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from rnnkit.cli import cli\n"
        f"cli(['inspect', 'forward', {str(BY_HAND)!r}, '--text', 'hell'], standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'onnxruntime', 'matplotlib', 'pandas', 'scipy', "
        "'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "RNNKIT_CACHE": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == "[]"
