"""Playlists of a growing film are valid, never change listed segments, and play in ffmpeg."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from session.fragmented.writer import FilmWriter
from session.hls import SKIP_TARGETS, Playlist
from tests.session.sample_films import SPEC, watch_with_ffmpeg, write

URI = "full_session.mp4"


@pytest.fixture
def film(tmp_path: Path) -> Iterator[FilmWriter]:
    with FilmWriter.create(tmp_path / URI, SPEC) as film:
        yield film


def say(film: FilmWriter, *counts: int) -> None:
    clip = film.begin("a clip")
    for count in counts:
        write(clip, film.committed.frames, count)
    clip.finish()


def playlist_of(film: FilmWriter) -> Playlist:
    return Playlist(film, uri=URI, longest_frames=25)


def whole(playlist: Playlist, *, is_ended: bool = False) -> str:
    return playlist.whole(playlist.count(), is_ended=is_ended).plain.decode()


def segments_in(text: str) -> list[str]:
    return re.findall(r"#EXTINF:.*\n.*\n.*\n", text)


def test_the_playlist_has_all_that_players_need(film: FilmWriter) -> None:
    say(film, 2, 12)
    first, second = film.fragments_since(0)
    assert whole(playlist_of(film)) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=60\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:0\n"
        f'#EXT-X-MAP:URI="full_session.mp4",BYTERANGE="{film.init_bytes}@0"\n'
        "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        f"#EXTINF:0.080000,\n#EXT-X-BYTERANGE:{first.end - first.offset}@{first.offset}\n{URI}\n"
        f"#EXTINF:0.480000,\n#EXT-X-BYTERANGE:{second.end - second.offset}@{second.offset}\n{URI}\n"
    )


def test_it_grows_with_the_film_and_never_changes_what_it_listed(film: FilmWriter) -> None:
    playlist = playlist_of(film)
    before = whole(playlist)
    for counts in ([1], [2, 4], [25, 3]):
        say(film, *counts)
        assert playlist.count() == len(film.fragments_since(0))
        assert playlist.end == film.committed.bytes
        assert whole(playlist).startswith(before)
        before = whole(playlist)
    assert whole(playlist) == whole(playlist_of(film))  # of a restarted server


def test_only_the_playlist_of_an_ended_film_has_an_end(film: FilmWriter) -> None:
    say(film, 2)
    playlist = playlist_of(film)
    grows = whole(playlist)
    assert whole(playlist, is_ended=True) == grows + "#EXT-X-ENDLIST\n"


def test_the_compressed_playlist_equals_the_plain_one(film: FilmWriter) -> None:
    say(film, 2, 3)
    made = playlist_of(film).whole(2, is_ended=False)
    assert gzip.decompress(made.packed) == made.plain


def test_a_delta_and_the_segments_it_skips_are_the_full_playlist(
    film: FilmWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("session.hls.SKIP_TARGETS", 6)
    say(film, *[5] * 60)
    playlist = playlist_of(film)
    text = playlist.delta(60, is_ended=False).decode()
    assert "#EXT-X-VERSION:9\n" in text
    assert "CAN-SKIP-UNTIL=6\n" in text
    (skipped,) = re.findall(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", text)
    listed = segments_in(whole(playlist))
    assert listed[int(skipped) :] == segments_in(text)
    assert len(segments_in(text)) == 6 * 25 // 5


def test_a_short_film_has_no_delta(film: FilmWriter) -> None:
    say(film, *[25] * 3)
    playlist = playlist_of(film)
    assert SKIP_TARGETS > 3
    assert playlist.delta(3, is_ended=False).decode() == whole(playlist)


def test_a_window_numbers_its_segments_as_the_full_playlist_does(film: FilmWriter) -> None:
    say(film, *[1] * 10)
    playlist = playlist_of(film)
    text = playlist.window(10, 3, is_ended=False).decode()
    assert "#EXT-X-MEDIA-SEQUENCE:7\n" in text
    assert "EVENT" not in text
    assert segments_in(text) == segments_in(whole(playlist))[7:]


def test_no_later_fragment_may_exceed_the_target_duration(film: FilmWriter) -> None:
    assert Playlist(film, uri=URI, longest_frames=26).target_s == 2
    assert playlist_of(film).target_s == 1
    say(film, 60)
    assert playlist_of(film).target_s == 3  # written with another setting
    playlist = playlist_of(film)
    say(film, 76)
    with pytest.raises(ValueError, match=r"Fragment 1 has 76 frames; .* lasts at most 3 s"):
        playlist.count()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Change to the folder in which relative names of the playlist are resolved."""
    here = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(here)


def test_ffmpeg_plays_every_frame_of_the_playlist(folder: Path, film: FilmWriter) -> None:
    for counts in ([2, 4, 8, 3], [2, 1], [12, 12]):
        say(film, *counts)
    path = folder / "live.m3u8"
    path.write_text(whole(playlist_of(film), is_ended=True), encoding="ascii")
    numbers, samples = watch_with_ffmpeg(path)
    assert numbers == list(range(44))
    assert 0 <= 44 * SPEC.samples_per_frame - len(samples) < 3 * 1024
