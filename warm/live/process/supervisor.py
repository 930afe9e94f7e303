"""Supervisor of the live process: starts it on demand, passes calls and events, replaces it."""

import logging
import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from threading import Condition, Thread
from typing import Any

from isolation.protocol import Payload
from warm.live.errors import LiveFailed, LiveRefused, LiveUnavailable
from warm.live.process.events import EventReader
from warm.live.process.live_process import LiveProcess
from warm.live.wire.control import receive_control

START_S = 20.0
"""Longest time for the process to start; a call waits for it."""
PING_S = 1.0
"""Interval of the pings, and the most that one wait counts as silence: time in which this process
was stopped itself does not count."""
SILENT_S = 10.0
"""A process that answers no ping for this long is replaced."""
LONG_LIFE_S = 30.0
BACKOFF_S = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0)
"""Delays of a restart after consecutive lives that were shorter than `LONG_LIFE_S`."""
JOIN_S = 5.0

OnEvent = Callable[[str, dict[str, Any], Payload], None]
"""Called on the supervisor's thread with the name, the data and the payload of an event."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorHooks:
    """Callbacks of a supervisor, all on its thread; they must not block."""

    on_event: OnEvent
    on_started: Callable[[LiveProcess], None]
    on_ended: Callable[[], None]
    """Everything that the process held is gone."""
    is_needed: Callable[[], bool]
    """Asked when the process has died; False: it is started again by the next call."""


class LiveSupervisor:
    """Owns the live process. `call` and `close` are for any thread."""

    def __init__(self, settings: Mapping[str, Any], hooks: SupervisorHooks) -> None:
        """`settings`: for the process, as JSON."""
        self.starts = 0
        """Number of processes that were started."""
        self._settings, self._hooks = settings, hooks
        self._changed = Condition()
        self._process: LiveProcess | None = None
        self._is_ready = self._is_wanted = self._is_closing = False
        self._not_before_s = 0.0
        """Earliest time of the next start."""
        self._short_lives = self._ended = 0
        self._calls: dict[int, Future[dict[str, Any]]] = {}
        self._numbers = count(1)
        self._wake_fd: int | None = None
        self._thread: Thread | None = None

    @property
    def is_ready(self) -> bool:
        """True while the process answers calls."""
        return self._is_ready

    @property
    def pid(self) -> int | None:
        """Process id of the live process; None if there is none."""
        process = self._process
        return None if process is None else process.pid

    def call(
        self,
        method: str,
        message: Mapping[str, Any],
        *,
        timeout_s: float,
        descriptors: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return the answer of a handler; starts the process if there is none.

        Raises LiveUnavailable, LiveRefused, LiveFailed and MessageTooLong.
        """
        process = self._wait_for_process()
        number = next(self._numbers)
        answer: Future[dict[str, Any]] = Future()
        self._calls[number] = answer
        try:
            process.send({"call": number, "method": method, **message}, descriptors)
            return answer.result(timeout_s)
        except FutureTimeout:
            raise LiveUnavailable(
                f"the live process did not answer within {timeout_s:g} s; try again"
            ) from None
        except OSError as error:  # also BlockingIOError: it has not read for a long time
            raise LiveUnavailable("the live process takes no calls now; try again") from error
        finally:
            self._calls.pop(number, None)

    def post(self, method: str, message: Mapping[str, Any]) -> None:
        """Call a handler without waiting for its answer; do nothing if there is no process."""
        process = self._process
        if process is not None and self._is_ready:
            with suppress(OSError):  # it has not read for a long time, or is ending
                process.send({"call": next(self._numbers), "method": method, **message})

    def close(self) -> None:
        """End the process and the thread; calls raise LiveUnavailable from now on."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None and self._wake_fd is not None:
            os.eventfd_write(self._wake_fd, 1)
            self._thread.join(JOIN_S)
            os.close(self._wake_fd)
            self._thread = self._wake_fd = None

    def _wait_for_process(self) -> LiveProcess:
        """Return the process when it is ready; raises LiveUnavailable."""
        with self._changed:
            self._is_wanted = True
            self._start_thread()
            self._changed.notify_all()
            delay_s = self._not_before_s - time.monotonic()
            if self._process is None and delay_s > 0 and not self._is_closing:
                raise LiveUnavailable(
                    "the live process has failed several times and is started again in "
                    f"{delay_s:.0f} s; the log has the cause",
                    retry_after_s=max(1, round(delay_s)),
                )
            ended = self._ended
            self._changed.wait_for(
                lambda: self._is_ready or self._is_closing or self._ended > ended, START_S
            )
            if self._is_closing:
                raise LiveUnavailable("the server is stopping")
            if self._ended > ended:
                raise LiveUnavailable("the live process has ended; the log has the cause")
            if not self._is_ready or self._process is None:
                raise LiveUnavailable(f"the live process did not start within {START_S:g} s")
            return self._process

    def _start_thread(self) -> None:
        if self._thread is None and not self._is_closing:
            self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # until `close`
            self._thread = Thread(target=self._run, name="live", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._wait_until_wanted():
                self._live_once()
        except Exception:
            log.exception("the supervisor of the live process failed")
            raise

    def _wait_until_wanted(self) -> bool:
        """Wait for a reason to start the process; False if the supervisor is closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_wanted or self._is_closing)
            while not self._is_closing:
                left_s = self._not_before_s - time.monotonic()
                if left_s <= 0:
                    return True
                self._changed.wait(left_s)
        return False

    def _live_once(self) -> None:
        """Start a process and serve it until it ends."""
        started_s = time.monotonic()
        try:
            process = LiveProcess()
        except OSError as error:
            log.error("the live process cannot be started", extra={"reason": str(error)})  # noqa: TRY400
            self._delay_start(0.0)
            return
        self._process = process
        self.starts += 1
        try:
            self._serve(process)
        except (OSError, ValueError, KeyError):  # it has ended, or sends what is no message
            log.exception("the live process cannot be reached and is replaced")
            process.kill()
        finally:
            self._end(process, time.monotonic() - started_s)

    def _serve(self, process: LiveProcess) -> None:
        """Pass messages on until the process ends, or the supervisor is closed."""
        assert self._wake_fd is not None
        poll, reader = select.poll(), EventReader(process.media)
        for each in (process.control, process.media, self._wake_fd):
            poll.register(each, select.POLLIN)
        process.send({"call": 0, "method": "start", "params": self._settings})
        watch = Watch(process, START_S)
        while not self._is_closing:
            ready = {fd for fd, _ in poll.poll(1000 * PING_S)}
            if self._wake_fd in ready:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._wake_fd)
            if process.media.fileno() in ready and not self._receive_events(reader):
                return
            if process.control.fileno() in ready and not self._receive_answers(process, watch):
                return
            if not watch.is_responsive():
                log.error("the live process does not answer and is replaced")
                process.kill()

    def _receive_events(self, reader: EventReader) -> bool:
        is_open = reader.receive()
        for header, payload in reader.messages():
            self._pass_on(header["event"], header["data"], payload)
        return is_open

    def _pass_on(self, event: str, data: dict[str, Any], payload: Payload) -> None:
        if event == "log":
            context = {"traceback": data["traceback"]} if data["traceback"] else {}
            logging.getLogger(data["name"]).log(data["level"], "%s", data["message"], extra=context)
            return
        try:
            self._hooks.on_event(event, data, payload)
        except Exception:
            log.exception("an event of the live process was not handled")

    def _receive_answers(self, process: LiveProcess, watch: "Watch") -> bool:
        """Take all answers that have arrived; False if the process has ended."""
        while True:
            try:
                received = receive_control(process.control)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if received is None:
                return False
            watch.note_answer()
            answer, _ = received
            if answer["call"] == 0:
                self._note_ready(process)
            else:
                self._resolve(answer)

    def _note_ready(self, process: LiveProcess) -> None:
        if self._is_ready:
            return  # the answer to a ping
        self._hooks.on_started(process)
        with self._changed:
            self._is_ready = True
            self._changed.notify_all()
        log.info("live process started", extra={"pid": process.pid})

    def _resolve(self, answer: Mapping[str, Any]) -> None:
        call = self._calls.pop(answer["call"], None)
        if call is None:  # its caller has given up
            return
        if "refused" in answer:
            call.set_exception(LiveRefused(*answer["refused"]))
        elif "failed" in answer:
            call.set_exception(LiveFailed(answer["failed"]))
        else:
            call.set_result(answer["result"])

    def _end(self, process: LiveProcess, lived_s: float) -> None:
        """Forget a process that has ended, or end it; answer the calls that wait for it."""
        with self._changed:
            was_closing, self._is_ready, self._process = self._is_closing, False, None
        status = process.end()
        if not was_closing:
            log.error("the live process ended", extra={"status": status, "pid": process.pid})
        for call in list(self._calls.values()):
            with suppress(Exception):  # answered meanwhile
                call.set_exception(LiveUnavailable("the live process has ended; try again"))
        self._delay_start(lived_s)
        with self._changed:
            self._is_wanted = self._hooks.is_needed()
            self._ended += 1
            self._changed.notify_all()
        self._hooks.on_ended()

    def _delay_start(self, lived_s: float) -> None:
        self._short_lives = 0 if lived_s > LONG_LIFE_S else self._short_lives + 1
        delay_s = BACKOFF_S[min(self._short_lives, len(BACKOFF_S) - 1)]
        self._not_before_s = time.monotonic() + delay_s


class Watch:
    """Pings a process and measures its silence. The supervisor's thread owns it."""

    def __init__(self, process: LiveProcess, start_s: float) -> None:
        self._process = process
        self._left_s = start_s
        """Time until the process counts as hanging."""
        self._checked_s = time.monotonic()
        self._pinged_s = self._checked_s

    def note_answer(self) -> None:
        """Note a sign of life."""
        self._left_s = SILENT_S

    def is_responsive(self) -> bool:
        """Send a ping if it is time; return False if the process has been silent for too long."""
        now_s = time.monotonic()
        self._left_s -= min(now_s - self._checked_s, PING_S)
        self._checked_s = now_s
        if now_s - self._pinged_s >= PING_S:
            self._pinged_s = now_s
            with suppress(OSError):  # a full socket is the silence that is being measured
                self._process.send({"call": 0, "method": "ping", "params": {}})
        return self._left_s > 0
