"""Decoders that crash, hang or fill the memory: one file is refused, and nothing else happens."""

import os
from pathlib import Path

import numpy as np
import pytest

from isolation.reading import Reader, ReadLimits
from tests.isolation import misbehaving_readers as readers
from tests.warm.media.sample_sounds import RATE_HZ, decode, tone
from warm.__main__ import main
from warm.media.audio import examine_audio, open_audio
from warm.media.isolated import LIMITS, DecoderFailedError, decode_isolated
from warm.media.sniff import MediaError

pytestmark = pytest.mark.slow
"""The modules of these tests start processes."""

LITTLE_CPU, LITTLE_TIME = ReadLimits(item_cpu_s=0.3), ReadLimits(item_s=5.0)
LITTLE_MEMORY = ReadLimits(memory_bytes=1 << 30)


@pytest.mark.parametrize(
    ("reader", "limits", "words"),
    [
        (readers.segfault, LIMITS, "died of SIGSEGV"),
        (readers.spin, LITTLE_CPU, "took too much CPU time"),
        (readers.stop, LITTLE_TIME, "gave no answer within 5 s"),
        (readers.hoard, LITTLE_MEMORY, "needs more than 1.1 GB of memory"),
        (readers.fail, LIMITS, "failed with KeyError"),
    ],
)
def test_the_error_of_a_failed_decoder_is_one_of_the_file(
    reader: Reader, limits: ReadLimits, words: str, tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.wav")
    with pytest.raises(DecoderFailedError, match=words) as caught:
        list(decode_isolated(reader, path, limits=limits))
    assert str(path) in str(caught.value)


def test_isolated_sound_equals_that_of_the_decoder(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mp3", "-c:a", "libmp3lame", seconds=2.5)
    path.write_bytes(path.read_bytes()[:-2000])
    expected, notes = decode(path)
    with open_audio(path, rate_hz=RATE_HZ) as audio:
        found = np.concatenate(list(audio.chunks()))
    assert np.array_equal(found, expected)
    assert notes and list(audio.notes) == notes
    assert audio.stored == "mp3float, 44100 Hz, 1 channel"


def test_the_notes_of_the_decoder_come_before_those_on_the_loudness(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.ogg", "-c:a", "libopus", "-af", "volume=0", rate_hz=48_000)
    path.write_bytes(path.read_bytes()[:-20])
    first, last = examine_audio(path, rate_hz=RATE_HZ, longest_s=60).notes
    assert "OGG" in first and last == "The audio is silent; the mouth stays closed."


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.wav")
    tone(tmp_path / "a.wav")
    for arguments in (
        ["prepare", "pipe.wav", "--results", "results"],
        ["render", "--audio", "pipe.wav", "--avatar", "pipe.wav", "--out", "a.mp4"],
        ["render", "--audio", "a.wav", "--avatar", "pipe.wav", "--out", "a.mp4"],
    ):
        assert main(arguments) == 1
        assert "pipe.wav is a pipe. Save its content to a file" in capsys.readouterr().err


def test_an_unreadable_file_is_refused_before_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isolation.reading.command_of", lambda _: ("/no/such/program",))
    with pytest.raises(MediaError, match="There is no file"):
        examine_audio(tmp_path / "gone.wav", rate_hz=RATE_HZ, longest_s=60)
    path = tone(tmp_path / "a.wav")
    with pytest.raises(DecoderFailedError, match=r"No process can be started to read .*a\.wav"):
        examine_audio(path, rate_hz=RATE_HZ, longest_s=60)
