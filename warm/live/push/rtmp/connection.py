"""One connection to an RTMP server, from the handshake to the end."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Literal

from warm.live.push.aac import RATE_HZ
from warm.live.push.annexb import ParameterSets, length_prefixed, nal_units, parameter_sets
from warm.live.push.destination import RtmpDestination, parse_destination
from warm.live.push.errors import BadPush, PushFailed, PushRefused
from warm.live.push.network import PushNetwork, reason_of
from warm.live.push.outbox import Outbox, Unit
from warm.live.push.rtmp import amf, chunks, flv
from warm.live.push.rtmp.amf import BadAmf
from warm.live.push.rtmp.chunks import BadChunk, ChunkReader, Message, packed
from warm.live.push.sps import picture_size

VERSION = b"\x03"
HANDSHAKE_BYTES = 1536
ANSWER_S = 10.0
"""Longest time from the connection to the permission to publish."""
CLOSE_S = 0.5
READ_BYTES = 1 << 14
MAX_REDIRECTS = 3
COMMANDS, PICTURES, SOUND = 3, 6, 4
"""Chunk streams that we use."""
WINDOW_BYTES = 2_500_000
PING, PONG = 6, 7
"""User control messages."""
DESCRIPTION = {
    "encoder": "Warmtalk",
    "videocodecid": flv.AVC,
    "audiocodecid": flv.AAC >> 4,
    "audiosamplerate": RATE_HZ,
    "stereo": False,
}
PROGRAM = "FMLE/3.0 (compatible; Warmtalk)"


class Redirected(Exception):
    """The server redirects to another address."""

    def __init__(self, url: str) -> None:
        super().__init__("redirected")
        self.url = url


class RtmpConnection:
    """A stream that is being published. Made by `open_rtmp`; used on the loop's thread."""

    sound: Literal["aac", "opus"] = "aac"
    key_is_requested = False

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        destination: RtmpDestination,
        sound_configuration: bytes,
    ) -> None:
        self.outbox = Outbox()
        self.ended: asyncio.Future[PushFailed] = asyncio.get_running_loop().create_future()
        self._reader, self._writer = reader, writer
        self._destination, self._configuration = destination, sound_configuration
        self._chunks = ChunkReader()
        self._pending: deque[Message] = deque()
        """Commands of the server that have not been looked at."""
        self._stream = 0
        self._sets: ParameterSets | None = None
        self._received = self._acknowledged = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Shake hands and ask to publish; raises PushFailed, PushRefused and Redirected."""
        # With 0, Python's transport of TLS would wait forever once it is empty.
        self._writer.transport.set_write_buffer_limits(high=1)
        await self._shake_hands()
        self._send(chunks.SET_CHUNK_SIZE, chunks.CHUNK_BYTES.to_bytes(4, "big"), channel=2)
        application = {
            "app": self._destination.app,
            "type": "nonprivate",
            "flashVer": PROGRAM,
            "tcUrl": self._destination.application_url,
        }
        await self._call("connect", 1, application)
        stream = self._destination.stream
        self._command("releaseStream", 2, None, stream)
        self._command("FCPublish", 3, None, stream)
        result = await self._call("createStream", 4, None)
        self._stream = int(result) if isinstance(result, float) and 0 < result < 2**32 else 1
        self._command("publish", 5, None, stream, "live", stream=self._stream)
        await self._published()
        self._announce()
        for run in (self._listen, self._drain):
            self._tasks.append(asyncio.create_task(self._until_end(run())))

    def picture(self, sample: int, data: bytes, *, is_key: bool) -> None:
        """Send an access unit (Annex B)."""
        units = nal_units(data)
        sets = parameter_sets(units) if is_key else None
        # After dropped pictures the header may be among what was dropped.
        if sets is not None and (sets != self._sets or self.outbox.wants_key):
            self._sets = sets
            self._put(chunks.VIDEO, sample, flv.avc_header(sets), is_key=True)
            self._put_description(sample, picture_size(sets.sps))
        body = flv.avc_picture(length_prefixed(units), is_key=is_key)
        self._put(chunks.VIDEO, sample, body, is_key=is_key)

    def _put_description(self, sample: int, size: tuple[int, int] | None) -> None:
        """Send the description of the stream, in front of its first picture of a size."""
        if size is None:
            return
        description = {"width": size[0], "height": size[1], **DESCRIPTION}
        data = amf.encode("@setDataFrame", "onMetaData", description)
        message = Message(chunks.DATA, sample * 1000 // RATE_HZ, data, self._stream, SOUND)
        self.outbox.put(Unit(sample, packed(message), is_picture=False))

    def sound_frame(self, sample: int, data: bytes) -> None:
        """Send a frame of AAC."""
        self._put(chunks.AUDIO, sample, flv.aac_frame(data))

    async def close(self) -> None:
        """End the stream at the server as far as it takes that in time, then the connection."""
        for task in self._tasks:
            task.cancel()
        with suppress(OSError, TimeoutError):
            self._command("FCUnpublish", 6, None, self._destination.stream)
            self._command("deleteStream", 7, None, self._stream)
            await asyncio.wait_for(self._writer.drain(), CLOSE_S)
        self._writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), CLOSE_S)
        self._writer.transport.abort()

    def _put(self, kind: int, sample: int, body: bytes, *, is_key: bool = False) -> None:
        is_picture = kind == chunks.VIDEO
        channel = PICTURES if is_picture else SOUND
        time_ms = sample * 1000 // RATE_HZ
        data = packed(Message(kind, time_ms, body, self._stream, channel))
        self.outbox.put(Unit(sample, data, is_picture, is_key))

    async def _shake_hands(self) -> None:
        """The simple handshake (RTMP 1.0, chapter 5.2)."""
        self._writer.write(VERSION + bytes(8) + os.urandom(HANDSHAKE_BYTES - 8))
        if await self._reader.readexactly(1) != VERSION:
            raise PushFailed("the server does not speak RTMP")
        theirs = await self._reader.readexactly(HANDSHAKE_BYTES)
        self._writer.write(theirs)
        await self._reader.readexactly(HANDSHAKE_BYTES)

    def _announce(self) -> None:
        """Send the description of the stream and of its sound."""
        data = amf.encode("@setDataFrame", "onMetaData", DESCRIPTION)
        self._send(chunks.DATA, data, stream=self._stream, channel=SOUND)
        header = flv.aac_header(self._configuration)
        self._send(chunks.AUDIO, header, stream=self._stream, channel=SOUND)

    def _send(self, kind: int, data: bytes, *, stream: int = 0, channel: int = COMMANDS) -> None:
        self._writer.write(packed(Message(kind, 0, data, stream, channel)))

    def _command(self, *values: object, stream: int = 0) -> None:
        self._send(chunks.COMMAND, amf.encode(*values), stream=stream)

    async def _call(self, name: str, number: int, *arguments: object) -> Any:
        """Send a command and return the last value of its result; raises PushRefused."""
        self._command(name, number, *arguments)
        async for kind, *values in self._commands():
            if kind in ("_result", "_error") and values[:1] == [number]:
                if kind == "_error":
                    raise refused(values, self._destination)
                return values[-1]
        raise PushFailed("the server has closed the connection")

    async def _published(self) -> None:
        """Wait for the permission to publish; raises PushRefused."""
        async for kind, *values in self._commands():
            code = code_of(values)
            if kind == "onStatus" and code == "NetStream.Publish.Start":
                return
            is_error = kind == "_error" and values[:1] == [5]
            if is_error or (kind == "onStatus" and is_failure(values)):
                raise refused(values, self._destination)
        raise PushRefused("the server has closed the connection instead of taking the stream")

    async def _commands(self) -> AsyncIterator[list[Any]]:
        """Yield the commands of the server until it closes; answers its other messages."""
        while True:
            while self._pending:
                command = amf.decode(self._pending.popleft().data)
                if command:
                    yield command
            data = await self._reader.read(READ_BYTES)
            if not data:
                return
            self._acknowledge(len(data))
            for message in self._chunks.feed(data):
                self._answer(message)
                if message.type == chunks.COMMAND:
                    self._pending.append(message)

    def _acknowledge(self, size: int) -> None:
        self._received += size
        if self._received - self._acknowledged > WINDOW_BYTES // 2:
            self._acknowledged = self._received
            count = (self._received & 0xFFFFFFFF).to_bytes(4, "big")
            self._send(chunks.ACKNOWLEDGEMENT, count, channel=2)

    def _answer(self, message: Message) -> None:
        """Answer a message about the connection."""
        if message.type == chunks.PEER_BANDWIDTH:
            self._send(chunks.WINDOW_SIZE, WINDOW_BYTES.to_bytes(4, "big"), channel=2)
        if message.type == chunks.USER_CONTROL and message.data[:2] == PING.to_bytes(2, "big"):
            pong = PONG.to_bytes(2, "big") + message.data[2:6]
            self._send(chunks.USER_CONTROL, pong, channel=2)

    async def _listen(self) -> None:
        """Read until the server ends the stream."""
        async for kind, *values in self._commands():
            if kind == "onStatus" and is_failure(values):
                raise refused(values, self._destination)
        raise PushFailed("the server has closed the connection")

    async def _drain(self) -> None:
        while True:
            unit = await self.outbox.take()
            self._writer.write(unit.data)
            await self._writer.drain()
            self.outbox.sent(len(unit.data))

    async def _until_end(self, run: Any) -> None:
        try:
            await run
        except (PushFailed, Redirected, *FAULTS) as error:
            if not self.ended.done():
                self.ended.set_result(failure_of(error))


FAULTS = (OSError, EOFError, BadChunk, BadAmf)


async def open_rtmp(
    network: PushNetwork, destination: RtmpDestination, sound_configuration: bytes
) -> RtmpConnection:
    """Publish a stream; follows redirects. Raises PushFailed and its kinds."""
    for _ in range(MAX_REDIRECTS + 1):
        try:
            return await asyncio.wait_for(
                open_one(network, destination, sound_configuration), ANSWER_S
            )
        except Redirected as redirect:
            destination = redirected(destination, redirect.url)
        except TimeoutError:
            raise PushFailed(f"the server did not answer within {ANSWER_S:g} s") from None
    raise PushFailed(f"the server redirects more than {MAX_REDIRECTS} times")


async def open_one(
    network: PushNetwork, destination: RtmpDestination, sound_configuration: bytes
) -> RtmpConnection:
    """Publish a stream at one server."""
    reader, writer = await network.open_stream(destination, is_tls=destination.is_tls)
    connection = RtmpConnection(reader, writer, destination, sound_configuration)
    try:
        await connection.start()
    except FAULTS as error:
        writer.transport.abort()
        raise failure_of(error) from None
    except BaseException:
        writer.transport.abort()
        raise
    return connection


def redirected(destination: RtmpDestination, url: str) -> RtmpDestination:
    """Return the same stream at the server of a redirect; raises PushFailed."""
    try:
        target = parse_destination(url, destination.stream)
    except BadPush as error:
        raise PushFailed(f"the server redirects to an address that {error}") from None
    if not isinstance(target, RtmpDestination) or destination.is_tls > target.is_tls:
        raise PushFailed("the server redirects to another protocol, or away from TLS")
    return target


def failure_of(error: BaseException) -> PushFailed:
    """Return the end of a connection as a fault of the push."""
    if isinstance(error, PushFailed):
        return error
    if isinstance(error, BadChunk | BadAmf):
        return PushFailed(f"the server does not speak RTMP as expected: {error}")
    if isinstance(error, EOFError | Redirected):
        return PushFailed("the server has closed the connection")
    return PushFailed(f"the connection was lost ({reason_of(error)})")


def refused(values: list[Any], destination: RtmpDestination) -> PushRefused | Redirected:
    """Return the refusal in the values of a command."""
    found = next((each for each in values if isinstance(each, Mapping)), {})
    detail = found.get("ex")
    if isinstance(detail, Mapping) and isinstance(detail.get("redirect"), str):
        return Redirected(detail["redirect"])
    words = [str(found[name])[:200] for name in ("code", "description") if found.get(name)]
    shown = destination.masked(", ".join(words)) or "without a reason"
    return PushRefused(f"the server refuses the stream: {shown}")


def code_of(values: list[Any]) -> str:
    """Return the code of a status."""
    found = next((each for each in values if isinstance(each, Mapping)), {})
    return str(found.get("code", ""))


def is_failure(values: list[Any]) -> bool:
    """True for a status that ends a stream."""
    found = next((each for each in values if isinstance(each, Mapping)), {})
    ends = ("NetStream.Unpublish.Success", "NetConnection.Connect.Closed")
    return found.get("level") == "error" or found.get("code") in ends
