"""Packets of data channels (SCTP, RFC 9260) that viewers send: those that aiortc can take."""

from collections.abc import Iterator
from contextlib import suppress
from struct import error as StructError  # noqa: N812 - it is a class
from struct import unpack_from

from aiortc import RTCSctpTransport

HEADER_BYTES, ELEMENT_HEADER_BYTES = 12, 4
DATA, INIT, INIT_ACK, SACK, FORWARD_TSN = 0, 1, 2, 3, 192
WITH_PARAMETERS = {INIT: 16, INIT_ACK: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
"""Types of chunks with parameters, and the bytes in front of these."""
DATA_BYTES, SACK_BYTES, TSN_BYTES = 12, 12, 4
MAX_STREAMS = 1024
MAX_ACKED = 4096
"""Packets that the gap blocks of one acknowledgement cover. Some hundred are on their way at most,
since `EventChannel` bounds their bytes."""
MAX_PARTS = 256
"""Parts of messages that wait for others. The messages of viewers are not used."""
IGNORED = (StructError, LookupError, ValueError, AssertionError)
"""Exceptions of aiortc for packets that do not fit the state of the association."""


def check_packets(channels: RTCSctpTransport) -> None:
    """Have packets ignored that aiortc cannot take.

    It would end the transport of the viewer with a traceback in the log, or never return.
    """
    handle = channels._handle_data

    async def take(data: bytes) -> None:
        if is_well_formed(data) and waiting_parts(channels) < MAX_PARTS:
            with suppress(*IGNORED):
                await handle(data)

    setattr(channels, "_handle_data", take)  # noqa: B010 - it is a method


def waiting_parts(channels: RTCSctpTransport) -> int:
    """Parts of messages that wait for others."""
    return sum(len(each.reassembly) for each in channels._inbound_streams.values())


def is_well_formed(packet: bytes) -> bool:
    """True if all lengths in a packet are right, and it does not cause much work."""
    try:
        chunks = elements(packet[HEADER_BYTES:], "!BxH")
        return all(is_usable(kind, body) for kind, body in chunks)
    except (StructError, ValueError):
        return False


def elements(data: bytes, header: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the chunks or parameters in `data`, each of which has its length in
    a header of four bytes and begins at a multiple of four; raises ValueError for a wrong length.
    """
    position = 0
    while position + ELEMENT_HEADER_BYTES <= len(data):
        kind, size = unpack_from(header, data, position)
        if size < ELEMENT_HEADER_BYTES or position + size > len(data):
            raise ValueError(f"a chunk or parameter has {size} bytes")
        yield kind, data[position + ELEMENT_HEADER_BYTES : position + size]
        position += size + -size % 4


def is_usable(kind: int, body: bytes) -> bool:
    """True for a chunk that can be taken; raises StructError and ValueError for others."""
    if kind in WITH_PARAMETERS:
        list(elements(body[WITH_PARAMETERS[kind] :], "!HH"))
    if kind == DATA:
        return len(body) > DATA_BYTES and unpack_from("!H", body, 4)[0] < MAX_STREAMS
    if kind == SACK:
        return is_usable_sack(body)
    return kind != FORWARD_TSN or (len(body) >= TSN_BYTES and len(body) % TSN_BYTES == 0)


def is_usable_sack(body: bytes) -> bool:
    """True for an acknowledgement whose gap blocks are few and in order."""
    (gaps,) = unpack_from("!H", body, 8)
    blocks = [unpack_from("!HH", body, SACK_BYTES + 4 * number) for number in range(gaps)]
    covered = sum(end - start + 1 for start, end in blocks)
    return all(start <= end for start, end in blocks) and covered <= MAX_ACKED
