"""Why a film is not made, one class per cause."""


class OfflineError(ValueError):
    """Something about an offline film cannot be done."""


class BadTask(OfflineError):
    """A field of a task cannot be used; the message names task, field, value and what may be."""


class BadTaskFile(OfflineError):
    """The file of tasks cannot be read."""


class RefusedTasks(OfflineError):
    """Some tasks cannot be done, so none was begun; one line of the message a fault."""


class UnfinishedFilm(OfflineError):
    """What was written is not what was asked for; nothing was put in place."""
