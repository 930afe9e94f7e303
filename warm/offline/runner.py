"""All tasks, one after another: faces first, then films. One that fails stops no other."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tqdm import tqdm

from session.film import FilmSpec
from tts.espeak import EspeakVoices
from tts.voice import Voices
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError, AvatarStore
from warm.engines.factory import make_engine
from warm.offline.chunks import (
    Chunk,
    chunks_from_audio,
    chunks_from_text,
    frames_of,
    frames_of_text,
)
from warm.offline.errors import RefusedTasks, UnfinishedFilm
from warm.offline.mp4_file import Mp4File
from warm.offline.plan import Planner, RenderPlan
from warm.offline.render import RenderSetup, make, spec_of
from warm.offline.task import RenderTask, described
from warm.prepare.progress import ProgressBar
from warm.prepare.run import prepare
from warm.settings import Settings

log = logging.getLogger(__name__)


def work(tasks: Sequence[RenderTask], settings: Settings, *, force: bool) -> int:
    """Check all tasks, then do them; 1 when one failed.

    Raises RefusedTasks, WeightsError and VoiceUnavailable.
    """
    with closing(EspeakVoices()) as voices:
        return _work(tasks, settings, voices, force=force)


def _work(tasks: Sequence[RenderTask], settings: Settings, voices: Voices, *, force: bool) -> int:
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
    )
    run = OfflineRunner(
        setup=setup, store=store, voices=voices, models=settings.models_dir / "face"
    )
    run.all(plans)
    if run.failed and len(plans) > 1:
        tqdm.write(f"{len(run.failed)} of {len(plans)} films were not made.", file=sys.stderr)
    return int(bool(run.failed))


@dataclass(slots=True, eq=False, kw_only=True)
class OfflineRunner:
    """The work on a list of plans. One thread."""

    setup: RenderSetup
    store: AvatarStore
    voices: Voices
    models: Path
    """The folder of the face models."""
    say: Callable[[str], None] = print
    failed: list[RenderPlan] = field(default_factory=list)

    def all(self, plans: Sequence[RenderPlan]) -> None:
        """Do what is not done; `failed` tells what did not become a film. Raises RefusedTasks."""
        for plan in plans:
            if plan.is_done:
                self.say(f"Done before: {plan.task.result} (--force makes it again)")
        waiting = [plan for plan in plans if not plan.is_done]
        self._try_on([plan for plan in waiting if plan.preparation is None])
        for step in (self._prepare, self._film):
            for plan in waiting:
                if plan not in self.failed:
                    self._guarded(plan, step)

    def _guarded(self, plan: RenderPlan, step: Callable[[RenderPlan], None]) -> None:
        try:
            step(plan)
        except Exception as error:
            log.debug("%s failed", described(plan.task), exc_info=True)
            self.failed.append(plan)
            words = f"{described(plan.task)}: {type(error).__name__}: {error}"
            tqdm.write(words, file=sys.stderr)

    def _try_on(self, plans: Sequence[RenderPlan]) -> None:
        """Raise RefusedTasks when the engine cannot work with an avatar that was made before."""
        faults = []
        for avatar_id in dict.fromkeys(plan.avatar_id for plan in plans):
            try:
                avatar = self.store.open(avatar_id)
                self.setup.engine.load_avatar(avatar)
                self.setup.engine.unload_avatar(avatar)
            except AvatarError as error:
                faults += [
                    str(plan.task.fault("avatar", str(error)))
                    for plan in plans
                    if plan.avatar_id == avatar_id
                ]
        if faults:
            raise RefusedTasks("\n".join(["Nothing was begun:", *faults]))

    def _prepare(self, plan: RenderPlan) -> None:
        """Have the face of a task's video; instant when it was made before."""
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
            for note in self.store.summary(plan.avatar_id).notes:
                self.say(f"Note: {plan.task.video}: {note}")

    def _film(self, plan: RenderPlan) -> None:
        avatar = self.store.open(plan.avatar_id)
        for note in plan.sound.notes if plan.sound is not None else ():
            self.say(f"Note: {plan.task.audio}: {note}")
        self.setup.engine.load_avatar(avatar)
        try:
            self.say(self._written(plan, avatar))
        finally:
            self.setup.engine.unload_avatar(avatar)

    def _written(self, plan: RenderPlan, avatar: Avatar) -> str:
        """Make the film; what there is to say of it."""
        spec = spec_of(avatar)
        total = self._frames(plan, spec)
        result = plan.task.result
        with (
            tqdm(total=total, desc=result.name, unit=" frames", file=sys.stderr) as bar,
            Mp4File(result, spec, comment=plan.key) as film,
        ):
            make(film, self._chunks(plan, spec), avatar, self.setup, bar.update)
            if film.frames != total:
                raise UnfinishedFilm(f"{result}: {film.frames} of {total} frames were made.")
        seconds = film.frames / spec.fps
        took_s = max(float(bar.format_dict["elapsed"]), 1e-9)
        return (
            f"{result}: {film.frames} frames, {seconds:.2f} s, made in {took_s:.1f} s "
            f"({film.frames / took_s:.0f} fps)"
        )

    def _frames(self, plan: RenderPlan, spec: FilmSpec) -> int:
        if plan.sound is not None:
            return frames_of(plan.sound.samples, spec)
        assert plan.said is not None
        return frames_of_text(*plan.said, self.voices, spec)

    def _chunks(self, plan: RenderPlan, spec: FilmSpec) -> Iterator[Chunk]:
        if plan.task.audio is not None:
            return chunks_from_audio(plan.task.audio, self.setup.engine, spec)
        assert plan.said is not None
        return chunks_from_text(*plan.said, self.voices, self.setup.engine, spec)
