"""What an ordinary MP4 says of itself when it is a session's film: a `uuid` box at its end.

Players skip it. It is renamed into place with the film, so the two can never disagree.
"""

import json
import os
import uuid
from dataclasses import asdict, dataclass

from session.audio_encoder import AudioEncoder
from session.errors import FilmDamagedError
from session.film import ClipRecord, Cue, FilmSpec
from session.fragmented.boxes import build_box
from session.mp4.sample_tables import top_level_boxes
from session.video_encoder import VideoEncoder

_LABEL_TYPE = uuid.UUID("0e1d4bd4-5f39-4f0f-8a3c-7a1f5cbb9a52").bytes
"""Names our kind of `uuid` box; drawn once, at random."""
_MOST_BYTES = 64 << 20
"""An hour of talk is about 100 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataBox:
    """A joined film's own facts."""

    film_id: str
    """32 hexadecimal digits, drawn anew whenever the file is replaced."""
    spec: FilmSpec
    avcc: bytes
    """AVCDecoderConfigurationRecord of its pictures."""
    audio_config: bytes
    """AudioSpecificConfig of its sound."""
    clips: tuple[ClipRecord, ...] = ()
    cues: tuple[Cue, ...] = ()

    @property
    def frames(self) -> int:
        """Of the whole film."""
        return sum(clip.frames for clip in self.clips)

    @property
    def codecs(self) -> str:
        """The `codecs` parameter of the film's media type (RFC 6381)."""
        return f"avc1.{self.avcc[1:4].hex()}, mp4a.40.2"

    def to_box(self) -> bytes:
        """As it is written behind the film."""
        facts = asdict(self) | {
            "avcc": self.avcc.hex(),
            "audio_config": self.audio_config.hex(),
        }
        return build_box(b"uuid", _LABEL_TYPE + json.dumps(facts).encode())


def new_metadata_box(spec: FilmSpec) -> MetadataBox:
    """What a film without clips says of itself, with an identity never used before."""
    return MetadataBox(
        film_id=uuid.uuid4().hex,
        spec=spec,
        avcc=VideoEncoder(spec).avcc,
        audio_config=AudioEncoder(lead_in=0).audio_config,
    )


def read_metadata_box(fd: int) -> MetadataBox | None:
    """The label of an open file; None where it has none. FilmDamagedError for one that is torn."""
    for each in top_level_boxes(fd):
        if each.kind == b"uuid" and os.pread(fd, len(_LABEL_TYPE), each.start) == _LABEL_TYPE:
            start = each.start + len(_LABEL_TYPE)
            return _parse(os.pread(fd, min(each.end - start, _MOST_BYTES), start))
    return None


def _parse(data: bytes) -> MetadataBox:
    try:
        facts = json.loads(data)
        return MetadataBox(
            film_id=facts["film_id"],
            spec=FilmSpec(**facts["spec"]),
            avcc=bytes.fromhex(facts["avcc"]),
            audio_config=bytes.fromhex(facts["audio_config"]),
            clips=tuple(ClipRecord(**clip) for clip in facts["clips"]),
            cues=tuple(Cue(**cue) for cue in facts["cues"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise FilmDamagedError("What the film says of itself, at its end, is damaged.") from error
