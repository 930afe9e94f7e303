"""One viewer of a live stream: its connection, what it is sent, and its end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiortc import RTCDataChannel, RTCIceCandidate

from warm.live.webrtc.candidates import Trickle
from warm.live.webrtc.congestion import Bandwidth
from warm.live.webrtc.errors import IceRestart, StreamEnded
from warm.live.webrtc.event_channel import EventChannel
from warm.live.webrtc.feedback import Feedback
from warm.live.webrtc.ice_servers import IceServer
from warm.live.webrtc.media_sender import MediaSender
from warm.live.webrtc.offer import Offer
from warm.live.webrtc.outbox import Medium, Outbox
from warm.live.webrtc.peer import Peer, PeerEvents
from warm.live.webrtc.rung_choice import Rung, RungChoice

PATH_S = 5.0
"""Time for a connection; then the viewer is removed, and can watch the film instead."""
SWITCH_S = 1.0
FAREWELL_S = 0.05
"""Time for the last message, before the connection is closed."""
HEAD_START_S = 0.3
"""Time in which only the viewer checks paths. A check of this side that comes before the viewer has
its answer is lost, and is only repeated after half a second."""
SILENT_S = 15.0
"""Time without a report of a connected viewer, which are due every few seconds; then it is gone."""

State = Literal["connecting", "connected", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerCalls:
    """What a viewer asks of its stream, on the loop thread."""

    on_connected: Callable[["Viewer"], None]
    on_ended: Callable[["Viewer"], None]
    request_key_frame: Callable[["Viewer"], None]
    on_channel: Callable[["Viewer"], None]
    """The viewer's data channel is open."""


