"""From runs or configurations and a text to profiles of their gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, assert_never

import numpy as np

from rnnkit.errors import UsageError
from rnnkit.inspection.profiles import (
    Clipping,
    Profile,
    Progress,
    StateProfile,
    classifier_profile_of,
    clipping_of,
    profile_of,
    usual_distance,
)
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject, Subject, read_text
from rnnkit.network.cells import CELLS, CellSpec
from rnnkit.network.initializers import untrained, with_cell
from rnnkit.network.reference import build_network
from rnnkit.network.spec import EmbeddingInput
from rnnkit.tasks.language_model.data import windows_of

Item = TypeVar("Item")

_USUAL_DISTANCE = 50


@dataclass(frozen=True, eq=False)
class GradientStudy:
    """Profiles side by side, and what clipping does to the gradient of the first network."""

    profiles: tuple[Profile, ...]
    clipping: Clipping | None
    source: str
    notes: tuple[str, ...]

    @property
    def states(self) -> tuple[tuple[Profile, StateProfile], ...]:
        """All curves, each with the profile it belongs to."""
        return tuple((profile, state) for profile in self.profiles for state in profile.states)


def networks_to_compare(
    subject: Subject,
    others: Sequence[Subject] = (),
    *,
    cells: bool = False,
    recurrent_scale: float = 1.0,
) -> list[Subject]:
    """Return the networks whose gradients are shown side by side.

    Args:
        subject: the first network.
        others: of the same task.
        cells: whether untrained networks of the same size with each of the cells are added.
        recurrent_scale: multiplies every recurrent matrix.

    Raises:
        UsageError: the tasks differ.
    """
    if any(type(other) is not type(subject) for other in others):
        raise UsageError("A language model and a classifier cannot be compared; name runs alike.")
    subjects = [subject, *others]
    if cells:
        # One that is untrained would be among the three again.
        subjects = ([] if subject.run is None else subjects) + [
            fresh(subject, cell) for cell in CELLS.values()
        ]
    return [_scaled(one, recurrent_scale) for one in subjects]


def fresh(subject: Subject, cell: CellSpec) -> Subject:
    """Build the network of `subject` with this cell, untrained but for pretrained vectors."""
    seed, network = subject.config.seed, subject.network
    match subject:
        case LanguageSubject(config=config):
            vectors = config.model.input
        case ClassifierSubject(config=config):
            vectors = config.model.embedding
        case _:
            assert_never(subject)
    kept = network.embeddings if vectors.kind == "pretrained" else None
    changed = untrained(with_cell(network.spec, cell), seed=seed, vectors=kept)
    origin = f"untrained; random weights (seed {seed})"
    return replace(subject, name=f"fresh {cell.name}", network=changed, origin=origin)


def _scaled(subject: Subject, scale: float) -> Subject:
    """Return the subject with every recurrent matrix multiplied by `scale`."""
    if scale == 1.0:
        return subject
    weights = {
        name: weight * scale if name.endswith("/recurrent_kernel") else weight
        for name, weight in subject.network.weights.items()
    }
    network = build_network(subject.network.spec, weights)
    origin = f"{subject.origin}; recurrent matrix times {scale:g}"
    return replace(subject, network=network, origin=origin)


# ---------------------------------------------------------------------------- language models


def study_language_models(
    subjects: Sequence[LanguageSubject],
    *,
    text: str | None,
    files: Sequence[str],
    distance: int | None,
    windows: int,
    clip_norm: float | None,
    progress: Progress,
) -> GradientStudy:
    """Compute the gradients of language models on a text, or on the held-out text of each."""
    first = subjects[0]
    read = [_language_text(subject, text, files) for subject in subjects]
    distance = distance or min(
        usual_distance(subject.context, len(found.ids))
        for subject, found in zip(subjects, read, strict=True)
    )
    profiles = tuple(
        profile_of(
            subject.network,
            found.ids,
            distance=distance,
            windows=windows,
            context=subject.context,
            name=subject.name,
            origin=subject.origin,
            progress=progress,
        )
        for subject, found in zip(subjects, read, strict=True)
    )
    training, batch = first.config.training, windows_of(first.config)
    match first.network.spec.input:
        case EmbeddingInput(trainable=False):
            frozen = ("embedding/embeddings",)
        case _:
            frozen = ()
    clipping = clipping_of(
        first.network,
        read[0].ids,
        training,
        context=batch.context,
        length=batch.length,
        clip_norm=training.clip_norm if clip_norm is None else clip_norm,
        frozen=frozen,
    )
    notes = tuple(dict.fromkeys(note for found in read for note in found.notes))
    return GradientStudy(profiles, clipping, read[0].source, notes)


@dataclass(frozen=True, eq=False)
class _Text:
    """Token ids, unsigned[tokens], and where they come from."""

    ids: np.ndarray
    source: str
    notes: tuple[str, ...] = ()


def _language_text(subject: LanguageSubject, text: str | None, files: Sequence[str]) -> _Text:
    from rnnkit.tasks.language_model.data import prepare
    from rnnkit.tasks.language_model.evaluation import text_of_files, text_of_run

    if text is not None:
        return _Text(np.array(subject.vocabulary.encode(text), np.int64), "--text")
    if files:
        found = text_of_files(
            files,
            subject.vocabulary,
            encoding=subject.config.data.encoding,
            unseen="unk" if subject.vocabulary.unknown_id is not None else "skip",
        )
        return _Text(found.ids, ", ".join(files), found.notes)
    if subject.run is not None:
        found = text_of_run(subject.run, subject.config, split=None)
        return _Text(found.ids, f"the {found.split} part of its text")
    prepared = prepare(subject.config)
    split = "validation" if len(prepared.split("validation")) > 1 else "train"
    return _Text(prepared.split(split), f"the {split} part of its text")


# -------------------------------------------------------------------------------- classifiers


def study_classifiers(
    subjects: Sequence[ClassifierSubject],
    *,
    text: str | None,
    files: Sequence[str],
    distance: int | None,
    windows: int,
    progress: Progress,
) -> GradientStudy:
    """Compute the gradients of classifiers on texts, or on held-out texts of each."""
    read = [_classified_texts(subject, text, files, windows) for subject in subjects]
    profiles = tuple(
        classifier_profile_of(
            subject.network,
            texts,
            distance=distance or _USUAL_DISTANCE,
            name=subject.name,
            origin=subject.origin,
            progress=progress,
        )
        for subject, (texts, _) in zip(subjects, read, strict=True)
    )
    shortest = min(profile.states[0].distance for profile in profiles)
    profiles = tuple(
        replace(
            profile,
            states=tuple(
                replace(state, norms=state.norms[: shortest + 1]) for state in profile.states
            ),
        )
        for profile in profiles
    )
    notes = []
    if any(subject.network.spec.poolings != ("last",) for subject in subjects):
        notes.append(
            "The pooling hands the gradient to every step, not to the last alone, so at a distance "
            "there is what came back through time and what came directly."
        )
    return GradientStudy(profiles, None, read[0][1], tuple(notes))


def _classified_texts(
    subject: ClassifierSubject, text: str | None, files: Sequence[str], most: int
) -> tuple[list[np.ndarray], str]:
    """Return ids of at most `most` texts, and where they come from."""
    if text is not None:
        return [np.array(subject.encoder.encode(text))], "--text"
    if files:
        lines = [
            line for name in files for line in read_text(Path(name)).splitlines() if line.strip()
        ]
        rows = subject.encoder.encode_many(_spread(lines, most))
        return [np.array(row) for row in rows], ", ".join(files)
    from rnnkit.tasks.text_classification.data import prepare_texts

    if subject.run is not None:
        from rnnkit.tasks.text_classification.classified import prepared_texts

        prepared = prepared_texts(subject.run, subject.config)
    else:
        prepared = prepare_texts(subject.config)
    split = "validation" if len(prepared.validation) else "train"
    texts = prepared.split(split)
    places = _spread(range(len(texts)), most)
    return [np.array(texts.row(place)) for place in places], f"the {split} texts"


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of the items, evenly spread."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).astype(np.int64)
    return [items[int(place)] for place in np.unique(places)]
