"""What real servers receive: pictures, sound, times, key frames, and no keys in the open."""

import json
import logging
import shutil
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isolation.protocol import Payload
from tests.api.server_process import free_port
from tests.tiny_face import HEIGHT, WIDTH
from tests.warm.live.push.listeners import (
    NGINX_RTMP,
    RATE_HZ,
    Received,
    command_lines,
    ffmpeg_listener,
    nginx,
    packets,
    pause,
    read_media,
    srt_live_transmit,
    wait_for_port,
)
from tests.warm.live.push.live_place import GREY, LivePlace, live_place
from tests.warm.live.push.lossy_relay import LossyRelay
from tests.warm.live.push.whip_server import WhipServer

pytestmark = pytest.mark.slow

KEYS = {name: f"key-of-{name}" for name in ("rtmp", "srt", "nginx", "srt-live-transmit", "whip")}
INSTALLED = {
    *(["nginx"] if shutil.which("nginx") and NGINX_RTMP.exists() else []),
    *(["srt-live-transmit"] if shutil.which("srt-live-transmit") else []),
}
PASSPHRASE = "passphrase-of-srt"
PICTURE_S = 0.04
LOSE_EACH = 9
"""One datagram in this many is lost on the way of SRT, in either direction."""
LATENCY_S = 3
"""Of SRT: on a busy machine, lost packets are repeated late."""
FLASHES = 2


def needs(program: str, packages: str) -> pytest.MarkDecorator:
    """Skip a case whose program is missing."""
    reason = f"{program} is missing: apt install {packages}"
    return pytest.mark.skipif(program not in INSTALLED, reason=reason)


@dataclass(frozen=True)
class Recorded:
    """Everything that the servers have received at once, and what could be seen meanwhile."""

    received: dict[str, Received]
    files: dict[str, Path]
    seen: list[str]
    """Command lines, log records and answers."""
    states: dict[str, dict[str, object]]
    """Last states of the pushes."""
    feeds: int


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("pushes")
    with ExitStack() as stack:
        log = stack.enter_context(Captured())
        place = stack.enter_context(live_place(folder))
        feed = watch_feed(place)
        server = stack.enter_context(WhipServer(token=KEYS["whip"]))
        urls, files = listen(stack, folder)
        urls["whip"] = f"http://localhost:{server.port}/whip"
        pushes = {
            name: place.pushes.start("a", url, KEYS[name])["id"] for name, url in urls.items()
        }
        for each in pushes.values():
            place.wait_for("a", each, "live")
        pause(1)
        for _ in range(FLASHES):
            place.flash("a")
            pause(1)
        pause(LATENCY_S)  # SRT delivers the last flash after it
        lines = [line for line in command_lines() if "ffmpeg" not in line]  # the listeners
        answers = json.dumps([place.pushes.all(), place.hub.stats()])
        feeds = len(place.hub.stats()["feeds"])
        states = {name: place.pushes.stop("a", each) for name, each in pushes.items()}
        received = {"whip": Received(server.pictures, server.samples)}
    for name, path in files.items():
        received[name] = read_media(path)
    received["feed"] = feed
    return Recorded(received, files, [*lines, answers, *log], states, feeds)


def watch_feed(place: LivePlace) -> Received:
    """Keep what the feed delivers: on a busy machine it leaves pictures out."""
    feed = Received([], [])

    def add_picture(data: dict[str, Any], payload: Payload) -> None:
        pixels = np.frombuffer(payload, np.uint8)[data["packet_bytes"] :]
        feed.pictures.append((data["sample"] / RATE_HZ, pixels.reshape(data["shape"])[..., 0]))

    def add_sound(data: dict[str, Any], payload: Payload) -> None:
        samples = np.frombuffer(memoryview(payload)[data["opus_bytes"] :], np.float32)
        feed.samples.append((data["sample"] / RATE_HZ, samples))

    place.hub.on_event("probe.picture", add_picture)
    place.hub.on_event("probe.sound", add_sound)
    wants = {"pictures": True, "pcm": True}
    place.hub.call("probe.watch", {"session_id": "a", "wants": wants})
    return feed


