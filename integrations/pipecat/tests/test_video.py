"""The service in pipelines of the real framework, at a server with the contract of the socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from fake_server import FakeServer, fake_server
from memory_transport import Collector, MemoryOutput
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    SpeechOutputAudioRawFrame,
    TextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.tests.utils import SleepFrame, run_test
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner
from warmtalk_client import face as live_face
from warmtalk_pipecat import WarmtalkVideoService, video

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _without_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake server has the live socket only."""

    async def ensure(*_: object) -> None:
        pass

    monkeypatch.setattr(live_face, "ensure_session", ensure)


def tone(seconds: float, rate: int = 24_000, level: int = 64) -> bytes:
    count = int(seconds * rate)
    return b"".join(((level << 8) + index % 251).to_bytes(2, "little") for index in range(count))


def speech(pcm: bytes, context: str = "c1", rate: int = 24_000, channels: int = 1) -> list[Frame]:
    """The frames of a voice service: the sound in pieces, as fast as it is made."""
    size = rate // 10 * 2 * channels
    pieces = [pcm[start : start + size] for start in range(0, len(pcm), size)]
    return [
        TTSStartedFrame(context_id=context),
        *(TTSAudioRawFrame(each, rate, channels, context_id=context) for each in pieces),
        TTSStoppedFrame(context_id=context),
    ]


def sound_of(frames: list[Frame]) -> bytes:
    return b"".join(each.audio for each in frames if isinstance(each, SpeechOutputAudioRawFrame))


async def until(condition, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.01)


async def test_the_sound_comes_out_with_pictures_and_the_originals_are_dropped():
    pcm = tone(0.5)
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(service, frames_to_send=[*speech(pcm), TextFrame("passes")])
    assert sound_of(down)[: len(pcm)] == pcm
    assert server.received_sound() == pcm
    assert not [each for each in down if isinstance(each, TTSAudioRawFrame)]
    pictures = [each for each in down if isinstance(each, OutputImageRawFrame)]
    assert len(pictures) >= 10
    assert {(each.size, each.format, len(each.image)) for each in pictures} == {
        ((32, 24), "RGB", 32 * 24 * 3)
    }
    assert [each.text for each in down if isinstance(each, TextFrame)] == ["passes"]


async def test_a_picture_and_its_sound_have_the_same_time():
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(service, frames_to_send=speech(tone(0.5, level=100)))
    pictures = {each.pts: each for each in down if isinstance(each, OutputImageRawFrame)}
    sounds = [each for each in down if isinstance(each, SpeechOutputAudioRawFrame)]
    times = sorted(pictures)
    assert all(later - earlier == 40_000_000 for earlier, later in pairwise(times))
    matched = [each for each in sounds if each.pts in pictures]
    assert len(matched) >= 10
    for sound in matched:
        assert pictures[sound.pts].image[0] == max(sound.audio[1::2])


async def test_the_frames_around_the_speech_are_passed_on_when_it_sounds():
    async with fake_server(FakeServer(delay_s=0.3)) as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(service, frames_to_send=speech(tone(0.2)))
    kinds = [type(each) for each in down]
    first = kinds.index(SpeechOutputAudioRawFrame)
    assert kinds.count(TTSStartedFrame) == kinds.count(TTSStoppedFrame) == 1
    assert kinds.index(TTSStartedFrame) < first < kinds.index(TTSStoppedFrame)
    spoken = sound_of(down[: kinds.index(TTSStoppedFrame)])
    assert len(spoken) >= len(tone(0.2))


async def test_several_utterances_are_spoken_in_order_and_each_ends_once():
    ends: list[tuple[str, float, bool]] = []
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")

        @service.event_handler("on_utterance_finished")
        async def on_finished(_, context, position_s, interrupted):
            ends.append((context, position_s, interrupted))

        parts = [tone(0.2, level=level) for level in (20, 40, 60)]
        frames = [each for i, part in enumerate(parts) for each in speech(part, f"c{i}")]
        down, _ = await run_test(service, frames_to_send=frames)
    assert ends == [("c0", 0.2, False), ("c1", 0.2, False), ("c2", 0.2, False)]
    assert sound_of(down)[: 3 * len(parts[0])] == b"".join(parts)


