"""Playlists of a growing film: what they say, what they keep, and that ffmpeg plays them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from footage import SPEC, watch_with_ffmpeg, write
from hypothesis import given
from hypothesis import strategies as st

from session.film import Fragment
from session.playlist import (
    Film,
    Segment,
    event_playlist,
    longest_frames,
    segments,
    window_playlist,
)
from session.writer import FilmWriter

FILM = Film(uri="full_session.mp4", spec=SPEC, init_bytes=700)


def fragments_of(counts: list[int]) -> list[Fragment]:
    made: list[Fragment] = []
    offset, frame = FILM.init_bytes, 0
    for index, count in enumerate(counts):
        end = offset + 100 + count
        made.append(Fragment(index=index, offset=offset, end=end, first_frame=frame, frames=count))
        offset, frame = end, frame + count
    return made


def listed(counts: list[int], least: int = 1, ends: tuple[int, ...] = ()) -> list[Segment]:
    return segments(fragments_of(counts), longest_frames=25, least_frames=least, clip_ends=ends)


def test_the_playlist_says_what_players_need() -> None:
    assert event_playlist(FILM, listed([2, 12]), is_closed=False) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="full_session.mp4",BYTERANGE="700@0"\n#EXT-X-PLAYLIST-TYPE:EVENT\n'
        "#EXTINF:0.080000,\n#EXT-X-BYTERANGE:102@700\nfull_session.mp4\n"
        "#EXTINF:0.480000,\n#EXT-X-BYTERANGE:112@802\nfull_session.mp4\n"
    )


def test_only_a_closed_film_has_an_end() -> None:
    closed = event_playlist(FILM, listed([2]), is_closed=True)
    assert closed == event_playlist(FILM, listed([2]), is_closed=False) + "#EXT-X-ENDLIST\n"


def test_a_window_numbers_its_segments_as_the_whole_does() -> None:
    text = window_playlist(FILM, listed([5] * 10), newest=3, is_closed=False)
    assert "#EXT-X-MEDIA-SEQUENCE:7\n" in text
    assert "EVENT" not in text
    assert text.endswith(event_playlist(FILM, listed([5] * 10), is_closed=False)[-180:])
    with pytest.raises(ValueError, match="newest is 2"):
        window_playlist(FILM, listed([5]), newest=2, is_closed=False)


def test_fragments_gather_until_they_are_enough_or_their_clip_ends() -> None:
    made = listed([2, 4, 8, 12, 3, 2], least=12, ends=(29,))
    assert [segment.frames for segment in made] == [14, 12, 3]  # the last two frames still wait


def test_a_fragment_longer_than_a_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="Fragment 1 has 26 frames; a segment takes at most 25"):
        listed([2, 26])


@given(
    counts=st.lists(st.integers(1, 25), max_size=40),
    least=st.integers(1, 25),
    data=st.data(),
)
def test_a_growing_film_never_changes_what_was_listed(
    counts: list[int], least: int, data: st.DataObject
) -> None:
    borders = [sum(counts[: index + 1]) for index in range(len(counts))]
    ends = tuple(data.draw(st.sets(st.sampled_from(borders)))) if borders else ()
    before: list[Segment] = []
    for size in range(len(counts) + 1):
        known = tuple(end for end in ends if end <= sum(counts[:size]))
        now = listed(counts[:size], least, known)
        assert now[: len(before)] == before
        assert all(segment.frames <= 25 for segment in now)
        before = now
    joints = [segment.end for segment in before][:-1]
    assert joints == [segment.offset for segment in before][1:]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where relative names of the playlist are found."""
    here = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(here)


@pytest.mark.parametrize("least", [1, 10])
def test_ffmpeg_plays_every_frame_of_the_playlist(folder: Path, least: int) -> None:
    with FilmWriter.create(folder / "full_session.mp4", SPEC) as film:
        for counts in ([2, 4, 8, 3], [2, 1], [12, 12]):
            clip = film.begin("a clip")
            for count in counts:
                write(clip, film.committed.frames, count)
            clip.finish()
        ends = [clip.first_frame + clip.frames for clip in film.committed.clips]
        head = Film(uri="full_session.mp4", spec=SPEC, init_bytes=film.init_bytes)
        made = segments(
            film.fragments_since(0),
            longest_frames=longest_frames(head),
            least_frames=least,
            clip_ends=ends,
        )
    playlist = folder / "live.m3u8"
    playlist.write_text(event_playlist(head, made, is_closed=True), encoding="ascii")
    numbers, samples = watch_with_ffmpeg(playlist)
    assert numbers == list(range(44))
    assert 0 <= 44 * SPEC.samples_per_frame - len(samples) < 3 * 1024
