"""Decoding of audio files of every common format; errors name the position of a fault."""

import re
import struct
import subprocess
import wave
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from warm.media.audio import AudioInfo, AudioTooLongError, examine_audio
from warm.media.audio_decoder import CHUNK_SAMPLES, AudioDecoder, NoAudioError
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError

RATE_HZ = 48_000
TONE_HZ = 440.0
Samples = NDArray[np.float64]


def tone(seconds: float, rate_hz: int = RATE_HZ, amplitude: float = 0.5) -> Samples:
    """A tone that grows, so that a delay can be measured."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return amplitude * (0.2 + 0.8 * times / seconds) * np.sin(2 * np.pi * TONE_HZ * times)


def encode(
    path: Path,
    samples: Samples,
    *,
    rate_hz: int,
    codec: str,
    layout: str = "mono",
    format: str = "fltp",
) -> Path:
    """Write a file with FFmpeg's encoders; every channel has the same samples."""
    channels = av.AudioLayout(layout).nb_channels
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.codec_context.format = format
        for start in range(0, len(samples), 1024):
            block = samples[start : start + 1024].astype(np.float32)
            packed = np.repeat(block, channels)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    chunks = list(AudioDecoder(path, rate_hz=rate_hz).chunks())
    assert all(chunk.dtype == np.float32 and len(chunk) <= CHUNK_SAMPLES for chunk in chunks)
    return np.concatenate(chunks)


def lag_and_gain(found: NDArray[np.float32], expected: Samples) -> tuple[int, float]:
    """Return the delay of `found` in samples, and its gain relative to `expected`."""
    size = min(len(found), len(expected))
    spectrum = np.fft.rfft(found[:size], 2 * size) * np.conj(np.fft.rfft(expected[:size], 2 * size))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    lag = lag - 2 * size if lag > size else lag
    inner = slice(size // 10, size - size // 10)
    gain = float(np.sqrt(np.mean(found[inner] ** 2) / np.mean(expected[inner] ** 2)))
    return lag, gain


@pytest.mark.parametrize(
    ("suffix", "codec", "format"),
    [
        ("wav", "pcm_u8", "u8"),
        ("wav", "pcm_s16le", "s16"),
        ("wav", "pcm_s24le", "s32"),
        ("wav", "pcm_s32le", "s32"),
        ("wav", "pcm_f32le", "flt"),
        ("wav", "pcm_f64le", "dbl"),
        ("flac", "flac", "s16"),
        ("mp3", "libmp3lame", "fltp"),
        ("m4a", "aac", "fltp"),
        ("ogg", "libopus", "flt"),
        ("aac", "aac", "fltp"),
        ("aiff", "pcm_s16be", "s16"),
        ("webm", "libopus", "flt"),
    ],
)
def test_every_common_format_is_decoded_without_delay_at_the_same_level(
    suffix: str, codec: str, format: str, tmp_path: Path
) -> None:
    original = tone(1.7)
    path = encode(tmp_path / f"a.{suffix}", original, rate_hz=RATE_HZ, codec=codec, format=format)
    found = decoded(path)
    lag, gain = lag_and_gain(found, original)
    priming = 2 * 1024 if suffix == "aac" else 0  # a bare AAC stream does not state its priming
    assert abs(lag) <= 2 + priming
    assert abs(len(found) - len(original)) <= 0.05 * RATE_HZ
    assert gain == pytest.approx(0.95 if suffix == "mp3" else 1.0, abs=0.03)  # of LAME


def test_ogg_vorbis_is_decoded(tmp_path: Path) -> None:
    tone_of_ffmpeg = f"sine=frequency={TONE_HZ}:duration=1.5:sample_rate=44100"
    path = tmp_path / "a.ogg"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", tone_of_ffmpeg]
    subprocess.run([*command, "-c:a", "libvorbis", str(path)], check=True)
    found = decoded(path)
    assert len(found) == round(1.5 * RATE_HZ)
    peak_hz = np.argmax(np.abs(np.fft.rfft(found))) * RATE_HZ / len(found)
    assert peak_hz == pytest.approx(TONE_HZ, abs=1)


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.wav", "pcm_mulaw", 8000),
        ("a.wav", "pcm_alaw", 8000),
        ("a.wav", "adpcm_ima_wav", 22_050),
        ("a.amr", "libopencore_amrnb", 8000),
        ("a.mkv", "g722", 16_000),
    ],
)
def test_formats_of_telephones_are_decoded(
    name: str, codec: str, rate_hz: int, tmp_path: Path
) -> None:
    source = f"sine=frequency=1000:duration=1.5:sample_rate={rate_hz}"
    path = tmp_path / name
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source]
    subprocess.run([*command, "-c:a", codec, str(path)], check=True)
    found = decoded(path)
    assert len(found) / RATE_HZ == pytest.approx(1.5, abs=0.1)
    peak_hz = np.argmax(np.abs(np.fft.rfft(found))) * RATE_HZ / len(found)
    assert peak_hz == pytest.approx(1000, abs=2)


