"""What was recorded of a screen and a loudspeaker is read as it was."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bench.viewers.onlooker import (
    LOOKS_HZ,
    SAMPLE_RATE_HZ,
    SPOT,
    NothingToRecordWith,
    read_recording,
    room,
)

LENGTH_S = 3
START_S = 1_000_000.0
"""Recordings are on the clock of the day."""


def record(path: Path, flashes_s: list[float], clicks_s: list[float]) -> None:
    """A recording in which the spot is white for 40 ms from each flash on."""
    with av.open(str(path), "w", format="nut") as container:
        seen = container.add_stream("rawvideo", rate=LOOKS_HZ)
        seen.width = seen.height = SPOT
        seen.pix_fmt = "gray"
        seen.time_base = Fraction(1, LOOKS_HZ)
        heard = container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        for number in range(LENGTH_S * LOOKS_HZ):
            is_white = any(0 <= number / LOOKS_HZ - flash < 0.04 for flash in flashes_s)
            spot = np.full((SPOT, SPOT), 255 * is_white, np.uint8)
            picture = av.VideoFrame.from_ndarray(spot, format="gray")
            picture.pts = int(START_S * LOOKS_HZ) + number
            container.mux(seen.encode(picture))
        samples = np.zeros((1, LENGTH_S * SAMPLE_RATE_HZ), np.int16)
        for click in clicks_s:
            samples[0, round(click * SAMPLE_RATE_HZ)] = 30_000
        sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        sound.sample_rate = SAMPLE_RATE_HZ
        sound.pts = int(START_S * SAMPLE_RATE_HZ)
        container.mux(heard.encode(sound))


def test_a_click_counts_from_the_flash_next_to_it(tmp_path: Path) -> None:
    record(tmp_path / "it.nut", flashes_s=[0.5, 1.5, 2.5], clicks_s=[0.6, 1.45, 2.5])
    recorded = read_recording(tmp_path / "it.nut")
    assert recorded.clicks_s == pytest.approx([START_S + click for click in (0.6, 1.45, 2.5)])
    assert recorded.skews_ms() == pytest.approx([100, -50, 0], abs=1000 / LOOKS_HZ)


def test_a_click_whose_flash_was_not_shown_counts_for_nothing(tmp_path: Path) -> None:
    record(tmp_path / "it.nut", flashes_s=[0.5, 2.5], clicks_s=[0.5, 1.5, 2.52])
    assert read_recording(tmp_path / "it.nut").skews_ms() == pytest.approx([0, 20], abs=5)


def test_what_is_missing_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"ffmpeg": "/bin/ffmpeg", "mpv": "/bin/mpv"}
    monkeypatch.setattr(shutil, "which", there.get)
    with pytest.raises(NothingToRecordWith, match=r"Xvfb, pulseaudio missing.* xvfb pulseaudio;"):
        room(tmp_path).__enter__()
