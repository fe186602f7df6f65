"""The Python API: its page is run from top to bottom, and `import rnnkit` stays light."""

import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnnkit

GUIDE = Path(__file__).parents[2] / "docs/guides/python.md"


def test_the_page_of_the_api_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 7
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RNNKIT_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert "this is for language models" in done.stdout


def test_the_api_is_described() -> None:
    described = pydoc.plain(pydoc.render_doc(rnnkit))
    for name in set(rnnkit.__all__) - {"__version__"}:
        assert re.search(rf"^    (class )?{name}\(", described, flags=re.MULTILINE), name
        assert getattr(rnnkit, name).__doc__
    assert set(dir(rnnkit)) == set(rnnkit.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = rnnkit.nothing


def test_import_loads_nothing_heavy() -> None:
    code = "import rnnkit, sys; print([n for n in sys.argv[1:] if n in sys.modules])"
    heavy = ["numpy", "pydantic", "yaml", "pandas", "tensorflow", "onnxruntime", "click"]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_wrong_overrides_and_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abc " * 50)
    settings = {
        "version": 1,
        "task": "char_generation",
        "data": {"path": str(tmp_path / "text.txt")},
        "training": {"max_steps": 1},
    }
    with pytest.raises(rnnkit.RnnkitError, match=r"model\.unitz"):
        rnnkit.load_config(settings, overrides={"model.unitz": 3})
    with pytest.raises(rnnkit.RnnkitError, match="--name"):
        rnnkit.train(settings, name="a/b", runs_dir=tmp_path)
    with pytest.raises(rnnkit.RnnkitError, match="at least 2"):
        rnnkit.crossvalidate(settings, folds=1, runs_dir=tmp_path)
    with pytest.raises(rnnkit.RnnkitError, match="crossval is for"):
        rnnkit.crossvalidate(settings, runs_dir=tmp_path)
    with pytest.raises(rnnkit.RnnkitError, match="no such run"):
        rnnkit.load("nowhere", runs_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]
