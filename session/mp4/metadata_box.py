"""Metadata of a `concat` film: a `uuid` box at the end of its MP4 file.

Players skip the box. It is part of the file that is renamed into place, so it always matches the
film.
"""

import json
import os
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from session.audio_encoder import AudioEncoder
from session.disk import crc32_of
from session.errors import FilmDamagedError
from session.film import ClipRecord, Cue, FilmSpec, cues_before, is_fully_spoken, text_of_clip
from session.fragmented.boxes import build_box
from session.mp4.sample_tables import TopLevelBox, top_level_boxes
from session.video_encoder import VideoEncoder

_METADATA_TYPE = uuid.UUID("0e1d4bd4-5f39-4f0f-8a3c-7a1f5cbb9a52").bytes
"""Extended type of the `uuid` box; a constant, chosen at random."""
_MAX_BYTES = 64 << 20
"""Maximum length of the box; an hour of speech takes about 100 kB."""
_BOX_HEADER_BYTES = 8
_SUM_KEY = b', "sum": "'


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataBox:
    """Metadata of a `concat` film."""

    film_id: str
    """32 random hexadecimal digits, different for every version of the file."""
    spec: FilmSpec
    avcc: bytes
    """AVCDecoderConfigurationRecord of the pictures."""
    audio_config: bytes
    """AudioSpecificConfig of the sound."""
    clips: tuple[ClipRecord, ...] = ()
    cues: tuple[Cue, ...] = ()
    media_crc32: int | None = None
    """CRC-32 of the file's bytes before this box; None if an older version wrote the file."""

    @property
    def frames(self) -> int:
        """Number of frames of the whole film."""
        return sum(clip.frames for clip in self.clips)

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the film's media type (RFC 6381)."""
        return f"avc1.{self.avcc[1:4].hex()}, mp4a.40.2"

    def with_clip(self, text: str, frames: int, cues: Sequence[Cue]) -> "MetadataBox":
        """Return the metadata of the next version, which has one more clip.

        `cues` have their planned lengths; a clip without cues counts as one cue.
        """
        first_frame = self.frames
        end = first_frame + frames
        text = text_of_clip(text, cues)
        clip = ClipRecord(
            index=len(self.clips),
            text=text,
            first_frame=first_frame,
            frames=frames,
            is_whole=is_fully_spoken(text, cues, end),
        )
        whole_clip = Cue(text=text, first_frame=first_frame, frames=frames)
        return replace(
            self,
            film_id=uuid.uuid4().hex,
            clips=(*self.clips, clip),
            cues=(*self.cues, *(cues_before(end, cues) or [whole_clip])),
            media_crc32=None,
        )

    def to_box(self) -> bytes:
        """Serialise to the box that is appended to the film."""
        members = asdict(self) | {
            "avcc": self.avcc.hex(),
            "audio_config": self.audio_config.hex(),
        }
        body = json.dumps(members).encode()[:-1]
        return build_box(b"uuid", _METADATA_TYPE + body + _format_sum(body))


_KEYS = {field.name for field in fields(MetadataBox)} | {"sum"}


def new_metadata_box(spec: FilmSpec) -> MetadataBox:
    """Create the metadata of a film without clips, with a new identity."""
    return MetadataBox(
        film_id=uuid.uuid4().hex,
        spec=spec,
        avcc=VideoEncoder(spec).avcc,
        audio_config=AudioEncoder(lead_in=0).audio_config,
    )


def read_metadata_box(fd: int) -> MetadataBox | None:
    """Read the metadata of an open file; None if it has no such box.

    Raises FilmDamagedError if the box is damaged.
    """
    box = _find_box(fd)
    if box is None:
        return None
    if box.end != os.fstat(fd).st_size:
        raise FilmDamagedError("The metadata box does not end with the film.")
    start = box.start + len(_METADATA_TYPE)
    return _parse(os.pread(fd, min(box.end - start, _MAX_BYTES), start))


def media_damage(fd: int) -> str | None:
    """Describe how an open `concat` film differs from its checksum; None if it does not."""
    box, metadata = _find_box(fd), read_metadata_box(fd)
    if box is None or metadata is None:
        return "its metadata box is missing"
    known = metadata.media_crc32
    if known is None or crc32_of(fd, 0, box.start - _BOX_HEADER_BYTES) == known:
        return None
    return "its pictures, sound or index differ from their checksum"


def _find_box(fd: int) -> TopLevelBox | None:
    for each in top_level_boxes(fd):
        if each.kind == b"uuid" and os.pread(fd, len(_METADATA_TYPE), each.start) == _METADATA_TYPE:
            return each
    return None


def _format_sum(body: bytes) -> bytes:
    """Format the last member of the box's object: the CRC-32 of everything before it."""
    return b'%s%08x"}' % (_SUM_KEY, zlib.crc32(body))


def _require_intact_box(data: bytes, members: dict[str, Any]) -> None:
    body = data[: -len(_format_sum(b""))]
    if not members.keys() <= _KEYS or ("sum" in members and data != body + _format_sum(body)):
        raise ValueError("The box does not match its checksum.")


def _parse(data: bytes) -> MetadataBox:
    """Parse the content of the box; that of an older film has no checksum."""
    try:
        members = json.loads(data)
        _require_intact_box(data, members)
        return MetadataBox(
            film_id=members["film_id"],
            spec=FilmSpec(**members["spec"]),
            avcc=bytes.fromhex(members["avcc"]),
            audio_config=bytes.fromhex(members["audio_config"]),
            clips=tuple(ClipRecord(**clip) for clip in members["clips"]),
            cues=tuple(Cue(**cue) for cue in members["cues"]),
            media_crc32=members.get("media_crc32"),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FilmDamagedError("The metadata box at the end of the film is damaged.") from error
