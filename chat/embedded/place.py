"""Exclusive use of the loaded model by one reply at a time."""

from collections.abc import Callable

from chat.embedded.keeper import Keeper
from chat.embedded.model_server import ModelServer
from chat.embedded.slot import Slot


class Place:
    """Gives the model to one reply after another. Thread-safe."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper, self._slot = keeper, Slot(keeper.condition)

    @property
    def waiting(self) -> int:
        """Number of replies that wait for the place."""
        return self._slot.waiting

    def enter(self, ticket: object, is_cancelled: Callable[[], bool]) -> ModelServer:
        """Wait for the model and for the place; raises ChatError."""
        self._keeper.await_loaded(is_cancelled)  # does not count as waiting for the place
        self._slot.acquire(ticket, is_cancelled)
        try:
            return self._keeper.enter(is_cancelled)
        except BaseException:
            self._slot.release(ticket)
            raise

    def leave(self, ticket: object) -> None:
        """Leave the place."""
        self._keeper.leave()
        self._slot.release(ticket)

    def wake(self) -> None:
        """Make waiting replies check whether they are cancelled."""
        self._keeper.wake()
