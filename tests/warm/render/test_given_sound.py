"""A recording becomes a clip while it is still arriving; its length is not known before its end."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Protocol

import av
import numpy as np
import pytest

from isolation.arriving import PROGRAM
from isolation.standby import Standby
from session.webvtt import transcript_of
from tests.given_sounds import RATE_HZ, Samples, babble, found_in, wav_of
from tests.polling import wait_until
from tests.sessions import film_of, session_of
from warm.media.recording_errors import RecordingSilent, RecordingStalled, RecordingTooLong
from warm.media.sniff import MediaError
from warm.render.given_sound import GivenSound
from warm.render.jobs import FragmentCommitted, SpeakJob
from warm.runtime import Runtime

GIVEN = babble(1.5)
WAV = wav_of(GIVEN)


class Microphone:
    """The bytes of a recording as the test sends them; None ends it."""

    def __init__(self) -> None:
        self._queue: Queue[bytes | Exception | None] = Queue()

    def send(self, *chunks: bytes | Exception | None) -> None:
        for chunk in chunks:
            self._queue.put(chunk)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._queue.get(timeout=60)) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


@pytest.fixture(scope="module")
def decoders() -> Iterator[Standby]:
    """Decoder processes, one of which is always ready."""
    standby = Standby(PROGRAM, ("warm.media.arriving_audio",))
    standby.open()
    yield standby
    standby.close()


class Streamed(Protocol):
    """Makes a recording of a microphone."""

    def __call__(
        self, microphone: Microphone, *, stall_s: float = 30.0, longest_s: float = math.inf
    ) -> GivenSound: ...


@pytest.fixture
def streamed(decoders: Standby, tmp_path: Path) -> Streamed:
    def make(
        microphone: Microphone, *, stall_s: float = 30.0, longest_s: float = math.inf
    ) -> GivenSound:
        return GivenSound.from_stream(
            microphone, decoders=decoders, folder=tmp_path, stall_s=stall_s, longest_s=longest_s
        )

    return make


def film_sound(path: Path) -> Samples:
    with av.open(str(path), "r") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def fragments(job: SpeakJob) -> list[FragmentCommitted]:
    return [event for event in job.events() if isinstance(event, FragmentCommitted)]


def test_a_file_is_spoken_in_sync_and_at_the_loudness_of_the_voices(
    runtime: Runtime, tmp_path: Path
) -> None:
    path = tmp_path / "quiet.wav"
    path.write_bytes(wav_of(babble(1.5, level_dbfs=-42)))
    job = runtime.speak_sound(session_of(runtime), GivenSound.from_file(path, text="Hello there."))
    result = job.result()
    sound = film_sound(film_of(runtime).path)
    offset, correlation = found_in(GIVEN, sound)
    assert abs(offset) <= 48
    assert correlation > 0.98
    level = 20 * np.log10(np.sqrt(np.mean(sound[: len(GIVEN)] ** 2)))
    assert abs(level + 20) < 1.5
    assert result.clip.text == "Hello there."
    assert result.clip.is_whole
    assert result.voice is None
    assert "00:00:00.000 --> 00:00:01.520\nHello there." in transcript_of(film_of(runtime).path)


def test_the_first_fragment_is_on_disk_before_the_rest_has_arrived(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV[: 44 + 2 * RATE_HZ // 2])
    job = runtime.speak_sound(session_of(runtime), streamed(microphone))
    events = job.events()
    first = next(event for event in events if isinstance(event, FragmentCommitted))
    assert first.fragment.first_frame == 0
    microphone.send(WAV[44 + 2 * RATE_HZ // 2 :], None)
    assert job.result().clip.frames >= 38
    offset, correlation = found_in(GIVEN, film_sound(film_of(runtime).path))
    assert abs(offset) <= 48
    assert correlation > 0.98


def test_a_slow_client_holds_up_no_other_session(runtime: Runtime, streamed: Streamed) -> None:
    microphone = Microphone()
    microphone.send(WAV[:30_000])
    waiting = runtime.speak_sound(session_of(runtime, "slow"), streamed(microphone))
    other = runtime.speak(session_of(runtime, "other"), "One two.", runtime.choose())
    assert other.result().clip.is_whole
    assert not waiting.is_over
    microphone.send(WAV[30_000:], None)
    assert waiting.result().clip.is_whole


def test_a_recording_that_stops_arriving_is_spoken_to_there(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV[: 44 + 2 * RATE_HZ])
    job = runtime.speak_sound(session_of(runtime), streamed(microphone, stall_s=1.0))
    with pytest.raises(RecordingStalled, match="recording_stall_s"):
        job.result()
    microphone.send(None)
    film = film_of(runtime)
    (clip,) = film.committed.clips
    assert not clip.is_whole
    sound = film_sound(film.path)
    assert found_in(GIVEN[: RATE_HZ * 9 // 10], sound)[1] > 0.98
    assert np.abs(sound[-1920:]).max() < 0.01


def test_an_error_of_the_client_ends_the_clip_after_what_was_heard(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV[: 44 + 2 * RATE_HZ], ConnectionError("the client left"))
    job = runtime.speak_sound(session_of(runtime), streamed(microphone))
    with pytest.raises(ConnectionError, match="the client left"):
        job.result()
    assert film_of(runtime).committed.frames >= 25


def test_an_interruption_ends_a_recording_that_is_still_arriving(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV[:60_000])
    job = runtime.speak_sound(session_of(runtime), streamed(microphone))
    next(event for event in job.events() if isinstance(event, FragmentCommitted))
    assert runtime.interrupt(session_of(runtime)).interrupted
    result = job.result()
    microphone.send(None)
    assert result.interrupted
    assert not result.clip.is_whole
    assert film_of(runtime).committed.frames == result.clip.frames


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (wav_of(np.zeros(RATE_HZ, np.float32)), RecordingSilent),
        (b"", MediaError),
        (b"no sound at all, but a text", MediaError),
        (WAV[:40], MediaError),
    ],
)
def test_what_cannot_be_spoken_does_not_touch_the_film(
    data: bytes, error: type[Exception], runtime: Runtime, streamed: Streamed, tmp_path: Path
) -> None:
    microphone = Microphone()
    microphone.send(data, None)
    path = tmp_path / "given"
    path.write_bytes(data)
    for given in (streamed(microphone), GivenSound.from_file(path)):
        with pytest.raises(error):
            runtime.speak_sound(session_of(runtime), given)
    assert runtime.sessions.registry.film(session_of(runtime)) is None


def test_silence_before_the_first_sound_is_kept(runtime: Runtime, streamed: Streamed) -> None:
    microphone = Microphone()
    silence = np.zeros(RATE_HZ * 7, np.float32)
    microphone.send(wav_of(np.concatenate([silence, GIVEN])), None)
    runtime.speak_sound(session_of(runtime), streamed(microphone)).result()
    offset, correlation = found_in(GIVEN, film_sound(film_of(runtime).path))
    assert abs(offset - len(silence)) <= 48
    assert correlation > 0.98


def test_a_recording_that_is_longer_than_a_session_may_be_is_refused(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV[:50_000])
    with pytest.raises(RecordingTooLong, match="max_session_s"):
        runtime.speak_sound(session_of(runtime), streamed(microphone, longest_s=1.0))
    microphone.send(None)


def test_nothing_of_a_recording_runs_on_after_its_clip(
    runtime: Runtime, streamed: Streamed
) -> None:
    microphone = Microphone()
    microphone.send(WAV, None)
    runtime.speak_sound(session_of(runtime), streamed(microphone)).result()
    wait_until(
        lambda: all(each.name != "recording" for each in threading.enumerate()),
        "the end of the thread that sends the recording",
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("no_collection")
def test_no_decoder_waits_for_a_collection_of_garbage(
    runtime: Runtime, streamed: Streamed, tmp_path: Path
) -> None:
    """Catches processes and pipes that stay when recordings are interrupted or refused."""
    path = tmp_path / "given.wav"
    path.write_bytes(wav_of(babble(6.0)))
    session = session_of(runtime)
    runtime.speak(session, "Yes.", runtime.choose()).result()
    before = open_files()
    for _ in range(4):
        microphone = Microphone()
        microphone.send(WAV[:60_000])
        for given in (streamed(microphone), GivenSound.from_file(path)):
            job = runtime.speak_sound(session, given)
            next(event for event in job.events() if isinstance(event, FragmentCommitted))
            assert runtime.interrupt(session).interrupted
            assert job.result().interrupted
        microphone.send(None)
        begun = GivenSound.from_file(path)
        begun.begin()
        job = SpeakJob(session=session, text="", choice=runtime.choose(), given=begun)
        job.fail(MediaError("not spoken"))
    wait_until(lambda: open_files() <= before + 4, "the end of the decoders", 20)
