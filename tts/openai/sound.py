"""Sound of a speech server: bytes of PCM or WAV to samples.

Only uncompressed sound is decoded: decoders are native code, which must not process untrusted
bytes in the server's process.
"""

import struct
from dataclasses import dataclass
from email.message import Message

import numpy as np
from numpy.typing import NDArray

from tts.openai.errors import SoundTooLong, UnusableSound, error_message, one_line

DEFAULT_RATE_HZ = 24_000
"""Rate of PCM whose server names none, as in OpenAI's API."""
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 8
MAX_SOUND_S = 120.0
"""Longest sound of a sentence; a longer one comes from a model that does not find its end."""

_MAX_WAV_HEADER_BYTES = 1 << 16
_UNKNOWN_SIZES = frozenset([0, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF])
"""Sizes that servers write into the WAV header of a stream whose length they do not know yet."""
_WAV_PCM, _WAV_FLOAT, _WAV_EXTENSIBLE = 1, 3, 0xFFFE
_SNIFFED_BYTES = 4096
"""Enough for two frames of MP3."""
_RAW_TYPES = frozenset(
    [
        *("audio/pcm", "audio/x-pcm", "audio/l16", "audio/x-l16", "audio/s16le", "audio/raw"),
        *("audio/x-raw", "application/octet-stream", "binary/octet-stream"),
    ]
)
_COMPRESSED_TYPES = {
    "audio/mpeg": "MP3",
    "audio/mp3": "MP3",
    "audio/x-mp3": "MP3",
    "audio/aac": "AAC",
    "audio/mp4": "AAC",
    "audio/flac": "FLAC",
    "audio/x-flac": "FLAC",
    "audio/ogg": "Ogg",
    "audio/opus": "Opus",
    "audio/webm": "WebM",
}
_MAGIC = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"\x1aE\xdf\xa3": "WebM"}
_MPEG_RATES_HZ = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))
_MPEG1_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1, _LAYER3 = 3, 1


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Uncompressed sound."""

    rate_hz: int
    channels: int = 1
    encoding: str = "<i2"
    """numpy's name of a sample; `i3` is 24 bits, little-endian."""
    start_byte: int = 0
    """Index of the first sample in the answer."""
    max_bytes: int | None = None
    """Size of the samples, if a header states it."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return int(self.encoding[-1]) * self.channels

    @property
    def limit_bytes(self) -> int:
        """Size of the longest answer that is accepted."""
        return self.start_byte + round(MAX_SOUND_S * self.rate_hz) * self.frame_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Decoded sound."""

    samples: NDArray[np.float32]
    """(n,) mono, -1…1."""
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz


class SoundBuffer:
    """Collects the bytes of one answer, however they are divided; bounded in memory."""

    def __init__(self, content_type: str, default_rate_hz: int = DEFAULT_RATE_HZ) -> None:
        """`default_rate_hz` is the rate of PCM whose type names none."""
        self._type = content_type
        self._default_rate_hz = default_rate_hz
        self._bytes = bytearray()
        self._format: PcmFormat | None = None

    def add(self, chunk: bytes) -> None:
        """Append bytes; raises UnusableSound as soon as they cannot become usable sound."""
        self._bytes += chunk
        if self._format is None:
            self._format = find_format(
                self._bytes, self._type, self._default_rate_hz, is_complete=False
            )
        limit = self._format.limit_bytes if self._format else 2 * _MAX_WAV_HEADER_BYTES
        if len(self._bytes) > limit:
            raise SoundTooLong(f"makes more than {MAX_SOUND_S:g} s of sound for one sentence")

    def sound(self) -> Sound:
        """Decode everything; raises UnusableSound. A half sample at the end is dropped."""
        found = self._format or find_format(
            self._bytes, self._type, self._default_rate_hz, is_complete=True
        )
        assert found is not None
        end = len(self._bytes)
        if found.max_bytes is not None:
            end = min(end, found.start_byte + found.max_bytes)
        count = max(0, end - found.start_byte) // found.frame_bytes
        stop = found.start_byte + count * found.frame_bytes
        samples = _samples(bytes(self._bytes[found.start_byte : stop]), found.encoding)
        mono = samples.reshape(-1, found.channels).mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise UnusableSound("sends sound with values that are not numbers")
        return Sound(mono, found.rate_hz)


def find_format(
    content: bytes | bytearray, content_type: str, default_rate_hz: int, *, is_complete: bool
) -> PcmFormat | None:
    """Return the format of an answer that begins with `content`; None if more bytes are needed.

    Raises UnusableSound for anything but PCM and WAV.
    """
    parsed = Message()
    parsed["Content-Type"] = content_type or "audio/pcm"
    kind = parsed.get_content_type()
    if not is_complete and len(content) < _SNIFFED_BYTES:
        return None
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return _wav_format(content, is_complete=is_complete)
    compressed = _compressed_kind(content, kind)
    if compressed:
        raise UnusableSound(f"answers with {compressed}, although PCM was asked for")
    if kind not in _RAW_TYPES:
        message = error_message(bytes(content)) if _is_text(kind) else ""
        raise UnusableSound(
            f"answers with {one_line(kind)} instead of PCM" + (f" ({message})" if message else "")
        )
    return _raw_format(parsed, default_rate_hz)


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or "json" in kind or "xml" in kind


