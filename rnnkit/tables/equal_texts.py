"""Equal texts in labelled data: dropped, or refused where they would be in two splits.

Texts are equal when they differ in nothing but whitespace.
"""

from dataclasses import replace

import numpy as np

from rnnkit.data.splits import SplitIndices, counted
from rnnkit.errors import DataError
from rnnkit.tables.labelled import LabelledTexts

_LEAK = "This leaks training data into the evaluation. Set data.deduplicate: true"


def drop_equal_texts(texts: LabelledTexts) -> LabelledTexts:
    """Keep the first of equal texts, and none of them when their labels differ.

    Raises:
        DataError: nothing is left.
    """
    seen: dict[str, int] = {}
    codes = np.array([seen.setdefault(comparable(text), len(seen)) for text in texts.texts])
    _, first = np.unique(codes, return_index=True)
    if len(first) == len(texts):
        return texts
    is_copy = np.ones(len(texts), bool)
    is_copy[first] = False
    contradicted = np.unique(codes[texts.labels != texts.labels[first[codes]]])
    in_conflict = np.isin(codes, contradicted)
    contradictory, duplicates = int(in_conflict.sum()), int((is_copy & ~in_conflict).sum())
    notes = []
    if duplicates:
        notes.append(f"{counted(duplicates, 'copy', 'copies')} of equal texts")
    if contradictory:
        rows, place = counted(contradictory, "row"), texts.place(int(in_conflict.argmax()))
        notes.append(f"{rows} whose equal texts have different labels (first: {place})")
    kept = texts.select(np.flatnonzero(~is_copy & ~in_conflict))
    if not len(kept):
        raise DataError(
            f"All {len(texts):,} texts contradict each other: equal texts have different labels. "
            "Is data.layout.text the right column?"
        )
    return replace(
        kept,
        notes=(*texts.notes, f"Left out by data.deduplicate: {' and '.join(notes)}."),
        stats=replace(texts.stats, duplicates=duplicates, contradictory=contradictory),
    )


def drop_shared_texts(texts: LabelledTexts, test_texts: LabelledTexts) -> LabelledTexts:
    """Leave out the texts that are in the test files too, which stay as they are.

    Raises:
        DataError: nothing is left.
    """
    in_test = set(map(comparable, test_texts.texts))
    keep = np.array([comparable(text) not in in_test for text in texts.texts], bool)
    shared = len(texts) - int(keep.sum())
    if not shared:
        return texts
    if shared == len(texts):
        raise DataError(
            f"Every text of data.path ({shared:,}) is in data.test_path too. Give different files."
        )
    note = f"Left out of the training files: {counted(shared, 'text')} of the test files."
    return replace(
        texts.select(np.flatnonzero(keep)),
        notes=(*texts.notes, note),
        stats=replace(texts.stats, shared_with_test=shared),
    )


def comparable(text: str) -> str:
    """Return what texts are compared by: `" a  b"` -> `"a b"`."""
    joined = " ".join(text.split())
    # The same object again, so that it does not take memory twice.
    return text if joined == text else joined


def check_separate(texts: LabelledTexts, indices: SplitIndices) -> None:
    """Raise DataError when equal texts are in two splits."""
    seen: dict[str, tuple[str, int]] = {}
    shared, example = 0, ""
    for name in ("train", "validation", "test"):
        chosen: list[int] = getattr(indices, name).tolist()
        for index in chosen:
            other, first = seen.setdefault(comparable(texts.texts[index]), (name, index))
            if other != name:
                shared += 1
                example = example or f"{texts.place(first)} and {texts.place(index)}"
    if shared:
        raise DataError(
            f"{counted(shared, 'text')} of one split {'is' if shared == 1 else 'are'} in another "
            f"one too, for example {example}. {_LEAK}"
        )


def check_separate_test(texts: LabelledTexts, test_texts: LabelledTexts) -> None:
    """Raise DataError when texts of the test files are in the training files too."""
    first_of = {comparable(text): index for index, text in enumerate(test_texts.texts)}
    shared = [index for index, text in enumerate(texts.texts) if comparable(text) in first_of]
    if shared:
        other = test_texts.place(first_of[comparable(texts.texts[shared[0]])])
        raise DataError(
            f"{counted(len(shared), 'text')} of data.path {'is' if len(shared) == 1 else 'are'} in "
            f"data.test_path too, for example {texts.place(shared[0])} and {other}. {_LEAK}"
        )
