"""A live process with the tiny avatar, whose feeds show flashes with tones."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from session.film import SAMPLE_RATE_HZ
from tests.polling import wait_until
from tests.tiny_face import tiny_avatar
from warm.avatars.avatar import Avatar, Shown
from warm.live.hub import EXTENSIONS, LiveHub
from warm.live.push.pushes import Pushes
from warm.render.live_sink import LiveClip, LiveFilm, LiveFrames
from warm.settings import Settings

FPS = 25
FRAME_SAMPLES = SAMPLE_RATE_HZ // FPS
TONE_HZ = 1000
LEAD_FRAMES = 15
"""Frames before the flash: the feed glides from the idle face to the film for 0.4 s."""
FLASH_FRAMES = 5
CLIP_FRAMES = 25
BATCH_FRAMES = 5
GREY, WHITE = 30, 250
ALLOWED = "127.0.0.1, localhost"


@dataclass
class LivePlace:
    """The hub, the pushes and the films of a test."""

    folder: Path
    avatar: Avatar
    hub: LiveHub
    pushes: Pushes
    frames: dict[str, int] = field(default_factory=dict)
    clips: int = 0

    def live_film(self, session_id: str) -> LiveFilm:
        """See `LiveFilms`."""
        frames = self.frames.get(session_id, 0)
        return LiveFilm(
            session_id=session_id,
            avatar=self.avatar,
            path=self.folder / f"{session_id}.mp4",
            fps=FPS,
            size=self.avatar.size,
            committed=frames,
            position=float(frames),
            clip=None,
        )

    def flash(self, session_id: str) -> None:
        """Have a session speak for a second: white pictures with a tone among dark, silent ones."""
        first, clip = self.frames.get(session_id, 0), self.clips
        film = self.live_film(session_id)
        self.hub.begin(
            LiveClip(
                clip=clip,
                first_frame=first,
                tapped_from=first,
                utterance="flash",
                skipped=0,
                film=film,
            )
        )
        times = np.arange(CLIP_FRAMES * FRAME_SAMPLES)
        lit = range(LEAD_FRAMES, LEAD_FRAMES + FLASH_FRAMES)
        is_heard = np.isin(times // FRAME_SAMPLES, lit)
        tone = 0.5 * np.sin(2 * np.pi * TONE_HZ * times / SAMPLE_RATE_HZ) * is_heard
        width, height = self.avatar.size
        grey = np.full((height, width, 3), GREY, np.uint8)
        white = np.full_like(grey, WHITE)
        pictures = [white if each in lit else grey for each in range(CLIP_FRAMES)]
        for start in range(0, CLIP_FRAMES, BATCH_FRAMES):
            samples = tone[start * FRAME_SAMPLES : (start + BATCH_FRAMES) * FRAME_SAMPLES]
            self.hub.add(
                LiveFrames(
                    session_id=session_id,
                    clip=clip,
                    first_frame=first + start,
                    pictures=pictures[start : start + BATCH_FRAMES],
                    samples=samples.astype(np.float32),
                    shown=[Shown(0)] * BATCH_FRAMES,
                    is_speech=True,
                )
            )
            time.sleep(BATCH_FRAMES / FPS * 0.8)  # the queue of the feed holds half a second
        self.hub.end(session_id, clip, first + CLIP_FRAMES, was_cut=False)
        self.frames[session_id] = first + CLIP_FRAMES
        self.clips += 1

    def wait_for(self, session_id: str, push_id: str, state: str, timeout_s: float = 60) -> None:
        """Wait until a push has a state."""

        def is_reached() -> bool:
            return bool(self.pushes.show(session_id, push_id)["state"] == state)

        wait_until(is_reached, f"the push to be {state}", timeout_s)


@contextmanager
def live_place(
    folder: Path,
    *,
    push_urls: str | None = ALLOWED,
    max_pushes: int = 8,
    avatar: Avatar | None = None,
) -> Iterator[LivePlace]:
    """Run a live process for the block."""
    settings = Settings(
        results_dir=folder, avatar_id="tiny", push_urls=push_urls, max_pushes=max_pushes
    )
    hub = LiveHub(settings, extensions=(*EXTENSIONS, "tests.warm.live.probe"))
    pushes = Pushes(hub, push_urls=push_urls, max_pushes=max_pushes)
    place = LivePlace(folder, avatar or tiny_avatar(folder), hub, pushes)
    hub.connect(place)
    with closing(hub), closing(pushes):
        yield place
