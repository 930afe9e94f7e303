"""A `concat` film is complete at every moment, and only replaced by a longer one."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from session import video_encoder
from session.__main__ import main
from session.byte_ranges import etag
from session.errors import (
    ClipEmptyError,
    ClipOpenError,
    CopyFailedError,
    FilmBusyError,
    FilmClosedError,
    FilmDamagedError,
    FilmDiskError,
    FilmEmptyError,
    FilmFullError,
    FilmGoneError,
    FilmMismatchError,
    FilmMissingError,
    FilmNotLiveError,
)
from session.factory import create_film, delete_film, kind_of, live_film, move_film, open_film
from session.film import Cue, FilmSpec
from session.fragmented.boxes import iter_boxes
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film
from tests.session.mp4.sample_clips import CLICK_FRAME, clicking, clicks, ffmpeg_that, names
from tests.session.sample_films import SPEC, pictures, tone, watch, watch_with_ffmpeg
from tests.session.test_full_disk import largest_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "film.mp4"


def say(film: ConcatFilm, first: int, *counts: int, text: str = "") -> None:
    """Add a clip of pictures from `first` on and a piece of tone, in parts of `counts` frames."""
    clip = film.begin(text)
    try:
        for count in counts:
            clip.write(pictures(first, count), tone(first * 1920, count * 1920))
            first += count
        clip.finish()
    finally:
        clip.abandon()


def test_clips_become_one_ordinary_file_with_every_picture_and_its_sound(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        assert not path.exists()
        say(film, 0, 2, 4, 2)
        say(film, 8, 16)
        say(film, 24, 3, 5)
        committed = film.committed
    assert names(path.parent) == ["film.mp4"]
    assert (committed.bytes, committed.frames) == (path.stat().st_size, 32)
    lengths = [(clip.first_frame, clip.frames) for clip in committed.clips]
    assert lengths == [
        (0, 8),
        (8, 16),
        (24, 8),
    ]
    kinds = [kind for kind, *_ in iter_boxes(path.read_bytes())]
    assert b"moof" not in kinds
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    shown = watch(path)
    assert shown.numbers == list(range(32))
    assert shown.picture_ticks == [512 * index for index in range(32)]
    assert shown.sample_starts == [1024 * index for index in range(60)]
    numbers, samples = watch_with_ffmpeg(path)
    assert numbers == shown.numbers
    assert len(samples) == 32 * 1920
    inside = slice(2048, 32 * 1920 - 2048)  # includes both clip boundaries
    assert np.abs(samples[inside] - tone(0, 32 * 1920)[inside]).max() < 0.02


def test_a_clip_is_padded_to_an_aligned_length_with_its_last_picture_and_silence(
    path: Path,
) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        assert film.alignment_frames == 8
        say(film, 0, 5)
        assert film.committed.clips[0].frames == 8
        say(film, 8, 8)
    shown = watch(path)
    assert shown.numbers == [0, 1, 2, 3, 4, 4, 4, 4, *range(8, 16)]
    assert np.abs(shown.samples[6 * 1920 : 8 * 1920 - 1024]).max() < 0.01


def test_clicks_stay_on_their_pictures_over_a_dozen_clips(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        for _ in range(12):
            clip = film.begin("")
            clip.write(pictures(0, 7), clicking(7))
            clip.finish()
    numbers, samples = watch_with_ffmpeg(path)
    assert numbers == [0, 1, 2, 3, 4, 5, 6, 6] * 12
    places = [(8 * index + CLICK_FRAME) * 1920 for index in range(12)]
    assert max(map(abs, clicks(samples, places))) <= 1


def test_sound_crosses_clip_boundaries_as_from_one_encoder(path: Path) -> None:
    """Also if the film was closed between clips: the state of the encoder is restored from the
    film."""
    first = 0
    for _ in range(4):
        film = ConcatFilm.open(path) if path.exists() else ConcatFilm.create(path, SPEC)
        with film:
            say(film, first, 8)
        first += 8
    samples = watch(path).samples
    wrong = np.abs(samples - tone(0, len(samples)))
    boundaries = [wrong[at - 2048 : at + 2048].max() for at in (15360, 30720, 46080)]
    assert max(boundaries) < 0.02  # of 0.3; a fade-in at a boundary would be wrong by all of it
    assert [kind for kind, *_ in iter_boxes(path.read_bytes())].count(b"mdat") == 1


def test_only_the_last_packets_before_a_clip_boundary_are_encoded_again(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        before = packets(path)
        say(film, 8, 8)
    after = packets(path)
    assert (len(before), len(after)) == (15, 30)
    assert after[:13] == before[:13]
    assert after[13:15] != before[13:]


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_a_film_whose_sound_was_damaged_on_disk_is_reported_and_unchanged(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        whole = path.read_bytes()
        last = packets(path)[-3]
        with path.open("r+b") as file:
            file.seek(whole.index(last))
            file.write(bytes(len(last)))
        damaged = path.read_bytes()
        with pytest.raises(FilmDamagedError, match="differ from their checksum"):
            say(film, 8, 8)
        assert path.read_bytes() == damaged
        path.write_bytes(whole)
        say(film, 8, 8)
    assert watch(path).numbers == list(range(16))


def test_no_click_is_heard_where_clips_that_end_in_silence_meet(path: Path) -> None:
    faded = tone(0, 16 * 1920) * np.hanning(16 * 1920).astype(np.float32)
    with ConcatFilm.create(path, SPEC) as film:
        for _ in range(4):
            clip = film.begin("")
            clip.write(pictures(0, 16), faded)
            clip.finish()
    bends = np.abs(np.diff(watch_with_ffmpeg(path)[1], n=2))
    boundaries = [bends[at - 64 : at + 64].max() for at in (30720, 61440, 92160)]
    middles = [bends[at - 64 : at + 64].max() for at in (15360, 46080, 76800)]
    assert max(boundaries) <= max(middles)


def test_a_reader_keeps_its_file_and_the_next_one_has_another_tag(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        with pytest.raises(FilmEmptyError, match="has no clip yet"):
            film.reader()
        say(film, 0, 8)
        before = path.read_bytes()
        with film.reader() as old:
            start = b"".join(old.chunks(0, 700))
            say(film, 8, 8)
            with film.reader() as new:
                assert etag(new.film_id) != etag(old.film_id)
                assert b"".join(new.chunks(0, new.size)) == path.read_bytes()
            assert start + b"".join(old.chunks(700, old.size)) == before
        assert film.committed.bytes == path.stat().st_size > len(before)
    with film.reader() as closed:
        assert b"".join(closed.chunks(0, closed.size)) == path.read_bytes()


def test_texts_and_sentences_are_read_back(path: Path) -> None:
    cues = [Cue(text="One.", first_frame=8, frames=3), Cue(text="Two.", first_frame=11, frames=90)]
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8, text="no cues")
        clip = film.begin("One. Two.")
        clip.write(pictures(8, 8), tone(0, 8 * 1920), cues)
        clip.finish()
        with pytest.raises(ValueError, match="A cue begins at frame 4"):
            film.begin("").write(
                pictures(0, 1), tone(0, 1920), [Cue(text="", first_frame=4, frames=1)]
            )
    with ConcatFilm.open(path) as film:
        assert [clip.text for clip in film.committed.clips] == ["no cues", "One. Two."]
        assert [(cue.text, cue.first_frame, cue.frames) for cue in film.cues()] == [
            ("no cues", 0, 8),
            ("One.", 8, 3),
            ("Two.", 11, 5),
        ]
        say(film, 16, 8)
    assert watch(path).numbers == list(range(24))


def test_an_abandoned_clip_leaves_the_film_as_it_was(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        before, film_id = path.read_bytes(), film.film_id
        clip = film.begin("no more")
        clip.write(pictures(8, 3), tone(0, 3 * 1920))
        assert len(names(path.parent)) == 3
        with pytest.raises(ClipOpenError):
            film.begin("")
        assert clip.abandon() is None
        with pytest.raises(FilmClosedError):
            clip.write(pictures(8, 3), tone(0, 3 * 1920))
        with pytest.raises(ClipEmptyError):
            film.begin("nothing").finish()
        assert (path.read_bytes(), film.film_id) == (before, film_id)
        assert names(path.parent) == ["film.mp4", "film.mp4.lock"]
        say(film, 8, 8)
    assert watch(path).numbers == list(range(16))


@dataclass
class Fault:
    script: str
    error: type[Exception]
    reason: str


REMAKE = 'FFMPEG "$@"; FFMPEG -v error -i "$out" {} -f mp4 "$out.x"; mv "$out.x" "$out"'
FAULTS = {
    "old film alone": Fault('sed -i 5,7d "$list"; FFMPEG "$@"', CopyFailedError, "instead of 16"),
    "cut short": Fault('FFMPEG "$@"; truncate -s -500 "$out"', CopyFailedError, "past the end"),
    "no index": Fault('truncate -s 900 "$out"', CopyFailedError, "no index"),
    "nothing": Fault("true", CopyFailedError, "wrote nothing"),
    "half the sound": Fault(
        REMAKE.format("-c:v copy -ar 24000 -c:a aac"), CopyFailedError, "packets of sound"
    ),
    "no room": Fault("echo No space left on device >&2", FilmFullError, "make room"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_wrong_output_of_ffmpeg_is_detected_despite_exit_code_0_and_the_film_is_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fault = FAULTS[name]
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        before = path.read_bytes(), names(path.parent), film.committed, film.film_id
        with (
            ffmpeg_that(monkeypatch, path.parent, fault.script),
            pytest.raises(fault.error, match=fault.reason),
        ):
            say(film, 8, 8)
        assert (path.read_bytes(), names(path.parent), film.committed, film.film_id) == before
        say(film, 8, 8)
    assert watch(path).numbers == list(range(16))


@pytest.mark.parametrize("room", [0.0, 0.5, 1.0, 1.6])
def test_on_a_full_disk_the_film_is_unchanged_and_the_next_clip_works(
    path: Path, room: float
) -> None:
    """The limit is reached by the clip's own file, by the copy, or by the metadata box."""
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 16)
        before, left = path.read_bytes(), names(path.parent)
        with largest_file(int(len(before) * room)), pytest.raises(FilmFullError):
            say(film, 16, 16)
        assert (path.read_bytes(), names(path.parent)) == (before, left)
        say(film, 16, 8)
    assert watch(path).numbers == list(range(24))


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_when_the_disk_fails_the_film_is_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        before, left = path.read_bytes(), names(path.parent)
        with monkeypatch.context() as patched:
            patched.setattr(os, call, fail)
            with pytest.raises(FilmDiskError, match="Input/output error"):
                say(film, 8, 8)
        assert (path.read_bytes(), names(path.parent)) == (before, left)
        say(film, 8, 8)
    assert watch(path).numbers == list(range(16))


