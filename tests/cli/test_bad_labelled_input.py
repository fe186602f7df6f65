"""Labelled texts with every fault that tables have: one clear message, nothing made on disk."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOOD = "text,label\n" + "".join(f"film {i},{('neg', 'pos')[i % 2]}\n" for i in range(40))
TABLE = """\
version: 1
task: sentiment
data: {path: texts.csv, labels: {neg: negative, pos: positive}}
training: {max_steps: 2}
"""

# Name -> content of the table, further settings, what the message holds.
CASES: dict[str, tuple[bytes, tuple[str, ...], tuple[str, ...]]] = {
    "ragged row": (GOOD.encode() + b"too,many,cells\n", (), ("texts.csv", "42")),
    "missing column": (GOOD.replace("text,", "tekst,").encode(), (), ("tekst", "text")),
    "label outside": (GOOD.encode() + b"a film,meh\n", (), ("meh", "42")),
    "missing text": (GOOD.encode() + b",pos\n", (), ("42",)),
    "one class": (GOOD.replace("neg", "pos").encode(), (), ("positive",)),
    "header repeated": (GOOD.encode() + GOOD.encode(), (), ("42",)),
    "wrong encoding": (GOOD.encode() + "caf\xe9,pos\n".encode("latin-1"), (), ("42", "latin-1")),
    "sorted": (
        (
            "text,label\n" + "".join(f"t {i},{('neg', 'pos')[i // 20]}\n" for i in range(40))
        ).encode(),
        ("data.split=ordered",),
        ("sorted",),
    ),
    "empty": (b"", (), ("texts.csv",)),
    "not there": (GOOD.encode(), ("data.path=none.csv",), ("none.csv",)),
    "broken vectors": (
        GOOD.encode(),
        ("model.embedding={kind: pretrained, path: broken.vec}",),
        ("broken.vec", "2"),
    ),
    "no run to begin with": (GOOD.encode(), ("training.init_from=nowhere",), ("nowhere",)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(TABLE, encoding="utf-8")
    (tmp_path / "broken.vec").write_text("film 0.1 0.2\nbad 0.1\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_is_one_message(run_cli: Callable[..., Any], folder: Path, case: str) -> None:
    content, settings, expected = CASES[case]
    (folder / "texts.csv").write_bytes(content)
    options = [word for setting in settings for word in ("--set", setting)]
    result = run_cli("train", "x.yaml", *options)
    assert result.exit_code == (5 if case == "no run to begin with" else 4), result.stderr
    for words in expected:
        assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    "case", ["ragged row", "label outside", "missing text", "header repeated", "wrong encoding"]
)
def test_is_counted_where_rows_may_be_dropped(
    run_cli: Callable[..., Any], folder: Path, case: str
) -> None:
    (folder / "texts.csv").write_bytes(CASES[case][0])
    result = run_cli("train", "x.yaml", "--set", "data.bad_rows=drop")
    assert result.exit_code == 0, result.stderr
    assert "dropped" in result.stderr.lower() or "left out" in result.stderr.lower()


def test_is_said_before_tensorflow_is_loaded(folder: Path) -> None:
    (folder / "texts.csv").write_bytes(CASES["label outside"][0])
    program = (
        "import sys\nfrom rnnkit.cli import cli\n"
        "code = cli(['train', 'x.yaml'], standalone_mode=False)\n"
        "print(code, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == ["False"], done.stderr
    assert "meh" in done.stderr
