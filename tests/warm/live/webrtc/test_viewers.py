"""Viewers over real UDP, ICE and DTLS: pictures are decoded, sound is heard, ends are noticed."""

import asyncio
import gc
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pylibsrtp
import pytest

from tests.warm.live.webrtc.receiver import Receiver, until
from tests.warm.live.webrtc.stage import Stage, run, staged
from tests.warm.live.webrtc.synthetic_feed import FLASH_PICTURES, WIDTH
from warm.live.errors import LiveRefused
from warm.live.feed.subscriber import LiveEvent
from warm.live.webrtc import rung_choice
from warm.live.webrtc import viewer as viewer_module
from warm.live.webrtc.candidates import PREFIX
from warm.live.webrtc.media_sender import SOUND_LATER_S
from warm.live.webrtc.silence import PAUSE_PACKETS

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a viewer does is an error of the server, or ends a task with one."""
    yield
    gc.collect()
    assert caplog.messages == []


def test_a_viewer_sees_every_picture_from_the_first_one_on_and_hears_the_beeps() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, _ = await stage.connect()
            received = receiver.received
            await until(lambda: len(received.pictures) >= 2 * FLASH_PICTURES, "24 pictures")
            stamps = [stamp for stamp, _ in received.pictures]
            assert steps(stamps) == {3600}
            white = [number for number, (_, shade) in enumerate(received.pictures) if shade > 200]
            assert white[1] - white[0] == FLASH_PICTURES
            assert max(np.abs(samples).max() for _, samples in received.sounds) > 8000

    run(play)


def test_the_reports_to_the_receiver_place_the_sound_just_after_its_pictures() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, _ = await stage.connect()
            received = receiver.received
            await until(lambda: len(received.reports) == 2, "reports of both tracks")
            await until(lambda: len(flashes(receiver)) > 1, "two flashes")
            flash = wall_time(received.reports["video"], flashes(receiver)[1], 90_000)

            def heard() -> list[float]:
                return [wall_time(received.reports["audio"], at, 48_000) for at in beeps(receiver)]

            await until(lambda: any(time >= flash - 0.1 for time in heard()), "its beep")
            late = min((time - flash for time in heard()), key=abs)
            assert abs(late - SOUND_LATER_S) <= 0.021  # a packet has 20 ms

    run(play)


def test_a_viewer_that_asks_for_pauses_gets_all_of_the_sound_and_a_part_of_the_silence() -> None:
    async def play() -> None:
        async with staged() as stage:
            whole, _ = await stage.connect()
            receiver = Receiver()
            stage.receivers.append(receiver)
            offer = await receiver.offer(with_pauses=True)
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await receiver.accept(viewer.answer)
            packets = receiver.received.packets
            await until(lambda: len(packets) > 60, "a second of sound")
            assert steps([stamp for stamp, _ in whole.received.packets]) == {960}
            assert steps([stamp for stamp, _ in packets]) == {960, PAUSE_PACKETS * 960}
            for (stamp, payload), (after, _) in pairwise(packets):
                assert ((after - stamp) % (1 << 32) > 960) == (len(payload) == 1)
            assert max(np.abs(samples).max() for _, samples in receiver.received.sounds) > 8000

    run(play)


def flashes(receiver: Receiver) -> list[int]:
    """RTP timestamps of the white pictures."""
    return [stamp for stamp, shade in receiver.received.pictures if shade > 200]


def beeps(receiver: Receiver) -> list[int]:
    """RTP timestamps of the packets in which a beep begins."""
    sounds = receiver.received.sounds
    loud = [(stamp, np.abs(samples).max() > 8000) for stamp, samples in sounds]
    return [stamp for (_, before), (stamp, now) in pairwise(loud) if now and not before]


def steps(stamps: list[int]) -> set[int]:
    """Differences between neighbours among RTP timestamps."""
    return {(b - a) % (1 << 32) for a, b in pairwise(stamps)}


def wall_time(reports: list[tuple[float, int]], stamp: int, clock_hz: int) -> float:
    """Time of an RTP timestamp by the first report."""
    unix_s, at = reports[0]
    return unix_s + ((stamp - at + (1 << 31)) % (1 << 32) - (1 << 31)) / clock_hz


def test_a_second_viewer_shares_the_encode_and_begins_with_a_key_frame() -> None:
    async def play() -> None:
        async with staged() as stage:
            first, _ = await stage.connect()
            await until(lambda: len(first.received.pictures) > 20, "pictures of the first viewer")
            before = stage.feed().key_frames
            second, _ = await stage.connect()
            await until(lambda: len(second.received.pictures) > 5, "pictures of the second")
            assert len(stage.feed().subscribers) == 1
            assert stage.feed().key_frames == before + 1

    run(play)


def test_captions_events_and_positions_reach_the_data_channel() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, _ = await stage.connect()
            messages = receiver.received.messages
            await until(lambda: messages, "the first position")
            assert messages[0]["type"] == "position" and messages[0]["frame"] is None
            stage.feed().frame = 100
            await until(lambda: messages[-1]["frame"] is not None, "the frame of the film")
            shown = messages[-1]
            data = {"text": "Hé, ünïcode 🎬", "start_s": 4.0, "end_s": 5.5}
            stage.feed().emit(LiveEvent(kind="caption", data=data, time_s=0.0))
            stage.feed().emit(LiveEvent(kind="finished", data={"utterance": "u1"}, time_s=0.0))
            await until(lambda: messages[-1]["type"] == "finished", "both events")
            assert {"type": "caption", **data} in messages
            await until(lambda: shown["rtp"] in dict(receiver.received.pictures), "its picture")

    run(play)


def test_a_viewer_that_comes_during_a_sentence_gets_its_caption() -> None:
    async def play() -> None:
        async with staged() as stage:
            first, _ = await stage.connect()
            await until(lambda: first.received.messages, "the channel of the first viewer")
            caption = LiveEvent(kind="caption", data={"text": "Now"}, time_s=0.0)
            stage.feed().emit(caption)
            second, _ = await stage.connect()
            kinds = [{"type": "caption", "text": "Now"}]
            await until(lambda: kinds[0] in second.received.messages, "the caption")

    run(play)


def test_a_viewer_without_a_data_channel_is_served() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            offer = await receiver.offer(with_channel=False)
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await receiver.accept(viewer.answer)
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


def test_a_viewer_that_closes_is_gone_at_once_and_the_feed_is_left() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.pictures, "a picture")
            await receiver.close()
            await until(lambda: viewer.state == "ended", "the end of the viewer")
            assert viewer.reason == "the viewer closed the connection"
            assert stage.viewers.stats()["viewers"] == 0
            assert stage.feed().subscribers == []

    run(play)


def test_a_viewer_that_is_ended_gets_the_reason_and_leaves_nothing_behind() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.messages, "the channel")
            stage.feed().end("the session was reset")
            await until(lambda: receiver.received.messages[-1]["type"] == "end", "the last message")
            assert "the session was reset" in receiver.received.messages[-1]["reason"]
            await until(lambda: "closed" in receiver.states, "the end of the connection")
            found = stage.viewers.state("default", viewer.id)
            assert (found["state"], "was reset" in found["reason"]) == ("ended", True)

    run(play)


def test_a_viewer_that_never_answers_is_removed_with_a_clear_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewer_module, "PATH_S", 0.3)

    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            offer = await receiver.offer()
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await until(lambda: viewer.state == "ended", "the end of the viewer")
            assert viewer.reason.startswith("no path to the viewer was found within")
            with pytest.raises(LiveRefused, match="no path to the viewer"):
                await stage.viewers.add_candidates("default", viewer.id, "a=end-of-candidates")

    run(play)


def test_a_viewer_that_finds_a_path_but_does_not_encrypt_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewer_module, "PATH_S", 1.0)

    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            offer = await receiver.offer()
            for transceiver in receiver.connection.getTransceivers():
                transceiver.receiver.transport.start = never  # type: ignore[method-assign]
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await receiver.accept(viewer.answer)
            await until(lambda: viewer.state == "ended", "the end of the viewer")
            assert viewer.reason.startswith("the viewer did not agree on encryption")

    run(play)


async def never(_parameters: object) -> None:
    await asyncio.Event().wait()


def test_a_viewer_that_vanishes_is_removed_after_its_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewer_module, "SILENT_S", 1.0)

    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.pictures, "a picture")
            for protocol in sockets_of(receiver):
                protocol.transport.sendto = lambda *_: None  # type: ignore[attr-defined]
            await until(lambda: viewer.state == "ended", "the end of the viewer")
            assert "nothing was received from the viewer" in viewer.reason

    run(play)


def sockets_of(receiver: Receiver) -> list[object]:
    """The sockets of a receiver, as aioice holds them."""
    transports = {each.receiver.transport for each in receiver.connection.getTransceivers()}
    return [each for one in transports for each in one.transport._connection._protocols]


def test_requests_for_key_frames_become_a_few_key_frames() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.pictures, "a picture")
            before = stage.feed().key_frames
            began_s = time.monotonic()
            video = receiver.connection.getTransceivers()[1]
            ssrc = next(iter(video.receiver._RTCRtpReceiver__remote_streams))  # type: ignore[attr-defined]
            for _ in range(40):
                await video.receiver._send_rtcp_pli(ssrc)
            await until(lambda: viewer.key_frames_asked == 40, "all requests")
            await until(lambda: stage.feed().key_frames > before, "a key frame")
            allowed = 2 + (time.monotonic() - began_s) / 0.5
            assert stage.feed().key_frames - before <= allowed

    run(play)


def test_lost_packets_are_sent_again_and_no_picture_is_missing() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.pictures, "a picture")
            lose_every(receiver, 10)
            seen = len(receiver.received.pictures)
            await until(lambda: len(receiver.received.pictures) > seen + 40, "forty pictures more")
            stamps = [stamp for stamp, _ in receiver.received.pictures]
            assert viewer.repeated >= 2
            assert steps(stamps) == {3600}

    run(play)


def test_a_weak_viewer_gets_small_pictures_and_the_others_keep_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rung_choice, "PROOF_S", 0.0)

    async def play() -> None:
        async with staged() as stage:
            strong, _ = await stage.connect()
            weak, viewer = await stage.connect()
            await until(lambda: weak.received.pictures, "a picture")
            viewer.bandwidth._limit_bps = 200_000
            await until(lambda: weak.received.widths[-1] == WIDTH // 2, "small pictures")
            await until(lambda: weak.received.widths[-8:] == [WIDTH // 2] * 8, "eight of them")
            assert set(strong.received.widths) == {WIDTH}
            assert steps([stamp for stamp, _ in strong.received.pictures]) == {3600}
            assert stage.feed().bitrates == []
            viewer.bandwidth._limit_bps = 2_500_000
            viewer.choice._retry_s = 0.0
            await until(lambda: weak.received.widths[-1] == WIDTH, "full pictures again")
            stamps = [stamp for stamp, _ in weak.received.pictures]
            assert all(0 < step < 90_000 for step in steps(stamps))
            await until(lambda: len(stage.feed().subscribers) == 1, "the end of the small ones")

    run(play)


def lose_every(receiver: Receiver, count: int) -> None:
    """Lose every `count`th packet of pictures once."""
    receiver_of_video = receiver.connection.getTransceivers()[1].receiver
    handle = receiver_of_video._handle_rtp_packet
    first_type = receiver_of_video._RTCRtpReceiver__codecs  # type: ignore[attr-defined]
    media = {number for number, codec in first_type.items() if codec.name == "H264"}

    async def take(packet: object, arrival_time_ms: int) -> None:
        if packet.payload_type in media and packet.sequence_number % count == 0:  # type: ignore[attr-defined]
            return
        await handle(packet, arrival_time_ms)  # type: ignore[arg-type]

    receiver_of_video._handle_rtp_packet = take  # type: ignore[method-assign]


def test_a_viewer_that_names_no_address_shows_it_by_its_own_checks() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            offer = re.sub("a=candidate.*\r\n", "", await receiver.offer())
            assert "a=end-of-candidates" in offer
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await receiver.accept(viewer.answer)
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


def test_a_viewer_whose_own_checks_do_not_arrive_is_reached_at_the_addresses_it_names() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            viewer = await stage.viewers.connect(
                "default", await receiver.offer(), "198.51.100.1", True
            )
            await receiver.accept(re.sub("a=(end-of-)?candidate.*\r\n", "", viewer.answer))
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


def test_candidates_that_follow_the_offer_lead_to_a_connection() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver = Receiver()
            stage.receivers.append(receiver)
            lines = (await receiver.offer()).splitlines()
            early = [each for each in lines if "candidate" not in each]
            viewer = await stage.viewers.connect(
                "default", "\r\n".join(early) + "\r\n", "198.51.100.1", True
            )
            fragment = next(each for each in lines if each.startswith("a=ice-ufrag"))
            late = [each for each in lines if each.startswith(PREFIX)]
            text = "\r\n".join([fragment, "m=audio 9 RTP/AVP 0", "a=mid:0", *late])
            await stage.viewers.add_candidates("default", viewer.id, text)
            await receiver.accept(viewer.answer)
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


def test_a_restart_of_ice_is_refused_and_the_viewer_keeps_watching() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            text = "a=ice-ufrag:other\r\na=ice-pwd:0123456789012345678901\r\n"
            with pytest.raises(LiveRefused) as caught:
                await stage.viewers.add_candidates("default", viewer.id, text)
            assert caught.value.kind == "ice_restart"
            await until(lambda: receiver.received.pictures, "a picture")

    run(play)


def test_places_are_limited_in_total_and_for_one_client_and_are_given_back() -> None:
    async def offer(stage: Stage) -> str:
        receiver = Receiver()
        stage.receivers.append(receiver)
        return await receiver.offer()

    async def play() -> None:
        async with staged(max_live_viewers=4) as stage:
            text = await offer(stage)
            taken = [
                await stage.viewers.connect("default", text, "198.51.100.1", False)
                for _ in range(2)
            ]
            with pytest.raises(LiveRefused, match="for one client"):
                await stage.viewers.connect("default", text, "198.51.100.1", False)
            for _ in range(2):
                await stage.viewers.connect("other", text, "127.0.0.1", True)
            with pytest.raises(LiveRefused, match="in total") as caught:
                await stage.viewers.connect("default", text, "198.51.100.2", False)
            assert caught.value.kind == "viewers_full"
            await stage.viewers.disconnect("default", taken[0].id)
            await stage.viewers.connect("default", text, "198.51.100.2", False)

    run(play)


def test_an_offer_that_is_refused_takes_no_place_and_no_socket() -> None:
    async def play() -> None:
        async with staged() as stage:
            before = open_files()
            for _ in range(5):
                with pytest.raises(LiveRefused):
                    await stage.viewers.connect("default", "v=0\r\n", "198.51.100.1", False)
            assert stage.viewers.stats()["viewers"] == 0
            assert open_files() == before

    run(play)


def test_viewers_that_come_and_go_leave_no_sockets_threads_or_tasks() -> None:
    async def play() -> None:
        async with staged() as stage:
            await come_and_go(stage)
            sockets, threads = open_files(), threading.active_count()
            tasks = len(asyncio.all_tasks())
            for _ in range(3):
                await come_and_go(stage)
            await until(lambda: open_files() <= sockets, "closed sockets")
            await until(lambda: len(asyncio.all_tasks()) <= tasks, "ended tasks")
            assert threading.active_count() <= threads

    run(play)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def come_and_go(stage: Stage) -> None:
    receiver, viewer = await stage.connect()
    await until(lambda: receiver.received.pictures, "a picture")
    await stage.viewers.disconnect("default", viewer.id)
    await receiver.close()


def test_garbage_from_a_viewer_disturbs_nobody() -> None:
    async def play() -> None:
        async with staged() as stage:
            good, _ = await stage.connect()
            bad, viewer = await stage.connect()
            await until(lambda: good.received.pictures and bad.received.pictures, "pictures")
            transport = bad.connection.getTransceivers()[1].receiver.transport
            for packet in garbage():
                with suppress(pylibsrtp.Error):  # it encrypts no packet that is too short
                    await transport._send_rtp(packet)
                await transport.transport._send(packet)
            assert bad.channel is not None
            for _ in range(20):
                bad.channel.send(b"x" * 60_000)
            seen = len(good.received.pictures)
            await until(lambda: len(good.received.pictures) > seen + 10, "ten pictures more")
            assert viewer.is_connected
            assert steps([stamp for stamp, _ in good.received.pictures]) == {3600}

    run(play)


def garbage() -> list[bytes]:
    """RTCP packets whose contents are cut off or make no sense."""
    rng = np.random.default_rng(1)
    found = []
    for kind in range(200, 208):
        for words in range(1, 8):
            body = rng.bytes(4 * words)
            first = bytes([0x80 | int(rng.integers(32)), kind])
            found.append(first + words.to_bytes(2, "big") + body)
            found.append(first + words.to_bytes(2, "big") + body[:-3])
    remb = bytes([0x8F, 206, 0, 4]) + bytes(8) + b"REMB" + bytes([9, 255, 255, 255])
    return [*found, remb]


def test_another_session_does_not_find_the_viewer() -> None:
    async def play() -> None:
        async with staged() as stage:
            _, viewer = await stage.connect()
            with pytest.raises(LiveRefused) as caught:
                await stage.viewers.disconnect("other", viewer.id)
            assert caught.value.kind == "unknown_viewer"
            assert viewer.state != "ended"

    run(play)
