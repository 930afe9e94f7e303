"""Pushes of the live feed: their cost, delay and skew, and how soon they go on after faults."""

import os
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.polling import wait_until
from bench.server_process import cpu_s, free_port
from isolation.protocol import Payload
from tests.warm.live.push.listeners import (
    Received,
    ffmpeg_listener,
    read_media,
    wait_for_port,
)
from tests.warm.live.push.live_place import LivePlace, live_place
from tests.warm.live.push.rtmp_server import Media, RtmpServer
from tests.warm.live.push.whip_server import WhipServer
from warm.avatars.avatar import Avatar
from warm.live.feed.h264 import LiveVideoEncoder

MEASURE_S = 10.0
FURTHER = 4
"""Pushes that are added to one, to find what each of them costs."""
FLASHES = 10
FAULTS = 5
KILLS = 2
"""Deaths of the live process in a row; after further ones, it is started with a delay."""
STOPS = 10
SRT_LATENCY_MS = 120
KEY_INTERVAL = 50
"""Pictures between two key frames."""
ENCODED = 500
RATE_HZ = 48_000


def measure(_out: Path) -> list[Figure]:
    """Measure the demo portrait; all listeners are on this machine."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        folder = Path(name)
        avatar = prepare_demo(folder)
        with live_place(folder, avatar=avatar, max_pushes=100) as place:
            return [
                *delay_figures(place),
                *cost_figures(place, folder),
                *skew_figures(place, folder),
                *fault_figures(place),
                *key_figures(avatar),
            ]


def start(place: LivePlace, url: str) -> str:
    """Start a push and wait until it is live."""
    push = str(place.pushes.start("a", url, None)["id"])
    place.wait_for("a", push, "live")
    return push


def rtmp_url(server: RtmpServer) -> str:
    """Return the address of a stream of a server."""
    return f"rtmp://127.0.0.1:{server.port}/live/key"


def pictures(server: RtmpServer, connection: int = 1) -> list[Media]:
    """Return the pictures that a server has received over one connection."""
    found = list(server.media)
    return [
        each
        for each in found
        if each.type == 9 and each.connection == connection and each.data[1] == 1
    ]


def wait_for_pictures(server: RtmpServer, connection: int) -> None:
    """Wait until pictures have arrived over a connection."""
    state = f"connection {connection} with pictures"
    wait_until(lambda: bool(pictures(server, connection)), state, timeout_s=60)


def delay_figures(place: LivePlace) -> Iterator[Figure]:
    """Yield the time from the moment a picture is due in the feed to its arrival at a server."""
    due: list[tuple[float, float]] = []

    def note(data: dict[str, Any], _payload: Payload) -> None:
        due.append((data["sample"] / RATE_HZ, data["time_s"]))

    place.hub.on_event("probe.picture", note)
    with RtmpServer() as server:
        push = start(place, rtmp_url(server))
        params = {"session_id": "a", "wants": {"packets": True}}
        place.hub.call("probe.watch", params)
        time.sleep(MEASURE_S)
        place.hub.call("probe.leave", {"session_id": "a"})
        time.sleep(0.5)
        place.pushes.stop("a", push)
        arrived = pictures(server)
    delays = sorted(delays_ms(due, arrived))
    middle = statistics.median(delays)
    name = "push by RTMP: picture at the server after it is due"
    yield Figure.at_most(f"{name}, p50", middle, "ms", 60, len(delays))
    yield Figure.at_most(f"{name}, p95", p95(delays), "ms", 100, len(delays))


def delays_ms(due: list[tuple[float, float]], arrived: list[Media]) -> Iterator[float]:
    """Yield the delay of each picture; both sides count time in the same steps."""
    samples = np.array([sample for sample, _ in due])
    times = np.array([each.time_ms / 1000 for each in arrived])
    begins = range(len(times) - len(samples) + 1)
    spreads = [np.ptp(times[each : each + len(samples)] - samples) for each in begins]
    begin = int(np.argmin(spreads))
    for (_, due_s), picture in zip(due, arrived[begin:], strict=False):
        yield 1000 * (picture.received_s - due_s)


def cost_figures(place: LivePlace, folder: Path) -> Iterator[Figure]:
    """Yield the CPU time of the live process for one more push of each protocol."""
    for name, listen in (("RTMP", listen_rtmp), ("SRT", listen_srt), ("WHIP", listen_whip)):
        with ExitStack() as stack:
            urls = [listen(stack, folder) for _ in range(1 + FURTHER)]
            started = [start(place, urls[0])]
            one = share(place)
            started += [start(place, url) for url in urls[1:]]
            many = share(place)
            for push in started:
                place.pushes.stop("a", push)
        figure = f"push by {name}: CPU of one more, without encoding"
        yield Figure.at_most(figure, (many - one) / FURTHER, "%", 4, FURTHER)


def share(place: LivePlace) -> float:
    """Return the CPU time of the live process, % of a core."""
    pid = int(place.hub.stats()["pid"])
    time.sleep(1.0)
    before, begun_s = cpu_s(pid), time.monotonic()
    time.sleep(MEASURE_S)
    return 100 * (cpu_s(pid) - before) / (time.monotonic() - begun_s)


def listen_rtmp(stack: ExitStack, _folder: Path) -> str:
    """Start a server and return the address of a stream of it."""
    return rtmp_url(stack.enter_context(RtmpServer()))


def listen_srt(stack: ExitStack, folder: Path) -> str:
    """Start a listener, which records `srt-PORT.ts`, and return its address."""
    port = free_port()
    url = f"srt://127.0.0.1:{port}?mode=listener"
    stack.enter_context(ffmpeg_listener(folder / f"srt-{port}.ts", url))
    wait_for_port(port, socket.SOCK_DGRAM)
    return f"srt://127.0.0.1:{port}?latency={SRT_LATENCY_MS}"


def listen_whip(stack: ExitStack, _folder: Path) -> str:
    """Start an endpoint and return its address."""
    return f"http://localhost:{stack.enter_context(WhipServer()).port}/whip"


def skew_figures(place: LivePlace, folder: Path) -> Iterator[Figure]:
    """Yield the largest distance between flashes and their tones, as servers record them."""
    files = {"RTMP": folder / "rtmp.flv"}
    with ExitStack() as stack:
        port = free_port()
        own = f"rtmp://127.0.0.1:{port}/live/key"
        stack.enter_context(ffmpeg_listener(files["RTMP"], own, "-listen", "1"))
        wait_for_port(port)
        whip = stack.enter_context(WhipServer())
        srt = listen_srt(stack, folder)
        files["SRT"] = folder / f"srt-{urlsplit(srt).port}.ts"
        started = [start(place, own), start(place, srt)]
        started.append(start(place, f"http://localhost:{whip.port}/whip"))
        time.sleep(1.0)
        for _ in range(FLASHES):
            place.flash("a")
            time.sleep(0.5)
        for push in started:
            place.pushes.stop("a", push)
        received = {"WHIP": Received(whip.pictures, whip.samples)}
    received |= {name: read_media(path) for name, path in files.items()}
    for name, each in received.items():
        distances = [min(abs(flash - tone) for tone in each.tones) for flash in each.flashes]
        worst, count = 1000 * max(distances), len(distances)
        yield Figure.at_most(f"push by {name}: skew at the server", worst, "ms", 40, count)


def fault_figures(place: LivePlace) -> Iterator[Figure]:
    """Yield the time until a push goes on after a fault, and the time that its end takes."""
    broken, killed, stops = [], [], []
    for _ in range(FAULTS):
        with RtmpServer("closes") as server:
            push = start(place, rtmp_url(server))
            wait_for_pictures(server, 2)
            last, first = pictures(server)[-1], pictures(server, 2)[0]
            broken.append(first.received_s - last.received_s)
            stops.append(stop_s(place, push))
    for _ in range(KILLS):
        with RtmpServer() as server:
            push = start(place, rtmp_url(server))
            wait_for_pictures(server, 1)
            died_s = time.monotonic()
            os.kill(int(place.hub.stats()["pid"]), signal.SIGKILL)
            wait_for_pictures(server, 2)
            killed.append(pictures(server, 2)[0].received_s - died_s)
            stops.append(stop_s(place, push))
    lost = "push: pictures again after the server has closed (the pause is 1 s)"
    yield Figure.at_most(lost, max(broken), "s", 1.5, FAULTS)
    dead = "push: pictures again after the live process was killed"
    yield Figure.at_most(dead, max(killed), "s", 5, KILLS)
    yield Figure.at_most("push: end of a push, longest", max(stops), "s", 2, len(stops))


def stop_s(place: LivePlace, push: str) -> float:
    """End a push and return the time that it took."""
    begun_s = time.monotonic()
    place.pushes.stop("a", push)
    return time.monotonic() - begun_s


def key_figures(avatar: Avatar) -> Iterator[Figure]:
    """Yield what key frames every two seconds cost while the face is idle."""
    rare, often = encoded(avatar, ENCODED), encoded(avatar, KEY_INTERVAL)
    more = 8 * (often[0] - rare[0]) / (ENCODED / avatar.fps) / 1000
    name = "push: bit rate of key frames every 2 s, idle face"
    yield Figure.at_most(name, more, "kbit/s", 400, ENCODED)
    time_share = 100 * (often[1] - rare[1]) / rare[1]
    yield Figure.at_most("push: encoding time of these key frames", time_share, "%", 10, ENCODED)


def encoded(avatar: Avatar, interval: int) -> tuple[int, float]:
    """Return the bytes and CPU seconds of the idle loop with a key frame each `interval`."""
    encoder, size = LiveVideoEncoder(avatar.fps), 0
    begun_s = time.process_time()
    for number in range(ENCODED):
        picture = avatar.frames[avatar.shown_at(number).frame]
        size += len(encoder.encode(picture, is_key=number % interval == 0)[0])
    return size, time.process_time() - begun_s
