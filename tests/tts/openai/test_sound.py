"""Formats of sound: every header and every division of the bytes."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.openai.speech_server import tone
from tts.openai.address import BadServerAddress, parse_address
from tts.openai.errors import UnusableSound
from tts.openai.sound import MAX_SOUND_S, Sound, SoundBuffer

RATE_HZ = 22_050


def wav(
    content: bytes,
    *,
    tag: int = 1,
    bits: int = 16,
    channels: int = 1,
    rate_hz: int = RATE_HZ,
    size: int | None = None,
    before: bytes = b"",
) -> bytes:
    """A WAV file with a header of our own."""
    frame = channels * bits // 8
    fields = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * frame, frame, bits)
    if tag == 0xFFFE:
        real = 3 if bits == 64 else 1
        fields += struct.pack(
            "<HHIH14s", 22, bits, 4, real, b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
        )
    length = len(content) if size is None else size
    chunks = b"fmt " + struct.pack("<I", len(fields)) + fields + before
    return b"RIFF\xff\xff\xff\xffWAVE" + chunks + b"data" + struct.pack("<I", length) + content


def decoded(content: bytes, kind: str = "audio/wav", step: int = 4096) -> Sound:
    """Decode bytes that arrive in steps."""
    buffer = SoundBuffer(kind)
    for start in range(0, len(content), step):
        buffer.add(content[start : start + step])
    return buffer.sound()


EXPECTED = tone(0.5, RATE_HZ).astype(np.float64) / 32768


@pytest.mark.parametrize(
    ("tag", "bits", "content", "error"),
    [
        (1, 16, tone(0.5, RATE_HZ).astype("<i2").tobytes(), 0),
        (0xFFFE, 16, tone(0.5, RATE_HZ).astype("<i2").tobytes(), 0),
        (1, 8, np.round(EXPECTED * 128 + 128).astype("u1").tobytes(), 1 / 128),
        (1, 24, (EXPECTED * 2**31).astype("<i4").view("u1").reshape(-1, 4)[:, 1:].tobytes(), 1e-6),
        (1, 32, (EXPECTED * 2**31).astype("<i4").tobytes(), 1e-6),
        (3, 32, EXPECTED.astype("<f4").tobytes(), 1e-6),
        (3, 64, EXPECTED.astype("<f8").tobytes(), 1e-6),
    ],
)
def test_wav_of_every_uncompressed_encoding_is_decoded(
    tag: int, bits: int, content: bytes, error: float
) -> None:
    sound = decoded(wav(content, tag=tag, bits=bits))
    assert sound.rate_hz == RATE_HZ
    assert np.abs(sound.samples - EXPECTED).max() <= error + 1e-7


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 10_000_000])
def test_a_wav_of_unknown_length_ends_with_the_answer(size: int) -> None:
    content = tone(0.5, RATE_HZ).tobytes()
    assert len(decoded(wav(content, size=size)).samples) == len(EXPECTED)


def test_chunks_before_and_after_the_samples_are_no_sound() -> None:
    content = tone(0.5, RATE_HZ).tobytes()
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    sound = decoded(wav(content, before=odd) + b"LIST\x04\0\0\0abcd")
    assert np.abs(sound.samples - EXPECTED).max() == 0


def test_channels_are_mixed() -> None:
    both = np.stack([tone(0.5, RATE_HZ), np.zeros_like(tone(0.5, RATE_HZ))], axis=1).tobytes()
    sound = decoded(wav(both, channels=2), kind="audio/pcm")
    assert np.abs(sound.samples - EXPECTED / 2).max() < 1e-6


@pytest.mark.parametrize(("tag", "bits"), [(2, 4), (6, 8), (7, 8), (0x55, 0), (1, 12), (1, 0)])
def test_compressed_wav_is_refused_by_its_format(tag: int, bits: int) -> None:
    with pytest.raises(UnusableSound, match=f"format {tag} and {bits} bits"):
        decoded(wav(bytes(8000), tag=tag, bits=bits))


@pytest.mark.parametrize("options", [{"rate_hz": 0}, {"rate_hz": 1_000_000_000}, {"channels": 0}])
def test_impossible_headers_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UnusableSound):
        decoded(wav(bytes(8000), **options))  # type: ignore[arg-type]


def test_values_that_are_not_numbers_are_refused() -> None:
    content = np.full(5000, np.nan, "<f4").tobytes()
    with pytest.raises(UnusableSound, match="not numbers"):
        decoded(wav(content, tag=3, bits=32))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=60), st.sampled_from(["pcm", "wav"]))
def test_any_division_of_the_bytes_gives_the_same_samples(sizes: list[int], kind: str) -> None:
    raw = tone(0.1, RATE_HZ).tobytes()
    content = raw if kind == "pcm" else wav(raw)
    buffer = SoundBuffer(f"audio/{kind};rate={RATE_HZ}")
    for size in sizes:
        buffer.add(content[:size])
        content = content[size:]
    buffer.add(content)
    assert np.array_equal(buffer.sound().samples * 32768, tone(0.1, RATE_HZ))


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"RIFF....WAVE", b"RIFF....WAVEfmt ", wav(b"")[:40], b"\xff\xfb\x90\x64"]
    ),
    st.text(max_size=40) | st.sampled_from(["audio/pcm;rate=", "audio/wav", ";;;", "audio/pcm;=;"]),
)
def test_any_bytes_are_sound_or_an_error(content: bytes, start: bytes, kind: str) -> None:
    try:
        sound = decoded(start + content, kind, step=37)
    except UnusableSound as error:
        assert str(error).startswith(("answers", "sends", "states", "makes"))
    else:
        assert np.isfinite(sound.samples).all()


def test_what_is_kept_in_memory_is_bounded() -> None:
    buffer = SoundBuffer("audio/pcm;rate=8000")
    kept = 0
    with pytest.raises(UnusableSound, match="more than 120 s"):
        while True:
            buffer.add(bytes(100_000))
            kept += 100_000
    assert kept <= MAX_SOUND_S * 8000 * 2
    header = SoundBuffer("audio/wav")
    with pytest.raises(UnusableSound, match="damaged"):
        header.add(b"RIFF....WAVE")
        for _ in range(100):
            header.add(b"LIST" + struct.pack("<I", 3992) + bytes(3992))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "localhost:8880",
            "ftp://x",
            "http://",
            "http:///v1",
            "http://a b/",
            "http://x:99999",
        ),
        *(
            "http://x:port",
            "http://u:p@x",
            "http://x/#part",
            "http://x/\n/v1",
            "https://x/a b",
            "//x",
        ),
        *("http://x/?a=\r\nX", "http://[::1", "http://ex\u00e4mple"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(BadServerAddress, match=r"allowed: http|tts_key"):
        parse_address(url)


def test_an_address_shows_neither_query_nor_default_port() -> None:
    address = parse_address("HTTPS://Example.com:443/openai/v1/?key=secret")
    assert address.shown("/audio/speech") == "https://example.com/openai/v1/audio/speech"
    assert address.target("/audio/speech") == "/openai/v1/audio/speech?key=secret"
    assert address.target("/dev/captioned_speech") == "/openai/dev/captioned_speech?key=secret"
    assert parse_address("http://[::1]:8880").shown() == "http://[::1]:8880/v1"
