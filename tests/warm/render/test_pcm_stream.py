"""Raw sound of live clients: any pieces, silence, floods, pauses, and the clip that it becomes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from isolation.process import RequestCancelled
from tests.given_sounds import babble, found_in
from tests.live_sinks import RecordingSink
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from tests.tiny_face import running_runtime
from tts.registry import VoiceRegistry
from warm.media.recording_errors import (
    PcmOverflow,
    PcmRateUnsupported,
    RecordingSilent,
    RecordingStalled,
)
from warm.render.given_sound import LEAD_IN, GivenSound
from warm.render.jobs import SpeakJob
from warm.render.live_sink import LivePosition
from warm.render.pcm_stream import LONGEST_WAITING_S, PcmStream
from warm.runtime import Runtime
from warm.settings import Settings

Samples = NDArray[np.float32]
STEP = 1920


def pcm(samples: Samples) -> bytes:
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def written(data: bytes, rate_hz: int = 48_000, sizes: tuple[int, ...] = (1920,)) -> PcmStream:
    """A complete stream that got the data in pieces of these sizes, again and again."""
    stream = PcmStream(rate_hz, stall_s=30)
    at = 0
    while at < len(data):
        for size in sizes:
            stream.write(data[at : at + size])
            at += size
    stream.end()
    return stream


def read(stream: PcmStream) -> Samples:
    items = [item.array for item in stream.items(lambda: False) if item.array is not None]
    return np.concatenate([np.zeros(0, np.float32), *items])


@pytest.mark.parametrize("sizes", [(1920,), (1,), (1, 2, 3, 5, 777), (100_000,), (0, 961)])
def test_pieces_of_any_length_are_the_same_sound(sizes: tuple[int, ...]) -> None:
    sound = babble(0.2)
    expected = np.frombuffer(pcm(sound), "<i2") / np.float32(32768)
    assert np.array_equal(read(written(pcm(sound), sizes=sizes)), expected)


def test_a_last_byte_without_its_other_half_is_ignored_and_reported() -> None:
    stream = written(pcm(babble(0.1)) + b"\x7f")
    *_, last = stream.items(lambda: False)
    assert last.facts["notes"] == ["the last sample had one byte, and was ignored"]
    assert len(read(written(b"\x7f"))) == 0


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 96_000])
def test_other_rates_keep_time_and_length(rate_hz: int) -> None:
    times = np.arange(rate_hz) / rate_hz
    sound = read(
        written(pcm(np.asarray(0.5 * np.sin(2 * np.pi * 440 * times), np.float32)), rate_hz)
    )
    assert abs(len(sound) - 48_000) <= 2
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / 48_000)
    assert np.abs(sound - wanted)[480:-480].max() < 0.02


@pytest.mark.parametrize("rate_hz", [0, -1, 4_000, 192_000])
def test_an_impossible_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(PcmRateUnsupported, match="8000 to 96000"):
        PcmStream(rate_hz, stall_s=30)


def test_a_flood_is_refused_and_what_had_arrived_is_kept() -> None:
    stream, second = PcmStream(16_000, stall_s=30), bytes(32_000)
    with pytest.raises(PcmOverflow, match="120 s"):
        for _ in range(round(LONGEST_WAITING_S) + 1):
            stream.write(second)
    assert stream.waiting_s == LONGEST_WAITING_S
    stream.write(second)
    assert stream.waiting_s == LONGEST_WAITING_S
    with pytest.raises(PcmOverflow):
        list(stream.items(lambda: False))


def test_one_piece_that_is_too_long_is_refused() -> None:
    with pytest.raises(PcmOverflow):
        PcmStream(8_000, stall_s=30).write(bytes(16_000 * 121))


def test_a_pause_that_is_too_long_ends_the_sound() -> None:
    stream = PcmStream(48_000, stall_s=0.3)
    stream.write(pcm(babble(0.1)))
    items = stream.items(lambda: False)
    assert np.shape(next(items).array) == (4800,)
    with pytest.raises(RecordingStalled, match="recording_stall_s"):
        next(items)


def test_a_reader_that_waits_ends_when_the_stream_is_closed() -> None:
    stream = PcmStream(48_000, stall_s=30)
    timer = threading.Timer(0.05, stream.close)
    timer.start()
    with pytest.raises(RequestCancelled):
        next(stream.items(lambda: False))
    timer.join()
    stream.write(b"\0\0")
    assert stream.is_over
    assert stream.waiting_s == 0


def test_silence_before_the_first_sound_is_left_out() -> None:
    sound = babble(1.0)
    silence = np.zeros(6 * 48_000, np.float32)
    given = GivenSound.from_pcm(written(pcm(np.concatenate([silence, sound]))))
    spoken = np.concatenate(list(given.pieces()))
    assert len(silence) - LEAD_IN - 960 <= given.skipped <= len(silence)
    offset, correlation = found_in(sound, spoken)
    assert offset + given.skipped == len(silence)
    assert correlation > 0.98


def test_sound_that_begins_at_once_keeps_its_first_sample() -> None:
    given = GivenSound.from_pcm(written(pcm(babble(0.5))))
    assert len(np.concatenate(list(given.pieces()))) == 24_000
    assert given.skipped == 0


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(96_000)])
def test_sound_without_sound_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingSilent):
        GivenSound.from_pcm(written(data)).begin()


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink("default")


@pytest.fixture
def runtime(
    settings: Settings, voices: VoiceRegistry, tmp_path: Path, sink: RecordingSink
) -> Iterator[Runtime]:
    with running_runtime(settings, voices, tmp_path, live=sink) as runtime:
        yield runtime


def speak(runtime: Runtime, stream: PcmStream, utterance: str | None = None) -> SpeakJob:
    given = runtime.recording_pcm(stream)
    return runtime.speak_sound(session_of(runtime), given, utterance=utterance)


def test_the_first_picture_needs_the_first_sound_only(
    runtime: Runtime, sink: RecordingSink
) -> None:
    sound = babble(1.0)
    stream = runtime.pcm_stream(24_000)
    stream.write(pcm(sound[: 48 * 400][::2]))
    job = speak(runtime, stream, "u1")
    wait_until(lambda: sink.frames, "the first picture")
    assert sink.begun[0].utterance == "u1"
    assert not job.is_over
    stream.write(pcm(sound[48 * 400 :][::2]))
    stream.end()
    assert job.result().clip.is_whole
    frames = film_of(runtime).committed.frames
    assert sink.numbers() == list(range(frames))
    offset, correlation = found_in(sound, sink.sound())
    assert abs(offset) <= 48
    assert correlation > 0.98


def test_each_picture_follows_its_sound_and_the_film_has_no_tiny_fragments(
    runtime: Runtime, sink: RecordingSink
) -> None:
    stream, data = runtime.pcm_stream(48_000), pcm(babble(0.7))
    stream.write(data[: 10 * 2 * STEP])
    job = speak(runtime, stream)
    wait_until(lambda: sink.frames >= 2, "the first pictures")
    for at in range(10 * 2 * STEP, len(data), 2 * STEP):
        before = sink.frames
        stream.write(data[at : at + 2 * STEP])
        wait_until(lambda: sink.frames > before, "the picture of 40 ms of sound")  # noqa: B023
    stream.end()
    job.result()
    fragments = [event.fragment for event in job.live_events if hasattr(event, "fragment")]
    short = [fragment for fragment in fragments if fragment.frames < 3]
    assert len(short) <= 2  # what was held when the sound ended, and the last part of it
    assert len(sink.added) > 2 * len(fragments)


def test_an_interruption_ends_the_stream_and_the_next_one_is_a_clip_of_its_own(
    runtime: Runtime, sink: RecordingSink
) -> None:
    stream = runtime.pcm_stream(48_000)
    stream.write(pcm(babble(1.0)))
    job = speak(runtime, stream, "one")
    wait_until(lambda: sink.frames >= 10, "ten frames")
    sink.position = LivePosition(frame=5)
    assert runtime.interrupt(session_of(runtime)).played == 5
    assert job.result().interrupted
    wait_until(lambda: stream.is_over, "the end of the stream")
    stream.write(pcm(babble(1.0)))
    again = written(pcm(babble(0.4, seed=1)))
    assert speak(runtime, again, "two").result().clip.is_whole
    assert [clip.utterance for clip in sink.begun] == ["one", "two"]


def test_a_stream_that_breaks_off_is_spoken_to_there(runtime: Runtime, sink: RecordingSink) -> None:
    stream = runtime.pcm_stream(48_000)
    stream.write(pcm(babble(0.5)))
    job = speak(runtime, stream)
    stream.end(ConnectionError("the client left"))
    with pytest.raises(ConnectionError):
        job.result()
    (clip,) = film_of(runtime).committed.clips
    assert not clip.is_whole
    assert clip.frames * STEP >= 24_000
    assert sink.numbers() == list(range(clip.frames))
    assert len(sink.ended) == 1
