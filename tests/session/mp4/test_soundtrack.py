"""Sound of clips whose format changes, or whose packets are odd, on the clock of their pictures."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from session.audio_encoder import Layout
from session.mp4.soundtrack import AudioSegment, segment_samples
from tests.warm.media.sample_sounds import RATE_HZ, ffmpeg, join, runs, tone

MP3 = ("-c:a", "libmp3lame", "-write_xing", 0, "-id3v2_version", 0)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_a_change_of_channels_and_rate_within_a_clip_is_followed(
    suffix: str, layout: Layout, tmp_path: Path
) -> None:
    one = tone(tmp_path / "a.mp3", *MP3, hz=440, channels=2)
    two = tone(tmp_path / "b.mp3", *MP3, hz=660, channels=1)
    sound = join(tmp_path / "c.mp3", one, two)
    path = tmp_path / f"clip.{suffix}"
    ffmpeg("-i", sound, "-c", "copy", path)
    segment = AudioSegment(path=path, start_s=Fraction(0), samples=3 * RATE_HZ)
    found = np.concatenate(list(segment_samples(segment, layout)), axis=1)
    assert found.shape == (1 if layout == "mono" else 2, 3 * RATE_HZ)
    for channel in found:
        assert runs(channel) == [440, 660]


def test_a_gap_in_the_time_stamps_is_silent_and_what_follows_stays_in_time(tmp_path: Path) -> None:
    first, second = (tone(tmp_path / f"{hz}.mka", "-c:a", "flac", hz=hz) for hz in (440, 660))
    (tmp_path / "list").write_text(f"file '{first}'\nduration 2.5\nfile '{second}'\n")
    ffmpeg("-f", "concat", "-safe", 0, "-i", tmp_path / "list", "-c", "copy", tmp_path / "c.mka")
    segment = AudioSegment(path=tmp_path / "c.mka", start_s=Fraction(0), samples=4 * RATE_HZ)
    found = np.concatenate(list(segment_samples(segment, "mono")), axis=1)[0]
    assert runs(found) == [440, 0, 660]
    silent = np.flatnonzero(np.abs(found) < 1e-4)
    assert 1.4 < silent[len(silent) // 2] / RATE_HZ < 2.6
    assert np.abs(found[round(1.55 * RATE_HZ) : round(2.45 * RATE_HZ)]).max() < 1e-3
    assert np.abs(found[round(2.55 * RATE_HZ) : round(3.9 * RATE_HZ)]).max() > 0.05
