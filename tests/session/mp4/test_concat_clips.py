"""Clips are joined into one ordinary MP4, judged by the pictures and sound at their boundaries."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.__main__ import main
from session.alignment import alignment_frames, packet_count
from session.errors import ClipUnfitError, CopyFailedError, FilmExistsError, FilmFullError
from session.film import FilmSpec
from session.fragmented.boxes import iter_boxes
from session.mp4.concat_clips import concat_clips
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film
from session.mp4.soundtrack import AudioSegment, segment_samples
from tests.session.mp4.sample_clips import (
    CLICK_FRAME,
    again,
    clicks,
    clip,
    ffmpeg_that,
    film,
    names,
)
from tests.session.sample_films import SPEC, pictures, tone, watch, watch_with_ffmpeg
from tests.session.test_full_disk import largest_file

MILLISECOND = 48


def places(lengths: list[int]) -> list[int]:
    """Return the samples at which the clicks of clips of these lengths must be."""
    starts = np.cumsum([0, *lengths[:-1]])
    return [int(start + CLICK_FRAME) * SPEC.samples_per_frame for start in starts]


def test_films_and_exports_of_sessions_join_with_every_click_on_its_picture(tmp_path: Path) -> None:
    lengths = [26, 13, 9]
    films = [
        film(tmp_path / f"{first}.mp4", count, first=first)
        for first, count in zip((0, 26, 39), lengths, strict=True)
    ]
    export_film(films[1], tmp_path / "export.mp4")
    out = tmp_path / "out.mp4"
    joined = concat_clips([films[0], tmp_path / "export.mp4", films[2]], out)
    assert joined.frames == 48
    assert joined.duration_s == Fraction(48, 25)
    shown = watch(out)
    assert shown.numbers == list(range(48))
    assert shown.picture_ticks == [512 * index for index in range(48)]
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
    assert max(map(abs, clicks(shown.samples, places(lengths)))) <= MILLISECOND
    numbers, samples = watch_with_ffmpeg(out)
    assert numbers == shown.numbers
    assert max(map(abs, clicks(samples, places(lengths)))) <= MILLISECOND


def test_the_result_is_an_ordinary_file_that_plays_from_its_first_bytes(tmp_path: Path) -> None:
    source, out = film(tmp_path / "a.mp4", 8), tmp_path / "out.mp4"
    concat_clips([source, source], out)
    kinds = [kind for kind, *_ in iter_boxes(out.read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("frames", ["0", "2"])
def test_forty_clips_with_primed_sound_do_not_drift(tmp_path: Path, frames: str) -> None:
    """Joined naively, each clip's priming delays the sound by 21 ms: 850 ms in all."""
    source = clip(tmp_path / "a.mp4", 9, "-bf", frames)
    out = tmp_path / "out.mp4"
    concat_clips([source] * 40, out)
    numbers, samples = watch_with_ffmpeg(out)
    assert numbers == list(range(9)) * 40
    assert max(map(abs, clicks(samples, places([9] * 40)))) <= MILLISECOND
    with av.open(str(out)) as container:
        assert next(container.decode(video=0)).pts == 0
        assert container.streams.audio[0].start_time == 0
        ends = [float(stream.duration * stream.time_base) for stream in container.streams]
    assert abs(ends[0] - ends[1]) < 1024 / 48_000


def test_clips_whose_sound_ends_with_their_pictures_keep_every_packet(tmp_path: Path) -> None:
    sources = []
    for name, count in (("a", 8), ("b", 16)):
        with ConcatFilm.create(tmp_path / f"{name}.mp4", SPEC) as writer:
            made = writer.begin("")
            made.write(pictures(0, count), np.zeros(count * 1920, np.float32) + 0.1)
            made.finish()
        sources.append(tmp_path / f"{name}.mp4")
    out = tmp_path / "out.mp4"
    assert concat_clips(sources, out).notes[-1].startswith("sound: copied")
    assert packets(out) == packets(sources[0]) + packets(sources[1])
    assert watch(out).numbers == [*range(8), *range(16)]


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_names_with_special_characters_are_taken_literally(tmp_path: Path) -> None:
    strange = [tmp_path / name for name in ("it's.mp4", "-i x.mp4", "a\nfile b.mp4", "ü #%d.mp4")]
    for path in strange:
        film(path, 8)
    out = tmp_path / "'out.mp4"
    assert concat_clips(strange, out).frames == 32
    assert watch(out).numbers == list(range(8)) * 4


