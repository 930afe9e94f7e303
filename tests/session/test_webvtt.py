"""Transcripts are valid WebVTT, with times of whole pictures."""

from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest

from session.film import Committed, Cue, FilmSpec
from session.fragmented.writer import FilmWriter
from session.webvtt import Transcript, transcript_of
from tests.session.sample_films import SPEC, write


@dataclass
class Said:
    """Stub of a film with cues: a film of many hours would take too long to render."""

    heard: list[Cue]
    spec: FilmSpec = field(default=SPEC)
    frames: int = 10**9

    def cues(self) -> list[Cue]:
        return self.heard

    @property
    def committed(self) -> Committed:
        return Committed(bytes=0, frames=self.frames, clips=())


def cue(text: str, first_frame: int, frames: int) -> Cue:
    return Cue(text=text, first_frame=first_frame, frames=frames)


def text_of(*cues: Cue, fps: int = 25) -> str:
    spec = FilmSpec(width=64, height=64, fps=fps)
    return Transcript(Said(list(cues), spec)).text()  # type: ignore[arg-type]


def test_a_cue_begins_and_ends_with_its_frames() -> None:
    assert text_of(cue("Hello.", 0, 32), cue("Bye.", 32, 1)) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.280\nHello.\n\n00:00:01.280 --> 00:00:01.320\nBye.\n"
    )


@pytest.mark.parametrize(
    ("frame", "fps", "time"),
    [(1, 30, "00:00:00.033"), (2, 30, "00:00:00.067"), (25 * 36_000, 25, "10:00:00.000"),
     (25 * 360_000 + 1, 25, "100:00:00.040")],
)  # fmt: skip
def test_times_are_the_nearest_millisecond_even_after_many_hours(
    frame: int, fps: int, time: str
) -> None:
    assert f"{time} -->" in text_of(cue("now", frame, 1), fps=fps)


def test_no_text_breaks_out_of_its_cue() -> None:
    text = text_of(cue("a < b & c --> d\n\n00:00 x", 0, 1))
    assert text.splitlines()[3:] == ["a &lt; b &amp; c --&gt; d 00:00 x"]


def test_a_clip_that_lost_its_text_has_no_cue() -> None:
    assert text_of(cue(" ", 0, 5), cue("two", 5, 5)).count("-->") == 1
    assert text_of() == "WEBVTT\n"


def test_a_growing_transcript_ends_equal_to_a_new_one(tmp_path: Path) -> None:
    with FilmWriter.create(tmp_path / "film.mp4", SPEC) as film:
        growing = Transcript(film)
        seen = []
        for _ in range(2):
            first = film.committed.frames
            clip = film.begin("One. Two.")
            write(clip, first, 2, cues=[cue("One.", first, 5)])
            seen.append(growing.text())
            write(clip, first + 2, 5, cues=[cue("Two.", first + 5, 9)])
            seen.append(growing.text())
            clip.finish()
        assert "00:00:00.000 --> 00:00:00.080\nOne.\n" in seen[0]
        assert "00:00:00.000 --> 00:00:00.200\nOne.\n" in seen[1]
        assert "00:00:00.200 --> 00:00:00.280\nTwo.\n" in seen[1]  # was cut short
        assert growing.text() == seen[-1] == Transcript(film).text()
        assert seen[-1].count("-->") == 4


def test_a_sentence_that_was_cut_is_shown_as_far_as_it_was_said_also_after_a_restart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("")
        write(clip, 0, 4, cues=[cue("One and two.", 0, 9)])
        write(clip, 4, 2, cues=[cue("One", 0, 9)])
        record = clip.finish()
        assert (record.text, record.is_whole) == ("One", False)
        with pytest.raises(ValueError, match="must begin on these pictures"):
            write(film.begin(""), 6, 2, cues=[cue("Elsewhere.", 1, 3)])
    with FilmWriter.open(path) as again:
        assert [(each.text, each.end) for each in again.cues()] == [("One", 6)]
        assert again.committed.clips == (record,)
    assert "One and two." not in transcript_of(path)


def test_ffmpeg_reads_the_cues_at_their_times(tmp_path: Path) -> None:
    path = tmp_path / "film.vtt"
    path.write_text(text_of(cue("one", 0, 25), cue("two", 50, 10)), encoding="utf-8")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux() if p.size]
    assert [(p.pts, p.duration, bytes(p)) for p in packets] == [
        (0, 1000, b"one"),
        (2000, 400, b"two"),
    ]
