"""HLS playlist of a growing film: byte ranges of the one file (RFC 8216 and its revision).

Each segment is a fragment: it begins with a key frame and is listed as soon as it is on disk, so
the first picture of a clip arrives early. Listed segments never change.
"""

import gzip
from bisect import bisect_right
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple, Protocol

from session.film import FilmSpec, Fragment

SKIP_TARGETS = 60
"""A delta update repeats the last segments, for this many target durations. A player may request
one if its list is at most half as old."""
LEAST_WINDOW = 3
"""Minimum number of segments in a playlist without an end."""
_GZIP_LEVEL = 1
"""Any level reduces a playlist to a tenth."""


class FragmentSource(Protocol):
    """Film that grows by fragments."""

    @property
    def spec(self) -> FilmSpec:
        """Format of the film."""

    @property
    def init_bytes(self) -> int:
        """Length of the init segment."""

    def fragments_since(self, offset: int) -> list[Fragment]:
        """Return the committed fragments that begin at byte `offset` or later."""


class FullPlaylist(NamedTuple):
    """Playlist of all segments, plain and compressed."""

    segments: int
    is_ended: bool
    plain: bytes
    packed: bytes
    """Compressed with gzip."""


class Playlist:
    """Playlist of one film. Thread-safe; each fragment is processed once."""

    def __init__(self, film: FragmentSource, *, uri: str, longest_frames: int) -> None:
        """`uri` is the film's address as players resolve it; `longest_frames` is the maximum length
        of a new fragment. Longer fragments that the film has already are taken into account."""
        self._film = film
        self._uri = uri
        self._lock = Lock()
        self._segments: list[str] = []
        self._first_frames: list[int] = []
        self._frames = 0
        self._end = film.init_bytes
        fragments = film.fragments_since(self._end)
        longest = max([longest_frames, *(fragment.frames for fragment in fragments)])
        self.target_s = -(-longest // film.spec.fps)
        """EXT-X-TARGETDURATION, the constant upper limit of a segment's duration."""
        self._add(fragments)
        self._full: FullPlaylist | None = None

    def count(self) -> int:
        """Add new fragments and return the number of segments."""
        with self._lock:
            self._add(self._film.fragments_since(self._end))
            return len(self._segments)

    @property
    def end(self) -> int:
        """First byte of the film after the last segment that was added."""
        return self._end

    def whole(self, count: int, *, is_ended: bool) -> FullPlaylist:
        """Return the playlist of the first `count` segments; players may seek to all of them."""
        full = self._full
        if full is None or (full.segments, full.is_ended) != (count, is_ended):
            lines = [*self._head(first=0), "#EXT-X-PLAYLIST-TYPE:EVENT", *self._segments[:count]]
            plain = _encode(lines, is_ended=is_ended)
            full = FullPlaylist(count, is_ended, plain, gzip.compress(plain, _GZIP_LEVEL, mtime=0))
            self._full = full
        return full

    def delta(self, count: int, *, is_ended: bool) -> bytes:
        """Return a delta update: the last of the first `count` segments, and how many it skips."""
        skipped = self._segments_before(count, self._skip_s)
        if not skipped:
            return self.whole(count, is_ended=is_ended).plain
        lines = [*self._head(first=0, version=9), "#EXT-X-PLAYLIST-TYPE:EVENT"]
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        return _encode([*lines, *self._segments[skipped:count]], is_ended=is_ended)

    def window(self, count: int, newest: int, *, is_ended: bool) -> bytes:
        """Return the `newest` of the first `count` segments, numbered as in the full playlist.

        For players without delta updates. Not an EVENT playlist, which may not drop segments.
        """
        first = max(0, count - max(newest, LEAST_WINDOW))
        lines = [*self._head(first=first), *self._segments[first:count]]
        return _encode(lines, is_ended=is_ended)

    @property
    def _skip_s(self) -> int:
        return SKIP_TARGETS * self.target_s

    def _add(self, fragments: Sequence[Fragment]) -> None:
        for fragment in fragments:
            if fragment.frames > self.target_s * self._film.spec.fps:
                raise ValueError(
                    f"Fragment {fragment.index} has {fragment.frames} frames; a segment of this"
                    f" playlist lasts at most {self.target_s} s."
                )
            self._segments.append(_segment(fragment, self._film.spec, self._uri))
            self._first_frames.append(fragment.first_frame)
            self._frames = fragment.first_frame + fragment.frames
            self._end = fragment.end

    def _segments_before(self, count: int, seconds: int) -> int:
        """Number of the first `count` segments that end at least `seconds` before the end."""
        boundary = self._frames - seconds * self._film.spec.fps
        return max(0, bisect_right(self._first_frames, boundary, hi=count) - 1)

    def _head(self, *, first: int, version: int = 7) -> list[str]:
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{version}",
            f"#EXT-X-TARGETDURATION:{self.target_s}",
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={self._skip_s}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            f'#EXT-X-MAP:URI="{self._uri}",BYTERANGE="{self._film.init_bytes}@0"',
        ]


def _segment(fragment: Fragment, spec: FilmSpec, uri: str) -> str:
    return (
        f"#EXTINF:{fragment.frames / spec.fps:.6f},\n"
        f"#EXT-X-BYTERANGE:{fragment.end - fragment.offset}@{fragment.offset}\n{uri}"
    )


def _encode(lines: Sequence[str], *, is_ended: bool) -> bytes:
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_ended else []), ""]).encode("ascii")
