"""Names, messages, comments and documents use the terms of the glossary (docs/ARCHITECTURE.md)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Pattern of a word that is not used -> the term that is. Patterns see text in lower case in which
# `snake_case` and `camelCase` names are separate words.
TERMS = {
    r"prime[sd]?|seed text": "prompt",
    r"by heart": "memorize, overfit",
    r"(training|validation|test|held-out) parts?": "split",
    r"shares? of|as a share": "fraction, probability",
    r"blanks?": "whitespace, empty line",
    r"signs": "punctuation, symbols",
    r"(?<!matrix )(?<!dot )(?<!inner )products": "matmul operands, matmul_dtype",
    r"(?<!of )course": "training state",
    r"hits": "correct",
    r"facts?": "metadata, statistics",
    r"anew": "again, resampled",
    r"recipes?|ingredients?": "encoder, cache key",
    r"graves?": "trash",
    r"torsos?": "incomplete runs",
    r"chatter": "native log",
    r"story|stories": "details",
    r"fate": "trend, outcome",
    r"beside each other|beside one another": "side by side",
    r"goes on exactly": "resumes exactly",
    r"is no (text|file|model|run|number)": "is not a ...",
    r"leave the key away": "leave out",
}
WORDS = re.compile(rf"\b(?:{'|'.join(f'(?:{pattern})' for pattern in TERMS)})\b")
SUFFIXES = (".py", ".md", ".yaml", ".j2", ".html", ".toml")
FOLDERS = ("rnnkit", "docs", "configs", "README.md", "Makefile")

# Where a word means something else: file -> the words that it may use.
ALLOWED: dict[str, set[str]] = {
    "rnnkit/inspection/gradients.py": {"fate"},  # a key of `inspect gradients --json`
    "rnnkit/runs/checkpoint.py": {"facts", "course"},  # a member and a key of stored checkpoints
    "rnnkit/runs/listing.py": {"course"},  # a key of checkpoints of version 0.1
    "rnnkit/tasks/language_model/rules.py": {"prime"},  # a former spelling that files may have
}


def as_words(text: str) -> str:
    """Return `text` in lower case with the words of names separated by spaces.

    `read_prime(textOfRun)` -> `read prime(text of run)`
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return text.replace("_", " ").lower()


def unwanted(text: str) -> list[tuple[int, str]]:
    """Return line number and word of every term of `text` that has a better one."""
    return [
        (number, match.group())
        for number, line in enumerate(as_words(text).splitlines(), start=1)
        for match in WORDS.finditer(line)
    ]


def files() -> list[Path]:
    """Return the files of the package and of its documentation."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def test_terms_are_those_of_the_field() -> None:
    paths = files()
    assert len(paths) > 50
    found = [
        f"{name}:{line}: {word!r}"
        for path in paths
        for name in [path.relative_to(ROOT).as_posix()]
        for line, word in unwanted(path.read_text("utf-8"))
        if word not in ALLOWED.get(name, set())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "def read_prime(x)",
        "primeLength",
        "learned by heart",
        "a share of the rows",
        "SIGNS",
        "Facts",
    ],
)
def test_unwanted_terms_are_seen(text: str) -> None:
    assert unwanted(text)


@pytest.mark.parametrize("text", ["prompt", "of course", "primer", "signal", "matrix products"])
def test_other_words_pass(text: str) -> None:
    assert unwanted(text) == []
