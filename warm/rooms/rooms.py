"""The faces that are in rooms, each with a worker and a thread that waits for its end."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from warm.rooms.errors import NoAddress, TooManyRooms
from warm.rooms.hosts import LiveKitHosts
from warm.rooms.room_request import RoomRequest
from warm.rooms.worker_program import WorkerProgram, program_at

JOIN_S = 25.0
"""Time for a worker to start and to join its room."""
THREAD_S = 10.0
"""Time for the thread of a room to end after its worker."""

Prepare = Callable[[Callable[[], bool]], RoomRequest]
"""Makes a request; its argument is true when it is not wanted any more."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Room:
    """A face in a room, or on its way there. The lock of `Rooms` guards it."""

    id: str
    has_joined: bool = False
    worker: WorkerProgram | None = None
    thread: Thread | None = None


class Rooms:
    """Starts and ends the workers. Any thread."""

    def __init__(
        self,
        *,
        program: Path | None,
        servers: str,
        max_rooms: int,
        own_url: str | None,
        end_session: Callable[[str], None],
    ) -> None:
        """`program`, `servers`, `max_rooms`: the settings `livekit_worker`, `livekit_servers` and
        `max_rooms`. `own_url`: the address of this server for workers; None if it has no port.

        `end_session` deletes a temporary session when its face has left the room.
        """
        self._program, self._max, self._own_url = program, max_rooms, own_url
        self._hosts = LiveKitHosts(servers)
        self._end_session = end_session
        self._rooms: dict[str, Room] = {}
        self._lock = Lock()
        self._is_closed = False
        self._failed = 0

    def check(self, field: str, livekit_url: str) -> None:
        """Raise WorkerMissing, NoAddress, and BadRoom for a server that may not be joined.

        `field` is the member of the request that has the address.
        """
        program_at(self._program)
        if self._own_url is None:
            raise NoAddress
        self._hosts.check(field, livekit_url)

    def join(self, request: RoomRequest) -> str:
        """Have a face join a room, and return its id when it has. Call `check` before.

        Raises WorkerMissing, TooManyRooms, JoinFailed and JoinTimedOut.
        """
        room = self._reserve()
        try:
            self._start(room, request)
        except BaseException:
            self._fail(room)
            raise
        return room.id

    def join_later(self, prepare: Prepare) -> str:
        """Have a face join a room when it is prepared, and return its id at once.

        Failures are logged and counted. Raises TooManyRooms.
        """
        room = self._reserve()

        def run() -> None:
            try:
                self._start(room, prepare(lambda: self._is_closed))
            except Exception:  # the top of a thread
                self._fail(room)
                log.exception("a face did not join its room")

        Thread(target=run, name="room-prepare", daemon=True).start()
        return room.id

    def counts(self) -> dict[str, int]:
        """Return the numbers of faces in rooms and on their way, the limit, and the failures."""
        with self._lock:
            joined = sum(room.has_joined for room in self._rooms.values())
            joining = len(self._rooms) - joined
            return {"joined": joined, "joining": joining, "max": self._max, "failed": self._failed}

    def close(self) -> None:
        """Have all faces leave their rooms."""
        with self._lock:
            self._is_closed = True
            rooms = list(self._rooms.values())
        workers = [room.worker for room in rooms if room.worker is not None]
        for worker in workers:
            worker.leave()
        for worker in workers:
            worker.end()
        for room in rooms:
            if room.thread is not None:
                room.thread.join(THREAD_S)

    def _reserve(self) -> Room:
        with self._lock:
            if self._is_closed or len(self._rooms) >= self._max:
                raise TooManyRooms(self._max)
            room = Room(secrets.token_hex(8))
            self._rooms[room.id] = room
            return room

    def _start(self, room: Room, request: RoomRequest) -> None:
        """Start the worker of a room and wait until it has joined."""
        worker = WorkerProgram(program_at(self._program))
        with self._lock:
            room.worker = worker
            if self._is_closed:
                worker.leave()  # and the join below fails
        try:
            worker.join(request.job(self._own_url or ""), JOIN_S)
        except BaseException:
            worker.discard()
            self._end(request)
            raise
        log.info("the face of session %s has joined a room", request.session_id)
        thread = Thread(
            target=self._watch, args=(room, worker, request), name=f"room-{room.id}", daemon=True
        )
        with self._lock:
            room.has_joined, room.thread = True, thread
        thread.start()

    def _watch(self, room: Room, worker: WorkerProgram, request: RoomRequest) -> None:
        """Wait until a face has left its room."""
        reason = worker.wait()
        worker.end()
        self._forget(room)
        self._end(request)
        level = logging.INFO if reason is None else logging.WARNING
        shown = "" if reason is None else f": {reason}"
        log.log(level, "the face of session %s has left its room%s", request.session_id, shown)

    def _end(self, request: RoomRequest) -> None:
        if not request.is_temporary or self._is_closed:
            return
        try:
            self._end_session(request.session_id)
        except Exception:  # the room is over all the same
            log.exception("session %s cannot be deleted", request.session_id)

    def _fail(self, room: Room) -> None:
        self._forget(room)
        with self._lock:
            self._failed += 1

    def _forget(self, room: Room) -> None:
        with self._lock:
            self._rooms.pop(room.id, None)
