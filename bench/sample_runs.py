"""Runs with random weights, for what asks only how long the arithmetic takes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.commands import REPOSITORY

UNITS, EMBEDDING = 256, 64

Weights = dict[str, NDArray[np.float32]]


def make_writer(folder: Path) -> tuple[Path, Weights]:
    """A run of one GRU layer of 256 with an embedding of 64 over 65 characters; and its weights
    under the names and in the layout of Keras."""
    from rnnkit.config.schema import GenerationConfig, ModelConfig
    from rnnkit.network.onnx import InferenceFacts, export_onnx
    from rnnkit.runs.directory import create_run, write_atomically, write_document, write_manifest
    from rnnkit.text.tokenize import TextRules
    from rnnkit.text.vocabulary import Vocabulary

    characters = "\n !$&',-.3:;?" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz"
    vocabulary = Vocabulary(TextRules(), "characters", tuple(sorted(characters)))
    size = vocabulary.size
    weights = _random(
        {
            "embedding/embeddings": (1.0, (size, EMBEDDING)),
            "recurrent_0/kernel": (0.1, (EMBEDDING, 3 * UNITS)),
            "recurrent_0/recurrent_kernel": (0.06, (UNITS, 3 * UNITS)),
            "recurrent_0/bias": (0.0, (2, 3 * UNITS)),
            "logits/kernel": (0.1, (UNITS, size)),
            "logits/bias": (0.0, (size,)),
        }
    )
    config = "{version: 1, task: char_generation, data: {path: none}, training: {max_steps: 1}}\n"
    run = create_run(folder, "gru256", config_text=config, vocabulary=vocabulary.to_dict())
    facts = InferenceFacts("char_generation", None, GenerationConfig().model_dump(mode="json"))
    model = ModelConfig()
    write_atomically(
        run.onnx_model, export_onnx(weights, model=model, vocabulary_size=size, facts=facts)
    )
    write_manifest(run, [run.config, run.onnx_model])
    write_document(run.summary, "summary", {"task": "char_generation"})
    return run.path, weights


def make_judge(folder: Path) -> Path:
    """A run of configs/sentiment.yaml, as if it were trained: with its vocabulary."""
    from rnnkit.config.describe import to_yaml
    from rnnkit.config.load import load_config
    from rnnkit.config.schema import SentimentConfig, layer_sizes
    from rnnkit.network.classifier_parts import logit_units, recurrent_names
    from rnnkit.network.onnx_classifier import export_classifier
    from rnnkit.runs.directory import create_run, write_atomically, write_document, write_manifest
    from rnnkit.tasks.text_classification.data import prepare_texts

    config = load_config(REPOSITORY / "configs" / "sentiment.yaml")
    assert isinstance(config, SentimentConfig)
    assert config.model.embedding.kind == "learned"
    prepared = prepare_texts(config)
    size, width = prepared.encoder.size, config.model.embedding.size
    shapes = {"embedding/embeddings": (0.1, (size, width))}
    for index, units in enumerate(layer_sizes(config.model)):
        names = recurrent_names(config.model, index)
        for name in names:
            shapes |= {
                f"{name}/kernel": (0.1, (width, 3 * units)),
                f"{name}/recurrent_kernel": (0.1, (units, 3 * units)),
                f"{name}/bias": (0.0, (2, 3 * units)),
            }
        width = units * len(names)
    outputs = logit_units(config.model, len(prepared.classes))
    pooled = width * len(config.model.pooling)
    shapes |= {"logits/kernel": (0.1, (pooled, outputs)), "logits/bias": (0.0, (outputs,))}
    run = create_run(
        folder,
        "sentiment",
        config_text=to_yaml(config),
        vocabulary={"encoder": prepared.encoder.to_dict(), "classes": list(prepared.classes)},
    )
    model = export_classifier(
        _random(shapes),
        model=config.model,
        vocabulary_size=size,
        classes=prepared.classes,
        embedding_size=config.model.embedding.size,
    )
    write_atomically(run.onnx_model, model)
    write_manifest(run, [run.config, run.onnx_model])
    summary = {"task": "sentiment", "corpus_fingerprint": prepared.fingerprint}
    write_document(run.summary, "summary", {**summary, "classes": list(prepared.classes)})
    return run.path


def _random(shapes: dict[str, tuple[float, tuple[int, ...]]]) -> Weights:
    """Normal numbers of these deviations and shapes."""
    draw = np.random.default_rng(0)
    return {
        name: draw.normal(scale=scale, size=shape).astype(np.float32)
        for name, (scale, shape) in shapes.items()
    }
