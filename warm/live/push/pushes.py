"""The pushes of all sessions, as the worker keeps them: they outlive the live process."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol

from isolation.protocol import Payload
from warm.live.errors import LiveFailed, LiveRefused, LiveUnavailable
from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.destination import Destination, parse_destination
from warm.live.push.errors import TooManyPushes, UnknownPush
from warm.live.push.events import NO_FEED, STATE
from warm.live.push.push_state import ENDED, PushState

START_S = 10.0
STOP_S = 3.0
"""Longest wait for the live process to end a push."""
STOP_TRIES = 3
RESTORE_TRIES = 20
KEPT_ENDED = 8
"""Pushes of one session that have failed and are still listed."""
LIVE_ENDED = "live.ended"
"""Event of the hub: the live process has ended, with everything in it."""
PROTOCOLS = {"http": "whip", "https": "whip", "rtmps": "rtmp"}

log = logging.getLogger(__name__)


class Hub(Protocol):
    """The part of the live hub that pushes use."""

    def call(
        self, method: str, params: Mapping[str, Any], *, timeout_s: float = 5.0
    ) -> dict[str, Any]:
        """See `LiveHub`."""
        ...

    def on_event(self, name: str, callback: Callable[[dict[str, Any], Payload], None]) -> None:
        """See `LiveHub`."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class PushRecord:
    """One push. The lock of `Pushes` guards it."""

    id: str
    session_id: str
    destination: Destination
    url: str = field(repr=False)
    key: str | None = field(repr=False)
    created: float
    """Unix time."""
    created_s: float
    """By the monotonic clock."""
    state: PushState
    was_live: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return what the live process must know; it has the secrets."""
        return {
            "push_id": self.id,
            "session_id": self.session_id,
            "url": self.url,
            "key": self.key,
            "age_s": time.monotonic() - self.created_s,
            "was_live": self.was_live,
            "state": self.state.json(),
        }

    def shown(self) -> dict[str, Any]:
        """Return the members that may be shown."""
        scheme = self.destination.scheme
        return {
            "id": self.id,
            "session_id": self.session_id,
            "url": str(self.destination),
            "protocol": PROTOCOLS.get(scheme, scheme),
            "created": self.created,
            **self.state.json(),
        }


class Pushes:
    """Starts, lists and ends pushes, and starts them again in a new live process. Any thread."""

    def __init__(self, hub: Hub, *, push_urls: str | None, max_pushes: int) -> None:
        """`push_urls`, `max_pushes`: the settings of these names."""
        self._hub, self._hosts, self._max = hub, PushHosts(push_urls), max_pushes
        self._lock = Lock()
        self._records: dict[str, PushRecord] = {}
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None
        hub.on_event(STATE, self._on_state)
        hub.on_event(NO_FEED, self._on_no_feed)
        hub.on_event(LIVE_ENDED, self._on_live_ended)

    def start(self, session_id: str, url: str, key: str | None) -> dict[str, Any]:
        """Start a push and return it as it is shown.

        Raises BadPush, TooManyPushes, and the errors of `LiveHub.call`.
        """
        destination = parse_destination(url, key)
        self._hosts.check(destination)
        record = PushRecord(
            id=secrets.token_hex(8),
            session_id=session_id,
            destination=destination,
            url=url,
            key=key,
            created=time.time(),
            created_s=time.monotonic(),
            state=PushState(since=time.time()),
        )
        with self._lock:
            if len(self._running()) >= self._max:
                raise TooManyPushes(self._max)
            self._records[record.id] = record
        try:
            self._hub.call("push.start", record.parameters(), timeout_s=START_S)
        except BaseException as error:
            with self._lock:
                self._records.pop(record.id, None)
            if isinstance(error, LiveUnavailable):  # it may still be started
                self._later(lambda: self._end_surely(record.id, "it was not started in time"))
            raise
        return self.show(session_id, record.id)

    def of_session(self, session_id: str) -> list[dict[str, Any]]:
        """Return the pushes of a session, the oldest first."""
        with self._lock:
            return [each.shown() for each in self._of(session_id)]

    def show(self, session_id: str, push_id: str) -> dict[str, Any]:
        """Return one push; raises UnknownPush."""
        with self._lock:
            return self._find(session_id, push_id).shown()

    def stop(self, session_id: str, push_id: str) -> dict[str, Any]:
        """End a push and forget it; returns its last state. Raises UnknownPush."""
        with self._lock:
            record = self._find(session_id, push_id)
            del self._records[push_id]
        self._end(record, "it was deleted")
        return record.shown()

    def end_session(self, session_id: str, reason: str) -> None:
        """End the pushes of a session that has been deleted."""
        with self._lock:
            ended = self._of(session_id)
            for record in ended:
                del self._records[record.id]
        for record in ended:
            self._end(record, reason)

    def has_running(self, session_id: str) -> bool:
        """True while a session has a push that has not ended."""
        with self._lock:
            return any(each.session_id == session_id for each in self._running())

    def counts(self) -> dict[str, Any]:
        """Return numbers for `/stats`."""
        with self._lock:
            states = [record.state for record in self._records.values()]
        names = ("connecting", "live", "waiting", "failed")
        return {
            "max": self._max,
            **{name: sum(each.state == name for each in states) for name in names},
            "bytes": sum(each.bytes for each in states),
            "dropped": sum(each.dropped for each in states),
            "restarts": sum(each.restarts for each in states),
        }

    def all(self) -> list[dict[str, Any]]:
        """Return all pushes, the oldest first."""
        with self._lock:
            return [each.shown() for each in self._records.values()]

    def close(self) -> None:
        """Start nothing more; the pushes end with the live process."""
        with self._lock:
            self._records.clear()
        self._tasks.put(None)

    def _running(self) -> list[PushRecord]:
        return [each for each in self._records.values() if each.state.state not in ENDED]

    def _of(self, session_id: str) -> list[PushRecord]:
        return [each for each in self._records.values() if each.session_id == session_id]

    def _find(self, session_id: str, push_id: str) -> PushRecord:
        record = self._records.get(push_id)
        if record is None or record.session_id != session_id:
            raise UnknownPush(session_id, push_id)
        return record

    def _end(self, record: PushRecord, reason: str) -> None:
        """Have the live process end a push, if there is one."""
        if record.state.state in ENDED:
            return
        try:
            params = {"push_id": record.id, "reason": reason}
            last = self._hub.call("push.stop", params, timeout_s=STOP_S)
        except (LiveUnavailable, LiveRefused, LiveFailed):
            last = {}
            self._later(lambda: self._end_surely(record.id, reason))
        state = PushState(**last) if last else record.state
        state.state, state.reason, state.since = "stopped", reason, time.time()
        state.next_try_s = None
        record.state = state

    def _end_surely(self, push_id: str, reason: str) -> None:
        """End a push in the live process, which did not answer; it may be a new one already."""
        for _ in range(STOP_TRIES):
            with suppress(LiveUnavailable, LiveRefused, LiveFailed):
                self._hub.call("push.stop", {"push_id": push_id, "reason": reason})
                return

    def _on_state(self, data: dict[str, Any], _payload: Payload) -> None:
        """Keep the state of a push. The hub's thread."""
        state = PushState(**data["state"])
        with self._lock:
            record = self._records.get(data["push_id"])
            if record is not None:
                record.state = state
                record.was_live = record.was_live or state.state == "live"
                self._drop_old(record.session_id)

    def _drop_old(self, session_id: str) -> None:
        """Forget the oldest pushes that have failed."""
        failed = [each for each in self._of(session_id) if each.state.state in ENDED]
        for record in failed[: max(0, len(failed) - KEPT_ENDED)]:
            del self._records[record.id]

    def _on_no_feed(self, data: dict[str, Any], _payload: Payload) -> None:
        """Have the feed of a push made. The hub's thread, which must not wait."""
        self._later(lambda: self._attach(data["push_id"], data["session_id"]))

    def _on_live_ended(self, _data: dict[str, Any], _payload: Payload) -> None:
        """Start all pushes again. The hub's thread, which must not wait."""
        with self._lock:
            running = self._running()
            for record in running:
                record.state.state, record.state.since = "waiting", time.time()
                record.state.reason = "the live process is being started again"
        for record in running:
            self._later(lambda each=record: self._restore(each))  # type: ignore[misc]

    def _attach(self, push_id: str, session_id: str) -> None:
        try:
            self._hub.call("push.attach", {"push_id": push_id, "session_id": session_id})
        except (LiveUnavailable, LiveFailed) as error:
            log.warning("a push has no feed", extra={"push_id": push_id, "reason": str(error)})
        except LiveRefused as refused:
            self._fail(push_id, refused.detail)

    def _restore(self, record: PushRecord) -> None:
        """Start a push in the new live process."""
        record.state.restarts += 1
        for _ in range(RESTORE_TRIES):
            with self._lock:
                if self._records.get(record.id) is not record:
                    return
            try:
                self._hub.call("push.start", record.parameters(), timeout_s=START_S)
            except LiveUnavailable as error:
                time.sleep(error.retry_after_s)
            except (LiveRefused, LiveFailed) as error:
                self._fail(record.id, str(error))
                return
            else:
                return
        self._fail(record.id, "the live process cannot be started; the log has the cause")

    def _fail(self, push_id: str, reason: str) -> None:
        with self._lock:
            record = self._records.get(push_id)
            if record is not None:
                record.state.state, record.state.reason = "failed", reason
                record.state.since, record.state.next_try_s = time.time(), None

    def _later(self, task: Callable[[], None]) -> None:
        """Run a task on the thread of this object."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="pushes", daemon=True)
                self._thread.start()
        self._tasks.put(task)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:
                log.exception("a push was not started again")
