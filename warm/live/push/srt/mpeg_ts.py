"""MPEG transport stream with one H.264 and one AAC stream (ISO/IEC 13818-1)."""

from binascii import crc32
from collections.abc import Iterator

from warm.live.push.aac import RATE_HZ, adts_header
from warm.live.push.annexb import delimited

PACKET_BYTES = 188
CLOCK_HZ = 90_000
PROGRAM_PID, VIDEO_PID, SOUND_PID = 0x1000, 0x100, 0x101
H264, ADTS = 0x1B, 0x0F
"""Types of streams in the table of the program."""
VIDEO_ID, SOUND_ID = 0xE0, 0xC0
LEAD_TICKS = CLOCK_HZ // 10
"""The receiver's clock is this much behind the times of the media."""
START_TICKS = CLOCK_HZ
"""Time of the first sample, so that no time is negative."""
TABLES_TICKS = CLOCK_HZ // 10
"""Longest time between two tables."""
_SWAPPED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))


class TransportStream:
    """Puts access units and frames of sound into packets of 188 bytes."""

    def __init__(self) -> None:
        self._counters = dict.fromkeys((0, PROGRAM_PID, VIDEO_PID, SOUND_PID), 0)
        self._tables_ticks: int | None = None

    def picture(self, sample: int, data: bytes, *, is_key: bool) -> bytes:
        """Return the packets of an access unit (Annex B)."""
        ticks = ticks_of(sample)
        head = self._tables() if self._tables_are_due(ticks, is_key=is_key) else b""
        payload = pes_header(VIDEO_ID, ticks) + delimited(data)
        return head + self._packets(VIDEO_PID, payload, clock_field(ticks, is_key=is_key))

    def sound_frame(self, sample: int, data: bytes) -> bytes:
        """Return the packets of a frame of AAC."""
        frame = adts_header(len(data)) + data
        payload = pes_header(SOUND_ID, ticks_of(sample), len(frame)) + frame
        return self._packets(SOUND_PID, payload, b"")

    def _tables_are_due(self, ticks: int, *, is_key: bool) -> bool:
        last = self._tables_ticks
        if not is_key and last is not None and 0 <= ticks - last < TABLES_TICKS:
            return False
        self._tables_ticks = ticks
        return True

    def _tables(self) -> bytes:
        """Return the tables of the programs and of the one program."""
        programs = section(0, b"\x00\x01" + (0xE000 | PROGRAM_PID).to_bytes(2, "big"))
        streams = b"".join(
            bytes((kind,)) + (0xE000 | pid).to_bytes(2, "big") + b"\xf0\x00"
            for kind, pid in ((H264, VIDEO_PID), (ADTS, SOUND_PID))
        )
        program = section(2, (0xE000 | VIDEO_PID).to_bytes(2, "big") + b"\xf0\x00" + streams)
        return self._packet(0, b"\x00" + programs) + self._packet(PROGRAM_PID, b"\x00" + program)

    def _packet(self, pid: int, table: bytes) -> bytes:
        """Return the packet of a table, padded to its full size."""
        return (self._header(pid, 0x40, 0x10) + table).ljust(PACKET_BYTES, b"\xff")

    def _packets(self, pid: int, payload: bytes, field: bytes) -> bytes:
        """Return the packets of a payload; `field` is the adaptation field of the first."""
        return b"".join(self._split(pid, payload, field))

    def _split(self, pid: int, payload: bytes, field: bytes) -> Iterator[bytes]:
        position, start = 0, 0x40
        while position < len(payload):
            room = PACKET_BYTES - 4 - len(field)
            left = len(payload) - position
            if left < room:
                field = stuffed(field, room - left)
                room = left
            control = 0x30 if field else 0x10
            yield self._header(pid, start, control) + field + payload[position : position + room]
            position, start, field = position + room, 0, b""

    def _header(self, pid: int, start: int, control: int) -> bytes:
        counter = self._counters[pid]
        self._counters[pid] = (counter + 1) & 15
        return bytes((0x47, start | pid >> 8, pid & 0xFF, control | counter))


def ticks_of(sample: int) -> int:
    """Return the time of a sample in ticks of 90 kHz."""
    return START_TICKS + sample * CLOCK_HZ // RATE_HZ


def clock_field(ticks: int, *, is_key: bool) -> bytes:
    """Return the adaptation field with the clock of the program."""
    clock = (ticks - LEAD_TICKS) & 0x1FFFFFFFF
    flags = 0x10 | (0x40 if is_key else 0)
    return bytes((7, flags)) + ((clock << 15) | 0x7E00).to_bytes(6, "big")


def stuffed(field: bytes, size: int) -> bytes:
    """Return an adaptation field that is `size` bytes longer."""
    if not field:
        return b"\x00" if size == 1 else bytes((size - 1, 0)) + b"\xff" * (size - 2)
    return bytes((field[0] + size,)) + field[1:] + b"\xff" * size


def pes_header(stream: int, ticks: int, payload_bytes: int | None = None) -> bytes:
    """Return the header of a packet of an elementary stream; pictures have no length."""
    length = 0 if payload_bytes is None else payload_bytes + 8
    stamp = (
        (0x21 | (ticks >> 29) & 0x0E) << 32
        | (((ticks >> 14) & 0xFFFE) | 1) << 16
        | ((ticks << 1) & 0xFFFE)
        | 1
    )
    head = b"\x00\x00\x01" + bytes((stream,)) + length.to_bytes(2, "big")
    return head + b"\x84\x80\x05" + stamp.to_bytes(5, "big")


def section(table: int, body: bytes) -> bytes:
    """Return the section of a table, with its checksum."""
    length = len(body) + 9
    data = bytes((table,)) + (0xB000 | length).to_bytes(2, "big") + b"\x00\x01\xc1\x00\x00" + body
    return data + checksum(data)


def checksum(data: bytes) -> bytes:
    """Return the CRC of MPEG: that of zlib with all bits in the opposite order, not inverted."""
    swapped = crc32(data.translate(_SWAPPED)) ^ 0xFFFFFFFF
    return swapped.to_bytes(4, "little").translate(_SWAPPED)
