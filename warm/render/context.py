"""Objects and options that the parts of the render thread share."""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from session.film import Committed, FilmSpec
from session.overlaid_picture import Picture
from tts.voice import Voices
from warm.avatars.avatar import Avatar, Shown
from warm.engines.base import Engine, Patch
from warm.engines.lifecycle import start_daemon
from warm.render.compositing import own_frames
from warm.render.health import Counters
from warm.render.live_sink import NO_LIVE, LiveSink
from warm.render.pace import SpeakingPlaces
from warm.render.steps import Steps
from warm.sessions.avatar_cache import AvatarCache
from warm.sessions.limits import Capacity
from warm.sessions.private_films import PrivateFilms
from warm.sessions.sessions import Sessions
from warm.sessions.trash import Trash

Result = TypeVar("Result")

LOWEST_PRIORITY = 19
"""Nice value."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderResources:
    """Objects that the render thread works with. It alone calls the engine."""

    avatar: Avatar
    """The avatar of the settings; loaded at the start."""
    avatar_cache: AvatarCache
    engine: Engine
    voices: Voices
    sessions: Sessions
    private_films: PrivateFilms
    trash: Trash
    counters: Counters


def worker_thread(name: str) -> Executor:
    """A thread that runs one function after another."""
    return ThreadPoolExecutor(1, name)


def background_thread(name: str) -> Executor:
    """A thread like `worker_thread`, with the lowest priority."""
    return ThreadPoolExecutor(1, name, initializer=yield_to_others)


def run_here(work: Callable[[], Result]) -> Result:
    """Return the result of `work`."""
    return work()


def yielding(work: Callable[[], Result]) -> Result:
    """Return the result of `work`, whose threads keep the lowest priority.

    Only threads of native code should: one that holds the interpreter's lock and gets no processor
    would keep all others waiting.
    """
    with background_thread("open") as thread:
        return thread.submit(work).result()


def yield_to_others() -> None:
    """Give this thread, and the threads that it starts, the lowest priority.

    On Linux a nice value belongs to a thread. Elsewhere it belongs to the process, and stays.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """Factories of the threads that work for the render thread."""

    worker: Callable[[str], Executor] = worker_thread
    """Makes a thread of this name for one clip."""
    start: Callable[[str, Callable[[], None]], None] = start_daemon
    """Runs a function on a new thread of this name."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderContext:
    """Engine, voices, batch sizes and callbacks of the render thread, which owns it."""

    engine: Engine
    voices: Voices
    composite: Callable[[Avatar, Sequence[Shown], list[Patch]], Sequence[Picture]]
    """`Compositor.composite`."""
    first_batch: int
    """Frames in the first batch of a clip; each later batch has twice as many, up to
    `largest_batch`."""
    largest_batch: int
    """Maximum number of frames in a batch."""
    clock: Callable[[], float]
    """Seconds, monotonic; all deadlines use it."""
    steps: Steps
    """The steps in progress, for the watchdog; by the same clock."""
    notify: Callable[[], None]
    """Wakes the render thread; called by any thread that has work or results for it."""
    capacity: Callable[[Committed, FilmSpec], Capacity]
    """Number of frames that a film may still take, given its committed part."""
    private_capacity: Callable[[Committed, FilmSpec], Capacity]
    """The same for the film of a background clip."""
    places: SpeakingPlaces
    """Clips that may be rendered at once, and the measured pace that determines them."""
    own_frames: Callable[[Avatar, Sequence[Shown]], Sequence[Picture]] = own_frames
    """`Compositor.own_frames`."""
    is_lively: bool = False
    """Head and lids follow the speech."""
    threads: Threads = Threads()
    live: LiveSink = NO_LIVE
    """Receives the frames of sessions with live viewers."""
    count_fragment: Callable[[bool], None] = lambda _is_late: None
    """Called on an encode thread for each fragment after the first of its clip; True if playback
    had reached it before it was on disk."""
    is_engine_loaded: Callable[[], bool] = lambda: True
    report_error: Callable[[Exception], None] = lambda _error: None
    """Receives every error of the engine."""
