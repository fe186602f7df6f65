"""The direction rule: who may import whom, read from the syntax trees of the package.

A file is refused with its line: an import from a package that comes later in ORDER, a third-party
package outside its place, an import that the checker cannot follow, or, in the command line,
anything but click when a module is loaded.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rnnkit"

# A package imports from itself and from those before it.
ORDER = (
    "errors",
    "config",
    "runs",
    "text",
    "data",
    "tables",
    "network",
    "training",
    "inference",
    "views",
    "tasks",
    "inspection",
    "experiment",
    "listing",
    "report",
    "model",
    "api",
    "cli",
)

# What needs TensorFlow to be loaded; the rest of the package does without.
TENSORFLOW = (
    "network/keras",
    "network/layers",
    "network/kernels",
    "network/gpu",
    "training",
    "tasks/language_model/objective",
    "tasks/language_model/samples",
    "tasks/text_classification/objective",
)

# Training and answering meet in the run directory only.
WITHOUT_TENSORFLOW = (
    "inference",
    "inspection",
    "views",
    "listing",
    "report",
    "runs",
    "tables",
    "data",
)

# Where each third-party package may be imported: a package of ours or a single file.
PLACES = {
    "annotated_types": {"config"},  # the vocabulary of pydantic's constraints
    "click": {"cli"},
    "filelock": {"runs"},
    "jinja2": {"views"},
    "keras": {"network", "training", "tasks"},
    "markupsafe": {"views"},
    "matplotlib": {"views"},
    "numpy": {
        "runs",
        "data",
        "tables",
        "network",
        "training",
        "inference",
        "views",
        "tasks",
        "inspection",
        "experiment",
        "report",
        "cli",
    },
    "onnx": {"network"},
    "onnxruntime": {"inference"},
    "pandas": {
        "model",
        "data",
        "tables",
        "inference",
        "tasks",
        "inspection",
        "experiment",
        "report",
    },
    "pyarrow": {"tables"},
    "pydantic": {"config", "tasks"},
    "pydantic_core": {"config"},
    "rich": {"cli", "views"},
    "scipy": {"inference", "tasks"},
    "sklearn": {"data", "tables", "training", "inference", "tasks", "report"},
    "spacy": {"text"},
    "spacy_lookups_data": {"text"},
    "tensorflow": {"network", "training", "tasks"},
    "tokenizers": {"text"},
    "yaml": {"config"},
}

# Imports against the order that are still to be turned round, as "file -> package".
PENDING: frozenset[str] = frozenset({})


@dataclass(frozen=True)
class Import:
    """One imported module, by its full name."""

    module: str
    line: int
    when_loaded: bool
    """Whether it runs when the file is loaded: outside functions and TYPE_CHECKING."""


def imports(tree: ast.AST, *, when_loaded: bool = True) -> Iterator[Import]:
    """Every import of a syntax tree; `from rnnkit import x` names `rnnkit.x`."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(alias.name, node.lineno, when_loaded)
            case ast.ImportFrom(level=0, module=str(module)):
                names = [f"rnnkit.{alias.name}" for alias in node.names]
                for name in names if module == "rnnkit" else [module]:
                    yield Import(name, node.lineno, when_loaded)
            case ast.ImportFrom():
                yield Import("." * node.level + (node.module or ""), node.lineno, when_loaded)
            case ast.Call(func=ast.Name(id="__import__") | ast.Attribute(attr="import_module")):
                yield Import("?", node.lineno, when_loaded)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from imports(node, when_loaded=False)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from imports(ast.Module(node.body, []), when_loaded=False)
                yield from imports(ast.Module(node.orelse, []), when_loaded=when_loaded)
            case _:
                yield from imports(node, when_loaded=when_loaded)


def offences(path: str, source: str) -> list[str]:
    """What a file does against the rules, as `path:line: what`.

    Args:
        path: relative to the package, as in `config/load.py`.
        source: its text.
    """
    place = path.split("/")[0].removesuffix(".py")
    if place in ("__init__", "__main__"):
        place = "cli"  # the outermost files of the package: they may see everything
    elif place not in ORDER:
        return [f"rnnkit/{path}:1: {place!r} is not in the order of packages: {', '.join(ORDER)}"]
    found = []
    for entry in imports(ast.parse(source)):
        if (problem := _problem(path, place, entry)) is not None:
            found.append(f"rnnkit/{path}:{entry.line}: {problem}")
    return found


def _problem(path: str, place: str, entry: Import) -> str | None:
    top, _, rest = entry.module.partition(".")
    if top in ("", "?"):
        return "an import by a relative or computed name; write the full name"
    if top == "rnnkit":
        return _inner_problem(path, place, entry, rest.split(".")[0])
    if top in sys.stdlib_module_names:
        return None
    if top not in PLACES:
        return f"imports {top}, which has no place in the list of third-party packages"
    if not PLACES[top] & {place, path}:
        return f"imports {top}, which belongs in {', '.join(sorted(PLACES[top]))} only"
    if top in ("keras", "tensorflow") and not path.startswith(TENSORFLOW):
        return f"imports {top}, though it is not among the files that need TensorFlow"
    if path.startswith("cli/") and entry.when_loaded and top != "click":
        return f"imports {top} when it is loaded; move it into the function that needs it"
    return None


