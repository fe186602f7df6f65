"""Every failure a user can cause, each with the exit code of the command line.

RnnkitError                     1   only its subclasses are raised
├── UsageError                  2   options that do not go together
├── ConfigError                 3   the YAML file or a --set
├── DataError                   4   the text or table given as data
├── RunError                    5   a run directory: missing, damaged, foreign, locked
├── TrainingDivergedError       6   the loss stayed NaN or infinite; the checkpoint is intact
└── InterruptedTrainingError  130   Ctrl-C; everything is saved

A message says where, what was found, what was expected and what to do. Anything else that
escapes is a bug of ours: exit code 1 and a traceback.
"""


class RnnkitError(Exception):
    """The root of the tree; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(RnnkitError):
    """Command-line options that contradict each other or the run they are used on."""

    exit_code = 2


class ConfigError(RnnkitError):
    """A configuration that cannot be used; the message lists every problem, one a line."""

    exit_code = 3


class DataError(RnnkitError):
    """Data that cannot be read, is not what was announced, or is too small."""

    exit_code = 4


class RunError(RnnkitError):
    """A run directory that is missing, damaged, foreign, from a newer version, or in use."""

    exit_code = 5


class TrainingDivergedError(RnnkitError):
    """The loss became NaN or infinite again after every attempt to recover."""

    exit_code = 6


class InterruptedTrainingError(RnnkitError):
    """Training stopped at the user's wish; the message holds the command that goes on."""

    exit_code = 130
