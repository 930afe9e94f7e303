"""Errors of the preprocessing of training videos, one class per cause."""


class TrainingDataError(ValueError):
    """The preprocessing cannot continue; the message says why and what to do."""


class BadPreprocessConfig(TrainingDataError):
    """The configuration file cannot be used; the message has one line per fault."""


class NoSourcesError(TrainingDataError):
    """The folder of raw videos is missing or empty."""


class OutputFullError(TrainingDataError):
    """The disk, the quota or the file size limit is exhausted."""


class OutputNotWritableError(TrainingDataError):
    """A folder of the output cannot be written."""


class OutputBusyError(TrainingDataError):
    """Another run writes to the same output."""


class ListMissingError(TrainingDataError):
    """There is no list of clips to check."""
