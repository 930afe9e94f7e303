"""Time limits for the requests and responses of clients."""

from api.server.bad_requests import too_busy, too_slow
from api.server.connection import Connection, State

SILENT_S = 10.0
"""Longest wait for the first byte of a connection."""
KEEP_ALIVE_S = 30.0
"""Longest wait for another request."""
HEAD_S = 10.0
"""Longest time from the first byte of a request to the end of its head."""
BODY_S = 20.0
"""Longest time for the rest of a request, plus that of its bytes at BODY_BYTES_PER_S."""
BODY_BYTES_PER_S = 4096
SEND_S = 120.0
"""Longest pause in which a client receives nothing of a response; then the connection is closed. A
player that was paused requests the rest from its position."""
CROWDED_SEND_S = 10.0
"""The same while other clients are refused for lack of room."""
SEND_BYTES_PER_S = 8192
"""A client that receives less than this uses up its pause; one that receives more regains it."""
LINGER_S = 2.0
"""Longest wait for a client to close a connection that the server has closed."""
THREAD_WAIT_S = 10.0
"""Longest wait of a request for a thread."""
STOPPING_IDLE_S = 0.5
"""Longest wait for a request while the server stops."""
STOPPING_SEND_S = 2.0
"""Longest pause of a client while the server stops."""


def regain_patience(connection: Connection, elapsed_s: float) -> None:
    """Charge a client for the elapsed time, and credit what it received of its response."""
    if connection.state is State.SENDING:
        connection.credit(elapsed_s, most_s=SEND_S, bytes_per_s=SEND_BYTES_PER_S)


def overdue(connection: Connection, *, is_crowded: bool, is_stopping: bool) -> bytes | None:
    """Return None within the time limit; after it the last response, which is empty for none."""
    match connection.state:
        case State.READING if connection.is_idle:
            return b"" if connection.age_s > idle_limit_s(connection, is_stopping) else None
        case State.READING:
            return slow_request(connection)
        case State.RUNNING:
            return waiting_request(connection)
        case State.SENDING:
            pause_s = STOPPING_SEND_S if is_stopping else CROWDED_SEND_S if is_crowded else SEND_S
            return b"" if SEND_S - connection.patience_s > pause_s else None
        case State.LINGERING:
            return b"" if connection.age_s > LINGER_S else None
        case State.CLOSED:
            return None


def idle_limit_s(connection: Connection, is_stopping: bool) -> float:
    """Return how long a connection may be silent."""
    if is_stopping:
        return STOPPING_IDLE_S
    return KEEP_ALIVE_S if connection.requests else SILENT_S


def slow_request(connection: Connection) -> bytes | None:
    """Return the answer to a request that arrives too slowly."""
    if connection.reader.request is None:
        limit = f"it did not arrive within {HEAD_S:g} s"
        return too_slow("head of the request", limit) if connection.age_s > HEAD_S else None
    if connection.age_s <= body_limit_s(connection.reader.size):
        return None
    rate = f"it arrives at less than {BODY_BYTES_PER_S} bytes/s, after {BODY_S:g} s"
    return too_slow("body", rate)


def body_limit_s(received_bytes: int) -> float:
    """Return the longest time for receiving this many bytes of a body."""
    return BODY_S + received_bytes / BODY_BYTES_PER_S


def waiting_request(connection: Connection) -> bytes | None:
    """Return the answer to a request that has found no thread."""
    if connection.age_s <= THREAD_WAIT_S or not connection.take_back():
        return None
    return too_busy(f"no thread was free for {THREAD_WAIT_S:g} s")
