"""Changes of the table of turns that follow from changes of films."""

import logging
from collections.abc import Callable
from threading import Lock

from warm.jobs.errors import JobStoreError

log = logging.getLogger(__name__)

Change = Callable[[], None]


class OwedChanges:
    """Changes that are to be made, by session. Any thread.

    A film cannot be changed back if the database fails. The change of the table is then made
    before the table is used for the session again.
    """

    def __init__(self) -> None:
        self._due: dict[str, list[Change]] = {}
        self._adding, self._making = Lock(), Lock()

    def add(self, session_id: str, change: Change) -> None:
        """Make a change now, or later if the database fails, which is logged."""
        with self._adding:
            self._due.setdefault(session_id, []).append(change)
        try:
            self.make(session_id)
        except JobStoreError:
            log.exception("a change of a conversation waits for its database")

    def make(self, session_id: str) -> int:
        """Make the changes of a session that are due, in order; return their number.

        Raises JobStoreError.
        """
        count = 0
        with self._making:
            while due := self._due.get(session_id):
                due[0]()
                count += 1
                with self._adding:
                    due.pop(0)
                    if not due:
                        del self._due[session_id]
        return count