DIFFERENT = {
    "extradata": ("-crf", "20", "-profile:v", "baseline"),
    "size": ("-vf", "scale=80:64"),
    "fps": ("-r", "30"),
    "codec": ("-c:v", "mpeg4"),
}


@pytest.mark.parametrize("field", [*DIFFERENT, "rotation"])
def test_a_clip_that_differs_is_refused_with_both_values_and_the_remedy(
    tmp_path: Path, field: str
) -> None:
    first, out = clip(tmp_path / "first.mp4", 10), tmp_path / "out.mp4"
    if field == "rotation":
        turn = ("-display_rotation", "90")
        other = again(first, tmp_path / "other.mp4", "-c", "copy", before=turn)
    else:
        other = again(first, tmp_path / "other.mp4", "-c:v", "libx264", *DIFFERENT[field])
    out.write_bytes(b"before")
    with pytest.raises(ClipUnfitError, match=r"other\.mp4 does not continue .*first\.mp4") as error:
        concat_clips([first, first, other], out)
    assert "its " in str(error.value)
    assert " instead of " in str(error.value)
    assert "--normalise" in str(error.value)
    assert out.read_bytes() == b"before"
    joined = concat_clips([first, first, other], out, normalises=True)
    assert joined.duration_s == Fraction(30, 25)
    samples = watch_with_ffmpeg(out)[1]
    assert max(map(abs, clicks(samples, places([10, 10, 10])))) <= MILLISECOND
    if field != "rotation":
        assert watch(out).numbers == list(range(10)) * 3


def test_a_rotated_clip_is_normalised_upright(tmp_path: Path) -> None:
    first = clip(tmp_path / "first.mp4", 6)
    turned = again(first, tmp_path / "turned.mp4", "-c", "copy", before=("-display_rotation", "90"))
    out = tmp_path / "out.mp4"
    concat_clips([first, turned], out, normalises=True)
    with av.open(str(out)) as container:
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert np.abs(np.rot90(shown[1]).astype(int) - shown[7]).mean() < 3


def test_a_file_that_is_not_a_clip_is_refused_and_the_target_is_unchanged(tmp_path: Path) -> None:
    good = clip(tmp_path / "good.mp4", 30, "-movflags", "+faststart")
    bad = {
        "missing": "cannot be opened: No such file",
        "empty": "is empty",
        "text": "cannot be read",
        "cut": "is cut short",
        "deaf": "has no pictures",
        "cover": "has no pictures",
    }
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film at all\n" * 100)
    (tmp_path / "cut.mp4").write_bytes(good.read_bytes()[:-3])
    again(good, tmp_path / "deaf.mp4", "-vn", "-c", "copy")
    art = ("-i", str(good), "-map", "1:a", "-map", "0:v", "-c:a", "copy", "-c:v", "png")
    art += ("-frames:v", "1", "-disposition:v", "attached_pic")
    again(good, tmp_path / "cover.mp4", *art)
    out = tmp_path / "out.mp4"
    out.write_bytes(b"before")
    before = names(tmp_path)
    for name, reason in bad.items():
        with pytest.raises(ClipUnfitError, match=reason) as error:
            concat_clips([good, tmp_path / f"{name}.mp4", good], out, normalises=True)
        assert f"{name}.mp4" in str(error.value)
    assert out.read_bytes() == b"before"
    assert names(tmp_path) == before


