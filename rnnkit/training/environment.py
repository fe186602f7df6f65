"""What a run was trained on, for environment.json."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

import rnnkit
from rnnkit.network.layers import describe_gpu_routes, runs_on_gpu

if TYPE_CHECKING:  # step.py imports from here
    from rnnkit.training.step import Learner


def describe_kernel(learner: "Learner") -> str:
    """Which code runs the time steps of the recurrent layers, and why not another."""
    reason = f" ({learner.why_not_narrower})" if learner.why_not_narrower else ""
    if runs_on_gpu():
        # Keras falls back to its own loop without a word.
        lost = not learner.runs_cudnn()
        routes = describe_gpu_routes(learner.model)
        return (routes.replace("keras, cuDNN", "keras, without cuDNN") if lost else routes) + reason
    shards = learner.shards
    return f"rnnkit/{learner.products} x {shards} shard{'s' if shards > 1 else ''}{reason}"


def describe_device() -> str:
    """The GPU's name, or the processor with the number of cores TensorFlow may use."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    return f"{_processor()}, {available_cores()} cores"


def available_cores() -> int:
    """Cores this process may use, which a container can limit."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Commit of the working folder, where the experiment's own files usually are."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def describe_environment(seed: int, *, kernel: str) -> dict[str, Any]:
    """Versions, device, cores, seed and commit."""
    packages = ("tensorflow", "keras", "numpy", "onnx", "onnxruntime")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "rnnkit": rnnkit.__version__,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        **versions,
        "device": describe_device(),
        "cores": available_cores(),
        "kernel": kernel,
        "seed": seed,
        "commit": _commit(),
    }
