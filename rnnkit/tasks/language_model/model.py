"""The language model of a run, opened for inference."""

from rnnkit.errors import RunError
from rnnkit.inference.decoding import LanguageModel
from rnnkit.inference.runtime import (
    GenerationDefaults,
    check_vocabulary_size,
    open_model,
)
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import read_document
from rnnkit.text.stored import read_vocabulary

TASKS = ("char_generation", "word_generation")


def load_language_model(run: RunDirectory) -> LanguageModel:
    """Open the model of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or from a newer version.
    """
    # One thread: handing the small matmuls of a cell from thread to thread costs more than it
    # saves, and as soon as the machine has something else to do, two take twice as long.
    model = open_model(run, tasks=TASKS, threads=1)
    try:
        vocabulary = read_vocabulary(read_document(run.vocabulary, "vocabulary"))
    except ValueError as error:
        raise RunError(f"{run.vocabulary}: damaged: {error}") from error
    check_vocabulary_size(run, model, vocabulary.size)
    return LanguageModel(
        vocabulary=vocabulary,
        context=model.metadata.context,
        generation=model.metadata.generation or GenerationDefaults(),
        state_sizes=model.state_sizes,
        run_graph=model.run_graph,
    )
