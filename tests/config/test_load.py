"""Loading: overrides, paths, and error messages that a user can act on."""

import json
from pathlib import Path
from typing import get_args

import pytest

from rnnkit.config.base import Cell, Section
from rnnkit.config.fields import section_shape
from rnnkit.config.load import LARGEST_FILE
from rnnkit.config.training import AdamWConfig, SGDConfig, planned_schedule
from rnnkit.errors import ConfigError
from rnnkit.tasks.language_model.config import (
    CharGenerationConfig,
    SlidingWindows,
    StreamWindows,
    Tokens,
)
from rnnkit.tasks.task import SCHEMAS, load_config, parse_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.y*ml"))

BASE = """\
version: 1
task: char_generation
data:
  path: text.txt
  windows: {length: 20}
model:
  units: 16
training:
  max_steps: 100
"""


def load(text: str = BASE, *overrides: str) -> CharGenerationConfig:
    config = parse_config(text, source="x.yaml", base=Path("/base"), overrides=overrides)
    assert isinstance(config, CharGenerationConfig)
    return config


def errors(text: str = BASE, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_config(text, source="x.yaml", base=Path("/base"), overrides=overrides)
    return str(error.value).splitlines()


def test_there_are_ready_configurations() -> None:
    assert len(CONFIGS) >= 7


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_ready_configuration_loads_and_says_what_it_needs(path: Path) -> None:
    """Of data that are not in the repository the comment at the top speaks."""
    config = load_config(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "no comment says what it teaches"
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    paths = config.data.path
    for name in (paths,) if isinstance(paths, str) else paths:
        there = list(Path(name).parent.glob(Path(name).name))
        assert there or Path(name).name in header or "--set data.path=" in header, name


def test_defaults_fill_what_a_file_leaves_away() -> None:
    config = load()
    assert config.model.units == 16
    assert config.data.windows == StreamWindows(length=20)
    assert config.training.optimizer == AdamWConfig()


# --- overrides


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("model.units=512", "model.units", 512),
        ("model.units=[256, 128]", "model.units", (256, 128)),
        ("training.optimizer.learning_rate=1e-2", "training.optimizer.learning_rate", 0.01),
        ("training.early_stopping.patience=3", "training.early_stopping.patience", 3),
        ("training.samples.prompt='5'", "training.samples.prompt", "5"),
        ("training.samples.prompt=no", "training.samples.prompt", "no"),
        ("training.samples={length: 7}", "training.samples.length", 7),
        ("generation={temperature: 0}", "generation.temperature", 0.0),
        (" seed = 4 ", "seed", 4),
    ],
)
def test_an_override_changes_one_value(override: str, path: str, value: object) -> None:
    found: object = load(BASE, override)
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


def test_the_kind_of_a_section_changes_and_the_shared_keys_stay() -> None:
    assert load(BASE, "data.windows.kind=sliding").data.windows == SlidingWindows(
        kind="sliding", length=20, stride=1
    )


def test_a_section_is_replaced_as_a_whole() -> None:
    config = load(BASE, "training.optimizer={name: sgd, learning_rate: 0.5}")
    assert config.training.optimizer == SGDConfig(name="sgd", learning_rate=0.5)