def test_gsm_in_a_wav_file_is_decoded(tmp_path: Path) -> None:
    """FFmpeg has no encoder for it, but any bytes are valid frames: they sound as noise."""
    blocks = 37  # of 40 ms
    format_chunk = struct.pack("<HHIIHHHH", 0x31, 1, 8000, 1625, 65, 0, 2, 320)
    data = np.random.default_rng(1).integers(0, 256, 65 * blocks, np.uint8).tobytes()
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(chunk)) + chunk
        for name, chunk in ((b"fmt ", format_chunk), (b"data", data + b"\0"))
    )
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = decoded(path)
    assert len(found) / RATE_HZ == pytest.approx(0.04 * blocks, abs=0.05)
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 96000, 192000])
def test_every_rate_keeps_length_and_time(rate_hz: int, tmp_path: Path) -> None:
    path = encode(
        tmp_path / "a.wav", tone(1.3, rate_hz), rate_hz=rate_hz, codec="pcm_s16le", format="s16"
    )
    found = decoded(path)
    assert abs(len(found) - round(1.3 * RATE_HZ)) <= RATE_HZ // rate_hz + 1
    lag, gain = lag_and_gain(found, tone(1.3))
    assert abs(lag) <= 6
    assert gain == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1"])
def test_channels_are_mixed_without_clipping(layout: str, tmp_path: Path) -> None:
    path = encode(
        tmp_path / "a.wav",
        tone(0.5, amplitude=0.9),
        rate_hz=RATE_HZ,
        codec="pcm_s16le",
        layout=layout,
        format="s16",
    )
    found = decoded(path)
    lag, gain = lag_and_gain(found, tone(0.5, amplitude=0.9))
    assert abs(lag) <= 2 and np.abs(found).max() <= 1.0
    assert gain == pytest.approx(1.0, abs=0.01)


def test_one_channel_of_two_has_half_the_level(tmp_path: Path) -> None:
    left = (tone(0.5) * 32767).astype("<i2")
    both = np.stack([left, np.zeros_like(left)], axis=1)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(both.tobytes())
    _, gain = lag_and_gain(decoded(tmp_path / "a.wav"), tone(0.5))
    assert gain == pytest.approx(0.5, abs=0.01)


