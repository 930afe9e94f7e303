"""Bodies of RTMP's messages of pictures and sound: those of FLV's tags (FLV 10.1, annex E)."""

from warm.live.push.annexb import ParameterSets

KEY, INTER, AVC = 0x10, 0x20, 7
AAC = 0xAE
"""AAC, 44 kHz and 16 bits (fixed for AAC), mono; the configuration has the true rate."""
HEADER, MEDIA = b"\x00", b"\x01"
NO_OFFSET = b"\x00\x00\x00"


def avc_header(sets: ParameterSets) -> bytes:
    """Return the body that announces a video stream."""
    return bytes((KEY | AVC,)) + HEADER + NO_OFFSET + sets.configuration()


def avc_picture(picture: bytes, *, is_key: bool) -> bytes:
    """Return the body of a picture, whose NAL units have their lengths in front."""
    return bytes(((KEY if is_key else INTER) | AVC,)) + MEDIA + NO_OFFSET + picture


def aac_header(configuration: bytes) -> bytes:
    """Return the body that announces a sound stream."""
    return bytes((AAC,)) + HEADER + configuration


def aac_frame(data: bytes) -> bytes:
    """Return the body of a frame of sound."""
    return bytes((AAC,)) + MEDIA + data
