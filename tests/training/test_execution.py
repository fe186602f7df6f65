"""Which operands a run multiplies, how many shards, and what it says about it."""

from collections.abc import Sequence

import pytest

from rnnkit.training import execution


def pretend(monkeypatch: pytest.MonkeyPatch, *, flags: Sequence[str] = ()) -> None:
    monkeypatch.setattr(execution, "_processor_flags", lambda: frozenset(flags))


@pytest.mark.parametrize(
    ("wanted", "flags", "products"),
    [
        ("float32", ("avx512_bf16",), "float32"),
        ("bfloat16", (), "bfloat16"),
        ("auto", ("avx2", "avx512_bf16"), "bfloat16"),
        ("auto", ("amx_bf16",), "bfloat16"),
        ("auto", ("fp", "asimd", "bf16"), "bfloat16"),
        ("auto", ("avx2", "avx512f"), "float32"),
        ("auto", (), "float32"),
    ],
)
def test_auto_looks_at_the_processor(
    monkeypatch: pytest.MonkeyPatch,
    wanted: execution.Precision,
    flags: tuple[str, ...],
    products: str,
) -> None:
    pretend(monkeypatch, flags=flags)
    chosen, reason = execution.choose_matmul_dtype(wanted, on_gpu=False)
    assert chosen == products
    assert (reason is not None) == (wanted == "auto" and products == "float32")


@pytest.mark.parametrize("wanted", ["auto", "bfloat16"])
def test_a_gpu_keeps_float32_and_says_so(
    monkeypatch: pytest.MonkeyPatch, wanted: execution.Precision
) -> None:
    pretend(monkeypatch, flags=("avx512_bf16",))
    assert execution.choose_matmul_dtype(wanted, on_gpu=True) == (
        "float32",
        "bfloat16 is for processors",
    )


def test_flags_are_read_from_this_processor() -> None:
    """Linux names some on every processor; other systems name none."""
    assert all(flag == flag.strip() and " " not in flag for flag in execution._processor_flags())


def test_shards_are_one_per_core_and_have_enough_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "available_cores", lambda: 4)
    monkeypatch.setattr(execution, "has_gpu", lambda: False)
    shards = {n: execution.choose_execution(batch_size=n).shards for n in (1, 8, 16, 31, 32, 999)}
    assert shards == {1: 1, 8: 1, 16: 2, 31: 3, 32: 4, 999: 4}
    assert execution.choose_execution(batch_size=999, whole_batches=True).shards == 1
    monkeypatch.setattr(execution, "has_gpu", lambda: True)
    assert execution.choose_execution(batch_size=999).shards == 1
