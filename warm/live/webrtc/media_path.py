"""Way of the media of one viewer: SRTP and the socket that ICE has chosen."""

import logging
from collections.abc import Iterable
from typing import Any, cast

import pylibsrtp
from aiortc import RTCDtlsTransport
from aiortc.rtcdtlstransport import State

log = logging.getLogger(__name__)

MAX_BACKLOG_BYTES = 64 << 10
"""Bytes that may wait in the socket, or in the connection to a relay."""


class MediaPath:
    """Encrypts and sends packets at once, without a task or a queue. Loop thread.

    It uses what aiortc's transports hold, because their own methods cost a coroutine a packet.
    """

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._dtls = transport
        self.bytes_sent = 0

    @property
    def is_open(self) -> bool:
        """True if packets can be sent."""
        return self._dtls._state is State.CONNECTED and self._pair() is not None

    @property
    def is_blocked(self) -> bool:
        """True if too much waits to be sent to add anything."""
        pair = self._pair()
        return pair is not None and backlog_bytes(pair.protocol.transport) > MAX_BACKLOG_BYTES

    def send(self, packets: Iterable[bytes]) -> None:
        """Send RTP packets; nothing happens if the path is closed."""
        self._send(packets, self._dtls._tx_srtp and self._dtls._tx_srtp.protect)

    def send_control(self, packet: bytes) -> None:
        """Send a compound RTCP packet; nothing happens if the path is closed."""
        self._send([packet], self._dtls._tx_srtp and self._dtls._tx_srtp.protect_rtcp)

    def _send(self, packets: Iterable[bytes], protect: Any) -> None:
        pair = self._pair()
        if pair is None or protect is None or self._dtls._state is not State.CONNECTED:
            return
        send, address = pair.protocol.transport.sendto, pair.remote_addr
        try:
            for packet in packets:
                data = protect(packet)
                send(data, address)
                self.bytes_sent += len(data)
        except (pylibsrtp.Error, ConnectionError) as error:
            log.info("packets for a viewer were lost: %s", error)

    def _pair(self) -> Any:
        return self._dtls.transport._connection._nominated.get(1)


def backlog_bytes(transport: Any) -> int:
    """Bytes that wait in a socket, or in the connection to a relay."""
    relay = getattr(transport, "_TurnTransport__inner_protocol", None)
    if relay is not None:
        transport = relay.transport
    return cast(int, transport.get_write_buffer_size())
