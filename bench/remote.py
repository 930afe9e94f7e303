"""The remote engine on a local Ray: its pace, its added latency, and the loss of an actor."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Any

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.late_fragments import PlaybackModel, repeated
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from isolation.blas import limit_blas_threads
from tts.catalogue import espeak_voices
from tts.voice import VoiceChoice, Voices
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.render.jobs import SpeakResult
from warm.runtime import Runtime
from warm.settings import read_settings

_CLIPS, _SENTENCES = 9, 8
_FIRSTS = 60
_SETTLE_S = 0.05
"""Pause before each clip whose first fragment is timed."""
_SPEAKERS, _TEXTS = 4, 3
_KILL_AFTER_S = 2.0
_ACTORS_S = 120.0
"""Longest wait for all actors."""


def measure(_out: Path) -> list[Figure]:
    """Measure the engine alternately in-process and in an actor, then kill one of two actors.

    The engine has its default number of spares, which are loaded before anything is measured.
    """
    with TemporaryDirectory(prefix="warmtalk-bench-") as folder:
        results = Path(folder)
        prepare_demo(results)
        return [*compare(results), *kill_an_actor(results)]


def compare(results: Path) -> list[Figure]:
    """Render the same clips with both engines alternately."""
    limit_blas_threads()  # as the server's worker does
    with ExitStack() as stack:
        voices = stack.enter_context(closing(espeak_voices()))
        local = stack.enter_context(running(results, voices, "viseme"))
        remote = stack.enter_context(running(results, voices, "remote"))
        choice = voices.choose()
        rates = [
            [fps_of(speak(each, choice, _SENTENCES)) for each in (local, remote)]
            for _ in range(_CLIPS)
        ]
        firsts = [[first_ms(each, choice) for each in (local, remote)] for _ in range(_FIRSTS + 1)][
            1:
        ]
    ratio = statistics.median(remote_fps / local_fps for local_fps, remote_fps in rates[1:])
    added = statistics.median(each[1] for each in firsts) - statistics.median(
        each[0] for each in firsts
    )
    return [
        Figure.at_least(
            "one actor of a local Ray against in-process: frames a second",
            *(ratio, "x", 0.85, _CLIPS - 1),
        ),
        Figure.at_most(
            "one actor of a local Ray: added time to the first fragment, p50",
            *(added, "ms", 15, _FIRSTS),
        ),
    ]


@contextmanager
def running(results: Path, voices: Voices, engine: str) -> Iterator[Runtime]:
    """A warm runtime in this process, closed when the block ends."""
    settings = read_settings(["--results-dir", str(results / engine), "--engine", engine])
    made = make_engine(settings)
    runtime = Runtime(
        settings=settings,
        avatar=AvatarStore(results).open("demo"),
        engine=made,
        voices=voices,
    )
    with closing(runtime):
        runtime.start()
        if not runtime.wait_until_warm(_ACTORS_S):
            raise TimeoutError(f"engine {engine!r} was not warm after {_ACTORS_S:g} s")
        if engine == "remote":
            wait_for_actors(made.device_status)
        yield runtime
    made.unload()


def speak(runtime: Runtime, choice: VoiceChoice, sentences: int) -> SpeakResult:
    """Speak a text in a new session, which is removed afterwards."""
    session = runtime.sessions.registry.lookup("measured")
    result = runtime.speak(session, repeated(sentences), choice).result()
    runtime.remove(session)
    return result


def fps_of(spoken: SpeakResult) -> float:
    """Return the frames per second of a clip."""
    return spoken.clip.frames / (spoken.timings.render_s or 0.0)


def first_ms(runtime: Runtime, choice: VoiceChoice) -> float:
    """Return the time to the first fragment of a short text."""
    time.sleep(_SETTLE_S)
    return 1000 * (speak(runtime, choice, 1).timings.first_fragment_s or 0.0)


def kill_an_actor(results: Path) -> list[Figure]:
    """Kill one of two actors while sessions speak; count late fragments and lost clips."""
    options = {"engine": "remote", "remote-actors": 2, "max-speaking": 8, "lazy-load": "true"}
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with run_server(results, program=("app.py", *flags)) as server:
        server.request("POST", "/speak", {"text": "Yes."})  # loads the engine
        actors = wait_for_actors(lambda: server.json("GET", "/stats")["device"])
        begin = Barrier(_SPEAKERS + 1)
        with ThreadPoolExecutor(_SPEAKERS) as pool:
            speakers = [
                pool.submit(speak_texts, server, number, begin) for number in range(_SPEAKERS)
            ]
            begin.wait(TIMEOUT_S)
            time.sleep(_KILL_AFTER_S)
            os.kill(actors[0]["pid"], signal.SIGKILL)
            spoken = [each.result() for each in speakers]
        late = sum(each[0] for each in spoken)
        fragments = sum(each[1] for each in spoken)
        lost = _SPEAKERS * _TEXTS - sum(each[2] for each in spoken)
    return [
        Figure.at_most(
            "one of two actors killed while 4 sessions speak: late fragments",
            *(late, "", 8, fragments),
        ),
        Figure.at_most(
            "one of two actors killed while 4 sessions speak: lost clips",
            *(lost, "", 0, _SPEAKERS * _TEXTS),
        ),
    ]


def speak_texts(server: ServerProcess, number: int, begin: Barrier) -> tuple[int, int, int]:
    """Speak texts one after another; return late fragments, fragments and complete clips."""
    playback, done = PlaybackModel(), 0
    session_id = f"killed-{number}"
    begin.wait(TIMEOUT_S)
    for _ in range(_TEXTS):
        done += plays_to_the_end(server, session_id, playback)
    film = server.json("GET", f"/sessions/{session_id}")
    done = min(done, sum(clip["whole"] for clip in film["clips"]))
    late = sum(arrival.slack_s < 0 for arrival in playback.arrivals)
    return late, len(playback.arrivals), done


def plays_to_the_end(server: ServerProcess, session_id: str, playback: PlaybackModel) -> bool:
    """Play one clip; False if it failed."""
    names: list[str] = []

    def noted() -> Iterator[tuple[str, dict[str, Any]]]:
        for name, data in server.speak_events(text=repeated(8), session_id=session_id):
            names.append(name)
            yield name, data

    try:
        playback.play_clip(noted())
    except RuntimeError:
        return False
    return names[-1:] == ["done"]


def wait_for_actors(device_status: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the actors that work, once these and the spares are loaded."""
    deadline_s = time.monotonic() + _ACTORS_S
    while time.monotonic() < deadline_s:
        actors: list[dict[str, Any]] = device_status().get("actors", [])
        if actors and all(actor["state"] in {"ready", "spare"} for actor in actors):
            return [actor for actor in actors if actor["state"] == "ready"]
        time.sleep(0.2)
    raise TimeoutError(f"not all actors were loaded in {_ACTORS_S:g} s")
