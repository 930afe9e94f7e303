"""Measured time of a head for one frame whose mouth another machine has drawn."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import enumerate as enumerate_threads

from bench.avatars import prepare_demo
from bench.rendering import PrerecordedVoices, running_runtime
from isolation.blas import limit_blas_threads
from tts.catalogue import espeak_voices
from warm.engines.base import Patch, PatchRequest, ReadyPatches
from warm.engines.viseme.engine import VisemeEngine
from warm.settings import Settings

SENTENCE = "Good morning, and thank you for calling."
SENTENCES = 12
CLIPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadCost:
    """Processor time for one frame, seconds."""

    render_s: float
    """Of the render thread, which serves all sessions of the head."""
    all_s: float
    """Of all threads: with encoders, disk and journal, without voices."""
    frames: int
    """Number of frames that were measured."""


class InstantEngine(VisemeEngine):
    """Draws each frame of an avatar once, and returns the same patch from then on."""

    def __init__(self, models: Path) -> None:
        super().__init__(models)
        self._patches: dict[tuple[int, int], Patch] = {}

    def submit(self, requests: Sequence[PatchRequest]) -> ReadyPatches:
        """As an engine elsewhere that has answered already."""
        for request in requests:
            if self._key(request) not in self._patches:
                drawn = super().submit([request]).patches()
                self._patches[self._key(request)] = drawn[0]
        return ReadyPatches([self._patches[self._key(request)] for request in requests])

    @staticmethod
    def _key(request: PatchRequest) -> tuple[int, int]:
        return id(request.avatar), request.frame


def measure_head() -> HeadCost:
    """Speak with the demo avatar, and return the processor time of a frame."""
    limit_blas_threads()
    with TemporaryDirectory(prefix="warmtalk-bench-") as folder, closing(espeak_voices()) as espeak:
        results = Path(folder)
        prepare_demo(results)
        choice = espeak.choose()
        text = " ".join([SENTENCE] * SENTENCES)
        voices = PrerecordedVoices(list(espeak.speak(text, choice)))
        with running_runtime(results, "demo", voices, instant_engine) as runtime:
            session = runtime.sessions.registry.lookup("measured")
            runtime.speak(session, SENTENCE, choice).result()  # draws the patches
            frames, render_s, all_s = 0, render_thread_s(), time.process_time()
            for _ in range(CLIPS):
                frames += runtime.speak(session, SENTENCE, choice).result().clip.frames
            render_s, all_s = render_thread_s() - render_s, time.process_time() - all_s
            runtime.remove(session)
    return HeadCost(render_s=render_s / frames, all_s=all_s / frames, frames=frames)


def instant_engine(settings: Settings) -> InstantEngine:
    """Return an engine that is not loaded yet."""
    return InstantEngine(settings.face_models_folder)


def render_thread_s() -> float:
    """Processor time that the render thread of this process has used."""
    render = next(thread for thread in enumerate_threads() if thread.name == "render")
    assert render.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(render.ident))
