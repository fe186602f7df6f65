"""Random search for inputs that end otherwise than with an answer or a documented exit code.

Not part of the default suite: `make fuzz`.
"""

import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rnnkit.cli import cli
from rnnkit.runs.directory import RunDirectory
from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import tokenize
from rnnkit.text.subwords import train_exact_subwords
from rnnkit.text.vocabulary import MARKS, Vocabulary
from tests.conftest import RunCli
from tests.fixtures.make_first_edition import FIXTURE
from tests.fuzz.search import SEED, Case, bounded_memory, cases, reported
from tests.integration.experiments import SETTINGS, TEXT, assert_same_training

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]

ROOT = Path(__file__).parents[2]
DOCUMENTED = {0, 2, 3, 4, 5, 130}

FRAGMENTS = (
    "the", "The king", " ", "  ", "\n", "\r\n", "\t", ",", '"', "'", "it's", "…", "é", "e\u0301",
    "中文", "🎵", "👩‍👩‍👧", "\u202e", "\x1b[31m", "\0", "\ufeff", "<unk>", "<pad>", "<br />",
    "&amp;", "@bob", "#fun", "http://example.org/a?b=c", "1,000.5", "sooooo", ":-)",
    "\ud800", "\u00a0", "\u2028",
    "ß", "İ", "ﬁ", "a" * 300,
)  # fmt: skip


def random_text(draw: random.Random, most: int = 40) -> str:
    return "".join(draw.choice(FRAGMENTS) for _ in range(draw.randrange(most)))


def damaged(draw: random.Random, data: bytes) -> bytes:
    """Flip, remove, repeat or insert bytes."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(len(changed) + 1)
        match draw.randrange(4):
            case 0 if place < len(changed):
                changed[place] ^= 1 << draw.randrange(8)
            case 1:
                del changed[place : place + draw.choice((1, 10, len(changed)))]
            case 2:
                changed[place:place] = changed[place : place + draw.choice((1, 30))]
            case _:
                changed[place:place] = draw.randbytes(draw.choice((1, 4)))
    return bytes(changed)


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    with bounded_memory():
        yield


@pytest.fixture
def fixture_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the first edition's runs, as the current directory."""
    target = tmp_path / "first_edition"
    shutil.copytree(FIXTURE, target, ignore=shutil.ignore_patterns("configs"))
    monkeypatch.chdir(target)
    return target


def stored_commands() -> list[list[str]]:
    """Every command that the fixture has an answer for."""
    groups = [json.loads(path.read_bytes()) for path in sorted((FIXTURE / "answers").glob("*"))]
    return [record["arguments"] for group in groups for record in group.values()]


COMMANDS = stored_commands()


def run_checked(run_cli: RunCli, case: Case, arguments: list[str], *, tried: object = None) -> None:
    """Run a command, which has to end with a documented code; a bug is raised."""
    with reported(case, (arguments, tried)):
        result = run_cli(*arguments, input="")
        assert result.exit_code in DOCUMENTED, result.stderr
        assert "Traceback" not in result.stderr


def test_texts_are_what_they_were_after_encoding() -> None:
    for case in cases("texts", fraction=0.1):
        text = random_text(case.random).replace("\ud800", "")
        rules = TextRules(lowercase=case.random.random() < 0.3)
        clean = rules.apply(text)
        with reported(case, text):
            vocabularies = [
                Vocabulary(rules, "characters", tuple(sorted(set(clean)))),
                Vocabulary(rules, "bytes"),
                _words(rules, clean),
            ]
            if case.random.random() < 0.2 and clean.strip():
                subwords = train_exact_subwords([clean], vocabulary_size=300)
                tokens = Vocabulary(rules, "subwords", (), subwords=subwords)
                vocabularies.append(_with_tokens(tokens, subwords))
            for vocabulary in vocabularies:
                ids = vocabulary.encode(text)
                assert vocabulary.decode(ids) == clean, vocabulary.kind
                assert all(0 <= index < vocabulary.size for index in ids)


def _words(rules: TextRules, clean: str) -> Vocabulary:
    words = dict.fromkeys(token for token in tokenize(clean, "text"))
    own = tuple(word for word in words if word not in (*MARKS["text"], "<unk>"))
    return Vocabulary(rules, "words", (*MARKS["text"], *own), has_unknown=True)