def test_when_a_new_name_cannot_be_synced_the_film_closes_and_can_be_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is then unknown which of the two films a power cut would leave."""
    sync = os.fsync

    def fail_for_folders(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        sync(fd)

    film = ConcatFilm.create(path, SPEC)
    say(film, 0, 8)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail_for_folders)
        with pytest.raises(FilmDiskError, match="Input/output error"):
            say(film, 8, 8)
        assert film.is_closed
        with pytest.raises(FilmDiskError, match="Input/output error"):
            ConcatFilm.open(path)
    with ConcatFilm.open(path) as again:
        assert again.committed.frames == 16
        say(again, 16, 8)
    assert watch(path).numbers == list(range(24))


WRITER = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.session.mp4.test_concat_film import SPEC, say
from session.mp4.concat_film import ConcatFilm
path = Path({path!r})
film = ConcatFilm.open(path) if path.exists() else ConcatFilm.create(path, SPEC)
print("ready", flush=True)
while True:
    say(film, film.committed.frames, 8)
    print(film.committed.frames, flush=True)
"""


def test_after_kill_9_the_last_complete_film_has_every_acknowledged_clip(path: Path) -> None:
    chance = random.Random(5)
    code = WRITER.format(root=str(ROOT), path=str(path))
    held = 0
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            acknowledged = [process.stdout.readline() for _ in range(2)]
            time.sleep(chance.uniform(0, 0.15))  # any moment of the next clip
            process.send_signal(signal.SIGKILL)
            acknowledged += process.stdout.read().splitlines()
        with ConcatFilm.open(path) as film:
            assert film.committed.frames >= max(map(int, acknowledged))
            held = film.committed.frames
        assert names(path.parent) == ["film.mp4"]
    shown = watch(path)
    assert shown.numbers == list(range(held))
    assert len(shown.samples) == held * 1920


