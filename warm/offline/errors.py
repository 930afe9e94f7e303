"""Errors of offline rendering, one class per cause."""


class OfflineError(ValueError):
    """An offline film cannot be rendered."""


class BadTask(OfflineError):
    """A field of a task is invalid; the message names task, field, value and what is allowed."""


class BadTaskFile(OfflineError):
    """The task file cannot be read."""


class RefusedTasks(OfflineError):
    """Some tasks are invalid, so none was started; the message has one line per fault."""


class UnfinishedFilm(OfflineError):
    """The written film is incomplete; no file was put in place."""