def test_pictures_of_unequal_durations_need_encoding(tmp_path: Path) -> None:
    source, out = clip(tmp_path / "a.mp4", 20), tmp_path / "out.mp4"
    drop = "select='not(between(n,8,11))'"
    uneven = again(source, tmp_path / "uneven.mp4", "-vf", drop, "-fps_mode", "vfr")
    with pytest.raises(ClipUnfitError, match="do not last equally long"):
        concat_clips([uneven], out)
    concat_clips([uneven], out, normalises=True)
    assert watch(out).numbers == [*range(8), 7, 7, 7, 7, *range(12, 20)]


def test_pictures_that_an_edit_list_hides_stay_hidden(tmp_path: Path) -> None:
    source, out = clip(tmp_path / "a.mp4", 30), tmp_path / "out.mp4"
    cut = again(source, tmp_path / "cut.mp4", "-c", "copy", before=("-ss", "0.4"))
    with pytest.raises(ClipUnfitError, match="an edit list hides some"):
        concat_clips([source, cut], out)
    concat_clips([source, cut], out, normalises=True)
    assert watch(out).numbers == [*range(30), *range(10, 30)]


def test_a_clip_without_sound_is_silent_and_has_a_note(tmp_path: Path) -> None:
    source, out = clip(tmp_path / "a.mp4", 10), tmp_path / "out.mp4"
    mute = again(source, tmp_path / "mute.mp4", "-an", "-c", "copy")
    joined = concat_clips([source, mute, source], out)
    assert f"{mute}: has no sound and is silent" in joined.notes
    samples = watch_with_ffmpeg(out)[1]
    assert clicks(samples, [places([10, 10, 10])[2]]) == pytest.approx([0], abs=MILLISECOND)
    assert np.abs(samples[11 * 1920 : 20 * 1920]).max() < 0.01


SIX = "5.1|FL=c0|FR=c0"


def test_every_kind_of_sound_is_heard_in_full_and_equally_loud(tmp_path: Path) -> None:
    """ffmpeg, copying a 16 kHz clip after one of 48 kHz, exits with 0 and keeps half of the
    sound."""
    loud = clip(tmp_path / "48.mp4", 25, samples=tone(0, 25 * 1920))
    others = [
        again(loud, tmp_path / f"{rate}.mp4", "-c:v", "copy", "-ar", rate, "-af", f"pan={to}")
        for rate, to in (("16000", "mono|c0=c0"), ("44100", "stereo|c0=c0|c1=c0"), ("32000", SIX))
    ]
    out = tmp_path / "out.mp4"
    concat_clips([loud, *others], out)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].layout.name == "stereo"
        samples = np.concatenate([each.to_ndarray() for each in container.decode(audio=0)], axis=1)
    middles = [samples[:, n * 48000 + 8000 : n * 48000 + 40000].std(axis=1) for n in range(4)]
    assert np.allclose(middles, 0.3 / np.sqrt(2), atol=0.01)


