"""What the matrix products of the recurrent layers are computed with."""

import sys
from pathlib import Path
from typing import Literal, assert_never

from rnnkit.network.kernels.fused import Products
from rnnkit.network.layers import runs_on_gpu

Precision = Literal["auto", "float32", "bfloat16"]

_NATIVE = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Names under which Linux lists instructions that multiply bfloat16, on x86 and Arm."""


def choose_products(precision: Precision) -> tuple[Products, str | None]:
    """The operands of the products, and why they are not narrower where that was allowed.

    `auto` takes bfloat16 where the processor has instructions for it: elsewhere every product
    would first be widened again. On a GPU cuDNN computes with float32 operands, which tensor
    cores round by themselves.
    """
    if precision == "float32":
        return "float32", None
    if runs_on_gpu():
        return "float32", "bfloat16 is for processors"
    match precision:
        case "bfloat16":
            return "bfloat16", None
        case "auto":
            if _NATIVE & _processor_flags():
                return "bfloat16", None
            return "float32", "auto: this processor has no instructions for bfloat16"
        case _:
            assert_never(precision)


def _processor_flags() -> frozenset[str]:
    """What the processor says it can do; nothing where the system does not tell."""
    if sys.platform != "linux":
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    listed = (line.split(":", 1)[1] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(listed, "").split())
