"""Latencies of the live socket: sound in to moving pictures, and interruptions to silence."""

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.live.live_line import (
    CHUNK_S,
    LOUD,
    PICTURE,
    RATE_HZ,
    SOUND,
    Box,
    LiveLine,
    unlike_idle,
)
from bench.server_process import ServerProcess, run_server
from tts.catalogue import espeak_voices
from warm.avatars.avatar import Avatar
from warm.media.film_audio import resample

SESSION, VOICE = "live", "espeak:en-us"
FIRST_S = 0.2
"""Sound after which a moving picture is expected."""
TEXTS = (
    *("Are you there? I have been waiting.", "Good morning, and thank you for calling."),
    *("My name is Ada, how can I help you today?", "What a nice day it is, is it not?"),
)
TRIALS = 32
WARM_UPS = 2
SPEAKS_S, SETTLES_S = 1.2, 1.0
"""Time from the first sound to the interruption, and from there to the measurement of it."""
IDLE_S = 1.0
"""Time before an utterance in which the pictures of the idle mouth are compared."""
LIPS = (0, 13, 14, 17, 61, 78, 291, 308)
"""Landmarks of the mouth's outline."""
FACTOR = 1.3
"""A mouth moves that is this many times as different from the idle loop as it was before."""


def measure(_out: Path) -> list[Figure]:
    """Speak by sound and by text in one session, and interrupt it in both ways."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        results = Path(name)
        avatar, sounds = prepare_demo(results), spoken()
        with run_server(results) as server, LiveLine(server, SESSION, mouth_of(avatar)) as line:
            line.wait(lambda: len(line.arrived) > 0, "the first picture")
            talk = Talk(server, line, mouths_of(avatar))
            for number in range(WARM_UPS):
                talk.hear(sounds[number % len(sounds)])
            heard = [talk.hear(sounds[number % len(sounds)]) for number in range(TRIALS)]
            read = [talk.read(TEXTS[number % len(TEXTS)]) for number in range(TRIALS)]
    moved = [1000 * each[0] for each in heard]
    cleared = [1000 * each[1] for each in heard]
    spoke = [1000 * each[0] for each in read]
    silent = [1000 * each[1] for each in read]
    return [
        Figure.at_most("sound in -> moving mouth after 200 ms, p50", np.median(moved), "ms", 120,
                       TRIALS),
        Figure.at_most("sound in -> moving mouth after 200 ms, p95", p95(moved), "ms", 120, TRIALS),
        Figure.at_most("live clear -> silence and closed mouth, p95", p95(cleared), "ms", 150,
                       TRIALS),
        Figure.at_most("POST /speak -> moving mouth, live socket, p95", p95(spoke), "ms", 200,
                       TRIALS),
        Figure.at_most("POST /interrupt -> silence, live socket, p95", p95(silent), "ms", 250,
                       TRIALS),
    ]  # fmt: skip


def spoken() -> list[bytes]:
    """Return the PCM of the texts; each begins with a sound."""
    with closing(espeak_voices()) as voices:
        choice = voices.choose(voice=VOICE)
        return [
            pcm_of(
                np.concatenate(
                    [
                        resample(speech.completed().samples, speech.sample_rate_hz, RATE_HZ)
                        for speech in voices.speak(text, choice)
                    ]
                )
            )
            for text in TEXTS
        ]


def pcm_of(samples: NDArray[np.float32]) -> bytes:
    """Return s16le without the silence at the beginning."""
    whole = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    return whole[int(np.argmax(np.abs(whole) > LOUD)) :].tobytes()


def mouth_of(avatar: Avatar) -> Box:
    """Return the part of the pictures that has the mouth in all frames of the idle loop."""
    lips = avatar.landmarks[:, LIPS, :2].reshape(-1, 2)
    (left, top), (right, bottom) = lips.min(axis=0).astype(int), lips.max(axis=0).astype(int)
    return slice(top, bottom + (bottom - top) // 2), slice(left, right)


def mouths_of(avatar: Avatar) -> NDArray[np.int16]:
    """Return (n, h, w): the grey mouths of the idle loop."""
    mouth = mouth_of(avatar)
    grey = [cv2.cvtColor(np.array(frame[mouth]), cv2.COLOR_BGR2GRAY) for frame in avatar.frames]
    return np.stack(grey).astype(np.int16)


class Talk:
    """Speaks in a session, interrupts itself, and measures both."""

    def __init__(self, server: ServerProcess, line: LiveLine, mouths: NDArray[np.int16]) -> None:
        self._server, self._line, self._mouths = server, line, mouths

    def hear(self, pcm: bytes) -> tuple[float, float]:
        """Speak sound and clear it.

        Returns the times from its first 200 ms to a moving mouth, and from `clear` to the end of
        sound and pictures.
        """
        line, idle_s = self._line, self._rest()
        begun_s, stopped = line.tell("begin"), Event()
        sent_s: list[float] = []
        sender = Thread(target=lambda: sent_s.extend(line.send(pcm, until=stopped)))
        sender.start()
        self._wait_for_sound(begun_s)
        time.sleep(SPEAKS_S)
        stopped.set()
        stopped_s = line.tell("clear")
        sender.join()
        time.sleep(SETTLES_S)
        moved_s = self._moved_s(idle_s, begun_s) - sent_s[round(FIRST_S / CHUNK_S) - 1]
        pictures = line.between(stopped_s, time.perf_counter(), PICTURE)
        closed_s = max((each.at_s for each in pictures if each.number), default=stopped_s)
        return moved_s, max(closed_s, self._last_loud_s(stopped_s)) - stopped_s

    def read(self, text: str) -> tuple[float, float]:
        """Speak a text and interrupt it; return the times to a moving mouth, and to silence."""
        idle_s, begun_s = self._rest(), time.perf_counter()
        body = {"session_id": SESSION, "text": text, "voice": VOICE}
        sender = Thread(target=lambda: self._server.request("POST", "/speak", body))
        sender.start()
        self._wait_for_sound(begun_s)
        time.sleep(SPEAKS_S)
        stopped_s = time.perf_counter()
        self._server.request("POST", "/interrupt", {"session_id": SESSION})
        sender.join()
        time.sleep(SETTLES_S)
        return self._moved_s(idle_s, begun_s) - begun_s, self._last_loud_s(stopped_s) - stopped_s

    def _rest(self) -> float:
        """Watch the idle face for a while; return the time at which that began."""
        idle_s = time.perf_counter()
        time.sleep(IDLE_S)
        return idle_s

    def _wait_for_sound(self, since_s: float) -> None:
        self._line.wait(lambda: self._is_loud(since_s), "sound")

    def _is_loud(self, since_s: float) -> bool:
        latest = self._line.arrived[-1]
        return latest.kind == SOUND and latest.at_s > since_s and latest.loudest > LOUD

    def _last_loud_s(self, stopped_s: float) -> float:
        """Return when the last packet arrived that is not silent."""
        packets = self._line.between(stopped_s, time.perf_counter(), SOUND)
        return max((each.at_s for each in packets if each.loudest > LOUD), default=stopped_s)

    def _moved_s(self, idle_s: float, begun_s: float) -> float:
        """Return when the first picture arrived whose mouth is not one of the idle loop."""
        end_s = begun_s + SPEAKS_S
        idle = unlike_idle(self._line.between(idle_s, begun_s, PICTURE), self._mouths)
        least = FACTOR * max(difference for _, difference in idle)
        speech = unlike_idle(self._line.between(begun_s, end_s, PICTURE), self._mouths)
        return next((at_s for at_s, difference in speech if difference > least), end_s)
