"""Pretrained vectors for the words of a language model."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.vectors import read_vectors
from rnnkit.errors import ConfigError
from rnnkit.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.config import LanguageConfig


def read_word_vectors(
    config: "LanguageConfig", vocabulary: Vocabulary
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """float32[vocabulary, width] and a note; nothing where the input is of another kind.

    A word has its own vector, or else that of its lower-case form, which is all that most files
    have. Others, `<unk>` and the marks among them, have random ones like those found. Raises
    DataError for a broken file, ConfigError when its vectors cannot be the softmax matrix.
    """
    form = config.model.input
    if form.kind != "pretrained" or vocabulary.kind != "words":
        return None, ()
    words = [vocabulary.decode((i,)) or vocabulary.token_of(i) for i in range(vocabulary.size)]
    wanted = list(dict.fromkeys([*words, *(word.lower() for word in words)]))
    read = read_vectors(form.path, wanted)
    row_of = {word: row for row, word in enumerate(wanted)}
    rows = [row_of[word] for word in words]
    lower = [row_of[word.lower()] for word in words]
    chosen = np.where(read.found[rows], rows, np.where(read.found[lower], lower, rows))
    _check_width(config, read.width)
    found = int(read.found[chosen].sum())
    note = (
        f"Vectors of {read.width:,} numbers: {found:,} of {vocabulary.size:,} tokens have one, "
        f"in lower case where not as written."
    )
    return read.matrix[chosen], (note,)


def _check_width(config: "LanguageConfig", width: int) -> None:
    from rnnkit.config.base import layer_sizes

    last = layer_sizes(config.model)[-1]
    if config.model.tie_weights and last != width:
        raise ConfigError(
            f"model.tie_weights needs vectors as long as the last layer; those of "
            f"model.input.path have {width:,} numbers and units is {last:,}. Make them equal or "
            "remove tie_weights."
        )