class Captured(logging.Handler):
    """Keeps log records as text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def __enter__(self) -> list[str]:
        logging.getLogger().addHandler(self)
        return self.lines

    def __exit__(self, *exc: object) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage() + str(vars(record)))


def listen(stack: ExitStack, folder: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """Start the listeners; return the addresses for the pushes and the recorded files."""
    rtmp, srt = free_port(), free_port()
    files = {"rtmp": folder / "rtmp.flv", "srt": folder / "srt.ts"}
    own = f"rtmp://127.0.0.1:{rtmp}/live/{KEYS['rtmp']}"
    stack.enter_context(ffmpeg_listener(files["rtmp"], own, "-listen", "1"))
    secret = f"srt://127.0.0.1:{srt}?mode=listener&passphrase={PASSPHRASE}&pbkeylen=32"
    stack.enter_context(ffmpeg_listener(files["srt"], secret))
    wait_for_port(rtmp)
    wait_for_port(srt, socket.SOCK_DGRAM)
    relay = stack.enter_context(LossyRelay(srt, lose_each=LOSE_EACH))
    options = f"passphrase={PASSPHRASE}&pbkeylen=32&latency={1000 * LATENCY_S}"
    urls = {
        "rtmp": f"rtmp://127.0.0.1:{rtmp}/live",
        "srt": f"srt://localhost:{relay.port}?{options}",
    }
    if "nginx" in INSTALLED:
        port = free_port()
        stack.enter_context(nginx(folder, port))
        wait_for_port(port)
        urls["nginx"], files["nginx"] = f"rtmp://localhost:{port}/live", folder / "key-of-nginx.flv"
    if "srt-live-transmit" in INSTALLED:
        port, files["srt-live-transmit"] = free_port(), folder / "srt-live-transmit.ts"
        stack.enter_context(srt_live_transmit(files["srt-live-transmit"], port))
        wait_for_port(port, socket.SOCK_DGRAM)
        urls["srt-live-transmit"] = f"srt://127.0.0.1:{port}"
    return urls, files


FILES = [
    *("rtmp", "srt"),
    pytest.param("nginx", marks=needs("nginx", "nginx libnginx-mod-rtmp")),
    pytest.param("srt-live-transmit", marks=needs("srt-live-transmit", "srt-tools")),
]
each_file = pytest.mark.parametrize("name", FILES)
each_protocol = pytest.mark.parametrize("name", [*FILES, "whip"])


@each_protocol
def test_the_pictures_are_those_of_the_feed(recorded: Recorded, name: str) -> None:
    pictures = recorded.received[name].pictures
    assert pictures[-1][1].shape == (HEIGHT, WIDTH)
    dark = [picture for _, picture in pictures if abs(float(picture.mean()) - GREY) < 6]
    assert len(dark) >= FLASHES * 10
    assert len(recorded.received[name].flashes) == len(recorded.received["feed"].flashes) > 0


@each_protocol
def test_a_tone_begins_with_its_picture(recorded: Recorded, name: str) -> None:
    received = recorded.received[name]
    assert len(received.tones) == len(recorded.received["feed"].tones) > 0
    # aiortc counts the times of each track from its own first packet.
    allowed_s = PICTURE_S / 2 if name != "whip" else 2 * PICTURE_S
    for flash in received.flashes:
        assert min(abs(flash - tone) for tone in received.tones) <= allowed_s


@each_protocol
def test_every_picture_of_the_feed_arrives_at_its_time(recorded: Recorded, name: str) -> None:
    times = np.array([time for time, _ in recorded.received[name].pictures])
    sent = np.array([time for time, _ in recorded.received["feed"].pictures])
    assert len(times) > 25 * FLASHES
    begins = range(len(sent) - len(times) + 1)
    delays = [sent[each : each + len(times)] - times for each in begins]
    assert min(np.ptp(each) for each in delays) < 0.006


@each_file
def test_the_sound_has_no_gaps(recorded: Recorded, name: str) -> None:
    times = [time for time, _ in packets(recorded.files[name], "audio")]
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert max(abs(step - 1024 / RATE_HZ) for step in steps) < 0.003


@each_file
def test_key_frames_are_at_most_two_seconds_apart(recorded: Recorded, name: str) -> None:
    found = packets(recorded.files[name], "video")
    keys = [time for time, is_key in found if is_key]
    assert found[0][1]
    ends = [*keys[1:], found[-1][0]]
    late_s = max(later - earlier for (earlier, _), (later, _) in pairwise(found)) - PICTURE_S
    assert max(end - key for key, end in zip(keys, ends, strict=True)) <= 2.0 + late_s


@each_protocol
def test_nothing_is_dropped_or_sent_again_from_the_start(recorded: Recorded, name: str) -> None:
    state = recorded.states[name]
    assert state["state"] == "stopped"
    assert (state["dropped"], state["restarts"]) == (0, 0)


def test_all_pushes_of_a_session_share_one_feed(recorded: Recorded) -> None:
    assert recorded.feeds == 1


@pytest.mark.parametrize("secret", [*KEYS.values(), PASSPHRASE])
def test_no_key_is_on_a_command_line_in_the_log_or_in_an_answer(
    recorded: Recorded, secret: str
) -> None:
    assert [line for line in recorded.seen if secret in line] == []