def _with_tokens(vocabulary: Vocabulary, subwords: str) -> Vocabulary:
    from rnnkit.text.subwords import Subwords

    tokens = Subwords.from_json(subwords).tokens
    return Vocabulary(vocabulary.rules, "subwords", tokens, subwords=subwords)


def test_tables_are_read_or_refused(run_cli: RunCli, fixture_copy: Path) -> None:
    source = (fixture_copy / "texts" / "more_reviews.csv").read_bytes()
    for case in cases("tables", fraction=0.15):
        draw = case.random
        suffix = draw.choice((".csv", ".tsv", ".jsonl", ".txt", ".csv.gz", ".zip", ".parquet"))
        data = damaged(draw, source)
        if draw.random() < 0.5:
            rows = [f'"{random_text(draw, 8)}",{draw.choice(("pos", "neg", ""))}' for _ in range(6)]
            text = "\n".join([draw.choice(("text,label", "text", "a,b,c", "")), *rows])
            data = text.encode("utf-8", errors="surrogatepass")
        table = fixture_copy / f"table{suffix}"
        table.write_bytes(data)
        predict = ["predict", "--run", "trained/reviews_gru", "--input", str(table)]
        commands = (
            predict,
            [*predict, "--no-header", "--column", "0", "--output", "out.csv", "--force"],
            ["evaluate", "trained/reviews_gru", "--data", str(table)],
        )
        command = draw.choice(commands)
        run_checked(run_cli, case, command, tried=data)


VALUES = (
    "nan", "inf", "-1", "0", "1e308", "1e-320", "null", "true", "''", "[]", "{}", "[1, 2]", "~",
    "99999999999999999999", "0x10", "1_000", "2026-01-01", "lstm", "*a", "!!python/none", "'\\0'",
    "\"\\ud800\"", "- 1", "|", "&a [*a]", "3.5", "0.999999999999",
)  # fmt: skip


def test_configurations_are_read_or_refused(run_cli: RunCli, tmp_path: Path) -> None:
    shipped = sorted((ROOT / "configs").rglob("*.yaml"))
    for case in cases("configurations", fraction=0.15):
        draw = case.random
        lines = draw.choice(shipped).read_text(encoding="utf-8").split("\n")
        for _ in range(draw.choice((1, 1, 2, 5))):
            place = draw.randrange(len(lines))
            match draw.randrange(4):
                case 0:
                    del lines[place : place + 1]
                    lines = lines or [""]
                case 1:
                    lines[place] = f"{lines[place].partition(':')[0]}: {draw.choice(VALUES)}"
                case 2:
                    other = draw.choice(shipped).read_text(encoding="utf-8").split("\n")
                    lines.insert(place, draw.choice(other))
                case _:
                    lines[place] = " " * draw.randrange(6) + lines[place].strip()
        data = "\n".join(lines).encode("utf-8", errors="surrogatepass")
        data = damaged(draw, data) if draw.random() < 0.3 else data
        path = tmp_path / "mutated.yaml"
        path.write_bytes(data)
        with reported(case, data):
            result = run_cli("config", "check", path, input="")
            assert result.exit_code in {0, 3}, result.stderr
            if result.exit_code == 0:
                shown = run_cli("config", "show", path)
                path.write_text(shown.stdout, encoding="utf-8")
                assert run_cli("config", "show", path).stdout == shown.stdout


def test_damaged_runs_are_refused(run_cli: RunCli, fixture_copy: Path) -> None:
    for case in cases("runs", fraction=0.2):
        draw = case.random
        command = draw.choice(COMMANDS)
        named = next((part for part in command if part.startswith("trained/")), None)
        if named is None:
            continue
        run = fixture_copy / "trained" / named.split("/")[1]
        files = sorted(path for path in run.rglob("*") if path.is_file())
        victim = draw.choice(files)
        content = victim.read_bytes()
        data = damaged(draw, content) if draw.random() < 0.8 else None
        if data is None:
            victim.unlink()
        else:
            victim.write_bytes(data)
        if draw.random() < 0.5:
            _forge(run, victim)
        try:
            run_checked(run_cli, case, command, tried=(victim.name, data))
        finally:
            shutil.rmtree(run)
            shutil.copytree(FIXTURE / "trained" / run.name, run)


