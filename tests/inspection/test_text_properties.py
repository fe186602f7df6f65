"""The properties of a text, against definitions that look at everything read so far anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.inspection.tracking import Property, text_properties

TEXTS = st.text(alphabet='aB1 \n\t.!"“”()<>', max_size=60)


def by_name(pieces: list[str]) -> dict[str, Property]:
    return {entry.name: entry for entry in text_properties(pieces)}


def since_blank_line(read: str) -> str:
    *lines, rest = read.split("\n")
    blank = [index for index, line in enumerate(lines) if not line.strip()]
    return "\n".join([*lines[blank[-1] + 1 :], rest]) if blank else read


def depth(read: str) -> int:
    found = 0
    for character in since_blank_line(read):
        found = max(found + (character == "(") - (character == ")"), 0)
    return found


def is_quoted(read: str) -> bool:
    quoted = False
    for character in since_blank_line(read):
        quoted = {'"': not quoted, "“": True, "”": False}.get(character, quoted)
    return quoted


def last_word(read: str) -> str:
    return (
        ""
        if not read[-1].isalnum()
        else "".join(c if c.isalnum() else " " for c in read).split()[-1]
    )


REFERENCES = {
    "position in line": lambda read: len(read.split("\n")[-1]),
    "indentation of line": lambda read: sum(
        4 if c == "\t" else 1
        for c in read.split("\n")[-1][
            : len(read.split("\n")[-1]) - len(read.split("\n")[-1].lstrip())
        ]
    ),
    "position in word": lambda read: len(last_word(read)),
    "position in sentence": lambda read: len(read) - 1 - max(read.rfind("."), read.rfind("!")),
    "bracket depth": depth,
    "inside quotes": is_quoted,
    "inside <...>": lambda read: (
        since_blank_line(read).rfind("<") > since_blank_line(read).rfind(">")
    ),
    "inside word in capitals": lambda read: (
        len(last_word(read)) > 1 and not any(c.islower() for c in last_word(read))
    ),
    "white space read": lambda read: read[-1].isspace(),
    "line break read": lambda read: read[-1] == "\n",
    "capital letter read": lambda read: read[-1] == "B",
    "digit read": lambda read: read[-1] == "1",
    "punctuation read": lambda read: read[-1] in '.!"“”()',
}

AHEAD = {
    "white space next": "white space read",
    "line break next": "line break read",
    "capital letter next": "capital letter read",
    "digit next": "digit read",
    "punctuation next": "punctuation read",
}


def test_every_property_has_a_reference() -> None:
    assert set(by_name(["a"])) == {*REFERENCES, *AHEAD}


@pytest.mark.parametrize("name", REFERENCES)
@given(text=TEXTS)
def test_values_follow_from_what_was_read(name: str, text: str) -> None:
    values = by_name(list(text))[name].values
    expected = [float(REFERENCES[name](text[:end])) for end in range(1, len(text) + 1)]
    assert values.tolist() == expected


@given(TEXTS)
def test_what_comes_next_is_what_is_read_one_later(text: str) -> None:
    found = by_name(list(text))
    for name, read in AHEAD.items():
        assert found[name].values[:-1].tolist() == found[read].values[1:].tolist()
        if text:
            assert found[name].values[-1] == 0.0  # nothing is known of what follows the text


@given(st.lists(st.text(alphabet='ab "\n', max_size=4), max_size=20))
def test_a_token_has_the_properties_of_its_last_character(pieces: list[str]) -> None:
    whole = by_name(list("".join(pieces)))
    for name, entry in by_name(pieces).items():
        ends = np.cumsum([len(piece) for piece in pieces], dtype=int)
        # A piece without a character, as a byte inside one, keeps what was true before.
        before = [whole[name].values[end - 1] if end else entry.values[0] for end in ends]
        assert entry.values.tolist() == before
        if entry.is_flag:
            assert set(entry.values.tolist()) <= {0.0, 1.0}


def test_an_apostrophe_belongs_to_its_word() -> None:
    values = by_name(list("I can't 'go"))["position in word"].values
    assert values.tolist() == [1, 0, 1, 2, 3, 4, 5, 0, 0, 1, 2]


def test_part_of_a_property() -> None:
    entry = by_name(list("ab\ncd"))["position in line"]
    assert entry.part(slice(1, 4)).values.tolist() == [2.0, 0.0, 1.0]
