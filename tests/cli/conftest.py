"""A finished run without training: everything is as training leaves it, but for the weights,
which are random."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rnnkit.config.describe import to_yaml
from rnnkit.config.load import load_config
from rnnkit.data.prepare import prepare
from rnnkit.model.export_onnx import InferenceFacts, export_onnx
from rnnkit.run import (
    RunDirectory,
    create_run,
    write_atomically,
    write_document,
    write_manifest,
)

UNITS, EMBEDDING = 8, 4

MakeModelRun = Callable[..., RunDirectory]


@pytest.fixture
def make_model_run(tmp_path: Path) -> MakeModelRun:
    """Return `make_model_run(text, name=..., data={...}, evaluation={...}, generation={...})`,
    which makes a run of a small GRU in `tmp_path / "runs"`."""

    def make(text: str | bytes, *, name: str = "small", **sections: Any) -> RunDirectory:
        path = tmp_path / f"{name}.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        content = {
            "version": 1,
            "task": "char_generation",
            "model": {"units": UNITS, "input": {"kind": "embedding", "size": EMBEDDING}},
            "training": {"max_steps": 1, "batch_size": 1},
            **sections,
            "data": {"path": str(path), **sections.get("data", {})},
        }
        config_path = tmp_path / f"{name}.yaml"
        config_path.write_text(yaml.safe_dump(content))
        config = load_config(config_path)
        prepared = prepare(config)
        size = prepared.vocabulary.size
        rng = np.random.default_rng(0)
        shapes = {
            "embedding/embeddings": (size, EMBEDDING),
            "recurrent_0/kernel": (EMBEDDING, 3 * UNITS),
            "recurrent_0/recurrent_kernel": (UNITS, 3 * UNITS),
            "recurrent_0/bias": (2, 3 * UNITS),
            "logits/kernel": (UNITS, size),
            "logits/bias": (size,),
        }
        windows = config.data.windows
        run = create_run(
            tmp_path / "runs",
            name,
            config_text=to_yaml(config),
            vocabulary=prepared.vocabulary.to_dict(),
        )
        write_atomically(
            run.onnx_model,
            export_onnx(
                {key: rng.normal(size=shape) for key, shape in shapes.items()},
                model=config.model,
                vocabulary_size=size,
                facts=InferenceFacts(
                    task=config.task,
                    context=windows.length if windows.kind == "sliding" else None,
                    generation=config.generation.model_dump(mode="json"),
                ),
            ),
        )
        write_manifest(run, [run.config, run.onnx_model])
        summary = {"task": config.task, "corpus_fingerprint": prepared.fingerprint}
        write_document(run.summary, "summary", summary)
        return run

    return make
