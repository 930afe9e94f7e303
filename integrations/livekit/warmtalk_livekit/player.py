"""Plays the segments of an agent with a face, and reports what was heard of each."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from warmtalk_client import (
    Finished,
    LiveFace,
    Lost,
    Message,
    Picture,
    Problem,
    Reconnected,
    Sound,
)

from warmtalk_livekit.log import logger
from warmtalk_livekit.playout import Playout
from warmtalk_livekit.sound_in import SoundIn
from warmtalk_livekit.tracks import Tracks


class Reports(Protocol):
    """Receives the reports about segments, in their order."""

    def on_started(self, name: str) -> None:
        """The first sample of a segment is being played."""

    def on_finished(self, name: str, position_s: float, *, interrupted: bool) -> None:
        """A segment has ended: called exactly once for each."""


@dataclass(eq=False)
class OpenSegment:
    """The segment that sound is being added to."""

    name: str
    sound: SoundIn


class Player:
    """Sends segments to a face, and plays what comes back in two tracks. One event loop.

    The position of a segment counts the samples that the tracks have played, not those that were
    sent, and not those that still wait.
    """

    def __init__(self, face: LiveFace, tracks: Tracks, reports: Reports) -> None:
        """The face is connected."""
        self._face = face
        self._tracks = tracks
        self._reports = reports
        self._playout = Playout(face.rate)
        self._open: OpenSegment | None = None
        self._tails: dict[str, asyncio.TimerHandle] = {}
        """Segments whose last sound waits in the track."""

    # Sound in.

    def begin(self, rate: int) -> str:
        """Begin a segment with sound of this rate; returns its name."""
        sound = SoundIn(rate)
        name = self._face.begin(rate=sound.rate)
        self._open = OpenSegment(name, sound)
        self._playout.begin(name)
        return name

    def write(self, name: str, pcm: bytes, channels: int = 1) -> None:
        """Add sound to a segment, faster than it is played; ignored after `clear`."""
        if self._open is not None and self._open.name == name:
            self._face.write(name, self._open.sound.convert(pcm, channels))

    def end(self, name: str) -> None:
        """End a segment: all of its sound was written."""
        if self._open is not None and self._open.name == name:
            self._face.write(name, self._open.sound.rest())
            self._face.end(name)
            self._open = None

    def clear(self) -> None:
        """Stop at once. Every segment that is not finished ends where its sound has stopped."""
        queued_s = self._tracks.queued_s
        ends = [(name, self._playout.position_s(name, queued_s)) for name in self._playout.open]
        self._open = None
        self._face.clear()
        self._tracks.clear()
        for name, position_s in ends:
            self._finish(name, position_s, interrupted=True)

    async def has_room(self) -> None:
        """Wait until no more than a few seconds of sound wait to be sent."""
        await self._face.has_room()

    # Pictures and sound out.

    async def run(self) -> None:
        """Play until the face is closed; raises ServerRefused if the server refuses to go on."""
        try:
            async for message in self._face:
                await self._take(message)
        finally:
            for name in self._playout.open:
                self._interrupt(name)

    async def _take(self, message: Message) -> None:
        if isinstance(message, Picture):
            self._tracks.push_picture(message)
        elif isinstance(message, Sound):
            await self._take_sound(message)
        elif isinstance(message, Finished):
            self._take_finished(message)
        elif isinstance(message, Lost):
            logger.warning("the connection to Warmtalk broke: %s", message.reason)
        elif isinstance(message, Reconnected):
            self._tracks.restart(message.hello)
        elif isinstance(message, Problem):
            logger.error("Warmtalk reports: %s", message.detail)

    async def _take_sound(self, sound: Sound) -> None:
        name = sound.utterance
        if name is not None and not self._playout.is_open(name):
            return  # cleared while the packet was on its way
        if self._tracks.may_skip(sound):
            return
        if self._playout.push(name, sound.samples) and name is not None:
            self._reports.on_started(name)
        await self._tracks.push_sound(sound)

    def _take_finished(self, finished: Finished) -> None:
        """End a segment when its last sound has left the track."""
        name = finished.utterance
        if not self._playout.is_open(name):
            return
        if finished.interrupted:  # by another client of the session, or because the server is gone
            self._interrupt(name)
            return
        loop = asyncio.get_running_loop()
        self._tails[name] = loop.call_later(
            self._tracks.queued_s,
            lambda: self._finish(name, finished.position_s, interrupted=False),
        )

    def _interrupt(self, name: str) -> None:
        position_s = self._playout.position_s(name, self._tracks.queued_s)
        self._finish(name, position_s, interrupted=True)

    def _finish(self, name: str, position_s: float, *, interrupted: bool) -> None:
        """Report the end of a segment, unless it was reported."""
        tail = self._tails.pop(name, None)
        if tail is not None:
            tail.cancel()
        if self._playout.finish(name):
            self._reports.on_finished(name, position_s, interrupted=interrupted)
