"""Live hub: the worker's side of live watching. It starts the live process and feeds it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from pydantic import SecretStr

from isolation.protocol import Payload
from warm.live.errors import UNKNOWN_AVATAR, LiveRefused, LiveUnavailable
from warm.live.process.live_process import LiveProcess
from warm.live.process.media_sender import MediaMessage, MediaSender
from warm.live.process.supervisor import LiveSupervisor, SupervisorHooks
from warm.live.wire.packed_avatar import avatar_key, packed_avatar
from warm.render.live_sink import (
    LiveClip,
    LiveFilm,
    LiveFilms,
    LiveFrames,
    LivePosition,
    LiveSentence,
)
from warm.settings import Settings

EXTENSIONS = (
    "warm.live.push.handlers",
    "warm.live.socket.socket_server",
    "warm.live.webrtc.handlers",
)
"""Modules that the live process imports. Each has a function `register(server: LiveServer)`, which
adds handlers."""
QUEUE_S = 0.5
"""Longest queue of rendered frames in front of the live process."""
CLEAR_S = 0.3
"""Longest wait for the answer to an interruption."""
STATS_S = 1.0
ENDED, STARTED = "live.ended", "live.started"
"""Events of the hub itself: the live process has ended, with everything in it; it has started."""

log = logging.getLogger(__name__)

OnEvent = Callable[[dict[str, Any], Payload], None]
"""Receives the data and the payload of an event. On the supervisor's thread; must not block."""


@dataclass(slots=True)
class LiveSession:
    """A session that has a feed."""

    avatar: str
    """Key of the avatar that its feed has."""
    epoch: int = 0
    """Number of interruptions."""
    clip: int | None = None
    """Clip whose frames are passed on; None: they are dropped."""
    lock: Lock = field(default_factory=Lock)


