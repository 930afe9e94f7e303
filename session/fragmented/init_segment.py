"""Init segment of a film: ftyp, moov, and a `uuid` box with the film's identity.

Players skip the `uuid` box. It identifies a film whose journal is lost, and distinguishes it from
an earlier film at the same path.
"""

import io
import os
import struct
import uuid
from dataclasses import dataclass
from fractions import Fraction

import av

from session import audio_encoder, video_encoder
from session.errors import FilmDamagedError
from session.film import SAMPLE_RATE_HZ, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import build_box, iter_boxes
from session.media_file import open_media

_IDENTITY_TYPE = uuid.UUID("5fe95fd3-6a4e-4c1c-9d36-0a4a9c1f6b1e").bytes
"""Extended type of the `uuid` box; a constant, chosen at random."""
_MAX_BYTES = 65536
"""Maximum length of an init segment; a typical one is 1.3 kB long."""
_IDENTITY = struct.Struct(">16s16sHH")
"""Payload of the `uuid` box: extended type, film id, width and height of the pictures."""
_UNREADABLE = (av.error.FFmpegError, IndexError, ArithmeticError, AttributeError, struct.error)
"""Errors that PyAV raises for a moov without a track, a time base or a known codec."""
_MUXER_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_custom",
    "use_editlist": "0",
    "brand": "iso6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSegment:
    """First bytes of a film and their contents."""

    data: bytes
    spec: FilmSpec
    film_id: str
    """32 random hexadecimal digits, chosen at creation."""
    avcc: bytes
    """AVCDecoderConfigurationRecord of all pictures of the film."""
    audio_config: bytes
    """AudioSpecificConfig of the AAC track."""

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the film's media type (RFC 6381)."""
        return f"avc1.{self.avcc[1:4].hex()}, mp4a.40.2"


def build_init_segment(spec: FilmSpec) -> bytes:
    """Build the first bytes of a new film, with a new identity."""
    identity = _IDENTITY.pack(_IDENTITY_TYPE, uuid.uuid4().bytes, spec.width, spec.height)
    return _build_init(spec) + build_box(b"uuid", identity)


def film_id_of(init_segment: bytes) -> str:
    """Return the film id, which is at the end of the output of `build_init_segment`."""
    return init_segment[-_IDENTITY.size :][16:32].hex()


def _build_init(spec: FilmSpec) -> bytes:
    buffer = io.BytesIO()
    options = _MUXER_OPTIONS | {"video_track_timescale": str(spec.ticks_per_second)}
    with av.open(buffer, "w", format="mp4", options=options) as container:  # noqa: TID251  writes
        video_encoder.set_up(
            container.add_stream(video_encoder.CODEC, rate=spec.fps).codec_context, spec
        )
        audio_encoder.set_up(
            container.add_stream(audio_encoder.CODEC, rate=SAMPLE_RATE_HZ).codec_context
        )
        container.start_encoding()
        return buffer.getvalue()


def read_init_segment(fd: int) -> InitSegment:
    """Read the init segment of an open file; raises FilmDamagedError if it is not a film."""
    data = os.pread(fd, _MAX_BYTES, 0)
    if not data:
        raise FilmDamagedError("The file is empty. To start a film at this path, move it away.")
    for kind, begin, end in iter_boxes(data):
        payload = data[begin + 8 : end]
        if kind == b"uuid" and payload.startswith(_IDENTITY_TYPE):
            return _read_init(data[:end], payload)
    raise FilmDamagedError(
        "The file does not begin with the boxes of a session film. To start a film at this path,"
        " move it away."
    )


def _read_init(data: bytes, identity: bytes) -> InitSegment:
    try:
        _, film_id, width, height = _IDENTITY.unpack(identity)
        with open_media(io.BytesIO(data), demuxer="mp4") as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            ticks = Fraction(1) / Fraction(video.time_base or 0)
            return InitSegment(
                data=data,
                spec=FilmSpec(width=width, height=height, fps=int(ticks / TICKS_PER_FRAME)),
                film_id=film_id.hex(),
                avcc=bytes(video.codec_context.extradata or b""),
                audio_config=bytes(audio.codec_context.extradata or b""),
            )
    except (*_UNREADABLE, ValueError) as error:
        raise FilmDamagedError("The film's init segment cannot be read.") from error
