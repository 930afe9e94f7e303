"""Payloads of RTP packets with H.264 (RFC 6184, packetization-mode 1)."""

from collections.abc import Iterator
from struct import pack

MAX_PAYLOAD_BYTES = 1180
"""With the headers of RTP, SRTP, UDP and IPv6, a packet fits into the 1280 bytes that every path
carries; a relay adds 36."""
START_CODE = b"\x00\x00\x01"
TYPE_MASK, IMPORTANCE_MASK = 0x1F, 0x60
SEI, DELIMITER, FILLER = 6, 9, 12
STAP_A, FU_A = 24, 28
FIRST, LAST = 0x80, 0x40
"""Bits of the header of a fragment."""


def h264_payloads(access_unit: bytes) -> list[bytes]:
    """Return the payloads of one picture, an access unit in Annex B format.

    Small units, such as the parameter sets, share a packet; large ones are divided. Delimiters,
    filler and supplementary information are left out.
    """
    payloads: list[bytes] = []
    small: list[bytes] = []
    for unit in nal_units(access_unit):
        if unit[0] & TYPE_MASK in (SEI, DELIMITER, FILLER):
            continue
        if aggregate_bytes([*small, unit]) <= MAX_PAYLOAD_BYTES:
            small.append(unit)
            continue
        payloads += aggregate(small)
        small = []
        if aggregate_bytes([unit]) <= MAX_PAYLOAD_BYTES:
            small = [unit]
        else:
            payloads += fragments(unit)
    return payloads + aggregate(small)


def nal_units(access_unit: bytes) -> Iterator[bytes]:
    """Yield the NAL units between the start codes."""
    start = access_unit.find(START_CODE)
    while start >= 0:
        start += len(START_CODE)
        end = access_unit.find(START_CODE, start)
        unit = access_unit[start : end if end >= 0 else None].rstrip(b"\x00")
        if unit:
            yield unit
        start = end


def aggregate_bytes(units: list[bytes]) -> int:
    """Size of a packet with these units."""
    return 1 + sum(2 + len(unit) for unit in units)


def aggregate(units: list[bytes]) -> list[bytes]:
    """Return the packet of small units: none, the unit itself, or a STAP-A of several."""
    if len(units) < 2:
        return units
    importance = max(unit[0] & IMPORTANCE_MASK for unit in units)
    return [bytes([importance | STAP_A]) + b"".join(pack("!H", len(u)) + u for u in units)]


def fragments(unit: bytes) -> list[bytes]:
    """Divide a unit into FU-A packets of about equal size."""
    indicator = unit[0] & IMPORTANCE_MASK | FU_A
    kind = unit[0] & TYPE_MASK
    room = MAX_PAYLOAD_BYTES - 2
    count = -(-(len(unit) - 1) // room)
    edges = [1 + (len(unit) - 1) * number // count for number in range(count + 1)]
    marks = [0] * count
    marks[0] |= FIRST
    marks[-1] |= LAST
    return [
        bytes([indicator, mark | kind]) + unit[start:end]
        for mark, start, end in zip(marks, edges, edges[1:], strict=False)
    ]
