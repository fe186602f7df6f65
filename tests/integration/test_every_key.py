"""Every key of the configuration changes the run, or a value of it is refused.

The table below must have one entry for every key of the schema, so a key cannot be added without
saying what it changes, and each entry is checked by changing that key alone.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from experiments import arrays, configure, keys_of, start, train_here, without_times

from rnnkit.errors import ConfigError
from rnnkit.runs.checkpoint import read_checkpoint
from rnnkit.runs.directory import RunDirectory
from rnnkit.tasks.language_model.config import CharGenerationConfig

SHORT = ("training.max_steps=6", "training.evaluate_every_steps=3")
SLIDING = "data.windows={kind: sliding, length: 5}"
SIMPLE = ("model.cell=simple_rnn",)
PRETRAINED = "model.input={kind: pretrained, path: vectors.txt, trainable: true}"
DEEP = ("model.layers=2",)
DROPOUT = ("model.dropout=0.5",)
SAMPLES = ("training.samples={length: 9}",)


def optimizer(name: str, **extra: Any) -> tuple[str, ...]:
    fields = ", ".join(f"{k}: {v}" for k, v in {"name": name, **extra}.items())
    return (f"training.optimizer={{{fields}}}",)


def schedule(kind: str, **extra: Any) -> tuple[str, ...]:
    fields = ", ".join(f"{k}: {v}" for k, v in {"kind": kind, **extra}.items())
    return (f"training.schedule={{{fields}}}",)


PLATEAU = ("training.max_steps=24", *schedule("plateau", patience=1, factor=0.1))
STOPPING = ("training.max_steps=60", "training.optimizer.learning_rate=1.0e-9")

# Key -> (what differs, settings it is tried in, the same with the key changed).
# A key of one variant of a union is written section[variant].key.
CASES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "seed": ("training", (), ("seed=5",)),
    "data.path": ("corpus", (), ("data.path={other}",)),
    "data.encoding": (
        "corpus",
        ("data.path={latin}", "data.encoding=latin-1"),
        ("data.path={latin}", "data.encoding=cp1252"),
    ),
    "data.newlines": ("corpus", ("data.path={dos}",), ("data.path={dos}", "data.newlines=keep")),
    "data.normalization": (
        "corpus",
        ("data.path={accents}",),
        ("data.path={accents}", "data.normalization=NFD"),
    ),
    "data.lowercase": (
        "corpus",
        ("data.path={other}",),
        ("data.path={other}", "data.lowercase=true"),
    ),
    "data.tokens": ("corpus", (), ("data.tokens=bytes",)),
    "data.minimum_count": (
        "corpus",
        ("data.path={other}",),
        ("data.path={other}", "data.minimum_count=30"),
    ),
    "data.validation_fraction": ("training", (), ("data.validation_fraction=0.3",)),
    "data.test_fraction": ("training", (), ("data.test_fraction=0.2",)),
    "data.windows[stream].kind": ("training", (), (SLIDING,)),
    "data.windows[stream].length": ("training", (), ("data.windows.length=9",)),
    "data.windows[sliding].kind": (
        "training",
        (SLIDING,),
        ("data.windows={kind: stream, length: 5}",),
    ),
    "data.windows[sliding].length": ("training", (SLIDING,), (SLIDING, "data.windows.length=7")),
    "data.windows[sliding].stride": ("training", (SLIDING,), (SLIDING, "data.windows.stride=3")),
    "model.cell": ("training", (), ("model.cell=lstm",)),
    "model.units": ("training", (), ("model.units=9",)),
    "model.layers": ("training", (), DEEP),
    "model.input[one_hot].kind": ("training", (), ("model.input={kind: one_hot}",)),
    "model.input[scaled].kind": ("training", (), ("model.input={kind: scaled}",)),
    "model.input[embedding].kind": (
        "training",
        ("model.input={kind: one_hot}",),
        ("model.input={kind: embedding}",),
    ),
    "model.input[embedding].size": ("training", (), ("model.input.size=6",)),
    "model.activation": ("training", SIMPLE, (*SIMPLE, "model.activation=relu")),
    "model.kernel_initializer": ("training", (), ("model.kernel_initializer=he_normal",)),
    "model.recurrent_initializer": (
        "training",
        SIMPLE,
        (*SIMPLE, "model.recurrent_initializer=identity"),
    ),
    "model.dropout": ("training", (), DROPOUT),
    "model.dropout_mask": ("training", DROPOUT, (*DROPOUT, "model.dropout_mask=sequence")),
    "model.recurrent_dropout": ("training", (), ("model.recurrent_dropout=0.5",)),
    "model.l1": ("training", (), ("model.l1=0.1",)),
    "model.l2": ("training", (), ("model.l2=0.1",)),
    "model.normalization": ("training", (), ("model.normalization=layer",)),
    "model.residual": ("training", DEEP, (*DEEP, "model.residual=true")),
    "model.tie_weights": (
        "training",
        ("model.input.size=8",),
        ("model.input.size=8", "model.tie_weights=true"),
    ),
    "model.input[pretrained].kind": ("refused", (), (PRETRAINED,)),
    "model.input[pretrained].path": ("refused", (), (PRETRAINED,)),
    "model.input[pretrained].trainable": ("refused", (), (PRETRAINED,)),
    "model.embedding_dropout": ("training", (), ("model.embedding_dropout=0.5",)),
    "model.input_dropout": ("training", (), ("model.input_dropout=0.5",)),
    "model.initial_weights": (
        "training",
        (*SIMPLE, "model.units=2"),
        (*SIMPLE, "model.units=2", "model.initial_weights={recurrent_0/bias: [0.5, -0.5]}"),
    ),
    "training.batch_size": ("training", (), ("training.batch_size=5",)),
    "training.max_epochs": ("training", (), ("training.max_steps=null", "training.max_epochs=1")),
    "training.max_steps": ("training", (), ("training.max_steps=5",)),
    "training.max_minutes": ("training", (), ("training.max_minutes=1.0e-9",)),
    "training.optimizer[adam].name": ("training", optimizer("sgd"), optimizer("adam")),
    "training.optimizer[adam].learning_rate": (
        "training",
        (),
        ("training.optimizer.learning_rate=0.02",),
    ),
    "training.optimizer[adam].beta_1": ("training", (), ("training.optimizer.beta_1=0.5",)),
    "training.optimizer[adam].beta_2": ("training", (), ("training.optimizer.beta_2=0.5",)),
    "training.optimizer[adam].epsilon": ("training", (), ("training.optimizer.epsilon=0.1",)),
    "training.optimizer[adamw].name": ("training", optimizer("sgd"), optimizer("adamw")),
    "training.optimizer[adamw].learning_rate": (
        "training",
        optimizer("adamw"),
        optimizer("adamw", learning_rate=0.02),
    ),
    "training.optimizer[adamw].weight_decay": (
        "training",
        optimizer("adamw"),
        optimizer("adamw", weight_decay=0.9),
    ),
    "training.optimizer[adamw].beta_1": (
        "training",
        optimizer("adamw"),
        optimizer("adamw", beta_1=0.5),
    ),
    "training.optimizer[adamw].beta_2": (
        "training",
        optimizer("adamw"),
        optimizer("adamw", beta_2=0.5),
    ),
    "training.optimizer[adamw].epsilon": (
        "training",
        optimizer("adamw"),
        optimizer("adamw", epsilon=0.1),
    ),
    "training.optimizer[rmsprop].name": ("training", optimizer("sgd"), optimizer("rmsprop")),
    "training.optimizer[rmsprop].learning_rate": (
        "training",
        optimizer("rmsprop"),
        optimizer("rmsprop", learning_rate=0.02),
    ),
    "training.optimizer[rmsprop].rho": (
        "training",
        optimizer("rmsprop"),
        optimizer("rmsprop", rho=0.5),
    ),
    "training.optimizer[rmsprop].momentum": (
        "training",
        optimizer("rmsprop"),
        optimizer("rmsprop", momentum=0.5),
    ),
    "training.optimizer[rmsprop].epsilon": (
        "training",
        optimizer("rmsprop"),
        optimizer("rmsprop", epsilon=0.1),
    ),
    "training.optimizer[sgd].name": ("training", optimizer("adam"), optimizer("sgd")),
    "training.optimizer[sgd].learning_rate": (
        "training",
        optimizer("sgd"),
        optimizer("sgd", learning_rate=0.02),
    ),
    "training.optimizer[sgd].momentum": (
        "training",
        optimizer("sgd"),
        optimizer("sgd", momentum=0.5),
    ),
    "training.optimizer[sgd].nesterov": (
        "training",
        optimizer("sgd", momentum=0.5),
        optimizer("sgd", momentum=0.5, nesterov="true"),
    ),
    "training.schedule[constant].kind": ("training", schedule("linear"), schedule("constant")),
    "training.schedule[constant].warmup_steps": (
        "training",
        (),
        schedule("constant", warmup_steps=3),
    ),
    "training.schedule[linear].kind": ("training", (), schedule("linear")),
    "training.schedule[linear].warmup_steps": (
        "training",
        schedule("linear"),
        schedule("linear", warmup_steps=3),
    ),
    "training.schedule[linear].final_fraction": (
        "training",
        schedule("linear"),
        schedule("linear", final_fraction=0.5),
    ),
    "training.schedule[cosine].kind": ("training", (), schedule("cosine")),
    "training.schedule[cosine].warmup_steps": (
        "training",
        schedule("cosine"),
        schedule("cosine", warmup_steps=3),
    ),
    "training.schedule[cosine].final_fraction": (
        "training",
        schedule("cosine"),
        schedule("cosine", final_fraction=0.5),
    ),
    "training.schedule[step].kind": ("training", (), schedule("step", every_steps=2)),
    "training.schedule[step].warmup_steps": (
        "training",
        schedule("step", every_steps=2),
        schedule("step", every_steps=2, warmup_steps=3),
    ),
    "training.schedule[step].every_steps": (
        "training",
        schedule("step", every_steps=2),
        schedule("step", every_steps=3),
    ),
    "training.schedule[step].factor": (
        "training",
        schedule("step", every_steps=2),
        schedule("step", every_steps=2, factor=0.9),
    ),
    "training.schedule[plateau].kind": (
        "training",
        (*STOPPING, *schedule("constant")),
        (*STOPPING, *schedule("plateau", patience=1)),
    ),
    "training.schedule[plateau].warmup_steps": (
        "training",
        PLATEAU,
        (*PLATEAU, "training.schedule.warmup_steps=3"),
    ),
    "training.schedule[plateau].patience": (
        "training",
        (*STOPPING, *schedule("plateau", patience=1)),
        (*STOPPING, *schedule("plateau", patience=2)),
    ),
    "training.schedule[plateau].factor": (
        "training",
        (*STOPPING, *schedule("plateau", patience=1)),
        (*STOPPING, *schedule("plateau", patience=1, factor=0.9)),
    ),
    "training.precision": ("training", (), ("training.precision=bfloat16",)),
    "training.clip_norm": ("training", (), ("training.clip_norm=0.01",)),
    "training.clip_value": ("training", (), ("training.clip_value=0.001",)),
    "training.weight_average": ("training", (), ("training.weight_average=0.9",)),
    "training.monitor": (
        "training",
        ("training.max_steps=30",),
        ("training.max_steps=30", "training.monitor=accuracy"),
    ),
    "training.evaluate_every_steps": ("training", (), ("training.evaluate_every_steps=2",)),
    "training.checkpoint_every_steps": (
        "checkpoint",
        ("training.checkpoint_every_steps=2",),
        ("training.checkpoint_every_steps=5",),
    ),
    "training.early_stopping.patience": (
        "training",
        (*STOPPING, "training.early_stopping={patience: 2, minimum_improvement: 0.1}"),
        (*STOPPING, "training.early_stopping={patience: 3, minimum_improvement: 0.1}"),
    ),
    "training.early_stopping.minimum_improvement": (
        "training",
        ("training.max_steps=12", "training.early_stopping={patience: 1}"),
        (
            "training.max_steps=12",
            "training.early_stopping={patience: 1, minimum_improvement: 9.0}",
        ),
    ),
    "training.samples.temperatures": (
        "training",
        SAMPLES,
        (*SAMPLES, "training.samples.temperatures=[0.1, 2.0]"),
    ),
    "training.samples.length": ("training", SAMPLES, (*SAMPLES, "training.samples.length=10")),
    "training.samples.prompt": ("training", SAMPLES, (*SAMPLES, "training.samples.prompt=fox")),
    "generation.length": ("generation", (), ("generation.length=20",)),
    "generation.temperature": ("generation", (), ("generation.temperature=0.0",)),
    "generation.top_k": ("generation", (), ("generation.top_k=2",)),
    "generation.top_p": ("generation", (), ("generation.top_p=0.1",)),
    "generation.min_p": ("generation", (), ("generation.min_p=0.9",)),
    "generation.typical_p": ("generation", (), ("generation.typical_p=0.1",)),
    "generation.repetition_penalty": ("generation", (), ("generation.repetition_penalty=9.0",)),
    "evaluation.context_windows": ("evaluation", (), ("evaluation.context_windows=[5]",)),
    "evaluation.bootstrap_samples": (
        "evaluation",
        ("data.path={long}",),
        ("data.path={long}", "evaluation.bootstrap_samples=20"),
    ),
}

ONE_VALUE = {"version": "1", "task": "char_generation"}
"""Keys that say in which language the rest is written; they have a single value so far."""


def test_the_table_has_every_key_of_the_schema() -> None:
    assert sorted(keys_of(CharGenerationConfig)) == sorted([*CASES, *ONE_VALUE])


@pytest.mark.parametrize("key", ONE_VALUE)
def test_the_single_value_is_the_only_one(tmp_path: Path, key: str) -> None:
    configure(tmp_path, f"{key}={ONE_VALUE[key]}")
    with pytest.raises(ConfigError, match=key):
        configure(tmp_path, f"{key}=7")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the texts of the cases lie."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "other.txt").write_text("Another text, WITH capitals; and a few more. Z\n" * 25)
    (folder / "long.txt").write_text("A text with many blocks for the bootstrap. " * 300)
    (folder / "latin.txt").write_bytes("caf\xe9 \x80 and more caf\xe9s.\n".encode("latin-1") * 40)
    (folder / "dos.txt").write_bytes(b"lines that end as on DOS\r\n" * 40)
    (folder / "accents.txt").write_text("é è à ü in one code point each\n" * 40, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def observe(folder: Path, run_cli: Callable[..., Any]) -> Callable[..., object]:
    """`observe(what, overrides)`: what that configuration does, as a value to compare."""

    @cache
    def run_of(overrides: tuple[str, ...]) -> RunDirectory:
        config = configure(folder, *overrides)
        prepared, run = start(folder, config, f"run{len(list(folder.glob('runs/*')))}")
        train_here(config, prepared, run)
        return run

    def corpus(overrides: tuple[str, ...]) -> object:
        from rnnkit.tasks.language_model.data import prepare

        return prepare(configure(folder, *overrides)).fingerprint

    def training(overrides: tuple[str, ...]) -> object:
        run = run_of(overrides)
        best = arrays(run.best_checkpoint)
        return {k: (v.shape, v.tobytes()) for k, v in best.items()}, without_times(run)

    def checkpoint(overrides: tuple[str, ...]) -> object:
        """Steps of the checkpoint that a kill right after step 5 leaves."""
        config = configure(folder, *overrides, "training.evaluate_every_steps=6")
        prepared, run = start(folder, config, f"run{len(list(folder.glob('runs/*')))}")
        asked = iter([False] * 5)
        with pytest.raises(StopIteration):
            train_here(config, prepared, run, should_stop=lambda step: next(asked))
        return read_checkpoint(run.last_checkpoint)[1]["state"]["step"]

    def generation(overrides: tuple[str, ...]) -> object:
        run = run_of(overrides)
        result = run_cli("generate", run.path, "--seed", "the quick", "--random-seed", 1)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def evaluation(overrides: tuple[str, ...]) -> object:
        result = run_cli("evaluate", run_of(overrides).path, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["metrics"]

    observers: dict[str, Callable[[tuple[str, ...]], object]] = {
        "corpus": corpus,
        "training": training,
        "checkpoint": checkpoint,
        "generation": generation,
        "evaluation": evaluation,
    }

    def observe(what: str, overrides: tuple[str, ...]) -> object:
        settings = list(overrides)
        for path in folder.glob("*.txt"):
            settings = [setting.replace(f"{{{path.stem}}}", str(path)) for setting in settings]
        return observers[what]((*SHORT, *settings))

    return observe


@pytest.mark.slow
@pytest.mark.parametrize("key", CASES)
def test_key_has_an_effect(key: str, folder: Path, observe: Callable[..., object]) -> None:
    what, before, after = CASES[key]
    if what == "refused":
        with pytest.raises(ConfigError, match=key.partition("[")[0]):
            configure(folder, *after)
        return
    assert observe(what, before) != observe(what, after)
