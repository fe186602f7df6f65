r"""Letters of all scripts, as parts of regular expressions.

`\w` matches letters, digits and the underscore but no combining marks, and knows nothing of
scripts that are written without spaces.
"""

import unicodedata


def _marks() -> str:
    r"""Ranges of the combining marks, for a character class: vowel signs belong to words in Hindi
    and Thai as points do in Hebrew, but `\w` matches none of them."""
    scripts = ((0x300, 0x2000), (0x20D0, 0x2100), (0x3099, 0x309B), (0xA600, 0xAC00))
    ranges: list[list[int]] = []
    for start, stop in scripts:
        for point in range(start, stop):
            if unicodedata.category(chr(point)).startswith("M"):
                if ranges and ranges[-1][1] == point - 1:
                    ranges[-1][1] = point
                else:
                    ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


UNSPACED = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""For a character class: Han characters and hiragana. Japanese and Chinese have no spaces, so
each of these is a token."""
MARK = f"[{_marks()}]"
"""A combining mark."""
LETTER = rf"[^\W_{UNSPACED}]"
"""A letter or digit of a script with spaces."""
LETTERS = rf"(?:{LETTER}++{MARK}*+)++"
"""As many of them as there are, with their marks."""
