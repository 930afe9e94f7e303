"""One connection to an SRT listener."""

import asyncio
import os
import socket
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Literal, NamedTuple, cast

from warm.live.push.destination import SrtDestination
from warm.live.push.errors import PushFailed
from warm.live.push.network import PushNetwork, reason_of
from warm.live.push.outbox import Outbox, Unit
from warm.live.push.srt.encryption import Encryption
from warm.live.push.srt.handshake import (
    MAGIC,
    WINDOW_PACKETS,
    Handshake,
    conclusion,
    induction,
    peer_latency_ms,
    read_handshake,
    require_accepted,
)
from warm.live.push.srt.mpeg_ts import TransportStream
from warm.live.push.srt.packets import (
    ACK,
    ACK_ACK,
    DROP_REQUEST,
    EVEN_KEY,
    HANDSHAKE,
    KEEP_ALIVE,
    MAX_MESSAGE,
    MAX_PAYLOAD_BYTES,
    MAX_SEQUENCE,
    NAK,
    RESENT,
    SHUTDOWN,
    SINGLE,
    Control,
    control_packet,
    data_packet,
    distance,
    following,
    lost_ranges,
    read_control,
)
from warm.settings.network import IpAddress

ANSWER_S = 5.0
"""Longest time for the handshake."""
RETRY_S = 0.25
"""Time after which a packet of the handshake is sent again."""
SILENT_S = 5.0
"""A peer that sends nothing for this long is gone."""
CHECK_S = 0.25
CLOSE_S = 1.0
BURST_PACKETS = 8
PAUSE_S = 0.001
"""Pause after a burst, so that a key frame does not overflow the buffers on its way."""
KEPT_EXTRA_S = 1.0
"""Packets are kept for repetition for the latency and this time."""
MAX_KEPT = WINDOW_PACKETS
RESENT_PER_S, RESENT_AT_ONCE = 2000.0, 2000.0
"""Packets that are sent again at most: about ten times a stream of 2 Mbit/s. A report of 1.5 kB
could ask for millions."""


class Kept(NamedTuple):
    """A packet that may have to be sent again."""

    payload: bytes
    """As it is sent: encrypted."""
    message: int
    time_us: int
    sent_s: float


