"""A face that speaks sound: the live socket with utterances, back-pressure and reconnection."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import Self

from warmtalk_client.address import Address
from warmtalk_client.connection import LiveConnection, PictureFormat
from warmtalk_client.errors import ConnectionLost, ServerRefused, WarmtalkError
from warmtalk_client.ledger import Ledger, Utterance
from warmtalk_client.messages import (
    RATES_HZ,
    SAMPLE_BYTES,
    Finished,
    Hello,
    Lost,
    Media,
    Message,
    Picture,
    Problem,
    Queued,
    Reconnected,
    Report,
    Sound,
    Started,
)
from warmtalk_client.outbox import Begin, Item, Outbox, Write
from warmtalk_client.sessions import ensure_session

AHEAD_S = 5.0
"""Sound that is sent before it is played; the rest is kept here, where `clear` drops it at once."""
MAX_BEGUN = 12
"""Utterances that the server is given at once; it accepts 16."""
MAX_UNREAD = 16
"""Pictures and packets that wait for a slow reader; then nothing more is received."""
CLEAR_S = 1.0
"""Time after `clear` in which the server reports the ends; then they are reported without it."""
RETRY_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to connect again; the last one is repeated."""


class LiveFace:
    """Speaks utterances with the face of a session; iterate over it for what the face shows.

    One event loop. `begin`, `write`, `end` and `clear` never wait. Every utterance gets exactly one
    `Finished`, also if it is cleared, or if the connection breaks. The connection is made again
    when it breaks; utterances that the server knew end then, later ones are spoken.
    """

    def __init__(
        self,
        address: Address,
        *,
        rate: int = 24_000,
        pictures: PictureFormat = "raw",
        avatar_id: str | None = None,
        make_session: bool = True,
    ) -> None:
        """`rate` is that of the sound that comes out, one of `RATES_HZ`.

        The session is made, with `avatar_id`, if it does not exist and `make_session` is true.
        """
        check_rate(rate)
        self.address = address
        self.rate = rate
        self._pictures: PictureFormat = pictures
        self._avatar_id = avatar_id
        self._make_session = make_session
        self._hello: Hello | None = None
        self._connection: LiveConnection | None = None
        self._ledger = Ledger()
        self._outbox = Outbox()
        self._current: str | None = None
        self._names = (f"u{count}" for count in itertools.count(1))
        self._must_clear = False
        self._clear_timer: asyncio.TimerHandle | None = None
        self._inbox: deque[Message] = deque()
        self._is_taking = False
        self._to_send = asyncio.Event()
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False
        self._failure: WarmtalkError | None = None

    # Life.

    async def start(self) -> Hello:
        """Connect; raises ServerRefused and ConnectionLost."""
        self._connection = await self._open()
        self._tasks = [
            asyncio.create_task(self._receive(), name="warmtalk receive"),
            asyncio.create_task(self._send(), name="warmtalk send"),
        ]
        return self.hello

    async def close(self) -> None:
        """Close the connection. Open utterances get their `Finished`, then iteration ends."""
        if self._is_closed:
            return
        self._is_closed = True
        self._interrupted(self._ledger.take_all())
        self._wake()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._clear_timer is not None:
            self._clear_timer.cancel()
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def hello(self) -> Hello:
        """Size and rate of the pictures; raises ConnectionLost before the first connection."""
        if self._hello is None:
            raise ConnectionLost("the face is not connected; call start() first")
        return self._hello

    @property
    def is_connected(self) -> bool:
        """True while there is a connection."""
        return self._connection is not None

    @property
    def is_idle(self) -> bool:
        """True if every utterance is finished, and everything that was received is taken."""
        return self._ledger.is_empty and not self._inbox and not self._is_taking

    @property
    def unplayed_s(self) -> float:
        """Seconds of sound that were written and not played yet."""
        return self._outbox.waiting_s + self._ledger.ahead_s

    def is_dropped(self, name: str | None) -> bool:
        """True for an utterance that was cleared, finished or not."""
        return self._ledger.is_silenced(name)

    # Sound in.

    def begin(self, *, name: str | None = None, rate: int | None = None) -> str:
        """Begin an utterance and return its name; ends the previous one if it is open.

        `rate` is that of its sound, one of `RATES_HZ`; default: the rate of the face.
        """
        rate = self.rate if rate is None else rate
        check_rate(rate)
        if self._current is not None:
            self.end(self._current)
        utterance = self._ledger.begin(name or next(self._names), rate)
        self._current = utterance.name
        self._outbox.begin(utterance)
        self._to_send.set()
        return utterance.name

    def write(self, name: str, pcm: bytes) -> None:
        """Add sound to an utterance: s16le, mono; a sample may be split between calls.

        Sound of an utterance that has ended, by itself or by `clear`, is ignored. Raises
        BufferFull.
        """
        utterance = self._ledger.get(name)
        if utterance is not None and not utterance.is_closed:
            self._outbox.write(utterance, pcm)
            self._to_send.set()

    def end(self, name: str) -> None:
        """End an utterance: all of its sound was written."""
        utterance = self._ledger.get(name)
        if utterance is None or utterance.is_closed:
            return
        utterance.is_closed = True
        self._current = None
        self._outbox.end(utterance)
        self._to_send.set()

    def clear(self) -> None:
        """Drop everything that was not played, and close the mouth.

        No sound of the dropped utterances is passed on any more, even if it is on its way.
        """
        self._current = None
        self._outbox.clear()
        had_begun = self._ledger.begun > 0
        self._interrupted(self._ledger.clear())
        if had_begun:
            self._must_clear = True
            self._expect_ends()
        self._to_send.set()

    async def has_room(self) -> None:
        """Wait until no more than a few seconds of sound wait to be sent."""
        while self._outbox.waiting_s > AHEAD_S and not self._is_closed:
            self._taken.clear()
            await self._taken.wait()

    async def wait_until_idle(self) -> None:
        """Wait until every utterance is finished, and everything that was received is taken."""
        while not (self._is_closed or self.is_idle):
            self._taken.clear()
            await self._taken.wait()

    # Pictures, sound and events out.

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield pictures, sound and events as they arrive, until the face is closed.

        Raises ServerRefused if the server refuses a new connection for a reason that lasts.
        """
        while True:
            while self._inbox:
                message, self._is_taking = self._inbox.popleft(), True
                if not (isinstance(message, Sound) and self.is_dropped(message.utterance)):
                    yield message
                self._is_taking = False
                self._taken.set()
            if self._failure is not None:
                raise self._failure
            if self._is_closed:
                return
            self._arrived.clear()
            await self._arrived.wait()

    # Receiving.

    async def _open(self) -> LiveConnection:
        if self._make_session:
            await ensure_session(self.address, self._avatar_id)
        connection = await LiveConnection.open(
            self.address, pictures=self._pictures, rate=self.rate
        )
        if not connection.hello.may_speak:
            await connection.close()
            raise ServerRefused(HTTPStatus.FORBIDDEN, "the key lacks the scope `speak`")
        self._hello = connection.hello
        return connection

    async def _receive(self) -> None:
        """Receive until the face is closed; connect again after a break."""
        try:
            while self._connection is not None:
                try:
                    async for message in self._connection:
                        await self._take(message)
                except ConnectionLost as lost:
                    self._lose(str(lost))
                self._connection = await self._open_again()
                self._put(Reconnected(self._connection.hello))
        except ServerRefused as refused:
            self._failure = refused
            self._interrupted(self._ledger.take_all())
            self._wake()

    async def _open_again(self) -> LiveConnection:
        """Connect again; raises ServerRefused for a reason that lasts."""
        for attempt in itertools.count():
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            try:
                return await self._open()
            except ConnectionLost:
                continue
            except ServerRefused as refused:
                if refused.is_lasting:
                    raise
        raise AssertionError("unreachable")

    def _lose(self, reason: str) -> None:
        """Finish what the server knew; keep the utterances that it has not seen."""
        self._connection = None
        lost = self._ledger.take_begun()
        self._must_clear = self._must_clear or bool(lost)  # else the server may speak their rest
        self._outbox.drop(lost)
        if self._current is not None and self._ledger.get(self._current) is None:
            self._current = None
        self._put(Lost(reason))
        self._interrupted(lost)

    async def _take(self, message: Media | Report) -> None:
        """Handle a message of the server."""
        if isinstance(message, Picture | Sound):
            await self._wait_for_reader()
            self._put(self._named(message))
        elif isinstance(message, Queued):
            self._ledger.number(message.utterance, message.number)
        elif isinstance(message, Started):
            self._take_started(message)
        elif isinstance(message, Finished):
            if message.own:
                self._finish(message)
        else:
            self._put(message)
            if isinstance(message, Problem) and message.is_refused and message.utterance:
                self._finish(Finished(message.utterance, 0.0, interrupted=True))

    async def _wait_for_reader(self) -> None:
        while len(self._inbox) > MAX_UNREAD:
            self._taken.clear()
            await self._taken.wait()

    def _take_started(self, started: Started) -> None:
        if started.own and not self._ledger.is_silenced(started.utterance):
            self._put(started)

    def _named(self, media: Media) -> Media:
        """Return a picture or packet with the name of its utterance; note what it plays."""
        name = self._ledger.name_of(media.number) if media.number else None
        if name is None:
            return media
        end = media.position + (media.samples if isinstance(media, Sound) else 0)
        self._ledger.played(name, end / self.rate)
        return replace(media, utterance=name)

    # Ends of utterances.

    def _finish(self, finished: Finished) -> None:
        """Report an end, unless it has been reported."""
        utterance = self._ledger.finish(finished.utterance)
        if utterance is None:
            return
        if utterance.name == self._current:
            self._current = None
        self._outbox.drop([utterance])
        self._put(finished)

    def _interrupted(self, utterances: list[Utterance]) -> None:
        """Report the ends of utterances that were removed."""
        for each in utterances:
            self._put(Finished(each.name, each.played_s, interrupted=True))

    def _expect_ends(self) -> None:
        """Report the ends of dropped utterances after a time, if the server has not."""
        if self._clear_timer is not None:
            self._clear_timer.cancel()
        self._clear_timer = asyncio.get_running_loop().call_later(
            CLEAR_S, lambda: self._interrupted(self._ledger.take_dropped())
        )

    def _put(self, message: Message) -> None:
        self._inbox.append(message)
        self._wake()

    def _wake(self) -> None:
        for event in (self._arrived, self._taken, self._to_send):
            event.set()

    # Sending.

    async def _send(self) -> None:
        """Send what waits, no more than a few seconds before it is played."""
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            with suppress(ConnectionLost):  # the receiving task sees it too, and connects again
                while self._connection is not None and await self._send_next(self._connection):
                    self._taken.set()

    async def _send_next(self, connection: LiveConnection) -> bool:
        """Send one message; False if there is none, or none may be sent now."""
        if self._must_clear:
            self._must_clear = False
            await connection.clear()
            return True
        if not self._may_send(self._outbox.first):
            return False
        item = self._outbox.take()
        if isinstance(item, Begin):
            item.utterance.is_begun = True
            await connection.begin(item.utterance.name, item.utterance.rate)
        elif isinstance(item, Write):
            item.utterance.sent += len(item.pcm) // SAMPLE_BYTES
            await connection.write(item.pcm)
        else:
            await connection.end()
        return True

    def _may_send(self, item: Item | None) -> bool:
        if isinstance(item, Begin):
            return self._ledger.begun < MAX_BEGUN
        if isinstance(item, Write):
            return self._ledger.ahead_s < AHEAD_S
        return item is not None


def check_rate(rate: int) -> None:
    """Raise ValueError unless the protocol has this sample rate."""
    if rate not in RATES_HZ:
        raise ValueError(f"rate = {rate}: must be one of {', '.join(map(str, RATES_HZ))}")