class Viewer:
    """A viewer of one session. Loop thread.

    It is held until a key frame comes, so that its first picture can be decoded.
    """

    def __init__(
        self,
        viewer_id: str,
        session_id: str,
        client: str,
        bandwidth: Bandwidth,
        choice: RungChoice,
        calls: ViewerCalls,
    ) -> None:
        self.id = viewer_id
        self.session_id = session_id
        self.client = client
        """Address or key of the client, for its share of the places."""
        self.bandwidth = bandwidth
        self.choice = choice
        """Size of the pictures that it should get."""
        self.rung: Rung = "full"
        """Size of those that it gets: they change with a key frame."""
        self.channel = EventChannel()
        self.state: State = "connecting"
        self.answer = ""
        """The answer to its offer (SDP)."""
        self.reason = ""
        """Why it has ended; empty before."""
        self.key_frames_asked = 0
        self._calls = calls
        self._peer: Peer | None = None
        self._offer: Offer | None = None
        self._outbox = Outbox()
        self._waits_for_key = True
        self._last_sample = -1
        """Place of the last picture."""
        self._held_until_s = 0.0
        self._heard_s = 0.0
        self._counted = 0
        self._candidates: list[RTCIceCandidate] = []
        self._trying: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        """Set when the answer was made or has failed: aiortc cannot be closed before."""

    async def connect(self, offer: Offer, servers: list[IceServer]) -> None:
        """Make the connection, and the answer to the offer; raises BadOffer, and StreamEnded if the
        viewer was ended meanwhile."""
        self._offer, self._candidates = offer, list(offer.candidates)
        self._peer = Peer(
            servers,
            PeerEvents(
                on_state=self._note_state,
                on_feedback=self._note_feedback,
                on_channel=self._note_channel,
                on_heard=self._note_heard,
            ),
        )
        try:
            self.answer = await self._peer.answer(offer)
        finally:
            self._answered.set()
        if self.state == "ended":
            raise StreamEnded(self.reason)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(PATH_S, self._give_up)
        self._trying = asyncio.ensure_future(self._try_candidates())

    async def add_candidates(self, trickle: Trickle) -> None:
        """Take further candidates; raises IceRestart."""
        assert self._peer is not None and self._offer is not None
        if trickle.ice_fragment not in (None, self._offer.ice_fragment):
            raise IceRestart
        chosen = [each for each in trickle.candidates if self._offer.chosen.accepts(each)]
        if self._trying is not None and not self._trying.done():
            self._candidates += chosen
        else:
            await self._peer.add_candidates(chosen)

    async def _try_candidates(self) -> None:
        """Check the addresses that the viewer has named, if its own checks have not come first."""
        await asyncio.sleep(HEAD_START_S)
        if self._peer is not None:
            await self._peer.add_candidates(self._candidates)

    @property
    def wants_pauses(self) -> bool:
        """True if only a part of the packets of a silence should be sent."""
        return self._offer is not None and self._offer.wants_pauses

    @property
    def is_connected(self) -> bool:
        """True if media can be sent."""
        return self.state == "connected"

    def facts(self) -> dict[str, Any]:
        """Return the numbers of the viewer, for its client."""
        return {
            "state": self.state,
            "bytes": self.bytes_sent,
            "pictures": self.rung,
            "limit_bps": round(self.bandwidth.limit_bps),
            "lost": round(self.bandwidth.lost, 3),
            "repeated": self.repeated,
            "dropped": self.dropped,
            "key_frames_asked": self.key_frames_asked,
        }

    @property
    def bytes_sent(self) -> int:
        """Bytes of media sent so far, repetitions included."""
        return sum(sender.path.bytes_sent for sender in self._senders())

    @property
    def dropped(self) -> int:
        """Media that the viewer's path did not take in time."""
        return self._outbox.flushed

    @property
    def repeated(self) -> int:
        """Packets that were sent again."""
        return sum(sender.stream.repeated for sender in self._senders() if sender.stream)

    def send(self, medium: Medium, unix_s: float) -> None:
        """Send a picture or a piece of sound, or keep it while the path is blocked."""
        if medium.kind == "video" and not self._takes(medium):
            return
        if not self._outbox and not self._path_is_blocked():
            self._senders_by_kind[medium.kind].send_media(medium.payloads, medium.sample, unix_s)
        elif self._outbox.add(medium):
            self._send_waiting(unix_s)
        else:
            self._wait_for_key()

    def send_position(self, sample: int, frame: int | None) -> None:
        """Report the frame of the film in the picture at a place on the feed's clock."""
        video = self._senders_by_kind["video"].stream
        if video is not None:
            self.channel.send("position", {"frame": frame, "rtp": video.timestamp(sample)})

    def report(self, sample: int, unix_s: float) -> None:
        """Report the place on the feed's clock that belongs to this time."""
        for sender in self._senders():
            sender.send_report(sample, unix_s)

    def check(self, elapsed_s: float) -> None:
        """Note what was sent since the last check, and end if nothing was heard for long."""
        stream = self._senders_by_kind["video"].stream
        sent = stream.octets_sent if stream else self._counted
        self.bandwidth.note_sent((sent - self._counted) * 8 / elapsed_s)
        self._counted = sent
        if time.monotonic() - self._heard_s > SILENT_S:
            self.end(f"nothing was received from the viewer for {SILENT_S:.0f} s")

    def end(self, reason: str) -> None:
        """End the connection; the first reason stays."""
        if self.state == "ended":
            return
        self.state, self.reason = "ended", reason
        if self._deadline is not None:
            self._deadline.cancel()
        if self._trying is not None:
            self._trying.cancel()
        self._outbox.clear()
        if self._peer is not None:
            self._closing = asyncio.ensure_future(self._close(self._peer))
        self._calls.on_ended(self)

    async def closed(self) -> None:
        """Wait until the sockets are closed, after `end`."""
        if self._closing is not None:
            await self._closing

    async def _close(self, peer: Peer) -> None:
        """Send the reason to a viewer that is still there, and close the connection."""
        await self._answered.wait()
        if peer.state == "connected" and self.channel.is_open:
            self.channel.send("end", {"reason": self.reason})
            await asyncio.sleep(FAREWELL_S)
        await peer.close()

    def _takes(self, picture: Medium) -> bool:
        """True for a picture that continues what the viewer has.

        A key frame of another size is taken if the viewer should get that. If it is older than what
        was sent, because its encode is behind, it would be out of order: the viewer then gets
        nothing until the next one, for `SWITCH_S` at most.
        """
        is_change = picture.rung != self.rung
        if is_change and not (picture.is_key and picture.rung == self.choice.rung):
            return False
        if self._waits_for_key and not picture.is_key:
            return False
        now_s = time.monotonic()
        if is_change and picture.sample <= self._last_sample:
            self._held_until_s = now_s + SWITCH_S
            self._calls.request_key_frame(self)
            return False
        if not is_change and self.rung != self.choice.rung and now_s < self._held_until_s:
            return False
        self.rung, self._waits_for_key, self._last_sample = picture.rung, False, picture.sample
        return True

    @property
    def _senders_by_kind(self) -> dict[str, MediaSender]:
        return {} if self._peer is None else self._peer.senders

    def _senders(self) -> list[MediaSender]:
        return list(self._senders_by_kind.values())

    def _path_is_blocked(self) -> bool:
        return self._senders_by_kind["audio"].path.is_blocked

    def _send_waiting(self, unix_s: float) -> None:
        if self._path_is_blocked():
            return
        for medium in self._outbox.take():
            self._senders_by_kind[medium.kind].send_media(medium.payloads, medium.sample, unix_s)
            if self._path_is_blocked():
                return

    def _wait_for_key(self) -> None:
        self._waits_for_key = True
        self._calls.request_key_frame(self)

    def _note_state(self, state: str) -> None:
        if state == "connected" and self.state == "connecting":
            self.state = "connected"
            self._heard_s = time.monotonic()
            if self._deadline is not None:
                self._deadline.cancel()
            self._calls.on_connected(self)
        elif state == "failed":
            self._give_up()
        elif state == "closed":
            self.end("the viewer closed the connection")

    def _note_feedback(self, kind: str, feedback: Feedback) -> None:
        if kind != "video":
            return
        self.bandwidth.note(feedback)
        if feedback.wants_key_frame:
            self.key_frames_asked += 1
            self._calls.request_key_frame(self)

    def _note_heard(self) -> None:
        self._heard_s = time.monotonic()

    def _note_channel(self, channel: RTCDataChannel) -> None:
        self.channel.attach(channel)
        self._calls.on_channel(self)

    def _give_up(self) -> None:
        """End a connection that did not come about, or was lost."""
        if self.state == "connected":
            self.end("the connection was lost: the viewer does not answer any more")
        elif self._peer is not None and self._peer.has_path:
            self.end(f"the viewer did not agree on encryption within {PATH_S:.0f} s of the answer")
        else:
            self.end(
                f"no path to the viewer was found within {PATH_S:.0f} s; UDP may be blocked between"
                " it and the server: a TURN server (ice_servers) avoids that, and the film"
                " at /session/stream needs no path of its own"
            )