def test_a_kill_during_the_first_clip_leaves_no_files_after_the_next_start(path: Path) -> None:
    path.with_name("film.mp4.lock").touch()
    parts = path.with_name(".film.mp4.0.parts")
    parts.mkdir()
    (parts / "clip.mp4").write_bytes(b"half a clip")
    with pytest.raises(FilmMissingError, match="no film"):
        ConcatFilm.open(path)
    assert names(path.parent) == []


def test_a_second_writer_is_refused_and_the_lock_ends_with_its_holder(path: Path) -> None:
    film = ConcatFilm.create(path, SPEC)
    say(film, 0, 8)
    with pytest.raises(FilmBusyError, match="Another writer"):
        ConcatFilm.open(path)
    film.close()
    path.with_name("film.mp4.lock").touch()  # as a killed process leaves it
    ConcatFilm.open(path).close()


def test_a_film_that_was_removed_is_not_replaced(path: Path) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        path.unlink()
        assert not film.is_in_place()
        with pytest.raises(FilmGoneError, match="no longer at its path"):
            say(film, 8, 8)
    assert names(path.parent) == []


def test_a_film_is_deleted_and_moved_with_its_accompanying_files(path: Path) -> None:
    target = path.with_name("archive.mp4")
    for take in (lambda film: film.move(target), lambda film: film.delete()):
        film = ConcatFilm.create(path, SPEC)
        say(film, 0, 8)
        with film.reader() as reader:
            take(film)
            assert len(b"".join(reader.chunks(0, reader.size))) == reader.size
        assert film.is_closed
        assert names(path.parent) == ["archive.mp4"]
    ConcatFilm.create(path, SPEC).delete()
    (path.parent / ".film.mp4.0.parts").mkdir()
    move_film(target, path)
    delete_film(path)
    assert names(path.parent) == []


