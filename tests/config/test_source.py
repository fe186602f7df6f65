"""The YAML rules: what is a number, a switch, a text, and what is refused with its line."""

import pytest

from rnnkit.config.source import (
    MAXIMUM_VALUES,
    Document,
    read_override,
    read_scalar,
    read_yaml,
    render_path,
)
from rnnkit.errors import ConfigError


def read(text: str) -> Document:
    return read_yaml(text, source="x.yaml")


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-0", 0),
        ("10", 10),
        ("+5", 5),
        ("-3", -3),
        ("1e-3", 1e-3),
        ("4.0e-3", 4e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.5E+2", -50.0),
        ("0.1", 0.1),
    ],
)
def test_numbers_switches_and_null(text: str, value: object) -> None:
    result = read_scalar(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "no", "on", "off", "True", "FALSE", "y", "n", "2024-01-31", "2024-01-31 10:00:00"),
        *(
            "1,000",
            "1.2.3",
            "--5",
            "1e",
            "e5",
            ".",
            "..",
            "-",
            "../x.txt",
            "0x",
            "5 %",
            "3rd",
            "١٢",
        ),
    ],
)
def test_everything_else_stays_text(text: str) -> None:
    assert read_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("010", 'write 10 for the number, "010" for the text'),
        ("-007", "write -7 for"),
        ("00", "write 0 for"),
        ("010.5", "write 10.5 for"),
        ("00.5", "write 0.5 for"),
        ("0o10", "decimal"),
        ("0x1F", "decimal"),
        ("0b11", "decimal"),
        ("1_000", "write 1000 for"),
        ("1:30", "base 60"),
        ("1:30:20.5", "base 60"),
        (".inf", "finite"),
        ("-.Inf", "finite"),
        (".nan", "finite"),
        ("1e999", "larger than any number"),
        ("9" * 30, "digits"),
        ("9" * 6000, "digits"),  # Python itself refuses to convert so many
    ],
)
def test_ambiguous_numbers_are_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as error:
        read_scalar(text)
    assert len(str(error.value)) < 300
    assert problems(f"a: 1\nb: {text}\n")[0].startswith("x.yaml:2: b: ")
    assert read(f'b: "{text}"\n').value == {"b": text}


def test_quoted_scalars_are_texts() -> None:
    assert read('a: "5"\nb: \'true\'\nc: ""\nd: |\n  7\n').value == {
        "a": "5",
        "b": "true",
        "c": "",
        "d": "7\n",
    }


def test_origins_are_the_lines_of_keys_and_entries() -> None:
    document = read("a:\n  b: 1\n\n  c:\n    - 4\n    - 5\n")
    lines = {render_path(path): origin.line for path, origin in document.origins.items()}
    assert lines == {"": 1, "a": 1, "a.b": 2, "a.c": 4, "a.c[0]": 5, "a.c[1]": 6}


def test_keys_are_texts_as_they_are_written() -> None:
    assert read("0: a\n4.0: b\n-1: c\ntrue: d\n'5': e\nno: f\n").value == {
        "0": "a",
        "4.0": "b",
        "-1": "c",
        "true": "d",
        "5": "e",
        "no": "f",
    }


def test_an_alias_is_read() -> None:
    assert read("a: &x [1, 2]\nb: *x\n").value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: a: this key is there twice, first in line 1"),
        ("m:\n  u: 1\n  'u': 2\n", "x.yaml:3: m.u: this key is there twice, first in line 2"),
        ("a: 1\nnull: 2\n", "x.yaml:2: a key has to be a word, found null"),
        ("m:\n  0: 1\n  '0': 2\n", "x.yaml:3: m.0: this key is there twice, first in line 2"),
        ("m: {~: 2}\n", "x.yaml:1: m: a key has to be a word, found ~"),
        ("m: {? : 2}\n", "x.yaml:1: m: a key has to be a word, found none"),
        ("[a, b]: 2\n", "x.yaml:1: a key has to be a word, found a list or a section"),
        ("010: 2\n", "x.yaml:1: 010 can mean an octal number"),
        ("a: &x {c: 1}\nb:\n  <<: *x\n", "x.yaml:3: b: merge keys"),
        ("a: !!python/object:os.system ls\n", "x.yaml:1: a: the tag tag:yaml.org,2002:python"),
        ("a: !!str 5\n", "x.yaml:1: a: the tag"),
        ("a: ! 5\n", "x.yaml:1: a: the tag !"),
        ("a: !!map {b: 1}\n", "x.yaml:1: a: the tag"),
        ("a: 1\n!!str b: 1\n", "x.yaml:2: a key with a tag"),
        ("a: &x [1, *x]\n", "x.yaml:1: a[1]: an alias that contains itself"),
        ('a: "\\ud800"\n', "x.yaml:1: a: half of a surrogate pair"),
    ],
)
def test_problems_have_line_and_path(text: str, message: str) -> None:
    assert [p[: len(message)] for p in problems(text)] == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n\tb: 2\n", "x.yaml:2: a tab"),
        ("a:\n\tb: 2\n", "x.yaml:2: a tab"),
        ("a:\t2\n", "x.yaml:1: a tab"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: a second document"),
        ("a: b: c\n", 'x.yaml:1: a ":" where none can stand'),
        ("a: 1\nb: *.txt\n", 'x.yaml:2: not valid YAML: .*need "quotes"'),
        ("a: 1\nb: @x\n", 'x.yaml:2: not valid YAML: .*need "quotes"'),
        ("a: [1, 2\n", "x.yaml:2: not valid YAML"),
        ("a: 'x\n", "x.yaml:2: not valid YAML"),
        ("a: *nobody\n", "x.yaml:1: not valid YAML: found undefined alias"),
        ("a: 1\nb: \x00\n", r"x.yaml:2: the character U\+0000"),
        ('a: "\\UFFFFFFFF"\n', "x.yaml:1: not valid YAML"),
        ("a: " + "[" * 5000, "x.yaml:1: nested too deeply"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1\n", "x.yaml:1: not valid YAML"),
        ("a: !<unclosed b\n", "x.yaml:1: not valid YAML"),
    ],
)
def test_what_is_no_yaml_names_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_an_alias_bomb_is_stopped() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match=f"x.yaml:.*more than {MAXIMUM_VALUES} values"):
        read("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        ("[256, 128]", [256, 128]),
        ("{name: sgd, learning_rate: 1e-1}", {"name": "sgd", "learning_rate": 0.1}),
        ("no", "no"),
        ("'5'", "5"),
        ('"a # b"', "a # b"),
        ("null", None),
    ],
)
def test_override_values(text: str, value: object) -> None:
    document = read_override(text, source="--set a")
    assert document.value == value
    assert document.problems == ()


@pytest.mark.parametrize("text", ["a # b", "#b", "a\nb"])
def test_an_override_loses_nothing_silently(text: str) -> None:
    [problem] = read_override(text, source="--set a").problems
    assert "put it in quotes" in str(problem)
