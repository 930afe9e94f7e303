"""SRT in bytes: reports of losses, also those of a server that asks for more than it may have."""

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any, cast

from warm.live.push.destination import SrtDestination, parse_destination
from warm.live.push.srt.connection import RESENT_AT_ONCE, SrtConnection
from warm.live.push.srt.packets import (
    CONTROL,
    DROP_REQUEST,
    HEADER,
    MAX_SEQUENCE,
    NAK,
    control_packet,
    following,
    read_control,
)
from warm.settings.network import read_address

PAYLOADS = 100


class SentPackets:
    """Stands for the socket: keeps what is sent."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def sendto(self, data: bytes) -> None:
        self.packets.append(data)

    def is_closing(self) -> bool:
        return False


def with_connection(play: Callable[[SrtConnection, int, list[bytes]], None]) -> None:
    """Have `play` use a connection that has sent packets: the first number, and what is sent."""

    async def run() -> None:
        destination, address = parse_destination("srt://127.0.0.1:9000"), read_address("127.0.0.1")
        assert isinstance(destination, SrtDestination) and address is not None
        connection, sent = SrtConnection(destination, address), SentPackets()
        connection.connection_made(cast(Any, sent))
        connection._sequence = first = MAX_SEQUENCE - 20  # the numbers begin again with 0
        for number in range(PAYLOADS):
            connection._send_new(bytes([number]))
        sent.packets.clear()
        play(connection, first, sent.packets)

    asyncio.run(run())


def report(connection: SrtConnection, *ranges: tuple[int, int]) -> None:
    """Report losses, as a server does."""
    words = [word for first, last in ranges for word in (CONTROL | first, last)]
    body = struct.pack(f">{len(words)}I", *words)
    connection.datagram_received(control_packet(NAK, 0, 0, 0, body), None)


def payloads(packets: list[bytes]) -> list[int]:
    """Contents of the data packets."""
    return [each[HEADER.size] for each in packets if read_control(each) is None]


def test_reported_packets_are_sent_again() -> None:
    def play(connection: SrtConnection, first: int, sent: list[bytes]) -> None:
        report(connection, (following(first, 3), following(first, 5)))
        report(connection, (following(first, 30), following(first, 30)))
        assert payloads(sent) == [3, 4, 5, 30]
        assert len(sent) == connection.resent == 4

    with_connection(play)


def test_packets_that_are_not_kept_are_reported_as_dropped() -> None:
    def play(connection: SrtConnection, first: int, sent: list[bytes]) -> None:
        for _ in range(10):
            connection._kept.popitem(last=False)
        report(connection, (following(first, 7), following(first, 11)), (first, first))
        assert payloads(sent) == [10, 11]
        dropped = [found for each in sent if (found := read_control(each)) is not None]
        assert [each.type for each in dropped] == [DROP_REQUEST] * 2
        gone = [struct.unpack(">II", each.body) for each in dropped]
        assert gone == [(following(first, 7), following(first, 9)), (first, first)]

    with_connection(play)


def test_numbers_that_were_never_sent_are_ignored() -> None:
    def play(connection: SrtConnection, first: int, sent: list[bytes]) -> None:
        end = following(first, PAYLOADS)
        far = following(first, 1 << 30)
        report(connection, (end, following(end, 5)), (first, end), (end, first))
        report(connection, (far, following(first, 5)), (following(far, 50), following(first, 5)))
        assert sent == []

    with_connection(play)


def test_a_report_of_everything_many_times_is_bounded() -> None:
    def play(connection: SrtConnection, first: int, sent: list[bytes]) -> None:
        everything = (first, following(first, PAYLOADS - 1))
        begun_s = time.process_time()
        for _ in range(4):
            report(connection, *[everything] * 4000)
        assert time.process_time() - begun_s < 2.0
        assert RESENT_AT_ONCE <= len(sent) < 5 * RESENT_AT_ONCE

    with_connection(play)