def _compressed_kind(content: bytes | bytearray, kind: str) -> str | None:
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    if content[4:8] == b"ftyp":
        return "AAC in MP4"
    if kind in _COMPRESSED_TYPES:
        return _COMPRESSED_TYPES[kind]
    return "MP3" if _is_mp3(content) else None


def _is_mp3(content: bytes | bytearray) -> bool:
    """Return True for two consecutive MPEG frames: the first two bytes alone may be a sample."""
    size = _mpeg_frame_bytes(content[:4])
    return size is not None and _mpeg_frame_bytes(content[size : size + 4]) is not None


def _mpeg_frame_bytes(header: bytes | bytearray) -> int | None:
    """Return the size of a frame of MPEG audio layer 3 (ISO 11172-3), None if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits_index, rate_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    kbits = _MPEG1_KBITS if version == _MPEG1 else _MPEG2_KBITS
    rates = _MPEG_RATES_HZ[version]
    if layer != _LAYER3 or not 0 < kbits_index < len(kbits) or rate_index >= len(rates):
        return None
    return (144 if version == _MPEG1 else 72) * 1000 * kbits[kbits_index] // rates[
        rate_index
    ] + padding


def _raw_format(parsed: Message, default_rate_hz: int) -> PcmFormat:
    rate = _parameter(parsed, ("rate", "samplerate", "sample_rate", "sample-rate"))
    channels = _parameter(parsed, ("channels", "channel"))
    return _checked(
        PcmFormat(default_rate_hz if rate is None else rate, 1 if channels is None else channels)
    )


def _parameter(parsed: Message, names: tuple[str, ...]) -> int | None:
    """Return a parameter of a media type as a number; None if it is missing or something else."""
    for name in names:
        value = str(parsed.get_param(name, "")).strip()
        if value:
            if not value.isdecimal():
                raise UnusableSound(f"states {name}={value[:20]!r}, which is not a number")
            return int(value[:10])
    return None


def _checked(found: PcmFormat) -> PcmFormat:
    if not MIN_RATE_HZ <= found.rate_hz <= MAX_RATE_HZ:
        raise UnusableSound(
            f"sends sound of {found.rate_hz} Hz; {MIN_RATE_HZ} to {MAX_RATE_HZ} are supported"
        )
    if not 1 <= found.channels <= MAX_CHANNELS:
        raise UnusableSound(f"sends sound with {found.channels} channels; 1 is expected")
    return found


def _wav_format(content: bytes | bytearray, *, is_complete: bool) -> PcmFormat | None:
    """Read the header of a WAV file; None if more of it must arrive."""
    place, described = 12, None
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        body = place + 8
        if name == b"data" and described:
            rate, channels, encoding = described
            known = None if size in _UNKNOWN_SIZES else size
            return _checked(PcmFormat(rate, channels, encoding, body, known))
        if name == b"fmt ":
            if body + min(size, 40) > len(content):
                break
            described = _wav_encoding(bytes(content[body : body + size]))
        place = body + size + size % 2
    if is_complete or place > _MAX_WAV_HEADER_BYTES:
        raise UnusableSound("answers with a damaged WAV file")
    return None


def _wav_encoding(fields: bytes) -> tuple[int, int, str]:
    """Return rate, channels and encoding of a `fmt ` chunk; raises UnusableSound."""
    if len(fields) < 16:
        raise UnusableSound("answers with a damaged WAV file")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fields)
    if tag == _WAV_EXTENSIBLE and len(fields) >= 26:
        (tag,) = struct.unpack_from("<H", fields, 24)
    encodings = {
        (_WAV_PCM, 8): "u1",
        (_WAV_PCM, 16): "<i2",
        (_WAV_PCM, 24): "i3",
        (_WAV_PCM, 32): "<i4",
        (_WAV_FLOAT, 32): "<f4",
        (_WAV_FLOAT, 64): "<f8",
    }
    if (tag, bits) not in encodings:
        raise UnusableSound(
            f"answers with WAV of format {tag} and {bits} bits; PCM and floats are supported"
        )
    return rate, channels, encodings[tag, bits]


def _samples(content: bytes, encoding: str) -> NDArray[np.float32]:
    """Decode samples to -1…1."""
    if encoding == "i3":
        wide = np.zeros((len(content) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(1 << 31)
    values = np.frombuffer(content, encoding)
    if encoding == "u1":
        return (values.astype(np.float32) - 128) / np.float32(128)
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    return values.astype(np.float32) / np.float32(-np.iinfo(values.dtype).min)
