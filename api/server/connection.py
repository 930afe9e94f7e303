"""One connection of a client, as the event loop keeps it."""

import math
import socket
import time
from enum import Enum, auto

from api.server.admission import client_of
from api.server.body_receiver import BodyReceiver
from api.server.exchange import Exchange
from api.server.lanes import Lane, Task
from api.server.output import Output
from api.server.request_reader import Address, RequestReader


class State(Enum):
    """State of a connection, by the party that it waits for."""

    READING = auto()
    """The next request, or the rest of it."""
    RUNNING = auto()
    """A thread that produces its response."""
    SENDING = auto()
    """The client, which has not received all of the response."""
    LINGERING = auto()
    """The client, which has yet to close its side; the server has closed the other."""
    CLOSED = auto()


class Connection:
    """A connection and its request. Owned by the event loop, or by a thread while RUNNING."""

    def __init__(
        self, sock: socket.socket, client: Address, server: Address, reader: RequestReader
    ) -> None:
        self.sock = sock
        self.client = client
        self.owner = client_of(client)
        """The name of the client, the same for all its connections."""
        self.server = server
        self.reader = reader
        self.output = Output(sock)
        self.exchange: Exchange | None = None
        self.lane: Lane | None = None
        self.task: Task | None = None
        """The task that is in `lane`."""
        self.receiver: BodyReceiver | None = None
        """Receives the rest of a body while the request runs."""
        self.events = 0
        """Events for which the selector watches the socket."""
        self.requests = 0
        """Number of requests that have arrived."""
        self.is_extra = False
        """True if it exceeds a limit: only requests with reserved threads are then answered."""
        self.patience_s = math.inf
        """Time for which the client may still receive nothing of the response."""
        self.counted_bytes = 0
        """Bytes that have been credited to `patience_s`."""
        self.enter(State.READING)

    @property
    def is_idle(self) -> bool:
        """True if nothing of a request has arrived."""
        return self.state is State.READING and self.reader.request is None and not self.reader.size

    @property
    def is_expendable(self) -> bool:
        """True if its client loses little when it is closed for another one."""
        return self.state in (State.READING, State.LINGERING)

    @property
    def usefulness(self) -> tuple[bool, bool, bool, float]:
        """Order in which connections are closed: closing ones, silent ones, those that have been
        used, those with a part of a request; of each kind, the oldest first."""
        is_reading = self.state is State.READING
        return is_reading, not self.is_idle, self.requests > 0, self.since_s

    @property
    def age_s(self) -> float:
        """Time in this state."""
        return time.monotonic() - self.since_s

    def enter(self, state: State) -> None:
        """Change the state, and begin to count its time."""
        self.state = state
        self.since_s = time.monotonic()

    def take_back(self) -> bool:
        """Withdraw a request that no thread has started; False if one has."""
        is_new = self.exchange is not None and not self.exchange.has_begun
        return is_new and bool(self.lane and self.task and self.lane.discard(self.task))

    def credit(self, elapsed_s: float, *, most_s: float, bytes_per_s: float) -> None:
        """Charge the elapsed time, and credit what the client received of its response."""
        taken = self.output.sent_bytes - self.counted_bytes
        self.counted_bytes += taken
        self.patience_s = min(most_s, self.patience_s - elapsed_s + taken / bytes_per_s)
