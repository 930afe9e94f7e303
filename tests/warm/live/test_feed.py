"""A feed with a fake clock: what its subscribers receive, decoded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.tiny_face import HEIGHT, WIDTH, tiny_avatar
from warm.live.feed.feed import Feed
from warm.live.feed.feed_place import FeedPlace
from warm.live.feed.h264 import LiveVideoEncoder, coded_size
from warm.live.feed.opus import OpusEncoder
from warm.live.feed.producer import Media, Producer
from warm.live.feed.scene import Picture, Scene
from warm.live.feed.shot import Shot
from warm.live.feed.subscriber import LiveEvent, LivePicture, LiveSound, Wants
from warm.live.feed.ticks import Ticks

STEP = 1920
ALL = Wants(packets=True, pictures=True, pcm=True)


class FakeTicks(Ticks):
    """A clock on which every tick is on time, but for stalls that are asked for."""

    def __init__(self) -> None:
        super().__init__(now_ns=lambda: 0)
        self.stalls: dict[int, int] = {}
        """Ticks to skip, by tick."""
        self.late_s = 0.0

    def wait(self, tick: int) -> int:
        return self.stalls.pop(tick, 0)

    def lateness_s(self, tick: int) -> float:
        assert tick >= 0
        return self.late_s


class Player:
    """A producer that runs as many ticks as are asked for."""

    def __init__(self, folder: Path, wants: Wants = ALL, **more: Any) -> None:
        avatar = tiny_avatar(folder)
        facts = {"fps": 25, "path": str(folder / "film.mp4"), "position": 0, "committed": 0}
        place = FeedPlace(session_id="s", avatar_key="tiny", avatar=avatar, **{**facts, **more})
        self.avatar, self.ticks = avatar, FakeTicks()
        self.media: list[Media] = []
        self.producer = Producer(place, ticks=self.ticks, deliver=self.media.extend)
        self.producer.wants = wants
        self._steps: Iterator[None] = self.producer.steps()

    def run(self, ticks: int) -> list[Media]:
        """Run ticks and return their media."""
        before = len(self.media)
        for _ in range(ticks):
            next(self._steps)
        return self.media[before:]

    def begin(self, clip: int = 0, first: int = 0, **more: Any) -> None:
        header = {
            "kind": "begin",
            "epoch": 0,
            "clip": clip,
            "avatar": "tiny",
            "first_frame": first,
            "tapped_from": first,
            "position": 0,
            "utterance": f"u{clip}",
            "skipped": 0,
            "path": "",
        }
        self.producer.take({**header, **more}, memoryview(b""))

    def add(self, first: int, count: int, clip: int = 0, epoch: int = 0) -> None:
        """Frames whose grey and sound are their numbers."""
        numbers = range(first, first + count)
        pictures = [np.full((HEIGHT, WIDTH, 3), 5 * number, np.uint8) for number in numbers]
        sound = [np.full(STEP, number / 100, np.float32) for number in numbers]
        header = {
            "kind": "add",
            "epoch": epoch,
            "clip": clip,
            "first_frame": first,
            "size": [WIDTH, HEIGHT],
            "shown": [list(self.avatar.shown_at(number)) for number in numbers],
        }
        payload = b"".join(each.tobytes() for each in (*pictures, *sound))
        self.producer.take(header, memoryview(bytearray(payload)))

    def end(self, frame: int, clip: int = 0) -> None:
        header = {"kind": "end", "epoch": 0, "clip": clip, "end_frame": frame, "was_cut": False}
        self.producer.take(header, memoryview(b""))


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def pictures(media: list[Media]) -> list[LivePicture]:
    return [each for each in media if isinstance(each, LivePicture)]


def sounds(media: list[Media]) -> list[LiveSound]:
    return [each for each in media if isinstance(each, LiveSound)]


def decoded(media: list[Media]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = [av.Packet(each.packet) for each in pictures(media) if each.packet]
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="bgr24") for frame in frames]


def test_a_second_has_25_pictures_and_50_packets_on_one_clock(player: Player) -> None:
    media = player.run(50)
    assert [each.sample for each in pictures(media)] == list(range(0, 48_000, STEP))
    assert [each.sample for each in sounds(media)] == list(range(0, 48_000, 960))
    assert all(each.pcm is not None and not each.pcm.any() for each in sounds(media))


def test_the_packets_show_the_pictures(player: Player) -> None:
    player.begin()
    player.add(0, 6)
    player.end(6)
    media = player.run(30)
    shown = decoded(media)
    assert len(shown) == len(pictures(media)) == 15
    for picture, raw in zip(shown, pictures(media), strict=True):
        assert raw.bgr is not None and picture.shape == raw.bgr.shape
        assert abs(float(picture.mean()) - float(raw.bgr.mean())) < 3
    assert [each.is_key for each in pictures(media)] == [True] + 14 * [False]


def test_the_opus_packets_sound_like_the_samples(player: Player) -> None:
    player.begin()
    player.add(0, 20)
    media = player.run(40)
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    packets = [each.opus for each in sounds(media)]
    assert all(packets)
    heard = [decoder.decode(av.Packet(each)) for each in packets if each]
    assert sum(frame.samples for frames in heard for frame in frames) == 40 * 960


def test_speech_after_a_long_silence_is_heard_from_its_beginning(player: Player) -> None:
    quiet = sounds(player.run(40))
    assert len({each.opus for each in quiet[12:]}) == 1
    encoder, decoder = OpusEncoder(), av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(9600) / 48_000).astype(np.float32)
    parts = [(np.zeros(960, np.float32), True)] * 30
    parts += [(tone[start : start + 960], False) for start in range(0, 9600, 960)]
    heard = [
        frame.to_ndarray()[0]
        for samples, is_silent in parts
        for frame in decoder.decode(av.Packet(encoder.encode(samples, is_silent=is_silent)))
    ]
    sound = np.concatenate(heard)
    begins = 30 * 960
    assert np.abs(sound[: begins - 480]).max() < 0.001
    energy = np.abs(sound[begins + 480 : begins + 4800]).mean()
    assert abs(energy - np.abs(tone).mean()) < 0.05


def test_sound_and_picture_of_a_frame_begin_at_the_same_sample(player: Player) -> None:
    player.run(3)
    player.begin()
    player.add(0, 8)
    player.end(8)
    media = player.run(20)
    first = next(each for each in pictures(media) if each.frame == 0)
    heard = next(each for each in sounds(media) if each.utterance == "u0")
    assert first.sample == heard.sample + heard.offset
    pcm = np.concatenate([each.pcm for each in sounds(media) if each.pcm is not None])
    start = sounds(media)[0].sample
    for each in pictures(media):
        if each.frame is not None:
            at = each.sample - start
            assert np.allclose(pcm[at : at + STEP], each.frame / 100)


def test_the_sound_of_a_tick_is_delivered_before_its_picture_is_drawn(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture takes longer, every second tick: the sound would be irregular, and viewers wait."""
    heard_before_drawing: list[int] = []

    def draw(scene: Scene, shot: Shot) -> Picture:
        heard_before_drawing.append(len(sounds(player.media)))
        return player.avatar.frames[0]

    monkeypatch.setattr(Scene, "draw", draw)
    media = player.run(6)
    assert heard_before_drawing == [1, 3, 5]
    assert (len(sounds(media)), len(pictures(media))) == (6, 3)


