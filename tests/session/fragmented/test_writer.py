"""A growing film is read back by independent decoders."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from session import video_encoder
from session.errors import (
    ClipEmptyError,
    ClipOpenError,
    FilmBusyError,
    FilmClosedError,
    FilmDamagedError,
    FilmDiskError,
    FilmExistsError,
    FilmMismatchError,
    FilmMissingError,
)
from session.film import ClipRecord, Cue, FilmSpec
from session.fragmented.film_files import create_film, delete_film, move_film
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from session.video_encoder import PRESETS
from tests.session.sample_films import SPEC, pictures, tone, watch, watch_with_ffmpeg, write

ROOT = Path(__file__).parents[3]


def write_clips(film: FilmWriter, lengths: list[list[int]]) -> int:
    """Write clips with fragments of these lengths; return the number of frames."""
    cursor = film.committed.frames
    for fragment_lengths in lengths:
        clip = film.begin(f"from {cursor}")
        for count in fragment_lengths:
            write(clip, cursor, count)
            cursor += count
        clip.finish()
    return cursor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "full_session.mp4"


def test_both_decoders_show_every_picture_once_and_in_order(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        count = write_clips(film, [[1], [1, 1], [2, 3, 7], [13, 25], [1]])
    shown = watch(path)
    assert shown.numbers == list(range(count))
    assert shown.picture_ticks == [index * 512 for index in range(count)]
    assert watch_with_ffmpeg(path)[0] == list(range(count))


def test_clips_of_all_presets_make_one_film_that_can_be_continued(path: Path) -> None:
    count = 0
    for order in (PRESETS, tuple(reversed(PRESETS))):
        with FilmWriter.open(path) if count else FilmWriter.create(path, SPEC) as film:
            for preset in order:
                clip = film.begin(preset, preset)
                for length in (3, 12):
                    write(clip, count, length)
                    count += length
                clip.finish()
    assert watch(path).numbers == list(range(count))
    assert watch_with_ffmpeg(path)[0] == list(range(count))


def test_sound_has_no_gap_and_lags_the_pictures_by_61_ms_at_most(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        for _ in range(12):
            count = write_clips(film, [[1, 2]])
            starts = watch(path).sample_starts
            assert starts == [1024 * index for index in range(len(starts))]
            assert 0 <= count * 1920 - 1024 * len(starts) <= 2944 + 1


def test_a_click_is_heard_at_its_own_sample_after_many_odd_clips(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        clicks = []
        for length in (1, 2, 3, 5, 7, 11, 13):
            samples = np.zeros(length * 1920, np.float32)
            samples[777] = 0.9
            clicks.append(film.committed.frames * 1920 + 777)
            clip = film.begin("click")
            clip.write(pictures(0, length), samples)
            clip.finish()
        write_clips(film, [[4]])
    for heard in (watch(path).samples, watch_with_ffmpeg(path)[1]):
        for click in clicks[1:]:
            window = np.abs(heard[click - 500 : click + 500])
            assert abs(int(window.argmax()) - 500) <= 1


def test_clip_boundaries_are_as_smooth_as_the_middle_of_a_clip(path: Path) -> None:
    lengths = [7, 5, 9, 4, 12, 3, 8]
    with FilmWriter.create(path, SPEC) as film:
        count = write_clips(film, [[length] for length in lengths])
    bend = np.abs(np.diff(watch(path).samples, n=2))
    boundaries = np.cumsum(lengths)[:-1] * 1920
    at_boundaries = max(bend[boundary - 64 : boundary + 64].max() for boundary in boundaries)
    middles = boundaries + 1920
    assert at_boundaries <= 1.5 * max(bend[middle - 64 : middle + 64].max() for middle in middles)
    assert count == sum(lengths)


def test_the_sound_is_decoded_as_it_was_written(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        count = write_clips(film, [[25], [25]])
    heard = watch(path).samples[2048:]
    expected = tone(0, count * 1920)[2048 : 2048 + len(heard)]
    assert np.sqrt(np.mean((heard - expected) ** 2)) < 0.003


@pytest.mark.parametrize("bgr", [(0, 0, 255), (0, 255, 0), (255, 0, 0), (90, 130, 200), (3, 3, 3)])
def test_colours_are_decoded_as_they_were_written(path: Path, bgr: tuple[int, int, int]) -> None:
    with FilmWriter.create(path, SPEC) as film:
        film.begin("").write([np.full((64, 64, 3), bgr, np.uint8)], np.zeros(1920, np.float32))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        shown = frame.to_ndarray(format="bgr24").astype(int)
        assert (frame.colorspace, frame.color_range) == (6, 1)  # SMPTE 170M, limited
    assert np.abs(shown - bgr).max() <= 4


@pytest.mark.parametrize(("width", "height"), [(65, 64), (64, 67), (101, 99), (512, 600)])
def test_odd_sizes_are_padded_with_their_last_row_and_column(
    path: Path, width: int, height: int
) -> None:
    spec = FilmSpec(width=width, height=height, fps=25)
    ramp = np.linspace(40, 220, width).astype(np.uint8)
    canvas = np.repeat(np.tile(ramp, (height, 1))[..., None], 3, axis=2)
    with FilmWriter.create(path, spec) as film:
        film.begin("").write([canvas], np.zeros(1920, np.float32))
    with FilmWriter.open(path) as film:
        assert film.spec == spec
    with av.open(str(path)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    assert shown.shape[:2] == (height + height % 2, width + width % 2)
    assert np.abs(shown[:height, :width] - canvas).mean() < 3
    assert np.abs(shown[-1, -1] - canvas[-1, -1]).max() < 12


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_frames_have_exact_times_at_every_rate(path: Path, fps: int) -> None:
    spec = FilmSpec(width=64, height=64, fps=fps)
    with FilmWriter.create(path, spec) as film:
        write(film.begin(""), 0, fps, spec)
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / fps for index in range(fps)])


def test_every_fragment_plays_alone_after_the_init_segment(path: Path, tmp_path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[1, 2, 9], [4]])
        fragments = film.fragments_since(0)
        init = path.read_bytes()[: film.init_bytes]
    assert [fragment.index for fragment in fragments] == [0, 1, 2, 3]
    for fragment in fragments:
        alone = tmp_path / "alone.mp4"
        alone.write_bytes(init + path.read_bytes()[fragment.offset : fragment.end])
        expected = range(fragment.first_frame, fragment.first_frame + fragment.frames)
        shown = watch(alone)
        assert shown.numbers == list(expected)
        assert shown.picture_ticks == [512 * frame for frame in expected]


def test_only_the_first_picture_of_a_fragment_is_a_key_frame_and_none_is_reordered(
    path: Path,
) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[1, 2, 9], [4]])
        firsts = [fragment.first_frame for fragment in film.fragments_since(0)]
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe] == firsts
    assert all(packet.pts == packet.dts for packet in packets)


def test_committed_bytes_never_change(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        before = path.read_bytes()
        for count in (1, 5, 2):
            write_clips(film, [[count]])
            after = path.read_bytes()
            assert after.startswith(before)
            assert len(after) == film.committed.bytes
            before = after
    assert path.read_bytes() == before


def test_committed_has_bytes_frames_and_finished_clips(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        assert film.committed.bytes == film.init_bytes
        write_clips(film, [[2, 3]])
        clip = film.begin("unfinished")
        fragment = write(clip, 5, 4)
        committed = film.committed
        assert (committed.bytes, committed.frames) == (fragment.end, 9)
        assert committed.clips == (ClipRecord(index=0, text="from 0", first_frame=0, frames=5),)
        assert clip.abandon() == film.committed.clips[1]


def test_fragments_since_gives_those_that_begin_there_or_later(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[1, 1, 1]])
        first, second, third = film.fragments_since(0)
        assert film.fragments_since(film.init_bytes) == [first, second, third]
        assert film.fragments_since(first.end) == [second, third]
        assert film.fragments_since(second.offset + 1) == [third]
        assert film.fragments_since(third.end) == []


def test_clips_survive_a_restart_and_an_unfinished_one_ends_at_its_last_fragment(
    path: Path,
) -> None:
    texts = ["Grüße\nan alle", 'quote " and \\', "\ud800 alone"]
    film = FilmWriter.create(path, SPEC)
    for text in texts:
        write(film.begin(text), 0, 2)
        film.close()
        film = FilmWriter.open(path)
    write(film.begin("cut short"), 6, 3)
    film.close()
    with FilmWriter.open(path) as film:
        clips = film.committed.clips
        assert [clip.text for clip in clips] == [*texts, "cut short"]
        assert [clip.first_frame for clip in clips] == [0, 2, 4, 6]
        assert [clip.frames for clip in clips] == [2, 2, 2, 3]


def test_a_film_continues_after_a_restart_without_a_gap(path: Path) -> None:
    FilmWriter.create(path, SPEC).close()
    for _ in range(6):
        with FilmWriter.open(path) as film:
            count = write_clips(film, [[3], [2, 5]])
    shown = watch(path)
    assert shown.numbers == list(range(count))
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
    assert watch_with_ffmpeg(path)[0] == list(range(count))


def test_sound_after_a_restart_is_heard_at_its_own_sample(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[7]])
    samples = np.zeros(5 * 1920, np.float32)
    samples[3000] = 0.9
    with FilmWriter.open(path) as film:
        film.begin("").write(pictures(7, 5), samples)
    heard = np.abs(watch(path).samples)
    click = 7 * 1920 + 3000
    assert abs(int(heard[click - 400 : click + 400].argmax()) - 400) <= 1


def test_one_clip_is_open_at_a_time(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("first")
        with pytest.raises(ClipOpenError, match="finish or abandon"):
            film.begin("second")
        clip.abandon()
        film.begin("second")


def test_an_abandoned_clip_keeps_its_fragments_and_an_empty_one_leaves_nothing(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        assert film.begin("never begun").abandon() is None
        clip = film.begin("cut")
        write(clip, 0, 3)
        assert clip.abandon() == ClipRecord(index=0, text="cut", first_frame=0, frames=3)
        assert clip.abandon() is None
        with pytest.raises(FilmClosedError, match="begin another"):
            write(clip, 3, 1)
        with pytest.raises(ClipEmptyError, match="abandon it"):
            film.begin("empty").finish()
        write_clips(film, [[2]])
        assert [clip.frames for clip in film.committed.clips] == [3, 2]
    assert watch(path).numbers == [0, 1, 2, 3, 4]


def test_a_fragment_ends_early_when_should_stop_is_true_and_the_clip_continues_there(
    path: Path,
) -> None:
    asked = iter([False, False, True])
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("cut")
        sound = tone(0, 10 * SPEC.samples_per_frame)
        cues = [Cue(text="kept", first_frame=1, frames=9), Cue(text="cut", first_frame=5, frames=5)]
        fragment = clip.write(pictures(0, 10), sound, cues, lambda: next(asked))
        assert (fragment.first_frame, fragment.frames) == (0, 3)
        assert clip.write(pictures(3, 1), sound[:1920], (), lambda: True).frames == 1
        write(clip, 4, 4)
        clip.finish()
        assert film.cues() == [Cue(text="kept", first_frame=1, frames=7)]
    assert watch(path).numbers == list(range(8))


@pytest.mark.parametrize(
    ("shape", "dtype", "samples", "message"),
    [
        (
            (64, 65, 3),
            np.uint8,
            np.zeros(1920, np.float32),
            r"\(64, 65, 3\) uint8; this film needs",
        ),
        ((64, 64), np.uint8, np.zeros(1920, np.float32), "this film needs"),
        ((64, 64, 3), np.float32, np.zeros(1920, np.float32), "float32; this film needs"),
        ((64, 64, 3), np.uint8, np.zeros(1919, np.float32), r"samples is \(1919,\)"),
        ((64, 64, 3), np.uint8, np.zeros((1920, 1), np.float32), "samples is"),
        ((64, 64, 3), np.uint8, np.zeros(1920), "samples is .* float64"),
        ((64, 64, 3), np.uint8, np.full(1920, np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_wrong_input_is_refused_and_the_clip_can_be_continued(
    path: Path, shape: tuple[int, ...], dtype: type, samples: np.ndarray, message: str
) -> None:
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("")
        write(clip, 0, 2)
        before = path.read_bytes()
        with pytest.raises(ValueError, match=message):
            clip.write([np.zeros(shape, dtype)], samples)
        with pytest.raises(ValueError, match="pictures is empty"):
            clip.write([], np.zeros(0, np.float32))
        assert path.read_bytes() == before
        write(clip, 2, 2)
    assert watch(path).numbers == [0, 1, 2, 3]


def test_pictures_may_be_read_only_views(path: Path) -> None:
    stack = np.stack(pictures(0, 4))[:, ::-1, ::-1]
    stack.setflags(write=False)
    with FilmWriter.create(path, SPEC) as film:
        film.begin("").write(list(stack[::2]), tone(0, 2 * 1920))
    assert len(watch(path).numbers) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 15}, "width is 15"),
        ({"height": 5000}, "height is 5000"),
        ({"fps": 29}, "fps is 29"),
        ({"fps": 0}, "fps is 0"),
    ],
)
def test_a_film_of_unsupported_size_or_rate_is_refused(
    changes: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FilmSpec(**({"width": 64, "height": 64, "fps": 25} | changes))


def test_create_refuses_an_existing_film_and_open_a_missing_one(path: Path) -> None:
    with pytest.raises(FilmMissingError, match="create one"):
        FilmWriter.open(path)
    FilmWriter.create(path, SPEC).close()
    before = path.read_bytes()
    with pytest.raises(FilmExistsError, match="open it, or delete it"):
        FilmWriter.create(path, SPEC)
    assert path.read_bytes() == before
    with pytest.raises(FilmDiskError, match="No such file"):
        FilmWriter.create(path.parent / "nowhere" / "film.mp4", SPEC)


def test_of_many_threads_that_create_one_film_at_once_one_succeeds(path: Path) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            create_film(path, SPEC)
            outcomes.append("created")
        except FilmExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["exists"] * 7


def test_create_leaves_only_the_film_and_its_journal(path: Path) -> None:
    FilmWriter.create(path, SPEC).close()
    assert sorted(path.parent.iterdir()) == [path, journal_path(path)]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 4000, b"\0\0\0\x18ftypisom and no more", b"x" * 7]
)
def test_a_file_that_is_not_a_film_is_refused_and_unchanged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FilmDamagedError, match="move it away"):
        FilmWriter.open(path)
    assert path.read_bytes() == content


def test_a_film_with_a_broken_init_segment_is_refused_and_left_alone(path: Path) -> None:
    FilmWriter.create(path, SPEC).close()
    content = path.read_bytes().replace(b"stsd", b"xxxx")
    path.write_bytes(content)
    with pytest.raises(FilmDamagedError):
        FilmWriter.open(path)
    assert path.read_bytes() == content


def test_a_film_of_other_encoder_parameters_is_refused_and_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[3]])
    before = path.read_bytes()
    monkeypatch.setitem(video_encoder._X264_PARAMS, "8x8dct", 0)
    with pytest.raises(FilmMismatchError, match="start a new film"):
        FilmWriter.open(path)
    assert path.read_bytes() == before
    monkeypatch.undo()
    FilmWriter.open(path).close()


def test_one_film_has_one_writer(path: Path) -> None:
    with FilmWriter.create(path, SPEC):
        with pytest.raises(FilmBusyError, match="Another writer"):
            FilmWriter.open(path)
        code = (
            "import sys, pathlib, session.fragmented.writer, session.errors\n"
            "try: session.fragmented.writer.FilmWriter.open(pathlib.Path(sys.argv[1]))\n"
            "except session.errors.FilmBusyError: sys.exit(7)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
        assert done.returncode == 7
    FilmWriter.open(path).close()


def test_a_reader_does_not_keep_the_film_locked(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    with film.reader():
        film.close()
        FilmWriter.open(path).close()


def test_a_watcher_wakes_when_a_fragment_is_durable(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        seen: list[int] = []
        start = film.committed.bytes
        watcher = threading.Thread(target=lambda: seen.append(film.wait_past(start, 30.0)))
        watcher.start()
        fragment = write(film.begin(""), 0, 1)
        watcher.join()
        assert seen == [fragment.end]
        assert film.wait_past(fragment.end, 0.0) == fragment.end


def test_a_watcher_wakes_when_the_film_is_closed(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    end = film.committed.bytes
    seen: list[int] = []
    watcher = threading.Thread(target=lambda: seen.append(film.wait_past(end, 30.0)))
    watcher.start()
    film.close()
    watcher.join()
    assert seen == [end]
    assert film.is_closed


def test_a_closed_film_refuses_writes_and_may_be_closed_again(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    clip = film.begin("open")
    write(clip, 0, 2)
    film.close()
    film.close()
    assert [record.text for record in film.committed.clips] == ["open"]
    with pytest.raises(FilmClosedError, match="open it again"):
        write(clip, 2, 1)
    assert clip.abandon() is None
    with pytest.raises(FilmClosedError):
        film.begin("next")


def test_a_closed_film_can_be_read_while_it_is_at_its_path(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    write(film.begin("kept"), 0, 2)
    film.close()
    with film.reader() as reader:
        assert b"".join(reader.chunks(0, reader.size)) == path.read_bytes()
    path.unlink()
    with pytest.raises(FilmClosedError, match="no longer at its path"):
        film.reader()
    FilmWriter.create(path, SPEC).close()
    with pytest.raises(FilmClosedError, match="no longer at its path"):
        film.reader()


def test_a_film_without_writer_can_be_moved_valid_or_damaged(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write(film.begin("kept"), 0, 2)
    archive = path.with_name("archive.mp4")
    move_film(path, archive)
    with FilmWriter.open(archive) as moved:
        assert [clip.text for clip in moved.committed.clips] == ["kept"]
        with pytest.raises(FilmBusyError):
            move_film(archive, path)
    path.write_bytes(b"no film any more")
    with pytest.raises(FilmExistsError, match="choose another path"):
        move_film(path, archive)
    move_film(path, path.with_name("damaged.mp4"))
    assert path.with_name("damaged.mp4").read_bytes() == b"no film any more"
    assert not path.exists()


def test_delete_removes_every_file_and_readers_keep_theirs(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    write_clips(film, [[4]])
    old_id, committed = film.film_id, path.read_bytes()
    with film.reader() as reader:
        film.delete()
        assert list(path.parent.iterdir()) == []
        with FilmWriter.create(path, SPEC) as fresh:
            assert fresh.film_id != old_id
            assert fresh.committed.frames == 0
            assert b"".join(reader.chunks(0, len(committed))) == committed
            assert reader.film_id == old_id


def test_a_film_without_writer_can_be_deleted_valid_or_damaged(path: Path) -> None:
    FilmWriter.create(path, SPEC).close()
    path.write_bytes(b"no film any more")
    for ending in (".new", ".journal.new", ".cut-1", ".cut-12"):
        path.with_name(path.name + ending).write_bytes(b"left by a crash")
    delete_film(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(FilmMissingError):
        delete_film(path)


def test_a_film_in_use_is_not_deleted_from_under_its_writer(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        with pytest.raises(FilmBusyError):
            delete_film(path)
        write_clips(film, [[2]])
    assert watch(path).numbers == [0, 1]


def test_a_journal_left_over_from_a_deleted_film_does_not_affect_the_next(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[1, 2], [3]])
    path.unlink()
    with FilmWriter.create(path, SPEC) as film:
        assert film.committed.frames == 0
        write_clips(film, [[2]])
    with FilmWriter.open(path) as film:
        assert [clip.frames for clip in film.committed.clips] == [2]


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_film_leaves_no_file_open(path: Path, tmp_path: Path) -> None:
    before = open_files()
    FilmWriter.create(path, SPEC).close()
    (tmp_path / "bad.mp4").write_bytes(b"bad")
    for _ in range(3):
        with pytest.raises(FilmDamagedError):
            FilmWriter.open(tmp_path / "bad.mp4")
        with FilmWriter.open(path) as film, film.reader(), pytest.raises(FilmBusyError):
            FilmWriter.open(path)
    assert open_files() == before


def test_a_moved_film_opens_at_its_new_place(path: Path) -> None:
    film = FilmWriter.create(path, SPEC)
    write_clips(film, [[4], [2]])
    film_id, clips = film.film_id, film.committed.clips
    archive = path.with_name("archive.mp4")
    film.move(archive)
    assert sorted(path.parent.iterdir()) == [archive, journal_path(archive)]
    with FilmWriter.open(archive) as moved:
        assert (moved.film_id, moved.committed.clips) == (film_id, clips)


def test_codecs_match_those_in_the_file(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write_clips(film, [[3]])
        assert film.codecs == "avc1.64000a, mp4a.40.2"
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        for stream in (video, audio):
            next(container.decode(stream))
        assert (video.codec_context.profile, audio.codec_context.profile) == ("High", "LC")


def test_nothing_is_published_before_both_syncs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FilmWriter.create(path, SPEC) as film:
        published: list[int] = []
        real_sync = os.fsync

        def watchful_sync(fd: int) -> None:
            real_sync(fd)
            published.append(film.committed.bytes)

        before = film.committed.bytes
        monkeypatch.setattr(os, "fsync", watchful_sync)
        fragment = write(film.begin(""), 0, 1)
        assert published == [before, before]
        assert film.committed.bytes == fragment.end


def test_a_viewer_sees_the_committed_end_only_grow(path: Path) -> None:
    stop = threading.Event()
    ends = [0]

    def follow(film: FilmWriter) -> None:
        while not stop.is_set():
            ends.append(film.wait_past(ends[-1], 0.01))
            ends.append(film.committed.bytes)

    with FilmWriter.create(path, SPEC) as film:
        follower = threading.Thread(target=follow, args=(film,))
        follower.start()
        write_clips(film, [[1, 2, 3, 4], [5]])
        stop.set()
        follower.join()
    assert ends == sorted(ends)
