"""Sound of live clients, spoken in their sessions."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from isolation.process import RequestCancelled
from isolation.protocol import Payload
from warm.jobs.job import JobError
from warm.live.errors import LiveFailed, LiveUnavailable
from warm.live.hub import LiveHub
from warm.live_speech.pulled_sound import start_pump
from warm.live_speech.session_tasks import SessionTasks
from warm.media.recording_errors import RecordingSilent
from warm.render.jobs import Interrupted, Origin, SpeakJob
from warm.runtime import Runtime
from warm.sessions.session import Session

MOST_QUEUED = 3
"""Utterances of a session that are queued or spoken; others wait in the live process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An utterance that a live client has begun."""

    key: str
    """Its id in the live process."""
    rate_hz: int
    text: str
    socket: str
    """Id of the client's socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechParts:
    """What the utterances of live clients need."""

    live: LiveHub
    runtime: Runtime
    origin_of: Callable[[str], Origin]
    """Returns the sender that has a socket."""
    interrupt: Callable[[Session], object]
    """Stops a session."""
    describe: Callable[[Exception], JobError]
    """Names the kind of an error."""


class LiveSpeech:
    """Has the utterances of live clients spoken, and reports how each of them ended."""

    def __init__(self, parts: SpeechParts) -> None:
        self._parts = parts
        self._sessions: dict[str, SessionSpeech] = {}
        parts.live.on_event("speech.begin", self._begin)
        parts.live.on_event("speech.clear", self._clear)

    def _begin(self, data: dict[str, Any], _payload: Payload) -> None:
        stream = Stream(
            key=data["stream"], rate_hz=data["rate"], text=data["text"], socket=data["socket"]
        )
        self._session(data["session_id"]).begin(stream)

    def _clear(self, data: dict[str, Any], _payload: Payload) -> None:
        self._parts.live.cleared(data["session_id"], data["epoch"])
        self._session(data["session_id"]).clear()

    def _session(self, session_id: str) -> "SessionSpeech":
        """Return the speech of a session. Called by one thread, that of the events."""
        self._sessions = {key: each for key, each in self._sessions.items() if each.is_busy}
        return self._sessions.setdefault(session_id, SessionSpeech(session_id, self._parts))


class SessionSpeech:
    """The utterances of one session's live clients, queued one after the other by a thread."""

    def __init__(self, session_id: str, parts: SpeechParts) -> None:
        self._id, self._parts = session_id, parts
        self._tasks = SessionTasks(session_id, check=self._report_ended, most_at_once=MOST_QUEUED)
        self._jobs: dict[str, SpeakJob] = {}
        """By their streams. The thread owns it."""

    @property
    def is_busy(self) -> bool:
        """True if it has a thread."""
        return self._tasks.has_thread

    def begin(self, stream: Stream) -> None:
        """Have an utterance queued after the earlier ones. Any thread."""
        self._tasks.add(partial(self._begin, stream))

    def clear(self) -> None:
        """Have the session stopped, and drop the utterances that began before. Any thread."""
        self._tasks.replace_all(self._clear)

    def _begin(self, stream: Stream) -> None:
        try:
            self._jobs[stream.key] = self._queued(stream)
        except RecordingSilent:
            self._send(stream.key, "silent", None)
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._report(stream.key, error)

    def _queued(self, stream: Stream) -> SpeakJob:
        """Queue an utterance once its first sound has arrived; see `speak_sound`."""
        live, runtime = self._parts.live, self._parts.runtime
        origin = self._parts.origin_of(stream.socket)
        session = runtime.sessions.registry.lookup(self._id, origin.client.name)
        sound = runtime.pcm_stream(stream.rate_hz)
        given = runtime.recording_pcm(sound, stream.text)
        start_pump(live, self._id, stream.key, sound)
        return runtime.speak_sound(session, given, origin=origin, utterance=stream.key)

    def _clear(self) -> None:
        """Stop the session. The live process has stopped showing it before it sent the event."""
        try:
            self._parts.interrupt(self._parts.runtime.sessions.registry.lookup(self._id))
        except Exception as error:  # noqa: BLE001 - the top of a request
            log.warning("a live client's `clear` failed: %s", error)

    def _report_ended(self) -> int:
        """Report the utterances that have ended; return the number of the others."""
        for key, job in list(self._jobs.items()):
            job.watchdog()
            if job.is_over:
                del self._jobs[key]
                self._report_job(key, job)
        return len(self._jobs)

    def _report_job(self, key: str, job: SpeakJob) -> None:
        try:
            result = job.result()
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._report(key, error)
            return
        if result.truncated_by is not None:
            detail = f"the film is full ({result.truncated_by}); what fitted was spoken"
            self._send(key, "cut", JobError("SessionError", detail))
        else:
            self._send(key, "interrupted" if result.interrupted else "complete", None)

    def _report(self, key: str, error: Exception) -> None:
        """Report that an utterance has failed."""
        if isinstance(error, Interrupted | RequestCancelled):
            self._send(key, "interrupted", None)
        else:
            self._send(key, "cut", self._parts.describe(error))

    def _send(self, key: str, outcome: str, problem: JobError | None) -> None:
        told = None
        if problem is not None:
            told = {"kind": problem.kind, "detail": problem.description}
        params = {"session": self._id, "stream": key, "outcome": outcome, "problem": told}
        try:
            self._parts.live.call("speech.done", params)
        except (LiveUnavailable, LiveFailed) as error:
            log.info("the end of an utterance could not be reported: %s", error)
