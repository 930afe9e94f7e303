"""The turns that are being answered or wait: one at a time in each session, a few in all."""

from collections.abc import Callable
from threading import Lock, Thread

from warm.conversation.errors import SessionAnswering
from warm.conversation.turn_run import TurnRun
from warm.render.shares import QueueFull
from warm.sessions.shares import Client, Limit, client_share, session_share

RETRY_S = 5


class Schedule:
    """Starts turns in order, each on a thread of its own. Any thread."""

    def __init__(self, *, max_running: int, max_waiting: int) -> None:
        """`max_waiting`: the setting `max_queue`, which limits the waiting turns too."""
        self._max_running, self._max_waiting = max_running, max_waiting
        self._lock = Lock()
        self._waiting: list[tuple[TurnRun, Client]] = []
        self._running: dict[str, TurnRun] = {}
        """The turn that is being answered in each session."""
        self._held: set[str] = set()
        """Waiting turns that are not stored yet."""

    def add(
        self, run: TurnRun, client: Client, store: Callable[[], None], *, may_wait: bool = True
    ) -> None:
        """Store a turn, and start it when its session and a place are free.

        If `store` fails, the turn is not added. Raises QueueFull, and SessionAnswering if the
        session answers and the turn may not wait for it.
        """
        entry = run, client
        with self._lock:
            if not may_wait and self._is_answering(run.turn.session_id):
                raise SessionAnswering(run.turn.session_id)
            if self._must_wait(run):
                self._check(run, client)
            self._waiting.append(entry)
            self._held.add(run.turn.id)
        try:
            store()
        except BaseException:
            self.discard(run)
            raise
        finally:
            with self._lock:
                self._held.discard(run.turn.id)
            self._start()

    def runs(self, session_id: str | None = None) -> list[TurnRun]:
        """Return the turns of a session, or all, that have not ended; the running one is first."""
        with self._lock:
            running = [run for name, run in self._running.items() if session_id in (None, name)]
            waiting = [run for run, _ in self._waiting]
        return running + [run for run in waiting if session_id in (None, run.turn.session_id)]

    def find(self, turn_id: str) -> TurnRun | None:
        """Return a turn that has not ended; None if there is none."""
        return next((run for run in self.runs() if run.turn.id == turn_id), None)

    def discard(self, run: TurnRun) -> bool:
        """Remove a turn that waits; False if it has begun or ended."""
        with self._lock:
            found = [entry for entry in self._waiting if entry[0] is run]
            for entry in found:
                self._waiting.remove(entry)
            return bool(found)

    def _must_wait(self, run: TurnRun) -> bool:
        is_full = len(self._running) >= self._max_running
        return is_full or self._is_answering(run.turn.session_id)

    def _is_answering(self, session_id: str) -> bool:
        waits = any(each.turn.session_id == session_id for each, _ in self._waiting)
        return waits or session_id in self._running

    def _check(self, run: TurnRun, client: Client) -> None:
        """Raise QueueFull unless another turn may wait."""
        total, used = self._max_waiting, len(self._waiting)
        mine = sum(each.name == client.name for _, each in self._waiting) if client.name else 0
        session_id = run.turn.session_id
        here = sum(each.turn.session_id == session_id for each, _ in self._waiting)
        share = client_share(total, used - mine) if client.name else total
        share = share if client.max_queued is None else min(share, client.max_queued)
        limits = (
            Limit(setting="max_queue", value=total, scope="all", share=total, used=used),
            Limit(
                setting="max_queue", value=total, scope="client", share=share, used=mine,
                name=client.name,
            ),
            Limit(
                setting="max_queue", value=total, scope="session",
                share=session_share(share, mine - here), used=here, name=session_id,
            ),
        )  # fmt: skip
        for limit in limits:
            if limit.used >= limit.share:
                raise QueueFull(limit, RETRY_S)

    def _start(self) -> None:
        """Start the waiting turns that can be started."""
        with self._lock:
            for entry in list(self._waiting):
                run, session_id = entry[0], entry[0].turn.session_id
                if len(self._running) >= self._max_running:
                    return
                if session_id in self._running or not self._is_first(run):
                    continue
                self._waiting.remove(entry)
                self._running[session_id] = run
                Thread(target=self._run, args=(run,), name="chat", daemon=True).start()

    def _is_first(self, run: TurnRun) -> bool:
        """True if a turn is stored, and is the first of its session that waits."""
        session_id = run.turn.session_id
        first = next(each for each, _ in self._waiting if each.turn.session_id == session_id)
        return first is run and run.turn.id not in self._held

    def _run(self, run: TurnRun) -> None:
        """Top of the thread of a turn."""
        try:
            run.run()
        finally:
            with self._lock:
                del self._running[run.turn.session_id]
            self._start()