def _forge(run: Path, victim: Path) -> None:
    """Write a manifest that takes the damage for right, so that deeper checks are reached."""
    from rnnkit.errors import RnnkitError
    from rnnkit.runs.directory import write_manifest

    directory = RunDirectory(run)
    listed = [directory.config, directory.keras_model, directory.onnx_model]
    if victim in listed:
        with contextlib.suppress(RnnkitError):
            write_manifest(directory, [path for path in listed if path.exists()])


NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1", "1e308", "1e-320", "0.5", "99999999999999999999",
           "2147483648", "9007199254740993", "", "x", "１", "1_0", "0x1")  # fmt: skip
LONG_WORK = {"--length", "--pairs"}
"""Options whose large values are honest requests for days of work."""


def number_options(command: click.Command) -> list[str]:
    """Return the options of a command that take a number or a text."""
    return [
        parameter.opts[0]
        for parameter in command.params
        if isinstance(parameter, click.Option)
        and not parameter.is_flag
        and parameter.opts[0] not in LONG_WORK
        and not isinstance(parameter.type, click.Path)
        and parameter.opts[0] not in ("--runs-dir", "--html", "--png", "--output")
    ]


def test_options_with_extreme_values_are_taken_or_refused(
    run_cli: RunCli, fixture_copy: Path
) -> None:
    for case in cases("options", fraction=0.2):
        draw = case.random
        arguments = draw.choice(COMMANDS)
        command: click.Command = cli.commands[arguments[0]]
        if isinstance(command, click.Group):
            command = command.commands[arguments[1]]
        options = number_options(command)
        added = [
            part
            for _ in range(draw.choice((1, 1, 2)))
            if options
            for part in (draw.choice(options), draw.choice((*NUMBERS, random_text(draw, 4))))
        ]
        if any("\0" in part for part in added):
            continue  # no command line can hold it
        run_checked(run_cli, case, [*arguments[:2], *added, *arguments[2:]])


STEPS = 120
OVERRIDES = (
    f"training.max_steps={STEPS}",
    "training.evaluate_every_steps=40",
    "training.checkpoint_every_steps=9",
    "model.dropout=0.1",
)


def test_a_training_that_is_stopped_anywhere_ends_the_same(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(SETTINGS, encoding="utf-8")
    whole = RunDirectory(tmp_path / "runs" / "whole")
    started = time.monotonic()
    assert _train(tmp_path, "whole").wait() == 0
    longest = time.monotonic() - started
    for case in cases("signals", fraction=0.2):
        draw = case.random
        name = case.name.replace(":", "-")
        stopped = RunDirectory(tmp_path / "runs" / name)
        history = []
        for _ in range(draw.choice((1, 2, 3))):
            delay = draw.uniform(0.0, longest)
            number = draw.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL))
            process = _train(tmp_path, name)
            try:
                code = process.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                code = process.wait(timeout=120)
            history.append((round(delay, 2), number.name, code))
            said = (tmp_path / f"{name}.log").read_text(errors="replace")
            repeat = f"FUZZ_SEED={SEED} FUZZ_CASE={case.name} make fuzz\n{history}\n{said[-3000:]}"
            # Before and after the training there is nothing to save: a signal may end the process
            # as it ends any, and Python's own start shows a traceback of its own.
            idle = stopped.summary.exists() or "Training " not in said
            assert code in (0, 130, -signal.SIGKILL) or (idle and code == -number), repeat
            assert "Traceback" not in said or "rnnkit/" not in said, repeat
        code = -1
        for _ in range(3):
            if (code := _train(tmp_path, name).wait()) == 0:
                break
        try:
            assert code == 0
            assert_same_training(whole, stopped)
        except AssertionError as error:
            said = (tmp_path / f"{name}.log").read_text(errors="replace")
            raise AssertionError(
                f"FUZZ_SEED={SEED} FUZZ_CASE={case.name} make fuzz\n{history}\n{error}\n{said}"
            ) from error
        shutil.rmtree(stopped.path)


def _train(folder: Path, name: str) -> "subprocess.Popen[bytes]":
    """Start a training, or resume it where its directory exists; nothing of a finished one."""
    program = [sys.executable, "-m", "rnnkit", "train", "--runs-dir", str(folder / "runs")]
    if (folder / "runs" / name / "summary.json").exists():
        program = [sys.executable, "-c", ""]
    elif (folder / "runs" / name / "manifest.json").exists():
        program += ["--resume", name]
    else:
        options = [part for override in OVERRIDES for part in ("--set", override)]
        program += [str(folder / "tiny.yaml"), "--name", name, *options]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=log)
