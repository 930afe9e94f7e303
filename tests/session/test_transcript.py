"""WebVTT that players accept, with times that belong to pictures."""

from pathlib import Path

import av
import pytest

from session.film import Cue
from session.transcript import webvtt


def test_a_cue_begins_and_ends_with_its_frames() -> None:
    cues = [
        Cue(text="Hello.", first_frame=0, frames=32),
        Cue(text="Bye.", first_frame=32, frames=1),
    ]
    assert webvtt(cues, fps=25) == (
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
    assert f"{time} -->" in webvtt([Cue(text="now", first_frame=frame, frames=1)], fps=fps)


def test_no_text_breaks_out_of_its_cue() -> None:
    cue = Cue(text="a < b & c --> d\n\n00:00 x", first_frame=0, frames=1)
    assert webvtt([cue], fps=25).splitlines()[3:] == ["a &lt; b &amp; c --&gt; d 00:00 x"]


def test_a_clip_that_lost_its_words_has_no_cue() -> None:
    cues = [Cue(text=" ", first_frame=0, frames=5), Cue(text="two", first_frame=5, frames=5)]
    assert webvtt(cues, fps=25).count("-->") == 1
    assert webvtt([], fps=25) == "WEBVTT\n"


def test_ffmpeg_reads_the_cues_at_their_times(tmp_path: Path) -> None:
    cues = [Cue(text="one", first_frame=0, frames=25), Cue(text="two", first_frame=50, frames=10)]
    path = tmp_path / "film.vtt"
    path.write_text(webvtt(cues, fps=25), encoding="utf-8")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux() if p.size]
    assert [(p.pts, p.duration, bytes(p)) for p in packets] == [
        (0, 1000, b"one"),
        (2000, 400, b"two"),
    ]