def test_the_rate_of_an_engine_can_be_requested(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", tone(1), rate_hz=RATE_HZ, codec="pcm_s16le", format="s16")
    found = decoded(path, 16_000)
    assert abs(len(found) - 16_000) <= 1
    assert abs(lag_and_gain(found, tone(1, 16_000))[0]) <= 1


def test_the_name_of_a_file_is_ignored(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", tone(0.3), rate_hz=RATE_HZ, codec="flac", format="s16")
    assert len(decoded(path.rename(tmp_path / "a.mp3"))) == round(0.3 * RATE_HZ)


def test_the_audio_of_a_video_is_decoded(tmp_path: Path) -> None:
    original = tone(1.0)
    path = encode(tmp_path / "a.mp4", original, rate_hz=RATE_HZ, codec="aac")
    assert abs(lag_and_gain(decoded(path), original)[0]) <= 2


def test_a_file_is_examined(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", tone(2), rate_hz=16_000, codec="pcm_s16le", format="s16")
    info = examine_audio(path, rate_hz=RATE_HZ, longest_s=60)
    assert info == AudioInfo(
        samples=info.samples,
        rate_hz=RATE_HZ,
        peak=info.peak,
        stored="pcm_s16le, 16000 Hz, 1 channel",
    )
    assert info.peak == pytest.approx(0.5, abs=0.02) and info.notes == ()


def test_silence_is_accepted_with_a_note(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", np.zeros(8000), rate_hz=8000, codec="pcm_s16le", format="s16")
    info = examine_audio(path, rate_hz=RATE_HZ, longest_s=60)
    assert info.seconds == pytest.approx(1.0, abs=0.001)
    assert info.notes == ("The audio is silent; the mouth stays closed.",)


def test_audio_beyond_full_scale_is_accepted_with_a_note(tmp_path: Path) -> None:
    path = encode(
        tmp_path / "a.wav", tone(1, amplitude=2.0), rate_hz=RATE_HZ, codec="pcm_f32le", format="flt"
    )
    (note,) = examine_audio(path, rate_hz=RATE_HZ, longest_s=60).notes
    assert "exceeds full scale by 6.0 dB" in note


def test_too_long_audio_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", tone(3), rate_hz=8000, codec="pcm_s16le", format="s16")
    with pytest.raises(AudioTooLongError, match=r"longer than 2 s \(max_audio_s\)"):
        examine_audio(path, rate_hz=RATE_HZ, longest_s=2)


def test_a_missing_empty_or_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("Hello, this is not audio at all.")
    for name, error, words in (
        ("gone.wav", MediaError, "There is no file"),
        ("empty.wav", DamagedMediaError, r"is empty \(0 bytes\)"),
        ("text.wav", UnknownMediaError, "is not a readable audio file: it begins with 48 65"),
        (".", MediaError, "is a folder"),
    ):
        with pytest.raises(error, match=words):
            examine_audio(tmp_path / name, rate_hz=RATE_HZ, longest_s=60)


def test_a_video_without_audio_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            picture = np.zeros((64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    with pytest.raises(NoAudioError, match="has no audio"):
        examine_audio(tmp_path / "a.mp4", rate_hz=RATE_HZ, longest_s=60)


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
    with pytest.raises(DamagedMediaError, match=r"a\.wav"):
        examine_audio(tmp_path / "a.wav", rate_hz=RATE_HZ, longest_s=60)


@pytest.mark.parametrize(
    ("suffix", "codec", "format"),
    [
        ("wav", "pcm_s16le", "s16"),
        ("flac", "flac", "s16"),
        ("mp3", "libmp3lame", "fltp"),
        ("m4a", "aac", "fltp"),
    ],
)
def test_a_file_of_which_half_is_missing_is_refused_with_the_second(
    suffix: str, codec: str, format: str, tmp_path: Path
) -> None:
    whole = encode(
        tmp_path / f"a.{suffix}", tone(4), rate_hz=RATE_HZ, codec=codec, format=format
    ).read_bytes()
    (tmp_path / f"b.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedMediaError) as caught:
        examine_audio(tmp_path / f"b.{suffix}", rate_hz=RATE_HZ, longest_s=60)
    message = str(caught.value)
    assert f"b.{suffix} is damaged or truncated" in message
    if suffix != "m4a":  # its index is at the end: nothing can be read
        second = float(message.partition(" at ")[2].partition(" s ")[0])
        assert 1.5 < second < 2.5
        assert "Send the file again." in message


def test_damage_in_the_middle_of_a_file_is_left_out_with_a_note(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", tone(4), rate_hz=RATE_HZ, codec="flac", format="s16")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    info = examine_audio(path, rate_hz=RATE_HZ, longest_s=60)
    assert 3.5 < info.seconds < 4
    assert re.search(
        r"0\.\d\d s of the sound|0\.\d\d s earlier than the file announces", info.notes[0]
    )


def test_one_changed_byte_in_a_file_with_checksums_is_noticed(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", tone(2), rate_hz=RATE_HZ, codec="flac", format="s16")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    info = examine_audio(path, rate_hz=RATE_HZ, longest_s=60)
    assert len(info.notes) == 1 and 1.7 < info.seconds < 2


def test_audio_too_short_for_one_sample_is_refused(
    tmp_path: Path,
) -> None:
    path = encode(
        tmp_path / "a.wav", tone(0.001, 16_000), rate_hz=16_000, codec="pcm_s16le", format="s16"
    )
    with pytest.raises(DamagedMediaError, match="too short"):
        examine_audio(path, rate_hz=RATE_HZ, longest_s=60)


def test_samples_that_are_not_numbers_are_silent_with_a_note(tmp_path: Path) -> None:
    original = tone(1).astype("<f4")
    original[30_000], original[40_000] = np.nan, np.inf
    header = b"RIFF" + struct.pack("<I", 36 + original.nbytes) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 3, 1, RATE_HZ, RATE_HZ * 4, 4, 32)
    (tmp_path / "a.wav").write_bytes(
        header + b"data" + struct.pack("<I", original.nbytes) + original.tobytes()
    )
    decoder = AudioDecoder(tmp_path / "a.wav", rate_hz=RATE_HZ)
    found = np.concatenate(list(decoder.chunks()))
    original[30_000] = original[40_000] = 0
    assert np.abs(found - original).max() < 1e-6
    assert decoder.notes == ["2 samples are not finite numbers; they are silent."]