class LiveHub:
    """Calls, events and rendered frames for the live process. Implements `LiveSink`.

    Any thread, except where the protocol names one.
    """

    def __init__(self, settings: Settings, *, extensions: Sequence[str] = EXTENSIONS) -> None:
        """`extensions`: modules that register handlers in the live process."""
        self._films: LiveFilms | None = None
        self._sessions: dict[str, LiveSession] = {}
        self._listeners: dict[str, list[OnEvent]] = {}
        self._refreshes = ThreadPoolExecutor(1, "live-refresh")
        """Its thread starts with the first change of an avatar."""
        self._sender = MediaSender(max_frames=max(1, int(QUEUE_S * settings.fps)) + 1)
        self._supervisor = LiveSupervisor(
            {"settings": process_settings(settings), "extensions": list(extensions)},
            SupervisorHooks(
                on_event=self._on_event,
                on_started=self._on_started,
                on_ended=self._on_ended,
                is_needed=lambda: bool(self._sessions),
            ),
        )

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        timeout_s: float = 5.0,
        fds: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Return the answer of a handler of the live process, which is started if necessary.

        If `params` has a `session_id`, the feed of that session exists when the handler runs. The
        handler gets copies of the descriptors `fds`. `timeout_s` begins when the process is ready.

        Raises LiveUnavailable, LiveRefused for errors that the handler raised, LiveFailed,
        MessageTooLong, and AvatarError.
        """
        session_id = params.get("session_id")
        if session_id is None:
            return self._supervisor.call(
                method, {"params": dict(params)}, timeout_s=timeout_s, descriptors=fds
            )
        return self._call_with_feed(session_id, method, params, timeout_s, fds)

    def on_event(self, name: str, callback: OnEvent) -> None:
        """Have `callback` called for each event of a name; see `LiveServer.emit`.

        The hub's own events are `live.started` and `live.ended`.
        """
        self._listeners.setdefault(name, []).append(callback)

    def close(self) -> None:
        """End the live process."""
        self._refreshes.shutdown(wait=False, cancel_futures=True)
        self._supervisor.close()
        self._sender.close()

    def stats(self) -> dict[str, Any]:
        """Return the state of the live process and of its feeds; waits at most `STATS_S`."""
        state: dict[str, Any] = {
            "running": self._supervisor.is_ready,
            "starts": self._supervisor.starts,
            "pid": self._supervisor.pid,
            "dropped_frames": self._sender.dropped,
            "feeds": {},
            "totals": None,
        }
        if not self._supervisor.is_ready:
            return state
        with suppress(LiveUnavailable):
            state |= self._supervisor.call("stats", {"params": {}}, timeout_s=STATS_S)
        return state

    def connect(self, films: LiveFilms) -> None:
        """See `LiveSink`."""
        self._films = films

    def is_live(self, session_id: str) -> bool:
        """See `LiveSink`."""
        return session_id in self._sessions

    def begin(self, clip: LiveClip) -> None:
        """See `LiveSink`."""
        session = self._sessions.get(clip.session_id)
        if session is None:
            return
        session.clip, key = clip.clip, avatar_key(clip.film.avatar)
        if key != session.avatar:
            self._refresh(clip.session_id)
        header = {
            "kind": "begin",
            "clip": clip.clip,
            "avatar": key,
            "first_frame": clip.first_frame,
            "tapped_from": clip.tapped_from,
            "position": int(clip.film.position),
            "utterance": clip.utterance,
            "skipped": clip.skipped,
            "path": str(clip.film.path),
        }
        self._put(clip.session_id, session, header)

    def add(self, frames: LiveFrames) -> None:
        """See `LiveSink`."""
        session = self._sessions.get(frames.session_id)
        if session is None or session.clip != frames.clip:
            return
        header = {
            "kind": "add",
            "clip": frames.clip,
            "first_frame": frames.first_frame,
            "shown": [list(each) for each in frames.shown],
            "is_speech": frames.is_speech,
            "size": list(frames.pictures[0].shape[1::-1]) if frames.pictures else [0, 0],
        }
        self._put(
            frames.session_id,
            session,
            header,
            [*frames.pictures, frames.samples],
            len(frames.pictures),
        )

    def sentence(self, sentence: LiveSentence) -> None:
        """See `LiveSink`."""
        session = self._sessions.get(sentence.session_id)
        if session is None or session.clip != sentence.clip:
            return
        header = {
            "kind": "sentence",
            "clip": sentence.clip,
            "text": sentence.text,
            "first_frame": sentence.first_frame,
            "frames": sentence.frames,
        }
        self._put(sentence.session_id, session, header)

    def end(self, session_id: str, clip: int, end_frame: int, *, was_cut: bool) -> None:
        """See `LiveSink`."""
        session = self._sessions.get(session_id)
        if session is None or session.clip != clip:
            return
        header = {"kind": "end", "clip": clip, "end_frame": end_frame, "was_cut": was_cut}
        self._put(session_id, session, header)

    def clear(self, session_id: str) -> LivePosition | None:
        """See `LiveSink`; waits at most `CLEAR_S` for the position."""
        frame = self._clear(session_id, {"is_reset": False})
        return None if frame is None else LivePosition(frame=frame)

    def drop(self, session_id: str) -> None:
        """See `LiveSink`."""
        session = self._sessions.get(session_id)
        if session is None or session.clip is None:
            return  # `clear` was called before
        named = self._cleared(session_id, {"is_reset": False})
        if named is not None:
            self._supervisor.post("feed.clear", {"params": named})

    def cleared(self, session_id: str, epoch: int) -> None:
        """Note an interruption that began in the live process, and its number there."""
        session = self._sessions.get(session_id)
        if session is not None:
            with session.lock:
                session.epoch = max(session.epoch, epoch)
                session.clip = None
            self._sender.drop(session_id)

    def reset(self, session_id: str) -> None:
        """See `LiveSink`; soon after, the feed shows the avatar that the session has now."""
        self._clear(session_id, {"is_reset": True})
        self._refresh(session_id)

    def leave(self, session_id: str, reason: str) -> None:
        """End the feed of a session and disconnect its viewers; waits at most `CLEAR_S`."""
        if session_id not in self._sessions or not self._supervisor.is_ready:
            return
        params = {"session": session_id, "reason": reason}
        with suppress(LiveUnavailable):
            self._supervisor.call("feed.end", {"params": params}, timeout_s=CLEAR_S)

    def _cleared(self, session_id: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Pass on nothing older than this; return the parameters of `feed.clear`."""
        session = self._sessions.get(session_id)
        if session is None or not self._supervisor.is_ready:
            return None
        with session.lock:
            session.epoch += 1
            session.clip = None
        self._sender.drop(session_id)
        return {**params, "session": session_id, "epoch": session.epoch}

    def _refresh(self, session_id: str) -> None:
        """Have the feed of a session show the avatar that the session has now; returns at once."""
        if session_id in self._sessions:
            with suppress(RuntimeError):  # the hub is closed
                self._refreshes.submit(self._show, session_id)

    def _show(self, session_id: str) -> None:
        try:
            self.call("feed.show", {"session_id": session_id})
        except Exception as error:  # noqa: BLE001 - the top of a thread
            context = {"session": session_id, "reason": str(error)}
            log.warning("a live feed keeps its avatar", extra=context)

    def _clear(self, session_id: str, params: Mapping[str, Any]) -> float | None:
        named = self._cleared(session_id, params)
        if named is None:
            return None
        try:
            answer = self._supervisor.call("feed.clear", {"params": named}, timeout_s=CLEAR_S)
        except LiveUnavailable:
            return None
        frame: float | None = answer["frame"]
        return frame

    def _put(
        self,
        session_id: str,
        session: LiveSession,
        header: dict[str, Any],
        buffers: Sequence[Any] = (),
        frames: int = 0,
    ) -> None:
        named = {**header, "session_id": session_id, "epoch": session.epoch}
        message = MediaMessage(session_id=session_id, header=named, buffers=buffers, frames=frames)
        self._sender.put(message)

    def _call_with_feed(
        self,
        session_id: str,
        method: str,
        params: Mapping[str, Any],
        timeout_s: float,
        fds: Sequence[int],
    ) -> dict[str, Any]:
        """Call a handler; the avatar is sent along if the live process does not have it."""
        film = self._film(session_id)
        key = avatar_key(film.avatar)
        known = self._sessions.get(session_id)
        message = {"params": dict(params), "feed": feed_facts(film, key)}
        if known is not None and known.avatar == key:
            try:
                return self._supervisor.call(method, message, timeout_s=timeout_s, descriptors=fds)
            except LiveRefused as refused:
                if refused.kind != UNKNOWN_AVATAR:
                    raise
        with packed_avatar(film.avatar) as (facts, descriptor):
            named = {**message, "avatar": {**facts, "key": key}}
            answer = self._supervisor.call(
                method, named, timeout_s=timeout_s, descriptors=[*fds, descriptor]
            )
        self._sessions.setdefault(session_id, LiveSession(avatar=key)).avatar = key
        return answer

    def _film(self, session_id: str) -> LiveFilm:
        film = self._films.live_film(session_id) if self._films is not None else None
        if film is None:
            raise LiveRefused("no-session", f"there is no session {session_id!r}")
        return film

    def _on_event(self, name: str, data: dict[str, Any], payload: Payload) -> None:
        if name == "feed.opened":
            self._sessions.setdefault(data["session_id"], LiveSession(avatar=data["avatar"]))
        elif name == "feed.closed":
            self._sessions.pop(data["session_id"], None)
        for callback in self._listeners.get(name, ()):
            callback(data, payload)

    def _on_started(self, process: LiveProcess) -> None:
        self._sender.connect(process)
        self._on_event(STARTED, {"pid": process.pid}, b"")

    def _on_ended(self) -> None:
        self._sender.connect(None)
        ended = sorted(self._sessions)
        self._sessions.clear()
        self._on_event(ENDED, {"sessions": ended, "time_s": time.monotonic()}, b"")


def feed_facts(film: LiveFilm, key: str) -> dict[str, Any]:
    """Return what the live process must know to make the feed of a session."""
    return {
        "session_id": film.session_id,
        "avatar": key,
        "fps": film.fps,
        "path": str(film.path),
        "position": int(film.position),
        "committed": film.committed,
    }


def process_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON, with their secrets: the live process is part of the server."""
    secrets = {
        name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)
    }
    return {**settings.model_dump(mode="json", exclude=set(secrets)), **secrets}
