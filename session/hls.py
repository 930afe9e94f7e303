"""The HLS playlist of a growing film: byte ranges of the one file (RFC 8216 and its revision).

A segment is a fragment: it begins with a key frame and is listed as soon as it is on disk, so the
first picture of a clip comes early. Once listed it never changes.
"""

import gzip
from bisect import bisect_right
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from session.film import FilmSpec, Fragment
from session.fragmented.writer import FilmWriter

SKIP_TARGETS = 60
"""Target durations before its end that a delta update repeats; a player that knows the list as it
was half as long ago may ask for one."""
LEAST_WINDOW = 3
"""Segments that a list without an end must have at least."""
_GZIP_LEVEL = 1
"""A list shrinks to a tenth at any level."""


class FullPlaylist(NamedTuple):
    """A whole playlist, plain and packed."""

    segments: int
    is_ended: bool
    plain: bytes
    packed: bytes
    """By gzip."""


class Playlist:
    """The playlist of one film. Any thread; each fragment is looked at once."""

    def __init__(self, film: FilmWriter, *, uri: str, longest_frames: int) -> None:
        """`uri` is the film as players resolve it; no fragment has more than `longest_frames`.

        A film that is there already may have been written with longer ones: these count as well.
        """
        self._film = film
        self._uri = uri
        self._growing = Lock()
        self._segments: list[str] = []
        self._first_frames: list[int] = []
        self._frames = 0
        self._end = film.init_bytes
        fresh = film.fragments_since(self._end)
        longest = max([longest_frames, *(fragment.frames for fragment in fresh)])
        self.target_s = -(-longest // film.spec.fps)
        """No segment lasts longer: EXT-X-TARGETDURATION, which never changes."""
        self._add(fresh)
        self._whole: FullPlaylist | None = None

    def count(self) -> int:
        """How many segments can be listed now."""
        with self._growing:
            self._add(self._film.fragments_since(self._end))
            return len(self._segments)

    @property
    def end(self) -> int:
        """First byte of the film after the last segment that was counted."""
        return self._end

    def whole(self, count: int, *, is_ended: bool) -> FullPlaylist:
        """The first `count` segments: players may seek to all that was said."""
        whole = self._whole
        if whole is None or (whole.segments, whole.is_ended) != (count, is_ended):
            lines = [*self._head(first=0), "#EXT-X-PLAYLIST-TYPE:EVENT", *self._segments[:count]]
            plain = _text(lines, is_ended=is_ended)
            whole = FullPlaylist(count, is_ended, plain, gzip.compress(plain, _GZIP_LEVEL, mtime=0))
            self._whole = whole
        return whole

    def delta(self, count: int, *, is_ended: bool) -> bytes:
        """What is new in these, for a player that knows the rest."""
        skipped = self._before(count, self._skip_s)
        if not skipped:
            return self.whole(count, is_ended=is_ended).plain
        lines = [*self._head(first=0, version=9), "#EXT-X-PLAYLIST-TYPE:EVENT"]
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        return _text([*lines, *self._segments[skipped:count]], is_ended=is_ended)

    def window(self, count: int, newest: int, *, is_ended: bool) -> bytes:
        """The `newest` of them alone, numbered as in the whole, for players that know no deltas.

        Not an EVENT playlist, which may drop nothing.
        """
        first = max(0, count - max(newest, LEAST_WINDOW))
        lines = [*self._head(first=first), *self._segments[first:count]]
        return _text(lines, is_ended=is_ended)

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

    def _before(self, count: int, seconds: int) -> int:
        """How many of the first `count` segments end that long before the film's end, or more."""
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


def _text(lines: Sequence[str], *, is_ended: bool) -> bytes:
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_ended else []), ""]).encode("ascii")