class SrtConnection(asyncio.DatagramProtocol):
    """A stream that is being published. Made by `open_srt`; used on the loop's thread."""

    sound: Literal["aac", "opus"] = "aac"
    key_is_requested = False

    def __init__(self, destination: SrtDestination, address: IpAddress) -> None:
        self.outbox = Outbox()
        self.ended: asyncio.Future[PushFailed] = asyncio.get_running_loop().create_future()
        self.resent = 0
        """Packets that were sent again."""
        self._destination, self._address = destination, address
        self._encryption = (
            Encryption(destination.passphrase, destination.key_bytes)
            if destination.passphrase
            else None
        )
        self._started_s = self._heard_s = time.monotonic()
        self._sequence = int.from_bytes(os.urandom(4), "big") & MAX_SEQUENCE
        self._socket = 1 + (int.from_bytes(os.urandom(4), "big") & 0x3FFFFFFE)
        self._peer = 0
        self._message = 0
        self._kept: OrderedDict[int, Kept] = OrderedDict()
        self._window = WINDOW_PACKETS
        self._latency_s = destination.latency_ms / 1000
        self._acked = asyncio.Event()
        self._handshakes: asyncio.Queue[tuple[Handshake, bytes]] = asyncio.Queue(8)
        self._stream = TransportStream()
        self._may_resend, self._earned_s = RESENT_AT_ONCE, self._started_s
        """Packets that may be sent again, and the time up to which they were counted."""
        self._tasks: list[asyncio.Task[None]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Shake hands; raises PushFailed and PushRefused."""
        first = induction(self._sequence, self._socket, self._address)
        answer, _ = await self._exchange(first)
        if answer.version != 5 or answer.extensions != MAGIC:
            raise PushFailed("the server does not speak SRT 1.3 or later")
        second = conclusion(
            answer,
            *(self._sequence, self._socket, self._address, self._destination, self._encryption),
        )
        final, body = await self._exchange(second)
        latency_ms = peer_latency_ms(
            body, self._destination, is_encrypted=self._encryption is not None
        )
        self._peer, self._latency_s = final.socket, latency_ms / 1000
        self._window = min(WINDOW_PACKETS, final.window_packets or WINDOW_PACKETS)
        for run in (self._drain, self._watch):
            self._tasks.append(asyncio.create_task(self._until_end(run())))

    def picture(self, sample: int, data: bytes, *, is_key: bool) -> None:
        """Send an access unit (Annex B)."""
        packets = self._stream.picture(sample, data, is_key=is_key)
        self.outbox.put(Unit(sample, packets, is_picture=True, is_key=is_key))

    def sound_frame(self, sample: int, data: bytes) -> None:
        """Send a frame of AAC."""
        packets = self._stream.sound_frame(sample, data)
        self.outbox.put(Unit(sample, packets, is_picture=False))

    async def close(self) -> None:
        """End the connection, after a moment in which sent packets can arrive."""
        for task in self._tasks:
            task.cancel()
        if self._transport is not None:
            if self._peer and not self.ended.done():
                # The peer hands media on after the latency, and drops the rest at the end.
                await asyncio.sleep(min(self._latency_s, CLOSE_S))
                self._control(SHUTDOWN)
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket; called by the loop."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def error_received(self, exc: Exception) -> None:
        """End the connection: the peer's machine refuses its packets. Called by the loop."""
        self._end(PushFailed(f"no answer from {self._destination.host} ({reason_of(exc)})"))

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - of the loop
        """Handle a packet of the peer. Called by the loop."""
        packet = read_control(data)
        if packet is None:
            return
        self._heard_s = time.monotonic()
        if packet.type == HANDSHAKE:
            self._receive_handshake(packet)
        elif packet.type == ACK:
            self._receive_ack(packet)
        elif packet.type == NAK:
            self._receive_nak(packet)
        elif packet.type == SHUTDOWN and self._peer:
            self._end(PushFailed("the server has closed the connection"))

    def _receive_handshake(self, packet: Control) -> None:
        handshake = read_handshake(packet.body)
        if handshake is not None and not self._handshakes.full():
            self._handshakes.put_nowait((handshake, packet.body))

    def _receive_ack(self, packet: Control) -> None:
        """Forget what has arrived; answer a full acknowledgement."""
        if len(packet.body) < 4:
            return
        (arrived,) = struct.unpack_from(">I", packet.body)
        while self._kept and distance(next(iter(self._kept)), arrived & MAX_SEQUENCE) > 0:
            self._kept.popitem(last=False)
        if len(packet.body) >= 16:
            self._window = struct.unpack_from(">I", packet.body, 12)[0]
        if packet.information:
            self._control(ACK_ACK, packet.information)
        self._acked.set()

    def _receive_nak(self, packet: Control) -> None:
        """Send lost packets again, or say that they are not kept any more."""
        now_s = time.monotonic()
        earned = (now_s - self._earned_s) * RESENT_PER_S
        self._may_resend = min(RESENT_AT_ONCE, self._may_resend + earned)
        self._earned_s = now_s
        for first, last in lost_ranges(packet.body):
            if 0 <= distance(first, last) < distance(first, self._sequence):
                self._send_again(first, last)

    def _send_again(self, first: int, last: int) -> None:
        """Send a range of packets again, as far as they are kept and `RESENT_PER_S` permits."""
        oldest = next(iter(self._kept), self._sequence)  # all later ones are kept, too
        gone = min(distance(first, oldest), distance(first, last) + 1)
        if gone > 0:
            body = struct.pack(">II", first, following(first, gone - 1))
            self._control(DROP_REQUEST, 0, body)
            first = following(first, gone)
        count = min(distance(first, last) + 1, int(self._may_resend))
        for sequence in (following(first, index) for index in range(count)):
            self._send_data(sequence, self._kept[sequence], RESENT)
        self.resent += max(count, 0)
        self._may_resend -= max(count, 0)

    async def _exchange(self, body: bytes) -> tuple[Handshake, bytes]:
        """Send a packet of the handshake until it is answered; raises PushFailed."""
        kind = struct.unpack_from(">I", body, 20)[0]
        while not self.ended.done():
            self._control(HANDSHAKE, 0, body)
            with suppress(TimeoutError):
                while True:
                    answer = await asyncio.wait_for(self._handshakes.get(), RETRY_S)
                    require_accepted(answer[0])
                    if answer[0].type == kind:
                        return answer
        raise self.ended.result()

    async def _drain(self) -> None:
        """Send what waits, at the pace of the peer."""
        while True:
            unit = await self.outbox.take()
            for count, start in enumerate(range(0, len(unit.data), MAX_PAYLOAD_BYTES), 1):
                await self._wait_for_room()
                self._send_new(unit.data[start : start + MAX_PAYLOAD_BYTES])
                if count % BURST_PACKETS == 0:
                    await asyncio.sleep(PAUSE_S)
            self.outbox.sent(len(unit.data))

    async def _wait_for_room(self) -> None:
        """Wait until the peer has room for another packet; drops packets that are too late."""
        while True:
            self._forget_late()
            if len(self._kept) < min(self._window, MAX_KEPT):
                return
            self._acked.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._acked.wait(), CHECK_S)

    def _forget_late(self) -> None:
        """Forget packets that the peer would not play any more."""
        oldest_s = time.monotonic() - self._latency_s - KEPT_EXTRA_S
        while self._kept and next(iter(self._kept.values())).sent_s < oldest_s:
            self._kept.popitem(last=False)

    def _send_new(self, payload: bytes) -> None:
        sequence, now_s = self._sequence, time.monotonic()
        if self._encryption is not None:
            payload = self._encryption.encrypted(sequence, payload)
        self._message = self._message % MAX_MESSAGE + 1
        kept = Kept(payload, self._message, self._time_us(), now_s)
        self._kept[sequence] = kept
        self._sequence = following(sequence)
        self._send_data(sequence, kept)

    def _send_data(self, sequence: int, kept: Kept, flag: int = 0) -> None:
        key = EVEN_KEY if self._encryption is not None else 0
        flags = SINGLE | key | flag | kept.message
        self._send(data_packet(sequence, flags, kept.time_us, self._peer, kept.payload))

    def _control(self, kind: int, information: int = 0, body: bytes = bytes(4)) -> None:
        self._send(control_packet(kind, information, self._time_us(), self._peer, body))

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data)

    def _time_us(self) -> int:
        return int((time.monotonic() - self._started_s) * 1e6)

    async def _watch(self) -> None:
        """Keep the connection alive while nothing is sent, and notice a peer that is gone."""
        while time.monotonic() - self._heard_s < SILENT_S:
            await asyncio.sleep(CHECK_S)
            self._control(KEEP_ALIVE)
        raise PushFailed(f"nothing was heard from the server for {SILENT_S:g} s")

    async def _until_end(self, run: object) -> None:
        try:
            await run  # type: ignore[misc]
        except PushFailed as error:
            self._end(error)

    def _end(self, reason: PushFailed) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


async def open_srt(network: PushNetwork, destination: SrtDestination) -> SrtConnection:
    """Publish a stream; raises PushFailed and its kinds."""
    failure = PushFailed("no address")
    for address in await network.resolve(destination, socket.SOCK_DGRAM):
        try:
            return await open_one(destination, address)
        except PushFailed as error:
            failure = error
    raise failure


async def open_one(destination: SrtDestination, address: IpAddress) -> SrtConnection:
    """Publish a stream at one address."""
    loop = asyncio.get_running_loop()
    target = (str(address), destination.port)
    try:
        _, connection = await loop.create_datagram_endpoint(
            lambda: SrtConnection(destination, address), remote_addr=target
        )
    except OSError as error:
        raise PushFailed(f"no way to {destination.host} ({reason_of(error)})") from None
    try:
        await asyncio.wait_for(connection.start(), ANSWER_S)
    except TimeoutError:
        await connection.close()
        raise PushFailed(
            f"no answer from {destination.host}:{destination.port} within {ANSWER_S:g} s"
        ) from None
    except BaseException:
        await connection.close()
        raise
    return connection
