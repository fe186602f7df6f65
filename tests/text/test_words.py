"""Words of what people write: which pieces stay whole, what the rules do, any text at all."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.text.words import WordRules

words = WordRules().tokenize

# Pieces that meet in tweets, so that random texts reach every alternative and its neighbours.
PIECES = [
    *"aé1.,:;=-_'\"()[]<>@#&!?/\\^*|~$% \n",
    *(
        "http://",
        "www.",
        ".com",
        "bit.ly/",
        "&amp;",
        "<br />",
        "<url>",
        "<3",
        ":)",
        "xD",
        "U.S.",
        "don't",
    ),
    *(
        "👍",
        "🏽",
        "\u200d",
        "\ufe0f",
        "\U0001f1e9",
        "\u0301",
        "日",
        "の",
        "हि",
        "’",
        "İ",
        "ß",
        "\ud800",
        "\x00",
    ),
]
anything = st.text(st.characters(), max_size=60) | st.lists(st.sampled_from(PIECES)).map("".join)
rules = st.builds(
    WordRules,
    lowercase=st.booleans(),
    punctuation=st.booleans(),
    markup=st.sampled_from(["keep", "strip"]),
    urls=st.sampled_from(["keep", "replace", "drop"]),
    mentions=st.sampled_from(["keep", "replace", "drop"]),
    numbers=st.sampled_from(["keep", "replace", "drop"]),
    hashtags=st.sampled_from(["keep", "split", "drop"]),
    emoji=st.sampled_from(["keep", "drop"]),
    elongations=st.sampled_from(["keep", "shorten"]),
)


@given(anything, rules)
def test_any_text_gives_tokens_that_can_be_stored(text: str, rules: WordRules) -> None:
    tokens = rules.tokenize(text)
    for token in tokens:
        assert token
        assert not any(character.isspace() for character in token)
        token.encode("utf-8")
        assert not rules.lowercase or token == token.lower()
    assert WordRules(**vars_of(rules)).tokenize(text) == tokens, "depends on more than the text"


@given(anything)
def test_tokens_hold_every_visible_character_in_order(text: str) -> None:
    rules = WordRules(lowercase=False, markup="keep")
    letters = [c for c in rules._clean(text) if c.isalnum()]
    assert [c for token in rules.tokenize(text) for c in token if c.isalnum()] == letters


@given(st.lists(anything, max_size=5), rules)
def test_what_was_read_before_changes_nothing(texts: list[str], rules: WordRules) -> None:
    fresh = [WordRules(**vars_of(rules)).tokenize(text) for text in texts]
    assert [rules.tokenize(text) for text in texts] == fresh
    assert [rules.tokenize(text) for text in texts] == fresh


def vars_of(rules: WordRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in WordRules.__dataclass_fields__}


WHOLE = r"""
don't o'clock l'amour 80's naïve snake_case u.s.a. e.g. हिन्दी สวัสดี привет שָׁלוֹם カタカナ 한국어
1st 10:30pm 12 3.5 1,000 10/10 24/7 10:30 2009-05-31 ٣٤
:) :-) :( :-( :'( ;) ;-) :d :-d :p =) =d :/ :-/ :| :* :o) :3 :] :> >:( 8-)
(: (-: <3 </3 <333 :))) :dd
^_^ ^^ -_- >_< *_* ;_; o_o o.o t_t \o/ ¯\_(ツ)_/¯
👍 👍🏽 👩‍👩‍👧‍👦 🏳‍🌈 🇩🇪 ❤ 1⃣ ☺ 🏴󠁧󠁢󠁥󠁮󠁧󠁿
http://example.org/c?d=e&f=%20#g https://example.org www.x.com/a bit.ly/abc twitter.com a.b@c.org
@ann_b #tag #2009fail #日本 <url> <user> <number>
... -- ! ? , $ % © 。 ½
"""


@pytest.mark.parametrize("token", WHOLE.split())
def test_stays_whole_between_blanks_and_after_a_word(token: str) -> None:
    assert words(token) == [token]
    assert words(f"so {token} it is") == ["so", token, "it", "is"]
    assert words(f"{token} {token}\n{token}") == [token] * 3


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Great!!!", "great ! ! !"),
        ("well-known", "well - known"),
        ("this.That,and so on", "this . that , and so on"),
        ("thanks:) bye:(", "thanks :) bye :("),
        ("(see below): fine", "( see below ) : fine"),
        (
            "see http://example.org/c. Or (www.x.com)!",
            "see http://example.org/c . or ( www.x.com ) !",
        ),
        ("and/or :play time:30", "and / or : play time : 30"),
        ("#1 is @ home, mail a@b", "# 1 is @ home , mail a @ b"),
        ("x<30 and i <3 u", "x < 30 and i <3 u"),
        ("$5 50% 5.", "$ 5 50 % 5 ."),
        ("'quoted' “words” it’s", "' quoted ' \" words \" it's"),
        ("wait… what....", "wait ... what ...."),
        ("日本語です", "日 本 語 で す"),
        ("👍👍 ❤️", "👍 👍 ❤"),
        ("🇩🇪🇫🇷", "🇩🇪 🇫🇷"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zero width"),
        ("cafe\u0301 CAFÉ", "café café"),
        ("\x00a\x07b", "a b"),
        ("half \ud83d pair http://example\udc00.org", "half pair http://example.org"),
        (" \t\n ", ""),
        ("", ""),
    ],
)
def test_divides(text: str, tokens: str) -> None:
    assert words(text) == tokens.split()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Good.<br /><br />Bad<BR>end", "good . bad end"),
        ('<p class="a">un<b>bold</b></p><!-- note -->', "un bold"),
        ("I &lt;3 &quot;you&quot; &amp; me&#33; &#x1F44D;", 'i <3 " you " & me ! 👍'),
        ("a < b > c <3 <- <user>", "a < b > c <3 < - <user>"),
        ("AT&T &amp &unknown;", "at & t & amp & unknown ;"),
        ("&#" + "9" * 5000 + ";", "& # " + "9" * 5000 + " ;"),
    ],
)  # fmt: skip
def test_markup_is_stripped(text: str, tokens: str) -> None:
    assert words(text) == tokens.split()


def test_markup_is_kept() -> None:
    assert WordRules(markup="keep").tokenize("a<br />&amp;") == [*"a<", "br", *"/>&", "amp", ";"]


def test_case_is_kept() -> None:
    assert WordRules(lowercase=False).tokenize("SO Cool :D :d") == ["SO", "Cool", ":D", ":d"]


TWEET = "@ann sooooo coooool!!!! :)))) #funTime 👍 12 things http://example.org/c"


@pytest.mark.parametrize(
    ("rules", "tokens"),
    [
        (WordRules(punctuation=False), "@ann sooooo coooool #funtime 12 things http://example.org/c"),
        (WordRules(urls="replace", mentions="replace", numbers="replace"),
         "<user> sooooo coooool ! ! ! ! :)))) #funtime 👍 <number> things <url>"),
        (WordRules(urls="drop", mentions="drop", numbers="drop", hashtags="drop", emoji="drop"),
         "sooooo coooool ! ! ! ! :)))) things"),
        (WordRules(hashtags="split"),
         "@ann sooooo coooool ! ! ! ! :)))) # funtime 👍 12 things http://example.org/c"),
        (WordRules(hashtags="split", punctuation=False),
         "@ann sooooo coooool funtime 12 things http://example.org/c"),
        (WordRules(elongations="shorten"),
         "@ann soo cool ! ! :)) #funtime 👍 12 things http://example.org/c"),
    ],
)  # fmt: skip
def test_each_rule(rules: WordRules, tokens: str) -> None:
    assert rules.tokenize(TWEET) == tokens.split()


def test_shortening_leaves_numbers_and_addresses() -> None:
    text = "1000000 www.aaaa.b/cccc www.a.b @annnna ...... ----- hmmm"
    expected = "1000000 www.aaaa.b/cccc www.a.b @annnna ... -- hmm"
    assert WordRules(elongations="shorten").tokenize(text) == expected.split()


@given(anything)
def test_replacing_and_dropping_differ_by_the_replacements(text: str) -> None:
    replaced = WordRules(urls="replace", mentions="replace", numbers="replace").tokenize(text)
    dropped = WordRules(urls="drop", mentions="drop", numbers="drop").tokenize(text)
    assert [t for t in replaced if t not in ("<url>", "<user>", "<number>")] == dropped


HOSTILE = [
    *(
        "a",
        "a.",
        "a-",
        "a.b@",
        "a'",
        "a\u0301",
        "日\u0301",
        "\u0301",
        "_",
        "@",
        "#1",
        "1:",
        "!",
        "-_",
        "^-",
    ),
    *(
        "((",
        "[(",
        ")",
        "[:",
        "<a",
        "<a ",
        "<!--",
        "&#",
        "http://!",
        "www..",
        "bit.ly/.",
        "👍\u200d",
    ),
]


@pytest.mark.timeout(60)
def test_hostile_texts_take_no_longer_than_others() -> None:
    # A second or so; where one of them took quadratic time it would be minutes.
    rules = WordRules(elongations="shorten", urls="replace")
    for piece, end in itertools.product(HOSTILE, ("", "\x00", "a")):
        assert rules.tokenize(piece * 60_000 + end) is not None