def _inner_problem(path: str, place: str, entry: Import, target: str) -> str | None:
    if target in ("", "__version__"):
        return None
    if target not in ORDER:
        return f"imports {entry.module}, which is not in the order of packages"
    if ORDER.index(target) > ORDER.index(place):
        return f"{place} imports {target}, which comes after it"
    needs = entry.module.removeprefix("rnnkit.").replace(".", "/").startswith(TENSORFLOW)
    if needs and place in WITHOUT_TENSORFLOW:
        return f"{place} imports {entry.module}; they meet in the run directory only"
    if path.startswith("cli/") and entry.when_loaded and target not in ("cli", "errors"):
        return f"imports {entry.module} when it is loaded; move it into the function that needs it"
    return None


def test_package_keeps_the_direction() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    found = [
        offence
        for file in files
        for offence in offences(file.relative_to(PACKAGE).as_posix(), file.read_text("utf-8"))
    ]
    pending = {_pending_name(offence) for offence in found} & PENDING
    found = [offence for offence in found if _pending_name(offence) not in PENDING]
    assert not found, "\n".join(found)
    assert pending == PENDING, f"not pending any more: {sorted(PENDING - pending)}"
    assert len(files) > len(ORDER)


def _pending_name(offence: str) -> str:
    """`rnnkit/data/x.py:3: data imports tasks, which ..` -> `data/x.py -> tasks`."""
    place, _, problem = offence.partition(": ")
    file = place.removeprefix("rnnkit/").rpartition(":")[0]
    return f"{file} -> {problem.split(' imports ')[-1].split(',')[0].split(';')[0]}"


def test_every_package_of_the_order_exists() -> None:
    for name in set(ORDER):
        assert (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name / "__init__.py").is_file(), (
            name
        )


def test_first_packages_stand_alone() -> None:
    assert offences("text/words.py", "import numpy") != []
    for file in (PACKAGE / "text").glob("*.py"):
        for entry in imports(ast.parse(file.read_text("utf-8"))):
            if entry.when_loaded:
                assert entry.module.split(".")[0] in {*sys.stdlib_module_names, "rnnkit"}, file


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("config/load.py", "import os\nfrom rnnkit.tasks.language_model.data import prepare", 2),
        ("config/load.py", "from rnnkit import training", 1),
        ("data/files.py", "def f():\n    import rnnkit.network.keras", 2),
        ("network/keras.py", "from rnnkit.tasks.task import Task", 1),
        ("training/loop.py", "import rnnkit.inference", 1),
        ("inference/runtime.py", "from rnnkit.training.loop import train", 1),
        ("inference/runtime.py", "from rnnkit.network.keras import build_model", 1),
        ("inference/runtime.py", "from typing import TYPE_CHECKING\nimport tensorflow as tf", 2),
        ("network/onnx.py", "import onnx\nimport numpy\nimport keras", 3),
        ("training/loop.py", "import onnx", 1),
        ("data/files.py", "import yaml", 1),
        ("report.py", "class A:\n    def f(self):\n        import click", 3),
        ("data/fetch.py", "import requests", 1),
        ("wheels/round.py", "", 1),
        ("wheels.py", "", 1),
        ("data/files.py", "import rnnkit.wheels", 1),
        ("data/files.py", "from . import splits", 1),
        ("data/files.py", "import importlib\nx = importlib.import_module('rnnkit.cli')", 2),
        ("data/files.py", "x = lambda: __import__('rnnkit.cli')", 1),
        ("cli/train.py", "import click\nfrom rnnkit.config.load import load_config", 2),
        ("cli/train.py", "import click\nif True:\n    import rich", 3),
        ("cli/train.py", "def f():\n    import yaml", 2),
    ],
)
def test_checker_names_the_line(path: str, source: str, line: int) -> None:
    (found,) = offences(path, source)
    assert found.startswith(f"rnnkit/{path}:{line}: ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cli/train.py", "import click\ndef f():\n    from rnnkit.training.loop import train"),
        ("cli/train.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rich"),
        ("cli/__init__.py", "from rnnkit import __version__\nfrom rnnkit.cli import train"),
        ("__main__.py", "from rnnkit.cli import main"),
        ("training/loop.py", "import tensorflow as tf\nfrom rnnkit.network.keras import build"),
        ("network/onnx.py", "import onnx\nfrom onnx import helper\nimport numpy as np"),
        ("runs/directory.py", "import json\nimport filelock\nfrom rnnkit.errors import RunError"),
    ],
)
def test_checker_lets_good_files_pass(path: str, source: str) -> None:
    assert offences(path, source) == []
