"""Which texts train, validate and test."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.checks import check_classes, check_ordered, check_separate, check_splits
from rnnkit.data.splits import split_contiguous
from rnnkit.errors import DataError

if TYPE_CHECKING:
    from rnnkit.tables.labelled import LabelledTexts
    from rnnkit.tasks.text_classification.config import ClassificationConfig


@dataclass(frozen=True, eq=False)
class SplitIndices:
    """Indices of texts, int64[n] in rising order each; together every text once."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_texts(config: "ClassificationConfig", texts: "LabelledTexts") -> SplitIndices:
    """Divide the texts as `data.split` and the fractions say, drawn by `seed`.

    Raises DataError when a split would mislead: a class is missing from one, the rows of an
    ordered split are sorted by class, or equal texts stand in two splits.
    """
    data = config.data
    check_classes(texts)
    match data.split:
        case "stratified" if data.fold is not None:
            indices = _split_fold(
                texts.labels,
                number=data.fold.number,
                of=data.fold.of,
                validation_fraction=data.validation_fraction,
                seed=config.seed,
                classes=texts.classes,
            )
        case "stratified":
            indices = stratified_split(
                texts.labels,
                validation_fraction=data.validation_fraction,
                test_fraction=data.test_fraction,
                seed=config.seed,
                classes=texts.classes,
            )
        case "ordered":
            check_ordered(texts)
            parts = split_contiguous(
                len(texts),
                validation_fraction=data.validation_fraction,
                test_fraction=data.test_fraction,
            )
            train, validation, test = (
                np.arange(part.start, part.stop)
                for part in (parts.train, parts.validation, parts.test)
            )
            indices = SplitIndices(train, validation, test)
        case _:
            assert_never(data.split)
    check_splits(
        texts,
        indices,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
    )
    if not data.deduplicate:
        check_separate(texts, indices)
    return indices


def stratified_split(
    labels: NDArray[np.int32],
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    classes: tuple[str, ...],
) -> SplitIndices:
    """Draw the same share of every class for each split, to within one text.

    A split with a fraction above 0 gets one text of every class at least. `labels`:
    int32[texts]. Raises DataError when a class has fewer texts than there are splits.
    """
    held_out = [fraction for fraction in (validation_fraction, test_fraction) if fraction > 0]
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for code in range(len(classes)):
        members = np.flatnonzero(labels == code)
        if len(members) <= len(held_out):
            raise DataError(
                f"Class {classes[code]!r} has {_texts(len(members))}, and there are "
                f"{len(held_out) + 1} splits (training"
                f"{', validation' if validation_fraction else ''}"
                f"{', test' if test_fraction else ''}) that each need one at least. Add texts of "
                "that class, or set a fraction to 0."
            )
        shuffled = np.random.default_rng((seed, code)).permutation(members)
        test = _share(len(members), test_fraction, leave=len(held_out))
        validation = _share(len(members), validation_fraction, leave=test + 1)
        bounds = (test, test + validation)
        for part, chosen in zip(
            parts,
            (shuffled[bounds[1] :], shuffled[bounds[0] : bounds[1]], shuffled[: bounds[0]]),
            strict=True,
        ):
            part.append(chosen)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return SplitIndices(train, validation, test)


def _split_fold(
    labels: NDArray[np.int32],
    *,
    number: int,
    of: int,
    validation_fraction: float,
    seed: int,
    classes: tuple[str, ...],
) -> SplitIndices:
    """Fold `number` (from 1) of `of` as the test part; the others divided as usual."""
    test = stratified_folds(labels, of, seed)[number - 1]
    rest = np.setdiff1d(np.arange(len(labels)), test, assume_unique=True)
    inner = stratified_split(
        labels[rest],
        validation_fraction=validation_fraction,
        test_fraction=0.0,
        seed=seed,
        classes=classes,
    )
    return SplitIndices(rest[inner.train], rest[inner.validation], test)


def _share(number: int, fraction: float, *, leave: int) -> int:
    """`fraction` of `number`, rounded half up, 1 at least unless it is 0, with `leave` left."""
    if not fraction:
        return 0
    exact = Decimal(repr(fraction)) * number
    return max(1, min(int(exact.to_integral_value(ROUND_HALF_UP)), number - leave))


def stratified_folds(labels: NDArray[np.int32], folds: int, seed: int) -> list[NDArray[np.int64]]:
    """Divide texts into `folds` parts of equal size with equal shares of every class.

    Sizes differ by one text at most, those of a class likewise. Returns int64[n] in rising order
    for each fold. Raises DataError when a class has fewer texts than there are folds.
    """
    fold_of = np.empty(len(labels), np.int64)
    dealt = 0
    for code in np.unique(labels):
        members = np.flatnonzero(labels == code)
        if len(members) < folds:
            raise DataError(
                f"The smallest class has {_texts(len(members))}, too few for {folds} folds. Take "
                f"at most {len(members)} folds, or add texts of that class."
            )
        shuffled = np.random.default_rng((seed, int(code), folds)).permutation(members)
        # Dealing goes on where the class before ended, so that no fold gets all remainders.
        fold_of[shuffled] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return [np.flatnonzero(fold_of == fold) for fold in range(folds)]


def _texts(number: int) -> str:
    return "1 text" if number == 1 else f"{number:,} texts"
