"""Clips of several sessions that begin at once, and their fragments that arrive late."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from bench.figure import Figure
from bench.server_process import ServerProcess

SENTENCE = "Good morning, and thank you for calling."
SESSIONS = 4
_ROUNDS = 5
_CLIPS = 2
"""Clips of each session in each round."""
_LENGTHS = (1, 4, 2, 6, 3)
"""Sentences of the clips, in turn."""
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Arrival:
    """Arrival of a fragment's event, relative to the playback of the film."""

    at_s: float
    """Time of arrival since the playback began."""
    needed_s: float
    """Time at which the playback reaches the fragment."""

    @property
    def slack_s(self) -> float:
        """Time by which it came before it was needed."""
        return self.needed_s - self.at_s


class PlaybackModel:
    """A player that starts with the first fragment, and the arrival of each further fragment.

    Between two clips it waits for the second one; within a clip it never waits.
    """

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._began_s = 0.0
        self.plays_until_s = 0.0

    def play_clip(self, events: Iterator[tuple[str, dict[str, Any]]]) -> None:
        """Consume the events of one `POST /speak`; raises RuntimeError for an error event."""
        clip_start_s: float | None = None
        for name, data in events:
            now_s = time.perf_counter()
            if name == "error":
                raise RuntimeError(f"POST /speak: {data}")
            if name != "fragment":
                continue
            if clip_start_s is None:
                self._began_s = self._began_s or now_s
                clip_start_s = max(self.plays_until_s, now_s)
            else:
                self._record_arrival(now_s)
            self.plays_until_s = max(clip_start_s, self.plays_until_s) + data["duration_s"]

    def wait_until_played(self) -> None:
        """Wait for the end of the last clip."""
        time.sleep(max(0.0, self.plays_until_s - time.perf_counter()))

    def _record_arrival(self, now_s: float) -> None:
        self.arrivals.append(Arrival(now_s - self._began_s, self.plays_until_s - self._began_s))


def late_figure(name: str, arrivals: Sequence[Arrival]) -> Figure:
    """Return the number of fragments that came too late."""
    late = sum(arrival.slack_s < 0 for arrival in arrivals)
    return Figure.at_most(name, late, "", 0, len(arrivals))


def speak_at_once(server: ServerProcess, options: Mapping[str, Any]) -> list[Arrival]:
    """Run rounds in which all sessions begin at once and speak clips of different lengths.

    `options` are further fields of `POST /speak`.
    """
    round_start = Barrier(SESSIONS)

    def speak(number: int) -> list[Arrival]:
        session_id = f"together-{number}"
        arrivals: list[Arrival] = []
        for first in range(_ROUNDS):
            playback = PlaybackModel()
            round_start.wait(_TIMEOUT_S)
            for step in range(_CLIPS):
                text = repeated(_LENGTHS[(number + first + step) % len(_LENGTHS)])
                playback.play_clip(server.speak_events(text=text, session_id=session_id, **options))
            server.request("POST", "/reset", {"session_id": session_id})
            arrivals += playback.arrivals
        return arrivals

    with ThreadPoolExecutor(SESSIONS) as speakers:
        return [one for arrivals in speakers.map(speak, range(SESSIONS)) for one in arrivals]


def repeated(sentences: int) -> str:
    """A text of this many sentences."""
    return " ".join([SENTENCE] * sentences)