def test_neither_writer_continues_a_film_of_the_other(path: Path) -> None:
    other = path.with_name("other.mp4")
    with create_film(path, SPEC, "concat") as film:
        say(film, 0, 8)
        with pytest.raises(FilmNotLiveError, match="`writer: fragments`"):
            live_film(film)
    with create_film(other, SPEC, "fragments") as film:
        assert live_film(film) is film
    assert (kind_of(path), kind_of(other)) == ("concat", "fragments")
    with pytest.raises(FilmMismatchError, match="`writer: concat`"):
        open_film(path, "fragments")
    with pytest.raises(FilmMismatchError, match="`writer: fragments`"):
        open_film(other, "concat")
    open_film(path, "concat").close()


def test_other_encoder_parameters_cannot_continue_a_film(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
    with monkeypatch.context() as patched:
        patched.setitem(video_encoder._X264_PARAMS, "8x8dct", 0)
        with pytest.raises(FilmMismatchError, match="other parameters"):
            ConcatFilm.open(path)
    assert names(path.parent) == ["film.mp4"]


def test_check_reports_the_kind_of_film_and_export_copies_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ConcatFilm.create(path, SPEC) as film:
        say(film, 0, 8)
        say(film, 8, 8)
    assert main(["check", str(path)]) == 0
    output = capsys.readouterr().out
    assert "written with `writer: concat`" in output
    assert "2, every boundary decoded" in output
    assert main(["repair", str(path)]) == 1
    assert "no torn end" in capsys.readouterr().err
    out = path.with_name("export.mp4")
    assert export_film(path, out).video.packets == 16
    assert watch(out).numbers == list(range(16))
    assert kind_of(out) is None
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        at = container.streams.video[0].index_entries[0].pos
    data[at : at + 4] = b"\xff" * 4  # a unit longer than its picture
    path.write_bytes(data)
    assert main(["check", str(path)]) == 1
    assert "cannot be decoded" in capsys.readouterr().out
    path.write_bytes(data[:-9])
    with pytest.raises(FilmDamagedError):
        ConcatFilm.open(path)


def test_an_odd_size_and_another_rate_have_their_own_alignment(path: Path) -> None:
    spec = FilmSpec(width=65, height=67, fps=30)
    with ConcatFilm.create(path, spec) as film:
        assert film.alignment_frames == 16
        clip = film.begin("")
        clip.write(pictures(0, 3, spec), np.zeros(3 * 1600, np.float32))
        clip.finish()
    shown = watch(path)
    assert len(shown.numbers) == 16
    assert len(shown.samples) == 16 * 1600
