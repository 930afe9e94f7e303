"""Making one clip: sentence by sentence in batches, mouths on one thread, H.264 on another."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.film import ClipRecord, FilmSpec, Fragment
from session.writer import ClipWriter, FilmWriter
from stabilizers.blend import BlendMode, paste
from tts.speech import Speech
from tts.voice import Voices
from warm.avatar import Avatar
from warm.engine import Engine, PatchJob
from warm.job import FragmentLanded, SpeakJob, SpeechMade
from warm.sound import film_sound

TAIL_FRAMES = 3
"""Still, silent frames after a clip: players end the sound up to 56 ms before the picture."""
BATCHES_AHEAD = 2
"""Batches that may wait for the encoder; one more, and the engine waits."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stage:
    """What every clip is made with. Owned by the render thread."""

    avatar: Avatar
    engine: Engine
    voices: Voices
    spec: FilmSpec
    blend_mode: BlendMode
    subpixel: bool
    first_batch: int
    """Frames of a clip's first batch; each further one is twice as long …"""
    largest_batch: int
    """… up to this many."""
    beat: Callable[[], None]
    """Called after every step."""


class ClipSink:
    """Encodes and appends batches on a thread of its own, in order, until one fails."""

    def __init__(self, clip: ClipWriter, landed: Callable[[Fragment], None]) -> None:
        self._clip = clip
        self._landed = landed
        self._thread = ThreadPoolExecutor(1, "encode")
        self._waiting: deque[Future[None]] = deque()
        self._failed = False

    def put(self, pictures: Sequence[Picture], sound: NDArray[np.float32]) -> None:
        """Hand over pictures and their sound; waits for room, raises what an earlier one met."""
        self._waiting.append(self._thread.submit(self._write, pictures, sound))
        while len(self._waiting) > BATCHES_AHEAD:
            self._waiting.popleft().result()

    def finish(self) -> ClipRecord:
        """Wait for all batches and close the clip; raises what a batch met."""
        while self._waiting:
            self._waiting.popleft().result()
        self._thread.shutdown()
        return self._clip.finish()

    def abandon(self) -> None:
        """Close the clip after what is on disk; what still waits is dropped."""
        self._failed = True
        self._thread.shutdown(cancel_futures=True)
        self._clip.abandon()

    def _write(self, pictures: Sequence[Picture], sound: NDArray[np.float32]) -> None:
        if self._failed:
            return
        try:
            self._landed(self._clip.write(pictures, sound))
        except BaseException:
            self._failed = True
            raise


def render_clip(stage: Stage, film: FilmWriter, job: SpeakJob) -> ClipRecord:
    """Say `job.text` at the end of `film`.

    Whatever goes wrong is raised after the clip has been closed behind its last whole fragment;
    nothing is left behind when there is none.
    """
    clip = film.begin(job.text)
    index = len(film.committed.clips)

    def landed(fragment: Fragment) -> None:
        if job.timings.first_fragment_s is None:
            job.timings.first_fragment_s = job.age_s()
        job.tell(FragmentLanded(clip=index, fragment=fragment, fps=stage.spec.fps))

    sink = ClipSink(clip, landed)
    try:
        cursor = film.committed.frames
        for pictures, sound in batches(stage, job, cursor):
            job.check()
            sink.put(pictures, sound)
            stage.beat()
        return sink.finish()
    except BaseException:
        sink.abandon()
        raise


def batches(
    stage: Stage, job: SpeakJob, cursor: int
) -> Iterator[tuple[list[Picture], NDArray[np.float32]]]:
    """Pictures and their 48 kHz sound, from frame `cursor` of the film to the end of the clip."""
    sizes = batch_sizes(stage.first_batch, stage.largest_batch)
    for sentence, speech in enumerate(stage.voices.speak(job.text, job.choice)):
        tell_speech(job, sentence, speech)
        sound = film_sound(speech, stage.spec)
        conditions = stage.engine.conditions(
            speech, frames=len(sound) // stage.spec.samples_per_frame, fps=stage.spec.fps
        )
        for rows in split(len(conditions), sizes):
            samples = slice(
                rows.start * stage.spec.samples_per_frame, rows.stop * stage.spec.samples_per_frame
            )
            yield speaking(stage, cursor + rows.start, conditions[rows]), sound[samples]
        cursor += len(conditions)
    yield idle(stage.avatar, cursor, TAIL_FRAMES), silence(stage.spec, TAIL_FRAMES)


def tell_speech(job: SpeakJob, sentence: int, speech: Speech) -> None:
    """Publish that a sentence has been spoken."""
    if job.timings.tts_first_s is None:
        job.timings.tts_first_s = job.age_s()
    job.tell(SpeechMade(sentence=sentence, text=speech.text, duration_s=speech.duration_s))


def batch_sizes(first: int, largest: int) -> Iterator[int]:
    """First, twice that, and so on up to the largest, for ever."""
    size = min(first, largest)
    while True:
        yield size
        size = min(2 * size, largest)


def split(total: int, sizes: Iterator[int]) -> Iterator[slice]:
    """0 … total in slices of the next sizes; the last one is what is left."""
    start = 0
    while start < total:
        stop = min(total, start + next(sizes))
        yield slice(start, stop)
        start = stop


def speaking(stage: Stage, cursor: int, conditions: NDArray[np.float32]) -> list[Picture]:
    """One (h, w, 3) BGR picture a condition, from frame `cursor` of the film on."""
    frames = [stage.avatar.index_at(cursor + step) for step in range(len(conditions))]
    jobs = [
        PatchJob(stage.avatar, frame, row) for frame, row in zip(frames, conditions, strict=True)
    ]
    pictures = idle(stage.avatar, cursor, len(conditions))
    for picture, patch in zip(pictures, stage.engine.start(jobs).patches(), strict=True):
        paste(
            picture,
            patch.picture,
            patch.mask,
            patch.to_frame,
            mode=stage.blend_mode,
            subpixel=stage.subpixel,
        )
    return pictures


def idle(avatar: Avatar, cursor: int, count: int) -> list[Picture]:
    """Copies of the avatar's own frames, from frame `cursor` of the film on."""
    return [np.array(avatar.frames[avatar.index_at(cursor + step)]) for step in range(count)]


def silence(spec: FilmSpec, frames: int) -> NDArray[np.float32]:
    """The sound of frames in which nothing is said."""
    return np.zeros(frames * spec.samples_per_frame, np.float32)
