"""The service in whole pipelines, at a real server."""

import asyncio
from collections.abc import Iterator

import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    InterruptionFrame,
    OutputImageRawFrame,
    SpeechOutputAudioRawFrame,
    TTSAudioRawFrame,
)
from pipecat.tests.utils import SleepFrame, run_test
from real_server import HEIGHT, WIDTH, RealServer, real_server
from test_video import running, sound_of, speech, tone, until
from warmtalk_pipecat import WarmtalkVideoService

pytestmark = pytest.mark.server
SIZE = {"video_out_width": WIDTH, "video_out_height": HEIGHT}
MOUTH = (60 * WIDTH + 48) * 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("server")) as started:
        yield started


def speaks(image: bytes) -> bool:
    """True if the mouth differs from the rest of the picture, which has one shade."""
    return abs(image[MOUTH] - image[0]) > 10


async def test_speech_comes_back_with_a_moving_mouth(server: RealServer):
    pcm = tone(1.0, level=100)
    service = WarmtalkVideoService(url=server.url, session_id="run-test")
    down, up = await run_test(service, frames_to_send=speech(pcm))
    assert sound_of(down)[: len(pcm)] == pcm
    assert not [each for each in down if isinstance(each, TTSAudioRawFrame)]
    assert not [each for each in up if isinstance(each, ErrorFrame)]
    pictures = {each.pts: each for each in down if isinstance(each, OutputImageRawFrame)}
    sounds = [each for each in down if isinstance(each, SpeechOutputAudioRawFrame)]
    spoken = [pictures[each.pts].image for each in sounds if each.pts in pictures]
    assert sum(map(speaks, spoken)) > 12
    assert {each.size for each in pictures.values()} == {(WIDTH, HEIGHT)}


async def test_a_whole_pipeline_plays_idle_speech_and_idle_again(server: RealServer):
    pcm = tone(1.0, level=100)
    service = WarmtalkVideoService(url=server.url, session_id="pipeline")
    async with running(service, **SIZE) as (output, worker, up):
        await until(lambda: len(output.pictures) > 10, "idle pictures")
        await worker.queue_frames(speech(pcm))
        await until(lambda: bool(up.of(BotStoppedSpeakingFrame)), "the end of the speech")
        count = len(output.pictures)
        await until(lambda: len(output.pictures) > count + 10, "idle pictures again")
    assert pcm in output.played
    assert len(up.of(BotStartedSpeakingFrame)) == 1
    images = [image for _, image in output.pictures]
    assert sum(map(speaks, images)) > 12
    assert not any(map(speaks, [*images[:5], *images[-5:]]))


async def test_an_interruption_is_silence_and_what_follows_is_spoken(server: RealServer):
    ends: list[tuple[float, bool]] = []
    service = WarmtalkVideoService(url=server.url, session_id="interrupted")

    @service.event_handler("on_utterance_finished")
    async def on_finished(_, _context, position_s, interrupted):
        ends.append((position_s, interrupted))

    async with running(service, **SIZE) as (output, worker, up):
        await worker.queue_frames(speech(tone(5.0)))
        await until(lambda: len(output.played) > 24_000, "half a second of speech")
        await worker.queue_frame(InterruptionFrame())
        await until(lambda: bool(up.of(BotStoppedSpeakingFrame)), "silence")
        played = len(output.played)
        await asyncio.sleep(0.5)
        assert len(output.played) - played <= 1920
        await until(lambda: len(ends) == 1, "the end")
        await worker.queue_frames(speech(tone(0.5, level=9), "c2"))
        await until(lambda: len(ends) == 2, "the end of the next one")
    assert ends[0][1]
    assert ends[0][0] == pytest.approx(played / 48_000, abs=0.3)
    assert ends[1] == (0.5, False)
    assert tone(0.5, level=9) in output.played


async def test_two_turns_with_pauses_are_spoken_in_order(server: RealServer):
    parts = [tone(0.3, level=level) for level in (20, 40, 60)]
    frames = []
    for index, part in enumerate(parts):
        frames += [*speech(part, f"c{index}"), SleepFrame(0.1)]
    service = WarmtalkVideoService(url=server.url, session_id="turns")
    down, _ = await run_test(service, frames_to_send=frames)
    sound = sound_of(down)
    places = [sound.find(part) for part in parts]
    assert places[0] == 0
    assert places == sorted(places)
    assert -1 not in places
