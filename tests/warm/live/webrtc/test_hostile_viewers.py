"""Viewers that take less than others, and those whose stream ends before they have an answer."""

import asyncio
import re
import socket
from contextlib import closing

import pytest

from tests.warm.live.webrtc.receiver import Receiver, until
from tests.warm.live.webrtc.stage import run, staged
from tests.warm.live.webrtc.test_viewers import nothing_is_logged  # noqa: F401 - a fixture
from warm.live.errors import LiveRefused
from warm.live.feed.subscriber import LiveEvent

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", ["1", "60", "-1"])
def test_a_viewer_that_takes_only_short_messages_does_not_hold_up_others(size: str) -> None:
    async def play() -> None:
        async with staged() as stage:
            narrow = Receiver()
            stage.receivers.append(narrow)
            limit = f"a=max-message-size:{size}"
            offer = re.sub("a=max-message-size:.*(?=\r)", limit, await narrow.offer())
            viewer = await stage.viewers.connect("default", offer, "198.51.100.1", True)
            await narrow.accept(viewer.answer)
            await until(lambda: viewer.channel.is_open, "the channel of the narrow viewer")
            other, _ = await stage.connect()
            await until(lambda: other.received.messages, "the channel of the other viewer")
            caption = {"text": "A text of some length.", "first_frame": 0, "frames": 9}
            for broadcast in stage.viewers._broadcasts.values():
                broadcast.on_event(LiveEvent(kind="caption", data=caption, time_s=0.0))
            await until(
                lambda: "caption" in [each["type"] for each in other.received.messages], "a caption"
            )
            before = len(narrow.received.pictures), len(other.received.pictures)
            await until(lambda: len(narrow.received.pictures) > before[0] + 30, "pictures")
            await until(lambda: len(other.received.pictures) > before[1] + 30, "pictures")
            assert viewer.state == "connected"
            assert viewer.channel.dropped > 0

    run(play)


@pytest.mark.parametrize("delay_s", [0.02, 0.3])
def test_a_stream_that_ends_while_an_offer_is_answered_is_a_refusal(delay_s: float) -> None:
    async def play() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
            silent.bind(("127.0.0.1", 0))
            server = f"stun:127.0.0.1:{silent.getsockname()[1]}"
            async with staged(ice_servers=server) as stage:
                receiver = Receiver()
                stage.receivers.append(receiver)
                offer = await receiver.offer()
                answering = asyncio.ensure_future(
                    stage.viewers.connect("default", offer, "198.51.100.1", True)
                )
                await asyncio.sleep(delay_s)
                stage.viewers._end_session("default", "the session was deleted")
                with pytest.raises(LiveRefused, match="the session was deleted; connect again"):
                    await answering
                assert stage.viewers.stats()["viewers"] == 0

    run(play)
