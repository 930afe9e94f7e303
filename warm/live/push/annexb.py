"""H.264 access units as an encoder writes them (Annex B), and their forms in other containers."""

from dataclasses import dataclass

START = b"\x00\x00\x01"
SLICE_IDR, SPS, PPS, DELIMITER = 5, 7, 8, 9
"""Types of NAL units (ITU-T H.264, table 7-1)."""
ACCESS_UNIT_DELIMITER = b"\x00\x00\x00\x01\x09\xf0"
KEPT_OUT = frozenset({SPS, PPS, DELIMITER})
"""Types of NAL units that FLV has in its header instead."""


def nal_units(data: bytes) -> list[bytes]:
    """Split an access unit into its NAL units, without start codes."""
    units = []
    begin = data.find(START)
    while begin >= 0:
        begin += len(START)
        end = data.find(START, begin)
        unit = data[begin : end if end >= 0 else None]
        units.append(unit.rstrip(b"\x00") if end >= 0 else unit)
        begin = end
    return [unit for unit in units if unit]


def nal_type(unit: bytes) -> int:
    """Return the type of a NAL unit."""
    return unit[0] & 31


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The sequence and picture parameter sets of a stream."""

    sps: bytes
    pps: bytes

    def configuration(self) -> bytes:
        """Return the AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
        head = bytes((1, self.sps[1], self.sps[2], self.sps[3], 0xFF, 0xE1))
        sps = len(self.sps).to_bytes(2, "big") + self.sps
        return head + sps + b"\x01" + len(self.pps).to_bytes(2, "big") + self.pps


def parameter_sets(units: list[bytes]) -> ParameterSets | None:
    """Return the parameter sets among NAL units; None if one is missing."""
    sps = next((unit for unit in units if nal_type(unit) == SPS and len(unit) > 3), None)
    pps = next((unit for unit in units if nal_type(unit) == PPS), None)
    return None if sps is None or pps is None else ParameterSets(sps, pps)


def length_prefixed(units: list[bytes]) -> bytes:
    """Return the pictures among NAL units, each after its length in four bytes."""
    kept = [unit for unit in units if nal_type(unit) not in KEPT_OUT]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in kept)


def delimited(data: bytes) -> bytes:
    """Return an access unit that begins with a delimiter, as MPEG-TS needs it."""
    start = data.find(START)
    has_one = start >= 0 and data[start + 3 : start + 4] and data[start + 3] & 31 == DELIMITER
    return data if has_one else ACCESS_UNIT_DELIMITER + data