@pytest.mark.parametrize("fps", [10, 24, 30, 48, 60])
def test_other_frame_rates_keep_picture_and_sound_together(tmp_path: Path, fps: int) -> None:
    player = Player(tmp_path, Wants(pictures=True, pcm=True), fps=fps)
    media = player.run(250)
    step = 48_000 // fps
    assert [each.sample for each in pictures(media)] == [step * n for n in range(5 * fps)]
    pcm = [each.pcm for each in sounds(media)]
    assert sum(len(each) for each in pcm if each is not None) == 240_000


def test_after_a_stall_both_tracks_are_on_the_clock_and_nothing_is_played_late(
    player: Player,
) -> None:
    player.begin()
    player.add(0, 30)
    player.run(10)
    player.ticks.stalls[10] = 31  # an odd number of ticks: the clock is within a picture
    media = player.run(10)
    assert sounds(media)[0].sample == 41 * 960
    assert pictures(media)[0].sample == 42 * 960
    frames = [each.frame for each in pictures(media)]
    assert frames == [21, 22, 23, 24, 25]
    kinds = [each.kind for each in media if isinstance(each, LiveEvent)]
    assert kinds == ["skipped"]
    pcm = np.concatenate([each.pcm for each in sounds(media) if each.pcm is not None])
    assert np.allclose(pcm[960 : 960 + STEP], 0.21)