def test_sound_whose_packets_are_missing_stays_on_its_pictures(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", 50, "-bf", "0")
    late = again(
        source,
        tmp_path / "late.mp4",
        *("-map", "0:v", "-map", "1:a", "-c", "copy"),
        before=("-i", str(source), "-itsoffset", "0.4"),
    )
    out = tmp_path / "out.mp4"
    concat_clips([source, late], out)
    samples = watch_with_ffmpeg(out)[1]
    wanted = [CLICK_FRAME * 1920, (50 + 10 + CLICK_FRAME) * 1920]
    assert max(map(abs, clicks(samples, wanted))) <= MILLISECOND


REMAKE = 'FFMPEG "$@"; FFMPEG -v error -i "$out" {} -f mp4 "$out.x"; mv "$out.x" "$out"'
FAULTS = {
    "writes nothing": ("true", "wrote nothing"),
    "is cut short": ('FFMPEG "$@"; truncate -s -300 "$out"', "past the end"),
    "keeps half": (REMAKE.format("-c copy -frames:v 9"), "9 pictures instead of 26"),
    "leaves a clip out": ('sed -i 5,7d "$list"; FFMPEG "$@"', "13 pictures instead of 26"),
    "is no film": ('head -c 3000 /dev/zero > "$out"', "no index"),
    "halves the sound": (REMAKE.format("-c:v copy -ar 24000 -c:a aac"), "packets of sound"),
    "lets the sound drift": (REMAKE.format("-c copy -bsf:a setts=dts=DTS+N"), "do not last"),
    "changes pictures": (REMAKE.format("-c:a copy -c:v libx264 -bf 0"), "not those of the clips"),
    "shows all later": (REMAKE.format("-c copy -bsf:v setts=pts=PTS+512"), "No picture is shown"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_exit_code_of_0_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    script, reason = FAULTS[fault]
    source, out = film(tmp_path / "a.mp4", 13), tmp_path / "out.mp4"
    out.write_bytes(b"before")
    before = names(tmp_path)
    with (
        ffmpeg_that(monkeypatch, tmp_path, script),
        pytest.raises(CopyFailedError, match=reason),
    ):
        concat_clips([source, source], out)
    assert out.read_bytes() == b"before"
    assert names(tmp_path) == before


def test_a_full_disk_leaves_the_existing_file(tmp_path: Path) -> None:
    source, out = film(tmp_path / "a.mp4", 25), tmp_path / "out.mp4"
    out.write_bytes(b"before")
    before = names(tmp_path)
    with largest_file(source.stat().st_size), pytest.raises(FilmFullError):
        concat_clips([source] * 4, out)
    assert out.read_bytes() == b"before"
    assert names(tmp_path) == before


def test_a_session_film_is_never_replaced(tmp_path: Path) -> None:
    growing = film(tmp_path / "growing.mp4", 8)
    joined = tmp_path / "joined.mp4"
    with ConcatFilm.create(joined, SPEC) as writer:
        made = writer.begin("")
        made.write(pictures(0, 8), np.zeros(8 * 1920, np.float32))
        made.finish()
    for out in (growing, joined):
        before = out.read_bytes()
        with pytest.raises(FilmExistsError, match="another path"):
            concat_clips([growing, joined], out)
        assert out.read_bytes() == before


def test_the_command_reports_its_result_and_its_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = film(tmp_path / "a.mp4", 8), tmp_path / "out.mp4"
    assert main(["concat", str(source), str(source), str(out)]) == 0
    assert "2 clips, 16 pictures, 0.640 s" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    assert "an ordinary MP4, not a session film" in capsys.readouterr().out
    os.truncate(out, out.stat().st_size - 1)
    assert main(["check", str(out)]) == 1
    assert "past the end" in capsys.readouterr().out
    assert main(["concat", str(out), str(tmp_path / "new.mp4")]) == 1
    assert "is cut short" in capsys.readouterr().err
    assert not (tmp_path / "new.mp4").exists()


def test_an_hour_of_silence_takes_no_more_memory_than_a_second() -> None:
    slot = AudioSegment(path=None, start_s=Fraction(0), samples=3600 * 48000 + 7)
    sizes = [piece.shape[1] for piece in segment_samples(slot, "mono")]
    assert max(sizes) <= 48000
    assert sum(sizes) == slot.samples


@given(st.sampled_from([rate for rate in range(5, 121) if 48000 % rate == 0]))
def test_pictures_and_packets_end_together_at_aligned_lengths_only(fps: int) -> None:
    samples = FilmSpec(width=64, height=64, fps=fps).samples_per_frame
    alignment = alignment_frames(fps)
    assert alignment * samples == packet_count(alignment, fps) * 1024
    assert all(frames * samples % 1024 for frames in range(1, alignment))


def test_clips_of_25_fps_are_aligned_to_320_ms() -> None:
    assert (alignment_frames(25), packet_count(8, 25)) == (8, 15)
    assert alignment_frames(Fraction(30000, 1001)) == 640