@pytest.mark.parametrize(
    ("rate", "channels", "sent_rate"),
    [
        (16_000, 1, 16_000),
        (48_000, 1, 48_000),
        (22_050, 1, 24_000),
        (44_100, 2, 24_000),
        (8_000, 1, 24_000),
    ],
)
async def test_sound_of_any_rate_and_number_of_channels_is_spoken(rate, channels, sent_rate):
    one = tone(0.4, rate)
    pcm = b"".join(one[i : i + 2] * channels for i in range(0, len(one), 2))
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(service, frames_to_send=speech(pcm, rate=rate, channels=channels))
    begin = next(each for each in server.received if isinstance(each, dict))
    assert begin["rate"] == sent_rate
    sent_s = len(server.received_sound()) / 2 / sent_rate
    assert abs(sent_s - 0.4) < 0.01
    if rate == sent_rate:
        assert server.received_sound() == one
    rates = {each.sample_rate for each in down if isinstance(each, SpeechOutputAudioRawFrame)}
    assert rates == {24_000}


async def test_an_interruption_stops_the_sound_and_ends_the_utterance_once():
    ends: list[tuple[float, bool]] = []
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")

        @service.event_handler("on_utterance_finished")
        async def on_finished(_, _context, position_s, interrupted):
            ends.append((position_s, interrupted))

        frames = [
            *speech(tone(5.0)),
            SleepFrame(0.6),
            InterruptionFrame(),
            SleepFrame(0.4),
            *speech(tone(0.2, level=7), "c2"),
        ]
        down, _ = await run_test(service, frames_to_send=frames)
    kinds = [type(each) for each in down]
    at = kinds.index(InterruptionFrame)
    before, after = sound_of(down[:at]), sound_of(down[at:])
    assert 0 < len(before) < 48_000 * 2
    assert after[: len(tone(0.2))] == tone(0.2, level=7), "old sound followed the interruption"
    assert ends[1] == (0.2, False)
    position_s, interrupted = ends[0]
    assert interrupted
    assert position_s == pytest.approx(len(before) / 48_000, abs=0.021)
    assert server.kinds() == ["begin", "end", "clear", "begin", "end"] or server.kinds() == [
        *("begin", "clear", "begin", "end")
    ]


async def test_an_utterance_that_was_not_heard_yet_is_dropped_without_a_sound():
    async with fake_server(FakeServer(delay_s=3.0)) as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        frames = [*speech(tone(1.0)), SleepFrame(0.5), InterruptionFrame(), SleepFrame(0.2)]
        down, _ = await run_test(service, frames_to_send=frames)
    assert sound_of(down) == b""
    assert not [each for each in down if isinstance(each, TTSStartedFrame | TTSStoppedFrame)]


async def test_speech_that_may_not_be_interrupted_goes_on():
    frames = speech(tone(0.6))
    for each in frames:
        each.interruptible = False
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(
            service, frames_to_send=[*frames, SleepFrame(0.3), InterruptionFrame()]
        )
    assert sound_of(down)[: len(tone(0.6))] == tone(0.6)
    assert "clear" not in server.kinds()


async def test_a_user_who_speaks_interrupts_nothing_by_that_alone():
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        frames = [*speech(tone(0.4)), SleepFrame(0.2), UserStartedSpeakingFrame()]
        down, _ = await run_test(service, frames_to_send=frames)
    assert sound_of(down)[: len(tone(0.4))] == tone(0.4)


async def test_frames_without_a_voice_pass_unchanged():
    sent = [TTSStartedFrame(context_id="a"), TTSStoppedFrame(context_id="a"), TextFrame("x")]
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        down, _ = await run_test(service, frames_to_send=sent)
    assert [each for each in down if not isinstance(each, OutputImageRawFrame)] == sent


async def test_a_lost_connection_is_reported_and_later_speech_is_spoken():
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        async with running(service) as (output, worker, up):
            await worker.queue_frames(speech(tone(3.0)))
            await until(lambda: len(output.played) > 9600, "sound")
            await server.drop_connections()
            await until(lambda: bool(up.of(ErrorFrame)), "the error")
            await until(lambda: bool(server.connections), "the new connection")
            await until(lambda: service._face.is_connected, "the new connection")
            await worker.queue_frames(speech(tone(0.3, level=9), "c2"))
            await until(lambda: tone(0.3, level=9) in output.played, "the later speech")


async def test_a_refused_key_is_reported_and_the_voice_is_still_heard():
    async with fake_server(FakeServer(refuse=(401, "no valid key"))) as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        frames = [SleepFrame(0.2), *speech(tone(0.2))]
        down, up = await run_test(service, frames_to_send=frames)
    errors = [each.error for each in up if isinstance(each, ErrorFrame)]
    assert errors == ["Warmtalk: Warmtalk answered 401: no valid key"]
    sound = [each.audio for each in down if isinstance(each, TTSAudioRawFrame)]
    assert b"".join(sound) == tone(0.2)
    assert not service.is_usable


