"""The HLS playlist of a growing film: byte ranges of the one file, by RFC 8216.

Pure functions of committed fragments. A segment is one or more whole fragments; once listed it
never changes, so that players which reload see the same beginning.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from session.film import FilmSpec, Fragment

TARGET_S = 1
"""No segment is longer: the file's EXT-X-TARGETDURATION, which may never change."""
LEAST_FRAMES = 1
"""Frames that make a segment: 1 lists every fragment at once, for the earliest picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Consecutive bytes of the film that begin with a key frame."""

    offset: int
    end: int
    """First byte after it."""
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What a playlist needs to know of a film, and never changes."""

    uri: str
    """Of the film itself, as the player resolves it."""
    spec: FilmSpec
    init_bytes: int
    """The init segment is the film's bytes from 0 to here."""
    target_s: int = TARGET_S


def segments(
    fragments: Sequence[Fragment],
    *,
    longest_frames: int,
    least_frames: int = LEAST_FRAMES,
    clip_ends: Collection[int] = (),
) -> list[Segment]:
    """The segments that can be listed now; more fragments only ever add some.

    Fragments gather until they have `least_frames`, until the next would pass `longest_frames`, or
    until a clip ends: `clip_ends` are the frames after finished clips. Those that gather still are
    not listed. ValueError where one fragment is longer than a segment may be.
    """
    ends = frozenset(clip_ends)
    listed: list[Segment] = []
    gathering: list[Fragment] = []
    for fragment in fragments:
        if fragment.frames > longest_frames:
            raise ValueError(
                f"Fragment {fragment.index} has {fragment.frames} frames; a segment takes at most"
                f" {longest_frames}. Use a longer target duration, or write shorter fragments."
            )
        if _count(gathering) + fragment.frames > longest_frames:
            listed.append(_segment(gathering))
            gathering = []
        gathering.append(fragment)
        if _count(gathering) >= least_frames or fragment.first_frame + fragment.frames in ends:
            listed.append(_segment(gathering))
            gathering = []
    return listed


def event_playlist(film: Film, listed: Sequence[Segment], *, is_closed: bool) -> str:
    """The playlist from the film's beginning; players may seek to everything that was said."""
    lines = [*_head(film, first=0), "#EXT-X-PLAYLIST-TYPE:EVENT", *_body(film, listed)]
    return _text(lines, is_closed=is_closed)


def window_playlist(film: Film, listed: Sequence[Segment], *, newest: int, is_closed: bool) -> str:
    """The `newest` segments alone, for hours that would make the whole playlist heavy.

    Not an EVENT playlist, which may drop nothing. Media sequence numbers are those of the whole.
    """
    if newest < 3:
        raise ValueError(f"newest is {newest}; a live playlist takes 3 segments or more.")
    first = max(0, len(listed) - newest)
    return _text([*_head(film, first=first), *_body(film, listed[first:])], is_closed=is_closed)


def longest_frames(film: Film) -> int:
    """Frames that fit into the target duration."""
    return film.target_s * film.spec.fps


def _head(film: Film, *, first: int) -> list[str]:
    return [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{film.target_s}",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
        f'#EXT-X-MAP:URI="{film.uri}",BYTERANGE="{film.init_bytes}@0"',
    ]


def _body(film: Film, listed: Sequence[Segment]) -> list[str]:
    lines: list[str] = []
    for segment in listed:
        lines += (
            f"#EXTINF:{segment.frames / film.spec.fps:.6f},",
            f"#EXT-X-BYTERANGE:{segment.end - segment.offset}@{segment.offset}",
            film.uri,
        )
    return lines


def _text(lines: Sequence[str], *, is_closed: bool) -> str:
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_closed else []), ""])


def _count(fragments: Sequence[Fragment]) -> int:
    return sum(fragment.frames for fragment in fragments)


def _segment(fragments: Sequence[Fragment]) -> Segment:
    first, last = fragments[0], fragments[-1]
    return Segment(offset=first.offset, end=last.end, frames=_count(fragments))
