"""Reading a vocabulary from the JSON values that `Vocabulary.to_dict` returned."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rnnkit.text.cleaning import TextRules
from rnnkit.text.spacing import Layout
from rnnkit.text.subwords import HALF_SURROGATE_PAIR, Subwords
from rnnkit.text.vocabulary import (
    CLASSIFIER_FIELDS,
    LANGUAGE_FIELDS,
    MARKS,
    PADDING,
    UNKNOWN,
    Kind,
    Rules,
    Vocabulary,
    classifier_rules,
)

_T = TypeVar("_T")


def read_vocabulary(content: object) -> Vocabulary:
    """Read a stored vocabulary; raises ValueError saying what is wrong."""
    if not isinstance(content, dict):
        raise ValueError("the vocabulary is not an object")
    kind: Kind = read_choice(content.get("kind"), get_args(Kind), "kind")
    of_classifier = {"tokens", "subwords"} <= set(content)
    names = CLASSIFIER_FIELDS if of_classifier else LANGUAGE_FIELDS[kind]
    stored = read_mapping(content, {"kind", "rules", *names}, "the vocabulary")
    tokens, form = stored.get("tokens", []), classifier_rules(kind) if of_classifier else TextRules
    if kind == "subwords":
        if tokens != []:
            raise ValueError("tokens are listed beside the subwords")
        return subword_vocabulary(read_rules(stored["rules"], form), stored["subwords"])
    if stored.get("subwords", "") != "":
        raise ValueError(f"subwords are listed in a vocabulary of {kind}")
    layout: Layout = read_choice(stored.get("layout", "text"), get_args(Layout), "layout")
    has_unknown = stored.get("has_unknown", True)
    if not isinstance(has_unknown, bool):
        raise ValueError(f"has_unknown is {has_unknown!r} and not true or false")
    if kind == "words":
        _check_words(tokens, () if of_classifier else MARKS[layout])
    else:
        _check_characters(tokens, in_order=not of_classifier)
        if kind == "bytes" and (tokens or has_unknown):
            raise ValueError("a vocabulary of bytes lists no tokens and has no <unk>")
        if kind == "characters" and not tokens and not of_classifier:
            raise ValueError("tokens is empty")
    if of_classifier and PADDING in tokens:
        raise ValueError(f"{PADDING} is among the tokens")
    rules = read_rules(stored["rules"], form)
    return Vocabulary(rules, kind, tuple(tokens), has_unknown, layout=layout)


def subword_vocabulary(rules: Rules, subwords: str) -> Vocabulary:
    """Make the vocabulary of a tokenizer's JSON; raises ValueError saying what is wrong with it."""
    if not isinstance(subwords, str):
        raise ValueError("subwords is not a text")
    tokenizer = Subwords.from_json(subwords)
    if isinstance(rules, TextRules) and b"\n" not in tokenizer.contents:
        raise ValueError("the subwords lack bytes")
    has_unknown = not isinstance(rules, TextRules)
    return Vocabulary(rules, "subwords", tokenizer.tokens, has_unknown, subwords=subwords)


def read_mapping(value: object, keys: set[str], name: str) -> Mapping[str, Any]:
    """Return `value` as a mapping with exactly these keys; raises ValueError otherwise."""
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"{name} is not an object with exactly {', '.join(sorted(keys))}")
    return value


def read_choice(value: object, allowed: tuple[str, ...], name: str) -> Any:
    """Return `value` as one of `allowed`; raises ValueError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r} and not one of {', '.join(allowed)}")
    return value


def read_rules(content: object, rules: type[_T]) -> _T:
    """Read the fields of rules, each a choice or true or false; raises ValueError otherwise."""
    allowed = get_type_hints(rules)
    values = read_mapping(content, set(allowed), "rules")
    for name, kind in allowed.items():
        if get_origin(kind) is Literal:
            read_choice(values[name], get_args(kind), f"rules: {name}")
        elif not isinstance(values[name], bool):
            raise ValueError(f"rules: {name} is {values[name]!r} and not true or false")
    return rules(**values)


def _check_words(tokens: object, marks: tuple[str, ...]) -> None:
    if not isinstance(tokens, list) or not all(map(_is_word, tokens)):
        raise ValueError("tokens is not a list of words")
    if len(set(tokens)) != len(tokens):
        raise ValueError("a token occurs twice")
    if marks and (tuple(tokens[: len(marks)]) != marks or len(tokens) == len(marks)):
        raise ValueError("tokens do not begin with the marks of the layout and a word")


def _check_characters(tokens: object, *, in_order: bool) -> None:
    if not isinstance(tokens, list) or not all(_is_word(t) and len(t) == 1 for t in tokens):
        raise ValueError("tokens is not a list of single characters")
    if in_order and any(a >= b for a, b in pairwise(tokens)):
        raise ValueError("tokens are not in strictly rising order")
    if len(set(tokens)) != len(tokens):
        raise ValueError("a token occurs twice")


def _is_word(value: object) -> bool:
    is_text = isinstance(value, str) and bool(value) and value != UNKNOWN
    return is_text and not HALF_SURROGATE_PAIR.search(str(value))
