"""A small model of words is better than a trigram of the same tokens."""

import math
from pathlib import Path

import numpy as np
import pytest
from experiments import train_new

from bench.words import best_discounts, count_trigrams
from rnnkit.tasks.language_model.config import WordGenerationConfig
from rnnkit.tasks.language_model.data import prepare
from rnnkit.tasks.language_model.model import load_language_model
from rnnkit.tasks.language_model.scoring import score_text
from rnnkit.tasks.task import parse_config

SHAKESPEARE = Path(__file__).parents[2] / "data" / "tinyshakespeare.txt"

SETTINGS = f"""\
version: 1
task: word_generation
data:
  path: {SHAKESPEARE}
  vocabulary_size: 2000
  windows: {{kind: stream, length: 35}}
model:
  cell: lstm
  units: 128
  input: {{kind: embedding, size: 128}}
  tie_weights: true
  input_dropout: 0.2
  dropout: 0.3
  dropout_mask: sequence
training:
  batch_size: 16
  max_epochs: 4
  optimizer: {{name: adamw, learning_rate: 6.0e-3}}
  schedule: {{kind: cosine, warmup_steps: 50, final_fraction: 0.02}}
  clip_norm: 1.0
"""


@pytest.mark.slow
def test_words_are_predicted_better_than_by_a_trigram(tmp_path: Path) -> None:
    """The same vocabulary and <unk>, the same held-out part; the trigram has the discounts that
    are best for it. The ready configuration, which is larger and trained longer, is measured by
    `bench.words`."""
    config = parse_config(SETTINGS, source="words.yaml", base=tmp_path)
    assert isinstance(config, WordGenerationConfig)
    prepared = prepare(config)
    train, held_out = (
        np.asarray(prepared.split(name)).astype(np.int64) for name in ("train", "validation")
    )
    trigram = count_trigrams(train, prepared.vocabulary.size)
    reference = math.log(trigram.perplexity(held_out, best_discounts(trigram, held_out)))
    run = train_new(tmp_path, config, "run")
    found = score_text(load_language_model(run), held_out.astype(np.uint16), context_windows=())
    high = found.metrics["loss"].high
    assert high is not None
    assert high < reference
