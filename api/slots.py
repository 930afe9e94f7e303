"""A limited number of places."""

from threading import Lock


class Slots:
    """So many answers may be under way at once. Any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._changing = Lock()

    def take(self) -> bool:
        """Whether there was a place; it has to be given back."""
        with self._changing:
            if self.taken >= self.limit:
                return False
            self.taken += 1
            return True

    def give_back(self) -> None:
        """Let somebody else have the place."""
        with self._changing:
            self.taken -= 1
