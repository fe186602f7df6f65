"""`rnnkit config`: what is printed where, and the exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnkit.config.describe import json_schema, reference_markdown
from rnnkit.tasks.task import SCHEMAS, load_config

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "configs" / "hello.yaml"

RunCli = Callable[..., Any]


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text(HELLO.read_text("utf-8").replace("units: 32", "unitz: 32"), "utf-8")
    return path


def test_check_says_ok_on_stdout(run_cli: RunCli) -> None:
    result = run_cli("config", "check", HELLO, "--set", "model.cell=lstm")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{HELLO}: ok\n", "")


def test_check_looks_at_every_file(run_cli: RunCli, wrong: Path) -> None:
    result = run_cli("config", "check", wrong, "missing.yaml", HELLO)
    assert result.exit_code == 3
    assert result.stdout == f"{HELLO}: ok\n"
    first, second = result.stderr.splitlines()
    assert first.endswith("model.unitz: unknown key. Did you mean 'units'?")
    assert f"{wrong}:" in first
    assert second.strip() == "missing.yaml: no such file"


def test_check_as_json(run_cli: RunCli, wrong: Path) -> None:
    good = run_cli("config", "check", HELLO, "--json")
    assert json.loads(good.stdout) == {
        "ok": True,
        "files": [{"file": str(HELLO), "ok": True, "problems": []}],
    }
    bad = run_cli("config", "check", HELLO, wrong, "--json")
    document = json.loads(bad.stdout)
    assert bad.exit_code == 3
    assert document["ok"] is False
    assert [file["ok"] for file in document["files"]] == [True, False]
    assert "unitz" in document["files"][1]["problems"][0]


def test_check_without_a_file_is_a_usage_error(run_cli: RunCli) -> None:
    assert run_cli("config", "check").exit_code == 2


def test_show_prints_what_loads_again(run_cli: RunCli, tmp_path: Path) -> None:
    result = run_cli("config", "show", HELLO, "--set", "seed=7")
    path = tmp_path / "resolved.yaml"
    path.write_text(result.stdout, encoding="utf-8")
    assert result.exit_code == 0
    assert load_config(path) == load_config(HELLO, ["seed=7"])
    document = json.loads(run_cli("config", "show", HELLO, "--set", "seed=7", "--json").stdout)
    assert document == load_config(path).model_dump(mode="json")


def test_show_of_a_wrong_file_prints_nothing_on_stdout(run_cli: RunCli, wrong: Path) -> None:
    result = run_cli("config", "show", wrong)
    assert (result.exit_code, result.stdout) == (3, "")


def test_diff_against_the_defaults_and_another_file(run_cli: RunCli) -> None:
    lines = run_cli("config", "diff", HELLO, "--set", "seed=3").stdout.splitlines()
    assert "seed: 3  (default: 0)" in lines
    assert "model.units: 32  (default: 256)" in lines
    assert run_cli("config", "diff", HELLO, HELLO).stdout == ""
    result = run_cli("config", "diff", HELLO, HELLO, "--set", "seed=3", "--json")
    assert json.loads(result.stdout)["keys"] == [{"path": "seed", "value": 3, "other": 0}]


def test_schema_and_reference(run_cli: RunCli) -> None:
    assert json.loads(run_cli("config", "schema").stdout) == json_schema(SCHEMAS)
    assert run_cli("config", "schema", "--markdown").stdout == reference_markdown(SCHEMAS)


def test_help_imports_no_schema() -> None:
    script = (
        "import sys\n"
        "from rnnkit.cli.config import command\n"
        "command(['check', '--help'], standalone_mode=False)\n"
        "heavy = {'pydantic', 'yaml', 'numpy', 'tensorflow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "FILE..." in done.stdout
