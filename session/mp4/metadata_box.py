"""Metadata of a `concat` film: a `uuid` box at the end of its MP4 file.

Players skip the box. It is part of the file that is renamed into place, so it always matches the
film.
"""

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from session.audio_encoder import AudioEncoder
from session.errors import FilmDamagedError
from session.film import ClipRecord, Cue, FilmSpec, cues_before, is_fully_spoken
from session.fragmented.boxes import build_box
from session.mp4.sample_tables import top_level_boxes
from session.video_encoder import VideoEncoder

_METADATA_TYPE = uuid.UUID("0e1d4bd4-5f39-4f0f-8a3c-7a1f5cbb9a52").bytes
"""Extended type of the `uuid` box; a constant, chosen at random."""
_MAX_BYTES = 64 << 20
"""Maximum length of the box; an hour of speech takes about 100 kB."""


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
        )

    def to_box(self) -> bytes:
        """Serialise to the box that is appended to the film."""
        fields = asdict(self) | {
            "avcc": self.avcc.hex(),
            "audio_config": self.audio_config.hex(),
        }
        return build_box(b"uuid", _METADATA_TYPE + json.dumps(fields).encode())


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
    for each in top_level_boxes(fd):
        start = each.start + len(_METADATA_TYPE)
        if each.kind == b"uuid" and os.pread(fd, len(_METADATA_TYPE), each.start) == _METADATA_TYPE:
            return _parse(os.pread(fd, min(each.end - start, _MAX_BYTES), start))
    return None


def _parse(data: bytes) -> MetadataBox:
    try:
        fields = json.loads(data)
        return MetadataBox(
            film_id=fields["film_id"],
            spec=FilmSpec(**fields["spec"]),
            avcc=bytes.fromhex(fields["avcc"]),
            audio_config=bytes.fromhex(fields["audio_config"]),
            clips=tuple(ClipRecord(**clip) for clip in fields["clips"]),
            cues=tuple(Cue(**cue) for cue in fields["cues"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise FilmDamagedError("The metadata box at the end of the film is damaged.") from error
