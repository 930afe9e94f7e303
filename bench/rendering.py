"""Benchmark of rendering: speech that is ready becomes encoded frames of a film on disk."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.avatars import TALKING_VIDEO, prepare_demo, require_talking_video
from bench.figure import Figure
from bench.server_process import TIMEOUT_S
from isolation.blas import limit_blas_threads
from tts.catalogue import espeak_voices
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.engines.base import Engine
from warm.prepare.run import prepare
from warm.runtime import Runtime
from warm.settings import Settings, read_settings

_SENTENCE = "Good morning, and thank you for calling."
_RENDERED_SENTENCES = 8
_RENDERED_CLIPS = 5
_GOAL_FPS = 150
_LEARNED_GOAL_FPS = 220


def measure(_out: Path) -> list[Figure]:
    """Measure a portrait and, if the shared talking video is there, a learned mouth.

    Raises FileNotFoundError if the video is missing.
    """
    require_talking_video()
    name = "audio -> encoded frames, {}"
    with TemporaryDirectory(prefix="warmtalk-bench-") as folder:
        results = Path(folder)
        prepare_demo(results)
        prepare(TALKING_VIDEO, avatar_id="learned", store=AvatarStore(results))
        return [
            rendered_figure(results, "demo", name.format("painted mouth, 512x600")),
            rendered_figure(
                results, "learned", name.format("learned mouth, 576x720"), _LEARNED_GOAL_FPS
            ),
        ]


def rendered_figure(results: Path, avatar_id: str, name: str, goal: float = _GOAL_FPS) -> Figure:
    """Return the frames per second of an avatar: mouth, composite, H.264, AAC and append."""
    limit_blas_threads()  # as the server's worker does
    with closing(espeak_voices()) as espeak:
        choice = espeak.choose()
        text = " ".join([_SENTENCE] * _RENDERED_SENTENCES)
        voices = PrerecordedVoices(list(espeak.speak(text, choice)))
    fps = []
    with running_runtime(results, avatar_id, voices) as runtime:
        session = runtime.sessions.registry.lookup("rendered")
        for _ in range(_RENDERED_CLIPS + 1):
            spoken = runtime.speak(session, _SENTENCE, choice).result()
            fps.append(spoken.clip.frames / (spoken.timings.render_s or 0.0))
        runtime.remove(session)
    # The first clip warms caches.
    return Figure.at_least(name, statistics.median(fps[1:]), "fps", goal, _RENDERED_CLIPS)


class PrerecordedVoices:
    """Voices that return ready speech, so that synthesis is not timed."""

    def __init__(self, speeches: Sequence[Speech]) -> None:
        self._speeches = speeches

    def infos(self) -> Sequence[VoiceInfo]:
        """Offer no voice for a choice."""
        return []

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Accept any choice."""
        return VoiceChoice(voice=voice or "", language=language or "", speed=speed or 1.0)

    def speak(self, _text: str, _choice: VoiceChoice) -> Iterator[Speech]:
        """Yield the speech that is ready, whatever the text."""
        yield from self._speeches


@contextmanager
def running_runtime(
    results: Path,
    avatar_id: str,
    voices: PrerecordedVoices,
    make: Callable[[Settings], Engine] = make_engine,
) -> Iterator[Runtime]:
    """A warm runtime in this process, closed when the block ends."""
    settings = read_settings(["--results-dir", str(results), "--avatar-id", avatar_id])
    runtime = Runtime(
        settings=settings,
        avatar=AvatarStore(results).open(avatar_id),
        engine=make(settings),
        voices=voices,
    )
    with closing(runtime):
        runtime.start()
        runtime.wait_until_warm(TIMEOUT_S)
        yield runtime
