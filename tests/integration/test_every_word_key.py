"""Every key of `task: word_generation` changes the run, or a value of it is refused.

Keys that the task shares with characters, by section and class, are tried in `test_every_key.py`;
here are those of its own, and all of `data`.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from experiments import arrays, configure_words, keys_of, start, train_here, without_times

from rnnkit.errors import ConfigError
from rnnkit.tasks.language_model.config import CharGenerationConfig, WordGenerationConfig
from rnnkit.tasks.language_model.data import prepare

SHORT = ("training.max_steps=6", "training.evaluate_every_steps=3")
SLIDING = "data.windows={kind: sliding, length: 5}"
SUBWORDS = ("data.tokens=subwords", "data.vocabulary_size=270")
VECTORS = "model.input={{kind: pretrained, path: {vectors}{more}}}"

# Key -> (what differs, settings it is tried in, the same with the key changed).
CASES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
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
    "data.tokens": ("corpus", ("data.vocabulary_size=270",), SUBWORDS),
    "data.layout": ("corpus", (), ("data.layout=sentences",)),
    "data.vocabulary_size": ("corpus", (), ("data.vocabulary_size=5",)),
    "data.minimum_count": (
        "corpus",
        ("data.path={other}",),
        ("data.path={other}", "data.minimum_count=2"),
    ),
    "data.validation_path": (
        "corpus",
        ("data.validation_fraction=0.1",),
        ("data.validation_fraction=0.1", "data.validation_path={other}"),
    ),
    "data.test_path": ("corpus", (), ("data.test_path={other}",)),
    "data.validation_fraction": ("corpus", (), ("data.validation_fraction=0.4",)),
    "data.test_fraction": ("corpus", (), ("data.test_fraction=0.2",)),
    "data.windows[stream].kind": ("training", (SLIDING,), ()),
    "data.windows[stream].length": ("training", (), ("data.windows.length=7",)),
    "data.windows[sliding].kind": ("training", (), (SLIDING,)),
    "data.windows[sliding].length": ("training", (SLIDING,), (SLIDING, "data.windows.length=4")),
    "data.windows[sliding].stride": ("training", (SLIDING,), (SLIDING, "data.windows.stride=2")),
    "model.input[pretrained].kind": (
        "training",
        ("model.input.size=3",),
        (VECTORS.format(vectors="{vectors}", more=""),),
    ),
    "model.input[pretrained].path": (
        "training",
        (VECTORS.format(vectors="{vectors}", more=""),),
        (VECTORS.format(vectors="{shorter}", more=""),),
    ),
    "model.input[pretrained].trainable": (
        "training",
        (VECTORS.format(vectors="{vectors}", more=""),),
        (VECTORS.format(vectors="{vectors}", more=", trainable: true"),),
    ),
}


def test_the_table_has_every_key_that_is_not_tried_elsewhere() -> None:
    words, characters = (
        {key for key in keys_of(tree) if key not in ("version", "task", "training.precision")}
        for tree in (WordGenerationConfig, CharGenerationConfig)
    )
    own = {key for key in words if key.startswith(("data.", "model.input[pretrained]"))}
    assert set(CASES) == own
    assert words - own <= characters


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the texts of the cases lie."""
    folder = tmp_path_factory.mktemp("words")
    texts = {
        "other.txt": "".join(f"Another TEXT, with word{n}; and more.\n" for n in range(30)),
        "dos.txt": "lines that end\r\nas on DOS\r\n" * 30,
        "accents.txt": "é è à ü in one code point each\n" * 30,
        "vectors.txt": "the 0.1 0.2 0.3\nfox 0.3 0.1 -0.2\n",
        "shorter.txt": "the 0.1 0.2\nfox 0.3 0.1\n",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8"))
    (folder / "latin.txt").write_bytes("caf\xe9 \x80 and more caf\xe9s.\n".encode("latin-1") * 40)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("key", CASES)
def test_key_has_an_effect(key: str, folder: Path) -> None:
    what, before, after = CASES[key]

    @cache
    def observe(overrides: tuple[str, ...]) -> Any:
        settings = [*SHORT, *overrides]
        for path in folder.glob("*.txt"):
            settings = [setting.replace(f"{{{path.stem}}}", str(path)) for setting in settings]
        config = configure_words(folder, *settings)
        if what == "corpus":
            prepared = prepare(config)
            return prepared.fingerprint, prepared.splits
        prepared, run = start(folder, config, f"run{len(list(folder.glob('runs/*')))}")
        train_here(config, prepared, run)
        weights = {name: values.tobytes() for name, values in arrays(run.best_checkpoint).items()}
        return weights, without_times(run)

    assert observe(before) != observe(after)


REFUSED = [
    ((*SUBWORDS, "data.minimum_count=2"), "data.minimum_count", "none is unknown"),
    (("data.tokens=subwords", "data.vocabulary_size=255"), "data.vocabulary_size", "256 bytes"),
    (("data.tokens=subwords", "data.vocabulary_size=null"), "data.vocabulary_size", "found null"),
    ((*SUBWORDS, "data.layout=sentences"), "data.layout", "tokens: words"),
    ((*SUBWORDS, "model.input={kind: pretrained, path: v}"), "model.input.kind", "no subwords"),
    (("data.validation_path=v.txt",), "data.validation_fraction", "names some"),
    (("data.test_path=v.txt", "data.test_fraction=0.3"), "data.test_fraction", "names some"),
    (("data.test_fraction=0.9",), "data.validation_fraction", "nothing is left"),
    (("model.bidirectional=true",), "model.bidirectional", "needs the future"),
    (
        ("model.tie_weights=true", "model.input={kind: pretrained, path: v}"),
        "model.tie_weights",
        "trainable: true",
    ),
    (
        ("model.embedding_dropout=0.1", "model.input={kind: one_hot}"),
        "model.embedding_dropout",
        "one_hot",
    ),
    (
        (
            "model.input={kind: pretrained, path: v}",
            "model.initial_weights={embedding/embeddings: [[1.0]]}",
        ),
        "model.initial_weights",
        "pretrained",
    ),
    (("data.layout=poem",), "data.layout", "expected one of text, sentences"),
    (("data.tokens=letters",), "data.tokens", "expected one of words, subwords"),
    (("data.vocabulary_size=0",), "data.vocabulary_size", "at least 1"),
]


@pytest.mark.parametrize(("overrides", "path", "message"), REFUSED)
def test_what_has_no_effect_or_no_meaning_is_refused(
    tmp_path: Path, overrides: tuple[str, ...], path: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{path}: .*{message}") as error:
        configure_words(tmp_path, *overrides)
    assert len(str(error.value).splitlines()) == 1


def test_files_of_a_part_need_no_fraction(tmp_path: Path) -> None:
    """The default fraction says nothing, nor does 0."""
    for fraction in ("0.1", "0"):
        configure_words(
            tmp_path, "data.validation_path=v.txt", f"data.validation_fraction={fraction}"
        )