def test_later_overrides_win() -> None:
    assert load(BASE, "model.units=3", "model.units=4").model.units == 4
    assert load(BASE, "training.samples=null", "training.samples.length=4").training.samples


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.units", "--set model.units: no '='"),
        ("", "--set: no '='"),
        ("=5", "--set =5: no key before the '='"),
        ("model..units=5", "--set model..units=5: 'model..units' is not the path of a key"),
        (".=5", "--set .=5: '.' is not"),
        ("model.units=", "--set model.units=: model.units: no value after the '='"),
        ("seed.x=1", "--set seed.x=1: seed.x: seed is no section but 5"),
        ("model.unitz=5", "--set model.unitz=5: model.unitz: unknown key. Did you mean 'units'?"),
        ("model.units=many", "--set model.units=many: model.units: expected a whole number of at"),
        ("model.units=010", "--set model.units=010: model.units: 010 can mean an octal"),
        ("model.units=[1", "--set model.units=[1: model.units: not valid YAML"),
        ("data.path=*.txt", "--set data.path=*.txt: data.path: not valid YAML"),
        ("model.layers=3 # x", "--set model.layers=3 # x: model.layers: only '3' would be read"),
        ("model=5", "--set model=5: model: expected a section (cell, units"),
        ("data=null", "--set data=null: data: expected a section"),
        ("training={}", "--set training={}: training: nothing ends the run"),
        ("model.cell=\udcff", "--set"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    text = BASE + "seed: 5\n"
    assert any(line.startswith(message) for line in errors(text, override)), errors(text, override)


def test_a_wrong_override_does_not_hide_the_rest() -> None:
    lines = errors(BASE.replace("units: 16", "unitz: 16\n  activation: relu"), "seed=x", "nonsense")
    assert [line.split(": ")[1] for line in lines] == [
        "model.unitz",
        "model.activation",
        "seed",
        "no '='; write --set KEY=VALUE, for example --set model.units=512",
    ]


# --- messages


def test_everything_wrong_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 1
task: char_generation
sead: 3
data:
  path: text.txt
  tokens: byte
  lowercase: yes
model:
  units: many
  cell: lstm
  activation: relu
training:
  batch_size: 010
  batch_size: 5
  schedule: {kind: cosin}
"""
    assert errors(text) == [
        "x.yaml:3: sead: unknown key. Did you mean 'seed'?",
        "x.yaml:6: data.tokens: expected one of characters, bytes, found 'byte'. "
        "Did you mean 'bytes'?",
        "x.yaml:7: data.lowercase: expected true or false, found 'yes'",
        "x.yaml:9: model.units: expected a whole number of at least 1 or a list of at least one, "
        "found 'many'",
        "x.yaml:11: model.activation: is for cell: simple_rnn; the activations of lstm are fixed; "
        "remove it",
        "x.yaml:13: training.batch_size: 010 can mean an octal number; write 10 for the number, "
        '"010" for the text',
        "x.yaml:14: training.batch_size: this key is there twice, first in line 13",
        "x.yaml:15: training.schedule.kind: expected one of constant, linear, cosine, step, "
        "plateau, found 'cosin'. Did you mean 'cosine'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units: 16", "unitz: 16", "x.yaml:7: model.unitz: unknown key. Did you mean 'units'?"),
        ("units: 16", "learning_rate: 1", "Did you mean 'training.optimizer.learning_rate'?"),
        ("units: 16", "xyzzy: 16", "unknown key. Known here: cell, units, layers"),
        ("units: 16", "input.size: 16", "Keys are nested in a file: input: {size: ...}"),
        ("units: 16", "units: '16'", "found '16'; remove the quotes"),
        ("units: 16", "units: 16.0", "found 16.0; write 16"),
        ("units: 16", "units: 0", "x.yaml:7: model.units: expected a whole number of at least 1"),
        ("units: 16", "units: [3, -1]", "found [3, -1]"),
        ("units: 16", "units: []", "found []"),
        ("units: 16", "units: 3000000000", "found 3000000000, which is more than 2147483647"),
        ("units: 16", "units: {a: 1}", "found a section"),
        ("units: 16", "layers: 2000000000", "a whole number of at least 1 and up to 100, or null"),
        ("units: 16", "units: true", "found true"),
        ("units: 16", "units:", "found nothing (null)"),
        ("units: 16", "dropout: 1.0", "expected a number of at least 0 and below 1, found 1.0"),
        (
            "units: 16",
            "input: onehot",
            "expected a section (kind: one_hot or embedding or pretrained or scaled)",
        ),
        ("units: 16", "input: {kind: onehot}", "model.input.kind: expected one of one_hot, "),
        ("units: 16", "input: {kind: [1]}", "model.input.kind: expected one of one_hot, "),
        ("units: 16", "input: {kind: null}", "found nothing (null)"),
        (
            "units: 16",
            "input: {kind: scaled, size: 3}",
            "model.input.size: no such key beside kind",
        ),
        ("{length: 20}", "{stride: 2}", "no such key beside kind: stream; it goes with kind: slid"),
        ("{length: 20}", "{length: 2, kind: sliding, x: 1}", "Known here beside kind: sliding: "),
        ("path: text.txt", "path: 5", "data.path: expected a non-empty text"),
        ("path: text.txt", "path: 5", "found 5; put it in quotes"),
        ("path: text.txt", "path: ''", "x.yaml:4: data.path: expected a non-empty text"),
        ("path: text.txt", "path: []", "a list of at least one"),
        ("path: text.txt", 'path: "a\\0b"', "x.yaml:4: data.path: a file name cannot contain NUL"),
        ("path: text.txt", "encoding: utf-8", "x.yaml:3: data.path: missing; give the text file"),
        ("max_steps: 100", "batch_size: 5", "x.yaml:8: training: nothing ends the run; set max_ep"),
        (
            "max_steps: 100",
            "schedule: {kind: step}",
            "training.schedule.every_steps: missing; expe",
        ),
        ("model:\n  units: 16\n", "model:\n", "model: expected a section (cell, units, "),
        ("model:\n  units: 16\n", "model:\n", "found nothing (null); leave it out for"),
        (
            "training:\n  max_steps: 100\n",
            "",
            "x.yaml:1: training: missing; this section needs max_epochs",
        ),
        ("version: 1\n", "", "x.yaml:1: version: missing; write version: 1"),
        ("version: 1", "version: '1'", "version: expected 1, the version of the format"),
        ("version: 1", "version: 0", "version: expected 1, the version of the format"),
        ("version: 1", "version: 2", "x.yaml:1: version: found 2, this rnnkit reads version 1"),
        (
            "char_generation",
            "poetry",
            "task: expected one of char_generation, word_generation, text_classification, found",
        ),
        ("char_generation", "chargeneration", "Did you mean 'char_generation'?"),
        ("version: 1", '"a\\nb": 1', "unknown key"),
    ],
)
def test_one_mistake_one_message(old: str, new: str, message: str) -> None:
    assert old in BASE
    lines = errors(BASE.replace(old, new, 1))
    assert any(message in line for line in lines), lines
    assert all(line.startswith("x.yaml:") for line in lines)


def test_a_newer_version_is_all_that_is_said() -> None:
    assert len(errors(BASE.replace("version: 1", "version: 2\nnew_key: 3"))) == 1


def test_a_broken_key_is_no_ground_for_other_messages() -> None:
    """Whether residual fits is not known while units is wrong."""
    [line] = errors(BASE.replace("units: 16", "units: many\n  residual: true"))
    assert line.startswith("x.yaml:7: model.units: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.yaml: empty"),
        ("# nothing\n", "x.yaml: empty"),
        ("---\n", "x.yaml: empty"),
        ("- 1\n", "x.yaml:1: expected KEY: VALUE lines"),
        ("\nhello\n", "x.yaml:2: expected KEY: VALUE lines"),
        ("010", "x.yaml:1: 010 can mean"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, message: str) -> None:
    assert errors(text)[0].startswith(message)


# --- files


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\n# caf\xe9\n")
    (tmp_path / "big.yaml").write_bytes(b"a" * (LARGEST_FILE + 1))
    for name, message in {
        "helo.yaml": "helo.yaml: no such file. Did you mean 'hello.yaml'?",
        "no/such/dir.yaml": "dir.yaml: no such file",
        ".": ": a directory; expected a configuration file",
        "latin.yaml": "latin.yaml:2: not UTF-8 (byte 0xe9)",
        "big.yaml": "larger than 1 MiB",
        "hello.yaml/x": "cannot be read",
        "a\0b": "cannot be read",
        "x" * 5000: "cannot be read",
    }.items():
        with pytest.raises(ConfigError) as error:
            load_config(tmp_path / name)
        assert message in str(error.value)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"x\.yaml: no permission to read it"):
        load_config(tmp_path / "x.yaml")


def test_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load_config(path).model.units == 16


# --- data.path


def test_paths_are_relative_to_the_file_or_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", "/home/somebody")
    path = tmp_path / "configs" / "x.yaml"
    path.write_text(BASE.replace("text.txt", "[../data/*.txt, /abs/a.txt, ~/b.txt]"), "utf-8")
    here = tmp_path.resolve()
    assert load_config(path).data.path == (
        f"{here}/data/*.txt",
        "/abs/a.txt",
        "/home/somebody/b.txt",
    )
    override = load_config(path, ["data.path=t.txt"])
    assert override.data.path == f"{here}/elsewhere/t.txt"
    whole = load_config(path, ["data={path: u.txt}"])
    assert whole.data.path == f"{here}/elsewhere/u.txt"
    relative = load_config(Path("../configs/x.yaml"))
    assert relative == load_config(path)
    assert load_config(path, ["data.path=~nobody_at_all/x"]).data.path == (
        f"{here}/elsewhere/~nobody_at_all/x"
    )


def test_brackets_in_the_folder_of_the_file_are_no_pattern(tmp_path: Path) -> None:
    def path_of(value: str) -> object:
        text = BASE.replace("text.txt", value)
        return parse_config(text, source="x", base=tmp_path / "a[1]").data.path

    assert path_of("t.txt") == f"{tmp_path.resolve()}/a[1]/t.txt"
    assert path_of('"*.txt"') == f"{tmp_path.resolve()}/a[[]1]/*.txt"


# --- the schema


def _sections(section: type[Section]) -> set[type[Section]]:
    found = {section}
    for field in section.model_fields.values():
        if shape := section_shape(field):
            for variant in shape.variants.values():
                found |= _sections(variant)
    return found


def _all_sections() -> set[type[Section]]:
    return {section for schema in SCHEMAS.values() for section in _sections(schema.tree)}


def test_every_section_and_field_is_documented() -> None:
    sections = _all_sections()
    assert len(sections) > 30
    for section in sections:
        assert section.__doc__, section
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.rstrip().endswith("."), f"{section.__name__}.{name}"


def test_every_section_of_several_kinds_has_a_default_kind() -> None:
    for section in _all_sections():
        for name, field in section.model_fields.items():
            shape = section_shape(field)
            if shape and shape.tag_key:
                assert shape.default_tag in shape.variants, name


@pytest.mark.parametrize("cell", get_args(Cell))
@pytest.mark.parametrize("tokens", get_args(Tokens))
def test_every_cell_and_token_kind_loads(cell: str, tokens: str) -> None:
    config = load(BASE, f"model.cell={cell}", f"data.tokens={tokens}")
    assert (config.model.cell, config.data.tokens) == (cell, tokens)


def test_every_missing_section_is_named_in_one_round() -> None:
    places = [line.split(": ")[1] for line in errors("task: word_generation\nmodel: {units: x}\n")]
    assert sorted(places) == ["data", "model.units", "training", "version"]
    complete = "version: 1\ntask: word_generation\ndata: {path: a}\ntraining: {max_steps: 1}\n"
    assert parse_config(complete, source="x", base=Path("/"))
    [data] = [line for line in errors("task: word_generation\n") if ": data: " in line]
    assert "this section needs data.path, the text file to learn from" in data


# --- former spellings


def test_former_spellings_are_read() -> None:
    config = load(BASE + "  samples: {prime: 'ab'}\n")
    assert config.training.samples is not None
    assert config.training.samples.prompt == "ab"
    assert load(BASE, "training.samples.prime=ab") == load(BASE, "training.samples.prompt=ab")
    [line] = errors(BASE + "  samples: {prime: a, prompt: b}\n")
    assert line == "x.yaml:10: training.samples.prime: is prompt too; give one of them"


def test_reading_in_both_directions_is_explained_where_it_cannot_be() -> None:
    assert load(BASE, "model.bidirectional=false") == load()
    assert "bidirectional" not in type(load().model).model_fields
    [line] = errors(BASE, "model.bidirectional=true")
    assert "model.bidirectional: reading in both directions needs the future" in line


def test_only_close_names_of_files_are_suggested(tmp_path: Path) -> None:
    for name in ("loopb.yaml", "words.yaml"):
        (tmp_path / name).write_text(BASE, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "nope.yaml")
    assert str(error.value).endswith("nope.yaml: no such file")
    with pytest.raises(ConfigError, match=r"Did you mean 'words\.yaml'\?"):
        load_config(tmp_path / "wrods.yml")


# --- short trials


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_ready_configuration_can_be_tried_for_a_few_steps(path: Path) -> None:
    training = load_config(path, ["training.max_steps=30"]).training
    assert planned_schedule(training).warmup_steps < 30


def test_a_warm_up_that_is_longer_than_the_run_is_cut() -> None:
    long = load(BASE, "training.schedule.warmup_steps=100")
    assert planned_schedule(long.training).warmup_steps == 50
    short = load(BASE, "training.schedule.warmup_steps=99")
    assert planned_schedule(short.training) == short.training.schedule


# --- the first edition


def test_shipped_configurations_have_the_values_of_the_first_edition() -> None:
    """`resolved.json` was written by the first edition; data paths relative to the repository."""
    before = json.loads((Path(__file__).parent / "resolved.json").read_text(encoding="utf-8"))
    assert before.keys() == {path.relative_to(ROOT).as_posix() for path in CONFIGS}
    for name, old in before.items():
        new = json.loads(load_config(ROOT / name).model_dump_json().replace(f"{ROOT}/", ""))
        old["model"].pop("bidirectional") if "generation" in old["task"] else None
        if samples := old["training"].get("samples"):
            samples["prompt"] = samples.pop("prime")
        assert new["task"] in (old["task"], "text_classification")
        assert new == {**old, "task": new["task"]}, name