def test_a_feed_that_is_behind_leaves_pictures_out_but_no_sound(player: Player) -> None:
    player.begin()
    player.add(0, 30)
    player.run(2)
    player.ticks.late_s = 0.06
    media = player.run(40)
    assert [each.frame for each in pictures(media)] == [5, 10, 15, 20]
    assert player.producer.state()["left_out_pictures"] == 16
    pcm = np.concatenate([each.pcm for each in sounds(media) if each.pcm is not None])
    assert np.allclose(pcm[::STEP], np.arange(1, 21) / 100)
    player.ticks.late_s = 0.0
    assert [each.frame for each in pictures(player.run(4))] == [21, 22]
    assert len(decoded(player.media)) == len(pictures(player.media))


def test_an_interruption_is_silent_after_40_ms_and_older_frames_are_dropped(
    player: Player,
) -> None:
    player.begin()
    player.add(0, 12)
    player.run(6)
    assert player.producer.clear(1, is_reset=False) == 3
    player.add(12, 6, epoch=0)
    media = player.run(30)
    pcm = np.concatenate([each.pcm for each in sounds(media) if each.pcm is not None])
    assert pcm[0] > 0 and not pcm[1920:].any()
    assert all(each.frame is None for each in pictures(media))
    assert np.array_equal(pictures(media)[-1].bgr, player.avatar.frames[player.avatar.index_at(17)])


def test_key_frames_on_demand_are_at_least_half_a_second_apart(player: Player) -> None:
    media = player.run(2)
    for _ in range(50):
        player.producer.request_key_frame()
        media += player.run(2)
    keys = [each.sample for each in pictures(media) if each.is_key]
    assert len(keys) == 4
    assert min(np.diff(keys)) >= 24_000


def test_nothing_is_encoded_while_nobody_wants_packets(tmp_path: Path) -> None:
    player = Player(tmp_path, Wants(pictures=True))
    media = player.run(10)
    assert all(each.packet is None for each in pictures(media))
    assert sounds(media) == []
    player.producer.wants = ALL
    assert pictures(player.run(2))[0].is_key


def test_a_new_avatar_is_shown_with_a_key_frame_and_an_event(
    player: Player, tmp_path: Path
) -> None:
    player.run(4)
    avatar = tiny_avatar(tmp_path)
    small = np.ascontiguousarray(avatar.frames[:, :61, :75])
    changed = type(avatar)(
        **{
            **{name: getattr(avatar, name) for name in avatar.__dataclass_fields__},
            "frames": small,
        }
    )
    place = FeedPlace(
        session_id="s", avatar_key="small", avatar=changed, fps=25, path="", position=0, committed=0
    )
    player.producer.show(place)
    media = player.run(4)
    events = [each for each in media if isinstance(each, LiveEvent)]
    assert events[0].data == {"width": 75, "height": 61, "fps": 25}
    assert pictures(media)[0].is_key
    assert [each.shape for each in decoded(media)] == [(62, 76, 3)] * 2


