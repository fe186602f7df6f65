"""The benchmarks compare equals: what each side is given, and when it has its turn."""

from typing import Any

import pytest

from bench import measure
from bench.training import BATCHES, CELLS, LAYERS, MIDDLE, SIZES, is_usual


def test_sides_take_turns_in_an_order_that_rotates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PAUSE_SECONDS", 0.0)
    order = []

    def turn(name: str, worker: Any) -> int:
        order.append(name)
        return len(order)

    sides: Any = dict.fromkeys("abc")
    found = measure.in_turns(sides, 3, turn)
    assert "".join(order) == "abcbcacab"
    assert found == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_usual_networks_are_every_cell_in_every_size() -> None:
    usual = [
        (units, layers, batch)
        for batch in BATCHES
        for layers in LAYERS
        for units in SIZES
        if is_usual(units, layers, batch)
    ]
    assert {units for units, _, _ in usual} == set(SIZES)
    assert (MIDDLE, 2, 64) in usual
    assert (MIDDLE, 1, 32) in usual
    assert len(usual) * len(CELLS) < len(BATCHES) * len(LAYERS) * len(SIZES) * len(CELLS)
