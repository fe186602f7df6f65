"""How a run is executed: device, shards, operands of the matrix products. Decided once.

`choose_execution` looks at the machine; everything else is handed its answer.
"""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import keras
import tensorflow as tf

import rnnkit
from rnnkit.network.kernels.fused import MatmulDtype
from rnnkit.network.layers import describe_gpu_routes

Precision = Literal["auto", "float32", "bfloat16"]

_LEAST_ROWS = 8
"""Rows of a batch that are worth a shard of their own."""

_NATIVE_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Names under which Linux lists instructions that multiply bfloat16, on x86 and Arm."""


@dataclass(frozen=True)
class Execution:
    """Where and with which arithmetic a run computes."""

    on_gpu: bool
    device: str
    """Name of the GPU, or of the processor with its cores."""
    cores: int
    """Cores this process may use."""
    shards: int
    """Slices of a batch that are computed side by side: one per core, one on a GPU."""
    matmul_dtype: MatmulDtype
    """Operands of the recurrent layers' matrix products."""
    why_not_bfloat16: str | None = None
    """Why the operands are float32 where bfloat16 was allowed."""

    def describe_kernel(self, model: keras.Model, *, has_cudnn: bool) -> str:
        """Return which code runs the time steps of `model`, and why not a faster one.

        Args:
            model: the network that is trained.
            has_cudnn: whether a compiled update holds cuDNN's operators; Keras falls back to its
                own loop silently.
        """
        reason = f" ({self.why_not_bfloat16})" if self.why_not_bfloat16 else ""
        if self.on_gpu:
            routes = describe_gpu_routes(model)
            if not has_cudnn:
                routes = routes.replace("keras, cuDNN", "keras, without cuDNN")
            return routes + reason
        plural = "s" if self.shards > 1 else ""
        return f"rnnkit/{self.matmul_dtype} x {self.shards} shard{plural}{reason}"


def choose_execution(
    *, precision: Precision = "float32", batch_size: int, whole_batches: bool = False
) -> Execution:
    """Look at the machine and decide.

    Args:
        precision: allowed operands of the recurrent layers' matrix products.
        batch_size: rows of a batch.
        whole_batches: whether the network needs a batch in one piece, as batch normalisation does.
    """
    on_gpu, cores = has_gpu(), available_cores()
    shards = 1 if on_gpu or whole_batches else max(1, min(cores, batch_size // _LEAST_ROWS))
    matmul_dtype, reason = choose_matmul_dtype(precision, on_gpu=on_gpu)
    return Execution(on_gpu, describe_device(), cores, shards, matmul_dtype, reason)


def choose_matmul_dtype(precision: Precision, *, on_gpu: bool) -> tuple[MatmulDtype, str | None]:
    """Return the dtype of matmul operands, and why they are float32 where bfloat16 was allowed.

    `auto` takes bfloat16 where the processor has instructions for it: elsewhere every operand
    would first be widened again. On a GPU cuDNN computes with float32 operands, which tensor
    cores round by themselves.
    """
    if precision == "float32":
        return "float32", None
    if on_gpu:
        return "float32", "bfloat16 is for processors"
    match precision:
        case "bfloat16":
            return "bfloat16", None
        case "auto":
            if _NATIVE_BFLOAT16 & _processor_flags():
                return "bfloat16", None
            return "float32", "auto: this processor has no instructions for bfloat16"
        case _:
            assert_never(precision)


def set_up(seed: int, execution: Execution) -> None:
    """Seed every generator; on a CPU, give each operator one thread and ask for operators that
    repeat bit by bit. To be called before anything is computed."""
    keras.utils.set_random_seed(seed)
    if execution.on_gpu:
        return  # some operators have no repeatable form there and would raise
    # TensorFlow fixes its threads at its first operator. A program that has used it before
    # keeps those it has, which is slower, not wrong.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(execution.cores)
    tf.config.experimental.enable_op_determinism()


class ShardFunction:
    """A function of tensors alone that a graph calls once for each shard of a batch.

    On a CPU each call runs its operators one after the other on one core, without the
    bookkeeping between threads that costs as much as the small operators of a recurrent step;
    the calls do not depend on each other, so they run on as many cores as there are shards. That
    holds as long as the function touches no variables: TensorFlow lets calls that share one wait
    for each other. On a GPU there is one shard, computed as if it were written inline.
    """

    def __init__(self, function: Callable[..., Any], *, on_gpu: bool) -> None:
        self._on_gpu = on_gpu
        self._function = function
        if not on_gpu:
            # Inlined into the graph around it, it would run on that graph's threads.
            self._function = tf.function(
                function, autograph=False, experimental_attributes={"_noinline": True}
            )

    def __call__(self, shards: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the results, one for each list of arguments."""
        if self._on_gpu:
            return [self._function(*arguments) for arguments in shards]
        with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            return [self._function(*arguments) for arguments in shards]


# ------------------------------------------------------------------------------- the machine


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU; Keras then takes cuDNN for LSTM and GRU."""
    return bool(tf.config.list_physical_devices("GPU"))


def describe_device() -> str:
    """Return the GPU's name, or the processor with the number of cores TensorFlow may use."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    return f"{_processor()}, {available_cores()} cores"


def available_cores() -> int:
    """Return the cores this process may use, which a container can limit."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def describe_environment(seed: int, *, device: str, kernel: str) -> dict[str, Any]:
    """Return the content of environment.json: versions, device, cores, seed and commit."""
    packages = ("tensorflow", "keras", "numpy", "onnx", "onnxruntime")
    return {
        "rnnkit": rnnkit.__version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        **{name: importlib.metadata.version(name) for name in packages},
        "device": device,
        "cores": available_cores(),
        "kernel": kernel,
        "seed": seed,
        "commit": _commit(),
    }


def _commit() -> str | None:
    """Commit of the working folder, where the experiment's own files usually are."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    for line in _processor_lines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _processor_flags() -> frozenset[str]:
    """Names of the processor's instruction sets; none where the system does not list them."""
    lines = (line for line in _processor_lines() if line.startswith(("flags", "Features")))
    return frozenset(next(lines, ":").split(":", 1)[1].split())


def _processor_lines() -> list[str]:
    if sys.platform != "linux":
        return []
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()
