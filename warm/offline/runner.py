"""Runner of render tasks, one after another: avatars first, then films.

A task that fails does not stop the others.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tqdm import tqdm

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.alignment.recording import RecordingTimes
from tts.voice import Voices
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError, AvatarStore
from warm.engine_factory import make_engine
from warm.offline.chunks import (
    Chunk,
    CountedChunks,
    chunks_from_audio,
    chunks_from_text,
    estimated_text_frames,
    frame_count,
)
from warm.offline.errors import RefusedTasks, UnfinishedFilm
from warm.offline.mp4_file import Mp4File
from warm.offline.plan import Planner, RenderPlan
from warm.offline.recording_text import describe_unknown, find_times
from warm.offline.render import RenderSetup, film_spec_of, render_film
from warm.offline.task import RenderTask, describe
from warm.prepare.progress import ProgressBar
from warm.prepare.run import prepare
from warm.settings import Settings
from warm.voice_factory import configured_voices

log = logging.getLogger(__name__)


def run_tasks(tasks: Sequence[RenderTask], settings: Settings, *, force: bool) -> int:
    """Check all tasks, then run them; return 1 if one failed, else 0.

    Raises RefusedTasks, WeightsError and VoiceUnavailable.
    """
    with closing(configured_voices(settings)) as voices:
        return _run_tasks(tasks, settings, voices, force=force)


def _run_tasks(
    tasks: Sequence[RenderTask], settings: Settings, voices: Voices, *, force: bool
) -> int:
    store = AvatarStore(settings.results_dir)
    planner = Planner(settings=settings, store=store, voices=voices, force=force)
    plans = planner.plan_all(tasks)
    engine = make_engine(settings)
    if not all(plan.is_done for plan in plans):
        cv2.setNumThreads(1)
        engine.load()
    setup = RenderSetup(
        engine=engine,
        batch_size=settings.batch_size,
        blend_mode=settings.blend_mode,
        subpixel=settings.track.subpixel_enabled,
        is_lively=settings.life,
    )
    models = settings.face_models_folder
    runner = OfflineRunner(setup=setup, store=store, voices=voices, models=models)
    runner.run(plans)
    if runner.failed and len(plans) > 1:
        tqdm.write(f"{len(runner.failed)} of {len(plans)} films were not made.", file=sys.stderr)
    return int(bool(runner.failed))


@dataclass(slots=True, eq=False, kw_only=True)
class OfflineRunner:
    """Runs a list of plans. Owned by one thread."""

    setup: RenderSetup
    store: AvatarStore
    voices: Voices
    models: Path
    """Folder of the face models."""
    report: Callable[[str], None] = print
    failed: list[RenderPlan] = field(default_factory=list)
    """Plans whose film was not made."""

    def run(self, plans: Sequence[RenderPlan]) -> None:
        """Run the plans that are not done; raises RefusedTasks."""
        for plan in plans:
            if plan.is_done:
                self.report(f"Already done: {plan.task.result} (--force renders it again)")
        remaining = [plan for plan in plans if not plan.is_done]
        self._check_avatars([plan for plan in remaining if plan.preparation is None])
        for step in (self._prepare, self._render):
            for plan in remaining:
                if plan not in self.failed:
                    self._run_step(plan, step)

    def _run_step(self, plan: RenderPlan, step: Callable[[RenderPlan], None]) -> None:
        """Run one step of a plan; report its error and continue."""
        try:
            step(plan)
        except Exception as error:
            log.debug("%s failed", describe(plan.task), exc_info=True)
            self.failed.append(plan)
            message = f"{describe(plan.task)}: {type(error).__name__}: {error}"
            tqdm.write(message, file=sys.stderr)

    def _check_avatars(self, plans: Sequence[RenderPlan]) -> None:
        """Raise RefusedTasks if the engine cannot load an avatar that was prepared before."""
        faults = []
        for avatar_id in dict.fromkeys(plan.avatar_id for plan in plans):
            try:
                avatar = self.store.open(avatar_id)
                self.setup.engine.load_avatar(avatar)
                self.setup.engine.unload_avatar(avatar)
            except AvatarError as error:
                faults += [
                    str(plan.task.error("avatar", str(error)))
                    for plan in plans
                    if plan.avatar_id == avatar_id
                ]
        if faults:
            raise RefusedTasks("\n".join(["No task was started:", *faults]))

    def _prepare(self, plan: RenderPlan) -> None:
        """Prepare the avatar of a task's video, unless it is up to date."""
        if plan.preparation is None:
            return
        assert plan.task.video is not None
        with ProgressBar() as bar:
            prepare(
                plan.task.video,
                avatar_id=plan.avatar_id,
                store=self.store,
                settings=plan.preparation,
                models=self.models,
                engine=lambda: self.setup.engine,
                progress=bar.show,
            )
        if bar.was_shown:
            for line in self.store.summary(plan.avatar_id).findings():
                self.report(f"{plan.task.video}: {line}")

    def _render(self, plan: RenderPlan) -> None:
        """Render the film of a plan and report its length and speed."""
        avatar = self.store.open(plan.avatar_id)
        for note in plan.audio.notes if plan.audio is not None else ():
            self.report(f"Note: {plan.task.audio}: {note}")
        self.setup.engine.load_avatar(avatar)
        try:
            self.report(self._write_film(plan, avatar))
        finally:
            self.setup.engine.unload_avatar(avatar)

    def _write_film(self, plan: RenderPlan, avatar: Avatar) -> str:
        """Write the film and return its summary."""
        spec = film_spec_of(avatar)
        chunks = CountedChunks(self._chunks(plan, spec))
        result = plan.task.result
        expected = self._expected_frames(plan, spec)
        with (
            tqdm(total=expected, desc=result.name, unit=" frames", file=sys.stderr) as bar,
            Mp4File(result, spec, comment=plan.fingerprint) as film,
        ):
            render_film(film, iter(chunks), avatar, self.setup, bar.update)
            required = chunks.frames if plan.audio is None else expected
            if film.frames != required:
                raise UnfinishedFilm(f"{result}: {film.frames} of {required} frames were made.")
            bar.total = film.frames
        seconds = film.frames / spec.fps
        took_s = max(float(bar.format_dict["elapsed"]), 1e-9)
        return (
            f"{result}: {film.frames} frames, {seconds:.2f} s, made in {took_s:.1f} s "
            f"({film.frames / took_s:.0f} fps)"
        )

    def _expected_frames(self, plan: RenderPlan, spec: FilmSpec) -> int:
        """Return the number of frames to show as the goal; for a text it is an estimate."""
        if plan.audio is not None:
            return frame_count(plan.audio.samples, spec)
        assert plan.spoken_text is not None
        return estimated_text_frames(*plan.spoken_text, spec)

    def _chunks(self, plan: RenderPlan, spec: FilmSpec) -> Iterator[Chunk]:
        if plan.task.audio is not None:
            return chunks_from_audio(plan.task.audio, self.setup.engine, spec, self._times(plan))
        assert plan.spoken_text is not None
        return chunks_from_text(*plan.spoken_text, self.voices, self.setup.engine, spec)

    def _times(self, plan: RenderPlan) -> RecordingTimes | None:
        """Return the phonemes of an audio file whose text is given; report what the text lacks."""
        if plan.audio is None or plan.spoken_text is None:
            return None
        assert plan.task.audio is not None
        times = find_times(plan.task.audio, *plan.spoken_text, self.voices)
        note = describe_unknown(times, plan.audio.samples / SAMPLE_RATE_HZ)
        if note is not None:
            self.report(f"Note: {plan.task.audio}: {note}")
        return times
