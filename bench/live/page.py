"""The live stream in the page, in a real Chromium: delay, first picture, speech, interruption."""

import http.client
import io
import json
import random
import statistics
import time
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
from selenium.webdriver import Chrome

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.live.clock import PROGRAM, recorded
from bench.live.live_chromium import FPS, LivePage, live_chromium
from bench.server_process import TIMEOUT_S, ServerProcess, run_server

_SENTENCE = "Yes."
_LOADS = 10
_LONG = " ".join(["The quick brown fox jumps over the lazy dog, and then it goes home again."] * 5)
_REQUESTS = 32
_INTERRUPTIONS = 20
_WARM_UP = 2
_QUIET_S = (0.4, 1.0)
"""Idle time before a request; random, so that no periodic effect is measured."""
_SETTLE_S = 4.0
"""Time in which the browser finds out how long sound and pictures must be buffered."""
_HEARD_S = (0.8, 1.6)
"""Time for which a tone is heard before it is interrupted."""
_TONE_S, _TONE_HZ, _RATE_HZ = 6, 220, 48_000
_AUDIBLE = 0.01
"""Amplitude from which a sound is heard."""


def measure(_out: Path) -> list[Figure]:
    """Measure the demo portrait on a real server; the browser is on the same machine."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results"
        prepare_demo(results)
        with (
            run_server(results, program=PROGRAM) as server,
            live_chromium(folder / "profile") as browser,
        ):
            first = [_first_picture_s(server, browser) for _ in range(_WARM_UP + _LOADS)]
            page = _open(server, browser, "talk")
            time.sleep(_SETTLE_S)
            delays = _delays_s(server, results, page)
            moved = [_moved_s(server, page) for _ in range(_WARM_UP + _REQUESTS)]
            page.record_sound()
            silenced = [_silenced_s(server, page) for _ in range(_INTERRUPTIONS)]
    return list(_figures(delays, first[_WARM_UP:], moved[_WARM_UP:], silenced))


def _open(server: ServerProcess, browser: Chrome, session_id: str) -> LivePage:
    return LivePage(browser, server.url(f"/?session={session_id}&mode=speak&player=webrtc"))


def _first_picture_s(server: ServerProcess, browser: Chrome) -> float:
    return _open(server, browser, "first").answer_to_picture_s()


def _delays_s(server: ServerProcess, results: Path, page: LivePage) -> list[float]:
    """Return the time from the clock of the feed to the screen, for each picture of a speech."""
    page.forget()
    with recorded(server, results, "talk") as recording:
        server.json("POST", "/speak", {"text": _LONG, "session_id": "talk"})
        page.wait(page.is_talking)
        page.wait(lambda: not page.is_talking())
        pictures = page.pictures()
    to_unix_s = time.time() - time.monotonic()
    due_s = {line["frame"]: line["time_s"] + to_unix_s for line in recording.pictures}
    return [shown_s - due_s[frame] for shown_s, frame in pictures if frame in due_s and frame]


def _moved_s(server: ServerProcess, page: LivePage) -> float:
    """Return the time from a request to the second picture of its speech."""
    page.wait(lambda: not page.is_talking())
    time.sleep(random.uniform(*_QUIET_S))
    page.forget()
    sent_s = time.time()
    answer = server.json("POST", "/speak", {"text": _SENTENCE, "session_id": "talk"})
    second = round(answer["clip"]["start_s"] * FPS) + 1
    shown_s = page.wait(lambda: page.shown_at_frame(second, sent_s))
    return float(shown_s) - sent_s


def _silenced_s(server: ServerProcess, page: LivePage) -> float:
    """Return the time from an interruption by another client to silence."""
    page.forget()
    talk = Thread(target=_speak_tone, args=(server,))
    talk.start()
    page.wait(lambda: any(peak > _AUDIBLE for _, peak in page.sound()))
    time.sleep(random.uniform(*_HEARD_S))
    sent_s = time.time()
    server.request("POST", "/interrupt", {"session_id": "talk"})
    talk.join()
    time.sleep(1)
    heard = [played_s for played_s, peak in page.sound() if peak > _AUDIBLE]
    return max(heard) - sent_s


def _speak_tone(server: ServerProcess) -> None:
    """Speak a tone; the answer comes when it is interrupted."""
    times_s = np.arange(_TONE_S * _RATE_HZ) / _RATE_HZ
    samples = np.round(12_000 * np.sin(2 * np.pi * _TONE_HZ * times_s)).astype("<i2")
    sound = io.BytesIO()
    with closing(wave.open(sound, "wb")) as file:
        file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    with closing(connection):
        headers = {"Content-Type": "audio/wav"}
        connection.request("POST", "/speak?session_id=talk", sound.getvalue(), headers)
        answer = connection.getresponse()
        content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"POST /speak: {answer.status} {json.loads(content)}")


def _figures(
    delays: list[float], first: list[float], moved: list[float], silenced: list[float]
) -> Iterator[Figure]:
    yield _ms("live: picture made -> shown in Chromium, p50", statistics.median(delays), 60, delays)
    yield _ms("live: picture made -> shown in Chromium, p95", p95(delays), 100, delays)
    name = "live: WHEP answer -> first picture in Chromium, p95"
    yield _ms(name, p95(first), 400, first)
    name = "live: POST /speak -> picture moves in Chromium, {}"
    yield _ms(name.format("p50"), statistics.median(moved), 200, moved)
    yield _ms(name.format("p95"), p95(moved), 200, moved)
    name = "live: POST /interrupt -> silence in Chromium, p95"
    yield _ms(name, p95(silenced), 250, silenced)


def _ms(name: str, value_s: float, goal_ms: float, values: list[float]) -> Figure:
    return Figure.at_most(name, 1000 * value_s, "ms", goal_ms, len(values))
