"""Recordings are decoded while they are still arriving, to the samples of the same file."""

import io
from pathlib import Path

import numpy as np
import pytest

from bench.live_webm import live_webm
from tests.given_sounds import RATE_HZ, Samples, babble, found_in, wav_of
from tests.warm.media.sample_sounds import decode, ffmpeg
from warm.media.arriving_audio import read_arriving_audio, recognised
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError

SECONDS = 1.2
STEP_S = 0.02
GIVEN = babble(SECONDS)


class Arriving:
    """Bytes that arrive in pieces; it notes how many were read."""

    def __init__(self, data: bytes, step: int) -> None:
        self.given = 0
        self._file, self._step = io.BytesIO(data), step

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._step if size < 0 else min(size, self._step))
        self.given += len(piece)
        return piece


def heard(data: bytes, folder: Path, step: int | None = None) -> tuple[Samples, list[str], float]:
    """Return the samples, the remarks, and the share that was read before the first sample."""
    source, chunks, notes, share = Arriving(data, step or len(data)), [], [], 0.0
    for item in read_arriving_audio(source, rate_hz=RATE_HZ, folder=str(folder)):
        notes = list(item.facts.get("notes", []))
        if item.array is not None:
            share = share or source.given / len(data)
            chunks.append(item.array)
    return np.concatenate(chunks), notes, share


def encoded(path: Path, *options: object, rate_hz: int = RATE_HZ, channels: int = 1) -> bytes:
    """Return the babble as a file that the program ffmpeg has written."""
    source = path.with_suffix(".source.wav")
    source.write_bytes(wav_of(GIVEN))
    ffmpeg("-i", source, "-ar", rate_hz, "-ac", channels, *options, path)
    return path.read_bytes()


FORMATS = {
    "a.mp3": (["-c:a", "libmp3lame"], 44_100, 2),
    "b.mp3": (["-c:a", "libmp3lame", "-write_xing", "0"], 22_050, 1),
    "a.ogg": (["-c:a", "libopus", "-page_duration", "40000"], 48_000, 1),
    "a.flac": ([], 44_100, 2),
    "a.aac": ([], 32_000, 1),
    "index_first.m4a": (["-movflags", "+faststart"], 44_100, 2),
    "index_last.m4a": ([], 48_000, 1),
    "fragmented.mp4": (["-movflags", "frag_keyframe+empty_moov+delay_moov"], 48_000, 1),
    "a.webm": (["-c:a", "libopus", "-f", "webm", "-live", "1"], 48_000, 2),
    "a.aiff": ([], 11_025, 1),
    "float.wav": (["-c:a", "pcm_f32le"], 96_000, 2),
    "six.wav": (["-c:a", "pcm_s24le"], 44_100, 6),
    "law.wav": (["-c:a", "pcm_mulaw"], 8000, 1),
    "adpcm.wav": (["-c:a", "adpcm_ima_wav"], 22_050, 1),
}


@pytest.mark.parametrize("name", FORMATS)
def test_an_arriving_recording_gives_the_samples_of_its_file(name: str, tmp_path: Path) -> None:
    options, rate_hz, channels = FORMATS[name]
    path = tmp_path / name
    data = encoded(path, *options, rate_hz=rate_hz, channels=channels)
    samples, notes, _ = heard(data, tmp_path, step=max(1, int(len(data) * STEP_S / SECONDS)))
    expected, _ = decode(path)
    assert notes == []
    assert abs(len(samples) - len(expected)) < RATE_HZ / 20
    count = min(len(samples), len(expected))
    assert np.abs(samples[:count] - expected[:count]).max() < 0.02


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 1), (22_050, 2), (44_100, 1), (96_000, 8)]
)
def test_a_wav_of_any_format_is_heard_as_it_arrives(
    rate_hz: int, channels: int, width: int, tmp_path: Path
) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate_hz // 2) / rate_hz).astype(np.float32) / 2
    data = wav_of(tone, rate_hz, channels, width)
    samples, _, share = heard(data, tmp_path, step=len(data) // 25)
    assert share < 0.1
    assert len(samples) == RATE_HZ // 2
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(samples)) / RATE_HZ) / 2
    inner = slice(RATE_HZ // 20, -RATE_HZ // 20)
    assert np.abs(samples - wanted)[inner].max() < 0.03


@pytest.mark.parametrize("frame_ms", [20, 60])
def test_webm_of_a_browser_is_heard_packet_by_packet(frame_ms: int, tmp_path: Path) -> None:
    blocks = [block for _, block in live_webm(GIVEN, RATE_HZ, frame_ms=frame_ms)]
    samples, notes, share = heard(b"".join(blocks), tmp_path, step=len(blocks[1]))
    assert notes == []
    assert share < 0.25
    offset, correlation = found_in(GIVEN, samples)
    assert abs(offset) <= 5
    assert correlation > 0.97


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\xf0\xff\x7f"])
def test_a_wav_without_a_length_is_heard_to_its_end(size: bytes, tmp_path: Path) -> None:
    data = bytearray(wav_of(GIVEN))
    data[40:44] = size
    samples, _, _ = heard(bytes(data), tmp_path, step=2000)
    assert len(samples) == len(GIVEN)


def test_bytes_after_the_announced_end_of_a_wav_are_not_heard(tmp_path: Path) -> None:
    samples, _, _ = heard(wav_of(GIVEN) + b"LIST\x10\0\0\0" + b"x" * 5000, tmp_path, step=777)
    assert len(samples) == len(GIVEN)


def test_a_recording_that_breaks_off_is_heard_to_there(tmp_path: Path) -> None:
    data = wav_of(GIVEN)
    source = Arriving(data[: len(data) // 2], 1000)
    chunks = []
    with pytest.raises(DamagedMediaError, match="truncated"):
        for item in read_arriving_audio(source, rate_hz=RATE_HZ, folder=str(tmp_path)):
            chunks.append(item.array)
    count = sum(len(chunk) for chunk in chunks if chunk is not None)
    assert abs(count - len(GIVEN) / 2) < 100


def test_the_loss_of_a_little_is_only_remarked(tmp_path: Path) -> None:
    data = wav_of(GIVEN)
    samples, notes, _ = heard(data[: -len(data) // 8], tmp_path, step=1000)
    assert len(samples) > 0.8 * len(GIVEN)
    assert "earlier than the file announces" in notes[0]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", DamagedMediaError),
        (b"RIFF", MediaError),
        (b"RIFF\x24\0\0\0WAVE", DamagedMediaError),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, UnknownMediaError),
        (b"Hello, this is a text and no sound at all.", UnknownMediaError),
        (b"<!doctype html><html></html>" * 100, UnknownMediaError),
        (b"\x1aE\xdf\xa3" + b"\x01" * 300, DamagedMediaError),
        (b"OggS" + b"\0" * 500, MediaError),
        (wav_of(np.zeros(0, np.float32)), DamagedMediaError),
    ],
)
def test_anything_else_is_refused(data: bytes, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        heard(data, tmp_path, step=64)


def test_a_file_that_is_needed_has_no_name_and_is_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    data = encoded(tmp_path / "a.m4a")
    source = Arriving(data, 999)
    assert recognised(source)[1] == ""
    samples, _, share = heard(data, folder, step=999)
    assert share == 1
    assert found_in(GIVEN, samples)[1] > 0.95
    assert list(folder.iterdir()) == []
