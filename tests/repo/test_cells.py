"""A cell is known in one place: its name stands in quotes in `network/cells.py` and the schema."""

import ast
from pathlib import Path
from typing import get_args

from rnnkit.config.base import Cell
from rnnkit.network.cells import CELLS

PACKAGE = Path(__file__).parents[2] / "rnnkit"
NAMED = {"network/cells.py", "config/base.py"}


def test_no_other_file_names_a_cell() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value!r}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in NAMED
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in CELLS
    ]
    assert not found, "\n".join(found)


def test_the_schema_names_the_cells_there_are() -> None:
    assert get_args(Cell) == tuple(CELLS)