async def test_without_a_server_the_voice_is_passed_on_at_once():
    service = WarmtalkVideoService(url="http://127.0.0.1:1", session_id="s")
    async with asyncio.timeout(PATIENCE_S):
        down, up = await run_test(service, frames_to_send=speech(tone(1.0)))
    errors = [each.error for each in up if isinstance(each, ErrorFrame)]
    assert len(errors) == 1
    assert "http://127.0.0.1:1: cannot be reached" in errors[0]
    sound = [each.audio for each in down if isinstance(each, TTSAudioRawFrame)]
    assert b"".join(sound) == tone(1.0)


async def test_a_server_that_is_not_ready_yet_is_tried_again():
    async with fake_server(FakeServer(refuse=(502, "the proxy has no server"))) as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        async with running(service) as (output, worker, up):
            await until(lambda: bool(up.of(ErrorFrame)), "the error")
            server.refuse = None
            await until(lambda: service._face.is_connected, "the connection")
            assert service.is_usable
            await worker.queue_frames(speech(tone(0.3, level=9)))
            await until(lambda: tone(0.3, level=9) in output.played, "the speech")


@asynccontextmanager
async def running(
    service: WarmtalkVideoService, **params: object
) -> AsyncIterator[tuple[MemoryOutput, PipelineWorker, Collector]]:
    """A pipeline: a source of frames, the service, and a transport that plays into memory."""
    options = {"video_out_width": 32, "video_out_height": 24, "video_out_framerate": 25, **params}
    output = MemoryOutput(
        TransportParams(
            audio_out_enabled=True,
            video_out_enabled=True,
            video_out_is_live=True,
            audio_out_end_silence_secs=0,
            **options,
        )
    )
    up = Collector()
    worker = PipelineWorker(
        Pipeline([up, service, output]),
        params=PipelineParams(audio_out_sample_rate=24_000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    runner = WorkerRunner()
    await runner.add_workers(worker)
    running_task = asyncio.create_task(runner.run())
    try:
        await until(service._attempted.is_set, "the connection")
        yield output, worker, up
        await worker.queue_frame(EndFrame())
        await asyncio.wait_for(running_task, PATIENCE_S)
    finally:
        running_task.cancel()
        await asyncio.gather(running_task, return_exceptions=True)


async def test_a_whole_pipeline_plays_idle_speech_and_idle_again():
    pcm = tone(0.6, level=90)
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        async with running(service) as (output, worker, up):
            await until(lambda: len(output.pictures) > 5, "idle pictures")
            assert output.sound == []
            await worker.queue_frames(speech(pcm))
            await until(lambda: bool(up.of(BotStoppedSpeakingFrame)), "the end of the speech")
            spoken = len(output.pictures)
            await until(lambda: len(output.pictures) > spoken + 5, "idle pictures again")
    assert pcm in output.played
    assert len(up.of(BotStartedSpeakingFrame)) == 1
    shown = [image[0] for _, image in output.pictures]
    assert shown[0] == 0 and shown[-1] == 0 and 90 in shown
    first_sound = next(at for at, audio in output.sound if max(audio[1::2]) == 90)
    first_mouth = next(at for at, image in output.pictures if image[0] == 90)
    assert abs(first_sound - first_mouth) < 0.3


async def test_an_interruption_silences_the_transport():
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        async with running(service) as (output, worker, up):
            await worker.queue_frames(speech(tone(5.0)))
            await until(lambda: bool(up.of(BotStartedSpeakingFrame)), "the speech")
            await until(lambda: len(output.played) > 24_000, "half a second of it")
            await worker.queue_frame(InterruptionFrame())
            await until(lambda: bool(up.of(BotStoppedSpeakingFrame)), "the end of the speech")
            played = len(output.played)
            pictures = len(output.pictures)
            await until(lambda: len(output.pictures) > pictures + 12, "idle pictures")
            assert len(output.played) - played <= 1920, "sound after the interruption"
            assert output.pictures[-1][1][0] == 0


async def test_the_pipeline_ends_after_the_last_word():
    pcm = tone(1.0)
    async with fake_server() as server:
        service = WarmtalkVideoService(url=server.url, session_id="s")
        async with running(service) as (output, worker, _):
            await worker.queue_frames(speech(pcm))
    assert pcm in output.played
    assert not server.connections


def test_the_tail_is_longer_than_the_silence_that_ends_a_speech():
    from pipecat.transports import base_output

    assert video.TAIL_S > base_output.BOT_VAD_STOP_SECS
