"""All viewers of the live process: their places, their sessions and their ends."""

import asyncio
import functools
import gc
import secrets
from collections import OrderedDict
from typing import Any

from warm.live.live_server import LiveServer
from warm.live.webrtc.broadcast import Broadcast
from warm.live.webrtc.candidates import read_trickle
from warm.live.webrtc.congestion import Bandwidth
from warm.live.webrtc.errors import UnknownViewer, ViewersFull
from warm.live.webrtc.ice_servers import ice_servers
from warm.live.webrtc.loop_lag import LoopLag
from warm.live.webrtc.offer import read_offer
from warm.live.webrtc.rung_choice import RungChoice
from warm.live.webrtc.shared_rate import picture_rates
from warm.live.webrtc.viewer import Viewer, ViewerCalls

SHARES = 2
"""One client of another machine may have one part in this many of the places."""
MAX_REMEMBERED = 256
"""Ended viewers whose reason is kept."""
ID_BYTES = 12
COLLECT_EVERY = 8
"""Ended viewers after which garbage is collected. Connections are cycles of objects, and their
memory in libraries is not counted by the collector."""
COLLECT_AFTER_S = 1.0
"""Time in which their sockets are closed."""


class Viewers:
    """The viewers of all sessions. Loop thread."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._settings = server.settings
        self._viewers: dict[str, Viewer] = {}
        """By id; those that are connecting too."""
        self._broadcasts: dict[str, Broadcast] = {}
        """By session."""
        self._ended: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """Session and reason of viewers that have ended, by id."""
        self._loop = asyncio.get_running_loop()
        self._lag = LoopLag(self._loop)
        self._gone = 0
        self._accepted = 0
        self._refused = 0

    async def connect(self, session_id: str, text: str, client: str, is_local: bool) -> Viewer:
        """Return a new viewer, with the answer to its offer; raises a LiveRefused."""
        offer = read_offer(text)
        self._require_place(client, is_local)
        viewer = self._make(session_id, client)
        try:
            await viewer.connect(offer, ice_servers(self._settings, session_id))
        except BaseException:
            viewer.end("its offer could not be answered")
            raise
        self._accepted += 1
        return viewer

    async def add_candidates(self, session_id: str, viewer_id: str, text: str) -> None:
        """Take further candidates of a viewer; raises a LiveRefused."""
        await self._find(session_id, viewer_id).add_candidates(read_trickle(text))

    async def disconnect(self, session_id: str, viewer_id: str) -> None:
        """End a viewer; raises UnknownViewer."""
        viewer = self._find(session_id, viewer_id)
        viewer.end("the viewer ended the connection")
        await viewer.closed()

    def state(self, session_id: str, viewer_id: str) -> dict[str, Any]:
        """Return the state of a viewer, also of one that has ended; raises UnknownViewer."""
        session, reason = self._ended.get(viewer_id, ("", ""))
        if session == session_id:
            return {"state": "ended", "reason": reason}
        return self._find(session_id, viewer_id).facts()

    def stats(self) -> dict[str, Any]:
        """Return the numbers of all viewers."""
        return {
            "viewers": len(self._viewers),
            "viewers_limit": self._settings.max_live_viewers,
            "connected": sum(viewer.is_connected for viewer in self._viewers.values()),
            "accepted": self._accepted,
            "refused": self._refused,
            "loop_lag_p99_s": self._lag.p99_s(),
            "sessions": {name: each.facts() for name, each in self._broadcasts.items()},
        }

    async def close(self) -> None:
        """End all viewers."""
        viewers = list(self._viewers.values())
        for viewer in viewers:
            viewer.end("the server is stopping")
        await asyncio.gather(*(viewer.closed() for viewer in viewers))

    def _require_place(self, client: str, is_local: bool) -> None:
        limit = self._settings.max_live_viewers
        taken = sum(each.client == client for each in self._viewers.values())
        if len(self._viewers) >= limit:
            self._refused += 1
            raise ViewersFull(limit, "in total")
        if taken >= max(1, limit // SHARES) and not is_local:
            self._refused += 1
            raise ViewersFull(max(1, limit // SHARES), "for one client")

    def _make(self, session_id: str, client: str) -> Viewer:
        broadcast = self._broadcast(session_id)
        viewer = Viewer(
            secrets.token_urlsafe(ID_BYTES),
            session_id,
            client,
            Bandwidth(least_bps=broadcast.rates.small_bps, most_bps=broadcast.rates.full.most_bps),
            RungChoice(broadcast.rates.least_full_bps),
            ViewerCalls(
                on_connected=broadcast.add,
                on_channel=broadcast.greet,
                on_ended=self._forget,
                request_key_frame=broadcast.request_key_frame,
            ),
        )
        self._viewers[viewer.id] = viewer
        self._lag.start()
        return viewer

    def _broadcast(self, session_id: str) -> Broadcast:
        found = self._broadcasts.get(session_id)
        if found is None:
            rates = picture_rates(self._settings.live_min_kbps, self._settings.live_max_kbps)
            on_end = functools.partial(self._end_session, session_id)
            found = Broadcast(self._server.feed(session_id), rates, on_end)
            self._broadcasts[session_id] = found
        return found

    def _find(self, session_id: str, viewer_id: str) -> Viewer:
        viewer = self._viewers.get(viewer_id)
        if viewer is not None and viewer.session_id == session_id:
            return viewer
        session, reason = self._ended.get(viewer_id, ("", ""))
        raise UnknownViewer(viewer_id, reason if session == session_id else "")

    def _forget(self, viewer: Viewer) -> None:
        """Note the end of a viewer; the last one of a session leaves its feed."""
        self._viewers.pop(viewer.id, None)
        if not self._viewers:
            self._lag.stop()
        self._ended[viewer.id] = viewer.session_id, viewer.reason
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)
        self._gone += 1
        if self._gone % COLLECT_EVERY == 0:
            self._loop.call_later(COLLECT_AFTER_S, gc.collect)
        broadcast = self._broadcasts.get(viewer.session_id)
        if broadcast is None:
            return
        broadcast.remove(viewer)
        if all(each.session_id != viewer.session_id for each in self._viewers.values()):
            del self._broadcasts[viewer.session_id]
            broadcast.close()

    def _end_session(self, session_id: str, reason: str) -> None:
        """End the viewers of a feed that has ended."""
        for viewer in list(self._viewers.values()):
            if viewer.session_id == session_id:
                viewer.end(f"the live stream has ended: {reason}")
