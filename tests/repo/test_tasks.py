"""Tasks are told apart in one place, and the package keeps the limits on its own size."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "rnnkit"
TASKS = PACKAGE / "tasks"

LONGEST_FUNCTION = 60
MOST_PARAMETERS = 8

# Functions outside cli/ that are still longer than LONGEST_FUNCTION, or have more parameters.
LONG: frozenset[str] = frozenset({"tasks/language_model/suggest.py:_search"})

MOST_ANY_DICTS = 28
"""Places with `dict[str, Any]`: fewer is better, lower this number then."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield path and syntax tree of every file of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))


def folders() -> list[str]:
    """Return the names of the tasks' folders."""
    return sorted(path.parent.name for path in TASKS.glob("*/task.py"))


def config_classes() -> set[str]:
    """Return the names of the classes whose `task` is a `Literal`: whole configurations."""
    found = set()
    for folder in folders():
        for node in ast.walk(ast.parse((TASKS / folder / "config.py").read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(line, ast.AnnAssign)
                and ast.unparse(line.target) == "task"
                and "Literal" in ast.unparse(line.annotation)
                for line in node.body
            ):
                found.add(node.name)
    return found


def told_apart(tree: ast.AST, classes: set[str]) -> Iterator[tuple[int, str]]:
    """Yield line and kind of every `isinstance` and `match` on one of `classes`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kind]):
                if classes & set(re.findall(r"\w+", ast.unparse(kind))):
                    yield node.lineno, "isinstance"
            case ast.MatchClass(cls=cls) if ast.unparse(cls).rpartition(".")[2] in classes:
                yield node.lineno, "match"
            case _:
                pass


def test_one_match_over_tasks() -> None:
    classes = config_classes()
    assert len(classes) >= 3
    matches = []
    for path, tree in trees():
        for line, kind in told_apart(tree, classes):
            assert path.startswith("tasks/"), f"{path}:{line}: {kind} on the task; ask task_of"
            if kind == "match":
                matches.append(path)
    assert set(matches) == {"tasks/task.py"}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("isinstance(config, ClassificationConfig)", "isinstance"),
        ("not isinstance(c, (int, config.ClassificationConfig))", "isinstance"),
        ("match c:\n    case ClassificationConfig(data=d): pass", "match"),
    ],
)
def test_telling_tasks_apart_is_seen(source: str, kind: str) -> None:
    assert [k for _, k in told_apart(ast.parse(source), {"ClassificationConfig"})] == [kind]


def test_no_task_imports_another() -> None:
    names = folders()
    assert len(names) >= 2
    for name in names:
        others = {f"rnnkit.tasks.{other}" for other in names if other != name}
        for path in (TASKS / name).rglob("*.py"):
            text = path.read_text("utf-8")
            found = [other for other in others if re.search(rf"{re.escape(other)}\b", text)]
            assert not found, f"{path.relative_to(PACKAGE)} names {found}"


def too_long(tree: ast.AST) -> Iterator[str]:
    """Yield the names of functions over the limits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [
                a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            ]
            parameters = len([name for name in names if name not in ("self", "cls")])
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION or parameters > MOST_PARAMETERS:
                yield node.name


def test_functions_are_short() -> None:
    found = {
        f"{path}:{name}"
        for path, tree in trees()
        if not path.startswith("cli/")
        for name in too_long(tree)
    }
    assert found == LONG


def test_untyped_mappings_do_not_increase() -> None:
    places = [path.read_text("utf-8").count("dict[str, Any]") for path in PACKAGE.rglob("*.py")]
    assert sum(places) <= MOST_ANY_DICTS
