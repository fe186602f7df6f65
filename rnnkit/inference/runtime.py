"""`model.onnx` of a run, verified and opened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.runs.files import check_version

_ONLY_ERRORS = 3  # severity for onnxruntime's log: its warnings concern devices we do not use


@dataclass(frozen=True)
class ModelFile:
    """A graph that can be run, and the `facts` that `rnnkit train` wrote into the file beside it.

    `facts` has at least `task` (one of those asked for) and `vocabulary_size`.
    """

    runtime: onnxruntime.InferenceSession
    facts: dict[str, Any]


def open_model(run: RunDirectory, *, tasks: Sequence[str], threads: int = 1) -> ModelFile:
    """Verify and open the model of a run of one of `tasks`.

    Raises:
        RunError: the file is missing, damaged, foreign, from a newer version, or of another task.
    """
    verify_files(run, run.onnx_model)
    runtime = _open(run, threads)
    return ModelFile(runtime, _read_facts(run, runtime, tasks))


def damaged_metadata(run: RunDirectory) -> RunError:
    """The error for facts that are not what `rnnkit train` writes."""
    return RunError(f"{run.onnx_model}: its 'rnnkit' metadata is damaged")


def check_vocabulary_size(run: RunDirectory, facts: dict[str, Any], size: int) -> None:
    """Refuse a model that was made for another vocabulary than the one beside it.

    Raises:
        RunError: the numbers of tokens differ.
    """
    if facts["vocabulary_size"] != size:
        raise RunError(
            f"{run.onnx_model}: is for {facts['vocabulary_size']} tokens, but vocabulary.json has "
            f"{size}; the files do not belong together"
        )


def _open(run: RunDirectory, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    try:
        return onnxruntime.InferenceSession(
            run.onnx_model.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common root of their own
        raise RunError(
            f"{run.onnx_model}: cannot be loaded; damaged or not an ONNX model "
            f"(onnxruntime: {str(error).strip().splitlines()[0]})"
        ) from error


def _read_facts(
    run: RunDirectory, runtime: onnxruntime.InferenceSession, tasks: Sequence[str]
) -> dict[str, Any]:
    text = runtime.get_modelmeta().custom_metadata_map.get("rnnkit")
    if text is None:
        raise RunError(f"{run.onnx_model}: not written by rnnkit (it has no 'rnnkit' metadata)")
    try:
        facts = json.loads(text)
        version = facts["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged_metadata(run) from error
    check_version(run.onnx_model, version)
    task, vocabulary_size = facts.get("task"), facts.get("vocabulary_size")
    if not isinstance(task, str) or not isinstance(vocabulary_size, int):
        raise damaged_metadata(run)
    if task not in tasks:
        raise RunError(f"{run.path}: is a run of task {task!r}, expected one of {', '.join(tasks)}")
    return facts
