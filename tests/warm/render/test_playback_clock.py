"""The playback clock of a film."""

import pytest

from warm.render.playback_clock import PlaybackClock


def test_playback_runs_on_from_clip_to_clip_and_pauses_for_a_late_one() -> None:
    playback = PlaybackClock(25)
    assert playback.position(75, 10.0) == 75
    playback.start_clip(0, 10.0)
    assert playback.due_s(50) == 12.0
    assert playback.position(100, 11.0) == 25
    playback.start_clip(50, 11.5)
    assert playback.due_s(50) == 12.0
    assert playback.position(60, 13.0) == 60
    playback.start_clip(60, 20.0)
    assert playback.due_s(85) == 21.0
    assert playback.position(85, 20.4) == pytest.approx(70)
