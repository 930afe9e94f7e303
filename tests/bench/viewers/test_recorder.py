"""A recording of a screen and a loudspeaker is read with its exact times."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bench.viewers.recorder import (
    CAPTURE_FPS,
    REGION_PX,
    SAMPLE_RATE_HZ,
    RecordingToolsMissing,
    read_recording,
    virtual_desktop,
)

LENGTH_S = 3
START_S = 1_000_000.0
"""Recordings carry wall clock time."""


def record(path: Path, flashes_s: list[float], clicks_s: list[float]) -> None:
    """Write a recording in which the region is white for 40 ms from each flash on."""
    with av.open(str(path), "w", format="nut") as container:
        video = container.add_stream("rawvideo", rate=CAPTURE_FPS)
        video.width = video.height = REGION_PX
        video.pix_fmt = "gray"
        video.time_base = Fraction(1, CAPTURE_FPS)
        audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        for number in range(LENGTH_S * CAPTURE_FPS):
            is_white = any(0 <= number / CAPTURE_FPS - flash < 0.04 for flash in flashes_s)
            region = np.full((REGION_PX, REGION_PX), 255 * is_white, np.uint8)
            picture = av.VideoFrame.from_ndarray(region, format="gray")
            picture.pts = int(START_S * CAPTURE_FPS) + number
            container.mux(video.encode(picture))
        samples = np.zeros((1, LENGTH_S * SAMPLE_RATE_HZ), np.int16)
        for click in clicks_s:
            samples[0, round(click * SAMPLE_RATE_HZ)] = 30_000
        sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        sound.sample_rate = SAMPLE_RATE_HZ
        sound.pts = int(START_S * SAMPLE_RATE_HZ)
        container.mux(audio.encode(sound))


def test_the_skew_of_a_click_counts_from_the_nearest_flash(tmp_path: Path) -> None:
    record(tmp_path / "recording.nut", flashes_s=[0.5, 1.5, 2.5], clicks_s=[0.6, 1.45, 2.5])
    found = read_recording(tmp_path / "recording.nut")
    assert found.clicks_s == pytest.approx([START_S + click for click in (0.6, 1.45, 2.5)])
    assert found.skews_ms() == pytest.approx([100, -50, 0], abs=1000 / CAPTURE_FPS)


def test_a_click_without_a_flash_is_left_out(tmp_path: Path) -> None:
    record(tmp_path / "recording.nut", flashes_s=[0.5, 2.5], clicks_s=[0.5, 1.5, 2.52])
    assert read_recording(tmp_path / "recording.nut").skews_ms() == pytest.approx([0, 20], abs=5)


def test_missing_programs_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = {"ffmpeg": "/bin/ffmpeg", "mpv": "/bin/mpv"}
    monkeypatch.setattr(shutil, "which", installed.get)
    with pytest.raises(RecordingToolsMissing, match=r"Xvfb, pulseaudio missing.* xvfb pulseaudio;"):
        virtual_desktop(tmp_path).__enter__()