def test_a_change_of_the_bit_rate_is_followed_by_a_key_frame_of_the_same_stream() -> None:
    encoder, noise = LiveVideoEncoder(25), np.random.default_rng(0)
    picture = noise.integers(0, 255, (240, 320, 3), np.uint8)
    encoder.encode(picture, is_key=False)
    sizes = []
    for bps in (3_000_000, 300_000):
        encoder.set_bitrate(bps)
        packets = [encoder.encode(np.roll(picture, n, 0), is_key=False) for n in range(50)]
        assert [is_key for _, is_key in packets] == [True] + 49 * [False]
        sizes.append(sum(len(packet) for packet, _ in packets[25:]))
    assert sizes[1] < 0.25 * sizes[0]


@pytest.mark.parametrize(
    ("size", "fps", "coded"),
    [
        ((512, 600), 25, (512, 600)),
        ((97, 81), 25, (98, 82)),
        ((1920, 1080), 25, (1280, 720)),
        ((1080, 1920), 30, (720, 1280)),
    ],
)
def test_packets_fit_level_3_1(size: tuple[int, int], fps: int, coded: tuple[int, int]) -> None:
    width, height = coded_size(*size, fps)
    assert abs(width - coded[0]) <= 16 and abs(height - coded[1]) <= 16
    assert -(-width // 16) * -(-height // 16) <= min(3600, 108_000 // fps)
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    packet, is_key = LiveVideoEncoder(fps).encode(picture, is_key=False)
    decoder = av.CodecContext.create("h264", "r")
    frames = [*decoder.decode(av.Packet(packet)), *decoder.decode(None)]
    assert is_key and (frames[0].width, frames[0].height) == (width, height)
    assert decoder.profile == "Constrained Baseline"


def test_state_counts_what_happened(player: Player) -> None:
    player.begin()
    player.add(0, 2)
    player.run(8)
    state = player.producer.state()
    assert state["speaking"] and state["starved_frames"] == 2
    assert state["seconds"] == 0.16


class Listener:
    """A subscriber that keeps what it receives."""

    def __init__(self) -> None:
        self.media: list[Media] = []
        self.ended: list[str] = []

    def on_picture(self, picture: LivePicture) -> None:
        self.media.append(picture)

    def on_sound(self, sound: LiveSound) -> None:
        self.media.append(sound)

    def on_event(self, event: LiveEvent) -> None:
        self.media.append(event)

    def on_end(self, reason: str) -> None:
        self.ended.append(reason)


class Failing(Listener):
    def on_sound(self, sound: LiveSound) -> None:
        raise RuntimeError(f"this subscriber is broken at {sound.sample}")


def place_of(folder: Path) -> FeedPlace:
    return FeedPlace(
        session_id="s",
        avatar_key="tiny",
        avatar=tiny_avatar(folder),
        fps=25,
        path="",
        position=0,
        committed=0,
    )


async def wait_for(condition: Any, what: str) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited 30 s for {what}")


def test_a_feed_serves_its_subscribers_and_ends_some_time_after_the_last_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:

    async def watch() -> None:
        closed: list[Feed] = []
        loop = asyncio.get_running_loop()
        feed = Feed(place_of(tmp_path), loop=loop, on_closed=closed.append, linger_s=0.2)
        one, silent, broken = Listener(), Listener(), Failing()
        first = feed.subscribe(one, ALL)
        second = feed.subscribe(silent, Wants(pictures=True))
        feed.subscribe(broken, Wants(pcm=True))
        await wait_for(lambda: len(pictures(one.media)) > 3, "pictures")
        assert pictures(one.media)[0].is_key
        assert not sounds(silent.media) and pictures(silent.media)
        assert broken.ended == ["it failed"]
        assert feed.state()["subscribers"] == 2
        first.close()
        first.close()
        second.close()
        count = len(one.media)
        await wait_for(lambda: closed, "the end of the feed")
        assert closed == [feed] and len(one.media) == count
        late = Listener()
        feed.subscribe(late, ALL)
        await wait_for(lambda: late.ended, "the refusal")

    asyncio.run(watch())
    assert "a live subscriber failed" in caplog.text
