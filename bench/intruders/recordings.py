"""Hostile sounds and videos."""

import io
import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

RATE_HZ = 8000
LONG_S = 900
"""Longer than the server of the measurement allows."""


def wav(seconds: float) -> bytes:
    """Return silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(bytes(2 * int(seconds * RATE_HZ)))
    return file.getvalue()


def sound(muxer: str, codec: str, seconds: float, rate_hz: int = 16_000) -> bytes:
    """Return silence in a container."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = cast(AudioStream, container.add_stream(codec, rate=rate_hz))
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, int(seconds * rate_hz)), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def video(muxer: str = "mp4", codec: str = "libx264", frames: int = 10) -> bytes:
    """Return a grey video."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25))
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.full((96, 96, 3), 20 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def too_long() -> Iterator[tuple[str, bytes]]:
    """Yield silence of fifteen minutes and more, some of it only announced."""
    yield "WAV of 15 minutes", wav(LONG_S)
    yield "MP3 of many copies", sound("mp3", "libmp3lame", 30) * (LONG_S // 30)
    yield "ADTS of many copies", sound("adts", "aac", 30) * (LONG_S // 30)
    yield "Opus of 15 minutes", sound("ogg", "libopus", LONG_S)
    yield "WebM of 15 minutes", sound("webm", "libopus", LONG_S)
    flac = bytearray(sound("flac", "flac", LONG_S))
    yield "FLAC of 15 minutes", bytes(flac)
    flac[21] |= 0x0F
    flac[22:26] = b"\xff\xff\xff\xff"
    yield "FLAC that announces a month", bytes(flac[:2000])


def truncated() -> Iterator[tuple[str, bytes]]:
    """Yield files that are cut off, of formats that state their length."""
    whole = {
        "WAV": wav(5),
        "FLAC": sound("flac", "flac", 5),
        "M4A": sound("ipod", "aac", 5),
        "MP4": video(),
        "AVI": video("avi", "mpeg4"),
    }
    for name, data in whole.items():
        yield f"{name} cut off at its head", data[:30]
    for name in ("WAV", "M4A", "MP4"):
        yield f"{name} cut off at 40%", whole[name][: int(len(whole[name]) * 0.4)]


def references(port: int) -> Iterator[tuple[str, bytes]]:
    """Yield files that name other files, or an address of this machine at `port`."""
    url = f"http://127.0.0.1:{port}/through"
    yield "M3U8", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n".encode()
    yield "M3U8 of a file", b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    yield "M3U8 with concat", f"#EXTM3U\n#EXTINF:9,\nconcat:{url}|/etc/passwd\n".encode()
    yield "ffconcat", f"ffconcat version 1.0\nfile '{url}'\nfile /etc/passwd\n".encode()
    yield "SDP", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5000 RTP/AVP 0\n"
    yield "MPD", f'<?xml version="1.0"?><MPD><BaseURL>{url}</BaseURL></MPD>'.encode()
    yield "PLS", f"[playlist]\nFile1={url}\nNumberOfEntries=1\n".encode()
    yield "ASX", f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>'.encode()
    yield (
        "M3U8 after ftyp",
        struct.pack(">I", 24)
        + b"ftypisom\0\0\0\0isommp42#EXTM3U\n"
        + (f"#EXTINF:9,\n{url}\n".encode()),
    )
    yield "M3U8 after ID3", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"#EXTM3U\n" + url.encode()
    yield "M3U8 after RIFF", b"RIFF\xff\0\0\0AVI LIST" + b"#EXTM3U\n" + url.encode()
    yield "YUV4MPEG", b"YUV4MPEG2 W100000 H100000 F25:1\nFRAME\n" + bytes(100)


def harmless_references(port: int) -> Iterator[tuple[str, bytes]]:
    """Yield readable films that also name an address, which must not be opened."""
    mp4, url = video(), f"http://127.0.0.1:{port}/through\0".encode()
    own = b"\0\0\0\x0curl \0\0\0\1"
    assert own in mp4
    yield "MP4 whose data are elsewhere", mp4.replace(own, own[:-1] + b"\0")
    yield "MP4 with an address at its end", mp4 + struct.pack(">I", 8 + len(url)) + b"free" + url
